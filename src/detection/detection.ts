/** What a detector recognises. */
export type DetectionKind = 'email' | 'phone' | 'card' | 'iban' | 'national_id' | 'ip' | 'mac' | 'secret'

/**
 * How sure a detector is of one value alone. `certain`: a checksum or a form that nothing else has. `likely`: a form that
 * other things rarely have. `possible`: digits that fit, as one in ten numbers would; worth something in a column only.
 */
export type Certainty = 'certain' | 'likely' | 'possible'

/** A part of a text that looks like something. */
export interface Detection {
  readonly kind: DetectionKind
  /** Offsets in UTF-16 code units; `end` is the first one behind it. */
  readonly start: number
  readonly end: number
  readonly certainty: Certainty
  /** What it is in particular, such as `US social security number`. */
  readonly what: string
}

/** Finds one kind of thing in a text, in time linear in its length. */
export type Finder = (text: string) => Iterable<Detection>

/**
 * Runs `pattern`, which has to be global, over `text`, and gives what `check` says of each match. A match that turns out
 * to be nothing is taken up again behind its first `stride` characters, so that it hides nothing that begins in it.
 */
export function matches(
  text: string,
  pattern: RegExp,
  check: (match: string, start: number) => Omit<Detection, 'start'> | null,
): readonly Detection[] {
  const found: Detection[] = []
  // The pattern's own position is used, since to copy a pattern costs more than to search a short text.
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const { 0: whole, index: start } = match
    const detection = check(whole, start)
    if (detection !== null) {
      const { kind, end, certainty, what } = detection
      found.push({ kind, start, end, certainty, what })
      pattern.lastIndex = Math.max(end, start + 1)
    } else {
      // Behind the first group of word characters, of which patterns that begin at a boundary can match only one start.
      pattern.lastIndex = start + Math.max(1, /^[+(]*\w*/u.exec(whole)?.[0].length ?? 1)
    }
  }
  return found
}
