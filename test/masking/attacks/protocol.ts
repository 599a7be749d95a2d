import {
  encodeBind,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../../../src/wire/frontend.ts'
import { Family } from '../attack.ts'

const copy = new Family('copy out')
copy.each(
  [
    'COPY customers TO STDOUT',
    'COPY customers (email) TO STDOUT',
    'COPY customers (id, full_name, salary, birth_date) TO STDOUT (FORMAT binary)',
    'COPY customers TO STDOUT (FORMAT binary)',
    'COPY customers TO STDOUT (FORMAT csv, HEADER)',
    'COPY customers TO STDOUT BINARY',
    'COPY customers TO STDOUT CSV HEADER',
    "COPY customers TO STDOUT DELIMITERS '|'",
    'COPY BINARY customers TO STDOUT',
    'COPY public.customers (phone, card) TO STDOUT CSV',
    'COPY (TABLE customers) TO STDOUT',
    'COPY (SELECT c FROM customers c) TO STDOUT (FORMAT binary)',
    'COPY (SELECT email FROM customers ORDER BY id) TO STDOUT WITH CSV',
    'COPY (VALUES ((SELECT email FROM customers LIMIT 1))) TO STDOUT',
    'COPY (WITH x AS (SELECT email FROM customers) TABLE x) TO STDOUT',
    'COPY (SELECT * FROM people) TO STDOUT',
    'COPY people_eu TO STDOUT',
    'COPY vip_members TO STDOUT',
    'COPY (SELECT * FROM members) TO STDOUT',
    'COPY strongroom TO STDOUT',
    'COPY payments TO STDOUT',
    'COPY accounts TO STDOUT',
    'COPY staff TO STDOUT',
    'COPY hr.employees TO STDOUT (FORMAT csv)',
    'COPY customer_mat TO STDOUT',
    'COPY "Odd Täble" TO STDOUT',
    "COPY (SELECT email FROM customers) TO STDOUT (DELIMITER 'e')".replace("'e'", "'@'"),
    "COPY customers (full_name, email) TO STDOUT (DELIMITER ',')",
    "COPY customers (id, email) TO STDOUT (DELIMITER E'\\x01')",
    "COPY (SELECT email, city FROM customers) TO STDOUT (NULL 'Town 1')",
    "COPY (SELECT city, email FROM customers) TO STDOUT (NULL '')",
    "COPY (SELECT CASE WHEN id = 1 THEN NULL ELSE 'x' END, email FROM customers) TO STDOUT (NULL 'x')",
    "COPY (SELECT E'a\\tb\\nc\\\\', full_name FROM customers) TO STDOUT",
    "COPY (SELECT E'a\"b,\\r\\n', full_name FROM customers) TO STDOUT (FORMAT csv)",
    "COPY (SELECT E'\\\\.', full_name FROM customers) TO STDOUT (FORMAT csv)",
    "COPY (SELECT '\"', email FROM customers) TO STDOUT (FORMAT csv, QUOTE '''', ESCAPE '\"')",
    "COPY (SELECT 'a,b', email FROM customers) TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
    "COPY (SELECT city, email FROM customers) TO STDOUT (FORMAT csv, FORCE_QUOTE (city), HEADER, DELIMITER ';', QUOTE '~', ESCAPE '~')",
    "COPY (SELECT '', email FROM customers) TO STDOUT (FORMAT csv, NULL 'x', DELIMITER E'\\t')",
    "COPY (SELECT NULL, email, NULL, full_name FROM customers) TO STDOUT (FORMAT csv, NULL '@@')",
    'COPY (SELECT \'x\' AS "a,b", email AS "c\nd" FROM customers) TO STDOUT (FORMAT csv, HEADER)',
    'COPY (SELECT id AS "a\tb\nc", email FROM customers) TO STDOUT (HEADER)',
    "COPY customers (email) TO STDOUT (ENCODING 'LATIN1')",
    "COPY customers (email) TO STDOUT (ENCODING 'SJIS')",
    "COPY (SELECT 'ソ', email FROM customers) TO STDOUT (ENCODING 'SJIS')",
    "COPY (SELECT 'ソ', email FROM customers) TO STDOUT (ENCODING 'SJIS', FORMAT csv)",
    "COPY (SELECT 'é', email FROM customers) TO STDOUT (ENCODING 'GB18030')",
    "COPY (SELECT email FROM customers) TO STDOUT (FORMAT 'text', FREEZE false)",
    'COPY (SELECT) TO STDOUT',
    'COPY (SELECT email AS x, full_name AS x FROM customers) TO STDOUT',
  ].filter((sql) => sql !== 'COPY (SELECT) TO STDOUT' && !sql.includes('FREEZE')),
)
copy.each(['COPY customers (email) TO STDOUT', 'COPY (SELECT full_name FROM customers) TO STDOUT'], {
  protocol: 'text',
})
copy.each(['COPY customers (email) TO STDOUT', 'COPY (SELECT full_name, salary FROM customers) TO STDOUT BINARY'], {
  protocol: 'undescribed',
})
copy.try(["SET client_encoding = 'LATIN1'", 'COPY customers (email, full_name) TO STDOUT'])
copy.try(["SET client_encoding = 'SJIS'", "COPY (SELECT E'\\u30bd', email FROM customers) TO STDOUT"])
copy.try(["SET client_encoding = 'SJIS'", "SELECT E'\\u30bd', email FROM customers"])
copy.try('SELECT 1; COPY customers (email) TO STDOUT; SELECT 2; COPY (SELECT full_name FROM customers) TO STDOUT CSV')
copy.try(
  [
    { sql: 'SELECT city FROM customers' },
    { sql: 'COPY customers (email) TO STDOUT' },
    { sql: 'SELECT full_name FROM customers' },
  ],
  { protocol: 'pipeline' },
)

const texts = new Family('texts of many kinds')
const long = `/* ${'x'.repeat(20_000)} */`
texts.try(`SELECT email ${long} FROM customers`, {
  on: ['simple', 'binary', 'undescribed'],
  name: 'a comment of 20 KB',
})
texts.try(
  `SELECT email FROM customers WHERE id NOT IN (${Array.from({ length: 6_000 }, (_, n) => String(n + 100)).join(',')})`,
  { on: ['simple', 'text'], name: 'a list of 24 KB' },
)
texts.try(`SELECT ${Array.from({ length: 300 }, (_, n) => `id AS c${String(n)}`).join(', ')}, email FROM customers`, {
  on: ['simple', 'binary', 'copy text'],
  name: 'three hundred columns',
})
texts.try(
  `SELECT x FROM ${'(SELECT * FROM '.repeat(60)}(SELECT email AS x FROM customers) s${Array.from({ length: 60 }, (_, n) => `) s${String(n)}`).join('')}`,
  { name: 'sixty subqueries in each other' },
)
texts.try(`SELECT ${'('.repeat(300)}email${')'.repeat(300)} FROM customers`, { name: 'three hundred parentheses' })
texts.try(`SELECT ${Array.from({ length: 400 }, () => "'' ||").join(' ')} full_name FROM customers`, {
  name: 'four hundred operators',
})
texts.try(`${Array.from({ length: 200 }, (_, n) => `SELECT ${String(n)};`).join(' ')} SELECT email FROM customers`, {
  name: 'two hundred statements',
})
texts.try(
  `WITH ${Array.from({ length: 100 }, (_, n) => `c${String(n)} AS (SELECT ${n === 0 ? 'email AS x FROM customers' : `x FROM c${String(n - 1)}`})`).join(', ')} SELECT x FROM c99`,
  { name: 'a hundred common table expressions' },
)
texts.try(`SELECT email FROM customers ${'UNION SELECT item FROM orders '.repeat(50)}`, { name: 'fifty unions' })
texts.each([
  'SELECT/**/email/**/FROM/**/customers',
  'SELECT -- id\n email FROM customers -- WHERE false',
  'SELECT /* /* nested */ id */ email FROM customers',
  'SELECT\temail\r\nFROM\fcustomers',
  'SELECT email FROM customers;',
  ';;; SELECT email FROM customers ;;;',
  'SELECT email FROM customers; SELECT 1',
  'SELECT 1; SELECT email FROM customers; SELECT 1/0',
  'SELECT id FROM customers; SELECT email FROM customers; SELECT city FROM customers',
  'SELECT city FROM customers; TABLE customers',
  'SELECT U&"\\+000065mail" FROM customers',
  'SELECT U&"!0065mail" UESCAPE \'!\' FROM customers',
  'SELECT e.ｅmail FROM (SELECT email AS ｅmail FROM customers) e',
  'SELECT "ﬁeld" FROM (SELECT full_name AS "ﬁeld" FROM customers) x',
  `SELECT ${'e'.repeat(70)} FROM (SELECT email AS ${'e'.repeat(70)} FROM customers) x`,
  'SELECT "email" "Email" FROM "customers" "Customers"',
  'SELECT $tag$x$tag$, email FROM customers',
  'SELECT 1 AS email, email AS x FROM customers',
  'SELECT "customers"."email" FROM customers',
  "SELECT B'1', X'1F', E'\\'', $$;$$, email FROM customers",
])
texts.try(['SET standard_conforming_strings = off', "SELECT '\\' , ', email, ' --' FROM customers"])
texts.try(['SET backslash_quote = on; SET standard_conforming_strings = off', "SELECT 'a\\'', email FROM customers"])
texts.try(
  [
    "SET client_encoding = 'SJIS'",
    {
      messages: [
        encodeQuery(
          Buffer.concat([Buffer.from("SELECT '"), Buffer.from([0x83, 0x5c]), Buffer.from("', email FROM customers")]),
        ),
      ],
    },
  ],
  { name: 'a backslash that is half a character' },
)
texts.try(
  [
    "SET client_encoding = 'LATIN1'",
    { messages: [encodeQuery(Buffer.from('SELECT "E M\xe4il" FROM "Odd T\xe4ble"', 'latin1'))] },
  ],
  { name: 'names in LATIN1' },
)
texts.try(["SET client_encoding = 'UHC'", 'SELECT email FROM customers'])
texts.try('SELECT email FROM customers', { startUp: { client_encoding: 'LATIN1' }, name: 'LATIN1 from the start' })
texts.try(["SET client_encoding = 'SQL_ASCII'", 'SELECT email, full_name FROM customers'])
texts.try('SELECT email, birth_date FROM customers', {
  startUp: { options: '-c datestyle=German -c bytea_output=escape' },
  name: 'DateStyle from the start',
})

