import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { createQueryClient } from '../backend/query.ts'
import { connectBackend, createCredentialSource } from '../backend/backend.ts'
import { resolveClassification } from '../classification/classify.ts'
import { parseClassificationFile } from '../classification/file.ts'
import { identityQuery, saveMemory } from '../classification/memory.ts'
import { createCatalog } from '../sql/catalog/catalog.ts'
import { loadCatalog } from '../sql/catalog/load.ts'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))

const schema = `
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE SCHEMA hr;
CREATE DOMAIN mailbox AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE customers (
  id bigint PRIMARY KEY, contact mailbox, full_name text, born date, dob date, remark text, card varchar(30),
  account text, tax bigint, settings jsonb, phones text[], last_seen_from inet, pw_hash text, photo bytea,
  sku text, quantity int, is_active boolean, created_at timestamptz, "Odd Name" text, extra hstore, empty_text text
);
INSERT INTO customers SELECT
  n, 'canary' || n || '@example.org', 'Canary Surname' || chr(65 + n % 26), '1980-01-01', '1980-01-01',
  CASE WHEN n % 20 = 0 THEN 'please call +49 30 1234567 about it' ELSE 'a remark of no interest, number ' || n END,
  '4111 1111 1111 1111', 'DE89370400440532013000', 44051401359,
  jsonb_build_object('email', 'canary@example.org', 'depth', jsonb_build_array(n)), ARRAY['+4915112345678'],
  '10.1.2.3', '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW', 'x',
  'SKU-' || (100000 + n), n, true, now(), 'plain', hstore('mail', 'canary@example.org'), NULL
FROM generate_series(1, 200) n;
CREATE TABLE hr.parts (id int, secret_note text) PARTITION BY RANGE (id);
CREATE TABLE hr.parts_1 PARTITION OF hr.parts FOR VALUES FROM (0) TO (100);
INSERT INTO hr.parts SELECT n, 'nothing' FROM generate_series(1, 99) n;
CREATE TABLE hr.hidden (email text, other text);
CREATE VIEW customers_view AS SELECT * FROM customers;
CREATE ROLE classifier LOGIN PASSWORD 'pw';
GRANT USAGE ON SCHEMA hr TO classifier;
GRANT SELECT ON customers, hr.parts TO classifier;
`

let postgres: SandboxPostgres
let folder = ''
const file = () => join(folder, 'shop.yaml')
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-classify-'))
  postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE DATABASE shop')
  await postgres.query('shop', schema)
  writeFileSync(
    join(folder, 'postern.yaml'),
    `listen: { allow_plaintext_on_loopback: true }
issuers: [{ url: https://idp.example.com, audience: postern }]
databases:
  shop:
    host: 127.0.0.1
    port: ${String(postgres.port)}
    role: classifier
    tls: { mode: disable }
    credential: { password: pw }
    classification: shop.yaml
  bare: { host: 127.0.0.1, port: ${String(postgres.port)}, database: shop, role: classifier, tls: { mode: disable }, credential: { password: pw } }
  wrong: { host: 127.0.0.1, port: ${String(postgres.port)}, database: shop, role: classifier, tls: { mode: disable }, credential: { password: no } }
`,
  )
})
after(async () => {
  await postgres.stop()
  rmSync(folder, { recursive: true })
})

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

