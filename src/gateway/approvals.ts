import { createHash } from 'node:crypto'
import { subjectKey, type StatementFacts } from '../core/access.ts'
import type { AccessOnPath, ApprovalOutcome, FiledRequest, StatementWish } from '../core/access-service.ts'
import { formatDuration } from '../core/duration.ts'
import { PosternError, toPosternError } from '../core/errors.ts'
import type { SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { encodeNoticeResponse } from '../wire/backend.ts'
import { covers, type Needs, type Ticket, type UsedApproval } from './needs.ts'
import { approversOf, type Refusal, refusalOf, refuseWith } from './refusal.ts'
import type { LogsPath } from './services.ts'

/** One run that needs approval: what it is, for the approval to be good for it and nothing else. */
export interface Wanted {
  readonly needs: Needs
  /** Everything that makes this run what it is: texts, parameters with their formats and types. */
  readonly parts: readonly (string | Buffer | null)[]
  /** What it depends on beside its own bytes, and may be another by the time that it is executed. */
  readonly situation: string
  /** What an approver is shown; asks the database where that helps. */
  readonly describe: () => Promise<StatementFacts>
}

/** What approvals need of their session. */
export interface ApprovingSession {
  readonly id: SessionId
  readonly principal: Principal
  readonly database: string
  readonly clientAddress: string
  readonly applicationName: () => string
  readonly reason: string | null
  readonly access: Pick<AccessOnPath, 'file'>
  readonly urlOf: (request: string) => string | null
  /** Has the message that is being treated wait. */
  readonly waitFor: (promise: Promise<unknown>) => void
  /** A message for the client, as soon as one may be put between those of PostgreSQL. */
  readonly tell: (message: Buffer) => void
  readonly log: LogsPath
}

/** What becomes of a run: it waits, may not be, or has its ticket. */
export type Sought = 'hold' | { readonly refusal: Refusal } | { readonly ticket: Ticket }

/** The wait of the message that is being treated. */
interface Wait {
  readonly binding: string
  readonly situation: string
  readonly needs: Needs
  filed: FiledRequest | null
  ended: Parameters<FiledRequest['withdraw']>[0] | null
  over: { readonly ticket: Ticket } | { readonly refusal: Refusal } | null
  readonly settle: () => void
}

/**
 * The approvals of one session. A message that needs one is held, with everything behind it, until the request is
 * decided; then it is treated again from its beginning, so that it runs by what policy says at that moment. The
 * approval is used up before PostgreSQL gets the message.
 */
export class SessionApprovals {
  readonly #session: ApprovingSession
  #wait: Wait | null = null
  /** Tickets that were not used yet: a Bind was approved, and its Execute has not come. */
  readonly #unused = new Set<Ticket>()
  readonly #using = new Map<Ticket, { readonly refusal: Refusal } | null>()

  constructor(session: ApprovingSession) {
    this.#session = session
  }

  /** Whether a person is waited for. */
  get isWaiting(): boolean {
    return this.#wait !== null && this.#wait.over === null
  }

  /** Looks for the approval of a run, and asks for it first where that was not done. */
  seek(wanted: Wanted): Sought {
    const binding = this.#bindingOf(wanted)
    const wait = this.#wait
    if (wait === null) {
      this.#begin(wanted, binding)
      return 'hold'
    }
    // The message that is held is the one that was asked for: anything else is a fault, and must not run.
    if (wait.binding !== binding) return { refusal: changedMeanwhile() }
    if (wait.over === null) {
      if (covers(wait.needs.requirements, wanted.needs.requirements)) return 'hold'
      // Whoever is asked now could not lift what forbids it any more.
      this.#withdraw(wait, 'policy_changed')
      return { refusal: changedMeanwhile() }
    }
    if ('refusal' in wait.over) return wait.over
    if (covers(wait.over.ticket.requirements, wanted.needs.requirements)) return wait.over
    this.#drop(wait.over.ticket, 'policy_changed')
    return { refusal: changedMeanwhile() }
  }

  /** Uses a ticket up, on record, for one run in the situation that it was given for. */
  use(
    ticket: Ticket,
    { needs, situation }: Pick<Wanted, 'needs' | 'situation'>,
  ): 'hold' | { readonly refusal: Refusal } | { readonly approval: UsedApproval } {
    if (ticket.used !== null) {
      return covers(ticket.requirements, needs.requirements)
        ? { approval: ticket.used }
        : { refusal: changedMeanwhile() }
    }
    const using = this.#using.get(ticket)
    if (using === null) return 'hold'
    if (using !== undefined) return using
    if (ticket.situation !== situation) {
      this.#drop(ticket, 'policy_changed')
      return { refusal: changedMeanwhile() }
    }
    this.#using.set(ticket, null)
    this.#session.waitFor(this.#useUp(ticket, needs))
    return 'hold'
  }

  /** Both, for a message that carries all of its run. */
  run(wanted: Wanted): ReturnType<SessionApprovals['use']> {
    const sought = this.seek(wanted)
    return typeof sought === 'object' && 'ticket' in sought ? this.use(sought.ticket, wanted) : sought
  }

  /** The message was treated, or dropped: what it waited for must not serve the next one. */
  treated(why: 'cancelled' | 'policy_changed'): void {
    for (const [ticket, failed] of this.#using) if (failed !== null) this.#using.delete(ticket)
    const wait = this.#wait
    if (wait === null) return
    this.#wait = null
    if (wait.over === null) return this.#withdraw(wait, why)
    // Approved, and then refused for another reason.
    if ('ticket' in wait.over && !wait.over.ticket.isTaken) this.#drop(wait.over.ticket, 'policy_changed')
  }

  /** The client asks for a cancel; says whether it was a wait that it ended, be it for a person or for the record. */
  cancel(): boolean {
    const refusal = cancelled()
    let isFound = false
    for (const [ticket, failed] of this.#using) {
      if (failed !== null) continue
      this.#using.set(ticket, { refusal })
      ticket.filed.withdraw('cancelled')
      isFound = true
    }
    const wait = this.#wait
    if (isFound || wait === null || wait.over !== null) return isFound
    this.#withdraw(wait, 'cancelled')
    this.#finish(wait, { refusal })
    return true
  }

  /** The session ends: nothing of it needs an answer any more. */
  end(why: 'client_lost' | 'session_ended'): void {
    const wait = this.#wait
    if (wait !== null) {
      this.#wait = null
      this.#withdraw(wait, why)
    }
    for (const ticket of this.#unused) ticket.filed.withdraw(why)
    this.#unused.clear()
  }

  #begin({ needs, situation, describe }: Wanted, binding: string): void {
    let settle = (): void => undefined
    const settled = new Promise<void>((resolve) => {
      settle = resolve
    })
    const wait: Wait = { binding, situation, needs, filed: null, ended: null, over: null, settle }
    this.#wait = wait
    this.#session.waitFor(settled)
    this.#await(wait, describe).catch((error: unknown) => {
      const told = toPosternError(error)
      const { log, id } = this.#session
      if (told.code === 'internal') log.error({ session: id, err: error }, 'an approval could not be asked for')
      else log.warn({ session: id, code: told.code, err: told.cause }, told.message)
      if (wait.over === null) this.#finish(wait, { refusal: refusalOf(told) })
    })
  }

  async #await(wait: Wait, describe: Wanted['describe']): Promise<void> {
    const { id: session, principal, database, clientAddress, reason, access } = this.#session
    const about = await describe()
    if (wait.ended !== null) return
    const { binding, situation, needs } = wait
    const wish: StatementWish = {
      principal,
      session,
      database,
      clientAddress,
      applicationName: this.#session.applicationName(),
      reason,
      binding,
      requirements: needs.requirements,
      about,
    }
    const filed = await access.file(wish)
    wait.filed = filed
    // What ended the wait while the request was being written has nobody else to withdraw it.
    if (wait.ended !== null) filed.withdraw(wait.ended)
    else this.#session.tell(this.#noticeOf(filed, needs))
    const outcome = await filed.outcome
    if (wait.over !== null || wait.ended !== null) return
    if (outcome.outcome !== 'approved') {
      this.#finish(wait, { refusal: refusalOf(errorOf(outcome, needs)) })
      return
    }
    const { approvers } = outcome
    const { requirements } = needs
    const ticket: Ticket = { filed, binding, situation, requirements, approvers, used: null, isTaken: false }
    this.#unused.add(ticket)
    this.#finish(wait, { ticket })
  }

  async #useUp(ticket: Ticket, { requirements }: Needs): Promise<void> {
    const { filed, binding, approvers } = ticket
    try {
      const isUsed = await filed.use({ binding, requirements })
      // Cancelled meanwhile.
      if (this.#using.get(ticket) !== null) return
      if (isUsed) {
        ticket.used = { request: filed.id, approvers }
        ticket.isTaken = true
        this.#unused.delete(ticket)
        this.#using.delete(ticket)
        return
      }
      this.#using.set(ticket, { refusal: refusalOf(usedUp()) })
    } catch (error) {
      const told = toPosternError(error)
      this.#session.log.warn({ session: this.#session.id, code: told.code, err: told.cause ?? error }, told.message)
      this.#using.set(ticket, { refusal: refusalOf(told) })
    }
  }

  #finish(wait: Wait, over: NonNullable<Wait['over']>): void {
    wait.over = over
    wait.settle()
  }

  #withdraw(wait: Wait, why: NonNullable<Wait['ended']>): void {
    if (wait.ended !== null) return
    wait.ended = why
    if (wait.over !== null && 'ticket' in wait.over) this.#drop(wait.over.ticket, why)
    else wait.filed?.withdraw(why)
  }

  #drop(ticket: Ticket, why: Parameters<FiledRequest['withdraw']>[0]): void {
    if (!this.#unused.delete(ticket)) return
    ticket.filed.withdraw(why)
  }

  /** An approval is for these bytes, of this principal, in this database and session. */
  #bindingOf({ parts, situation }: Wanted): string {
    const { id, principal, database } = this.#session
    const hash = createHash('sha256')
    const add = (part: string | Buffer | null): void => {
      // With its length before it, no part can be taken for the end of the one before.
      hash.update(part === null ? 'n;' : `${String(Buffer.byteLength(part))};`)
      if (part !== null) hash.update(part)
    }
    for (const part of [id, database, principal.name, principal.kind, subjectKey(principal)]) add(part)
    for (const actor of principal.actors) add(subjectKey(actor))
    add(null)
    add(situation)
    for (const part of parts) add(part)
    return hash.digest('base64url')
  }

  #noticeOf({ id, expiresAtMs }: FiledRequest, needs: Needs): Buffer {
    const policies = needs.policies.map((policy) => `"${policy.id}"`).join(', ')
    const wait = formatDuration(expiresAtMs - Date.now())
    const url = this.#session.urlOf(id)
    const advice = needs.policies.map((policy) => policy.advice).find((text) => text !== null)
    const shown = url === null ? `postern approve ${id}` : `${url} or with: postern approve ${id}`
    return encodeNoticeResponse({
      severity: 'NOTICE',
      code: '00000',
      message: `${needs.command} on ${needs.resource} waits for approval by ${approversOf(needs.requirements)}`,
      detail: `${policies} ${needs.policies.length === 1 ? 'asks' : 'ask'} for it. Request ${id} waits for ${wait}. Cancelling the statement withdraws it.`,
      hint: `An approver can decide at ${shown}${advice === undefined ? '' : `. ${advice}`}`,
    })
  }
}