const cursors = new Family('cursors')
for (const steps of [
  ['DECLARE c CURSOR FOR SELECT email FROM customers', 'FETCH 1 FROM c', 'FETCH NEXT FROM c', 'FETCH ALL FROM c'],
  ['DECLARE c SCROLL CURSOR FOR SELECT * FROM customers', 'FETCH LAST FROM c', 'FETCH BACKWARD ALL FROM c'],
  [
    'DECLARE c SCROLL CURSOR FOR SELECT email FROM customers',
    'MOVE 2 FROM c',
    'FETCH ABSOLUTE 1 FROM c',
    'FETCH RELATIVE 0 FROM c',
    'FETCH PRIOR FROM c',
  ],
  ['DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers', 'FETCH ALL FROM c'],
  ['DECLARE c BINARY CURSOR FOR SELECT email, salary, birth_date FROM customers', 'FETCH ALL FROM c'],
  ['DECLARE c BINARY SCROLL CURSOR FOR SELECT * FROM customers', 'FETCH ALL FROM c'],
  ['DECLARE c INSENSITIVE CURSOR FOR SELECT c FROM customers c', 'FETCH c'],
  ['DECLARE "C c" CURSOR FOR SELECT email FROM customers', 'FETCH ALL FROM "C c"'],
  [
    'DECLARE c CURSOR FOR SELECT city FROM customers',
    'CLOSE c',
    'DECLARE c CURSOR FOR SELECT email FROM customers',
    'FETCH ALL FROM c',
  ],
  [
    'DECLARE c CURSOR FOR SELECT email FROM customers',
    'SAVEPOINT s',
    'FETCH 2 FROM c',
    'ROLLBACK TO s',
    'FETCH ALL IN c',
  ],
  [
    'SAVEPOINT s',
    'DECLARE c CURSOR FOR SELECT city FROM customers',
    'ROLLBACK TO s',
    'DECLARE c CURSOR FOR SELECT email FROM customers',
    'FETCH ALL FROM c',
  ],
  ['DECLARE c CURSOR FOR SELECT email FROM customers; FETCH ALL FROM c'],
  [
    'DECLARE c CURSOR FOR SELECT city FROM customers; CLOSE c; DECLARE c CURSOR FOR SELECT email FROM customers; FETCH ALL FROM c',
  ],
  [
    'DECLARE c CURSOR FOR SELECT full_name FROM customers FOR UPDATE',
    'FETCH c',
    "UPDATE customers SET city = 'x' WHERE CURRENT OF c RETURNING email",
  ],
  ['DECLARE c CURSOR FOR VALUES ((SELECT email FROM customers LIMIT 1))', 'FETCH FORWARD ALL FROM c'],
])
  cursors.inside(steps)
