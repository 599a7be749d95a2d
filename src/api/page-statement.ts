import { html } from 'hono/html'
import type { StatementRequestRecord } from '../core/access.ts'
import { limits } from '../core/limits.ts'
import { counted, line, nothing, number, visible, type Html } from './page-text.ts'
import type { ShownStatement } from './present.ts'

/** The statement as the reader may see it, cut where it is long, with its parameters. */
export function statementSection(request: StatementRequestRecord, shown: ShownStatement): Html {
  return html`<section aria-labelledby="statement">
    <h2 id="statement">Statement</h2>
    ${shown.isRedacted ? redactionNote(request) : nothing} ${text(request, shown.sql)}
    ${shown.parameters.length === 0 ? nothing : parameters(shown.parameters)}
  </section>`
}

function redactionNote({ state }: StatementRequestRecord): Html {
  const isOver = state.state !== 'pending' && state.state !== 'approved'
  const why = isOver ? 'they are not kept once a request is over' : 'you may not see that data'
  return html`<p class="note muted small">Values of protected columns are replaced here: ${why}.</p>`
}

function text(request: StatementRequestRecord, sql: string): Html {
  const head = limits.shownSqlHeadCharsMax
  const tail = limits.shownSqlTailCharsMax
  if (sql.length <= head + tail) return html`<pre><code>${visible(sql)}</code></pre>`
  const left = sql.length - head - tail
  const download = html`<a href="/r/${request.id}/statement.txt">Download all of it as text</a>`
  return html`<p class="note wait">
      This statement is long: ${number(sql.length)} characters. You see its beginning and its end; ${number(left)}
      characters between them are left out. ${download} before you answer.
    </p>
    <pre><code>${visible(sql.slice(0, head))}</code></pre>
    <p class="muted">… ${counted(left, 'character')} left out …</p>
    <pre><code>${visible(sql.slice(-tail))}</code></pre>`
}

function parameters(values: readonly (string | null)[]): Html {
  const shown = values.slice(0, limits.shownParametersMax)
  const left = values.length - shown.length
  return html`<h2>Values for the placeholders</h2>
    <ol class="values card">
      ${shown.map((value, index) => html`<li><span class="muted">$${String(index + 1)}</span>${parameter(value)}</li>`)}
    </ol>
    ${left === 0 ? nothing : html`<p class="muted">${counted(left, 'more value')} not shown; the download has all.</p>`}`
}

function parameter(value: string | null): Html {
  if (value === null) return html`<span class="muted">no value (NULL)</span>`
  if (value === '') return html`<span class="muted">empty text</span>`
  const max = limits.shownParameterCharsMax
  if (value.length <= max) return html`<code>${visible(value)}</code>`
  return html`<span
    ><code>${visible(value.slice(0, max))}</code>
    <span class="muted">… ${counted(value.length - max, 'more character')}</span></span
  >`
}

/** The statement and its parameters as a text to keep. */
export function statementText(shown: ShownStatement): string {
  if (shown.parameters.length === 0) return shown.sql
  const values = shown.parameters.map((value, index) => `-- $${String(index + 1)} = ${JSON.stringify(value)}`)
  return `${shown.sql}\n\n${values.join('\n')}\n`
}

/** What the statement touches and does, as entries of a list of facts. */
export function statementFacts(request: StatementRequestRecord, { estimate }: Pick<ShownStatement, 'estimate'>): Html {
  const { about } = request
  return html`<dt>Tables</dt>
    <dd>${about.relations.length === 0 ? 'none that are known' : list(about.relations)}</dd>
    <dt>Rows</dt>
    <dd>
      ${
        estimate === null
          ? html`<span class="muted">no estimate</span>`
          : html`<span class="strong">about ${number(estimate.rows)}</span> <span class="muted">(an estimate)</span>`
      }
    </dd>
    ${
      about.tags.length === 0
        ? nothing
        : html`<dt>Protected</dt>
            <dd>${list(about.tags)}</dd>`
    }`
}

/** What it holds up in the database while it waits. */
export function transactionFacts({ about }: StatementRequestRecord): Html {
  const { isOpen, locks } = about.transaction
  if (!isOpen) return nothing
  return html`<dt>Holds up</dt>
    <dd>
      ${
        locks.length === 0
          ? 'A transaction is open while it waits; it holds no lock that is known.'
          : html`A transaction is open while it waits. It holds ${list(locks)}: others may have to wait.`
      }
    </dd>`
}

/** At most so many names; a list that is longer says by how many. */
function list(names: readonly string[]): Html {
  const shown = names.slice(0, 20)
  const left = names.length - shown.length
  return html`${shown.map((name, index) => html`${index === 0 ? '' : ', '}${line(name)}`)}${left === 0 ? '' : ` and ${counted(left, 'more')}`.replace(/mores$/, 'more')}`
}
