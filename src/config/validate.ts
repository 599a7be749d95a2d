import type { z } from 'zod'
import { nearestName } from '../core/nearest.ts'
import { accessFaults } from './validate-access.ts'
import { configSchema } from './schema.ts'
import type { ConfigFile } from './schema.ts'
import type { Fault } from './yaml-file.ts'

/** Checks the values of postern.yaml one by one and against each other. No file is opened. */
export function validateConfig(value: unknown): { file: ConfigFile | null; faults: readonly Fault[] } {
  const result = configSchema.safeParse(value ?? {})
  if (!result.success) return { file: null, faults: result.error.issues.flatMap((issue) => explain(issue)) }
  const faults = [
    ...listenFaults(result.data),
    ...issuerFaults(result.data),
    ...databaseFaults(result.data),
    ...accessFaults(result.data),
  ]
  return { file: result.data, faults }
}

/** Checks only the values of some sections, each by itself. */
export function validateSections<Section extends keyof ConfigFile>(
  value: unknown,
  sections: readonly Section[],
): { values: Pick<ConfigFile, Section> | null; faults: readonly Fault[] } {
  const mask = Object.fromEntries(sections.map((section) => [section, true as const]))
  const result = configSchema.pick(mask as Record<keyof ConfigFile, true>).safeParse(value ?? {})
  if (result.success) return { values: result.data, faults: [] }
  return { values: null, faults: result.error.issues.flatMap((issue) => explain(issue)) }
}

type Issue = z.core.$ZodIssue

function explain(issue: Issue): readonly Fault[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)))
  const fault = (what: string, remedy: string | null = null) => [{ path, what, remedy }]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const meant = nearestName(key, keysAt(path))
        const remedy = meant === null ? `Known keys here: ${keysAt(path).join(', ')}.` : `Did you mean \`${meant}\`?`
        return { path: [...path, key], what: 'is not a key that Postern knows', remedy }
      })
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? fault('is missing', descriptionAt(path))
        : fault(`must be ${nouns.get(issue.expected) ?? issue.expected}`, descriptionAt(path))
    case 'invalid_value': {
      const values = issue.values.map(String)
      return fault(`must be one of ${values.join(', ')}`, descriptionAt(path))
    }
    case 'too_small':
      return fault(`must ${measure(issue.origin)} at least ${String(issue.minimum)}`, descriptionAt(path))
    case 'too_big':
      return fault(`must ${measure(issue.origin)} at most ${String(issue.maximum)}`, descriptionAt(path))
    case 'invalid_key':
      return fault('is not a possible name: 1 to 63 characters without spaces or control characters')
    case 'invalid_format':
      return fault(
        issue.format === 'regex' ? issue.message : `must be a ${issue.format.toUpperCase()}`,
        descriptionAt(path),
      )
    default:
      return fault(`cannot be used: ${issue.message}`, descriptionAt(path))
  }
}

