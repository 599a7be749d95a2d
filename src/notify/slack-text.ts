/** The most that Slack takes in the text of one section. */
const sectionCharsMax = 3_000
/** The fence around a statement, with its line breaks. */
const fenceChars = 8

/**
 * Makes a text of strangers inert in Slack: mentions and links begin with `<`, so the three characters that Slack gives a
 * meaning are escaped, and what cannot be seen or turns the direction of text is shown as an escape.
 */
export function slackEscape(text: string): string {
  return text
    .replaceAll(/[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
      return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
    })
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
}

/** The same on one line of at most `charsMax` characters, the escapes included; longer ones are cut and marked. */
export function slackLine(text: string, charsMax: number): string {
  let line = ''
  for (const character of text.replaceAll(/\s+/gu, ' ').trim()) {
    const safe = slackEscape(character)
    if (line.length + safe.length > charsMax - 1) return `${line}…`
    line += safe
  }
  return line
}

/** Empty lines that fold a message up, spaces that push what is behind them out of sight, and characters that are as blank. */
const gap =
  /\n(?:[^\S\n]*\n){5}|[^\S\n]{60}|\u034f|[\u00a0\u115f\u1160\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]/u

/**
 * A statement as Slack shows it, whole or not at all: null where it is too long, has gaps that something could be hidden
 * behind, or could end the fence around it and dress up what follows. Nobody approves what was not shown.
 */
export function slackStatement(sql: string): string | null {
  if (sql.length > sectionCharsMax || sql.includes('```') || sql.endsWith('`') || sql.trim() === '' || gap.test(sql))
    return null
  const safe = slackEscape(sql)
  return safe.length > sectionCharsMax - fenceChars ? null : safe
}
