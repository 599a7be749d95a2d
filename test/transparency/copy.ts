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
import { backend } from '../../src/wire/backend.ts'
import { type Case, pipeline, queries } from './case.ts'
import { run } from './extended.ts'

const data = (text: string): Buffer => encodeCopyData(Buffer.from(text))
const copyIn = encodeQuery('COPY inbox FROM STDIN')
const count = encodeQuery('SELECT count(*), string_agg(id || note, $$,$$ ORDER BY id, note) FROM inbox')
const extendedCopyIn = [encodeParse({ sql: 'COPY inbox FROM STDIN' }), encodeBind({}), encodeExecute('', 0)]
const setUp = 'TRUNCATE inbox'

/** What is sent before PostgreSQL has asked for data, or without looking at what it says. */
function blind(name: string, ...messages: readonly Buffer[]): Case {
  return { ...pipeline(name, ...messages), setUp }
}

/** COPY in both directions and both protocols, by clients that wait and clients that do not. */
export const copyCases: readonly Case[] = [
  queries(
    'COPY TO STDOUT',
    'COPY items (id, name, tags) TO STDOUT',
    'COPY (SELECT 1; SELECT 2) TO STDOUT',
    "COPY (SELECT id, name FROM items WHERE id < 5) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';')",
    'COPY (SELECT id, name FROM items WHERE id < 5) TO STDOUT (FORMAT binary)',
    'COPY nowhere TO STDOUT',
    'COPY (SELECT 1/0) TO STDOUT',
  ),
  queries(
    'COPY TO STDOUT among other statements',
    'SELECT 1; COPY (SELECT 2) TO STDOUT; COPY (SELECT 3 WHERE false) TO STDOUT; SELECT 4',
    'COPY (SELECT 1 / (3 - n) FROM generate_series(1, 5) n) TO STDOUT; SELECT 2',
  ),
  {
    ...queries('COPY TO STDOUT of much', 'COPY (SELECT n, md5(n::text) FROM generate_series(1, 20000) n) TO STDOUT'),
    isSentWhole: true,
  },
  {
    name: 'COPY FROM STDIN, with a client that waits',
    setUp,
    async run(session) {
      await session.send(copyIn)
      await session.until(backend.CopyInResponse)
      await session.send(data('1\ta\n'), data('2\tb\n3\t'), data('c\n'))
      await session.send(copyDone)
      await session.ready()
      await session.pipeline(count)
    },
  },
  blind('COPY FROM STDIN in one go', copyIn, data('1\ta\n2\tb\n'), copyDone, count),
  blind('COPY FROM STDIN without data', copyIn, copyDone, count),
  blind('COPY FROM STDIN that the client fails', copyIn, data('1\ta\n'), encodeCopyFail('changed my mind'), count),
  blind(
    'COPY FROM STDIN with malformed data while the client goes on sending',
    copyIn,
    data('1\ta\n'),
    data('x\tb\n'),
    data('3\tc\n'),
    data('4\td\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN that is refused, with its data behind it',
    encodeQuery('COPY nowhere FROM STDIN'),
    data('1\ta\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN behind another Query',
    encodeQuery('SELECT 1'),
    copyIn,
    data('1\ta\n'),
    copyDone,
    encodeQuery('SELECT 1/0'),
    copyIn,
    data('2\tb\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN behind a segment',
    ...run('SELECT 1'),
    sync,
    copyIn,
    data('1\ta\n'),
    copyDone,
    ...run('SELECT 1/0'),
    sync,
    copyIn,
    data('2\tb\n'),
    copyDone,
    count,
  ),
  blind(
    'several COPYs in one Query',
    encodeQuery('COPY inbox FROM STDIN; SELECT 1; COPY inbox FROM STDIN; COPY inbox TO STDOUT'),
    data('1\ta\n'),
    copyDone,
    data('2\tb\n'),
    copyDone,
    count,
  ),
  blind(
    'several COPYs in one Query, the first of which fails',
    encodeQuery('COPY inbox FROM STDIN; SELECT 1; COPY inbox FROM STDIN'),
    data('x\ta\n'),
    copyDone,
    data('2\tb\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN among other statements',
    encodeQuery('SELECT 1; COPY inbox FROM STDIN; SELECT 2'),
    data('1\ta\n'),
    copyDone,
    count,
    encodeQuery('SELECT 1/0; COPY inbox FROM STDIN'),
    data('1\ta\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN in csv',
    encodeQuery('COPY inbox FROM STDIN (FORMAT csv, HEADER)'),
    data('id,note\n1,"a\nb"\n2,"c"\n'),
    copyDone,
    count,
  ),
  blind(
    'COPY FROM STDIN in binary',
    encodeQuery('COPY inbox FROM STDIN (FORMAT binary)'),
    encodeCopyData(
      Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01z\xff\xff', 'latin1'),
    ),
    copyDone,
    count,
  ),
  blind('COPY FROM STDIN with the old end marker', copyIn, data('1\ta\n\\.\n'), data('2\tb\n'), copyDone, count),
  blind(
    'COPY FROM STDIN with ON_ERROR',
    encodeQuery('COPY inbox FROM STDIN (ON_ERROR ignore, LOG_VERBOSITY verbose)'),
    data('1\ta\nx\tb\n'),
    copyDone,
    count,
  ),
  {
    name: 'Sync and Flush during COPY FROM STDIN',
    setUp,
    async run(session) {
      await session.send(copyIn)
      await session.until(backend.CopyInResponse)
      await session.send(data('1\ta\n'), sync, flush, data('2\tb\n'), sync, copyDone, count)
      await session.ready(2)
    },
  },
  blind('COPY FROM STDIN by the extended protocol', ...extendedCopyIn, data('1\ta\n'), copyDone, sync, count),
  blind(
    'COPY FROM STDIN by the extended protocol, in a pipeline',
    ...run('SELECT 1'),
    ...extendedCopyIn,
    data('1\ta\n'),
    copyDone,
    ...run('SELECT 2'),
    ...extendedCopyIn,
    data('2\tb\n'),
    copyDone,
    sync,
    count,
  ),
  blind(
    'COPY FROM STDIN by the extended protocol behind an error',
    ...run('SELECT 1/0'),
    ...extendedCopyIn,
    data('1\ta\n'),
    copyDone,
    sync,
    ...extendedCopyIn,
    data('2\tb\n'),
    copyDone,
    sync,
    count,
  ),
  blind(
    'COPY FROM STDIN by the extended protocol, failed by the client',
    ...extendedCopyIn,
    data('1\ta\n'),
    encodeCopyFail('no'),
    ...run('SELECT 2'),
    sync,
    count,
  ),
  blind(
    'COPY FROM STDIN by the extended protocol with malformed data',
    ...extendedCopyIn,
    data('x\ta\n'),
    data('2\tb\n'),
    copyDone,
    ...run('SELECT 2'),
    sync,
    count,
  ),
  blind(
    'COPY FROM STDIN in a transaction',
    encodeQuery('BEGIN'),
    ...extendedCopyIn,
    data('1\ta\n'),
    copyDone,
    sync,
    count,
    encodeQuery('ROLLBACK'),
    count,
  ),
  {
    name: 'COPY FROM STDIN by the extended protocol as libpq does it, with a Sync before the data',
    setUp,
    async run(session) {
      await session.send(...extendedCopyIn, sync)
      await session.until(backend.CopyInResponse)
      await session.send(data('1\ta\n'), data('2\tb\n'), copyDone, sync)
      await session.ready()
      await session.send(...extendedCopyIn, sync)
      await session.until(backend.CopyInResponse)
      await session.send(encodeCopyFail('no'), sync)
      await session.ready()
      await session.pipeline(count)
    },
  },
  {
    name: 'COPY FROM STDIN by the extended protocol, ended with Flush',
    setUp,
    async run(session) {
      await session.send(...extendedCopyIn)
      await session.until(backend.CopyInResponse)
      await session.send(data('1\ta\n'), copyDone, flush)
      await session.until(backend.CommandComplete)
      await session.pipeline(sync, count)
    },
  },
  {
    name: 'COPY FROM STDIN of much',
    setUp,
    isSentWhole: true,
    async run(session) {
      const rows = Buffer.from(Array.from({ length: 20_000 }, (_, n) => `${String(n)}\tnote ${String(n)}\n`).join(''))
      const pieces = Array.from({ length: Math.ceil(rows.length / 7_777) }, (_, n) =>
        encodeCopyData(rows.subarray(n * 7_777, (n + 1) * 7_777)),
      )
      await session.pipeline(copyIn, ...pieces, copyDone)
      await session.query('SELECT count(*), sum(id), sum(length(note)) FROM inbox')
    },
  },
  {
    name: 'one CopyData of 8 MB',
    setUp,
    isSentWhole: true,
    async run(session) {
      await session.pipeline(copyIn, encodeCopyData(Buffer.from(`1\t${'c'.repeat(8 * 1024 * 1024)}\n`)), copyDone)
      await session.query('SELECT id, length(note) FROM inbox')
    },
  },
  {
    name: 'one CopyData of 8 MB that fails at its beginning',
    setUp,
    isSentWhole: true,
    async run(session) {
      await session.pipeline(copyIn, encodeCopyData(Buffer.from(`x\ty\n${'c'.repeat(8 * 1024 * 1024)}\n`)), copyDone)
      await session.query('SELECT id, length(note) FROM inbox')
    },
  },
]
