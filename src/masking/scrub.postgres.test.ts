import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { scrubReport } from './scrub.ts'
import { RawSession } from './testing.ts'

let server: SandboxPostgres
let session: RawSession

const names: ReadonlySet<string> = new Set(
  'public people child id email age boss note people_pkey people_email_key people_age_check child_boss_fkey leak lower people_excl'.split(
    ' ',
  ),
)

before(async () => {
  server = await startPostgres()
  session = await RawSession.open(server)
  await session.run(`
    create table people (id int primary key, email varchar(40) unique, age int check (age > 0), note text not null default '');
    create table child (boss int references people, note text);
    insert into people values (4711, 'canary@example.com', 40, 'canary'), (2, 'other@example.com', 41, '7b');
    insert into child values (4711, '');
    create function raises() returns trigger language plpgsql as $$
      begin raise exception 'relation "%" does not exist', old.email using errcode = '42P01', detail = old.email,
        hint = old.email, column = old.email, table = old.email, constraint = old.email, datatype = old.email, schema = old.email; end $$;
    create function leak(s text, code text) returns int language plpgsql as $$
      begin raise exception using message = s, errcode = code; end $$;
    create function warns(s text) returns int language plpgsql as $$ begin raise notice '%', s; return 1; end $$;
    create function dynamic(s text) returns int language plpgsql as $$ begin execute 'select ' || quote_ident(s) || ' from people'; return 1; end $$;
    create function in_sql(s text) returns int language sql as $$ select s::int $$;
    create trigger t before delete on people for each row execute function raises()`)
})

after(async () => {
  await session.end()
  await server.stop()
})

async function scrubbed(sql: string): Promise<Map<string, string>> {
  return scrubReport(await session.report(sql), { sql, isName: (name) => names.has(name) })
}

test('what PostgreSQL says of the client’s own mistakes is said', async () => {
  const sayings: readonly (readonly [sql: string, message: string, detail?: string])[] = [
    ['selekt email from people', 'syntax error at or near "selekt"'],
    [`select 'abc`, `unterminated quoted string at or near "'abc"`],
    ['select email from nowhere', 'relation "nowhere" does not exist'],
    ['select email from "No Where"."X"', 'relation "No Where.X" does not exist'],
    ['select email, Nothing from people', 'column "nothing" does not exist'],
    ['select p.nothing from people p', 'column p.nothing does not exist'],
    ['select q.email from people p', 'missing FROM-clause entry for table "q"'],
    ['select upperr(email) from people', 'function upperr(character varying) does not exist'],
    ['select email + 1 from people', 'operator does not exist: character varying + integer'],
    [
      'select email, count(*) from people',
      'column "people.email" must appear in the GROUP BY clause or be used in an aggregate function',
    ],
    ['select email from people where age', 'argument of WHERE must be type boolean, not type integer'],
    ['select email from people where count(*) > 1', 'aggregate functions are not allowed in WHERE'],
    [`select email from people where age = 'old'`, 'invalid input syntax for type integer: "old"'],
    [`select email from people where age = '99999999999'`, 'value "99999999999" is out of range for type integer'],
    ['select email::nosuchtype from people', 'type "nosuchtype" does not exist'],
    ['select email from people union select 1, 2', 'each UNION query must have the same number of columns'],
    ['select email from people union select 1', 'UNION types character varying and integer cannot be matched'],
    ['insert into people (id, email) values (1)', 'INSERT has more target columns than expressions'],
    ['insert into people (id, nope) values (1, 2)', 'column "nope" of relation "people" does not exist'],
    ['select (select email from people)', 'more than one row returned by a subquery used as an expression'],
    ['select age / 0 from people', 'division by zero'],
    ['select age * 2000000000 from people', 'integer out of range'],
    [
      `insert into people values (5, 'canary@example.com', 1)`,
      'duplicate key value violates unique constraint "people_email_key"',
      'Key (email) already exists.',
    ],
    [
      `insert into people values (4711, 'x', 1)`,
      'duplicate key value violates unique constraint "people_pkey"',
      'Key (id) already exists.',
    ],
    [
      'insert into child values (815)',
      'insert or update on table "child" violates foreign key constraint "child_boss_fkey"',
      'Key (boss) is not present in table "people".',
    ],
    [
      'update people set id = 9 where id = 4711',
      'update or delete on table "people" violates foreign key constraint "child_boss_fkey" on table "child"',
      'Key (id) is still referenced from table "child".',
    ],
    ['update people set age = -age', 'new row for relation "people" violates check constraint "people_age_check"'],
    ['update people set note = null', 'null value in column "note" of relation "people" violates not-null constraint'],
    ['update people set email = repeat(email, 9)', 'value too long for type character varying(40)'],
    ['select email from people limit -1', 'LIMIT must not be negative'],
    [`select /* 😀 */ nothing, email from people`, 'column "nothing" does not exist'],
  ]
  for (const [sql, message, detail] of sayings) {
    const raw = await session.report(sql)
    const fields = await scrubbed(sql)
    // PostgreSQL joins schema and name without quotes in one of them.
    assert.equal(fields.get('M'), message, `${sql} (${raw.get('F')})`)
    assert.equal(fields.get('C'), raw.get('C'), sql)
    assert.equal(fields.get('P'), raw.get('P'), sql)
    if (detail !== undefined) assert.equal(fields.get('D'), detail)
    assert.ok(![...fields.values()].join('\n').includes('4711'), sql)
  }
})

