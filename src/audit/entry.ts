/** What an entry tells. The members of each type are listed in docs/reference/journal.md. */
export const entryTypes = [
  'gateway_started',
  'gateway_stopped',
  'policy_loaded',
  'policy_refused',
  'classification_loaded',
  'classification_derived',
  'session_started',
  'session_ended',
  'login_failed',
  'intent',
  'prepare',
  'outcome',
  'refusal',
  'cancel',
  'request_opened',
  'request_answered',
  'request_closed',
  'grant_started',
  'grant_extended',
  'grant_ended',
  'grant_reviewed',
  'token_issued',
  'token_ended',
  'principal_revoked',
  'checkpoint',
  'recovered',
  'journal_recovered',
] as const
/** The name of one type of entry. */
export type EntryType = (typeof entryTypes)[number]

/** `prev` of the very first entry: 32 zero bytes in base64url. */
export const genesis = 'A'.repeat(43)

/** A line longer than this is neither written nor read. The gateway's own bounds keep lines far below it. */
export const lineBytesMax = 64 * 1024 * 1024

/** One entry as read back: the four members that every entry has, and whatever its type adds. */
export interface Entry {
  readonly seq: number
  readonly prev: string
  readonly at: string
  readonly type: string
  readonly [member: string]: unknown
}

const knownTypes: ReadonlySet<string> = new Set(entryTypes)

/** Reads one line (with or without its line feed) as an entry; null where it is not one. */
export function parseEntry(line: Buffer): Entry | null {
  let value: unknown
  try {
    value = JSON.parse(line.toString('utf8'))
  } catch {
    // Not JSON is an answer here, not a failure: the caller says what it means at this place.
    return null
  }
  return isEntry(value) ? value : null
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false
  const { seq, prev, at, type } = value as Partial<Entry>
  return (
    typeof seq === 'number' &&
    Number.isSafeInteger(seq) &&
    seq > 0 &&
    typeof prev === 'string' &&
    typeof at === 'string' &&
    typeof type === 'string' &&
    knownTypes.has(type)
  )
}