function classify(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [entry, 'classify', ...args],
      { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

interface JsonColumn {
  readonly schema: string
  readonly relation: string
  readonly column: string
  readonly tag: string | null
  readonly undecided: boolean
  readonly classified: boolean
}

describe('postern classify', () => {
  test('proposes tags by values and names, and says what it could not tell', async () => {
    const { code, out, err } = await classify('shop', '--json')
    assert.equal(code, 0, err)
    const { columns, unread } = JSON.parse(out) as { columns: JsonColumn[]; unread: string[] }
    const found = Object.fromEntries(
      columns.map(({ schema, relation, column, tag, undecided }) => [
        `${schema}.${relation}.${column}`,
        undecided ? '?' : (tag ?? 'none'),
      ]),
    )
    assert.deepEqual(found, {
      'hr.hidden.email': 'pii.email',
      'hr.hidden.other': '?',
      'hr.parts.id': 'none',
      'hr.parts.secret_note': 'none',
      'public.customers.id': 'none',
      'public.customers.contact': 'pii.email',
      'public.customers.full_name': 'pii.name',
      'public.customers.born': 'pii.birth_date',
      'public.customers.dob': 'pii.birth_date',
      'public.customers.remark': 'pii.text',
      'public.customers.card': 'pii.card',
      'public.customers.account': 'pii.bank_account',
      'public.customers.tax': 'pii.national_id',
      'public.customers.settings': 'pii.text',
      'public.customers.phones': 'pii.text',
      'public.customers.last_seen_from': 'pii.ip',
      'public.customers.pw_hash': 'secret',
      'public.customers.photo': '?',
      'public.customers.sku': 'none',
      'public.customers.quantity': 'none',
      'public.customers.is_active': 'none',
      'public.customers.created_at': 'none',
      'public.customers.Odd Name': 'none',
      'public.customers.extra': 'pii.text',
      'public.customers.empty_text': '?',
    })
    assert.deepEqual(unread, ['hr.hidden'])
  })

  test('prints the evidence and what to do, and no value', async () => {
    const { out } = await classify('shop')
    assert.match(out, /^public\.customers$/mu)
    assert.match(out, /^ {2}contact +pii\.email +100 % of 200 values look like e-mail addresses {2}xxxxxx9/mu)
    assert.match(out, /^ {2}full_name +pii\.name +its name says "full name"$/mu)
    assert.match(out, /^ {2}remark +pii\.text +5 % of 200 values hold telephone numbers$/mu)
    assert.match(
      out,
      /^ {2}settings +pii\.text +100 % of 200 values hold e-mail addresses; 100 % have keys that say email$/mu,
    )
    assert.match(out, /Not read, for want of rights or time, and judged by names alone:\n {2}hr\.hidden/u)
    assert.match(out, /\d+ columns to tag, \d+ with nothing found, 3 to decide by hand \(\?\), 0 classified already/u)
    for (const value of [
      'canary',
      'Canary',
      'example.org',
      '4111',
      'DE89',
      '44051401359',
      '1234567',
      '10.1.2',
      '$2b$',
      'SKU-1',
    ])
      assert.equal(out.includes(value), false, value)
    assert.equal(existsSync(file()), false, 'nothing is written unless told')
  })

  test('writes a file that it reads back, and never overwrites a decision', async () => {
    writeFileSync(
      file(),
      `# ours
tags: { mine: "null", pii.email: redact }
columns:
  public.customers:
    contact: mine # decided
    sku: mine
    account: none # reviewed
`,
    )
    const { code, out, err } = await classify('shop', '--write')
    assert.equal(code, 0, err)
    assert.match(out, /^Wrote 19 columns to .*shop\.yaml\. Review every line/mu)
    assert.match(out, /account +pii\.bank_account +100 % .*; the file says `none`/u)
    const text = readFileSync(file(), 'utf8')
    assert.match(text, /^# ours$/mu)
    assert.match(text, /contact: mine # decided$/mu)
    assert.match(text, /card: pii\.card # 100 % of 200 values look like payment card numbers$/mu)
    const { columns, tags } = parseClassificationFile(text, 'shop.yaml')
    assert.deepEqual(tags.get('pii.email'), { function: 'redact' })
    assert.deepEqual(columns.get('public.customers')?.get('account'), [])
    assert.deepEqual(columns.get('public.customers')?.get('Odd Name'), [])
    assert.equal(columns.get('public.customers')?.has('photo'), false, 'nobody looked at it')
    const again = await classify('shop', '--write')
    assert.match(again.out, /^Wrote 0 columns/mu)
    assert.equal(readFileSync(file(), 'utf8'), text)
  })
})

test('a table that runs code of its owner when it is read cannot have it write', async () => {
  await postgres.query(
    'shop',
    `CREATE TABLE loot (v text); GRANT INSERT ON loot TO classifier;
     CREATE FUNCTION spring(v text) RETURNS boolean LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO public.loot VALUES (v); RETURN true; END $$;
     CREATE TABLE trap (email text); INSERT INTO trap VALUES ('canary@example.org');
     ALTER TABLE trap ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON trap USING (spring(email));
     GRANT SELECT ON trap TO classifier`,
  )
  try {
    const { code, out } = await classify('shop', '--json')
    assert.equal(code, 0)
    assert.ok((JSON.parse(out) as { unread: string[] }).unread.includes('public.trap'))
    assert.deepEqual(await postgres.query('shop', 'SELECT * FROM loot'), [])
  } finally {
    await postgres.query('shop', 'DROP TABLE trap, loot; DROP FUNCTION spring')
  }
})

describe('postern classify --check', () => {
  const complete = `
tags: { a: redact }
columns:
  public.customers: { contact: a }
tables: { public.customers: none, hr.hidden: none, hr.parts: none }
`

  test('is content where every column is decided on, be it by a default or by its parent', async () => {
    writeFileSync(file(), complete)
    const { code, out, err } = await classify('shop', '--check')
    assert.equal(err, '')
    assert.match(out, /^ok {2}25 columns of shop, all of them classified\.$/mu)
    assert.equal(code, 0)
  })

  test('names the columns that nobody decided on', async () => {
    writeFileSync(file(), complete.replace('public.customers: none, ', ''))
    await postgres.query('shop', 'CREATE TABLE late (at text)')
    try {
      const { code, out } = await classify('shop', '--check')
      assert.equal(code, 1)
      assert.match(out, /^21 columns of shop are not classified:$/mu)
      assert.match(out, /^ {2}public\.late\.at$/mu)
      assert.match(out, /Give each a tag in .*shop\.yaml, or `none`/u)
      const json = JSON.parse((await classify('shop', '--check', '--json')).out) as {
        ok: boolean
        unclassified: string[]
      }
      assert.equal(json.ok, false)
      assert.equal(json.unclassified.length, 21)
    } finally {
      await postgres.query('shop', 'DROP TABLE late')
    }
  })

  test('tells a column that is gone from one that was renamed', async () => {
    writeFileSync(file(), complete)
    saveMemory(join(folder, 'masking-state'), 'shop', await resolvedMemory(complete))
    await postgres.query('shop', 'ALTER TABLE customers RENAME contact TO reach_me')
    try {
      const renamed = await classify('shop', '--check')
      assert.equal(renamed.code, 1)
      assert.match(
        renamed.out,
        /does not fit the database in 1 place:\n {2}public\.customers\.contact is now called public\.customers\.reach_me\. It keeps its tags; write the new name\./u,
      )
      rmSync(join(folder, 'masking-state'), { recursive: true })
      const gone = await classify('shop', '--check')
      assert.match(
        gone.out,
        /public\.customers has no column contact, so its tags mask nothing\. Correct or remove it\./u,
      )
      assert.equal(gone.code, 1)
    } finally {
      await postgres.query('shop', 'ALTER TABLE customers RENAME reach_me TO contact')
    }
  })
})

describe('postern classify says what is wrong where', () => {
  const refusals: readonly (readonly [name: string, args: readonly string[], says: RegExp])[] = [
    ['the database is not known', ['shp'], /has no database "shp"\n {2}hint: Did you mean shop\?/u],
    [
      'no file is named',
      ['bare', '--write'],
      /names no classification file .*\n {2}hint: Add `classification: bare\.classification\.yaml` to `databases\.bare`/u,
    ],
    [
      'the sample is no number',
      ['shop', '--sample', 'x'],
      /--sample cannot be "x"\n {2}hint: Give a whole number from 1 to 5000/u,
    ],
    ['two options exclude each other', ['shop', '--write', '--check'], /cannot be given together/u],
    [
      'the database refuses the log-in',
      ['wrong'],
      /the database wrong cannot be asked: .*password authentication failed/u,
    ],
  ]
  for (const [name, args, says] of refusals) {
    test(name, async () => {
      const { code, err } = await classify(...args)
      assert.equal(code, 1)
      assert.match(err, says)
    })
  }

  test('the file is broken or absent', async () => {
    writeFileSync(file(), 'tags: { a: nope }')
    assert.match((await classify('shop')).err, /cannot be used: line 1: `tags\.a` has the masking function `nope`/u)
    rmSync(file())
    assert.match(
      (await classify('shop', '--check')).err,
      /it does not exist\n {2}hint: `postern classify DATABASE --write`/u,
    )
  })

  test('no file is named, and nothing is to be written', async () => {
    assert.match(
      (await classify('bare')).out,
      /Nothing of bare is masked: name a file as `databases\.bare\.classification`/u,
    )
  })
})

/** What a gateway would have remembered. */
async function resolvedMemory(yaml: string) {
  const credential = createCredentialSource({ password: postgres.password }, {})
  const connection = await connectBackend(
    {
      host: '127.0.0.1',
      port: postgres.port,
      database: 'shop',
      role: 'postgres',
      tls: { mode: 'disable', ca: undefined, serverName: undefined },
    },
    new Map(),
    { signal: AbortSignal.timeout(10_000), credential },
  )
  const client = createQueryClient(connection)
  try {
    const identity = (await client.query(identityQuery))[0]?.[0] ?? ''
    const catalog = createCatalog(await loadCatalog(async (sql) => client.query(sql)), 1)
    const parsed = parseClassificationFile(yaml, 'shop.yaml')
    return resolveClassification({ file: parsed, catalog, memory: null, version: 1, identity }).memory
  } finally {
    client.close()
    credential.close()
  }
}
