import type { Socket } from 'node:net'
import type { SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import type { ClientFacts } from './record.ts'
import type { BackendConnection, GatewayDatabase, Services } from './services.ts'

/** The parts a session is made of. */
export interface SessionParts {
  readonly id: SessionId
  readonly services: Services
  readonly principal: Principal
  readonly database: GatewayDatabase
  readonly client: Socket
  readonly clientFacts: ClientFacts
  readonly backend: BackendConnection
  /** The database role that it is logged in with. */
  readonly role: string
  /** How long a statement may run on after the token has expired. */
  readonly expiryGraceMs: number
  /** Why the client is here, as it said at the start. */
  readonly reason: string | null
}
