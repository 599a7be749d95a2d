import { matches } from './detection.ts'
import type { Detection } from './detection.ts'

/*
 * Every pattern begins at a boundary and none of its parts can match what the part behind it begins with, so that a
 * hostile text costs one look at each character.
 */
const forms: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: 'AWS key id', pattern: /(?<![\w-])(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?![A-Za-z0-9])/gu },
  { what: 'GitHub token', pattern: /(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})(?!\w)/gu },
  { what: 'GitLab token', pattern: /(?<![\w-])gl(?:pat|dt|rt|ptt)-[\w-]{20,255}/gu },
  { what: 'Stripe key', pattern: /(?<![\w-])(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,255}/gu },
  { what: 'Slack token', pattern: /(?<![\w-])xox[a-z]-[A-Za-z0-9-]{10,255}/gu },
  { what: 'Slack webhook', pattern: /(?<!\w)hooks\.slack\.com\/services\/[A-Za-z0-9/]{20,255}/gu },
  { what: 'Google key', pattern: /(?<![\w-])(?:AIza[\w-]{35}|ya29\.[\w-]{20,2048}|GOCSPX-[\w-]{20,64})/gu },
  {
    what: 'API key',
    pattern: /(?<![\w-])(?:sk-[\w-]{20,255}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{16,64}\.[\w-]{16,64})(?!\w)/gu,
  },
  { what: 'JSON web token', pattern: /(?<![\w-])eyJ[\w-]{8,2048}\.[\w-]{8,12288}(?:\.[\w-]{0,2048})?/gu },
  { what: 'bcrypt hash', pattern: /(?<![\w$])\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}/gu },
  { what: 'Argon2 hash', pattern: /(?<![\w$])\$argon2(?:id|i|d)\$[\w=,$+/.-]{20,255}/gu },
  { what: 'scrypt hash', pattern: /(?<![\w$])\$(?:scrypt|s0|7)\$[\w=,$+/.-]{20,255}/gu },
  { what: 'crypt hash', pattern: /(?<![\w$])\$[156y]\$[\w=,./]{1,64}\$[\w./$]{22,128}/gu },
  { what: 'PBKDF2 hash', pattern: /(?<![\w$])pbkdf2_sha\d{1,3}\$\d{1,9}\$[\w./+=-]{1,64}\$[\w./+=-]{20,128}/gu },
  {
    what: 'SCRAM secret',
    pattern: /(?<!\w)SCRAM-SHA-\d{1,3}\$\d{1,9}:[\w+/=]{8,64}\$[\w+/=]{20,128}:[\w+/=]{20,128}/gu,
  },
  { what: 'PostgreSQL MD5 password', pattern: /(?<!\w)md5[0-9a-f]{32}(?!\w)/gu },
]

/** Keys, tokens, password hashes and passwords in addresses. */
export function* findSecrets(text: string): Generator<Detection> {
  for (const { what, pattern } of forms) {
    yield* matches(text, pattern, (match, start) => ({
      kind: 'secret',
      end: start + match.length,
      certainty: 'certain',
      what,
    }))
  }
  yield* findPrivateKeys(text)
  yield* findUrlPasswords(text)
  yield* findNamedSecrets(text)
}

function* findPrivateKeys(text: string): Generator<Detection> {
  let from = 0
  for (const { 0: head, index } of text.matchAll(/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/gu)) {
    if (index < from) continue
    const foot = text.indexOf('-----END ', index + head.length)
    const close = foot === -1 ? -1 : text.indexOf('-----', foot + 9)
    // A key that was cut off is a key to where the text ends.
    from = close === -1 ? text.length : close + 5
    yield { kind: 'secret', start: index, end: from, certainty: 'certain', what: 'private key' }
  }
}

/** `scheme://user:password@host`: the password alone. */
function* findUrlPasswords(text: string): Generator<Detection> {
  for (const found of text.matchAll(/:\/\/[^\s:@/'"]{0,100}:(?=([^\s@/'"]{1,200})@)/gu)) {
    const start = found.index + found[0].length
    const end = start + (found[1] ?? '').length
    yield { kind: 'secret', start, end, certainty: 'certain', what: 'password in an address' }
  }
}

const named =
  /(?<![A-Za-z])(password|passwd|passphrase|pwd|secret|api[ _-]?key|access[ _-]?key|secret[ _-]?key|private[ _-]?key|auth[ _-]?token|access[ _-]?token|refresh[ _-]?token|client[ _-]?secret|token|bearer|basic)(\\?["']?[ \t]{0,3}(?::=|[:=])[ \t]{0,3}\\?["']?|[ \t]{1,3})([^\s"',;\\&<>()[\]{}]{4,512})/giu

/** What stands behind a word such as `password:` or `Bearer`, and looks like one. */
function findNamedSecrets(text: string): readonly Detection[] {
  const all: Detection[] = []
  named.lastIndex = 0
  for (let found = named.exec(text); found !== null; found = named.exec(text)) {
    const [whole, word = '', link = '', value = ''] = found
    const end = found.index + whole.length
    const isLinked = /[:=]/u.test(link)
    const isPassword =
      /^(?:pass|pwd)/iu.test(word) && isLinked && !/^(?:null|none|true|false|\$\d+|\*+|%s|\?)$/iu.test(value)
    if (isPassword || (isLinked || /^(?:bearer|basic)$/iu.test(word) ? isRandom(value, 8) : isRandom(value, 16))) {
      const certainty = isRandom(value, 16) ? 'certain' : 'likely'
      all.push({ kind: 'secret', start: end - value.length, end, certainty, what: 'secret that is named so' })
    } else {
      // What follows may be such a word itself: `token: Bearer ...`.
      named.lastIndex = found.index + word.length
    }
  }
  return all
}

/** Whether a word is of the kind that machines make: long, of several sorts of characters, with hardly a repetition. */
export function isRandom(text: string, charsMin: number): boolean {
  if (text.length < charsMin || !/^[\w+/=.~!@#$%^*-]+$/u.test(text)) return false
  const sorts = [/[a-z]/u, /[A-Z]/u, /\d/u].filter((sort) => sort.test(text)).length
  if (sorts < 2 || !/\d/u.test(text)) return false
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const bits = [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  )
  return bits >= Math.min(3, Math.log2(text.length) * 0.8)
}
