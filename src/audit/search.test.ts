import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Journal } from './journal.ts'
import { encodeMembers, encodeSharedMembers } from './members.ts'
import { searchJournal, type SearchOptions } from './search.ts'
import { listSegments } from './segments.ts'
import { outcomeName, type SearchFilter, type Shown } from './statement-record.ts'
import { tailJournal } from './tail.ts'
import { appendStatement, entriesIn, openForTest, recorded, until, withDirectory } from './testing.ts'

function sessionOf(name: string, database: string): Buffer {
  return encodeSharedMembers({
    session: `s_${name}`,
    principal: { issuer: 'https://idp.example', subject: `00-${name}`, name, kind: 'human', groups: [], actors: [] },
    client: { address: '10.0.0.7', port: 50_123, application: 'psql', tls: null },
    database,
  })
}

function statementOf(kind: string, relation: string): Buffer {
  const sql = `${kind} something about ${relation}`
  return encodeSharedMembers({ kind, commands: [kind], relations: [relation], functions: [], opaque: null, sql })
}

async function writeExample(journal: Journal): Promise<void> {
  const [alice, bob] = [sessionOf('alice', 'shop'), sessionOf('bob', 'payroll')]
  journal.append('session_started', '', alice)
  const slow = journal.append('intent', '"protocol":"simple"', alice, statementOf('SELECT', 'public.orders'))
  const failing = journal.append('intent', '"protocol":"simple"', bob, statementOf('DELETE', 'public.employees'))
  journal.append('outcome', encodeMembers({ intent: failing, outcome: 'failed', sqlstate: '42P01' }))
  journal.append(
    'refusal',
    encodeMembers({ refused: { policies: ['no-drop'], command: 'DROP TABLE' } }),
    alice,
    statementOf('DROP TABLE', 'public.orders'),
  )
  journal.append('login_failed', encodeMembers({ claimed: 'mallory', code: 'token_expired', database: 'shop' }))
  for (let index = 0; index < 30; index += 1) {
    appendStatement(journal, `SELECT ${index}`)
    await recorded(journal)
  }
  journal.append('outcome', encodeMembers({ intent: slow, outcome: 'completed', rows: 12, durationUs: 1_500 }))
  await recorded(journal)
}

async function withExample(use: (directory: string) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { segmentBytes: 2_000 })
    await writeExample(journal)
    await journal.close()
    assert.ok(listSegments(directory).length > 2)
    await use(directory)
  })
}

async function find(directory: string, filter: SearchFilter, options: Partial<SearchOptions> = {}): Promise<Shown[]> {
  const found: Shown[] = []
  for await (const shown of searchJournal(directory, { filter, order: 'newest-first', limit: 1_000, ...options }))
    found.push(shown)
  return found
}

void test('each condition finds what it names and nothing else', async () => {
  await withExample(async (directory) => {
    const expected: [SearchFilter, number[]][] = [
      [{ principal: 'ALICE' }, [5, 2, 1]],
      [{ principal: '00-bob' }, [3]],
      [{ principal: 'mallory' }, [6]],
      [{ kind: 'delete' }, [3]],
      [{ kind: 'login_failed' }, [6]],
      [{ database: 'payroll' }, [3]],
      [{ relation: 'orders' }, [5, 2]],
      [{ relation: 'public.employees' }, [3]],
      [{ relation: 'rders' }, []],
      [{ session: 's_bob' }, [3]],
      [{ text: 'ABOUT public.emp' }, [3]],
      [{ type: 'refusal' }, [5]],
      [{ outcome: 'refused' }, [5]],
      [{ outcome: 'failed' }, [3]],
      [{ sqlstate: '42p01' }, [3]],
      [{ principal: 'alice', type: 'intent', outcome: 'completed' }, [2]],
      [{ sinceMs: Date.now() + 60_000 }, []],
      [{ untilMs: 0 }, []],
      [{ principal: 'alice', sinceMs: 0, untilMs: Date.now() + 60_000 }, [5, 2, 1]],
    ]
    for (const [filter, seqs] of expected) {
      const newest = (await find(directory, filter)).map(({ entry }) => entry.seq)
      assert.deepEqual(newest, seqs, JSON.stringify(filter))
      const oldest = (await find(directory, filter, { order: 'oldest-first' })).map(({ entry }) => entry.seq)
      assert.deepEqual(oldest, seqs.toReversed(), JSON.stringify(filter))
    }
  })
})

