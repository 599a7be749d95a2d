import {
  copyDone,
  encodeBind,
  encodeClose,
  encodeCopyData,
  encodeCopyFail,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../../src/wire/frontend.ts'
import { pick } from './garbage.ts'

/** Messages that PostgreSQL understands, in an order that it may answer with errors, and a word that comes last. */
export interface Conversation {
  readonly messages: readonly Buffer[]
  readonly sentinel: string
}

const names = ['', '', 's', 't']

// No savepoints: PostgreSQL 18 ends a session that begins a segment with one ("ReleaseSavepoint: unexpected state STARTED").
const texts = [
  'SELECT 1',
  'SELECT generate_series(1, 4)',
  'SELECT 1/0',
  'SELECT nothing',
  'SELEC 1',
  '',
  '-- only a comment',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  "INSERT INTO inbox VALUES (1, 'x') RETURNING id",
  'UPDATE inbox SET id = id + 1',
  'DELETE FROM inbox',
  'SELECT count(*) FROM inbox',
  'PREPARE t AS SELECT 7',
  'EXECUTE t',
  'DEALLOCATE ALL',
  'DEALLOCATE t',
  'DECLARE t CURSOR FOR SELECT generate_series(1, 3)',
  'DECLARE s CURSOR WITH HOLD FOR SELECT generate_series(1, 3)',
  'FETCH 1 FROM t',
  'FETCH 1 FROM s',
  'CLOSE ALL',
  'DISCARD PLANS',
  'SET standard_conforming_strings = off',
  'RESET ALL',
  "SELECT 'it\\'s'",
  "SELECT 'é'",
  "SET client_encoding = 'LATIN1'",
  "SET search_path = 'pg_catalog, public'",
  "SELECT shout('x')",
  'DO $$ BEGIN END $$',
  'CALL step(1)',
  'COPY (SELECT generate_series(1, 3)) TO STDOUT',
  'CREATE TEMP TABLE IF NOT EXISTS scratch (a int)',
  'TABLE scratch',
  'INSERT INTO child VALUES (99)',
  `SELECT 1 /* ${'l'.repeat(17_000)} */`,
]

/** What opens a COPY FROM STDIN, or fails to. */
const copies = ['COPY inbox FROM STDIN', 'COPY inbox FROM STDIN', 'COPY nowhere FROM STDIN']
const copyData = ['1\ta\n', '2\tb\n3\tc\n', 'x\ty\n', '4\t', 'd\n']

/** Makes up a conversation; the same one for the same numbers. */
export function converse(random: () => number): Conversation {
  const messages: Buffer[] = []
  const steps = 1 + Math.floor(random() ** 2 * 40)
  for (let left = steps; left > 0; left -= 1) messages.push(...step(random))
  return { messages, sentinel: `the end ${String(Math.floor(random() * 1e9))}` }
}

function step(random: () => number): readonly Buffer[] {
  const name = pick(random, names)
  const portal = pick(random, names)
  const rowsMax = pick(random, [0, 0, 0, 1, 2, 100])
  const sql = pick(random, texts)
  const resultFormats = pick(random, [[], [], [1], [0], [0, 1]])
  return pick<() => readonly Buffer[]>(random, [
    () => [encodeQuery(sql)],
    () => [encodeQuery([sql, pick(random, texts), pick(random, texts)].join('; '))],
    () => [encodeParse({ sql, name })],
    () => [encodeBind({ statement: name, portal, resultFormats })],
    () => [encodeExecute(portal, rowsMax)],
    () => [encodeParse({ sql }), encodeBind({ resultFormats }), encodeDescribe('P', ''), encodeExecute('', rowsMax)],
    () => [encodeParse({ sql, name }), encodeBind({ statement: name, portal }), encodeExecute(portal, rowsMax)],
    () => [
      encodeParse({ sql: 'SELECT $1::int' }),
      encodeBind({ parameters: [Buffer.from(pick(random, ['1', 'x']))] }),
      encodeExecute('', 0),
    ],
    () => [encodeDescribe(pick(random, ['S', 'P']), name)],
    () => [encodeClose(pick(random, ['S', 'P']), name)],
    () => [flush],
    () => [sync],
    () => [sync],
    () => [sync],
    () => copyByQuery(random),
    () => copyByExecute(random),
    () => [copyDone],
    () => [encodeCopyData(Buffer.from('stray'))],
  ])()
}

function copyByQuery(random: () => number): readonly Buffer[] {
  const copy = pick(random, copies)
  const sql = pick(random, [copy, `SELECT 1; ${copy}; SELECT 2`, `${copy}; SELECT 1/0`])
  return [encodeQuery(sql), ...dataOf(random)]
}

function copyByExecute(random: () => number): readonly Buffer[] {
  return [encodeParse({ sql: pick(random, copies) }), encodeBind({}), encodeExecute('', 0), ...dataOf(random)]
}

function dataOf(random: () => number): readonly Buffer[] {
  const data = Array.from({ length: Math.floor(random() * 4) }, () =>
    encodeCopyData(Buffer.from(pick(random, copyData))),
  )
  return [...data, random() < 0.8 ? copyDone : encodeCopyFail('enough')]
}
