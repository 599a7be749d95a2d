import { html } from 'hono/html'
import type { AnsweredRequest } from '../core/access-service.ts'
import type {
  AccessRole,
  Approval,
  ApprovalRequirement,
  Party,
  RequestRecord,
  StatementRequestRecord,
} from '../core/access.ts'
import { limits } from '../core/limits.ts'
import { csrfField, layout, sentence, type Reader } from './page-layout.ts'
import { statementFacts, statementSection, transactionFacts } from './page-statement.ts'
import { absolute, clock, counted, line, nothing, span, visible, when, type Html } from './page-text.ts'
import { consequenceWords, isOpen, stateWords, subjectWords, withdrawalWords } from './page-words.ts'
import type { ShownStatement } from './present.ts'

/** A request and what its reader may see of it and do about it. */
export interface RequestView {
  readonly answered: AnsweredRequest
  /** Null for requests of access roles. */
  readonly shown: ShownStatement | null
  /** What is asked for; null for statements, and where there is no such access role any more. */
  readonly role: AccessRole | null
  readonly may: { readonly may: true } | { readonly may: false; readonly why: string }
  readonly isOwn: boolean
  readonly reader: Reader
  readonly nowMs: number
}

/** The page on which somebody decides. */
export function requestPage(view: RequestView): Html {
  const { answered, shown, reader, nowMs } = view
  const { request } = answered
  return layout(
    { title: subjectWords(request), reader },
    html`<p class="status">${chip(request, nowMs)} ${timeLeft(request, nowMs)}</p>
      <h1>${heading(request)}</h1>
      <div class="two">
        <div>
          <div class="card">
            <dl>
              ${actors(request.requester)} ${reason(request)}
              ${request.kind === 'statement' && shown !== null ? statementFacts(request, shown) : nothing}
              ${askedBy(request, view.role)} ${request.kind === 'statement' ? transactionFacts(request) : nothing}
            </dl>
          </div>
          ${request.kind === 'statement' && shown !== null ? statementSection(request, shown) : nothing}
          ${answers(answered, nowMs)} ${origin(request, nowMs)}
          ${view.may.may ? html`<a class="jump" href="#answer">Go to your answer</a>` : nothing}
        </div>
        <aside id="answer">
          ${view.may.may ? answerForm(view) : noAnswer(view, view.may.why)} ${withdrawForm(view)}
        </aside>
      </div>`,
  )
}

/** What the approver is told right after the answer. */
export function answeredPage(view: RequestView & { readonly own: Approval }): Html {
  const { answered, reader, own } = view
  const { request } = answered
  const isYes = own.answer === 'approve'
  const missing = request.requirements
    .map((requirement, index) => ({ requirement, left: requirement.count - (answered.given[index] ?? 0) }))
    .filter(({ left }) => left > 0)
  return layout(
    { title: isYes ? 'Approved' : 'Denied', reader },
    html`<div class="narrow">
      <h1>You said ${isYes ? 'yes' : 'no'}</h1>
      <div class="card">
        <p class="note ${isYes ? 'good' : 'bad'}">${consequenceWords(request.state, request.kind)}</p>
        <p>${heading(request)}</p>
        ${request.state.state === 'pending' ? html`<p>Still needed: ${missing.map(({ requirement, left }) => needed(requirement, left))}.</p>` : nothing}
        ${own.comment === '' ? nothing : html`<p class="muted">Your comment: ${line(own.comment)}</p>`}
        <p class="muted small">Your answer is on record: ${absolute(own.atMs)}.</p>
      </div>
      <p>
        <a class="button" href="/">Back to all requests</a>
        <a class="button" href="/r/${request.id}">See the request</a>
      </p>
    </div>`,
  )
}

/** A state as a chip. */
export function chip(request: RequestRecord, nowMs: number): Html {
  const { text, tone } = stateWords(request, nowMs)
  return html`<span class="chip ${tone}">${text}</span>`
}

function heading(request: RequestRecord): Html {
  return html`${line(request.requester.name)} ${isPast(request) ? 'wanted' : 'wants'} to ${line(subjectWords(request))}`
}

function isPast({ state }: RequestRecord): boolean {
  return state.state !== 'pending' && state.state !== 'approved'
}

function timeLeft(request: RequestRecord, nowMs: number): Html {
  if (!isOpen(request, nowMs)) return html`<span class="muted">${when(endOf(request), nowMs)}</span>`
  const left = span(request.expiresAtMs - nowMs) ?? 'less than a second'
  return html`<span
    ><span class="strong">${left} left</span>
    <span class="muted">until ${clock(request.expiresAtMs, nowMs)}</span></span
  >`
}

function endOf({ state, expiresAtMs }: RequestRecord): number {
  return state.state === 'pending' ? expiresAtMs : state.atMs
}

/** Who really does it: an agent or a service that acts for somebody stands right below that name. */
function actors({ name, kind, actors: chain, issuer, subject }: Party): Html {
  const [nearest, ...further] = chain
  if (kind === 'human' && nearest === undefined) return nothing
  const what =
    kind === 'human' ? nothing : html` <span class="chip ${kind === 'agent' ? 'wait' : ''}">${kindWords[kind]}</span>`
  if (nearest === undefined)
    return html`<dt>Who</dt>
      <dd>${what}</dd>`
  // Some identity providers name the agent where others name the person it acts for.
  const onBehalfOf = name === nearest.subject ? subject : name
  return html`<dt>Done by</dt>
    <dd>
      <span class="strong">${line(nearest.subject)}</span>${what}
      ${nearest.issuer === issuer ? nothing : html`<span class="muted">of ${line(nearest.issuer)}</span>`} on behalf of
      <span class="strong">${line(onBehalfOf)}</span
      >${further.map((actor) => html`, called by <span class="strong">${line(actor.subject)}</span>`)}
    </dd>`
}

