import { isFields } from './parse-tree.ts'
import type { ParseOutcome } from './parser.ts'

/** The text with each comment that the scanner found turned into as many spaces as it has bytes. */
export function blankComments(sql: string, scanned: unknown): string | null {
  if (!isFields(scanned) || !Array.isArray(scanned['tokens'])) return null
  const bytes = Buffer.from(sql)
  let isChanged = false
  for (const token of scanned['tokens'] as readonly unknown[]) {
    if (!isFields(token)) return null
    const { tokenName: name, start, end } = token
    if (name !== 'C_COMMENT' && name !== 'SQL_COMMENT') continue
    if (typeof start !== 'number' || typeof end !== 'number') return null
    bytes.fill(' ', start, end)
    isChanged = true
  }
  return isChanged ? bytes.toString() : null
}

/** The outcome for the blanked text with an error's position as it is in the original, which counts characters. */
export function atOriginal(outcome: ParseOutcome, original: string, blanked: string): ParseOutcome {
  if (outcome.state !== 'syntax_error') return outcome
  const before = Array.from(blanked)
    .slice(0, outcome.position - 1)
    .join('')
  const position = Array.from(Buffer.from(original).toString('utf8', 0, Buffer.byteLength(before))).length + 1
  return { ...outcome, position }
}
