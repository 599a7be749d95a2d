import { isIPv6 } from 'node:net'
import { matches } from './detection.ts'
import type { Detection } from './detection.ts'

const localChars = /[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]/u
const domainChars = /[\p{L}\p{N}.-]/u
const localCharsMax = 64
const domainCharsMax = 253
// What follows the last point of a file's name; none of them is a top-level domain that mail goes to.
const fileEndings = new Set(['png', 'jpg', 'jpeg', 'gif', 'svg', 'webp', 'css', 'js', 'ts', 'json', 'html', 'pdf'])

/** E-mail addresses, found from their `@` outwards. */
export function* findEmails(text: string): Generator<Detection> {
  let free = 0
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const start = localStart(text, at, free)
    const end = domainEnd(text, at + 1)
    if (start === at || end === null) continue
    // The address of a repository, such as git@host.example:path.
    if (text.slice(start, at) === 'git' && text[end] === ':') continue
    yield { kind: 'email', start, end, certainty: 'certain', what: 'e-mail address' }
    free = end
  }
}

function localStart(text: string, at: number, from: number): number {
  let start = at
  while (start > from && at - start < localCharsMax && localChars.test(text[start - 1] ?? '')) start -= 1
  // What quotes an address is not part of it, although the standard would allow it.
  while (start < at && /[.'`{=/|!?*&#$%^~]/u.test(text[start] ?? '')) start += 1
  return /[.]/u.test(text[at - 1] ?? '') ? at : start
}

function domainEnd(text: string, from: number): number | null {
  let end = from
  while (end < text.length && end - from < domainCharsMax && domainChars.test(text[end] ?? '')) end += 1
  while (end > from && /[.-]/u.test(text[end - 1] ?? '')) end -= 1
  const labels = text.slice(from, end).split('.')
  const last = labels.at(-1) ?? ''
  const isDomain =
    labels.length > 1 &&
    labels.every((label) => label.length > 0 && label.length <= 63 && !label.startsWith('-') && !label.endsWith('-'))
  if (!isDomain || !/^(?:\p{L}{2,24}|xn--[a-z0-9-]+)$/iu.test(last) || fileEndings.has(last.toLowerCase())) return null
  return end
}

/** IPv4 and IPv6 addresses, but for those that stand for this machine or for none. */
export function* findIps(text: string): Generator<Detection> {
  yield* matches(text, /(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)/gu, (match, start) => {
    const parts = match.split('.').map(Number)
    if (parts.some((part) => part > 255) || /(?:^|\.)0\d/u.test(match)) return null
    if (/^(?:0|127|255)\./u.test(match)) return null
    return { kind: 'ip', end: start + match.length, certainty: 'likely', what: 'IP address' }
  })
  yield* matches(text, /(?<![\w:.])(?=[^:]{0,4}:)[0-9A-Fa-f:]{4,45}(?:\.\d{1,3}){0,3}(?![\w])/gu, (match, start) => {
    const address = match.replace(/(?<!:):$/u, '')
    const isGlobal = /^(?:fe80|f[cd][0-9a-f]{2}|2[0-9a-f]{3}):/iu.test(address)
    if (!isIPv6(address) || (!isGlobal && (address.match(/:/gu)?.length ?? 0) < 4)) return null
    return { kind: 'ip', end: start + address.length, certainty: 'likely', what: 'IPv6 address' }
  })
}

/** Hardware addresses of six octets. */
export function* findMacs(text: string): Generator<Detection> {
  const pattern = /(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])/gu
  yield* matches(text, pattern, (match, start) => {
    if (/^(?:00.){5}00$|^(?:ff.){5}ff$/iu.test(match)) return null
    return { kind: 'mac', end: start + match.length, certainty: 'likely', what: 'MAC address' }
  })
}
