import { limits } from '../core/limits.ts'
import { tokenAt } from './lexer.ts'
import { numberValue, quotedValue } from './literal-value.ts'

/** The values of all strings, numbers and NULLs in a text whose strings are read in the standard's way. */
export function literalsOf(sql: string): readonly (string | null)[] {
  const text = sql.slice(0, limits.redactedSqlCharsMax)
  const values: (string | null)[] = []
  for (let offset = 0; offset < text.length;) {
    const token = tokenAt(text, offset, 'literal')
    if (token.kind === 'string') values.push(quotedValue(text, token))
    else if (token.kind === 'number') values.push(numberValue(text.slice(token.start, token.end)))
    else if (token.kind === 'name' && /^null$/iu.test(text.slice(token.start, token.end))) values.push(null)
    offset = token.end
  }
  return values
}
