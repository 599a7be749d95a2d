import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import type { ControlStore } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { openControlStore } from './store.ts'
import { grantOf, noteOf, startProcess, statementRequest } from './testing.ts'

const isUnavailable = (error: unknown): boolean => {
  if (!(error instanceof PosternError) || error.code !== 'store_unavailable') return false
  return error.hint !== undefined && error.cause !== undefined
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, 'it did not become so')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const nobody = 65_534
const isRoot = process.getuid?.() === 0

describe('a control store in a file', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-outage-'))
  let files = 0
  const fresh = () => ({ kind: 'sqlite', file: join(directory, `${String((files += 1))}.db`) }) as const

  after(() => rmSync(directory, { recursive: true, force: true }))

  it('is readable for its owner only, with all that SQLite puts beside it', async () => {
    const options = fresh()
    const store = await openControlStore(options)
    await store.change((changes) => changes.note(noteOf('x')))
    for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(options.file + suffix).mode & 0o777, 0o600)
    await store.close()
    chmodSync(options.file, 0o644)
    await (await openControlStore(options)).close()
    assert.equal(statSync(options.file).mode & 0o777, 0o600)
  })

  it('keeps a write-ahead log', async () => {
    const options = fresh()
    await (await openControlStore(options)).close()
    const { journal_mode: mode } = new DatabaseSync(options.file).prepare('PRAGMA journal_mode').get() ?? {}
    assert.equal(mode, 'wal')
  })

  it('says why it cannot be opened: no directory, no database, no right to write', async () => {
    const nowhere = { kind: 'sqlite', file: join(directory, 'nowhere', 'store.db') } as const
    await assert.rejects(openControlStore(nowhere), /nowhere.*cannot be opened.*(?:ENOENT|no such file)/u)
    const other = fresh()
    writeFileSync(other.file, 'this is no database, but long enough to be taken for one'.repeat(50))
    await assert.rejects(openControlStore(other), /cannot be opened.*not a database/u)
    const readOnly = fresh()
    await (await openControlStore(readOnly)).close()
    chmodSync(readOnly.file, 0o400)
    if (isRoot) {
      // Root may write whatever the mode says, so somebody else has to try.
      chownSync(readOnly.file, nobody, nobody)
      chmodSync(directory, 0o755)
    }
    const said = await startProcess('open', { store: readOnly }, isRoot ? { uid: nobody } : {})
    // SQLite meets the file or the folder first, in which it may not write either: which one is a matter of timing.
    assert.match(said.join('\n'), /store_unavailable: .*cannot be opened: .*(?:readonly|write|unable to open)/u)
  })

  it('rejects while the file is not where it was, and never starts over with an empty one', async () => {
    const options = fresh()
    const store = await openControlStore(options)
    await store.change((changes) => changes.note(noteOf('x')))
    renameSync(options.file, `${options.file}.away`)
    await assert.rejects(
      store.change((changes) => changes.note(noteOf('y'))),
      isUnavailable,
    )
    await assert.rejects(
      store.read((reads) => reads.requests({})),
      isUnavailable,
    )
    assert.equal(statSync(options.file, { throwIfNoEntry: false }), undefined)
    renameSync(`${options.file}.away`, options.file)
    await store.change((changes) => changes.note(noteOf('z')))
    assert.deepEqual(
      (await store.changesAfter(0, 10)).map(({ facts }) => facts['request']),
      ['x', 'z'],
    )
    await store.close()
  })

  it('rejects while another process holds it for too long, and keeps the event loop free', async () => {
    const options = fresh()
    const store = await openControlStore(options)
    const holder = new DatabaseSync(options.file)
    holder.exec('begin immediate')
    let turns = 0
    const ticking = setInterval(() => (turns += 1), 50)
    await assert.rejects(
      store.change((changes) => changes.note(noteOf('x'))),
      isUnavailable,
    )
    clearInterval(ticking)
    assert.ok(turns > 10)
    assert.deepEqual(await store.changesAfter(0, 10), [])
    holder.exec('rollback')
    holder.close()
    await store.change((changes) => changes.note(noteOf('x')))
    await store.close()
  })

  it('rejects when the disk is full, loses nothing, and goes on when there is room', async (t) => {
    const mountPoint = mkdtempSync(join(directory, 'full-'))
    const mounted = isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mountPoint]).status === 0
    if (!mounted) {
      t.skip('needs the right to mount')
      return
    }
    try {
      const store = await openControlStore({ kind: 'sqlite', file: join(mountPoint, 'store.db') })
      const filler = join(mountPoint, 'filler')
      writeFileSync(filler, Buffer.alloc(1024 * 1024))
      const acknowledged: string[] = []
      const open = async (store: ControlStore) => {
        const sql = 'x'.repeat(50_000)
        const request = statementRequest({ about: { ...statementRequest().about, sql } })
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          await changes.note(noteOf(request.id))
        })
        acknowledged.push(request.id)
      }
      const filling = async () => {
        for (let n = 0; n < 1_000; n += 1) await open(store)
      }
      await assert.rejects(filling(), isUnavailable)
      assert.ok(acknowledged.length > 3)
      const noted = async () => (await store.changesAfter(0, 1_000)).map(({ facts }) => facts['request'])
      assert.deepEqual(await noted(), acknowledged)
      rmSync(filler)
      await open(store)
      assert.deepEqual(await noted(), acknowledged)
      await store.close()
    } finally {
      spawnSync('umount', ['-l', mountPoint])
    }
  })
})

