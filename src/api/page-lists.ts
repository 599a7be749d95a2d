import { html } from 'hono/html'
import type { AnsweredRequest } from '../core/access-service.ts'
import type { Grant, RequestRecord } from '../core/access.ts'
import { limits } from '../core/limits.ts'
import { csrfField, layout, sentence, type Reader } from './page-layout.ts'
import { chip } from './page-request.ts'
import { absolute, line, nothing, relative, span, when, type Html } from './page-text.ts'
import { isOpen, subjectWords } from './page-words.ts'
import { shownStatement, type Viewer } from './present.ts'

/** What the first page shows. */
export interface HomeView {
  readonly waiting: readonly AnsweredRequest[]
  readonly own: readonly AnsweredRequest[]
  readonly grants: readonly Grant[]
  readonly viewer: Viewer
  readonly reader: Reader
  readonly nowMs: number
}

/** The first page: what waits for the reader, what they asked for, and what they have. */
export function homePage({ waiting, own, grants, viewer, reader, nowMs }: HomeView): Html {
  return layout(
    { title: waiting.length === 0 ? 'Requests' : `${String(waiting.length)} waiting`, reader, place: 'requests' },
    html`<h1>Requests</h1>
      <div class="two">
        <div>
          <h2>Waiting for your answer</h2>
          ${
            waiting.length === 0
              ? html`<div class="card">
                  <p>Nothing waits for you.</p>
                  <p class="muted small">As of ${absolute(nowMs)}. <a href="/">Look again</a></p>
                </div>`
              : html`<ul class="list">
                  ${waiting.map(({ request }) => requestCard(request, { viewer, nowMs, isOwn: false }))}
                </ul>`
          }
          <h2>Your own requests</h2>
          ${
            own.length === 0
              ? html`<div class="card"><p class="muted">You have asked for nothing lately.</p></div>`
              : html`<ul class="list">
                  ${own.map(({ request }) => requestCard(request, { viewer, nowMs, isOwn: true }))}
                </ul>`
          }
        </div>
        <aside>
          <h2>Your access now</h2>
          <div class="card">
            ${
              grants.length === 0
                ? html`<p class="muted">No access role is given to you at the moment.</p>`
                : html`<ul class="rows">
                    ${grants.map((grant) => html`<li><span class="strong">${line(grant.role)}</span><br />${ends(grant, nowMs)}</li>`)}
                  </ul>`
            }
            <p><a href="/grants">All access</a></p>
          </div>
        </aside>
      </div>`,
  )
}

/** What the page of grants shows. */
export interface GrantsView {
  readonly active: readonly Grant[]
  readonly toReview: readonly Grant[]
  /** What was just done, as a sentence. */
  readonly done: string | null
  readonly reader: Reader
  readonly nowMs: number
}

/** The grants that the reader may see, each with what can be done about it. */
export function grantsPage({ active, toReview, done, reader, nowMs }: GrantsView): Html {
  const reviewed = new Set(toReview.map(({ id }) => id))
  const isActive = new Set(active.map(({ id }) => id))
  const others = active.filter(({ id }) => !reviewed.has(id))
  return layout(
    { title: 'Access', reader, place: 'access' },
    html`<div class="narrow">
      <h1>Access</h1>
      ${done === null ? nothing : html`<p class="note good" role="status">${done}</p>`}
      ${
        toReview.length === 0
          ? nothing
          : html`<h2>Taken in an emergency, to be reviewed</h2>
              ${toReview.map(
                (grant) =>
                  html`<section class="card">
                    ${grantFacts(grant, nowMs)}
                    ${grant.principal.name === reader.name ? html`<p class="muted">Somebody else has to review this.</p>` : reviewForm(grant, reader)}
                    ${isActive.has(grant.id) ? revokeForm(grant, reader) : nothing}
                  </section>`,
              )} `
      }
      <h2>Access that lasts now</h2>
      ${
        others.length === 0
          ? html`<div class="card">
              <p class="muted">
                ${toReview.length === 0 ? 'Nobody whose access you may see has any at the moment.' : 'No other.'}
              </p>
            </div>`
          : others.map(
              (grant) => html`<section class="card">${grantFacts(grant, nowMs)}${revokeForm(grant, reader)}</section>`,
            )
      }
    </div>`,
  )
}