test('a suggestion of a column is kept', async () => {
  const fields = await scrubbed('select emali from people')
  assert.equal(fields.get('H'), 'Perhaps you meant to reference the column "people.email".')
})

test('no value comes out of an error or notice', async () => {
  const attacks = [
    'select email::int from people',
    'select note::int from people',
    'select email::regclass from people',
    'select email::date from people',
    'select email::uuid from people',
    'select email::json from people',
    `select ('<' || email)::xml from people`,
    'select email::inet from people',
    'select note::int[] from people',
    'select note::bytea::text::"char"::text::numeric from people',
    'select to_timestamp(note, note) from people',
    `select set_config(note, note, false) from people`,
    'select lower(note)::regproc from people',
    'select note::regtype from people',
    'select note::regrole from people',
    'select nextval(note) from people',
    'select in_sql(note) from people',
    'select dynamic(note) from people',
    'select dynamic(email) from people',
    `select leak(email, '42P01') from people`,
    `select leak('relation "' || email || '" does not exist', '42P01') from people`,
    `select leak('division by zero ' || email, '22012') from people`,
    'select warns(email) from people',
    'delete from people',
    `insert into people select 2, email, 1, note from people`,
    'update people set age = -1, note = note',
    `select ('{"a": "' || note || '"')::json from people`,
    `select query_to_xml('select ' || note || ' from people', true, true, '') from people`,
    `select array[1,2][note::int] from people`,
    `select regexp_replace('x', note || '(', '') from people`,
    `select jsonb_path_query('{}', note::jsonpath) from people`,
    `do $$ begin execute 'select ' || (select quote_ident(note) from people limit 1); end $$`,
  ]
  // A text that holds all candidates must not make them known.
  const candidates = ' /* canary canary@example.com "canary" \'canary\' 7b 4711 */'
  for (const attack of attacks) {
    for (const sql of [attack, attack + candidates, candidates + attack]) {
      const raw = await session.report(sql)
      const all = [...(await scrubbed(sql))].join('\n')
      assert.ok(!/canary|7b|4711/.test(all), `${sql}\n${all}\n${[...raw].join('\n')}`)
    }
  }
})

test('what a function raises is hidden whatever it looks like, and says so', async () => {
  const fields = await scrubbed('delete from people')
  assert.deepEqual([...fields.keys()].sort(), ['C', 'F', 'H', 'L', 'M', 'R', 'S', 'V'])
  assert.equal(fields.get('C'), '42P01')
  assert.match(fields.get('M') ?? '', /undefined table; the text of the error is hidden/)
  assert.match(fields.get('H') ?? '', /Postern hides/)
  // Even names that are known could spell a value.
  const spelled = await scrubbed(`select leak('relation "people" does not exist', '42P01')`)
  assert.match(spelled.get('M') ?? '', /hidden/)
  const coded = await scrubbed(`select leak('x', 'CA123')`)
  assert.equal(coded.get('C'), 'P0001')
  const notice = await scrubbed('select warns(email) from people')
  assert.match(notice.get('M') ?? '', /this notice is hidden/)
})
