import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { PosternError } from '../core/errors.ts'
import { backend, decodeDataRow, decodeErrorResponse, decodeNoticeResponse } from '../wire/backend.ts'
import type { Frame } from '../wire/framer.ts'
import { encodeQuery, terminate } from '../wire/frontend.ts'
import { protocol32 } from '../wire/startup.ts'
import { BackendFault, BackendRefusal, connectBackend, createCredentialSource } from './backend.ts'
import type { BackendConnection, BackendTarget, Credential } from './backend.ts'
import { MessageStream } from './message-stream.ts'

const unicodePassword = 'p\u00adä\u00a0ss\u2168'
let plain: SandboxPostgres
let secure: SandboxPostgres
let ca = ''
let otherCa = ''

before(async () => {
  const authority = await createCertificateAuthority()
  ca = authority.certificate
  otherCa = (await createCertificateAuthority('Somebody else')).certificate
  const tls = await issueCertificate(authority, { hosts: ['db.test', '127.0.0.1'], hash: 'sha384' })
  const hba = [
    'local all scram scram-sha-256',
    'host all trusting all trust',
    'host all md5_role all md5',
    'host all clear all password',
    'hostssl all tls_only all scram-sha-256',
    'host all scram,limited,unicode,weak all scram-sha-256',
  ]
  ;[plain, secure] = await Promise.all([startPostgres({ hba }), startPostgres({ hba, tls })])
  for (const server of [plain, secure]) {
    await server.query(
      'postgres',
      `CREATE ROLE scram LOGIN PASSWORD 'right';
       CREATE ROLE clear LOGIN PASSWORD 'right';
       CREATE ROLE tls_only LOGIN PASSWORD 'right';
       CREATE ROLE limited LOGIN PASSWORD 'right' CONNECTION LIMIT 0;
       CREATE ROLE unicode LOGIN PASSWORD '${unicodePassword}';
       CREATE ROLE trusting LOGIN;
       SET scram_iterations = 1;
       CREATE ROLE weak LOGIN PASSWORD 'right';
       SET password_encryption = 'md5';
       CREATE ROLE md5_role LOGIN PASSWORD 'right'`,
    )
  }
})
after(async () => Promise.all([plain.stop(), secure.stop()]))

function target(server: SandboxPostgres, changes: Partial<BackendTarget> = {}): BackendTarget {
  const { host, port } = server
  return { host, port, database: 'postgres', role: 'scram', tls: { mode: 'disable' }, ...changes }
}

async function open(
  to: BackendTarget,
  options: { startup?: Record<string, string>; password?: string; credential?: Credential } = {},
): Promise<BackendConnection> {
  const credential = options.credential ?? createCredentialSource({ password: options.password ?? 'right' }, {})
  const startup = new Map(Object.entries(options.startup ?? {}))
  return connectBackend(to, startup, { signal: AbortSignal.timeout(10_000), credential })
}

/** Runs a Query and gives the values of its rows, or fails with what PostgreSQL said. */
async function query(connection: BackendConnection, sql: string): Promise<string[]> {
  assert.equal(connection.rest.length, 0)
  const stream = new MessageStream(connection.socket, AbortSignal.timeout(10_000))
  connection.socket.write(encodeQuery(sql))
  const frames: Frame[] = []
  for (let frame = await stream.next(); frame.type !== backend.ReadyForQuery; frame = await stream.next()) {
    frames.push(frame)
  }
  stream.release()
  for (const frame of frames) {
    if (frame.type === backend.ErrorResponse) throw new BackendRefusal(decodeErrorResponse(frame.body), frame.bytes)
  }
  const rows = frames.filter((frame) => frame.type === backend.DataRow)
  return rows.flatMap((frame) => decodeDataRow(frame.body).map(String))
}

async function using<T>(
  opening: Promise<BackendConnection>,
  use: (connection: BackendConnection) => Promise<T>,
): Promise<T> {
  const connection = await opening
  try {
    return await use(connection)
  } finally {
    connection.socket.end(terminate)
  }
}

