import { randomBytes } from 'node:crypto'
import type { ApprovalRequirement } from '../core/access.ts'
import { commandGroups } from '../core/commands.ts'
import type { Decision } from '../core/decision.ts'
import { PosternError, sqlstateOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery } from '../wire/frontend.ts'

/** A message that was not let through: what the client is told, and how PostgreSQL's stand-in error is recognised. */
export interface Refusal {
  readonly error: RefusalError
  /** Occurs in the text of the error that the stand-in message makes PostgreSQL raise. */
  readonly token: string
}

/** The fields of the ErrorResponse that the client gets. */
export interface RefusalError {
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
  readonly position?: number | undefined
}

/** Wraps what the client is told with a token that nobody can guess. */
export function refuseWith(error: RefusalError): Refusal {
  return { error, token: `postern_refused_${randomBytes(8).toString('hex')}` }
}

/** The refusal that an error of ours amounts to. */
export function refusalOf(error: PosternError): Refusal {
  return refuseWith({
    code: sqlstateOf(error.code),
    message: error.message,
    detail: error.detail,
    hint: error.hint,
  })
}

/** What is known of a denied statement that helps a person. */
export interface DeniedStatement {
  /** A schema of the search path in which an unqualified name would be permitted. */
  readonly permittedSchema?: string | undefined
  /** Why it cannot be analysed in full. */
  readonly opaque: StatementAnalysis['opaque']
  readonly commands: StatementAnalysis['commands']
}

const nothingKnown: DeniedStatement = { opaque: null, commands: [] }

/** What a person is told about a denied command: which one, by which policy, and what to do next. */
export function refusalOfDecision(
  decision: Extract<Decision, { effect: 'deny' }>,
  statement: DeniedStatement = nothingKnown,
): Refusal {
  const { opaque, permittedSchema } = statement
  const advice = decision.policies.map((policy) => policy.advice).find((text) => text !== null)
  return refuseWith({
    code: sqlstateOf('statement_refused'),
    message: `${decision.command} on ${resourceAsWritten(decision, statement)} is refused by policy`,
    detail:
      isOpaque(decision) && opaque !== null
        ? `${detailOf(decision)} It cannot be analysed: ${opaque}.`
        : detailOf(decision),
    hint: advice ?? hintOf(decision, permittedSchema),
  })
}

/** Without a schema where the statement named none: which one of the search path it means policy could only guess. */
export function resourceAsWritten(
  { command, resource, reason }: Extract<Decision, { effect: 'deny' }>,
  { commands }: Pick<DeniedStatement, 'commands'>,
): string {
  if (reason !== 'not_permitted' && reason !== 'needs_approval') return resource
  const relations = commands.filter(({ name }) => name === command).flatMap((found) => found.relations)
  return relations.find(({ schema, name }) => schema === null && resource.endsWith(`.${name}`))?.name ?? resource
}

function detailOf(decision: Extract<Decision, { effect: 'deny' }>): string {
  const names = decision.policies.map((policy) => `"${policy.id}"`).join(', ')
  switch (decision.reason) {
    case 'forbidden':
      return `Forbidden by ${names}.`
    case 'needs_approval':
      return `Forbidden by ${names}, which ${approversOf(decision.requirements)} may lift.`
    case 'policy_error':
      return names === '' ? 'A policy could not be evaluated.' : `Policy ${names} could not be evaluated.`
    case 'not_permitted':
      return 'No policy permits it.'
  }
}

/** Who has to agree, as people say it: one of a group, or so many of it; several policies each ask for theirs. */
export function approversOf(requirements: readonly ApprovalRequirement[]): string {
  const asked = requirements.map(({ approvers, count }) => {
    const groups = approvers.map((group) => `"${group}"`).join(' or ')
    return count === 1 ? groups : `${String(count)} members of ${groups}`
  })
  return [...new Set(asked)].join(' and ')
}

function isOpaque({ command }: Extract<Decision, { effect: 'deny' }>): boolean {
  return commandGroups.get(command) === 'opaque'
}

function hintOf(decision: Extract<Decision, { effect: 'deny' }>, permittedSchema: string | undefined): string {
  switch (decision.reason) {
    case 'forbidden':
      return 'Ask whoever keeps the policies if you need this.'
    case 'needs_approval':
      return 'It cannot wait for approval here. Ask one of the approvers, or whoever runs this gateway.'
    case 'policy_error':
      return 'Postern refuses whatever a broken policy might forbid. Tell whoever keeps the policies.'
    case 'not_permitted':
      if (permittedSchema !== undefined) {
        return `The search path leaves open which schema is meant. Write "${permittedSchema}." before the name: there it is permitted.`
      }
      return 'Ask whoever keeps the policies to permit it for one of your groups.'
  }
}

/** PostgreSQL's own words for a Parse of several statements. */
export function severalStatements(): Refusal {
  // PostgreSQL's own words and SQLSTATE, exec_parse_message in postgres.c.
  return refuseWith({ code: '42601', message: 'cannot insert multiple commands into a prepared statement' })
}

/** A text of more statements than one Query may hold. */
export function tooManyStatements(count: number): Refusal {
  const bound = String(limits.statementsPerTextMax)
  return refusalOf(
    new PosternError(
      'limit_exceeded',
      `a text of ${String(count)} statements is more than Postern runs at once (${bound})`,
      {
        hint: 'Send them in several queries.',
      },
    ),
  )
}

/*
 * A refused message is replaced by one that always fails, so that the order of answers, the state of the transaction
 * and the discarding of messages up to Sync come from PostgreSQL itself. The token ends up in PostgreSQL's error text
 * (a syntax error, or a statement or portal that does not exist), by which the error is found and rewritten.
 */

/** A Query that is a syntax error. */
export function failingQuery(refusal: Refusal): Buffer {
  return encodeQuery(refusal.token)
}

/** A Parse that is a syntax error, under the client's own name: a failed unnamed Parse drops the unnamed statement. */
export function failingParse(refusal: Refusal, name: string): Buffer {
  return encodeParse({ name, sql: refusal.token, parameterTypes: [] })
}

/** A Bind of a prepared statement that does not exist. */
export function failingBind(refusal: Refusal): Buffer {
  return encodeBind({ portal: '', statement: refusal.token })
}

/** An Execute of a portal that does not exist. */
export function failingExecute(refusal: Refusal): Buffer {
  return encodeExecute(refusal.token, 0)
}
