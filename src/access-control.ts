import type { Logger } from 'pino'
import { createAccess, type Access } from './access/access.ts'
import { type Api, defaultRates, startApi } from './api/api.ts'
import type { Journal } from './audit/journal.ts'
import { createCredentialSource } from './backend/backend.ts'
import { createApproverEyes } from './approver-eyes.ts'
import type { AccessSettings, Config } from './config.ts'
import { PosternError } from './core/errors.ts'
import type { ControlStore } from './core/control-store.ts'
import type { GatewayId } from './core/ids.ts'
import { limits } from './core/limits.ts'
import type { Principal } from './core/principal.ts'
import { membersOf } from './gateway/record.ts'
import type { GatewayDatabase, Identifies, TokenLogIn } from './gateway/services.ts'
import { createNotifier, type Notifier } from './notify/notify.ts'
import { accessEventOf } from './access-events.ts'
import type { Decider } from './policy/policy.ts'
import { createCertificateTexts } from './server-certificate.ts'
import { openControlStore } from './store/store.ts'
import { storeOptions } from './store-options.ts'

/** What access is opened with. */
export interface Opening {
  readonly log: Logger
  readonly journal: Journal
  readonly gateway: GatewayId
  readonly identity: Identifies
  readonly policy: Decider
  readonly databases: ReadonlyMap<string, GatewayDatabase>
  /** Undone in reverse order when the gateway stops. */
  readonly atStop: (step: () => void | Promise<void>) => void
}

/** Where people decide about access, open. */
export interface AccessControl {
  readonly access: Access
  /** Null where there is no API, so that nobody can decide anything. */
  readonly api: Api | null
  /** Log-in with session tokens. */
  readonly tokens: TokenLogIn
  /** Gateways of the same store that gave no sign of life for a while. */
  readonly lostGateways: () => Promise<ReadonlySet<GatewayId>>
}

/** Opens the control store, access over it, the notifications and the HTTP API, in this order. */
export async function openAccessControl(config: Config, opening: Opening): Promise<AccessControl> {
  const { log, journal, gateway, policy, databases, atStop } = opening
  const store = await openStore(config.controlStore, opening)
  atStop(() => store.close())
  // Notices begin with access, which the notifier's answers need: each knows the other by these two.
  let notifier: Notifier | null = null
  let api: Api | null = null
  const access = await createAccess({
    store,
    gateway,
    roles: config.accessRoles,
    record: (type, facts, change) =>
      new Promise((resolve, reject) => {
        journal.append(type, membersOf({ change, ...facts }).toString())
        journal.commit((error) => (error === null ? resolve() : reject(error)))
      }),
    onNotice: (notice) => notifier?.notify(accessEventOf(notice, api?.url ?? config.api?.publicUrl ?? null)),
    settings: {
      statementWaitMs: config.approvals.statementWaitMs,
      accessRequestWaitMs: config.approvals.accessWaitMs,
      storeStalenessMs: config.controlStore.stalenessMs,
      requestsPerPrincipalMax: limits.requestsPerPrincipalMax,
      pendingRequestsMax: limits.pendingRequestsMax,
      auditors: config.approvals.auditors,
      admins: config.approvals.admins,
      isOnlyGateway: config.controlStore.kind === 'sqlite',
    },
    log,
  })
  atStop(() => access.close())
  notifier = openNotifier(config, { ...opening, access })
  atStop(() => notifier?.close())
  if (config.api !== null) {
    const eyes = createApproverEyes({ policy, databases, holdingOf: (...asked) => access.holdingOf(...asked) })
    api = await openApi(config, { ...opening, access, eyes, notifier })
    log.info({ url: api.url }, 'the HTTP API is listening')
    atStop(() => api?.stop())
  }
  return { access, api, tokens: tokenLogIn(access), lostGateways: () => lostGateways(store) }
}

async function lostGateways(store: ControlStore): Promise<ReadonlySet<GatewayId>> {
  return new Set(await store.read((reads) => reads.gatewaysNotSeenSince(Date.now() - limits.gatewayLostMs)))
}

