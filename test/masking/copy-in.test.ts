import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { backend } from '../../src/wire/backend.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeCopyFail,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../../src/wire/frontend.ts'
import type { RawClient } from '../support/raw-client.ts'
import { answerOf, copyIn, copyOut, type CopyStand, run, startCopyStand } from './copy-stand.ts'

/*
 * What is a placeholder in the data of COPY FROM STDIN however it is spelled, what is none, and what becomes of the
 * session then. What is refused through the gateway was accepted by PostgreSQL itself before.
 */

const sam = 'sam@example.com'
const dana = 'dana@example.com'
const refused =
  /^22000 the value for public\.\w+\.\w+ in (line|row) \d+ is the placeholder of a value that you may not see$/

let stand: CopyStand
/** What sam is shown in the place of a telephone number. */
let pseudonym: string

before(async () => {
  stand = await startCopyStand()
  const client = await stand.logIn(sam)
  const [first] = await copyOut(client, 'COPY (SELECT phone FROM customers WHERE id = 1) TO STDOUT')
  pseudonym = first?.toString().trim() ?? ''
  client.close()
})

after(async () => {
  await stand.sandbox.stop()
})

/** Runs in a transaction that is taken back. */
async function tried(client: RawClient, sql: string, pieces: readonly (string | Buffer)[]): Promise<string> {
  await run(client, 'BEGIN')
  const { said } = await copyIn(client, sql, pieces)
  await run(client, 'ROLLBACK')
  return said
}

async function triedBy(identity: string, sql: string, data: string | Buffer): Promise<string> {
  const client = await stand.logIn(identity)
  const said = await tried(client, sql, [data])
  client.close()
  return said
}

const to = (options: string, list = 'id, name'): string => `COPY customers (${list}) FROM STDIN (${options})`
const csv = to('FORMAT csv')

const spelled: readonly (readonly [how: string, sql: string, data: string | Buffer])[] = [
  ['without a newline at the end', to('FORMAT text'), '91\tAnn\n92\t[masked]'],
  ['before an end marker', to('FORMAT text'), '92\t[masked]\n\\.\n'],
  ['in the last of many rows', to('FORMAT text'), `${'91\tAnn\n'.replace('91', '900')}92\t[masked]\n`],
  ['in hexadecimal digits', to('FORMAT text'), '92\t\\x5bm\\x61sked\\x5D\n'],
  ['in octal digits', to('FORMAT text'), '92\t\\133masked\\135\n'],
  ['with backslashes that mean nothing', to('FORMAT text'), '92\t\\[\\mas\\ked]\n'],
  ['between carriage returns', to('FORMAT text'), '91\tAnn\r92\t[masked]\r'],
  ['between CR and LF', to('FORMAT text'), '91\tAnn\r\n92\t[masked]\r\n'],
  ['behind an escaped newline', to('FORMAT text'), '91\tAnn\\\nLee\n92\t[masked]\n'],
  ['of another case, in spaces', to('FORMAT text'), '92\t  [MASKED] \n'],
  ['quoted', csv, '92,"[masked]"\n'],
  ['quoted in part', csv, '92,[mas"ked"]\n'],
  ['with escapes', to("FORMAT csv, ESCAPE '!'"), '92,"[masked] !""\n'],
  ['behind a quoted newline', csv, '91,"Ann\nLee"\n92,[masked]\n'],
  ['behind a quoted end marker', csv, '91,"\n\\.\n"\n92,[masked]\n'],
  ['between quoted CRs', csv, '91,"Ann\r\nLee"\r\n92,[masked]\r\n'],
  [
    'as the text of NULL that is forced to be a value',
    to("FORMAT csv, NULL '[masked]', FORCE_NOT_NULL (name)"),
    '92,[masked]\n',
  ],
  ['as the text of NULL, quoted', to("FORMAT csv, NULL '[masked]'"), '92,"[masked]"\n'],
  ['behind a header', to('FORMAT csv, HEADER'), '"id\nx",name\n92,[masked]\n'],
  ['with a number for a delimiter', to("FORMAT csv, DELIMITER '3'"), '923[masked]\n'],
  ['by the old syntax', "COPY customers (id, name) FROM STDIN WITH DELIMITER AS '|' NULL AS 'none'", '92|[masked]\n'],
  ['by the old syntax of CSV', 'COPY customers (id, name) FROM STDIN CSV FORCE NOT NULL name', '92,[masked]\n'],
  ['in another order', to('FORMAT text', 'name, id'), '[masked]\t92\n'],
  [
    'behind all columns, a generated one left out',
    'COPY customers FROM STDIN (FORMAT csv)',
    `92,x,y,z,,,,,,,,,fine,1,[masked]\n`,
  ],
  ['in a partition', 'COPY parted_eu FROM STDIN', '1\teu\t[masked]\n'],
  ['in a partitioned table', 'COPY parted FROM STDIN', '1\teu\t[masked]\n'],
  ['by way of a view', 'COPY listed FROM STDIN', '92\ta***@***.com\n'],
  ['in a domain', to('FORMAT text', 'id, phone'), '92\tpn_\n'],
  ['in an array', to('FORMAT csv', 'id, tags'), '92,"{****1234,x}"\n'],
  ['in a long array', to('FORMAT csv', 'id, tags'), `92,"{${'****1234,'.repeat(2_000)}x}"\n`],
  ['in a row', to('FORMAT csv', 'id, home'), '92,"([masked],LS1)"\n'],
  ['in a document', to('FORMAT text', 'id, doc'), '92\t"[masked]"\n'],
]

