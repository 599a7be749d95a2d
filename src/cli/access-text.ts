import pc from 'picocolors'
import { terminalSafe } from '../audit/record-text.ts'
import { formatDuration } from '../core/duration.ts'
import type { ShownGrant, ShownRequest, ShownRole, ShownSession, ShownStatement } from './api-answers.ts'

/** How a text is laid out. */
export interface TextStyle {
  readonly isColoured: boolean
  readonly width: number
  readonly nowMs: number
}

/** A request in full, and what to type next. */
export function requestText(request: ShownRequest, style: TextStyle): string {
  const { dim } = pc.createColors(style.isColoured)
  return `${describedRequest(request, style)}\n${dim('→')} ${nextStep(request)}\n`
}

/** A request in full: what an approver has to know before saying yes. */
export function describedRequest(request: ShownRequest, style: TextStyle): string {
  const { bold } = pc.createColors(style.isColoured)
  const { statement, access } = request
  const who = whoOf(request.requester)
  const what =
    statement !== null
      ? `${who} wants to run ${terminalSafe(statement.command)} in ${terminalSafe(statement.database)}`
      : `${who} asks for the access role ${terminalSafe(access?.role ?? '')} for ${terminalSafe(access?.for ?? '')}`
  const parts = [
    wrapped(`${what} (${terminalSafe(request.id)})`, style.width, { first: '', next: '' })
      .map(bold)
      .join('\n'),
    ...(statement === null ? [] : [statementText(statement, style)]),
    factsText(factsOf(request, style.nowMs), style),
  ]
  return `${parts.join('\n\n')}\n`
}

/** Requests as a table: what waits for the caller first, then what the caller asked for, then the rest. */
export function requestsText(requests: readonly ShownRequest[], me: string, style: TextStyle): string {
  const { bold, dim } = pc.createColors(style.isColoured)
  const groups = Map.groupBy(requests, (request): string => {
    if (request.mayAnswer) return 'Waiting for your answer'
    return request.requester.name === me ? 'Yours' : 'Others'
  })
  const parts: string[] = []
  for (const title of ['Waiting for your answer', 'Yours', 'Others']) {
    const rows = (groups.get(title) ?? []).map((request) => [
      request.id,
      request.requester.name,
      request.statement === null
        ? `${request.access?.role ?? ''} for ${request.access?.for ?? ''}`
        : `${request.statement.command} in ${request.statement.database}`,
      standing(request, style.nowMs),
      request.reason ?? '',
    ])
    if (rows.length > 0) parts.push(`${bold(title)}\n${tableText(rows, style)}`)
  }
  if (parts.length === 0) return 'Nothing waits. `postern requests --all` shows what was decided.\n'
  return `${[...parts, `${dim('→')} postern requests ID shows one in full.`].join('\n\n')}\n`
}

/** Grants as a table. */
export function grantsText(grants: readonly ShownGrant[], style: TextStyle): string {
  if (grants.length === 0) return 'No grants. `postern roles` shows what you can ask for.\n'
  const rows = grants.map((grant) => [
    grant.id,
    grant.principal,
    grant.role,
    [
      grant.endedWhy ?? left(grant.untilMs, style.nowMs),
      ...(grant.needsReview ? ['to review'] : []),
      ...(grant.reviewed === null ? [] : [grant.reviewed]),
    ].join(', '),
    grant.reason ?? '',
  ])
  return `${tableText(rows, style)}\n`
}

/** Access roles, one with its sentence after the other. */
export function rolesText(roles: readonly ShownRole[], style: TextStyle): string {
  const { bold } = pc.createColors(style.isColoured)
  if (roles.length === 0) return 'There is no access role that you may ask for, take or approve.\n'
  const parts = roles.map((role) => {
    const how = [
      role.mayAsk ? `on request, for at most ${role.maxDuration}` : 'not yours to ask for: you approve it',
      ...(role.mayBreakGlass ? ['at once with --break-glass, to be reviewed'] : []),
      ...(role.needsReason ? ['with a reason'] : []),
    ].join('; ')
    const facts = [
      ['what for', role.description],
      ['how', how],
      ['where', role.databases?.join(', ') ?? 'all databases'],
    ] as const
    return `${bold(terminalSafe(role.name))}\n${factsText(facts, style)}`
  })
  return `${parts.join('\n\n')}\n`
}