cursors.try(['BEGIN', 'DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers', 'COMMIT', 'FETCH ALL FROM c'], {
  name: 'held over a commit',
})
cursors.try(
  [
    'BEGIN',
    'DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT email FROM customers',
    'COMMIT',
    'BEGIN',
    'FETCH 2 FROM c',
    'ROLLBACK',
    'FETCH ALL FROM c',
  ],
  { name: 'held over a rollback' },
)
cursors.try(['DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers', 'FETCH ALL FROM c'], {
  on: ['text', 'binary', 'undescribed', 'sliced'],
})
cursors.try(['BEGIN', 'DECLARE c CURSOR FOR SELECT email, salary FROM customers', { sql: 'FETCH ALL FROM c' }], {
  on: ['text', 'binary', 'undescribed', 'sliced'],
})
cursors.try(
  [
    { sql: 'BEGIN' },
    { sql: 'DECLARE c CURSOR FOR SELECT email FROM customers' },
    { sql: 'FETCH 2 FROM c' },
    { sql: 'FETCH ALL FROM c' },
  ],
  { protocol: 'pipeline' },
)
cursors.try([
  'BEGIN',
  'DECLARE c CURSOR FOR SELECT email FROM customers',
  'SELECT * FROM pg_cursors',
  'FETCH ALL FROM c',
])
cursors.try([
  'BEGIN',
  'PREPARE p AS SELECT email FROM customers',
  'DECLARE c CURSOR FOR SELECT 1',
  'EXECUTE p',
  'FETCH c',
])