const nouns: ReadonlyMap<string, string> = new Map([
  ['object', 'a group of keys'],
  ['record', 'a group of keys'],
  ['array', 'a list'],
  ['string', 'text'],
  ['number', 'a whole number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
])

function measure(origin: string): string {
  if (origin === 'string') return 'have a length of'
  return origin === 'array' ? 'hold' : 'be'
}

interface Shaped {
  readonly def: {
    readonly type: string
    readonly innerType?: Shaped
    readonly out?: Shaped
    readonly valueType?: Shaped
    readonly element?: Shaped
    readonly shape?: Readonly<Record<string, Shaped>>
  }
  readonly description?: string | undefined
}

/** The part of the schema that a path leads to, seen through defaults and options. */
function schemaAt(path: readonly (string | number)[]): Shaped | undefined {
  let at: Shaped | undefined = configSchema
  for (const key of path) {
    at = unwrapped(at)
    at = at?.def.shape?.[String(key)] ?? at?.def.valueType ?? at?.def.element
  }
  return at
}

function unwrapped(schema: Shaped | undefined): Shaped | undefined {
  let at = schema
  for (let next = at?.def.innerType ?? at?.def.out; next !== undefined; next = at.def.innerType ?? at.def.out) at = next
  return at
}

function keysAt(path: readonly (string | number)[]): readonly string[] {
  return Object.keys(unwrapped(schemaAt(path))?.def.shape ?? {})
}

function descriptionAt(path: readonly (string | number)[]): string | null {
  return schemaAt(path)?.description ?? null
}

/** Whether `address` can only be reached from this machine. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(?:\.\d{1,3}){3}$/u.test(address)
}

function listenFaults({ listen }: ConfigFile): readonly Fault[] {
  if (listen.tls !== undefined) return []
  if (!listen.allow_plaintext_on_loopback) {
    return [
      {
        path: ['listen', 'tls'],
        what: 'is missing, so that no client could log in: tokens are accepted over TLS only',
        remedy:
          'Give it `certificate` and `key`. To try things out on one machine, set `listen.allow_plaintext_on_loopback: true`.',
      },
    ]
  }
  if (isLoopback(listen.address)) return []
  return [
    {
      path: ['listen', 'address'],
      what: 'is open to other machines while `listen.tls` is missing',
      remedy: 'Give `listen.tls` a certificate and a key, or listen on 127.0.0.1.',
    },
  ]
}

function issuerFaults({ issuers }: ConfigFile): readonly Fault[] {
  return issuers.flatMap((issuer, index) => {
    const faults: Fault[] = []
    const earlier = issuers.slice(0, index)
    if (earlier.some(({ url }) => url === issuer.url)) {
      faults.push({
        path: ['issuers', index, 'url'],
        what: 'is configured twice',
        remedy: 'Give it one entry with all its audiences.',
      })
    }
    if (earlier.some(({ prefix }) => prefix === issuer.prefix)) {
      faults.push({
        path: ['issuers', index, 'prefix'],
        what: 'is the same as that of another issuer, so that each could issue the names of the other',
        remedy: 'Give each issuer a prefix of its own, such as `partner:`.',
      })
    }
    const url = URL.parse(issuer.url)
    const isLocal = url !== null && isLoopback(url.hostname.replace(/^\[|\]$/gu, ''))
    if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && issuer.allow_insecure && isLocal)) {
      faults.push({
        path: ['issuers', index, 'url'],
        what: 'is not https, and keys fetched without TLS prove nothing',
        remedy: 'Only an issuer on a loopback address may use http, with `allow_insecure: true`.',
      })
    }
    return faults
  })
}

function databaseFaults({ databases }: ConfigFile): readonly Fault[] {
  if (Object.keys(databases).length === 0) {
    return [{ path: ['databases'], what: 'holds no database', remedy: 'Add one, by the name clients will connect to.' }]
  }
  return Object.entries(databases).flatMap(([name, { credential }]) =>
    credentialFaults(credential, ['databases', name, 'credential']),
  )
}

/** A credential comes from exactly one place. */
export function credentialFaults(
  credential: ConfigFile['databases'][string]['credential'],
  path: readonly string[],
): readonly Fault[] {
  if (credential === undefined) return []
  const sources = (['file', 'environment', 'command', 'password'] as const).filter(
    (key) => credential[key] !== undefined,
  )
  const faults: Fault[] = []
  if (sources.length !== 1) {
    const what = sources.length === 0 ? 'says nothing' : `has ${sources.join(' and ')}`
    faults.push({ path, what, remedy: 'Give exactly one of file, environment, command, password.' })
  }
  if (credential.refresh_after_s !== undefined && credential.command === undefined) {
    const remedy = 'Remove it; a file is re-read when it changes.'
    faults.push({ path: [...path, 'refresh_after_s'], what: 'is for `command` only', remedy })
  }
  return faults
}