/** Live sessions as a table. */
export function sessionsText(sessions: readonly ShownSession[], style: TextStyle): string {
  if (sessions.length === 0) return 'No sessions are open that you may see.\n'
  const rows = sessions.map((session) => [
    session.id,
    session.principal,
    session.database,
    timeText(session.startedAtMs),
    session.token ?? '',
  ])
  return `${tableText(rows, style)}\n`
}

/** A moment as people and the record write it. */
export function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** The text as it will run, with a bar before every line of it: nothing in it can pass for something that Postern says. */
function statementText(statement: ShownStatement, style: TextStyle): string {
  const { cyan, yellow } = pc.createColors(style.isColoured)
  const bar = { first: '  │ ', next: '  ┆ ' }
  const lines = withoutGaps(statement.sql.split(/\r\n|\r|\n/u).flatMap((line) => wrapped(line, style.width, bar)))
  const parameters = statement.parameters.flatMap((value, index) => {
    const name = `$${String(index + 1)} = `
    // One line each: where a value has line breaks, they are shown as such.
    return withoutGaps(wrapped(`${name}${value === null ? 'NULL' : JSON.stringify(value)}`, style.width, bar))
  })
  const withheld = statement.isRedacted ? [yellow('  Values are withheld from you.')] : []
  return [lines.map(cyan).join('\n'), ...(parameters.length === 0 ? [] : [parameters.join('\n')]), ...withheld].join(
    '\n\n',
  )
}

/** Lines with nothing to be seen in them, thousands of which would push what is before them off the screen, are counted. */
function withoutGaps(lines: readonly string[]): string[] {
  const kept: string[] = []
  let empty = 0
  const endGap = (): void => {
    if (empty > emptyLinesMax) kept.push(`  … ${String(empty - emptyLinesMax)} empty lines are left out here`)
    empty = 0
  }
  for (const line of lines) {
    if (unseenLine.test(line)) empty += 1
    else endGap()
    if (empty <= emptyLinesMax) kept.push(line)
  }
  endGap()
  return kept
}

const emptyLinesMax = 2
const unseenLine = /^ {2}[│┆][\s\u034f\u115f\u1160\u2800\u3164\uffa0]*$/u

function factsOf(request: ShownRequest, nowMs: number): readonly (readonly [string, string])[] {
  const { statement, access, requirements, approvals, outcome } = request
  const facts: [string, string][] = [['reason', request.reason ?? 'none given']]
  if (statement !== null) facts.push(...statementFacts(statement))
  if (access !== null && access.extends !== null) facts.push(['extends', `grant ${access.extends}`])
  facts.push(['asked', timeText(request.createdAtMs)])
  if (request.state === 'pending') {
    facts.push(['expires', `${timeText(request.expiresAtMs)}, ${left(request.expiresAtMs, nowMs)}`])
  }
  for (const { by, approvers, count, given } of requirements) {
    facts.push(['needs', `${String(count)} of ${approvers.join(' or ')} (${by}); ${String(given)} so far`])
  }
  for (const { approver, answer, comment, atMs, via } of approvals) {
    const said = comment === '' ? '' : `: ${comment}`
    facts.push(['answer', `${answer === 'approve' ? 'yes' : 'no'} by ${approver}, ${timeText(atMs)}, ${via}${said}`])
  }
  if (outcome !== null) {
    const { by, comment, why, grant } = outcome
    const how = request.state === 'used' ? 'let through, once' : request.state
    const more = [by === null ? '' : `by ${by}`, why?.replaceAll('_', ' '), grant === null ? '' : `grant ${grant}`]
    const said = comment === null || comment === '' ? '' : `: ${comment}`
    facts.push(['outcome', `${[how, ...more.filter((part) => part)].join(', ')}${said}`])
  }
  facts.push(['page', request.url])
  return facts
}

function statementFacts(statement: ShownStatement): [string, string][] {
  const { policies, relations, tags, estimatedRows, isTransactionOpen, locks, clientAddress, application } = statement
  const held = locks.length === 0 ? '' : `; locked meanwhile: ${locks.join(', ')}`
  return [
    ...policies.map(({ id, advice }): [string, string] => ['policy', advice === null ? id : `${id}: ${advice}`]),
    ['relations', relations.join(', ') || 'none'],
    ...(tags.length === 0 ? [] : [['classified', tags.join(', ')] as [string, string]]),
    [
      'estimate',
      estimatedRows === null
        ? 'not known'
        : `about ${rowsText(Math.round(estimatedRows))}; PostgreSQL estimates, it may be far off`,
    ],
    ['transaction', isTransactionOpen ? `open, and waits as well${held}` : 'none open'],
    ['from', application === '' ? clientAddress : `${clientAddress} (${application})`],
  ]
}

