import type {
  Approval,
  ApprovalRequirement,
  Grant,
  Party,
  RequestRecord,
  Revocation,
  SessionToken,
} from '../core/access.ts'

/*
 * What the journal says of changes: ids, states, parties, durations. Built member by member, so that nothing can come
 * along by accident: never a statement's text, a parameter or a secret. Times are texts, as everywhere in the journal.
 */

/** What one change says. */
export type Facts = Readonly<Record<string, unknown>>

/** A moment as the journal writes it. */
export function momentOf(atMs: number): string {
  return new Date(atMs).toISOString()
}

/** Of a request that was opened. */
export function openedFacts(request: RequestRecord): Facts {
  const { id, kind, requester, reason, requirements, createdAtMs, expiresAtMs } = request
  return {
    request: id,
    kind,
    state: 'pending',
    requester: partyFacts(requester),
    reason,
    requirements: requirements.map(requirementFacts),
    createdAt: momentOf(createdAtMs),
    expiresAt: momentOf(expiresAtMs),
    ...aboutFacts(request),
  }
}

/** Of an answer; `request` is what it became by it. */
export function answeredFacts(request: RequestRecord, approval: Approval): Facts {
  const { state } = request
  return {
    request: request.id,
    kind: request.kind,
    ...approvalFacts(approval),
    state: state.state,
    ...(state.state === 'approved' && { goodUntil: momentOf(state.goodUntilMs) }),
    ...bindingFacts(request),
  }
}

/** What was answered, by whom. */
export function approvalFacts({ answer, approver, groups, comment, via, atMs }: Approval): Facts {
  return { answer, by: partyFacts(approver), groups: [...groups], comment, via, answeredAt: momentOf(atMs) }
}

/** Of a request that ended: used, granted, denied, expired or withdrawn. */
export function closedFacts(request: RequestRecord): Facts {
  const { state } = request
  return {
    request: request.id,
    kind: request.kind,
    state: state.state,
    requester: partyFacts(request.requester),
    ...(state.state === 'denied' && { by: partyFacts(state.by), comment: state.comment }),
    ...(state.state === 'withdrawn' && { why: state.why }),
    ...(state.state === 'granted' && { grant: state.grant }),
    ...(state.state !== 'pending' && { closedAt: momentOf(state.atMs) }),
    ...bindingFacts(request),
  }
}

/** Of a grant that began. */
export function grantFacts(grant: Grant): Facts {
  return {
    grant: grant.id,
    kind: grant.kind,
    principal: partyFacts(grant.principal),
    role: grant.role,
    databases: grant.databases === null ? null : [...grant.databases],
    request: grant.request,
    reason: grant.reason,
    from: momentOf(grant.fromMs),
    until: momentOf(grant.untilMs),
  }
}

/** Of a grant that lasts longer now. */
export function extendedFacts(grant: Grant, before: Grant, request: RequestRecord): Facts {
  return {
    grant: grant.id,
    principal: partyFacts(grant.principal),
    role: grant.role,
    extendedBy: request.id,
    until: momentOf(grant.untilMs),
    untilBefore: momentOf(before.untilMs),
  }
}

/** Of a grant that is over. */
export function grantEndedFacts(grant: Grant, reason: string | null): Facts {
  return {
    grant: grant.id,
    principal: partyFacts(grant.principal),
    role: grant.role,
    why: grant.ended?.why ?? null,
    by: grant.ended?.by === null || grant.ended === null ? null : partyFacts(grant.ended.by),
    reason,
    endedAt: grant.ended === null ? null : momentOf(grant.ended.atMs),
  }
}

/** Of what was said of a break-glass grant afterwards. */
export function reviewedFacts(grant: Grant): Facts {
  const { review } = grant
  return {
    grant: grant.id,
    principal: partyFacts(grant.principal),
    role: grant.role,
    outcome: review?.outcome ?? null,
    by: review === null ? null : partyFacts(review.by),
    comment: review?.comment ?? null,
    reviewedAt: review === null ? null : momentOf(review.atMs),
  }
}

/** Of a token that was issued. */
export function tokenFacts(token: SessionToken): Facts {
  return {
    token: token.id,
    principal: partyFacts(token.principal),
    // Sessions that it opens are decided for with these.
    groups: [...token.principal.groups],
    authenticationMethods: [...token.principal.authenticationMethods],
    role: token.role,
    grant: token.grant,
    database: token.database,
    isSingleSession: token.isSingleSession,
    issuedAt: momentOf(token.issuedAtMs),
    expiresAt: momentOf(token.expiresAtMs),
  }
}

/** Of a token that is over. */
export function tokenEndedFacts(token: SessionToken): Facts {
  return {
    token: token.id,
    principal: partyFacts(token.principal),
    why: token.ended?.why ?? null,
    endedAt: token.ended === null ? null : momentOf(token.ended.atMs),
    session: token.session,
  }
}

/** Of a principal whose tokens and sessions were killed. */
export function revocationFacts(revocation: Revocation): Facts {
  return {
    principal: { name: revocation.name, issuer: revocation.issuer, subject: revocation.subject },
    notBefore: momentOf(revocation.notBeforeMs),
    by: partyFacts(revocation.by),
    reason: revocation.reason,
  }
}

/** A party as the journal writes it. */
function partyFacts({ name, kind, issuer, subject, actors }: Party): Facts {
  return {
    name,
    kind,
    issuer,
    subject,
    actors: actors.map((actor) => ({ issuer: actor.issuer, subject: actor.subject })),
  }
}

function requirementFacts({ by, approvers, count, goodForMs }: ApprovalRequirement): Facts {
  return { by, approvers: [...approvers], count, goodForMs }
}

function aboutFacts(request: RequestRecord): Facts {
  if (request.kind === 'access') {
    return { role: request.role, durationMs: request.durationMs, extends: request.extends }
  }
  return {
    database: request.database,
    session: request.session,
    gateway: request.gateway,
    clientAddress: request.clientAddress,
    ...bindingFacts(request),
    command: request.about.command,
    relations: [...request.about.relations],
  }
}

function bindingFacts(request: RequestRecord): Facts {
  return request.kind === 'statement' ? { binding: request.binding } : {}
}
