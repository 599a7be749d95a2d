import { BackendRefusal } from '../backend/backend.ts'
import type { SessionFacts } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import { newSessionId, type SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { type Asking, databaseMeant, identifyClient } from './identify-client.ts'
import type { ClientFacts } from './record.ts'
import { refusalOfDecision } from './refusal.ts'
import type { BackendConnection, GatewayDatabase, Services } from './services.ts'
import type { StartUp } from './start-up.ts'
import { withIdentity } from './identity-parameters.ts'
import { isRevokedFor } from './session-access.ts'
import { reasonGiven, settingsStatement } from './start-up-parameters.ts'

/** A client that is who it says and may connect, with a connection to PostgreSQL that is its own. */
export interface LoggedIn {
  readonly sessionId: SessionId
  readonly principal: Principal
  readonly database: GatewayDatabase
  readonly backend: BackendConnection
  /** The database role that it is logged in with, and what lets go of one that was made for it. */
  readonly role: string
  readonly release: () => Promise<void>
  /** Why it is here, as it says itself; null where it does not. */
  readonly reason: string | null
}

/** What a log-in is decided by, beside the client itself. */
export interface LogInOptions extends Asking {
  readonly services: Services
  readonly databases: ReadonlyMap<string, GatewayDatabase>
  readonly client: ClientFacts
  /** Tokens may come without TLS from this machine itself. */
  readonly allowPlaintextOnLoopback: boolean
  readonly signal: AbortSignal
}

type SessionStartUp = Extract<StartUp, { kind: 'session' }>

/**
 * Asks a client who it is, decides whether it may connect, and logs in to PostgreSQL for it. Throws a PosternError, or
 * a BackendRefusal whose ErrorResponse the client may see. Nothing is said about databases or names before the token
 * has proved that somebody of the company asks.
 */
export async function logIn(start: SessionStartUp, options: LogInOptions): Promise<LoggedIn> {
  const { services, client, signal } = options
  refuseReplication(start.parameters)
  if (!start.isTls && !(options.allowPlaintextOnLoopback && isLoopback(client.address))) throw tlsRequired()
  const principal = await identifyClient(start, services, options)
  const database = options.databases.get(databaseMeant(start, principal))
  if (database === undefined) throw unknownDatabase()
  const session = { clientAddress: client.address, applicationName: client.application, isTls: start.isTls }
  const nowMs = Date.now()
  const accessRoles = services.access?.holdingOf(principal, database.resource.name, nowMs).roles ?? []
  decideConnect({ services, principal, accessRoles, database, session, nowMs }, start.parameters)
  refuseRevoked(services, principal)
  const sessionId = newSessionId()
  const { showsIdentity } = database
  const identity = { principal, sessionId, application: client.application, showsIdentity }
  const reason = reasonGiven(start.parameters)
  const startUp = withIdentity(start.parameters, identity)
  const common = { sessionId, principal, database, reason }
  if (database.sessionRoles === null) {
    const backend = await database.connect(startUp, signal)
    return { ...common, backend, role: database.role, release: () => Promise.resolve() }
  }
  const wish = { principal, accessRoles, database: database.resource, session, startUp, signal }
  return { ...common, ...(await database.sessionRoles.open(wish)) }
}

/** Whether an error of the log-in carries PostgreSQL's own words for the client. */
export function isRelayed(error: unknown): error is BackendRefusal {
  return error instanceof BackendRefusal
}

function decideConnect(
  asked: {
    readonly services: Services
    readonly principal: Principal
    readonly accessRoles: readonly string[]
    readonly database: GatewayDatabase
    readonly session: SessionFacts
    readonly nowMs: number
  },
  parameters: ReadonlyMap<string, string>,
): void {
  const { services, principal, accessRoles, session, nowMs } = asked
  const database = asked.database.resource
  const connect = services.policy.decideConnect({ principal, accessRoles, database, session, nowMs })
  if (connect.effect === 'deny') {
    const { error } = refusalOfDecision(connect)
    throw new PosternError('connect_refused', error.message, { detail: error.detail, hint: error.hint })
  }
  const statement = settingsStatement(parameters)
  if (statement === null) return
  const request = {
    principal,
    accessRoles,
    database,
    session,
    statement,
    statementCount: 1,
    searchPath: null,
    tags: [],
    predicateTags: [],
    nowMs,
  }
  const settings = services.policy.decideStatement(request)
  if (settings.effect === 'deny') {
    const { error } = refusalOfDecision(settings)
    throw new PosternError('statement_refused', error.message, { detail: error.detail, hint: error.hint })
  }
}

/** What was issued before a revocation is dead. */
function refuseRevoked(services: Services, principal: Principal): void {
  if (!isRevokedFor(services, principal)) return
  throw new PosternError('access_ended', 'the token was issued before the access of its owner was revoked', {
    hint: 'Ask whoever manages access; once it is given back, log in anew for a fresh token.',
  })
}

/** `replication` turns a connection into another protocol, where nothing here would apply. */
function refuseReplication(parameters: ReadonlyMap<string, string>): void {
  const value = parameters.get('replication')?.toLowerCase()
  if (value === undefined || ['false', 'off', 'no', '0', 'f', 'n'].includes(value)) return
  throw new PosternError('feature_refused', 'replication connections are not available through Postern', {
    hint: 'Replicate from PostgreSQL directly, with a credential made for that.',
  })
}

/** Whether an address is of this machine's loopback. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address)
}

function tlsRequired(): PosternError {
  return new PosternError('tls_required', 'Postern takes tokens over TLS only', {
    hint: 'Connect with sslmode=verify-full (or at least sslmode=require).',
  })
}

function unknownDatabase(): PosternError {
  return new PosternError('database_unknown', 'this gateway has no database of that name', {
    hint: 'Check the database name of your connection; whoever runs the gateway lists them in postern.yaml.',
  })
}
