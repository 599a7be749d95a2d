import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { PosternError } from '../core/errors.ts'
import { newGatewayId } from '../core/ids.ts'
import { openJournal } from './journal.ts'
import { loadOrCreateSigningKey } from './key.ts'
import { listSegments, segmentName } from './segments.ts'
import {
  appendStatement,
  chainAnew,
  entriesIn,
  openForTest,
  recorded,
  verify,
  withDirectory,
  writeJournal,
} from './testing.ts'
import { verifyJournal } from './verify.ts'

const inMemory = { in: 'memory' } as const

/** The bytes of a journal's one segment as a killed gateway leaves it: without the checkpoint that seals it. */
async function unsealed(directory: string, statements: number): Promise<Buffer> {
  await writeJournal(directory, statements)
  const bytes = readFileSync(join(directory, segmentName(1)))
  return bytes.subarray(0, bytes.lastIndexOf(0x0a, bytes.length - 2) + 1)
}

void test('wherever the file ends within its last lines, all whole entries stay and the journal goes on', async () => {
  await withDirectory(async (root) => {
    const bytes = await unsealed(join(root, 'original'), 3)
    const from = bytes.subarray(0, -1).lastIndexOf(0x0a, bytes.length * 0.8)
    for (let length = from; length <= bytes.length; length += 1) {
      const directory = join(root, `cut-${length}`)
      mkdirSync(directory)
      const kept = bytes.subarray(0, length)
      writeFileSync(join(directory, segmentName(1)), kept)
      const whole = kept.lastIndexOf(0x0a) + 1
      const journal = await openForTest(directory)
      const torn = kept.subarray(whole)
      assert.deepEqual(
        journal.recovered.cut,
        torn.length === 0
          ? null
          : { segment: segmentName(1), bytes: torn.length, sha256: createHash('sha256').update(torn).digest('hex') },
      )
      appendStatement(journal, 'SELECT 9')
      await journal.close()
      assert.equal(verify(directory).problem, null, `cut at ${length}`)
      assert.equal(verify(directory).openIntentCount, 0)
      assert.ok(
        readFileSync(join(directory, segmentName(1)))
          .subarray(0, whole)
          .equals(bytes.subarray(0, whole)),
      )
      assert.partialDeepStrictEqual(
        entriesIn(directory).find((entry) => entry.type === 'recovered'),
        { cutBytes: torn.length },
      )
    }
  }, inMemory)
})

void test('random appends, commits, rotations and cuts of the tail always leave a journal that verifies', async () => {
  const step = fc.oneof(
    fc.record({ sql: fc.string({ unit: 'grapheme', maxLength: 60 }), hasOutcome: fc.boolean(), commits: fc.boolean() }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ steps: fc.array(step, { maxLength: 15 }), cutBytes: fc.nat(600), closes: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
      async (runs) => {
        await withDirectory(async (directory) => {
          for (const run of runs) {
            const journal = await openForTest(directory, { segmentBytes: 1_500, checkpointEntries: 7 })
            const before = entriesIn(directory).length
            for (const { sql, hasOutcome, commits } of run.steps) {
              const intent = journal.append('intent', `"sql":${JSON.stringify(sql)}`)
              if (hasOutcome) journal.append('outcome', `"intent":${intent},"outcome":"completed"`)
              if (commits) assert.equal(await recorded(journal), null)
            }
            await journal.close()
            const after = entriesIn(directory)
            assert.equal(
              after.filter((entry, index) => index >= before && typeof entry['sql'] === 'string').length,
              run.steps.length,
            )
            const last = listSegments(directory).at(-1)
            if (!run.closes && last !== undefined) {
              // As if killed: the seal and something before it never reached the file.
              const bytes = readFileSync(last.path)
              truncateSync(last.path, Math.max(0, bytes.length - run.cutBytes))
            }
          }
          await (await openForTest(directory)).close()
          const report = verify(directory)
          assert.equal(report.problem, null, report.problem?.message)
          assert.equal(report.openIntentCount, 0)
        }, inMemory)
      },
    ),
    { numRuns: 40 },
  )
})

void test('every intent without an outcome is given the outcome unknown, also one from an earlier segment', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { segmentBytes: 1_000 })
    const long = journal.append('intent', '"sql":"SELECT pg_sleep(3600)"')
    await recorded(journal)
    for (let index = 0; index < 20; index += 1) {
      appendStatement(journal, `SELECT ${index}`)
      await recorded(journal)
    }
    const second = journal.append('intent', '"sql":"SELECT 2"')
    await journal.close()
    assert.ok(listSegments(directory).length > 2)

    const again = await openForTest(directory)
    assert.deepEqual(again.recovered.unknownIntents, [long, second])
    await again.close()
    const unknown = entriesIn(directory).filter((entry) => entry['outcome'] === 'unknown')
    assert.deepEqual(
      unknown.map((entry) => entry['intent']),
      [long, second],
    )
    const third = await openForTest(directory)
    assert.deepEqual(third.recovered.unknownIntents, [])
    await third.close()
    assert.equal(verify(directory).problem, null)
  })
})

