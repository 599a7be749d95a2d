import { pino, type Logger } from 'pino'
import { loadOrCreateSigningKey } from './audit/key.ts'
import { openJournal, type Journal } from './audit/journal.ts'
import type { Config } from './config.ts'
import { type GatewayId, newGatewayId } from './core/ids.ts'
import { openAccessControl } from './access-control.ts'
import { limits } from './core/limits.ts'
import { openDatabases } from './databases.ts'
import { startGateway } from './gateway/gateway.ts'
import { createStatementEncoder, membersOf } from './gateway/record.ts'
import { createIdentifier } from './identity/identity.ts'
import {
  createDecider,
  type Decider,
  loadPolicySet,
  type PolicySet,
  undeclaredAccessRoles,
  watchPolicies,
} from './policy/policy.ts'
import { createRedactor, deriveKeys, loadOrCreateMaskingKey } from './redaction/redact.ts'
import type { SessionRoles } from './session-roles.ts'
import { createServerCertificate } from './server-certificate.ts'
import { version } from './version.ts'

/** A running Postern. */
export interface Postern {
  readonly port: number
  /** Where people decide; null where they cannot. */
  readonly apiUrl: string | null
  readonly sessionCount: number
  /** Ends every session in good order, within the deadline, and seals the journal. */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>
}

/** Where the process log goes; standard output as JSON lines unless told. */
export interface ServeOptions {
  readonly log?: Logger
}

/**
 * Starts everything `postern serve` runs: the journal first, since nothing runs unrecorded, and the listener last.
 * Rejects with a PosternError that says what to mend; what was started before is stopped again.
 */
export async function serve(config: Config, options: ServeOptions = {}): Promise<Postern> {
  const log = options.log ?? pino({ level: config.log.level, base: { app: 'postern' } })
  const stopping = new Stopping()
  try {
    const policySet = await loadPolicySet(config.policies)
    for (const warning of policySet.warnings) log.warn({ policies: policySet.directory }, warning)
    warnOfAccessRoles(config, policySet, log)
    const gatewayId = newGatewayId()
    const journal = await startJournal(config, { gatewayId, policySet, log, stopping })
    const policy = createDecider(policySet)
    const identity = createIdentifier({ issuers: config.issuers })
    stopping.add(() => identity.close())
    const hasClassification = [...config.databases.values()].some(({ classification }) => classification !== null)
    const keys = hasClassification ? deriveKeys(loadOrCreateMaskingKey(config.masking.key)) : null
    const sessionRoles: SessionRoles[] = []
    const databases = await openDatabases(config, {
      log,
      journal,
      maskingKey: keys?.masking ?? null,
      gateway: gatewayId,
      policy,
      onSessionRoles: (roles) => sessionRoles.push(roles),
      atStop: (step) => stopping.add(step),
    })
    const { access, api, tokens, lostGateways } = await openAccessControl(config, {
      log,
      journal,
      gateway: gatewayId,
      identity,
      policy,
      databases,
      atStop: (step) => stopping.add(step),
    })
    const { address, port, tls, allowPlaintextOnLoopback, login, oauthScope: scope } = config.listen
    const onFailed = (error: unknown): void => {
      log.error({ err: error }, 'the changed certificate cannot be used; the one before it stays in force')
    }
    const certificate = tls === null ? null : createServerCertificate(tls, { onFailed })
    const redaction = keys === null ? null : createRedactor({ key: keys.redaction })
    const gateway = await startGateway(
      {
        address,
        port,
        secureContext: () => certificate?.() ?? null,
        allowPlaintextOnLoopback,
        login,
        discovery: { issuer: config.issuers[0]?.url ?? '', scope },
        databases,
        expiryGraceMs: config.session.expiryGraceS * 1_000,
      },
      {
        identity,
        access,
        approvals: api === null ? null : { urlOf: (request) => `${api.url}/r/${request}` },
        tokens,
        policy,
        journal,
        log,
        redaction,
        statementMembers: createStatementEncoder(redaction),
      },
    )
    stopping.add(sweepSessionRoles(sessionRoles, { lostGateways, log }))
    stopping.add(access.onChange((subjects) => gateway.reconsider(subjects)))
    const onLoaded = (): void => gateway.reconsider(null)
    watchForPolicies(config, { policySet, policy, journal, log, stopping, onLoaded })
    log.info({ address, port: gateway.port, databases: [...databases.keys()] }, 'Postern is listening')
    return {
      get port() {
        return gateway.port
      },
      apiUrl: api?.url ?? null,
      get sessionCount() {
        return gateway.sessionCount
      },
      async stop({ deadlineMs = limits.drainDeadlineMs } = {}) {
        await gateway.stop({ deadlineMs })
        await stopping.run()
        log.info({}, 'Postern has stopped')
      },
    }
  } catch (error) {
    await stopping.run()
    throw error
  }
}