const kindWords = { human: 'person', service: 'program', agent: 'AI agent' } as const

function reason(request: RequestRecord): Html {
  return html`<dt>Reason</dt>
    <dd>
      ${request.reason === null || request.reason === '' ? html`<span class="muted">none given</span>` : line(request.reason)}
    </dd>`
}

function askedBy(request: RequestRecord, role: AccessRole | null): Html {
  if (request.kind === 'access') {
    return html`<dt>Role</dt>
      <dd>
        <span class="strong">${line(request.role)}</span>
        ${role === null || role.description === '' ? nothing : html`<br /><span class="muted">${line(role.description)}</span>`}
      </dd>
      ${
        role === null
          ? nothing
          : html`<dt>Where</dt>
              <dd>${line(role.databases?.join(', ') ?? 'all databases')}</dd>`
      }
      <dt>Needs</dt>
      <dd>${needs(request.requirements)}</dd>`
  }
  const { policies } = request.about
  return html`<dt>Rule</dt>
    <dd>
      ${policies.map(
        ({ id, advice }, index) =>
          html`${index === 0 ? nothing : html`<br />`}${line(id)}${advice === null ? nothing : html`: <span class="muted">${line(advice)}</span>`}`,
      )}
    </dd>
    <dt>Needs</dt>
    <dd>${needs(request.requirements)}</dd>`
}

function needs(requirements: readonly ApprovalRequirement[]): Html {
  return html`${requirements.map((requirement, index) => html`${index === 0 ? '' : '; '}${needed(requirement, requirement.count)}`)}`
}

function needed({ approvers }: ApprovalRequirement, count: number): Html {
  const people = count === 1 ? 'a yes' : `${String(count)} yeses`
  return html`${people} from ${approvers.map((group, index) => html`${index === 0 ? '' : ' or '}${line(group)}`)}`
}

function answers({ request, approvals, given }: AnsweredRequest, nowMs: number): Html {
  const { state } = request
  const counts = request.requirements.some(({ count }) => count > 1) && state.state === 'pending'
  const why = state.state === 'withdrawn' ? html`<p>${withdrawalWords(state.why)}</p>` : nothing
  if (approvals.length === 0) return why
  return html`<section aria-labelledby="answers">
    <h2 id="answers">Answers so far</h2>
    ${why}
    ${counts ? html`<p class="muted">${request.requirements.map((each, index) => `${String(given[index] ?? 0)} of ${counted(each.count, 'yes').replace(/yess$/, 'yeses')}`).join('; ')}</p>` : nothing}
    <div class="card">
      <ul class="rows">
        ${approvals.map((approval) => html`<li>${answer(approval, nowMs)}</li>`)}
      </ul>
    </div>
  </section>`
}

function answer({ approver, answer: given, comment, atMs }: Approval, nowMs: number): Html {
  return html`<span class="chip ${given === 'approve' ? 'good' : 'bad'}">${given === 'approve' ? 'Yes' : 'No'}</span>
    ${line(approver.name)}
    <span class="muted">${when(atMs, nowMs)}</span> ${comment === '' ? nothing : html`<p>${visible(comment)}</p>`}`
}

function origin(request: RequestRecord, nowMs: number): Html {
  return html`<section aria-labelledby="origin">
    <h2 id="origin">Where it comes from</h2>
    <div class="card">
      <dl>
        <dt>Asked</dt>
        <dd>${when(request.createdAtMs, nowMs)}</dd>
        ${request.kind === 'statement' ? connection(request) : nothing}
        <dt>Number</dt>
        <dd><code>${request.id}</code></dd>
      </dl>
    </div>
  </section>`
}

function connection({ clientAddress, applicationName }: StatementRequestRecord): Html {
  return html`<dt>Address</dt>
    <dd>${line(clientAddress)}</dd>
    <dt>Application</dt>
    <dd>
      ${applicationName === '' ? html`<span class="muted">it gives no name</span>` : html`${line(applicationName)} <span class="muted">(as it calls itself)</span>`}
    </dd>`
}

function answerForm({ answered, reader }: RequestView): Html {
  const { id, kind } = answered.request
  return html`<section class="card" aria-labelledby="yours">
    <h2 id="yours">Your answer</h2>
    <form method="post" action="/r/${id}">
      ${csrfField(reader)}
      <label for="comment">Comment <span class="muted">(may be left empty; the requester sees it)</span></label>
      <textarea id="comment" name="comment" rows="3" maxlength="${String(limits.commentCharsMax)}"></textarea>
      <div class="buttons">
        <button class="main" name="answer" value="deny">Deny</button>
        <button class="main yes" name="answer" value="approve">Approve</button>
      </div>
      <p class="muted small">
        ${kind === 'statement' ? 'Yes lets exactly this statement run, once.' : 'Yes gives this access for that time.'}
        Yes and no are kept on record: you answer as ${line(reader.name)}.
      </p>
    </form>
  </section>`
}

function noAnswer({ answered, nowMs }: RequestView, why: string): Html {
  const isWaiting = isOpen(answered.request, nowMs)
  return html`<section class="card" aria-labelledby="yours">
    <h2 id="yours">${isWaiting ? 'You cannot answer this' : 'Nothing to answer'}</h2>
    <p>${line(sentence(why))}</p>
  </section>`
}

function withdrawForm({ answered, isOwn, reader, nowMs }: RequestView): Html {
  if (!isOwn || !isOpen(answered.request, nowMs)) return nothing
  return html`<form method="post" action="/r/${answered.request.id}/withdraw">
    ${csrfField(reader)}<button class="main">Take back my request</button>
  </form>`
}
