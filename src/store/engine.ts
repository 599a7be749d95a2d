import type { Kysely } from 'kysely'
import type { Tables } from './tables.ts'

/** What the two databases do differently; everything else is written once. */
export interface Engine {
  readonly kind: 'sqlite' | 'postgres'
  /** Which store it is, for whoever starts the gateway: a file, or a host and database; no secret. */
  readonly where: string
  /** Where changes are made, one at a time. */
  readonly writer: Kysely<Tables>
  /** Where is read. */
  readonly reader: Kysely<Tables>
  /** How many may read at a time. */
  readonly readersMax: number
  /** Begins a transaction that waits for all others that change something, and sees what they did. */
  readonly beginChange: string
  /** Begins a transaction that sees one state and changes nothing. */
  readonly beginRead: string
  /** What tells other processes of the commit that follows; null where nothing has to. */
  readonly announce: string | null
  /** Whether a table of that name is in this store. */
  readonly tableExists: string
  /** Makes what the tables are kept in, within a change; null where nothing has to. */
  readonly prepare: ((writer: Kysely<Tables>) => Promise<void>) | null
  /** Watches for commits of other processes until the returned function is called; calls back once after an outage. */
  watch(listener: () => void): () => void
  close(): Promise<void>
}