/** Looks for database roles that sessions have left behind: now, and every minute. Returns what ends it. */
function sweepSessionRoles(
  all: readonly SessionRoles[],
  { lostGateways, log }: { readonly lostGateways: () => Promise<ReadonlySet<GatewayId>>; readonly log: Logger },
): () => void {
  if (all.length === 0) return () => undefined
  const sweep = async (): Promise<void> => {
    try {
      const lost = await lostGateways()
      for (const roles of all) await roles.sweep(lost)
    } catch (error) {
      log.warn({ err: error }, 'database roles that sessions left behind could not be looked for')
    }
  }
  void sweep()
  const timer = setInterval(() => void sweep(), limits.sessionRoleSweepMs).unref()
  return () => clearInterval(timer)
}

/** What has to be undone, in the reverse order of its start. */
class Stopping {
  #steps: (() => void | Promise<void>)[] = []

  add(step: () => void | Promise<void>): void {
    this.#steps.push(step)
  }

  async run(): Promise<void> {
    const steps = this.#steps.toReversed()
    this.#steps = []
    for (const step of steps) await step()
  }
}

interface Under {
  readonly policySet: PolicySet
  readonly log: Logger
  readonly stopping: Stopping
}

async function startJournal(
  config: Config,
  { gatewayId, policySet, log, stopping }: Under & { readonly gatewayId: GatewayId },
): Promise<Journal> {
  const journal = await openJournal({
    directory: config.journal.directory,
    durability: config.journal.durability,
    segmentBytes: config.journal.segmentBytes,
    signingKey: loadOrCreateSigningKey(config.journal.signingKey),
    gatewayId,
    onFailure: (error) => log.error({ code: error.code, err: error.cause }, `${error.message}; statements are refused`),
    onRecovered: () => log.warn({}, 'the journal can be written again; statements are let through'),
  })
  const facts = { gateway: gatewayId, version, processId: process.pid, node: process.version }
  const databases = [...config.databases.keys()]
  journal.append('gateway_started', text({ ...facts, databases, policies: policyFacts(policySet) }))
  stopping.add(async () => {
    journal.append('gateway_stopped', text({ gateway: gatewayId }))
    await journal.close()
  })
  await new Promise<void>((resolve, reject) => {
    journal.commit((error) => (error === null ? resolve() : reject(error)))
  })
  return journal
}

function watchForPolicies(
  config: Config,
  under: Under & { readonly policy: Decider; readonly journal: Journal; readonly onLoaded: () => void },
): void {
  const { policySet, policy, journal, log, stopping, onLoaded } = under
  const watching = new AbortController()
  const watched = watchPolicies(config.policies, {
    current: policySet,
    signal: watching.signal,
    onLoaded(set) {
      policy.replace(set)
      journal.append('policy_loaded', text({ policies: policyFacts(set) }))
      journal.commit(() => undefined)
      onLoaded()
      warnOfAccessRoles(config, set, log)
      log.info({ hash: set.hash, policies: set.policies.length }, 'a changed policy set is in force')
    },
    onFailed(error, { hash }) {
      // Its message names a policy or a file; what stands in the files is not for the record.
      const refused = { code: error.code, message: error.message, policies: { hash }, inForce: policyFacts(policy.set) }
      journal.append('policy_refused', text(refused))
      journal.commit(() => undefined)
      log.error({ code: error.code, detail: error.detail }, `${error.message}; the policy set before it stays in force`)
    },
  })
  stopping.add(async () => {
    watching.abort()
    await watched
  })
}

/** A policy about a role that nobody can hold is most probably a misspelled one. */
function warnOfAccessRoles(config: Config, set: PolicySet, log: Logger): void {
  const unknown = undeclaredAccessRoles(set, config.accessRoles.keys())
  if (unknown.length > 0) log.warn({ accessRoles: unknown }, 'policies name access roles that nobody can hold')
}

function policyFacts(set: PolicySet): Readonly<Record<string, unknown>> {
  return { hash: set.hash, count: set.policies.length }
}

function text(object: Readonly<Record<string, unknown>>): string {
  return membersOf(object).toString()
}