/** Checks what the operator is told, and that a client is told nothing of it. */
function fails(code: string, reason: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PosternError, inspect(error))
    assert.equal(error.code, code, inspect(error))
    assert.ok(error.cause instanceof BackendFault)
    assert.match(error.cause.message, reason)
    assert.doesNotMatch(`${error.message} ${error.detail} ${error.hint}`, /127\.0|localhost|scram|right|\d{4}/)
    return true
  }
}

void test('each authentication method lets the gateway in', async () => {
  const tls = { mode: 'verify-full', ca } as const
  for (const [to, method] of [
    [target(plain), 'scram-sha-256'],
    [target(plain, { role: 'weak' }), 'scram-sha-256'],
    [target(plain, { role: 'md5_role' }), 'md5'],
    [target(plain, { role: 'trusting' }), 'trust'],
    [target(plain, { host: plain.socketDirectory }), 'scram-sha-256'],
    [target(secure, { tls }), 'scram-sha-256-plus'],
    [target(secure, { tls, role: 'tls_only' }), 'scram-sha-256-plus'],
    [target(secure, { tls, role: 'clear' }), 'password'],
    [target(secure, { tls, role: 'md5_role' }), 'md5'],
  ] as const) {
    await using(open(to), async (connection) => {
      assert.equal(connection.authentication, method)
      assert.deepEqual(await query(connection, 'SELECT session_user'), [to.role])
    })
  }
})

void test('a password outside ASCII is prepared as PostgreSQL prepared it when it was set', async () => {
  await using(open(target(plain, { role: 'unicode' }), { password: unicodePassword }), async (connection) => {
    assert.deepEqual(await query(connection, 'SELECT session_user'), ['unicode'])
  })
  // The same text to SASLprep: soft hyphen gone, another space, a Roman numeral in letters.
  await using(open(target(plain, { role: 'unicode' }), { password: 'pä ssIX' }), async (connection) => {
    assert.deepEqual(await query(connection, 'SELECT session_user'), ['unicode'])
  })
})

void test('a password is not asked for where PostgreSQL does not ask', async () => {
  const credential = createCredentialSource({ environment: 'ABSENT' }, {})
  await using(open(target(plain, { role: 'trusting' }), { credential }), async (connection) => {
    assert.equal(connection.authentication, 'trust')
  })
  await assert.rejects(open(target(plain), { credential }), fails('backend_login_failed', /ABSENT is not set/))
})

void test('the password never goes over an unencrypted connection in the clear', async () => {
  await assert.rejects(
    open(target(plain, { role: 'clear' })),
    fails('backend_login_failed', /in the clear on an unencrypted connection.*TLS/),
  )
})

void test("a wrong password, role or database and a missing hba line are the operator's to mend", async () => {
  const tls = { mode: 'require' } as const
  for (const [to, reason] of [
    [target(plain), /role scram for database postgres.*password authentication failed.*28P01.*Check the password/],
    [target(plain, { role: 'md5_role' }), /password authentication failed/],
    [target(secure, { tls, role: 'clear' }), /password authentication failed/],
    [target(plain, { role: 'nobody' }), /no pg_hba\.conf entry.*28000.*pg_hba\.conf lets/],
    [target(secure, { role: 'tls_only' }), /no pg_hba\.conf entry.*no encryption/],
    [target(plain, { role: 'trusting', database: 'nowhere' }), /does not exist \(3D000\).*name of the database/],
  ] as const) {
    await assert.rejects(open(to, { password: 'wr0ng-word' }), (error) => {
      assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /wr0ng-word/)
      return fails('backend_login_failed', reason)(error)
    })
  }
})

