import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PosternError } from '../core/errors.ts'
import { newGatewayId } from '../core/ids.ts'
import { genesis, type Entry } from './entry.ts'
import { openJournal, type Journal, type JournalOptions } from './journal.ts'
import { hashLine } from './line-buffer.ts'
import { listSegments } from './segments.ts'
import { verifyJournal, type VerifyReport } from './verify.ts'

/** The key that journals of tests are signed with. */
export const signingKey = generateKeyPairSync('ed25519').privateKey
export const publicKey = createPublicKey(signingKey)

/**
 * Runs `use` with the path of a directory to be made, which is removed afterwards; `in: 'memory'` is for tests that open
 * and close hundreds of journals and would otherwise mostly wait for the disk.
 */
export async function withDirectory(
  use: (directory: string) => Promise<void>,
  options: { in: 'memory' | 'disk' } = { in: 'disk' },
): Promise<void> {
  const base = options.in === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const root = mkdtempSync(join(base, 'postern-journal-'))
  try {
    await use(join(root, 'journal'))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

export function openForTest(directory: string, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({ directory, durability: 'process', signingKey, gatewayId: newGatewayId(), ...options })
}

/** Commits and gives what the commit was told. */
export function recorded(journal: Journal): Promise<PosternError | null> {
  return new Promise((resolve) => journal.commit(resolve))
}

/** Appends an intent and its outcome as a gateway would. */
export function appendStatement(journal: Journal, sql: string): number {
  const intent = journal.append(
    'intent',
    `"kind":"SELECT","sql":${JSON.stringify(sql)}`,
    Buffer.from('"session":"s_1"'),
  )
  journal.append('outcome', `"intent":${intent},"outcome":"completed","tag":"SELECT 1","rows":1`)
  return intent
}

/** Writes a journal of `statements` statements and closes it. */
export async function writeJournal(
  directory: string,
  statements: number,
  options: Partial<JournalOptions> = {},
): Promise<void> {
  const journal = await openForTest(directory, options)
  for (let index = 0; index < statements; index += 1) {
    appendStatement(journal, `SELECT ${index}`)
    if (index % 5 === 0) await recorded(journal)
  }
  await journal.close()
}

/** All entries of all segments, in order. */
export function entriesIn(directory: string): Entry[] {
  return linesIn(directory).map((line) => JSON.parse(line) as Entry)
}

export function linesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return listSegments(directory).flatMap(({ path }) => readFileSync(path, 'utf8').split('\n').slice(0, -1))
}

export function verify(directory: string): VerifyReport {
  return verifyJournal(directory, { publicKeys: [publicKey] })
}

/** Links lines anew, as someone would who may write the files and has no key; `from` is what the first links to. */
export function chainAnew(lines: readonly string[], options: { keepsHead?: boolean; from?: string } = {}): string {
  let prev = options.from ?? genesis
  let text = ''
  for (const line of lines) {
    let linked = line.replace(/"prev":"[^"]*"/, `"prev":"${prev}"`)
    if (options.keepsHead !== true) linked = linked.replace(/"head":"[^"]*"/, `"head":"${prev}"`)
    prev = hashLine(Buffer.from(`${linked}\n`))
    text += `${linked}\n`
  }
  return text
}

/** Waits until `holds`, looking every few milliseconds; fails after ten seconds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = Date.now() + 10_000
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`waited too long: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
