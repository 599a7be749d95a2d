import { isFields } from './parse-tree.ts'
import type { ParseOutcome } from './parser.ts'

/**
 * The text with each comment turned into as many spaces as it has bytes, or null where there is none or the scanner's
 * answer cannot be relied on. `scanned` is that answer: JSON with the place and the text of every token, made by code
 * that escapes less than it should. So the places only count if tokens follow each other and each one's text is what
 * the statement has there: what a token's text could smuggle in would show in the token itself.
 */
export function blankComments(sql: string, scanned: string): string | null {
  const tokens = readTokens(scanned)
  if (tokens === null) return null
  const bytes = Buffer.from(sql)
  const comments: Token[] = []
  let end = 0
  for (const token of tokens) {
    if (token.start < end || token.text !== plain(bytes.toString('utf8', token.start, token.end))) return null
    end = token.end
    if (token.name === 'C_COMMENT' || token.name === 'SQL_COMMENT') comments.push(token)
  }
  if (comments.length === 0) return null
  for (const comment of comments) bytes.fill(' ', comment.start, comment.end)
  return bytes.toString()
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

interface Token {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly text: string
}

function readTokens(scanned: string): Token[] | null {
  const parsed = parseJson(plain(scanned))
  if (!isFields(parsed) || !Array.isArray(parsed['tokens'])) return null
  const tokens: Token[] = []
  for (const each of parsed['tokens'] as readonly unknown[]) {
    if (!isFields(each)) return null
    const { tokenName: name, start, end, text } = each
    if (typeof name !== 'string' || typeof start !== 'number' || typeof end !== 'number') return null
    if (typeof text !== 'string') return null
    tokens.push({ name, start, end, text: plain(text) })
  }
  return tokens
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** Control characters as spaces: some come unescaped and are no JSON then. */
function plain(text: string): string {
  let result = text
  // oxlint-disable-next-line eslint/no-control-regex -- these are what it is about
  if (/[\u0000-\u001f]/.test(text)) result = text.replaceAll(/[\u0000-\u001f]/g, ' ')
  return result
}
