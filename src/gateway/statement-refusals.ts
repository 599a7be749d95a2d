import { PosternError, sqlstateOf } from '../core/errors.ts'
import { opaqueStatement, type StatementAnalysis, type TextAnalysis } from '../core/statement.ts'
import type { Protected } from './protection.ts'
import { type Refusal, refusalOf, refuseWith } from './refusal.ts'
import type { SessionProtection } from './session-protection.ts'

/** What PostgreSQL itself would say of a text that does not parse, for those who may not run what Postern cannot read. */
export function syntaxRefusal(error: NonNullable<TextAnalysis['syntaxError']>): Refusal {
  return refuseWith({ code: sqlstateOf('statement_unparsable'), message: error.message, position: error.position })
}

/** The journal takes nothing in. */
export function unrecordable(): PosternError {
  return new PosternError('journal_unavailable', 'the statement cannot be recorded, so it is not run', {
    hint: 'Try again shortly. If it persists, tell whoever runs this gateway: its log says what to check.',
  })
}

/** Why a relation cannot be made of masked columns now: elsewhere its name was decided to mean another one. */
export function creationRefusal(protection: Protected, session: SessionProtection): PosternError | null {
  const { creates } = protection.lineage
  if (creates === null || creates.isTemporary || !protection.isScrubbing) return null
  if (!session.underWay.isMeantElsewhere(creates.name)) return null
  return new PosternError(
    'masking_refused',
    `${creates.name} cannot be made of masked columns now, because a statement that may mean it is under way in another session`,
    { hint: 'Try again when that is over, or choose another name.' },
  )
}

/** What is classified cannot be known now. */
export function catalogUnavailable(): PosternError {
  return new PosternError(
    'catalog_unavailable',
    "the database's catalog could not be read, so that nobody can say what is classified in this statement",
    { hint: 'Try again shortly. If it persists, tell whoever runs this gateway: its log says what failed.' },
  )
}

/** Policy asks for an approval that nobody gave, and that cannot be asked for any more. */
export function unapproved(): Refusal {
  return refusalOf(
    new PosternError('approval_denied', 'policy asks for an approval that this statement does not have', {
      detail: 'The policies changed after it was bound.',
      hint: 'Send the statement again.',
    }),
  )
}

/** The function call protocol, which names what it calls by a number. */
export function refusedFunctionCall(functionOid: number): {
  readonly statement: StatementAnalysis
  readonly refusal: Refusal
} {
  const sql = `(function call of oid ${String(functionOid)})`
  const error = new PosternError('feature_refused', 'the function call protocol is not available through Postern', {
    hint: 'Call the function by SELECT instead.',
  })
  return {
    statement: { ...opaqueStatement(sql, 'FunctionCall names a function by its oid'), kind: 'FUNCTION CALL' },
    refusal: refusalOf(error),
  }
}
