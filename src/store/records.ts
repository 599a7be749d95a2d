import type {
  AccessRequestRecord,
  Approval,
  ApprovalRequirement,
  Grant,
  GrantReview,
  Party,
  RequestBase,
  RequestRecord,
  RequestState,
  Revocation,
  SessionRecord,
  SessionToken,
  StatementFacts,
  StatementRequestRecord,
} from '../core/access.ts'
import type { StoreChange, StoreChangeType } from '../core/control-store.ts'
import type { GatewayId, GrantId, RequestId, SessionId, TokenId } from '../core/ids.ts'
import type { Principal, PrincipalKind, Subject } from '../core/principal.ts'
import {
  absentable,
  finite,
  listOf,
  named,
  nullable,
  object,
  oneOf,
  plainText,
  record,
  text,
  truth,
  variant,
  whole,
} from './decode.ts'
import type { Decoder } from './decode.ts'

/*
 * The shape of everything that the store keeps. The same decoders look at a record before it is written and after it was
 * read, so that nothing is kept that could not be read again.
 */

const kind = oneOf<PrincipalKind>('human', 'service', 'agent')
const subject = object<Subject>({ issuer: plainText, subject: plainText })

/** A party, with those who acted for it. */
export const party: Decoder<Party> = object<Party>({
  issuer: plainText,
  subject: plainText,
  name: plainText,
  kind,
  actors: listOf(subject),
})

const principal = object<Principal>({
  issuer: plainText,
  subject: plainText,
  name: plainText,
  kind,
  groups: listOf(text),
  actors: listOf(subject),
  authenticationMethods: listOf(text),
  tokenId: absentable(text),
  issuedAtMs: { ifPresent: whole },
  expiresAtMs: whole,
  sessionToken: {
    ifPresent: object<NonNullable<Principal['sessionToken']>>({
      id: named<TokenId>(),
      role: nullable(text),
      database: text,
    }),
  },
})

const requirement = object<ApprovalRequirement>({
  by: text,
  approvers: listOf(text),
  count: whole,
  goodForMs: whole,
})

type StateOf<S extends RequestState['state']> = Extract<RequestState, { readonly state: S }>

/** Where a request stands. */
export const requestState: Decoder<RequestState> = variant<RequestState>('state', {
  pending: object<StateOf<'pending'>>({ state: oneOf('pending') }),
  approved: object<StateOf<'approved'>>({ state: oneOf('approved'), atMs: whole, goodUntilMs: whole }),
  used: object<StateOf<'used'>>({ state: oneOf('used'), atMs: whole }),
  granted: object<StateOf<'granted'>>({ state: oneOf('granted'), atMs: whole, grant: named<GrantId>() }),
  denied: object<StateOf<'denied'>>({ state: oneOf('denied'), atMs: whole, by: party, comment: text }),
  expired: object<StateOf<'expired'>>({ state: oneOf('expired'), atMs: whole }),
  withdrawn: object<StateOf<'withdrawn'>>({
    state: oneOf('withdrawn'),
    atMs: whole,
    why: oneOf('cancelled', 'client_lost', 'session_ended', 'gateway_lost', 'withdrawn_by_requester', 'policy_changed'),
  }),
})

const statementFacts = object<StatementFacts>({
  sql: nullable(text),
  redacted: text,
  command: text,
  parameters: nullable(listOf(nullable(text))),
  redactedParameters: listOf(nullable(text)),
  relations: listOf(text),
  tags: listOf(text),
  columns: listOf(text),
  estimate: nullable(object<NonNullable<StatementFacts['estimate']>>({ rows: finite, cost: finite })),
  transaction: object<StatementFacts['transaction']>({ isOpen: truth, locks: listOf(text) }),
  policies: listOf(object<StatementFacts['policies'][number]>({ id: text, advice: nullable(text) })),
})

const requestBase = {
  id: named<RequestId>(),
  requester: party,
  reason: nullable(text),
  requirements: listOf(requirement),
  createdAtMs: whole,
  expiresAtMs: whole,
  state: requestState,
} satisfies { readonly [K in keyof RequestBase]: Decoder<RequestBase[K]> }

/** A request of either kind. */
export const request: Decoder<RequestRecord> = variant<RequestRecord>('kind', {
  statement: object<StatementRequestRecord>({
    ...requestBase,
    kind: oneOf('statement'),
    database: plainText,
    session: named<SessionId>(),
    gateway: named<GatewayId>(),
    clientAddress: text,
    applicationName: text,
    binding: plainText,
    about: statementFacts,
  }),
  access: object<AccessRequestRecord>({
    ...requestBase,
    kind: oneOf('access'),
    role: plainText,
    durationMs: whole,
    extends: nullable(named<GrantId>()),
  }),
} satisfies Record<RequestRecord['kind'], Decoder<RequestRecord>>)

/** One approver's answer. */
export const approval: Decoder<Approval> = object<Approval>({
  request: named<RequestId>(),
  approver: party,
  groups: listOf(text),
  answer: oneOf('approve', 'deny'),
  comment: text,
  atMs: whole,
  via: oneOf('api', 'page', 'cli', 'slack'),
})

const review = object<GrantReview>({
  by: party,
  atMs: whole,
  outcome: oneOf('justified', 'unjustified'),
  comment: text,
})

/** A grant, over or not. */
export const grant: Decoder<Grant> = object<Grant>({
  id: named<GrantId>(),
  principal: party,
  role: plainText,
  databases: nullable(listOf(text)),
  kind: oneOf('approved', 'break_glass'),
  request: nullable(named<RequestId>()),
  reason: nullable(text),
  fromMs: whole,
  untilMs: whole,
  ended: nullable(
    object<NonNullable<Grant['ended']>>({ atMs: whole, why: oneOf('expired', 'revoked'), by: nullable(party) }),
  ),
  review: nullable(review),
})

/** A session token as it is kept. */
export const token: Decoder<SessionToken> = object<SessionToken>({
  id: named<TokenId>(),
  principal,
  role: nullable(plainText),
  grant: nullable(named<GrantId>()),
  database: plainText,
  secretHash: plainText,
  scram: object<SessionToken['scram']>({ salt: text, iterations: whole, storedKey: text, serverKey: text }),
  issuedAtMs: whole,
  expiresAtMs: whole,
  isSingleSession: truth,
  session: nullable(named<SessionId>()),
  ended: nullable(
    object<NonNullable<SessionToken['ended']>>({ atMs: whole, why: oneOf('expired', 'revoked', 'session_ended') }),
  ),
})

/** A session, live or over. */
export const session: Decoder<SessionRecord> = object<SessionRecord>({
  id: named<SessionId>(),
  gateway: named<GatewayId>(),
  principal: party,
  database: plainText,
  token: nullable(named<TokenId>()),
  startedAtMs: whole,
  endedAtMs: nullable(whole),
})

/** What makes all that was issued to a subject dead. */
export const revocation: Decoder<Revocation> = object<Revocation>({
  issuer: plainText,
  subject: plainText,
  name: plainText,
  notBeforeMs: whole,
  by: party,
  reason: text,
})

/** One change, as noted. */
export const change: Decoder<StoreChange> = object<StoreChange>({
  seq: whole,
  atMs: whole,
  gateway: named<GatewayId>(),
  type: oneOf<StoreChangeType>(
    'request_opened',
    'request_answered',
    'request_closed',
    'grant_started',
    'grant_extended',
    'grant_ended',
    'grant_reviewed',
    'token_issued',
    'token_ended',
    'principal_revoked',
  ),
  facts: record,
  isJournalled: truth,
})
