import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Entry } from './entry.ts'
import { hashLine } from './line-buffer.ts'
import { listSegments, segmentName } from './segments.ts'
import {
  appendStatement,
  chainAnew,
  openForTest,
  publicKey,
  recorded,
  verify,
  withDirectory,
  writeJournal,
} from './testing.ts'
import { verifyJournal, type Problem } from './verify.ts'

const first = segmentName(1)

/** Writes a journal of one segment with a checkpoint every ten entries, changes its lines, and verifies it. */
async function afterChange(change: (lines: string[]) => string[]): Promise<Problem | null> {
  let problem: Problem | null = null
  await withDirectory(async (directory) => {
    await writeJournal(directory, 20, { checkpointEntries: 10 })
    const path = join(directory, first)
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    writeFileSync(
      path,
      change(lines)
        .map((line) => `${line}\n`)
        .join(''),
    )
    problem = verify(directory).problem
  })
  return problem
}

void test('an untouched journal is intact, down to its last signature', async () => {
  assert.equal(await afterChange((lines) => lines), null)
})

void test('any single changed bit is found, and the entry it is in is named', async () => {
  await withDirectory(
    async (directory) => {
      await writeJournal(directory, 3)
      const path = join(directory, first)
      const bytes = readFileSync(path)
      let line = 1
      for (let offset = 0; offset < bytes.length; offset += 1) {
        const byte = bytes[offset] ?? 0
        const damaged = Buffer.from(bytes)
        damaged[offset] = byte ^ (1 << (offset % 8))
        writeFileSync(path, damaged)
        const { problem } = verify(directory)
        assert.ok(problem !== null, `byte ${offset} changed unnoticed`)
        assert.ok(problem.line === line, `byte ${offset} of line ${line}: ${JSON.stringify(problem)}`)
        if (byte === 0x0a) line += 1
      }
    },
    { in: 'memory' },
  )
})

void test('a removed entry is named', async () => {
  const problem = await afterChange((lines) => lines.toSpliced(6, 1))
  assert.partialDeepStrictEqual(problem, {
    kind: 'removed',
    file: first,
    line: 7,
    seq: 7,
    message: 'entry 7 is missing',
  })
  assert.match((await afterChange((lines) => lines.toSpliced(6, 3)))?.message ?? '', /entries 7 to 9 are missing/)
})

void test('two entries that changed places are named', async () => {
  const problem = await afterChange((lines) => lines.toSpliced(6, 2, lines[7] ?? '', lines[6] ?? ''))
  assert.partialDeepStrictEqual(problem, { kind: 'reordered', line: 7, seq: 7 })
})

void test('an entry that was put in twice, or under a changed number, is named', async () => {
  const twice = await afterChange((lines) => lines.toSpliced(6, 0, lines[3] ?? ''))
  assert.partialDeepStrictEqual(twice, { kind: 'reordered', line: 7 })
  const renumbered = await afterChange((lines) => lines.with(6, (lines[6] ?? '').replace('"seq":7', '"seq":9')))
  assert.partialDeepStrictEqual(renumbered, { kind: 'altered', line: 7, seq: 7 })
})

void test('a chain made anew without the key fails at the next checkpoint, however its facts are forged', async () => {
  const alter = (lines: string[]): string[] => lines.with(4, (lines[4] ?? '').replace('SELECT', 'DELETE'))
  const split = (text: string): string[] => text.split('\n').slice(0, -1)
  const forged = await afterChange((lines) => split(chainAnew(alter(lines))))
  assert.equal(forged?.kind, 'signature')
  assert.match(forged.message, /entries 1 to \d+ are not what the gateway signed/)
  const kept = await afterChange((lines) => split(chainAnew(alter(lines), { keepsHead: true })))
  assert.partialDeepStrictEqual(kept, { kind: 'altered' })
  assert.match(kept?.message ?? '', /speaks of another segment or another place/)
})

void test('every fact of the last checkpoint is signed', async () => {
  const changes: [string | RegExp, string][] = [
    ['"open":[]', '"open":[1]'],
    ['"sealed":true', '"sealed":false'],
    [/"gateway":"g_/, '"gateway":"g-'],
    [/"at":"2/, '"at":"1'],
    [/"first":1,/, '"first":2,'],
    [/"last":(\d+)/, '"last":1$1'],
    [/"entries":(\d+)/, '"entries":1$1'],
  ]
  for (const [from, to] of changes) {
    const problem = await afterChange((lines) => lines.with(lines.length - 1, (lines.at(-1) ?? '').replace(from, to)))
    assert.equal(problem?.kind, 'signature', to)
  }
})

void test('an entry that was chained on behind a seal is named', async () => {
  const problem = await afterChange((lines) => {
    const from = hashLine(Buffer.from(`${lines.at(-1) ?? ''}\n`))
    const added = { seq: lines.length + 1, prev: '', at: '2026-11-23T16:27:26.123Z', type: 'prepare' }
    return [...lines, chainAnew([JSON.stringify(added)], { from }).trimEnd()]
  })
  assert.equal(problem?.kind, 'altered')
  assert.match(problem.message, /follows the checkpoint that sealed the segment/)
})

void test('a seal that gave way to an entry is missed, also where no signature follows', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 40, { segmentBytes: 2_000 })
    const [one, two, ...others] = listSegments(directory)
    assert.ok(one !== undefined && two !== undefined)
    for (const { path } of others) unlinkSync(path)
    const lines = readFileSync(one.path, 'utf8').split('\n').slice(0, -1)
    const seal = JSON.parse(lines.at(-1) ?? '') as Entry
    const entry = JSON.stringify({ seq: seal.seq, prev: seal.prev, at: seal.at, type: 'prepare' })
    writeFileSync(one.path, `${lines.with(lines.length - 1, entry).join('\n')}\n`)
    const live = readFileSync(two.path, 'utf8').split('\n').slice(0, -2)
    writeFileSync(two.path, chainAnew(live, { from: hashLine(Buffer.from(`${entry}\n`)) }))
    const problem = verify(directory).problem
    assert.partialDeepStrictEqual(problem, { kind: 'truncated', file: one.name, line: lines.length })
  })
})

