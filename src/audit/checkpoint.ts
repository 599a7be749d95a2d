import { sign, verify, type KeyObject } from 'node:crypto'
import type { GatewayId } from '../core/ids.ts'
import type { ChainHead } from './line-buffer.ts'
import type { Entry } from './entry.ts'
import { keyIdOf } from './key.ts'
import { encodeMembers } from './members.ts'

/** What a checkpoint states about the segment up to the entry before it. */
export interface CheckpointFacts {
  /** Whether it is the last line of its segment. */
  readonly sealed: boolean
  readonly first: number
  readonly last: number
  readonly entries: number
  /** The hash of entry `last`. */
  readonly head: string
  readonly gateway: string
  /** The id of the public key that the signature is checked with. */
  readonly key: string
  /** Intents, of this or earlier segments, that have no outcome yet. */
  readonly open: readonly number[]
}

/** Signs checkpoints of one gateway with one key. */
export class CheckpointSigner {
  readonly #key: KeyObject
  readonly #keyId: string
  readonly #gatewayId: GatewayId

  constructor(key: KeyObject, gatewayId: GatewayId) {
    this.#key = key
    this.#keyId = keyIdOf(key)
    this.#gatewayId = gatewayId
  }

  /** The members of a checkpoint entry that follows `head` and carries the time `atMs`. */
  members(options: { sealed: boolean; first: number; head: ChainHead; open: Iterable<number>; atMs: number }): string {
    const facts: CheckpointFacts = {
      sealed: options.sealed,
      first: options.first,
      last: options.head.seq,
      entries: options.head.seq - options.first + 1,
      head: options.head.hash,
      gateway: this.#gatewayId,
      key: this.#keyId,
      open: [...options.open],
    }
    const text = canonicalText(options.head.seq + 1, new Date(options.atMs).toISOString(), facts)
    const signature = sign(null, Buffer.from(text, 'utf8'), this.#key).toString('base64url')
    return encodeMembers({ ...facts, signature })
  }
}

/** The text that is signed: one fact a line, in this order (docs/reference/journal.md). */
function canonicalText(seq: number, at: string, facts: CheckpointFacts): string {
  return [
    'postern-journal-checkpoint-v1',
    `seq=${seq}`,
    `at=${at}`,
    `gateway=${facts.gateway}`,
    `key=${facts.key}`,
    `sealed=${facts.sealed}`,
    `first=${facts.first}`,
    `last=${facts.last}`,
    `entries=${facts.entries}`,
    `head=${facts.head}`,
    `open=${facts.open.join(',')}`,
    '',
  ].join('\n')
}

/** Reads the facts of a checkpoint entry; null where one is missing or of the wrong type. */
export function readCheckpoint(entry: Entry): CheckpointFacts | null {
  const { sealed, first, last, entries, head, gateway, key, open } = entry as Partial<CheckpointFacts>
  if (typeof sealed !== 'boolean' || typeof head !== 'string') return null
  if (typeof gateway !== 'string' || typeof key !== 'string') return null
  if (!isNumber(first) || !isNumber(last) || !isNumber(entries)) return null
  if (!Array.isArray(open) || !open.every(isNumber)) return null
  return { sealed, first, last, entries, head, gateway, key, open }
}

/**
 * Whether the facts speak of the very place where the checkpoint stands, in the segment that begins with `firstSeq`.
 * Only this ties the signature to the chain: the signed `head` must be the hash that the line links back to.
 */
export function fitsItsPlace(entry: Entry, facts: CheckpointFacts, firstSeq: number): boolean {
  return (
    facts.first === firstSeq &&
    facts.last === entry.seq - 1 &&
    facts.entries === entry.seq - firstSeq &&
    facts.head === entry.prev
  )
}

/** Whether the entry's signature over its facts was made with the private half of `publicKey`. */
export function hasValidSignature(entry: Entry, facts: CheckpointFacts, publicKey: KeyObject): boolean {
  const signature = entry['signature']
  if (typeof signature !== 'string') return false
  const text = canonicalText(entry.seq, entry.at, facts)
  return verify(null, Buffer.from(text, 'utf8'), publicKey, Buffer.from(signature, 'base64url'))
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value)
}