interface CardView {
  readonly viewer: Viewer
  readonly nowMs: number
  readonly isOwn: boolean
}

function requestCard(request: RequestRecord, { viewer, nowMs, isOwn }: CardView): Html {
  const left = `${span(request.expiresAtMs - nowMs) ?? 'less than a second'} left`
  const what = subjectWords(request)
  return html`<li class="card">
    <p class="status">
      ${isOwn ? chip(request, nowMs) : html`<span class="chip wait">${left}</span>`}
      <span class="muted small"
        >${isOwn && isOpen(request, nowMs) ? left : `asked ${relative(request.createdAtMs, nowMs)}`}</span
      >
    </p>
    <h3>
      <a href="/r/${request.id}"
        >${isOwn ? line(sentence(what).replace(/\.$/, '')) : html`${line(request.requester.name)} wants to ${line(what)}`}</a
      >
    </h3>
    ${request.reason === null || request.reason === '' ? nothing : html`<p>${line(brief(request.reason))}</p>`}
    ${request.kind === 'statement' ? html`<span class="oneline">${line(brief(shownStatement(request, viewer).sql))}</span>` : nothing}
  </li>`
}

function brief(text: string): string {
  const start = text.slice(0, 400).replaceAll(/\s+/gu, ' ').trim()
  return start.length > 160 ? `${start.slice(0, 160)}…` : start
}

function ends({ untilMs }: Grant, nowMs: number): Html {
  return html`<span class="muted">ends</span> ${when(untilMs, nowMs)}`
}

function grantFacts(grant: Grant, nowMs: number): Html {
  const isOver = grant.ended !== null || grant.untilMs <= nowMs
  return html`<h3>${line(grant.principal.name)}: ${line(grant.role)}</h3>
    <dl>
      ${
        grant.kind === 'break_glass'
          ? html`<dt>How</dt>
              <dd><span class="chip wait">taken at once, in an emergency</span></dd>`
          : nothing
      }
      <dt>Where</dt>
      <dd>${grant.databases === null ? 'all databases' : line(grant.databases.join(', '))}</dd>
      <dt>Reason</dt>
      <dd>
        ${grant.reason === null || grant.reason === '' ? html`<span class="muted">none given</span>` : line(grant.reason)}
      </dd>
      <dt>Since</dt>
      <dd>${when(grant.fromMs, nowMs)}</dd>
      <dt>${isOver ? 'Ended' : 'Ends'}</dt>
      <dd>${when(Math.min(grant.ended?.atMs ?? grant.untilMs, grant.untilMs), nowMs)}</dd>
      <dt>Number</dt>
      <dd><code>${grant.id}</code></dd>
    </dl>`
}

function revokeForm(grant: Grant, reader: Reader): Html {
  return html`<details>
    <summary>End this access now</summary>
    <form method="post" action="/grants/${grant.id}/revoke">
      ${csrfField(reader)}
      <label for="why-${grant.id}">Why</label>
      <input
        type="text"
        id="why-${grant.id}"
        name="reason"
        required
        maxlength="${String(limits.commentCharsMax)}"
        autocomplete="off"
      />
      <button class="main">End it</button>
    </form>
  </details>`
}

function reviewForm(grant: Grant, reader: Reader): Html {
  return html`<details>
    <summary>Say whether it was right</summary>
    <form method="post" action="/grants/${grant.id}/review">
      ${csrfField(reader)}
      <fieldset>
        <legend>Was it justified?</legend>
        <label><input type="radio" name="outcome" value="justified" required /> Yes, it was needed</label>
        <label><input type="radio" name="outcome" value="unjustified" /> No, it should not have been taken</label>
      </fieldset>
      <label for="say-${grant.id}">What you found</label>
      <textarea id="say-${grant.id}" name="comment" required maxlength="${String(limits.commentCharsMax)}"></textarea>
      <button class="main yes">Keep this on record</button>
    </form>
  </details>`
}
