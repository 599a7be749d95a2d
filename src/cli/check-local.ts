import { X509Certificate } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { loadOrCreateSigningKey } from '../audit/key.ts'
import { isLocked } from '../audit/lock.ts'
import { readClassificationText, parseClassificationFile } from '../classification/file.ts'
import { loadMemory } from '../classification/memory.ts'
import type { Config, DatabaseConfig, ListenConfig } from '../config.ts'
import { toPosternError } from '../core/errors.ts'
import { loadPolicySet } from '../policy/policy.ts'
import type { CheckResult } from './check.ts'

const dayMs = 24 * 60 * 60 * 1_000
const warnBeforeDays = 21
const freeBytesMin = 1024 * 1024 * 1024

/** The gateway's certificate: whether clients that verify it will take it, and for how long. */
export function checkCertificate({ tls }: Pick<ListenConfig, 'tls'>, nowMs: number, what = 'certificate'): CheckResult {
  if (tls === null) {
    const found = 'none: clients on this machine send their tokens in the clear'
    return { what, status: 'warning', found, remedy: 'For anything but trying things out, set `listen.tls`.' }
  }
  const certificate = new X509Certificate(tls.certificate)
  const from = certificate.validFromDate.getTime()
  const until = certificate.validToDate.getTime()
  const names = (certificate.subjectAltName ?? '').replaceAll(/(?:DNS|IP Address):/gu, '')
  const failed = (found: string, remedy: string) => ({ what, status: 'failed', found, remedy }) as const
  if (until <= nowMs) {
    return failed(
      `${tls.certificateFile} expired on ${day(until)}`,
      'Replace it; the gateway takes up the new one by itself.',
    )
  }
  if (from > nowMs)
    return failed(`${tls.certificateFile} is not valid before ${day(from)}`, 'Check the clock, or wait.')
  if (names === '') {
    const found = `${tls.certificateFile} names no host (subjectAltName), so clients that verify it refuse it`
    return failed(found, 'Have it issued anew with the DNS name that clients connect to.')
  }
  const found = `${tls.certificateFile} is for ${names}, until ${day(until)}`
  const isEnding = until - nowMs < warnBeforeDays * dayMs
  return { what, status: isEnding ? 'warning' : 'ok', found, remedy: isEnding ? 'Renew it in time.' : null }
}

/** The policies: whether they load, and whether they name databases that there are. */
export async function checkPolicies(config: Config): Promise<CheckResult> {
  const what = 'policies'
  try {
    const set = await loadPolicySet(config.policies)
    const named = new Set([...(set.vocabulary.entities.get('Database') ?? []), ...set.vocabulary.schemas.keys()])
    const unknown = [...named].filter((name) => !config.databases.has(name))
    const odd = [
      ...set.warnings,
      ...unknown.map((name) => `they name the database "${name}", which the configuration does not have`),
    ]
    const found = `${config.policies}: ${String(set.policies.length)} policies, hash ${set.hash.slice(0, 12)}`
    if (odd.length === 0) return { what, status: 'ok', found, remedy: null }
    const remedy = 'A policy about a name that does not exist permits and forbids nothing.'
    return { what, status: 'warning', found: [found, ...odd].join('\n'), remedy }
  } catch (thrown) {
    return failure(what, thrown)
  }
}

/** The classifications: whether they can be used, and with them what the gateway remembers of them. */
export function checkClassifications({ databases, masking }: Config): readonly CheckResult[] {
  return [...databases.values()].flatMap((database) =>
    database.classification === null ? [] : [checkClassification(database, database.classification, masking.state)],
  )
}

function checkClassification({ name }: DatabaseConfig, path: string, state: string): CheckResult {
  const what = `classification of ${name}`
  try {
    const file = parseClassificationFile(readClassificationText(path), path)
    loadMemory(state, name)
    let tagged = 0
    let untagged = 0
    for (const columns of file.columns.values()) {
      for (const tags of columns.values()) {
        if (tags.length > 0) tagged += 1
        else untagged += 1
      }
    }
    const found = `${path}: ${String(file.tags.size)} tags; it lists ${String(tagged)} columns with tags, ${String(untagged)} with none`
    return { what, status: 'ok', found, remedy: null }
  } catch (thrown) {
    return failure(what, thrown)
  }
}

/** The journal: whether it can be written and signed. Nothing is created. */
export async function checkJournal(journal: Config['journal']): Promise<readonly CheckResult[]> {
  return [await checkJournalFolder(journal.directory), await checkSigningKey(journal.signingKey)]
}

async function checkJournalFolder(directory: string): Promise<CheckResult> {
  const what = 'journal'
  const existing = nearestExisting(directory)
  try {
    await access(existing, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = await statfs(existing)
    const free = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free`
    const state = existing === directory ? '' : ', made at the first start'
    const use = existing === directory && isLocked(directory) ? ', in use by a gateway that runs' : ''
    const found = `${directory}${state}${use}, ${free}`
    const isFull = bavail * bsize < freeBytesMin
    const remedy = isFull ? 'Make room: statements are refused when the journal cannot be written.' : null
    return { what, status: isFull ? 'warning' : 'ok', found, remedy }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const found = `${directory} cannot be written by this account: ${why}`
    const remedy = 'Give the folder to the account that runs the gateway; nothing runs unrecorded.'
    return { what, status: 'failed', found, remedy }
  }
}

async function checkSigningKey(file: string): Promise<CheckResult> {
  const what = 'signing key'
  try {
    if (existsSync(file)) {
      // Creates nothing, since the file is there.
      loadOrCreateSigningKey(file)
      return { what, status: 'ok', found: file, remedy: null }
    }
    await access(nearestExisting(dirname(file)), constants.W_OK | constants.X_OK)
    return { what, status: 'ok', found: `${file}, made at the first start`, remedy: null }
  } catch (thrown) {
    return failure(what, thrown)
  }
}

/** A failed check from whatever was thrown. */
export function failure(what: string, thrown: unknown): CheckResult {
  const { message, detail, hint, cause, code } = toPosternError(thrown)
  const reason = code === 'internal' && cause instanceof Error ? cause.message : message
  return { what, status: 'failed', found: detail === undefined ? reason : `${reason}\n${detail}`, remedy: hint ?? null }
}

/** The path, or the nearest folder above it that is there. */
export function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
