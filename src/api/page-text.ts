import { html, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import { limits } from '../core/limits.ts'

/** A piece of a page; every value in it is escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>

/** No text at all. */
export const nothing: Html = raw('')

/**
 * What a text may hold to look like another one: controls, marks that turn the direction of what follows, characters
 * without a shape, spaces of other kinds. They are shown by their number.
 */
const unseen = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u00a0\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0e\uffa0]`
const spaces = `[ \\t]{${String(limits.shownSpacesMax)},}`
const emptyLines = `\\n(?:[ \\t]*\\r?\\n){${String(limits.shownEmptyLinesMax + 1)},}`
// What is meant to be seen as it is comes first.
const special = new RegExp(`${spaces}|${emptyLines}|\\r?\\n|\\t|${unseen}`, 'gu')

/** A text of somebody else's, with all of it to be seen: what has no shape is named, and long gaps are counted. */
export function visible(text: string): Html {
  const parts: Html[] = []
  let from = 0
  for (const { 0: found, index } of text.matchAll(special)) {
    const shown = markOf(found)
    if (shown === null) continue
    const isLines = found.length > 1 && found.startsWith('\n')
    const gap = isLines ? '\n' : ''
    parts.push(html`${text.slice(from, index)}${gap}<span class="mark">${shown}</span>${gap}`)
    from = index + found.length
  }
  return html`${parts}${text.slice(from)}`
}

/** The same in a line of its own direction. */
export function line(text: string): Html {
  return html`<bdi>${visible(text)}</bdi>`
}

/** A time, in words about now and as a date in UTC. */
export function when(atMs: number, nowMs: number): Html {
  return html`${relative(atMs, nowMs)} <span class="muted">(${absolute(atMs)})</span>`
}

/** A date in UTC, such as `31 Jan 2030, 12:03 UTC`. */
export function absolute(atMs: number): Html {
  const date = new Date(Math.min(atMs, 8.64e15))
  const text = `${String(date.getUTCDate())} ${months[date.getUTCMonth()] ?? ''} ${String(date.getUTCFullYear())}, ${date.toISOString().slice(11, 16)} UTC`
  return html`<time datetime="${date.toISOString()}">${text}</time>`
}

/** The same without the day where that is today's, for what is near. */
export function clock(atMs: number, nowMs: number): Html {
  const iso = new Date(Math.min(atMs, 8.64e15)).toISOString()
  if (iso.slice(0, 10) !== new Date(nowMs).toISOString().slice(0, 10)) return absolute(atMs)
  return html`<time datetime="${iso}">${iso.slice(11, 16)} UTC</time>`
}

/** How far a time is from now: `in 5 minutes`, `2 hours ago`. */
export function relative(atMs: number, nowMs: number): string {
  const text = span(Math.abs(atMs - nowMs))
  if (text === null) return 'now'
  return atMs > nowMs ? `in ${text}` : `${text} ago`
}

/** A length of time in words, such as `5 minutes`; null below a second. */
export function span(lengthMs: number): string | null {
  const seconds = Math.floor(lengthMs / 1_000)
  if (seconds < 1) return null
  if (seconds < 60) return counted(seconds, 'second')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 90) return counted(minutes, 'minute')
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? counted(hours, 'hour') : counted(Math.floor(hours / 24), 'day')
}

/** A number and its noun. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A number as people read it. */
export function number(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function markOf(found: string): string | null {
  if (found === '\n' || found === '\r\n' || found === '\t') return null
  if (found.startsWith('\n')) return `${counted(found.split('\n').length - 2, 'empty line')} left out here`
  if (found.startsWith(' ') || found.startsWith('\t')) return counted(found.length, 'space')
  return `U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