describe('a control store in a PostgreSQL', { timeout: 120_000 }, () => {
  const keepDirectory = mkdtempSync(join(tmpdir(), 'postern-outage-pg-'))
  let server: SandboxPostgres
  const connection = () => ({
    host: server.host,
    port: server.port,
    database: 'postgres',
    user: 'postgres',
    password: server.password,
  })

  before(async () => {
    server = await startPostgres({ keepDirectory })
  })
  after(async () => {
    await server.stop()
    rmSync(keepDirectory, { recursive: true, force: true })
  })

  it('asks for the password whenever it connects, and says why it cannot', async () => {
    let asked = 0
    const password = async () => {
      asked += 1
      return server.password
    }
    const store = await openControlStore({ kind: 'postgres', connection: { ...connection(), password } })
    assert.ok(asked > 0)
    await store.close()
    const wrong = { ...connection(), password: 'wrong' }
    await assert.rejects(openControlStore({ kind: 'postgres', connection: wrong }), (error: unknown) => {
      assert.ok(isUnavailable(error))
      assert.match(String(error), /database postgres on 127\.0\.0\.1:\d+ cannot be opened.*password authentication/u)
      return true
    })
    const nowhere = { ...connection(), port: 1 }
    await assert.rejects(openControlStore({ kind: 'postgres', connection: nowhere }), /ECONNREFUSED/u)
    const encrypted = { ...connection(), ssl: { rejectUnauthorized: true } }
    await assert.rejects(openControlStore({ kind: 'postgres', connection: encrypted }), isUnavailable)
  })

  it('keeps to its own schema and settings, whatever those of the role are', async () => {
    await server.query(
      'postgres',
      `create role odd login password 'odd';
       alter role odd set search_path = elsewhere;
       alter role odd set default_transaction_isolation = 'serializable';
       alter role odd set default_transaction_read_only = on;
       alter role odd set synchronous_commit = off;
       create schema odd authorization odd`,
    )
    const store = await openControlStore({
      kind: 'postgres',
      connection: { ...connection(), user: 'odd', password: 'odd' },
      schema: 'odd',
    })
    await store.change((changes) => changes.note(noteOf('x')))
    assert.equal((await store.changesAfter(0, 10)).length, 1)
    assert.equal((await server.query('postgres', 'select * from odd.changes')).length, 1)
    await store.close()
  })

  it('rejects a change whose connection is cut, and has nothing of it', async () => {
    const faults: unknown[] = []
    const store = await openControlStore(
      { kind: 'postgres', connection: connection() },
      { onFault: (fault) => faults.push(fault) },
    )
    const grant = grantOf()
    const cut = store.change(async (changes) => {
      await changes.insertGrant(grant)
      await server.query(
        'postgres',
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern'`,
      )
      await new Promise((resolve) => setTimeout(resolve, 100))
    })
    await assert.rejects(cut, isUnavailable)
    assert.equal(await store.read((reads) => reads.grant(grant.id)), null)
    await store.change((changes) => changes.insertGrant(grant))
    await store.close()
  })

  it('rejects a change whose COMMIT is not answered, and runs its work once', async () => {
    const proxy = await startProxy(server.port)
    const store = await openControlStore({
      kind: 'postgres',
      connection: { ...connection(), port: proxy.port },
      schema: 'unanswered',
    })
    const grant = grantOf()
    let runs = 0
    let told = 0
    store.onChange(() => (told += 1))
    await until(() => told > 0)
    told = 0
    const attack = store.change(async (changes) => {
      runs += 1
      await changes.insertGrant(grant)
      proxy.cutsAtCommit = true
    })
    await assert.rejects(attack, isUnavailable)
    proxy.cutsAtCommit = false
    assert.equal(runs, 1)
    await until(() => told > 0)
    // This one happened; whoever is told to look finds it.
    assert.deepEqual(await store.read((reads) => reads.grant(grant.id)), grant)
    await store.close()
    proxy.close()
  })

  it('rejects while the server is down, comes back by itself, and tells listeners so', async () => {
    const faults: unknown[] = []
    const options = { kind: 'postgres', connection: connection(), schema: 'restart' } as const
    const one = await openControlStore(options, { onFault: (fault) => faults.push(fault) })
    const two = await openControlStore(options)
    let told = 0
    const stop = one.onChange(() => (told += 1))
    await until(() => told > 0)
    await one.change((changes) => changes.note(noteOf('before')))
    const { port, password } = server
    await server.stop()
    await assert.rejects(
      one.change((changes) => changes.note(noteOf('lost'))),
      isUnavailable,
    )
    await assert.rejects(
      one.read((reads) => reads.requests({})),
      isUnavailable,
    )
    await assert.rejects(one.changesAfter(0, 1), isUnavailable)
    await assert.rejects(one.touchGateway(noteOf('x').gateway, 1), isUnavailable)
    assert.ok(faults.length > 0)
    told = 0
    server = await startPostgres({ keepDirectory, port, password })
    await until(() => told > 0)
    await one.change((changes) => changes.note(noteOf('after')))
    assert.deepEqual(
      (await two.changesAfter(0, 10)).map(({ facts }) => facts['request']),
      ['before', 'after'],
    )
    told = 0
    await two.change((changes) => changes.note(noteOf('of another')))
    await until(() => told > 0)
    stop()
    await one.close()
    await two.close()
  })
})

/** Passes bytes on, until it is to cut a connection right after its COMMIT has reached the server. */
async function startProxy(port: number) {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('data', (data) => {
      upstream.write(data)
      if (proxy.cutsAtCommit && data.includes('commit')) {
        upstream.pause()
        upstream.end()
        client.destroy()
      }
    })
    upstream.pipe(client)
    client.on('close', () => upstream.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = {
    port: (server.address() as AddressInfo).port,
    cutsAtCommit: false,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
  return proxy
}
