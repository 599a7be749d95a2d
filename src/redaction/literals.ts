import { limits } from '../core/limits.ts'
import { tokenAt } from './lexer.ts'
import { numberValue, quotedValue } from './literal-value.ts'

/** The values of all strings and numbers in a text whose strings are read in the standard's way. */
export function literalsOf(sql: string): readonly string[] {
  const text = sql.slice(0, limits.redactedSqlCharsMax)
  const values: string[] = []
  for (let offset = 0; offset < text.length;) {
    const token = tokenAt(text, offset, 'literal')
    if (token.kind === 'string') values.push(quotedValue(text, token))
    else if (token.kind === 'number') values.push(numberValue(text.slice(token.start, token.end)))
    offset = token.end
  }
  return values
}