void test('a checkpoint moved from elsewhere does not fit, signed or not', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 20, { checkpointEntries: 10 })
    const path = join(directory, first)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace('"sealed":false', '"sealed":true'))
    assert.equal(verify(directory).problem?.kind, 'signature')
    assert.equal(verifyJournal(directory, { publicKeys: [] }).problem?.kind, 'altered')
  })
})

void test('a segment that was cut, at a line or within, is named', async () => {
  for (const [bytes, kind] of [
    [30, 'truncated'],
    [0, 'truncated'],
  ] as const) {
    await withDirectory(async (directory) => {
      await writeJournal(directory, 40, { segmentBytes: 2_000 })
      const target = listSegments(directory)[1]
      assert.ok(target !== undefined)
      const text = readFileSync(target.path)
      const lastLine = text.lastIndexOf(0x0a, text.length - 2) + 1
      truncateSync(target.path, lastLine + bytes)
      assert.partialDeepStrictEqual(verify(directory).problem, { kind, file: target.name })
    })
  }
})

void test('a removed segment is named, whether the first or one in the middle', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 40, { segmentBytes: 2_000 })
    const [one, two, three] = listSegments(directory)
    assert.ok(one !== undefined && two !== undefined && three !== undefined)
    const aside = join(directory, 'aside')
    renameSync(two.path, aside)
    assert.partialDeepStrictEqual(verify(directory).problem, { kind: 'removed', file: three.name, seq: three.firstSeq })
    renameSync(aside, two.path)
    unlinkSync(one.path)
    assert.partialDeepStrictEqual(verify(directory).problem, { kind: 'removed', file: two.name })
    assert.equal(verifyJournal(directory, { publicKeys: [publicKey], mayBeginLater: true }).problem, null)
    copyFileSync(two.path, join(directory, segmentName(two.firstSeq + 1)))
    assert.equal(verifyJournal(directory, { publicKeys: [publicKey], mayBeginLater: true }).problem?.kind, 'reordered')
  })
})

void test('a cut of the unsealed tail at a line shows as an open end, and fails against a noted hash', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 10)
    const { head } = verify(directory)
    assert.ok(head !== null)
    const path = join(directory, first)
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, `${lines.slice(0, 12).join('\n')}\n`)
    const report = verify(directory)
    assert.equal(report.problem, null)
    assert.equal(report.tail, 'open')
    assert.equal(report.signedUpTo, 0)
    const against = { publicKeys: [publicKey], anchor: head }
    assert.equal(verifyJournal(directory, against).problem?.kind, 'truncated')
    const other = { publicKeys: [publicKey], anchor: { seq: 5, hash: 'B'.repeat(43) } }
    assert.partialDeepStrictEqual(verifyJournal(directory, other).problem, { kind: 'anchor', seq: 5 })
  })
})

void test('a torn last line is a problem unless a gateway may be writing it, and a running intent never is', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    appendStatement(journal, 'SELECT 1')
    const running = journal.append('intent', '"sql":"SELECT 2"')
    await recorded(journal)
    const path = join(directory, first)
    appendFileSync(path, '{"seq":4')
    const live = verify(directory)
    assert.equal(live.problem, null)
    assert.equal(live.tail, 'live')
    assert.equal(live.unfinishedBytes, 8)
    assert.deepEqual(live.openIntents, [running])
    rmSync(join(directory, 'journal.lock'))
    assert.partialDeepStrictEqual(verify(directory).problem, { kind: 'truncated', seq: 4 })
    await assert.rejects(journal.close())
  })
})

void test('a signature by a key that was not given is a problem; with no key at all it is counted as unchecked', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 3)
    const other = createPublicKey(generateKeyPairSync('ed25519').privateKey)
    assert.equal(verifyJournal(directory, { publicKeys: [other] }).problem?.kind, 'signature')
    assert.equal(verifyJournal(directory, { publicKeys: [other, publicKey] }).problem, null)
    assert.deepEqual(verifyJournal(directory, { publicKeys: [] }).signatures, { valid: 0, unchecked: 1 })
  })
})

void test('a directory that is not there is said to be so', () => {
  assert.throws(() => verifyJournal('/nonexistent', { publicKeys: [] }), { code: 'input_invalid' })
})