void test('a password that was rotated meanwhile is tried once, and only if there is a newer one', async () => {
  const source = createCredentialSource({ password: 'unused' }, {})
  const asked: string[] = []
  const rotating = (passwords: string[]): Credential => ({
    ...source,
    async password() {
      asked.push(passwords[0] ?? '')
      return passwords[0] ?? ''
    },
    async renew(rejected) {
      assert.equal(rejected, passwords.shift())
      return passwords.length > 0
    },
  })
  await using(open(target(plain), { credential: rotating(['old', 'right']) }), async () => undefined)
  assert.deepEqual(asked.splice(0), ['old', 'right'])
  await assert.rejects(open(target(plain), { credential: rotating(['old']) }), { code: 'backend_login_failed' })
  assert.deepEqual(asked.splice(0), ['old'])
  await assert.rejects(open(target(plain), { credential: rotating(['old', 'older', 'right']) }), {
    code: 'backend_login_failed',
  })
  assert.deepEqual(asked, ['old', 'older'])
})

void test('derived keys serve the next log-in', async () => {
  const credential = createCredentialSource({ password: 'right' }, {})
  for (let round = 0; round < 3; round += 1) await using(open(target(plain), { credential }), async () => undefined)
  assert.equal(credential.scramKeys.size, 1)
})