for (const [how, sql, data] of spelled) {
  test(`a placeholder is refused ${how}`, async () => {
    const client = await stand.logIn(sam)
    const bytes = Buffer.from(data.toString().replace('pn_', pseudonym))
    const direct = await stand.logInDirectly()
    assert.match(await tried(direct, sql, [bytes]), /^COPY \d/)
    for (const pieces of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
      assert.match(await tried(client, sql, pieces), refused)
    }
    assert.match(await triedBy(dana, sql, bytes), /^COPY \d/, 'who may see the values may write what they like')
    direct.close()
    client.close()
  })
}

const ordinary: readonly (readonly [what: string, sql: string, data: string])[] = [
  [
    'values of one’s own',
    'COPY customers (id, email, name, tags, home) FROM STDIN',
    '91\ta@example.com\tAnn\t{a,b}\t(x,y)\n',
  ],
  ['nothing at all', 'COPY customers (id, name) FROM STDIN', ''],
  ['NULLs in the place of placeholders', to("FORMAT csv, NULL '[masked]'"), '91,[masked]\n'],
  [
    'NULLs in the place of quoted placeholders',
    to("FORMAT csv, NULL '[masked]', FORCE_NULL (name)"),
    '91,"[masked]"\n',
  ],
  ['defaults in the place of placeholders', to("FORMAT csv, DEFAULT '[masked]'", 'id, email'), '91,[masked]\n'],
  ['placeholders of no masked column', to('FORMAT text', 'id, city'), '91\t[masked]\n'],
  ['a header that names no column', to('FORMAT csv, HEADER'), 'id,[masked]\n91,Ann\n'],
  ['what comes behind the end', to('FORMAT text'), '91\tAnn\n\\.\n92\t[masked]\n'],
  ['zero, which may be meant', to('FORMAT text', 'id, salary'), '91\t0\n'],
  ['a table without masked columns, in any encoding', "COPY plain FROM STDIN (ENCODING 'sjis')", '1\t[masked]\n'],
  ['masked columns in an encoding of a byte each', to("ENCODING 'latin1'"), '91\tAnn\n'],
]

for (const [what, sql, data] of ordinary) {
  test(`COPY takes ${what}`, async () => {
    const client = await stand.logIn(sam)
    const direct = await stand.logInDirectly()
    const said = await tried(direct, sql, [data])
    assert.match(said, /^COPY \d/)
    for (const pieces of [[data], Array.from(data)]) assert.equal(await tried(client, sql, pieces), said)
    direct.close()
    client.close()
  })
}

const faulty: readonly (readonly [sql: string, data: string])[] = [
  [to('FORMAT text'), '91\n92\t[masked]\n'],
  [to('FORMAT text'), '91\tx\ty\n92\t[masked]\n'],
  [to('FORMAT text'), '91\tx\n92\tx\r\n'],
  [to('FORMAT text'), '91\tx\r\n92\tx\n'],
  [to('FORMAT text'), '91\tx\n\\.x\n'],
  [to('FORMAT csv'), '91,"x\n92,y\n'],
  [to('FORMAT csv'), '91,x\r92,y\n'],
  [to('FORMAT binary'), 'PGCOPY is not it, for sure'],
  [to('FORMAT binary'), 'PGCOPY\n\u00ff\r\n\0\0\0\0\0\0\0\0\0\0\x03'],
  [to('FORMAT binary'), 'PGCOPY\n\u00ff\r\n\0\0\0\0\0\0\0\0\0\xff\xffmore'],
  [to('FORMAT text'), 'x\tAnn\n92\tBen\n'],
]

for (const [sql, data] of faulty) {
  test(`PostgreSQL says what is wrong with ${JSON.stringify(data)}`, async () => {
    const client = await stand.logIn(sam)
    const direct = await stand.logInDirectly()
    const bytes = Buffer.from(data, 'latin1')
    const said = (await tried(direct, sql, [bytes])).slice(0, 5)
    assert.doesNotMatch(said, /^COPY/)
    for (const pieces of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
      assert.equal((await tried(client, sql, pieces)).slice(0, 5), said)
    }
    direct.close()
    client.close()
  })
}