function errorOf(outcome: Exclude<ApprovalOutcome, { outcome: 'approved' }>, needs: Needs): PosternError {
  const what = `${needs.command} on ${needs.resource}`
  switch (outcome.outcome) {
    case 'denied':
      return new PosternError('approval_denied', `${what} was denied by ${outcome.by}`, {
        detail: outcome.comment === '' ? undefined : `${outcome.by} says: ${outcome.comment}`,
        hint: 'Talk to the approver; a statement that is sent again is asked for again.',
      })
    case 'expired':
      return new PosternError('approval_expired', `nobody approved ${what} in time`, {
        detail: `It had to be approved by ${approversOf(needs.requirements)}.`,
        hint: 'Tell an approver, and send the statement again.',
      })
    case 'withdrawn':
      return new PosternError('approval_denied', `the request for ${what} was withdrawn`, {
        hint: 'Send the statement again if it is still needed.',
      })
  }
}

/** PostgreSQL's own words and SQLSTATE, ProcessInterrupts in postgres.c. */
function cancelled(): Refusal {
  return refuseWith({
    code: '57014',
    message: 'canceling statement due to user request',
    detail: 'It was waiting for approval. The request is withdrawn.',
  })
}

function changedMeanwhile(): Refusal {
  return refusalOf(
    new PosternError('approval_denied', 'what was approved is not what policy asks for now', {
      detail: 'The policies, or the statement, changed while it waited.',
      hint: 'Send the statement again.',
    }),
  )
}

function usedUp(): PosternError {
  return new PosternError('approval_expired', 'the approval is not good any more', {
    detail: 'It is used once, within the time that the policy gives it.',
    hint: 'Send the statement again.',
  })
}
