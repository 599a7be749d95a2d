import type { Logger } from 'pino'
import type { Journal } from './audit/journal.ts'
import { connectBackend, createCredentialSource, type Credential } from './backend/backend.ts'
import { createExplainer } from './backend/explain.ts'
import { createQueryClient } from './backend/query.ts'
import { parseClassificationFile, readClassificationText } from './classification/file.ts'
import { watchClassification } from './classification/watch.ts'
import type { Config, DatabaseConfig } from './config.ts'
import type { Catalog } from './core/catalog.ts'
import { limits } from './core/limits.ts'
import { DatabaseProtection } from './database-protection.ts'
import { membersOf } from './gateway/record.ts'
import type { GatewayId } from './core/ids.ts'
import type { GatewayDatabase } from './gateway/services.ts'
import type { Decider } from './policy/policy.ts'
import { SessionRoles } from './session-roles.ts'
import { forwardedParameters } from './gateway/start-up-parameters.ts'
import { type Analyzer, createAnalyzer } from './sql/analyze.ts'
import { harmlessFields, harmlessFunctions } from './sql/catalog/harmless.ts'
import { createParser, type Parser } from './sql/parser.ts'
import { createTracer, type Tracer } from './sql/lineage/tracer.ts'

/** What the databases are opened with. */
export interface Opening {
  readonly log: Logger
  readonly journal: Journal
  /** The key of pseudonyms; null where no database has a classification. */
  readonly maskingKey: Buffer | null
  readonly gateway: GatewayId
  readonly policy: Decider
  /** Told of what makes database roles for sessions, which has to be swept. */
  readonly onSessionRoles: (roles: SessionRoles) => void
  /** Undone in reverse order when the gateway stops. */
  readonly atStop: (step: () => void | Promise<void>) => void
}

/** How the gateway's own connections introduce themselves. */
const ownStartUp: ReadonlyMap<string, string> = new Map([['application_name', 'postern']])

/** Opens every database that clients may connect to: what reads its statements, and what protects its columns. */
export async function openDatabases(config: Config, opening: Opening): Promise<ReadonlyMap<string, GatewayDatabase>> {
  const analyzers = new Map<string, Analyzer>()
  const databases = new Map<string, GatewayDatabase>()
  let tracing: Tracing | null = null
  for (const [name, database] of config.databases) {
    const credential = createCredential(database)
    opening.atStop(() => credential.close())
    const connect = connector(database, credential)
    const { labels, role, showsIdentity } = database
    const resource = { name, labels }
    const explain = createExplainer({
      // What a session's own role may make, planning would compute as the service role.
      plans: !database.usesEphemeralRoles,
      connect: (signal) => connect(ownStartUp, signal),
      onFailed: (error) =>
        opening.log.warn({ database: name, err: error }, 'PostgreSQL could not be asked what a statement would do'),
    })
    const sessionRoles = database.usesEphemeralRoles
      ? openSessionRoles(database, { ...opening, config, connect })
      : null
    if (database.classification === null) {
      // Databases with the same safe functions share what was analysed.
      const key = JSON.stringify(database.safeFunctions.toSorted())
      const sql = analyzers.get(key) ?? (await openAnalyzer(database, opening))
      analyzers.set(key, sql)
      databases.set(name, { resource, role, showsIdentity, sql, protection: null, sessionRoles, explain, connect })
      continue
    }
    tracing ??= await openTracer(opening)
    const sql = await openAnalyzer(database, opening)
    const protection = await protect(database, database.classification, {
      ...opening,
      config,
      tracing,
      connect,
      onCatalog: (catalog, computing) => sql.replaceRules(rulesOf(database, catalog, computing)),
    })
    databases.set(name, { resource, role, showsIdentity, sql, protection, sessionRoles, explain, connect })
  }
  return databases
}

function openSessionRoles(
  database: DatabaseConfig,
  opening: Opening & { readonly config: Config; readonly connect: GatewayDatabase['connect'] },
): SessionRoles {
  const { config, connect, gateway, policy, log, atStop, onSessionRoles } = opening
  const graceMs = config.session.expiryGraceS * 1_000
  const roles = new SessionRoles({
    database,
    gateway,
    policy,
    log,
    graceMs,
    connect: (signal) => connect(ownStartUp, signal),
  })
  atStop(() => roles.close())
  onSessionRoles(roles)
  return roles
}