void test('TLS is had, checked or refused as the mode says', async () => {
  for (const [server, tls, isTls, isVerified] of [
    [secure, { mode: 'disable' }, false, false],
    [plain, { mode: 'prefer' }, false, false],
    [secure, { mode: 'prefer' }, true, false],
    [secure, { mode: 'require' }, true, false],
    [secure, { mode: 'require', ca }, true, true],
    [secure, { mode: 'verify-ca', ca, serverName: 'other.test' }, true, true],
    [secure, { mode: 'verify-full', ca }, true, true],
    [secure, { mode: 'verify-full', ca, serverName: 'db.test' }, true, true],
  ] as const) {
    await using(open(target(server, { tls })), async (connection) => {
      assert.equal(connection.tls !== null, isTls, inspect(tls))
      assert.equal(connection.tls?.isVerified ?? false, isVerified, inspect(tls))
      const seen = await query(connection, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
      assert.deepEqual(seen, [isTls ? 't' : 'f'])
    })
  }
  for (const [server, tls, reason] of [
    [plain, { mode: 'require' }, /has no TLS, and TLS mode require demands it/],
    [plain, { mode: 'verify-full', ca }, /has no TLS/],
    [secure, { mode: 'require', ca: otherCa }, /authority/],
    [secure, { mode: 'verify-ca', ca: otherCa }, /authority/],
    [secure, { mode: 'verify-ca' }, /authority/],
    [secure, { mode: 'verify-full', ca, serverName: 'other.test' }, /for another name/],
  ] as const) {
    await assert.rejects(open(target(server, { tls })), fails('backend_unavailable', reason), inspect(tls))
  }
  const overSocket = target(plain, { host: plain.socketDirectory, tls: { mode: 'verify-full', ca } })
  await assert.rejects(open(overSocket), fails('backend_unavailable', /unix socket/))
  const byName = target(secure, { host: 'localhost', tls: { mode: 'verify-full', ca } })
  await assert.rejects(open(byName), fails('backend_unavailable', /for another name/))
})

void test('the session has what PostgreSQL 18 reports, protocol 3.2 and a cancel key of 32 bytes', async () => {
  await using(open(target(plain)), async (connection) => {
    assert.equal(connection.protocolVersion, protocol32)
    assert.equal(connection.cancelKeyBytes, 32)
    assert.equal(connection.transactionStatus, 'I')
    assert.deepEqual(await query(connection, 'SELECT pg_backend_pid()'), [String(connection.processId)])
    const statuses = new Map(connection.parameterStatuses)
    assert.match(statuses.get('server_version') ?? '', /^18/)
    assert.equal(statuses.get('search_path'), '"$user", public')
    assert.equal(connection.parameterStatuses.length, statuses.size)
  })
})

void test("start-up parameters go through, but role, database, replication and protocol options are the gateway's", async () => {
  const startup = {
    user: 'postgres',
    application_name: 'a client',
    options: '-c work_mem=5MB',
    '_pq_.something': 'x',
    replication: 'off',
    database: 'template1',
    search_path: 'pg_catalog',
  }
  await using(open(target(plain), { startup }), async (connection) => {
    assert.deepEqual(await query(connection, "SELECT session_user, current_database(), current_setting('work_mem')"), [
      'scram',
      'postgres',
      '5MB',
    ])
    await query(connection, 'SET application_name = other')
    await query(connection, 'RESET application_name')
    assert.deepEqual(await query(connection, 'SHOW application_name'), ['a client'])
    assert.equal(new Map(connection.parameterStatuses).get('search_path'), 'pg_catalog')
  })
  await assert.rejects(open(target(plain), { startup: { replication: 'database' } }), { code: 'feature_refused' })
})

void test("what PostgreSQL refuses for the client's sake is relayed as it came", async () => {
  for (const [to, startup, code] of [
    [target(plain, { role: 'limited' }), {}, '53300'],
    [target(plain), { no_such_parameter: 'x' }, '42704'],
    [target(plain), { work_mem: 'lots' }, '22023'],
  ] as const) {
    await assert.rejects(open(to, { startup }), (error) => {
      assert.ok(error instanceof BackendRefusal, inspect(error))
      assert.equal(error.code, code)
      assert.equal(error.raw[0], backend.ErrorResponse)
      assert.equal(error.raw.readUInt32BE(1), error.raw.length - 1)
      assert.equal(decodeErrorResponse(error.raw.subarray(5)).get('C'), code)
      return true
    })
  }
})

void test('notices of the log-in are kept whole', async () => {
  await plain.query('postgres', 'CREATE DATABASE noisy')
  await plain.query(
    'noisy',
    `CREATE FUNCTION greet() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'welcome'; END $$;
     CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION greet();
     ALTER EVENT TRIGGER greet ENABLE ALWAYS`,
  )
  await using(open(target(plain, { database: 'noisy' })), async (connection) => {
    assert.equal(connection.notices.length, 1)
    const [notice = Buffer.alloc(0)] = connection.notices
    assert.equal(notice.readUInt32BE(1), notice.length - 1)
    assert.equal(decodeNoticeResponse(notice.subarray(5)).get('M'), 'welcome')
  })
})

void test('cancel ends what the session runs, by TCP, TLS and unix socket', async () => {
  for (const to of [
    target(plain),
    target(plain, { host: plain.socketDirectory }),
    target(secure, { tls: { mode: 'verify-full', ca } }),
  ]) {
    await using(open(to), async (connection) => {
      const sleeping = assert.rejects(query(connection, 'SELECT pg_sleep(60)'), { code: '57014' })
      const server = to.tls.mode === 'disable' ? plain : secure
      for (;;) {
        const active = await server.query(
          'postgres',
          `SELECT 1 FROM pg_stat_activity WHERE pid = ${connection.processId} AND wait_event = 'PgSleep'`,
        )
        if (active.length > 0) break
      }
      await connection.cancel()
      await sleeping
      // The session lives on.
      assert.deepEqual(await query(connection, 'SELECT 1'), ['1'])
    })
  }
})

void test('a socket that is handed over is quiet, and losing PostgreSQL then does not end the process', async () => {
  const connection = await open(target(plain))
  const { socket } = connection
  assert.equal(socket.isPaused(), true)
  assert.equal(socket.listenerCount('data'), 0)
  assert.equal(socket.listenerCount('readable'), 0)
  assert.equal(socket.listenerCount('close'), 0)
  socket.destroy(new Error('lost'))
  await new Promise((resolve) => socket.once('close', resolve))
  assert.equal(socket.destroyed, true)
})

void test('a port and a socket where nobody listens are said to be so', async () => {
  const gone = await startPostgres()
  await gone.stop()
  await assert.rejects(open(target(gone)), fails('backend_unavailable', /ECONNREFUSED.*listen_addresses/))
  const socketless = target(plain, { host: '/nonexistent' })
  await assert.rejects(open(socketless), fails('backend_unavailable', /ENOENT.*socket directory/))
})
