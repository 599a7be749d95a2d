import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIssuer } from '../sandbox/issuer.ts'
import { type SandboxPostgres, startPostgres } from '../sandbox/postgres.ts'
import { fill } from './fill.ts'
import { end } from './processes.ts'
import { findPgbouncer, startPgbouncer } from './start-pgbouncer.ts'
import { type OtherPostern, type StartedPostern, startPostern } from './start-postern.ts'

/** One way to the same PostgreSQL. */
export interface Contender {
  readonly name: 'direct' | 'PgBouncer' | 'PgBouncer, fresh' | 'Postern' | 'Postern, classified' | 'Postern, masking'
  readonly port: number
  readonly user: string
  readonly password: string
  /** The process in between whose processor time counts; null where there is none. */
  readonly processId: number | null
}

/** PostgreSQL with the data of the benchmarks, and the ways to it. */
export interface Contest {
  readonly postgres: SandboxPostgres
  readonly direct: Contender
  /** Null where PgBouncer is not installed. */
  readonly pgbouncer: Contender | null
  /** A PgBouncer that opens a server connection for every session, as Postern does. */
  readonly freshPgbouncer: Contender | null
  /** A database without a classification. */
  readonly postern: StartedPostern
  /** Columns that no load touches are classified. */
  readonly classified: StartedPostern
  /** One text of ten in two of the bulk tables is classified too, and masked for the principal of the benchmarks. */
  readonly masking: StartedPostern
  /** Starts another Postern, with options for its Node or from another checkout, and ends it again. */
  startPostern(other: OtherPostern): Promise<StartedPostern>
  stop(): Promise<void>
}

/** Starts everything on loopback, TCP and SCRAM towards PostgreSQL for all alike; some fifteen seconds. */
export async function startContest(): Promise<Contest> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'))
  const [postgres, issuer] = await Promise.all([
    startPostgres({ settings: { shared_buffers: '256MB', max_connections: '400', jit: 'off', max_wal_size: '4GB' } }),
    startIssuer(),
  ])
  await fill(postgres)
  const stops: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true }),
    () => postgres.stop(),
    () => issuer.stop(),
  ]
  const bouncers = findPgbouncer() ? { pooled: 3_600, fresh: 0 } : null
  const startBouncer = async (serverLifetimeS: number) => {
    const bouncer = await startPgbouncer({ postgres, serverLifetimeS })
    stops.push(() => end(bouncer.child))
    return bouncer
  }
  let started = 0
  const start = (other: OtherPostern): Promise<StartedPostern> => {
    started += 1
    return startPostern({ directory, postgres, issuer, other, name: `postern-${String(started)}` })
  }
  const startKept = async (other: OtherPostern): Promise<StartedPostern> => {
    const postern = await start(other)
    stops.push(() => postern.stop())
    return postern
  }
  const user = postgres.superuser
  const { password } = postgres
  const postern = await startKept({})
  const classified = await startKept({ classification: 'elsewhere' })
  const masking = await startKept({ classification: 'one text of ten' })
  const pooled = bouncers === null ? null : await startBouncer(bouncers.pooled)
  const fresh = bouncers === null ? null : await startBouncer(bouncers.fresh)
  return {
    postgres,
    direct: { name: 'direct', port: postgres.port, user, password, processId: null },
    pgbouncer: pooled && { name: 'PgBouncer', port: pooled.port, user, password, processId: pooled.processId },
    freshPgbouncer: fresh && { name: 'PgBouncer, fresh', port: fresh.port, user, password, processId: fresh.processId },
    postern,
    classified,
    masking,
    startPostern: start,
    async stop() {
      for (const stop of stops.toReversed()) await stop()
    },
  }
}
