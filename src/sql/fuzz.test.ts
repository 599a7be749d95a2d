import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { analyzeText } from './golden.ts'
import { openSession } from './testing-session.ts'
import type { Session } from './testing-session.ts'

let postgres: SandboxPostgres
let session: Session
before(async () => {
  postgres = await startPostgres()
  session = await openSession(postgres)
})
after(async () => {
  session.socket.destroy()
  await postgres.stop()
})

const corpus = [
  "SELECT a.b, 'x''y', E'\\'z', U&'\\0061' UESCAPE '!', $$d$$, $q$ $$ $q$, B'01', X'ff', 1_000, 0x1F, .5e-3 FROM t AS a",
  'SELECT * FROM "Größe"."naïve" WHERE i NOT IN (1, 2) AND j NOT LIKE \'%x\' ORDER BY k NULLS LAST FOR UPDATE OF t',
  'WITH RECURSIVE x (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 5) SELECT i::text COLLATE "C" FROM x',
  "INSERT INTO s.t (a, b[1], c.d) VALUES (DEFAULT, 'ü', $1) ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING *",
  'UPDATE ONLY t SET (a, b) = (SELECT 1, 2), c = DEFAULT FROM u WHERE CURRENT OF cur',
  'MERGE INTO t USING u ON t.i = u.i WHEN MATCHED AND u.x THEN DELETE WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (1)',
  "COPY (SELECT 1) TO PROGRAM 'x' WITH (FORMAT csv, HEADER, DELIMITER ';')",
  'EXPLAIN (ANALYZE off, FORMAT JSON) SELECT * FROM generate_series(1, 2) WITH ORDINALITY AS g (a, b)',
  'CREATE TABLE t (i int GENERATED ALWAYS AS IDENTITY, ts timestamp WITH TIME ZONE DEFAULT now(), CHECK (i <> 5))',
  "SELECT JSON_OBJECT('a' : 1 FORMAT JSON), JSON_TABLE FROM t; SELECT XMLELEMENT(NAME x, 'y')",
  'SET LOCAL "role" TO \'x\'; RESET ROLE; SHOW ALL; LISTEN "ch;an"',
  "DO $do$ BEGIN EXECUTE 'DROP TABLE t'; END $do$ LANGUAGE plpgsql; CALL p(1, b => 2)",
  'ALTER TABLE a ATTACH PARTITION b FOR VALUES FROM (MINVALUE) TO (1); DROP TABLE IF EXISTS a.b, c CASCADE',
  "SELECT a OPERATOR(s.@@) b, -a ^ 2 % 3, a @> b, a->>'x', (a).b.*, a[1:2], CASE WHEN a THEN b END -- end\n /* x /* y */ */",
]

const pieces =
  `/**/ --x\n ' " $$ $q$ ( ) [ ] ; , :: . : @ + - * / < > = ~ ! # % ^ & | \` ? \\ E' U&' U&" N' B' /* */ -- $1 1 0x 1_ é 😀
  NOT IN WITH UESCAPE NULLS FIRST TIME ORDINALITY FORMAT JSON SELECT FROM AS "a" 'a' select union \f \v \u00a0 ſ K`.split(
    ' ',
  )

void test('texts that were changed at random are accepted and refused as PostgreSQL does, and cut as it does', async () => {
  const seed = Number(process.hrtime.bigint() % 2_147_483_647n)
  const random = randomNumbers(seed)
  for (let round = 0; round < 800; round += 1) {
    const sql = change(corpus[random(corpus.length)] ?? '', random)
    const about = `seed ${seed}, round ${round}: ${JSON.stringify(sql)}`
    const { statements, syntaxError } = analyzeText(sql)
    const ends = statements.some(({ kind }) => /COMMIT|ROLLBACK|PREPARE TRANSACTION/.test(kind))
    if (ends) continue
    // In a transaction that has failed, PostgreSQL parses a text and then refuses to run it.
    await session.query('BEGIN')
    await session.query('SELECT 1/0')
    const { error } = await session.query(sql)
    await session.query('ROLLBACK')
    const isRefused = error !== null && error.sqlstate !== '25P02'
    const theirs = isRefused ? { message: error.message, position: error.position } : null
    // libpg_query takes parameters in more places, so as to read the texts of pg_stat_statements. PostgreSQL refuses
    // these, so what they are taken for does not matter.
    if (theirs !== null && /\$\d/.test(sql)) continue
    // A text that is refused for a comment's sake first and has an error later on is said to be wrong at the comment.
    if (theirs !== null && /--|\/\*/.test(sql)) assert.notEqual(syntaxError, null, about)
    else assert.deepEqual(syntaxError, theirs, about)
    if (syntaxError === null) {
      for (const statement of statements) {
        assert.ok(sql.includes(statement.sql), about)
        assert.equal(statement.commands[0]?.name, statement.kind, about)
        assert.ok(analyzeText(statement.sql).statements.length === 1, about)
        assert.deepEqual(analyzeText(statement.sql).statements[0], statement, about)
      }
    }
  }
})

function change(sql: string, random: (below: number) => number): string {
  let text = sql
  for (let left = random(4); left > 0; left -= 1) {
    // By characters, so that no surrogate pair is torn: such a text is never parsed.
    const characters = Array.from(text)
    const at = random(characters.length + 1)
    const piece = pieces[random(pieces.length)] ?? ''
    switch (random(4)) {
      case 0:
        characters.splice(at, 0, piece)
        break
      case 1:
        characters.splice(at, 1 + random(3))
        break
      case 2:
        characters.splice(at, 0, ` ${piece} `)
        break
      default:
        for (const [i, each] of characters.entries()) {
          if (each === ' ' && random(4) === 0) characters[i] = ['/**/', '--\n', '\n', ' /* ; */ '][random(4)] ?? ' '
        }
    }
    text = characters.join('')
  }
  return text
}

/** A small generator (mulberry32), so that a seed repeats a run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
