import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { readMigrations } from './migrate.ts'
import type { Migration } from './migrate.ts'
import { openControlStore } from './store.ts'
import { dumpSchema } from './testing-schema.ts'
import { noteOf, startProcess, testEngines } from './testing.ts'

const isUpdate = process.env['UPDATE_SCHEMA'] === '1'

function migration(number: number, sql: string): Migration {
  return { number, name: `step-${String(number)}`, sql, hash: createHash('sha256').update(sql).digest('hex') }
}

for (const engine of testEngines()) {
  describe(`migrations of the control store on ${engine.kind}`, { timeout: 120_000 }, () => {
    const own = readMigrations(engine.kind)

    before(() => engine.start())
    after(() => engine.stop())

    it('make the schema that is committed', async () => {
      const fresh = engine.fresh()
      const options = fresh.kind === 'postgres' ? { ...fresh, schema: 'postern' } : fresh
      await (await openControlStore(options)).close()
      const file = join(import.meta.dirname, 'schema', `${engine.kind}.sql`)
      const schema = await dumpSchema(engine, options)
      if (isUpdate) writeFileSync(file, schema)
      assert.equal(schema, readFileSync(file, 'utf8'), 'run this test with UPDATE_SCHEMA=1 if the change is meant')
    })

    it('change nothing the second time', async () => {
      const options = engine.fresh()
      await (await openControlStore(options)).close()
      const before = await engine.raw(options, 'select * from migrations order by number')
      await (await openControlStore(options)).close()
      assert.deepEqual(await engine.raw(options, 'select * from migrations order by number'), before)
      assert.equal(before.length, own.length)
    })

    it('run once when eight processes and eight stores of this one open the store at the same time', async () => {
      const options = engine.fresh()
      const processes = Array.from({ length: 8 }, () => startProcess('open', { store: options }))
      const stores = await Promise.all(Array.from({ length: 8 }, () => openControlStore(options)))
      for (const said of await Promise.all(processes)) assert.deepEqual(said, ['done'])
      const applied = await engine.raw(options, 'select number from migrations order by number')
      assert.deepEqual(
        applied.map(({ number }) => Number(number)),
        own.map(({ number }) => number),
      )
      await Promise.all(stores.map((store) => store.change((changes) => changes.note(noteOf('x')))))
      await Promise.all(stores.map((store) => store.close()))
    })

    it('go on where an older program stopped, and keep what is there', async () => {
      const options = engine.fresh()
      const old = await openControlStore(options)
      const seq = await old.change((changes) => changes.note(noteOf('old')))
      const next = migration(own.length + 1, 'create table later (id text not null primary key)')
      const young = await openControlStore(options, { migrations: [...own, next] })
      assert.equal((await young.changesAfter(0, 10))[0]?.seq, seq)
      await engine.raw(options, 'select id from later')
      await old.close()
      await young.close()
    })

    it('leave nothing of a step that fails', async () => {
      const options = engine.fresh()
      const bad = migration(own.length + 1, 'create table later (id text); select * from nowhere')
      await assert.rejects(openControlStore(options, { migrations: [...own, bad] }), (error: unknown) => {
        assert.ok(error instanceof PosternError)
        assert.equal(error.code, 'store_unavailable')
        assert.match(error.message, /nowhere/u)
        return true
      })
      await assert.rejects(engine.raw(options, 'select id from later'))
      await (await openControlStore(options)).close()
    })

    it('refuse a store that is newer than the program', async () => {
      const options = engine.fresh()
      const next = migration(own.length + 1, 'create table later (id text)')
      await (await openControlStore(options, { migrations: [...own, next] })).close()
      await assert.rejects(openControlStore(options), (error: unknown) => {
        assert.ok(error instanceof PosternError)
        assert.match(error.message, /made by a newer Postern/u)
        assert.match(error.hint ?? '', /at least as new/u)
        return true
      })
    })

    it('refuse a store whose steps had another text, or of which one is missing', async () => {
      const options = engine.fresh()
      const [first, ...others] = own
      assert.ok(first !== undefined)
      await (await openControlStore(options)).close()
      const edited = { ...first, hash: createHash('sha256').update(`${first.sql} `).digest('hex') }
      await assert.rejects(openControlStore(options, { migrations: [edited, ...others] }), /with another text/u)
      await engine.raw(options, 'delete from migrations where number = 1')
      await assert.rejects(openControlStore(options), /has gaps/u)
    })
  })
}

test('migrations are numbered without gaps, for each engine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-migrations-'))
  try {
    writeFileSync(join(directory, '0001-a.sql'), 'select 1')
    writeFileSync(join(directory, '0002-b.sqlite.sql'), 'select 2')
    writeFileSync(join(directory, '0003-c.sql'), 'select 3')
    assert.deepEqual(
      readMigrations('sqlite', directory).map(({ name }) => name),
      ['a', 'b', 'c'],
    )
    assert.throws(() => readMigrations('postgres', directory), /without gaps/u)
    writeFileSync(join(directory, 'notes.txt'), '')
    assert.throws(() => readMigrations('sqlite', directory), /not a migration's name/u)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
