import pc from 'picocolors'
import { PosternError } from '../core/errors.ts'

/** How a failure is shown: as JSON on standard output for a program, or as text on standard error for a person. */
export interface FailureStyle {
  readonly isJson: boolean
  readonly isColoured: boolean
}

/** What to print about a failure: what cannot be done and why, the detail, and what to do next. */
export function describeFailure(error: unknown, style: FailureStyle): { out: string; err: string } {
  if (!(error instanceof PosternError)) return describeBug(error, style)
  const { code, message, detail, hint } = error
  if (style.isJson) return { out: `${JSON.stringify({ error: { code, message, detail, hint } })}\n`, err: '' }
  const { red, bold, dim } = pc.createColors(style.isColoured)
  const indented = (text: string) => visible(text).replaceAll('\n', '\n  ')
  const lines = [`${red(bold('postern:'))} ${visible(message)}`]
  if (detail !== undefined) lines.push(`  ${indented(detail)}`)
  if (hint !== undefined) lines.push(`  ${dim('hint:')} ${indented(hint)}`)
  return { out: '', err: `${lines.join('\n')}\n` }
}

function describeBug(error: unknown, { isJson }: FailureStyle): { out: string; err: string } {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const message = 'Postern failed in a way it should not have'
  const out = isJson ? `${JSON.stringify({ error: { code: 'internal', message } })}\n` : ''
  return { out, err: `postern: ${message}. Please report it with this text:\n${visible(text)}\n` }
}

/** Names that came from elsewhere must not steer the terminal. */
export function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '\u{FFFD}')
}

/** Whether what goes to `stream` is coloured: a terminal that did not ask for plain text (NO_COLOR). */
export function isColouredFor(stream: { readonly isTTY?: boolean }): boolean {
  // Not simply `&&`: undefined would let picocolors decide, which takes continuous integration for a terminal.
  return stream.isTTY === true && process.env['NO_COLOR'] === undefined
}
