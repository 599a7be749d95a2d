/** One policy as it stands in a file, from the end of the one before it to its own semicolon. */
export interface PolicySource {
  readonly text: string
  /** Where `text` starts in the file, in characters. */
  readonly offset: number
  /** Why Cedar is not given this text, and where in the file; null where it may be. */
  readonly refusal: { readonly reason: string; readonly offset: number } | null
}

/** A place in a file as editors count it: both from 1, the column in UTF-16 units. */
export interface Position {
  readonly line: number
  readonly column: number
}

/**
 * Bounds that keep Cedar's recursive parser well within the stack of its WebAssembly module: it broke for good at 200
 * nested brackets, 1,000 nested `if`s and 5,000 chained operators (Cedar 4.13, Node 24).
 */
export const sourceLimits = { nesting: 32, ifs: 32, operators: 1_000, characters: 64 * 1024 } as const

const token = /\/\/[^\n]*|"(?:[^"\\]|\\[^])*"|[([{]|[)\]}]|;|\bif\b|&&|\|\||[-+*.]|::|[^]/gu

/**
 * Splits a file into its policies at the semicolons outside strings and comments. What follows the last semicolon is a
 * policy of its own if it holds anything but space and comments, so that Cedar can say what is wrong with it.
 */
export function splitPolicies(file: string): readonly PolicySource[] {
  const sources: PolicySource[] = []
  let start = 0
  let state = fresh()
  for (const match of file.matchAll(token)) {
    count(state, match[0], match.index)
    if (match[0] !== ';') continue
    sources.push(take(file, start, match.index + 1, state))
    start = match.index + 1
    state = fresh()
  }
  if (state.hasContent) sources.push(take(file, start, file.length, state))
  return sources
}

/** Where the character at `offset` of `file` stands. */
export function positionOf(file: string, offset: number): Position {
  const before = file.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: before.length - lineStart + 1 }
}

/** Cedar counts UTF-8 bytes; this gives the characters (UTF-16 units) that the first `bytes` bytes of `text` are. */
export function charactersOf(text: string, bytes: number): number {
  return Buffer.from(text, 'utf8').subarray(0, bytes).toString('utf8').length
}

/** Where the policy itself begins in its text: after the space and comments before it. */
export function contentStart(text: string): number {
  const lead = /^(?:\s|\/\/[^\n]*(?:\n|$))*/u.exec(text)
  return lead?.[0].length ?? 0
}

interface Count {
  depth: number
  ifs: number
  operators: number
  hasContent: boolean
  refusal: PolicySource['refusal']
}

function fresh(): Count {
  return { depth: 0, ifs: 0, operators: 0, hasContent: false, refusal: null }
}

function count(state: Count, text: string, offset: number): void {
  if (text.startsWith('//') || /^\s$/u.test(text)) return
  state.hasContent = true
  if (text === '(' || text === '[' || text === '{') state.depth++
  else if (text === ')' || text === ']' || text === '}') state.depth--
  else if (text === 'if') state.ifs++
  else if (/^(?:&&|\|\||[-+*.])$/u.test(text)) state.operators++
  if (state.refusal !== null) return
  const reason =
    state.depth > sourceLimits.nesting
      ? `brackets are nested more than ${String(sourceLimits.nesting)} deep`
      : state.ifs > sourceLimits.ifs
        ? `it holds more than ${String(sourceLimits.ifs)} if-then-else expressions`
        : state.operators > sourceLimits.operators
          ? `it holds more than ${String(sourceLimits.operators)} operators`
          : null
  if (reason !== null) state.refusal = { reason, offset }
}

function take(file: string, start: number, end: number, state: Count): PolicySource {
  const text = file.slice(start, end)
  const tooLong =
    text.length > sourceLimits.characters
      ? {
          reason: `it is longer than ${String(sourceLimits.characters)} characters`,
          offset: start + contentStart(text),
        }
      : null
  return { text, offset: start, refusal: state.refusal ?? tooLong }
}
