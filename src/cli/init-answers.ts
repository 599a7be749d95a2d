import { isLoopback } from '../config.ts'
import { PosternError } from '../core/errors.ts'

/** What the command line says, as written. */
export interface Flags {
  readonly issuer?: string
  readonly audience?: string
  readonly clientId?: string
  readonly database?: string
  readonly databaseHost?: string
  readonly databasePort?: string
  readonly databaseRole?: string
  readonly databaseTls?: string
  readonly address?: string
  readonly port?: string
  readonly certificate?: string
  readonly key?: string
  readonly plaintextOnLoopback?: boolean
}

/** Everything that `postern init` needs to know. */
export interface Answers {
  readonly issuer: string
  readonly isIssuerInsecure: boolean
  readonly audience: string
  readonly clientId: string
  readonly database: string
  readonly databaseHost: string
  readonly databasePort: number
  readonly databaseRole: string
  readonly databaseTls: string
  readonly address: string
  readonly port: number
  readonly tls: { readonly certificate: string; readonly key: string } | null
  readonly passwordVariable: string
}

const tlsModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']

/** Fills in the defaults. Fails with `input_invalid`, naming the option. */
export function answersOf(flags: Flags): Answers {
  const { issuer, database = 'postgres', databaseHost = 'localhost' } = flags
  if (issuer === undefined || issuer.trim() === '') {
    throw wrong('--issuer', 'is missing', 'Name your identity provider, such as --issuer https://idp.example.com.')
  }
  const url = URL.parse(issuer)
  const isLocal = url !== null && isLoopback(url.hostname.replace(/^\[|\]$/gu, ''))
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLocal)) {
    throw wrong('--issuer', 'is not an https URL', 'Write it as its tokens state it in `iss`: https://idp.example.com')
  }
  const isLocalDatabase = databaseHost.startsWith('/') || isLoopback(databaseHost)
  const databaseTls = flags.databaseTls ?? (isLocalDatabase ? 'prefer' : 'verify-full')
  if (!tlsModes.includes(databaseTls)) throw wrong('--database-tls', 'is no TLS mode', `Use ${tlsModes.join(', ')}.`)
  const address = flags.address ?? '127.0.0.1'
  if (flags.plaintextOnLoopback === true && !isLoopback(address)) {
    throw wrong('--plaintext-on-loopback', `cannot go with --address ${address}`, 'Listen on 127.0.0.1, or with TLS.')
  }
  const tls = { certificate: flags.certificate ?? 'server.crt', key: flags.key ?? 'server.key' }
  return {
    issuer,
    isIssuerInsecure: url.protocol === 'http:',
    audience: flags.audience ?? 'postern',
    clientId: flags.clientId ?? 'postern-cli',
    database,
    databaseHost,
    databasePort: portOf('--database-port', flags.databasePort ?? '5432'),
    databaseRole: flags.databaseRole ?? 'postern',
    databaseTls,
    address,
    port: portOf('--port', flags.port ?? '6432'),
    tls: flags.plaintextOnLoopback === true ? null : tls,
    passwordVariable: `${database
      .toUpperCase()
      .replace(/[^A-Z0-9]+/gu, '_')
      .replace(/^(?=\d)/u, '_')}_PASSWORD`,
  }
}

/** Asks, on the terminal, for the few things that no default can know. Ends the process politely at Ctrl-C. */
export async function askForMissing(flags: Flags): Promise<Flags> {
  const { cancel, confirm, intro, outro, text } = await import('@clack/prompts')
  intro('Postern: a configuration to begin with')
  const given = <Answer extends string | boolean>(answer: Answer | symbol): Answer => {
    if (typeof answer !== 'symbol') return answer
    cancel('Nothing was written.')
    throw new PosternError('input_invalid', 'the questions were not answered, so nothing was written')
  }
  const ask = async (known: string | undefined, message: string, initialValue: string): Promise<string> =>
    known ??
    given<string>(await text({ message, initialValue, validate: (value) => (value?.trim() ? undefined : 'Needed.') }))
  const issuer = await ask(flags.issuer, 'Which identity provider issues the tokens? (URL as in `iss`)', 'https://')
  const audience = await ask(flags.audience, 'What do tokens for Postern state as audience (`aud`)?', 'postern')
  const clientId = await ask(flags.clientId, 'Which client id logs people in on the command line?', 'postern-cli')
  const database = await ask(flags.database, 'By what name do clients connect to the database?', 'postgres')
  const databaseHost = await ask(flags.databaseHost, 'Where is PostgreSQL?', 'localhost')
  const databasePort = await ask(flags.databasePort, 'At which port?', '5432')
  const databaseRole = await ask(flags.databaseRole, 'As which database role does Postern log in?', 'postern')
  const isTlsSettled = flags.certificate !== undefined || flags.plaintextOnLoopback !== undefined
  const hasCertificate =
    isTlsSettled || given(await confirm({ message: 'Is there a certificate for the gateway, or will there be one?' }))
  outro('Writing.')
  return {
    ...flags,
    issuer,
    audience,
    clientId,
    database,
    databaseHost,
    databasePort,
    databaseRole,
    ...(hasCertificate ? {} : { plaintextOnLoopback: true }),
  }
}

function portOf(option: string, text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/u.test(text) || port === 0 || port > 65_535) throw wrong(option, 'is no port', 'Use 1 to 65535.')
  return port
}

function wrong(option: string, what: string, hint: string): PosternError {
  return new PosternError('input_invalid', `the configuration cannot be written: ${option} ${what}`, { hint })
}
