import { limits } from '../core/limits.ts'
import { opaqueStatement } from '../core/statement.ts'
import type { StatementAnalysis, TextAnalysis } from '../core/statement.ts'
import { Effects } from './effects.ts'
import type { FunctionRules } from './functions.ts'
import type { RawStatement } from './parse-tree.ts'
import { analyzeStatement } from './statements.ts'

/**
 * What the statements of a text are and do. Pure. May throw a RangeError where the tree is nested deeper than the
 * stack allows.
 */
export function classify(sql: string, statements: readonly RawStatement[], rules: FunctionRules): TextAnalysis {
  if (statements.length > limits.statementsPerTextMax) {
    return opaqueText(sql, `the text holds more than ${limits.statementsPerTextMax} statements`)
  }
  if (statements.length === 0) return { statements: [emptyStatement(sql)], syntaxError: null }
  const slice = slicer(sql)
  return {
    statements: statements.map((each) => analyzeStatement(each.stmt, slice(each), rules)),
    syntaxError: null,
  }
}

/** The analysis of a text that was not or could not be parsed. */
export function opaqueText(sql: string, reason: string): TextAnalysis {
  return { statements: [opaqueStatement(trim(sql), reason)], syntaxError: null }
}

/** The analysis of a text that PostgreSQL's grammar refuses. */
export function unparsableText(sql: string, error: { message: string; position: number }): TextAnalysis {
  const { message, position } = error
  return { statements: [opaqueStatement(trim(sql), 'the text is not valid SQL')], syntaxError: { message, position } }
}

function emptyStatement(sql: string): StatementAnalysis {
  const effects = new Effects()
  effects.add('EMPTY')
  return effects.toAnalysis('EMPTY', trim(sql))
}

/** Cuts statements out of the text: the tree gives UTF-8 byte offsets, a length of 0 means to the end. */
function slicer(sql: string): (statement: RawStatement) => string {
  const isAscii = Buffer.byteLength(sql) === sql.length
  const bytes = isAscii ? null : Buffer.from(sql)
  return (statement) => {
    const start = statement.stmt_location ?? 0
    const length = statement.stmt_len ?? 0
    const end = length === 0 ? undefined : start + length
    if (start === 0 && end === undefined) return trim(sql)
    return trim(bytes === null ? sql.slice(start, end) : bytes.toString('utf8', start, end))
  }
}

/** Without the white space around it, as PostgreSQL's scanner understands white space (String.trim takes more). */
function trim(sql: string): string {
  let start = 0
  let end = sql.length
  while (start < end && isSpace(sql.charCodeAt(start))) start += 1
  while (end > start && isSpace(sql.charCodeAt(end - 1))) end -= 1
  return sql.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}
