import type { ClassifiedColumn, Tag } from '../core/classification.ts'
import type { ConnectRequest, Decision, StatementRequest } from '../core/decision.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import type { Decider } from './decide.ts'

/** A statement as policy is asked about it, with the classified columns it concerns. */
export interface AnalysedStatement extends Pick<StatementRequest, 'statement' | 'tags' | 'predicateTags'> {
  /** The classified columns of the relations that it names. */
  readonly columns: readonly ClassifiedColumn[]
}

/** Who asks, from where, when, and how names without a schema are looked up. */
export interface Asking extends ConnectRequest {
  readonly searchPath: readonly string[] | null
}

/** What policy says of a text. */
export interface Verdict {
  /** Of the first statement that is not allowed; else of all together. */
  readonly decision: Decision
  /** The statement that the decision is about, from 0. */
  readonly index: number
  /** Those of the columns of all statements that the principal would not see, by name. */
  readonly masked: readonly ClassifiedColumn[]
}

/** Asks a decider about every statement of a text, and about every classified column of what they name. */
export function examine(decider: Decider, asking: Asking, text: readonly AnalysedStatement[]): Verdict {
  const decisions = text.map((analysed) => decider.decideStatement(requestOf(asking, text, analysed)))
  const denied = decisions.findIndex(({ effect }) => effect === 'deny')
  const policies = new Map(decisions.flatMap((each) => each.policies.map((policy) => [policy.id, policy])))
  const all: Decision = { effect: 'allow', policies: [...policies.values()] }
  return { decision: decisions[denied] ?? all, index: Math.max(denied, 0), masked: maskedOf(decider, asking, text) }
}

/** The question about one statement of a text. */
export function requestOf(
  asking: Asking,
  text: readonly AnalysedStatement[],
  { statement, tags, predicateTags }: AnalysedStatement,
): StatementRequest {
  return { ...asking, statement, statementCount: text.length, tags, predicateTags }
}

/** The classified columns of a text's relations that the principal would not see, each once. */
export function maskedOf(
  decider: Decider,
  asking: Asking,
  text: readonly AnalysedStatement[],
): readonly ClassifiedColumn[] {
  const columns = new Map(text.flatMap((each) => each.columns.map((column) => [column.key, column])))
  return [...columns.values()].filter((column) => decider.decideUnmask({ ...asking, column }) === 'masked')
}

/** The tags of columns, sorted. */
export function tagsOf(columns: readonly ClassifiedColumn[]): readonly Tag[] {
  return [...new Set(columns.flatMap(({ tags }) => tags))].sort()
}

/** Whether a statement is about what PREPARE or DECLARE made before it, which its own text does not say. */
export function isIndirect({ names }: StatementAnalysis): boolean {
  return names.executes !== null || names.fetches !== null
}