const parse = (sql: string, name = ''): Buffer => encodeParse({ sql, name })
const bind = (statement = '', portal = '', resultFormats: number[] = []): Buffer =>
  encodeBind({ statement, portal, resultFormats })
const run = (portal = '', rowsMax = 0): Buffer => encodeExecute(portal, rowsMax)
const query = 'SELECT email, salary, birth_date, full_name FROM customers'

const messages = new Family('messages in odd orders')
const send = (name: string, list: readonly Buffer[], readyCount = 1): void => {
  messages.try({ messages: list, readyCount }, { name })
}
send('no Describe', [parse(query), bind(), run(), sync])
send('Describe of the statement only', [parse(query, 's'), encodeDescribe('S', 's'), bind('s'), run(), sync])
send('Describe after Execute', [parse(query), bind('', 'p'), run('p', 1), encodeDescribe('P', 'p'), run('p'), sync])
send('binary without Describe', [parse(query), bind('', '', [1]), run(), sync])
send('text and binary mixed', [parse(query), bind('', '', [1, 0, 1, 0]), run(), sync])
send('in slices', [parse(query), bind('', 'p'), run('p', 1), run('p', 2), run('p'), sync])
send('in slices with Flush', [parse(query), bind('', 'p', [1]), flush, run('p', 1), flush, run('p', 1), flush, sync])
send(
  'in slices over Sync',
  [encodeQuery('BEGIN'), parse(query), bind('', 'p'), run('p', 1), sync, run('p', 1), sync, run('p'), sync],
  4,
)
send(
  'two portals in turns',
  [
    encodeQuery('BEGIN'),
    parse(query, 's'),
    parse('SELECT city, id, id, city FROM customers', 't'),
    bind('t', 'a'),
    bind('s', 'b'),
    run('a', 1),
    run('b', 1),
    run('a', 1),
    run('b', 2),
    run('b'),
    sync,
  ],
  2,
)
send('two portals of one statement', [
  parse(query, 's'),
  bind('s', 'a', [0]),
  bind('s', 'b', [1]),
  run('b', 2),
  run('a', 2),
  run('b'),
  run('a'),
  sync,
])
send('a portal that replaces another', [
  parse('SELECT city FROM customers', 's'),
  bind('s', 'p'),
  parse('SELECT email FROM customers', 't'),
  encodeClose('P', 'p'),
  bind('t', 'p'),
  run('p'),
  sync,
])
send('the unnamed portal twice', [
  parse('SELECT city FROM customers', 's'),
  bind('s'),
  parse(query),
  bind(),
  run(),
  sync,
])
send('a statement closed and made anew', [
  parse('SELECT city FROM customers', 's'),
  encodeClose('S', 's'),
  parse('SELECT email FROM customers', 's'),
  bind('s'),
  run(),
  sync,
])
send('a portal of a closed statement', [parse(query, 's'), bind('s', 'p'), encodeClose('S', 's'), run('p'), sync])
send(
  'a portal that is a cursor',
  [encodeQuery('BEGIN'), parse(query), bind('', 'p'), sync, encodeQuery('FETCH ALL FROM p')],
  3,
)
send('a cursor that is a portal', [encodeQuery(`BEGIN; DECLARE p CURSOR FOR ${query}`), run('p', 2), run('p'), sync], 2)
send(
  'a binary cursor that is a portal',
  [encodeQuery(`BEGIN; DECLARE p BINARY CURSOR FOR ${query}`), encodeDescribe('P', 'p'), run('p'), sync],
  2,
)
send(
  'a cursor described as a portal',
  [encodeQuery(`BEGIN; DECLARE p CURSOR FOR ${query}`), encodeDescribe('P', 'p'), run('p'), sync],
  2,
)
send('PREPARE and Bind', [encodeQuery(`PREPARE s AS ${query}`), bind('s'), run(), sync], 2)
send('PREPARE and Bind at once', [parse(`PREPARE s AS ${query}`), bind(), run(), bind('s', '', [1]), run(), sync])
send(
  'PREPARE, Describe and Bind',
  [
    encodeQuery(`PREPARE s AS ${query}`),
    encodeDescribe('S', 's'),
    bind('s', 'p'),
    encodeDescribe('P', 'p'),
    run('p'),
    sync,
  ],
  2,
)
send(
  'PREPARE and Bind of a copy',
  [encodeQuery('PREPARE s AS SELECT fail(email) FROM customers'), bind('s'), run(), sync],
  2,
)
send(
  'PREPARE with parameters and Bind',
  [
    encodeQuery('PREPARE s (int) AS SELECT email FROM customers WHERE id = $1'),
    encodeBind({ statement: 's', parameters: [Buffer.from('1')] }),
    run(),
    sync,
  ],
  2,
)
send('Parse and EXECUTE', [parse(query, 's'), sync, encodeQuery('EXECUTE s')], 2)
send('Parse and EXECUTE by Parse', [parse(query, 's'), parse('EXECUTE s'), bind(), run(), sync])
send(
  'Parse and EXPLAIN ANALYZE EXECUTE',
  [parse('SELECT warn(email) FROM customers', 's'), sync, encodeQuery('EXPLAIN ANALYZE EXECUTE s')],
  2,
)
send(
  'behind an error',
  [parse('SELECT 1/0'), bind(), run(), parse(query), bind(), run(), sync, parse(query), bind(), run(), sync],
  2,
)
send('in front of an error', [parse(query), bind(), run(), parse('SELECT 1/0'), bind(), run(), sync])
send('behind a refusal', [parse('DROP DATABASE shop'), bind(), run(), sync, parse(query), bind(), run(), sync], 2)
send(
  'a hundred in a pipeline',
  Array.from({ length: 100 }, (_, n) => [
    parse(n % 2 === 0 ? 'SELECT city FROM customers' : 'SELECT email FROM customers'),
    bind('', '', [n % 3 === 0 ? 1 : 0]),
    ...(n % 5 === 0 ? [encodeDescribe('P', '')] : []),
    run(),
  ])
    .flat()
    .concat(sync),
)
send(
  'Query between',
  [parse(query, 's'), bind('s', 'p'), sync, encodeQuery('SELECT full_name FROM customers'), bind('s'), run(), sync],
  3,
)
send(
  'one Parse, Bind twice after a change of path',
  [
    encodeQuery('SET search_path = hr, public'),
    parse('SELECT name FROM employees', 's'),
    bind('s'),
    run(),
    sync,
    encodeQuery('SET search_path = public, hr'),
    bind('s'),
    run(),
    sync,
  ],
  4,
)
send('a parameter that chooses', [
  parse('SELECT CASE WHEN $1 THEN email ELSE city END FROM customers'),
  encodeBind({ parameters: [Buffer.from('t')] }),
  run(),
  sync,
])
send('a parameter that is asked back', [
  parse('SELECT $1 || email FROM customers'),
  encodeBind({ parameters: [Buffer.from('')] }),
  run(),
  sync,
])
send('a function that a parameter makes run', [
  parse('SELECT run($1)'),
  encodeBind({ parameters: [Buffer.from('SELECT email FROM customers')] }),
  run(),
  sync,
])
send('a type that a parameter makes another', [
  encodeParse({ sql: 'SELECT coalesce($1, email::varchar) FROM customers', parameterTypes: [1043] }),
  encodeBind({ parameters: [null] }),
  run(),
  sync,
])
messages.try(['PREPARE p (text) AS SELECT email FROM customers WHERE city = $1', "EXECUTE p ('Town 1')"])
messages.try([
  'PREPARE p AS SELECT city FROM customers',
  'DEALLOCATE p',
  'PREPARE p AS SELECT email FROM customers',
  'EXECUTE p',
])
messages.try([
  'PREPARE p AS SELECT city FROM customers; DEALLOCATE p; PREPARE p AS SELECT email FROM customers; EXECUTE p',
])
messages.try([
  'PREPARE p AS SELECT city FROM customers',
  'DISCARD ALL',
  'PREPARE p AS SELECT email FROM customers',
  'EXECUTE p',
])
messages.try(['PREPARE "P" AS SELECT email FROM customers', 'PREPARE p AS SELECT city FROM customers', 'EXECUTE "P"'])
messages.try(['PREPARE p AS UPDATE customers SET city = city RETURNING email', 'BEGIN', 'EXECUTE p'])
messages.try(
  { sql: 'SELECT c.email FROM customers c, generate_series(1, 20000)', isCancelled: true },
  { name: 'a cancel in the middle of rows', on: ['simple', 'binary'] },
)
messages.try(
  { sql: 'COPY (SELECT c.email FROM customers c, generate_series(1, 4000)) TO STDOUT' },
  { name: 'twenty thousand lines' },
)
messages.try('SELECT c.email, repeat(c.full_name, 3000) FROM customers c', {
  name: 'rows of 50 KB',
  on: ['simple', 'binary', 'copy text', 'copy binary'],
})
messages.try('SELECT repeat(email, 40000) FROM customers WHERE id = 1', {
  name: 'a value of a megabyte',
  on: ['simple', 'binary', 'copy csv'],
})

/** Ways over the wire. */
export const protocolAttacks = [copy, texts, cursors, messages].flatMap(({ attacks }) => attacks)
