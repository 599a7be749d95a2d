import type { Logger } from 'pino'
import { connectBackend, createCredentialSource } from './backend/backend.ts'
import {
  createEphemeralRoles,
  type EphemeralRole,
  type EphemeralRoles,
  privilegesFor,
} from './backend/ephemeral-roles.ts'
import { createQueryClient, type QueryClient } from './backend/query.ts'
import type { DatabaseConfig } from './config.ts'
import type { Catalog } from './core/catalog.ts'
import type { StatementRequest } from './core/decision.ts'
import { PosternError } from './core/errors.ts'
import type { GatewayId } from './core/ids.ts'
import { limits } from './core/limits.ts'
import { emptyStatement } from './core/statement.ts'
import type { BackendConnection, MakesSessionRoles, SessionRoleWish } from './gateway/services.ts'
import { forwardedParameters } from './gateway/start-up-parameters.ts'
import type { Decider } from './policy/policy.ts'
import { type CatalogKeeper, createCatalogKeeper } from './sql/catalog/keeper.ts'
import { loadCatalog, type SystemCatalogCache } from './sql/catalog/load.ts'

/** What the roles of one database's sessions are made with. */
export interface SessionRolesOptions {
  readonly database: DatabaseConfig
  readonly gateway: GatewayId
  readonly policy: Decider
  readonly log: Logger
  /** How long a session may outlive its token. */
  readonly graceMs: number
  /** A connection as the service role. */
  readonly connect: (signal: AbortSignal) => Promise<BackendConnection>
}

/**
 * Makes a database role for each session of one database, with the privileges that policy and grants allow on what is
 * there when it begins, so that a hole in the analysis still meets PostgreSQL's own privileges (ADR 15).
 */
export class SessionRoles implements MakesSessionRoles {
  readonly #options: SessionRolesOptions
  readonly #roles: EphemeralRoles
  readonly #keeper: CatalogKeeper
  readonly #live = new Set<string>()
  readonly #cache: SystemCatalogCache = { system: null, last: null }

  constructor(options: SessionRolesOptions) {
    const { database, gateway, log } = options
    this.#options = options
    this.#roles = createEphemeralRoles({ admin: () => this.#client(), gateway, log, now: Date.now })
    this.#keeper = createCatalogKeeper({
      load: async (signal) => {
        const client = await this.#client(signal)
        try {
          return await loadCatalog(client.query, this.#cache)
        } finally {
          client.close()
        }
      },
      refreshMs: database.catalogRefreshMs,
      onFailed: ({ error }) =>
        log.error({ database: database.name, code: error.code, err: error.cause }, error.message),
    })
  }

  async open(wish: SessionRoleWish): ReturnType<MakesSessionRoles['open']> {
    const { database, graceMs } = this.#options
    const made = await this.#create(wish, graceMs)
    this.#live.add(made.role)
    const release = async (): Promise<void> => {
      this.#live.delete(made.role)
      await made.drop()
    }
    const credential = createCredentialSource({ password: made.password }, {})
    try {
      const { host, port, tls } = database
      const target = { host, port, database: database.database, role: made.role, tls }
      const deadline = AbortSignal.any([wish.signal, AbortSignal.timeout(limits.backendConnectDeadlineMs)])
      const options = { signal: deadline, credential }
      const backend = await connectBackend(target, forwardedParameters(wish.startUp), options)
      return { backend, role: made.role, release }
    } catch (error) {
      this.#release(release)
      throw error
    } finally {
      credential.close()
    }
  }

  /** Drops what sessions have left behind that are over, those of gateways that are gone included. */
  async sweep(deadGateways: ReadonlySet<GatewayId>): Promise<void> {
    const { dropped, failed } = await this.#roles.sweep(this.#live, { deadGateways })
    if (dropped.length + failed.length === 0) return
    const { log, database } = this.#options
    const facts = { database: database.name, dropped: dropped.length, failed: failed.length }
    log.warn(facts, 'database roles of sessions that are over were dropped')
  }

  close(): void {
    this.#keeper.close()
  }

  /** What has changed since the catalog was read last is seen once it is in the way. */
  async #create(wish: SessionRoleWish, graceMs: number): Promise<EphemeralRole> {
    const validUntilMs = wish.principal.expiresAtMs + graceMs
    const create = (catalog: Catalog): Promise<EphemeralRole> =>
      this.#roles.create({
        privileges: this.#privilegesOf(wish, catalog),
        validUntilMs,
        principalName: wish.principal.name,
      })
    const known = this.#keeper.current
    if (known === null) return create(await this.#keeper.refresh())
    try {
      return await create(known)
    } catch (error) {
      if (!(error instanceof PosternError) || error.code !== 'catalog_unavailable') throw error
      return create(await this.#keeper.refresh())
    }
  }

  #privilegesOf({ principal, accessRoles, database, session }: SessionRoleWish, { data }: Catalog) {
    const nowMs = Date.now()
    const asked = { principal, accessRoles, database, session, nowMs, statementCount: 1, tags: [], predicateTags: [] }
    return privilegesFor({
      relations: data.relations,
      // What conditions a statement meets is not known yet: whatever may run in some form has its privilege.
      mayRun: (name, relation) =>
        [true, false].some((hasWhere) => {
          const statement = { ...emptyStatement, kind: name, commands: [{ name, relations: [relation], hasWhere }] }
          return this.#mayBe({ ...asked, statement, searchPath: [] })
        }),
    })
  }

  #mayBe(request: StatementRequest): boolean {
    const decision = this.#options.policy.decideStatement(request)
    return decision.effect === 'allow' || decision.reason === 'needs_approval'
  }

  async #client(signal: AbortSignal = AbortSignal.timeout(limits.catalogLoadMsMax)): Promise<QueryClient> {
    return createQueryClient(await this.#options.connect(signal), { signal })
  }

  #release(release: () => Promise<void>): void {
    const { log, database } = this.#options
    release().catch((error: unknown) => {
      log.warn({ database: database.name, err: error }, 'a database role is left to the next sweep')
    })
  }
}
