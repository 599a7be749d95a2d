import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

/** The version of the psql on the path, or null; where the tests must not be skipped, its absence is a failure. */
const version = versionOfPsql()
const isRequired = (process.env['CI'] ?? '') !== ''

let sandbox: Sandbox
let token: string

interface Told {
  readonly code: number
  readonly out: string
  readonly err: string
}

describe('psql', { skip: version === null && !isRequired && 'there is no psql on the path' }, () => {
  before(async () => {
    assert.ok(version !== null, 'CI needs a psql on the path')
    sandbox = await startSandbox({
      policies: 'permit (principal, action, resource);',
      postgres: { hba: ['local all all trust', 'host all all 127.0.0.1/32 trust'] },
      setUp: `
        CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL CHECK (total > 0), note text DEFAULT 'none');
        CREATE INDEX by_total ON orders (total);
        CREATE TABLE lines (order_id int REFERENCES orders, sku text);
        INSERT INTO orders SELECT n, n * 1.5 FROM generate_series(1, 100) n;
        CREATE VIEW large AS SELECT * FROM orders WHERE total > 100;
        CREATE FUNCTION double(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        COMMENT ON TABLE orders IS 'What was bought';
      `,
    })
    token = await sandbox.issuer.issueToken({ identity: 'alice@example.com' })
    await writeFile(join(sandbox.directory, 'ca.pem'), sandbox.authority.certificate)
  })

  after(async () => {
    await sandbox.stop()
  })

  test('looks around as it does without Postern', async () => {
    const looks = [
      '',
      '+',
      ' orders',
      '+ orders',
      ' large',
      't',
      'i+',
      'v',
      'f double',
      'n',
      'u',
      'T',
      'p',
      'dp',
      'x',
      's',
      'b',
      'g',
    ]
    const args = looks.flatMap((look) => ['-c', `\\d${look}`])
    const settings = ['-c', '\\l', '-c', '\\sf double', '-c', '\\sv large', '-c', '\\encoding', '-c', '\\z orders']
    assert.deepEqual(await psql([...args, ...settings]), await psqlDirectly([...args, ...settings]))
  })

  test('runs several statements of one -c, and of several', async () => {
    const args = ['-c', 'SELECT 1; SELECT 2', '-c', 'TABLE orders LIMIT 2', '-c', 'SELECT 1/0', '-c', 'SELECT 3']
    const told = await psql(args)
    assert.deepEqual(told, await psqlDirectly(args))
    assert.match(told.err, /division by zero/)
  })

  test('runs a script, with variables, conditions and a transaction, and stops at an error when told', async () => {
    const script = join(sandbox.directory, 'script.sql')
    await writeFile(
      script,
      `\\set id 7
       BEGIN;
       UPDATE orders SET note = 'seen' WHERE id = :id RETURNING id, note;
       SAVEPOINT here; SELECT nothing; ROLLBACK TO here;
       SELECT count(*) = 100 AS all FROM orders \\gset
       \\if :all
         \\echo all are there
       \\endif
       SELECT 'SELECT ' || g FROM generate_series(1, 3) g \\gexec
       SELECT id, total, NULL AS x FROM orders WHERE id = 1 \\gdesc
       SELECT * FROM orders WHERE id < 3 \\crosstabview id total note
       SELECT 1 \\; SELECT 2;
       ROLLBACK;
       \\errverbose
       SELECT 1/0;
       SELECT 'after';
      `,
    )
    const told = await psql(['-f', script])
    assert.deepEqual(told, await psqlDirectly(['-f', script]))
    assert.match(told.out, /all are there[\s\S]*after/)
    const stopped = await psql(['-v', 'ON_ERROR_STOP=1', '-f', script])
    assert.equal(stopped.code, 3)
    assert.ok(!stopped.out.includes('after'))
    const single = await psql(['-1', '-v', 'ON_ERROR_STOP=1', '-c', 'SELECT 1', '-c', 'SELEC 2'])
    assert.equal(single.code, 1)
  })

  test('fetches by a cursor of its own', async () => {
    const args = ['-v', 'FETCH_COUNT=7', '-c', 'SELECT * FROM orders ORDER BY id']
    assert.deepEqual(await psql(args), await psqlDirectly(args))
  })

  test('copies in and out by \\copy and by COPY', async () => {
    const [from, to] = [join(sandbox.directory, 'from.csv'), join(sandbox.directory, 'to.csv')]
    const rows = Array.from({ length: 2_000 }, (_, n) => `${String((n % 100) + 1)},"sku, ${String(n)}"\n`).join('')
    await writeFile(from, rows)
    const told = await psql([
      '-c',
      `\\copy lines FROM '${from}' WITH (FORMAT csv)`,
      '-c',
      `\\copy lines TO '${to}' WITH (FORMAT csv, FORCE_QUOTE (sku))`,
    ])
    assert.deepEqual(told, { code: 0, out: 'COPY 2000\nCOPY 2000\n', err: '' })
    assert.equal(await readFile(to, 'utf8'), rows)
    const piped = await psql(
      ['-c', 'COPY lines FROM STDIN', '-c', 'COPY (SELECT count(*) FROM lines) TO STDOUT'],
      '1\tx\n2\ty\n',
    )
    assert.deepEqual(piped, { code: 0, out: 'COPY 2\n2002\n', err: '' })
    const failed = await psql(['-c', `\\copy orders FROM '${from}' WITH (FORMAT csv)`, '-c', 'SELECT 1'])
    assert.match(failed.err, /invalid input syntax|missing data/)
  })

  test('hears notifications and notices', async () => {
    const told = await psql(['-c', 'LISTEN news', '-c', "NOTIFY news, 'hi'", '-c', 'DROP TABLE IF EXISTS nope'])
    assert.match(told.out, /Asynchronous notification "news" with payload "hi" received from server process with PID/)
    assert.match(told.err, /NOTICE: {2}table "nope" does not exist/)
  })

  test('is told of a refused log-in, and where TLS is missing', async () => {
    const refused = await psql(['-c', 'SELECT 1'], '', { PGPASSWORD: 'hunter2' })
    assert.equal(refused.code, 2)
    assert.match(refused.err, /FATAL/)
    const plain = await psql(['-c', 'SELECT 1'], '', { PGSSLMODE: 'disable' })
    assert.match(plain.err, /over TLS only/)
  })

  test(
    'logs in with TLS from the first byte',
    { skip: (version ?? 0) < 17 && 'sslnegotiation came with psql 17' },
    async () => {
      const told = await psql(['-c', 'SELECT 1'], '', { PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct' })
      assert.equal(told.code, 0, told.err)
    },
  )

  test('binds parameters', { skip: (version ?? 0) < 16 && '\\bind came with psql 16' }, async () => {
    const told = await psql(['-At'], 'SELECT $1::int + 1 \\bind 41 \\g\nSELECT nothing \\bind \\g\nSELECT 2 \\g\n')
    assert.match(told.out, /42[\s\S]*2/)
  })

  test('pipelines', { skip: (version ?? 0) < 18 && '\\startpipeline came with psql 18' }, async () => {
    const told = await psql(
      ['-At'],
      '\\startpipeline\nSELECT $1 \\bind 1 \\sendpipeline\nSELECT 2 \\bind \\sendpipeline\n\\endpipeline\n',
    )
    assert.equal(told.out, '1\n2\n')
  })
})

function versionOfPsql(): number | null {
  const { status, stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' })
  return status === 0 ? Number(/(\d+)/.exec(stdout)?.[1] ?? 0) : null
}

function psql(args: readonly string[], input = '', environment: Readonly<Record<string, string>> = {}): Promise<Told> {
  return run(args, input, {
    PGHOST: 'localhost',
    PGHOSTADDR: '127.0.0.1',
    PGPORT: String(sandbox.postern.port),
    PGUSER: 'alice@example.com',
    PGPASSWORD: token,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: join(sandbox.directory, 'ca.pem'),
    ...environment,
  })
}

function psqlDirectly(args: readonly string[]): Promise<Told> {
  const { port, superuser } = sandbox.postgres
  return run(args, '', { PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: superuser })
}

function run(args: readonly string[], input: string, environment: Readonly<Record<string, string>>): Promise<Told> {
  const child = spawn('psql', ['-X', '--no-password', ...args], {
    env: { PATH: process.env['PATH'], PGDATABASE: 'shop', PGCLIENTENCODING: 'UTF8', LC_ALL: 'C', ...environment },
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ code: code ?? -1, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    )
  })
}