void test('an intent is shown with its outcome even where they are segments apart, and outcomes never alone', async () => {
  await withExample(async (directory) => {
    for (const order of ['newest-first', 'oldest-first'] as const) {
      const all = await find(directory, {}, { order })
      const seqs = all.map(({ entry }) => entry.seq)
      assert.deepEqual(
        seqs,
        seqs.toSorted((a, b) => (order === 'newest-first' ? b - a : a - b)),
      )
      assert.equal(seqs.length, entriesIn(directory).filter((entry) => entry.type !== 'outcome').length)
      const slow = all.find(({ entry }) => entry.seq === 2)
      assert.equal(slow?.outcome?.['rows'], 12)
      assert.ok(all.every((shown) => shown.entry.type !== 'intent' || outcomeName(shown) !== null))
    }
    assert.equal((await find(directory, {}, { limit: 3 })).length, 3)
    assert.equal((await find(directory, {}, { limit: 0 })).length, 0)
  })
})

void test('a damaged line hides only itself', async () => {
  await withExample(async (directory) => {
    appendFileSync(listSegments(directory)[0]?.path ?? '', 'not an entry\n{"seq":')
    assert.equal((await find(directory, { principal: 'alice' })).length, 3)
    assert.equal((await find(directory, { principal: 'alice' }, { order: 'oldest-first' })).length, 3)
  })
})

void test('lines longer than any read are found from both ends', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    for (let index = 0; index < 3; index += 1) appendStatement(journal, `${index}${'x'.repeat(400_000 + index)}`)
    await journal.close()
    for (const order of ['newest-first', 'oldest-first'] as const) {
      assert.equal((await find(directory, { type: 'intent' }, { order })).length, 3)
    }
  })
})

void test('tail gives the latest, then each new record once, over a change of segments', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory, { segmentBytes: 1_500 })
    for (let index = 0; index < 5; index += 1) appendStatement(journal, `before ${index}`)
    await recorded(journal)
    const ending = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      const options = { filter: { type: 'intent' }, lines: 2, signal: ending.signal, isFollowing: true }
      for await (const { entry, outcome } of tailJournal(directory, options))
        seen.push(`${String(entry['sql'])} ${outcome === null ? 'running' : 'ended'}`)
    })()
    await until(() => seen.length === 2, 'the latest')
    const expected = ['before 3 ended', 'before 4 ended']
    for (let index = 0; index < 20; index += 1) {
      appendStatement(journal, `after ${index}`)
      assert.equal(await recorded(journal), null)
      expected.push(`after ${index} ended`)
      if (index === 10) await until(() => seen.length >= 10, 'the first of the new')
    }
    const slow = journal.append('intent', '"sql":"slow"')
    await recorded(journal)
    await until(() => seen.at(-1) === 'slow running', 'the running statement')
    journal.append('outcome', `"intent":${slow},"outcome":"completed"`)
    await until(() => seen.at(-1) === 'slow ended', 'its outcome')
    ending.abort()
    await following
    assert.deepEqual(seen, [...expected, 'slow running', 'slow ended'])
    await journal.close()
    assert.ok(listSegments(directory).length > 2)
  })
})

void test('tail without following ends after the latest', async () => {
  await withExample(async (directory) => {
    const seen: number[] = []
    const options = {
      filter: { principal: 'alice' },
      lines: 2,
      signal: new AbortController().signal,
      isFollowing: false,
    }
    for await (const { entry } of tailJournal(directory, options)) seen.push(entry.seq)
    assert.deepEqual(seen, [2, 5])
  })
})
