import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { genesis } from './entry.ts'
import { listSegments } from './segments.ts'
import { appendStatement, entriesIn, linesIn, openForTest, recorded, until, verify, withDirectory } from './testing.ts'

const durabilities = ['process', 'disk'] as const

for (const durability of durabilities) {
  void test(`every line carries the hash of the line before it (${durability})`, async () => {
    await withDirectory(async (directory) => {
      const journal = await openForTest(directory, { durability })
      for (let index = 0; index < 50; index += 1) {
        journal.append('intent', `"sql":"é${index}"`, Buffer.from('"session":"s_1"'), Buffer.from('"kind":"SELECT"'))
        if (index % 3 === 0) assert.equal(await recorded(journal), null)
      }
      await journal.close()
      let prev = genesis
      for (const [index, line] of linesIn(directory).entries()) {
        const entry = JSON.parse(line) as { seq: number; prev: string }
        assert.equal(entry.seq, index + 1)
        assert.equal(entry.prev, prev)
        prev = createHash('sha256').update(`${line}\n`).digest('base64url')
      }
      assert.equal(linesIn(directory).length, 51)
    })
  })

  void test(`commits call back in order, never at once, and only after the entries are in the file (${durability})`, async () => {
    await withDirectory(async (directory) => {
      const journal = await openForTest(directory, { durability })
      const order: number[] = []
      for (let index = 1; index <= 20; index += 1) {
        const seq = journal.append('intent', `"n":${index}`)
        journal.commit((error) => {
          assert.equal(error, null)
          assert.ok(entriesIn(directory).some((entry) => entry.seq === seq))
          order.push(index)
          // Whoever appends in a callback joins the next group.
          if (index === 5) journal.append('outcome', `"intent":${seq},"outcome":"completed"`)
        })
      }
      assert.deepEqual(order, [])
      assert.equal(await recorded(journal), null)
      assert.deepEqual(
        order,
        Array.from({ length: 20 }, (_, index) => index + 1),
      )
      await journal.close()
      assert.equal(verify(directory).problem, null)
    })
  })

  void test(`segments are sealed by a signed checkpoint and the chain goes on in the next (${durability})`, async () => {
    await withDirectory(async (directory) => {
      const journal = await openForTest(directory, { durability, segmentBytes: 4_000 })
      for (let index = 0; index < 60; index += 1) {
        appendStatement(journal, `SELECT ${index}`)
        assert.equal(await recorded(journal), null)
      }
      await journal.close()
      const segments = listSegments(directory)
      assert.ok(segments.length > 4, `${segments.length} segments`)
      for (const { path } of segments) {
        const last = JSON.parse(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '') as object
        assert.partialDeepStrictEqual(last, { type: 'checkpoint', sealed: true })
      }
      const report = verify(directory)
      assert.equal(report.problem, null)
      assert.equal(report.signatures.valid, segments.length)
      assert.equal(report.tail, 'sealed')
    })
  })
}

void test('an entry that nobody waits for is written all the same, soon', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    for (const round of [1, 2]) {
      journal.append('outcome', `"intent":${round},"outcome":"completed"`)
      await until(() => linesIn(directory).length === round, 'the outcome')
    }
    await journal.close()
  })
})

void test('an entry without members of its own is still an object', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    journal.append('gateway_started', '')
    journal.append('gateway_started', '', Buffer.from('"a":1'))
    await journal.close()
    const [first, second] = entriesIn(directory)
    assert.deepEqual(Object.keys(first ?? {}), ['seq', 'prev', 'at', 'type'])
    assert.equal(second?.['a'], 1)
  })
})

void test('lines much longer than the buffer are whole', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    const texts = [1, 300_000, 5_000_000].map((length) => 'ü'.repeat(length))
    for (const text of texts) journal.append('intent', `"sql":"${text}"`)
    await journal.close()
    assert.deepEqual(
      entriesIn(directory)
        .slice(0, 3)
        .map((entry) => entry['sql']),
      texts,
    )
    assert.equal(verify(directory).problem, null)
  })
})

void test('a line that no reader would accept is refused by name and leaves the journal as it was', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    assert.throws(() => journal.append('intent', `"sql":"${'x'.repeat(30_000_000)}"`), { code: 'limit_exceeded' })
    assert.equal(journal.append('intent', '"n":1'), 1)
    await journal.close()
    assert.equal(verify(directory).problem, null)
  })
})

void test('checkpoints are written after a number of entries and after a time', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { checkpointEntries: 10, checkpointIntervalMs: 1_000_000 })
    for (let index = 0; index < 25; index += 1) {
      journal.append('prepare', `"n":${index}`)
      await recorded(journal)
    }
    await journal.close()
    const checkpoints = entriesIn(directory).filter((entry) => entry.type === 'checkpoint')
    assert.deepEqual(
      checkpoints.map((entry) => entry['sealed']),
      [false, false, true],
    )
    assert.equal(verify(directory).signatures.valid, 3)
  })
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { checkpointIntervalMs: 1 })
    journal.append('prepare', '"n":1')
    await recorded(journal)
    await until(() => entriesIn(directory).some((entry) => entry.type === 'checkpoint'), 'a checkpoint in time')
    await journal.close()
  })
})

void test('a checkpoint lists the intents that have no outcome yet, whatever order the outcome names them in', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    for (let index = 1; index <= 12; index += 1) journal.append('intent', `"n":${index}`)
    for (const intent of [1, 2, 3, 12]) journal.append('outcome', `"intent":${intent},"outcome":"completed"`)
    journal.append('outcome', '"outcome":"failed","intent":7')
    await journal.close()
    assert.deepEqual(entriesIn(directory).at(-1)?.['open'], [4, 5, 6, 8, 9, 10, 11])
  })
})

void test('after close nothing is taken and every commit hears so', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    journal.append('gateway_started', '"n":1')
    const waiting = recorded(journal)
    await Promise.all([journal.close(), journal.close()])
    assert.equal(await waiting, null)
    assert.equal(journal.isAvailable, false)
    assert.equal(journal.append('gateway_stopped', '"n":2'), 0)
    assert.equal((await recorded(journal))?.code, 'journal_unavailable')
    assert.equal(entriesIn(directory).length, 2)
  })
})

void test('closing with a group on its way to the disk and another behind it records both', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { durability: 'disk' })
    journal.append('prepare', '"n":1')
    const first = recorded(journal)
    await new Promise((resolve) => setImmediate(resolve))
    journal.append('prepare', '"n":2')
    const second = recorded(journal)
    await journal.close()
    assert.deepEqual([await first, await second], [null, null])
    assert.equal(entriesIn(directory).length, 3)
    assert.equal(verify(directory).problem, null)
  })
})

void test("one caller's bug in a callback does not keep the others waiting", async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    const bugs: unknown[] = []
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => bugs.push(error))
    try {
      journal.commit(() => {
        throw new Error('a bug')
      })
      assert.equal(await recorded(journal), null)
      await until(() => bugs.length === 1, 'the bug to surface')
    } finally {
      for (const listener of before) process.on('uncaughtException', listener)
    }
    await journal.close()
  })
})
