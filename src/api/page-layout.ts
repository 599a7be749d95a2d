import { html } from 'hono/html'
import type { PosternError } from '../core/errors.ts'
import { line, nothing, type Html } from './page-text.ts'
import { iconPath, stylePath } from './style.ts'

/** Who looks at a page, and what its forms bring along. */
export interface Reader {
  readonly name: string
  readonly csrf: string
}

/** A page: what its tab says, who looks at it, and which of the places of the navigation it is. */
export interface Page {
  readonly title: string
  readonly reader: Reader | null
  readonly place?: 'requests' | 'access'
}

/** The frame of every page. */
export function layout({ title, reader, place }: Page, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Postern</title>
        <link rel="stylesheet" href="${stylePath}" />
        <link rel="icon" type="image/svg+xml" href="${iconPath}" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <div>
            <a class="brand" href="/"
              ><img src="${iconPath}" alt="Postern" width="22" height="22" /><span aria-hidden="true">Postern</span></a
            >
            ${reader === null ? nothing : navigation(place)} ${reader === null ? nothing : whoAmI(reader)}
          </div>
        </header>
        <main id="main">${body}</main>
      </body>
    </html>`
}

/** The hidden field of every form. */
export function csrfField(reader: Reader): Html {
  return html`<input type="hidden" name="csrf" value="${reader.csrf}" />`
}

/** The page of whatever could not be done. */
export function failurePage(
  error: PosternError,
  page: { readonly reader: Reader | null; readonly back?: string },
): Html {
  const isOver = error.code === 'request_closed'
  const title = titles.get(error.code) ?? 'That did not work'
  return layout(
    { title, reader: page.reader },
    html`<div class="narrow">
      <h1>${title}</h1>
      <div class="card">
        <p>${line(sentence(error.message))}</p>
        ${error.detail === undefined ? nothing : html`<p class="muted">${line(error.detail)}</p>`}
        ${error.hint === undefined ? nothing : html`<p>${line(sentence(error.hint))}</p>`}
      </div>
      <p>
        ${page.back === undefined ? nothing : html`<a class="button" href="${page.back}">${isOver ? 'See how it ended' : 'Back to the request'}</a>`}
        ${page.reader === null ? html`<a class="button" href="/login">Log in</a>` : html`<a class="button" href="/">All requests</a>`}
      </p>
    </div>`,
  )
}

/** A text as a sentence: messages begin small and have no full stop. */
export function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}

const titles: ReadonlyMap<string, string> = new Map([
  ['request_closed', 'This is already decided'],
  ['request_unknown', 'Nothing to see here'],
  ['access_refused', 'This is not yours to do'],
  ['rate_limited', 'Too many requests'],
  ['origin_refused', 'Nothing was changed'],
  ['session_expired', 'Your log-in is over'],
  ['token_absent', 'You are not logged in'],
  ['store_unavailable', 'Postern cannot decide this now'],
  ['journal_unavailable', 'Postern cannot decide this now'],
  ['issuer_unavailable', 'Nobody can log in right now'],
])

function navigation(place: Page['place']): Html {
  return html`<nav aria-label="Places">
    <a href="/" ${place === 'requests' ? html`aria-current="page"` : nothing}>Requests</a>
    <a href="/grants" ${place === 'access' ? html`aria-current="page"` : nothing}>Access</a>
  </nav>`
}

function whoAmI(reader: Reader): Html {
  return html`<div class="who">
    ${line(reader.name)}
    <form method="post" action="/logout">${csrfField(reader)}<button class="plain" type="submit">Log out</button></form>
  </div>`
}