test('COPY that cannot be looked into is refused before it begins, to those who may not see all of its columns', async () => {
  const client = await stand.logIn(sam)
  for (const options of [
    "ENCODING 'sjis'",
    "ENCODING 'mskanji'",
    "ENCODING 'nothing'",
    'FORMAT csv, DELIMITER 1',
    'NOVEL',
    'HEADER perhaps',
  ]) {
    const answer = await copyIn(client, to(options), ['91\tx\n'])
    assert.match(answer.said, /^0A000 COPY into masked columns is refused/, options)
    assert.notEqual(answer.hint, '')
    assert.match(
      (await copyIn(client, `COPY customers (id, city) FROM STDIN (${options})`, [])).said,
      /^(COPY 0|22|42)/,
      options,
    )
  }
  await run(client, "SET client_encoding = 'SJIS'")
  assert.match((await copyIn(client, to('FORMAT text'), ['91\tx\n'])).said, /^0A000 .* because data in SJIS/)
  assert.match(await tried(client, to("ENCODING 'utf8'"), ['91\tx\n']), /^COPY 1/)
  const both = await run(client, `SET client_encoding = 'UTF8'; ${to('FORMAT text')}`)
  assert.match(both.said, /^0A000 .* because the encoding of its data is not certain/)
  client.close()
  assert.match(await triedBy(dana, to("ENCODING 'sjis'"), '91\t[masked]\n'), /^COPY 1/)
})

test('a transaction is over as after any error of COPY, and the session goes on', async () => {
  const client = await stand.logIn(sam)
  await run(client, 'BEGIN; INSERT INTO plain VALUES (1)')
  for (const way of ['simple', 'extended'] as const) {
    await run(client, 'ROLLBACK; BEGIN; INSERT INTO plain VALUES (1)')
    const answer = await copyIn(client, to('FORMAT text'), ['91\tAnn\n92\t[masked]\n', '93\tBen\n'], { way })
    assert.match(answer.said, refused)
    assert.match(answer.said, /line 2/)
    assert.equal(answer.status, 'E')
    assert.match((await run(client, 'SELECT 1')).said, /^25P02/)
  }
  await run(client, 'ROLLBACK')
  assert.match((await copyIn(client, to('FORMAT text'), ['91\tAnn\n'])).said, /^COPY 1/)
  await run(client, 'DELETE FROM customers WHERE id > 90')
  client.close()
})

test('what a client goes on to send is dropped, and what it asks next is answered', async () => {
  const client = await stand.logIn(sam)
  const masked = encodeCopyData(Buffer.from('92\t[masked]\n'))
  const more = Array.from({ length: 50 }, () => encodeCopyData(Buffer.alloc(10_000, 'x')))
  for (const end of [copyDone, encodeCopyFail('enough')]) {
    client.send(encodeQuery(to('FORMAT text')))
    await client.until(backend.CopyInResponse)
    client.send(masked, ...more, end, encodeQuery('SELECT 7'))
    assert.match(answerOf(await client.until(backend.ReadyForQuery)).said, refused)
    assert.equal(answerOf(await client.until(backend.ReadyForQuery)).said, 'SELECT 1')
    client.send(encodeParse({ sql: to('FORMAT text') }), encodeBind({}), encodeExecute('', 0), flush)
    await client.until(backend.CopyInResponse)
    client.send(masked, ...more, end, sync, encodeQuery('SELECT 7'))
    assert.match(answerOf(await client.until(backend.ReadyForQuery)).said, refused)
    assert.equal(answerOf(await client.until(backend.ReadyForQuery)).said, 'SELECT 1')
  }
  client.close()
})

test('of several COPYs in one text each is looked into', async () => {
  const client = await stand.logIn(sam)
  const good = to('FORMAT text')
  client.send(encodeQuery(`${good}; COPY plain FROM STDIN; ${to('FORMAT csv', 'name, id')}; SELECT 1`))
  for (const data of ['91\tAnn\n', '1\t[masked]\n']) {
    await client.until(backend.CopyInResponse)
    client.send(encodeCopyData(Buffer.from(data)), copyDone)
  }
  await client.until(backend.CopyInResponse)
  client.send(encodeCopyData(Buffer.from('[masked],92\n')), copyDone)
  assert.match(answerOf(await client.until(backend.ReadyForQuery)).said, refused)
  client.close()
  assert.ok(!(await stand.values('name')).includes('Ann'))
})

test('what the client fails itself is failed, and what it had sent of a row is forgotten', async () => {
  const client = await stand.logIn(sam)
  const answer = await copyIn(client, to('FORMAT text'), ['91\t[mas'], { ends: [encodeCopyFail('enough')] })
  assert.match(answer.said, /^57014/)
  client.close()
})

test('the refusal is on record with its column and line, and without a value', async () => {
  const client = await stand.logIn(sam, { application_name: 'copy-record' })
  await copyIn(client, to('FORMAT text'), ['91\tAnn\n92\tpn_notone [masked] secretly\n'])
  client.close()
  const entries = await stand.sandbox.entries()
  const outcome = entries.findLast(({ type, ...rest }) => type === 'outcome' && rest['outcome'] === 'refused')
  assert.equal(outcome?.['sqlstate'], '22000')
  assert.match(JSON.stringify(outcome['refused']), /public\.customers\.name in line 2/)
  assert.ok(!JSON.stringify(entries).includes('secretly'))
})
