import {
  encodeBind,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../../src/wire/frontend.ts'
import { backend } from '../../src/wire/backend.ts'
import { type Case, pipeline } from './case.ts'

const parse = (sql: string | Buffer, name = '', parameterTypes: readonly number[] = []): Buffer =>
  encodeParse({ name, sql, parameterTypes })
const bind = (...parameters: readonly (string | null)[]): Buffer =>
  encodeBind({ parameters: parameters.map((text) => (text === null ? null : Buffer.from(text))) })
const execute = (rowsMax = 0, portal = ''): Buffer => encodeExecute(portal, rowsMax)
const describeStatement = (name = ''): Buffer => encodeDescribe('S', name)
const describePortal = (name = ''): Buffer => encodeDescribe('P', name)

/** Parse, Bind, Describe and Execute of one text. */
export function run(sql: string, ...parameters: readonly (string | null)[]): readonly Buffer[] {
  return [parse(sql), bind(...parameters), describePortal(), execute()]
}

/** Values of many types with their binary form as sent by `typesend`, read back as text and as binary. */
const types = [
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'bool',
  'text',
  'bytea',
  'uuid',
  'date',
  'timestamptz',
]
const values = [
  '1',
  '-2',
  '3',
  '1.5',
  '-2.25',
  '12345.6789',
  't',
  'ünï',
  '\\x0001ff',
  '00000000-0000-0000-0000-000000000001',
  '2020-02-29',
  '2020-01-01 00:00:00+00',
]
const allTypes = `SELECT ${types.map((type, index) => `$${String(index + 1)}::${type}`).join(', ')}`
const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const tenMegabytes = Buffer.alloc(10 * 1024 * 1024, 'p')

/** The extended query protocol: every message in and out of order. */
export const extendedCases: readonly Case[] = [
  pipeline('one statement', ...run('SELECT 1'), sync),
  pipeline('parameters as text', ...run('SELECT $1::int + 1, $2::text', '41', null), sync),
  pipeline(
    'a named statement, run often',
    parse('SELECT $1::int', 's'),
    describeStatement('s'),
    sync,
    ...['1', '2', 'x', '3'].flatMap((value) => [
      encodeBind({ statement: 's', parameters: [Buffer.from(value)] }),
      execute(),
      sync,
    ]),
  ),
  pipeline(
    'many types as text',
    parse(allTypes),
    describeStatement(),
    bind(...values),
    describePortal(),
    execute(),
    sync,
  ),
  pipeline(
    'many types as binary results',
    parse(allTypes),
    encodeBind({ parameters: values.map((text) => Buffer.from(text)), resultFormats: [1] }),
    describePortal(),
    execute(),
    sync,
  ),
  pipeline(
    'binary parameters',
    parse('SELECT $1::int, $2::text, $3::bytea'),
    encodeBind({ parameters: [int4(7), Buffer.from('x'), Buffer.from([0, 1])], parameterFormats: [1] }),
    execute(),
    sync,
  ),
  pipeline(
    'a format for each',
    parse('SELECT $1::int, $2::int'),
    encodeBind({ parameters: [int4(7), Buffer.from('8')], parameterFormats: [1, 0], resultFormats: [0, 1] }),
    describePortal(),
    execute(),
    sync,
  ),
  pipeline(
    'formats of the wrong count',
    parse('SELECT $1::int, $2::int'),
    encodeBind({ parameters: [int4(7), int4(8)], parameterFormats: [1, 1], resultFormats: [1, 1, 1] }),
    execute(),
    sync,
  ),
  pipeline('a format that does not exist', parse('SELECT 1'), encodeBind({ resultFormats: [7] }), execute(), sync),
  pipeline(
    'malformed binary',
    parse('SELECT $1::int'),
    encodeBind({ parameters: [Buffer.from('x')], parameterFormats: [1] }),
    execute(),
    sync,
  ),
  pipeline(
    'declared parameter types',
    parse('SELECT $1, $2', '', [23, 0]),
    describeStatement(),
    bind('1', 'b'),
    execute(),
    sync,
  ),
  pipeline(
    'Describe of everything',
    ...[
      'SELECT 1',
      'INSERT INTO inbox VALUES ($1)',
      '',
      'SHOW work_mem',
      'BEGIN',
      'SELECT',
      'INSERT INTO inbox VALUES ($1) RETURNING *',
      'EXPLAIN SELECT 1',
      'FETCH 1 FROM nothing',
    ].flatMap((sql) => [parse(sql), describeStatement(), sync]),
  ),
  pipeline(
    'Describe of what does not exist',
    describeStatement('nope'),
    sync,
    describePortal('nope'),
    sync,
    describePortal(),
    sync,
  ),
  pipeline('an empty text', ...run(''), sync, ...run('-- only a comment'), sync, ...run(';'), sync),
  pipeline(
    'several statements in one Parse',
    parse('SELECT 1; SELECT 2'),
    bind(),
    execute(),
    sync,
    ...run('SELECT 3'),
    sync,
  ),
  pipeline('a trailing semicolon', ...run('SELECT 1;'), sync, ...run(';;SELECT 2;;'), sync),
  pipeline(
    'a row limit, resumed',
    parse('SELECT generate_series(1, 5)'),
    bind(),
    execute(2),
    execute(2),
    execute(2),
    execute(1),
    sync,
  ),
  pipeline(
    'a row limit that fits exactly',
    parse('SELECT generate_series(1, 4)'),
    bind(),
    execute(4),
    execute(4),
    sync,
  ),
  pipeline('a negative row limit', parse('SELECT generate_series(1, 4)'), bind(), execute(-1), sync),
  pipeline(
    'a row limit on a writing statement',
    parse('INSERT INTO inbox SELECT 1 FROM generate_series(1, 3) RETURNING 1'),
    bind(),
    execute(1),
    execute(0),
    sync,
    ...run('DELETE FROM inbox WHERE id = 1'),
    sync,
  ),
  pipeline(
    'a statement that gives no rows, executed twice',
    parse('CREATE TEMP TABLE twice (a int)'),
    bind(),
    execute(),
    execute(),
    sync,
  ),
  pipeline(
    'named portals over several segments of a transaction',
    encodeQuery('BEGIN'),
    parse('SELECT generate_series(1, 5)', 's'),
    encodeBind({ portal: 'p', statement: 's' }),
    encodeBind({ portal: 'q', statement: 's' }),
    execute(2, 'p'),
    sync,
    execute(1, 'q'),
    execute(2, 'p'),
    sync,
    encodeClose('P', 'p'),
    execute(1, 'p'),
    sync,
    encodeQuery('ROLLBACK'),
    execute(1, 'q'),
    sync,
  ),
  pipeline(
    'a portal of a transaction that is over',
    encodeQuery('BEGIN'),
    parse('SELECT generate_series(1, 5)', 's'),
    encodeBind({ portal: 'p', statement: 's' }),
    execute(2, 'p'),
    sync,
    encodeQuery('COMMIT'),
    execute(2, 'p'),
    sync,
  ),
  pipeline(
    'Close of what exists and what does not',
    parse('SELECT 1', 's'),
    encodeClose('S', 's'),
    encodeClose('S', 's'),
    encodeClose('P', 'nope'),
    encodeBind({ statement: 's' }),
    sync,
  ),
  pipeline(
    'a prepared statement defined twice',
    parse('SELECT 1', 's'),
    parse('SELECT 2', 's'),
    sync,
    encodeBind({ statement: 's' }),
    execute(),
    sync,
  ),
  pipeline(
    'a closed name defined anew in the same segment',
    parse('SELECT 1', 's'),
    encodeClose('S', 's'),
    parse('SELECT 2', 's'),
    encodeBind({ statement: 's' }),
    execute(),
    sync,
  ),
  pipeline(
    'a portal defined twice',
    parse('SELECT 1', 's'),
    encodeBind({ portal: 'p', statement: 's' }),
    encodeBind({ portal: 'p', statement: 's' }),
    execute(0, 'p'),
    sync,
  ),
  pipeline(
    'the unnamed statement replaced while a portal uses it',
    encodeQuery('BEGIN'),
    parse('SELECT generate_series(1, 3)'),
    encodeBind({ portal: 'p' }),
    execute(1, 'p'),
    parse('SELECT 99'),
    execute(1, 'p'),
    bind(),
    execute(),
    execute(1, 'p'),
    sync,
    encodeQuery('COMMIT'),
  ),
  pipeline(
    'the unnamed statement after a failed Parse',
    parse('SELECT 1'),
    sync,
    parse('SELEC 2'),
    sync,
    bind(),
    execute(),
    sync,
  ),
  pipeline(
    'the unnamed statement after a Query',
    parse('SELECT 1'),
    sync,
    encodeQuery('SELECT 2'),
    bind(),
    execute(),
    sync,
  ),
  pipeline(
    'Parse fails',
    parse('SELEC 1'),
    bind(),
    execute(),
    sync,
    parse('SELECT nothing'),
    sync,
    parse('SELECT $1 + $2'),
    describeStatement(),
    sync,
  ),
  pipeline(
    'Bind with the wrong count',
    parse('SELECT $1::int'),
    bind(),
    execute(),
    sync,
    parse('SELECT 1'),
    bind('1'),
    execute(),
    sync,
  ),
  pipeline('Bind of a statement that does not exist', encodeBind({ statement: 'nope' }), execute(), sync),
  pipeline('Execute of a portal that does not exist', execute(0, 'nope'), sync, execute(), sync),
  pipeline(
    'an error in the middle of a pipeline',
    ...run('SELECT 1'),
    ...run('SELECT 1/0'),
    ...run('SELECT 2'),
    sync,
    ...run('SELECT 3'),
    sync,
  ),
  pipeline(
    'several segments at once',
    ...['1', '2', 'x', '4', '5'].flatMap((value) => run('SELECT $1::int', value).concat(sync)),
  ),
  pipeline(
    'one segment of many statements',
    ...Array.from({ length: 60 }, (_, n) => run('SELECT $1::int', String(n))).flat(),
    sync,
  ),
  pipeline('Query in the middle of a segment', ...run('SELECT 1'), encodeQuery('SELECT 2'), ...run('SELECT 3'), sync),
  {
    name: 'Query skipped behind an error',
    async run(session) {
      await session.send(...run('SELECT 1/0'), encodeQuery('SELECT 2'), sync, encodeQuery('SELECT 3'))
      await session.ready(2)
    },
  },
  pipeline(
    'a segment is one transaction',
    encodeQuery('CREATE TEMP TABLE t (a int)'),
    ...run('INSERT INTO t VALUES (1)'),
    ...run('SELECT 1/0'),
    sync,
    ...run('SELECT count(*) FROM t'),
    sync,
    ...run('INSERT INTO t VALUES (1)'),
    ...run('COMMIT'),
    ...run('SELECT 1/0'),
    sync,
    ...run('SELECT count(*) FROM t'),
    sync,
  ),
  pipeline(
    'a transaction over segments',
    ...run('BEGIN'),
    sync,
    ...run('SELECT 1/0'),
    sync,
    ...run('SELECT 1'),
    sync,
    ...run('ROLLBACK'),
    sync,
  ),
  pipeline(
    'BEGIN and COMMIT within a segment',
    ...run('BEGIN'),
    ...run('SELECT 1'),
    ...run('COMMIT'),
    ...run('SELECT 2'),
    sync,
  ),
  pipeline(
    'statements that may not run in a segment with others',
    ...run('SELECT 1'),
    ...run('VACUUM inbox'),
    sync,
    ...run('VACUUM inbox'),
    sync,
  ),
  {
    ...pipeline(
      'a constraint that fails at Sync',
      ...run('INSERT INTO child VALUES (99)'),
      sync,
      ...run('SELECT 1'),
      sync,
    ),
    setUp: 'TRUNCATE parent CASCADE',
  },
  pipeline(
    'protocol and SQL share prepared statements',
    parse('SELECT $1::int AS n', 's', [23]),
    sync,
    encodeQuery('EXECUTE s (5)'),
    encodeQuery('PREPARE t AS SELECT 6'),
    encodeBind({ statement: 't' }),
    describePortal(),
    execute(),
    sync,
    encodeQuery('DEALLOCATE s'),
    encodeBind({ statement: 's', parameters: [Buffer.from('1')] }),
    sync,
    encodeClose('S', 't'),
    sync,
    encodeQuery('EXECUTE t'),
  ),
  pipeline(
    'SQL PREPARE by the extended protocol, used in the same segment',
    ...run('PREPARE x AS SELECT 1'),
    ...run('EXECUTE x'),
    ...run('DEALLOCATE x'),
    ...run('EXECUTE x'),
    sync,
  ),
  pipeline(
    'protocol and SQL share cursors',
    encodeQuery('BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 6)'),
    describePortal('c'),
    execute(2, 'c'),
    sync,
    encodeQuery('FETCH 1 FROM c'),
    parse('SELECT generate_series(10, 15)', 's'),
    encodeBind({ portal: 'p', statement: 's' }),
    execute(1, 'p'),
    sync,
    encodeQuery('FETCH 2 FROM p'),
    encodeClose('P', 'c'),
    sync,
    encodeQuery('FETCH 1 FROM c'),
    encodeQuery('COMMIT'),
  ),
  pipeline(
    'a cursor declared and fetched in one segment',
    ...run('BEGIN'),
    ...run('DECLARE c CURSOR FOR SELECT generate_series(1, 6)'),
    ...run('FETCH 2 FROM c'),
    execute(1, 'c'),
    ...run('COMMIT'),
    sync,
  ),
  pipeline(
    'settings that change within a segment',
    ...run('SET standard_conforming_strings = off'),
    ...run("SELECT 'it\\'s'"),
    ...run("SELECT 'é\\'s'"),
    ...run('SET application_name = $$a$$'),
    sync,
    ...run("SELECT 'it\\'s'"),
    sync,
    ...run('RESET ALL'),
    sync,
  ),
  pipeline(
    'opaque statements',
    ...run('DO $$ BEGIN RAISE NOTICE $x$n$x$; END $$'),
    ...run('CALL step(1)'),
    ...run('SELECT 1'),
    sync,
  ),
  pipeline(
    'texts that are no text',
    parse(Buffer.from("SELECT 'caf\xe9'", 'latin1')),
    bind(),
    execute(),
    sync,
    parse('SELECT $1::text'),
    encodeBind({ parameters: [Buffer.from([0xe9])] }),
    execute(),
    sync,
    parse('SELECT $1::text'),
    encodeBind({ parameters: [Buffer.from([0x61, 0])] }),
    execute(),
    sync,
  ),
  pipeline(
    'names of any kind',
    parse('SELECT 1', 'a "quoted" näme'),
    encodeBind({ portal: "p'", statement: 'a "quoted" näme' }),
    execute(0, "p'"),
    sync,
    encodeQuery('SELECT name FROM pg_prepared_statements'),
  ),
  pipeline(
    'long names',
    parse('SELECT 1', 'n'.repeat(100)),
    encodeBind({ statement: 'n'.repeat(100) }),
    execute(),
    sync,
    encodeBind({ statement: 'n'.repeat(63) }),
    execute(),
    sync,
    encodeBind({ statement: 'n'.repeat(62) }),
    execute(),
    sync,
    encodeQuery(`EXECUTE ${'n'.repeat(63)}`),
    encodeQuery(`EXECUTE ${'n'.repeat(90)}`),
  ),
  pipeline('notices inside a segment', ...run("SELECT shout('a')"), ...run("SELECT shout('b')"), sync),
  pipeline('COPY out by the extended protocol', ...run('COPY (SELECT 1, 2) TO STDOUT'), ...run('SELECT 1'), sync),
  pipeline(
    'malformed text that only PostgreSQL can judge',
    ...run('SELECT 1 FROM generate_series(1, 2) AS g (x) WHERE'),
    sync,
    ...run("SELECT '\\'"),
    sync,
  ),
  {
    name: 'Flush without Sync',
    async run(session) {
      await session.send(parse('SELECT $1::int', 's'), describeStatement('s'), flush)
      await session.until(backend.RowDescription)
      await session.send(encodeBind({ statement: 's', parameters: [Buffer.from('1')] }), flush)
      await session.until(backend.BindComplete)
      await session.send(execute(), flush)
      await session.until(backend.CommandComplete)
      await session.send(flush, flush, encodeBind({ statement: 's', parameters: [Buffer.from('x')] }), execute(), flush)
      await session.until(backend.ErrorResponse)
      await session.pipeline(describeStatement('s'), flush, sync)
    },
  },
  {
    name: 'opaque statements answered without a Sync',
    async run(session) {
      await session.send(...run('SET standard_conforming_strings = off'), flush)
      await session.until(backend.CommandComplete)
      await session.send(...run("SELECT 'it\\'s'"), flush)
      await session.until(backend.CommandComplete)
      await session.pipeline(...run('DO $$ BEGIN END $$'), sync)
      await session.pipeline(...run('RESET standard_conforming_strings'), sync)
    },
  },
  {
    name: 'a portal fetched bit by bit with Flush, and left',
    async run(session) {
      await session.send(parse('SELECT id, name FROM items ORDER BY id'), bind(), execute(3), flush)
      await session.until(backend.PortalSuspended)
      await session.send(execute(3), flush)
      await session.until(backend.PortalSuspended)
      await session.pipeline(encodeClose('P', ''), execute(3), sync)
    },
  },
  {
    name: 'a cached plan whose result changes',
    async run(session) {
      await session.query('CREATE TEMP TABLE t (a int)')
      await session.pipeline(parse('SELECT * FROM t', 's'), encodeBind({ statement: 's' }), execute(), sync)
      await session.query('ALTER TABLE t ADD b int')
      await session.pipeline(encodeBind({ statement: 's' }), describePortal(), execute(), sync)
    },
  },
  {
    name: 'a parameter of 10 MB',
    isSentWhole: true,
    async run(session) {
      await session.pipeline(
        parse('SELECT length($1), $1'),
        encodeBind({ parameters: [tenMegabytes] }),
        execute(),
        sync,
      )
      await session.pipeline(...run('SELECT 1'), sync)
    },
  },
  {
    name: 'many parameters',
    isSentWhole: true,
    run: (session) => {
      const numbers = Array.from({ length: 5_000 }, (_, n) => String(n))
      return session.pipeline(
        ...run(`SELECT ARRAY[${numbers.map((n) => `$${String(Number(n) + 1)}::int`).join(', ')}]`, ...numbers),
        sync,
      )
    },
  },
  {
    name: 'a deep pipeline',
    isSentWhole: true,
    run: (session) =>
      session.pipeline(
        ...Array.from({ length: 500 }, (_, n) => [
          ...run('SELECT $1::int', String(n)),
          ...(n % 3 === 0 ? [sync] : []),
        ]).flat(),
        sync,
      ),
  },
  {
    name: 'a large text in a pipeline behind one that fails',
    isSentWhole: true,
    run: (session) =>
      session.pipeline(
        ...run('SELEC 1'),
        ...run(`SELECT 1 /* ${'z'.repeat(20_000)} */`),
        sync,
        ...run('SELECT 2'),
        sync,
        ...run(`SELECT 3 /* ${'w'.repeat(30_000)} */`),
        sync,
        ...run('SELECT 4'),
        sync,
      ),
  },
]