function rowsText(count: number): string {
  return count === 1 ? '1 row' : `${count.toLocaleString('en')} rows`
}

function nextStep({ id, mayAnswer, whyNot, state }: ShownRequest): string {
  const name = terminalSafe(id)
  if (mayAnswer) return `postern approve ${name}, or postern deny ${name} --comment "why"`
  if (state !== 'pending') return 'Nothing is left to do: it is decided.'
  return `You cannot answer it: ${terminalSafe(asClause(whyNot ?? 'it is not yours to answer'))}. postern withdraw ${name} takes back your own.`
}

/** A sentence of the API behind a colon: with a small letter, and without its full stop. */
export function asClause(sentence: string): string {
  return sentence
    .replace(/\.$/u, '')
    .replace(/^(?!Postern|PostgreSQL|Slack)[A-Z](?![A-Z])/u, (letter) => letter.toLowerCase())
}

function whoOf({ name, kind, actors }: ShownRequest['requester']): string {
  const what = kind === 'human' ? '' : ` (${terminalSafe(kind)})`
  const through = actors.length === 0 ? '' : `, through ${actors.map(terminalSafe).join(', ')},`
  return `${terminalSafe(name)}${what}${through}`
}

function standing(request: ShownRequest, nowMs: number): string {
  return request.state === 'pending' ? left(request.expiresAtMs, nowMs) : request.state
}

function left(untilMs: number, nowMs: number): string {
  const leftMs = untilMs - nowMs
  if (leftMs <= 0) return 'over'
  // Seconds matter near the end only.
  return `${formatDuration(leftMs > 600_000 ? Math.floor(leftMs / 60_000) * 60_000 : leftMs)} left`
}

const labelWidth = 13

function factsText(facts: readonly (readonly [string, string])[], style: TextStyle): string {
  const { dim } = pc.createColors(style.isColoured)
  const indent = ' '.repeat(labelWidth + 2)
  return facts
    .flatMap(([label, value]) => {
      const [head = '', ...rest] = wrapped(value, style.width, { first: indent, next: indent })
      return [`  ${dim(label.padEnd(labelWidth))}${head.slice(indent.length)}`, ...rest]
    })
    .join('\n')
}

/** Columns as wide as what is in them, up to a bound; the last one takes what is left of the line. */
function tableText(rows: readonly (readonly string[])[], { width }: TextStyle): string {
  const bounds = [16, 24, 22, 24]
  const safe = rows.map((row) => row.map(terminalSafe))
  const widths = bounds.map((bound, place) =>
    Math.min(bound, Math.max(...safe.map((row) => (row[place] ?? '').length))),
  )
  return safe
    .map((row) => {
      const cells = row.map((cell, place) => {
        const cellWidth = widths[place]
        return cellWidth === undefined ? cell : shorten(cell, cellWidth).padEnd(cellWidth)
      })
      return shorten(`  ${cells.join('  ').trimEnd()}`, width)
    })
    .join('\n')
}

function shorten(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`
}

/** Breaks a line before the terminal does, so that no part of it begins where Postern's own words begin. */
function wrapped(text: string, width: number, prefix: { first: string; next: string }): string[] {
  const room = Math.max(20, width - prefix.first.length)
  const lines: string[] = []
  let line = ''
  let taken = 0
  for (const character of terminalSafe(text)) {
    const columns = columnsOf(character)
    if (taken + columns > room) {
      // Between words where there is a blank not too far back; nothing is left out.
      const blank = line.lastIndexOf(' ') + 1
      const rest = blank > line.length - wordCharsMax && character !== ' ' ? line.slice(blank) : ''
      lines.push(line.slice(0, line.length - rest.length))
      line = rest
      taken = columnsOf(rest)
    }
    line += character
    taken += columns
  }
  lines.push(line)
  return lines.map((each, index) => `${index === 0 ? prefix.first : prefix.next}${each}`)
}

/** How far back a line is broken between words. */
const wordCharsMax = 30

/** Characters of East Asian scripts and pictures take two columns. */
function columnsOf(text: string): number {
  let columns = 0
  for (const character of text) columns += (character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1
  return columns
}