function tokenLogIn(access: Access): TokenLogIn {
  return {
    async scramVerifierOf(id) {
      try {
        return (await access.scramVerifierOf(id)).scram
      } catch (error) {
        // Whether there is such a token is nobody's business who does not have its secret.
        if (error instanceof PosternError && error.code.startsWith('token_')) return null
        throw error
      }
    },
    principalOf: async (id) => (await access.scramVerifierOf(id)).principal,
    verifyToken: (secret, nowMs) => access.verifyToken(secret, { nowMs }),
  }
}

function openStore(settings: AccessSettings['controlStore'], { log, atStop }: Opening): Promise<ControlStore> {
  const onFault = (error: unknown): void => log.warn({ err: error }, 'the control store has a problem')
  return openControlStore(storeOptions(settings, { environment: process.env, atStop }), { onFault })
}

function openNotifier(config: Config, { access, log, atStop }: Opening & { readonly access: Access }): Notifier {
  const { directory, webhooks, slack } = config.notifications
  const secretOf = (from: { readonly file: string } | { readonly environment: string }) => {
    const source = createCredentialSource(from, process.env)
    atStop(() => source.close())
    return () => source.password()
  }
  return createNotifier({
    directory,
    webhooks: webhooks.map((webhook) => ({
      url: webhook.url,
      secret: secretOf(webhook.secret),
      events: webhook.events,
      allowInsecure: webhook.allowInsecure,
    })),
    slack:
      slack === null
        ? null
        : {
            token: secretOf(slack.token),
            signingSecret: secretOf(slack.signingSecret),
            channel: slack.channel,
            baseUrl: slack.baseUrl,
            trustEmail: slack.trustEmail,
            users: slack.users,
            resolvePrincipal: (email) => Promise.resolve(principalOfEmail(config, email)),
            answer: (principal, id, answer) => access.answer(principal, id, answer),
          },
    onFault({ kind, target, delivery, eventType, why, cause }) {
      log.warn({ kind, target, delivery, event: eventType, err: cause }, `a notification was not delivered: ${why}`)
    },
  })
}

/** Somebody whom Slack vouches for: a person with the groups that the configuration gives to the e-mail. */
function principalOfEmail(config: Config, email: string): Principal | null {
  const groups = Object.entries(config.notifications.slack?.groups ?? {})
    .filter(([, members]) => members.some((member) => member.toLowerCase() === email.toLowerCase()))
    .map(([group]) => group)
  const [issuer] = config.issuers
  if (groups.length === 0 || issuer === undefined) return null
  return {
    issuer: issuer.url,
    // The issuer's own subject is not known here; whoever compares parties compares names as well.
    subject: `slack:${email.toLowerCase()}`,
    name: email,
    kind: 'human',
    groups,
    actors: [],
    authenticationMethods: [],
    tokenId: undefined,
    expiresAtMs: Date.now() + 60_000,
  }
}

async function openApi(
  config: Config,
  parts: Opening & {
    readonly access: Access
    readonly eyes: ReturnType<typeof createApproverEyes>
    readonly notifier: Notifier
  },
): Promise<Api> {
  const { access, eyes, identity, notifier, log } = parts
  const { api, issuers, notifications } = config
  if (api === null) throw new Error('there is no API to open')
  const [issuer] = issuers
  const onFailed = (error: unknown): void => {
    log.error({ err: error }, 'the changed certificate of the API cannot be used; the one before it stays in force')
  }
  const tls = api.tls === null ? null : createCertificateTexts(api.tls, { onFailed })
  return startApi(
    {
      address: api.address,
      port: api.port,
      publicUrl: api.publicUrl,
      tls: () => tls?.() ?? null,
      login:
        api.login === null || issuer === undefined
          ? null
          : {
              issuer: issuer.url,
              clientId: api.login.clientId,
              clientSecret: api.login.clientSecret,
              scope: api.login.scope,
              allowInsecure: issuer.allowInsecure,
              ca: issuer.tlsCa,
            },
      sessionHours: api.consoleSessionMs / 3_600_000,
      rates: defaultRates,
    },
    {
      access,
      identify: (token, nowMs) => identity.identify(token, nowMs),
      maySeeRaw: eyes,
      revokedBeforeMs: (subject) => access.revokedBeforeMs(subject),
      log,
      now: Date.now,
      slack:
        notifications.slack === null
          ? null
          : { handle: (body, headers) => notifier.handleSlack(body, new Map(headers.entries())) },
    },
  )
}