void test('blocks that the file system never filled are cut like a torn line', async () => {
  for (const tail of [Buffer.alloc(5_000), Buffer.concat([Buffer.alloc(4_096), Buffer.from('nd of a line"}\n')])]) {
    await withDirectory(async (directory) => {
      const bytes = await unsealed(directory, 2)
      writeFileSync(join(directory, segmentName(1)), Buffer.concat([bytes, tail]))
      const journal = await openForTest(directory)
      assert.equal(journal.recovered.cut?.bytes, tail.length)
      await journal.close()
      assert.equal(verify(directory).problem, null)
    })
  }
})

void test('a chain that is broken before its end is refused with what to do, and left untouched', async () => {
  const damages: Record<string, (bytes: Buffer) => Buffer> = {
    'a changed byte': (bytes) => Buffer.from(bytes.toString().replace('SELECT 1', 'SELECT 7')),
    'zeros with entries after them': (bytes) => Buffer.from(bytes).fill(0, 300, 320),
    'a whole line of other text at the end': (bytes) => Buffer.concat([bytes, Buffer.from('hello\n')]),
    'an entry that does not belong': (bytes) => Buffer.concat([bytes, bytes.subarray(0, bytes.indexOf(0x0a) + 1)]),
  }
  for (const [what, damage] of Object.entries(damages)) {
    await withDirectory(async (directory) => {
      const damaged = damage(await unsealed(directory, 6))
      const path = join(directory, segmentName(1))
      writeFileSync(path, damaged)
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await assert.rejects(
          openForTest(directory),
          (error: PosternError) => error.code === 'journal_unavailable' && /audit verify/.test(error.hint ?? ''),
          what,
        )
      }
      assert.ok(readFileSync(path).equals(damaged), what)
    })
  }
})

void test('a live segment that was chained anew without the key is refused at its checkpoint', async () => {
  for (const [keepsHead, why] of [
    [false, /signature is wrong/],
    [true, /speaks of another place/],
  ] as const) {
    await withDirectory(async (directory) => {
      const journal = await openForTest(directory, { checkpointEntries: 4 })
      for (let index = 0; index < 8; index += 1) {
        appendStatement(journal, `SELECT ${index}`)
        await recorded(journal)
      }
      await journal.close()
      const path = join(directory, segmentName(1))
      const lines = readFileSync(path, 'utf8').replace('SELECT 0', 'SELECT 9').split('\n').slice(0, -2)
      writeFileSync(path, chainAnew(lines, { keepsHead }))
      await assert.rejects(openForTest(directory), why)
    })
  }
})

void test('a journal whose older segments were archived goes on, and one whose last link is missing does not', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 30, { segmentBytes: 1_500 })
    const [, second] = listSegments(directory)
    const last = listSegments(directory).at(-1)
    assert.ok(second !== undefined && last !== undefined && second.path !== last.path)
    appendFileSync(listSegments(directory).at(-2)?.path ?? '', 'x\n')
    await assert.rejects(openForTest(directory), { code: 'journal_unavailable' })
  })
})

void test('a key of another kind is a bug of the caller', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await withDirectory(async (directory) => {
    await assert.rejects(
      openJournal({ directory, durability: 'process', signingKey: privateKey, gatewayId: newGatewayId() }),
      TypeError,
    )
  })
})

for (const durability of ['process', 'disk'] as const) {
  void test(`nothing that was acknowledged is lost when the process is killed (${durability})`, async () => {
    await withDirectory(async (directory) => {
      // The writer signs with the same key, as a gateway does that is started again.
      const key = loadOrCreateSigningKey(keyFileOf(directory))
      let acknowledgedInAll = 0
      for (const delayMs of [15, 60, 120]) {
        const acknowledged = await writeUntilKilled(directory, { durability, delayMs })
        acknowledgedInAll += acknowledged.length
        const intents = new Set(
          entriesIn(directory)
            .filter((entry) => entry.type === 'intent')
            .map((entry) => entry.seq),
        )
        for (const seq of acknowledged) assert.ok(intents.has(seq), `intent ${seq} was acknowledged and is not there`)
        await (await openForTest(directory, { signingKey: key })).close()
        const report = verifyJournal(directory, { publicKeys: [createPublicKey(key)] })
        assert.equal(report.problem, null, report.problem?.message)
        assert.equal(report.openIntentCount, 0)
      }
      assert.ok(acknowledgedInAll > 0)
    })
  })
}

const keyFileOf = (directory: string): string => `${directory}.key`

/** Starts a writer, kills it some time after its first acknowledgement, and gives the intents acknowledged by then. */
async function writeUntilKilled(
  directory: string,
  options: { durability: string; delayMs: number },
): Promise<number[]> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'testing-writer.ts'), directory, options.durability, keyFileOf(directory)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), options.delayMs)
    output += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  assert.equal(child.signalCode, 'SIGKILL')
  return output.split('\n').slice(0, -1).map(Number)
}