async function openAnalyzer({ safeFunctions }: DatabaseConfig, { log, atStop }: Opening): Promise<Analyzer> {
  const analyzer = await createAnalyzer({
    safeFunctions: new Set(safeFunctions),
    onFault: (fault) => log.warn({ err: fault }, 'the parser broke on a text, which is opaque now'),
  })
  atStop(() => analyzer.close())
  return analyzer
}

interface Tracing {
  readonly tracer: Tracer
  readonly parse: Parser['parse']
}

async function openTracer({ log, atStop }: Opening): Promise<Tracing> {
  const onFault = (fault: unknown): void => {
    log.warn({ err: fault }, 'a statement could not be traced, and counts as unknown')
  }
  const parser = await createParser({ onFault })
  const parse: Parser['parse'] = (sql) => parser.parse(sql)
  const tracer = createTracer({ parse, onFault })
  atStop(() => tracer.close())
  return { tracer, parse }
}

/** What the operator vouches for, here or in the classification, and what the catalog shows to be harmless. */
function rulesOf({ safeFunctions }: DatabaseConfig, catalog: Catalog, computing: ReadonlySet<string>) {
  return {
    safeFunctions: new Set([...safeFunctions, ...harmlessFunctions(catalog, computing)]),
    safeFields: harmlessFields(catalog),
  }
}

async function protect(
  database: DatabaseConfig,
  classification: string,
  opening: Opening & {
    readonly config: Config
    readonly tracing: Tracing
    readonly connect: GatewayDatabase['connect']
    readonly onCatalog: (catalog: Catalog, computing: ReadonlySet<string>) => void
  },
): Promise<DatabaseProtection> {
  const { log, journal, maskingKey, config, tracing, connect } = opening
  if (maskingKey === null) throw new Error('a database has a classification, and there is no key for pseudonyms')
  const { name } = database
  const text = readClassificationText(classification)
  const record = (type: 'classification_loaded' | 'classification_derived', facts: object): void => {
    journal.append(type, membersOf({ database: name, ...facts }).toString())
    journal.commit(() => undefined)
  }
  const protection = new DatabaseProtection({
    database: name,
    file: parseClassificationFile(text, classification),
    stateDirectory: config.masking.state,
    refreshMs: database.catalogRefreshMs,
    key: maskingKey,
    ...tracing,
    async connect(signal) {
      const connection = await connect(ownStartUp, signal)
      return createQueryClient(connection, { signal })
    },
    onCatalog: (catalog, computing) => opening.onCatalog(catalog, computing),
    onClassified({ columns, faults }) {
      log.info({ database: name, columns, faults: faults.length }, 'a classification is in force')
      for (const fault of faults) log.warn({ database: name }, fault)
      record('classification_loaded', { columns, faults })
    },
    onDerived(facts) {
      log.info({ database: name, relation: facts.relation }, 'a new table carries tags of what it was made of')
      record('classification_derived', facts)
    },
    onFailed(error) {
      log.error(
        { database: name, code: error.code, err: error.cause },
        `${error.message}; what was known stays in force`,
      )
    },
  })
  opening.atStop(() => protection.close())
  watchFile(classification, { text, protection, ...opening })
  // A database that cannot be reached now is asked again by the first statement.
  await protection.refresh('changed')
  return protection
}

function watchFile(
  path: string,
  { text, protection, log, atStop }: Opening & { readonly text: string; readonly protection: DatabaseProtection },
): void {
  const watching = new AbortController()
  const watched = watchClassification(path, {
    current: text,
    signal: watching.signal,
    onLoaded: (file) => protection.replace(file),
    onFailed(error) {
      const { code, detail } = error
      log.error({ code, detail }, `${error.message}; the classification before it stays in force`)
    },
  })
  atStop(async () => {
    watching.abort()
    await watched
  })
}

function connector(config: DatabaseConfig, credential: Credential): GatewayDatabase['connect'] {
  const { host, port, database, role, tls } = config
  return (startup, signal) => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(limits.backendConnectDeadlineMs)])
    return connectBackend({ host, port, database, role, tls }, forwardedParameters(startup), {
      signal: deadline,
      credential,
    })
  }
}

function createCredential({ credential }: DatabaseConfig): Credential {
  // Without one the server must trust the gateway; an empty password is refused by everything else.
  return createCredentialSource(credential ?? { password: '' }, process.env)
}
