import { setTimeout as sleep } from 'node:timers/promises'
import { backend } from '../../src/wire/backend.ts'
import { encodeQuery, flush, sync, terminate } from '../../src/wire/frontend.ts'
import { protocol32 } from '../../src/wire/startup.ts'
import { sendCancel } from '../support/raw-client.ts'
import type { LogInOptions } from '../support/transcript.ts'
import { type Case, queries } from './case.ts'
import { run } from './extended.ts'

/** A log-in whose greeting, and what RESET ALL and DISCARD ALL return to, are compared. */
function startUp(name: string, logIn: LogInOptions): Case {
  return {
    name: `a log-in with ${name}`,
    logIn,
    async run(session) {
      const shown = `SELECT name, setting, reset_val, source FROM pg_settings WHERE source IN ('client', 'session') ORDER BY name`
      await session.query(shown)
      await session.query(
        "SET DateStyle = 'SQL, DMY'; SET application_name = 'other'; SET search_path = 'x'; SET work_mem = '5MB'; SET extra_float_digits = 0; SET client_encoding = 'LATIN9'",
      )
      await session.query('RESET ALL', shown)
      await session.query("SET TimeZone = 'Asia/Tokyo'; SET application_name = 'third'")
      await session.query('DISCARD ALL', shown, 'SHOW DateStyle')
    },
  }
}

/** What a session is made of beside statements: log-in, settings, neighbours and ends. */
export const sessionCases: readonly Case[] = [
  startUp('no parameters', {}),
  startUp('protocol 3.2', { version: protocol32 }),
  startUp('a version of the future', { version: 196_608 + 9_999 }),
  startUp('protocol options nobody knows', { parameters: { '_pq_.test_protocol_negotiation': 'x', '_pq_.other': '' } }),
  startUp('many parameters', {
    parameters: {
      application_name: 'ünusual',
      client_encoding: 'LATIN1',
      DateStyle: 'German',
      TimeZone: 'Europe/Berlin',
      extra_float_digits: '3',
      search_path: 'pg_catalog',
      datestyle: 'ISO, YMD',
      'a.custom': 'x',
    },
  }),
  startUp('options', {
    parameters: {
      options:
        '-c work_mem=7MB -cDateStyle=SQL --intervalstyle=iso_8601 -c application_name=from\\ options -c a.b=c\\\\d',
    },
  }),
  startUp('an empty application name', { parameters: { application_name: '' } }),
  startUp('client_encoding auto of psql', { parameters: { client_encoding: 'UTF8', application_name: 'psql' } }),
  startUp('a role', { parameters: { role: 'pg_monitor' } }),
  startUp('old strings', { parameters: { options: '-c standard_conforming_strings=off' } }),
  {
    ...queries(
      'old strings from the log-in on',
      "SELECT 'it\\'s'",
      'SET standard_conforming_strings = on',
      "SELECT 'a\\b'",
      'RESET ALL',
      "SELECT 'it\\'s'",
    ),
    logIn: { parameters: { options: '-c standard_conforming_strings=off -c escape_string_warning=off' } },
  },
  {
    name: 'LISTEN and NOTIFY between two sessions',
    async run(session) {
      const other = await session.another()
      await session.query('LISTEN news; LISTEN "Odd channel"')
      await other.query("NOTIFY news, 'hello'; SELECT pg_notify('Odd channel', 'ünï')")
      await session.until(backend.NotificationResponse, 2)
      await other.query('BEGIN; NOTIFY news; NOTIFY news; COMMIT')
      await session.until(backend.NotificationResponse)
      await session.query("NOTIFY news, 'to myself'")
      await session.query('BEGIN')
      await other.query("NOTIFY news, 'late'")
      await session.query('SELECT 1')
      await session.query('COMMIT')
      await session.query('UNLISTEN news')
      await other.query('NOTIFY news')
      await session.query('SELECT 2')
    },
  },
  {
    name: 'a lock that times out behind another session, and one that is had',
    async run(session) {
      const other = await session.another()
      await other.query('BEGIN; LOCK TABLE inbox')
      await session.query("SET lock_timeout = '30ms'", 'SELECT * FROM inbox WHERE false', 'SELECT 1')
      await other.query('COMMIT')
      await session.query('SELECT * FROM inbox WHERE false')
    },
  },
  {
    name: 'a transaction left idle for too long',
    async run(session) {
      await session.query("SET idle_in_transaction_session_timeout = '30ms'", 'BEGIN')
      await session.closed()
    },
  },
  {
    name: 'a session left idle for too long',
    async run(session) {
      await session.query("SET idle_session_timeout = '30ms'")
      await session.closed()
    },
  },
  {
    name: 'a transaction that takes too long',
    async run(session) {
      await session.query("SET transaction_timeout = '30ms'", 'BEGIN')
      await session.closed()
    },
  },
  {
    name: 'a session that terminates itself',
    async run(session) {
      await session.send(encodeQuery('SELECT 1; SELECT pg_terminate_backend(pg_backend_pid()); SELECT 2'))
      await session.closed()
    },
  },
  {
    name: 'a session that terminates itself within a pipeline',
    // What is sent to a server that is already gone may lose its last words, with and without Postern.
    isSentWhole: true,
    async run(session) {
      await session.send(
        ...run('SELECT 1'),
        ...run('SELECT pg_terminate_backend(pg_backend_pid())'),
        ...run('SELECT 2'),
        sync,
        ...run('SELECT 3'),
        sync,
      )
      await session.closed()
    },
  },
  {
    name: 'a session that another terminates',
    async run(session) {
      const other = await session.another()
      await other.query(
        `DO $$ BEGIN PERFORM pg_terminate_backend(${String(session.client.cancelKey.processId)}); END $$`,
      )
      await session.closed()
    },
  },
  {
    name: 'a cancel before any row, and in the middle of a result',
    async run(session) {
      const { port } = session
      await session.send(encodeQuery('SELECT pg_sleep(30)'))
      await sleep(50)
      await sendCancel(port, session.client.cancelKey)
      await session.ready()
      // The first row is so large that PostgreSQL sends it before it waits.
      await session.send(
        encodeQuery("SELECT repeat('x', 100000), CASE n WHEN 2 THEN pg_sleep(30) END FROM generate_series(1, 3) n"),
      )
      await session.until(backend.DataRow)
      await sendCancel(port, session.client.cancelKey)
      await session.ready()
      await session.query('SELECT 1')
    },
  },
  {
    name: 'Terminate',
    async run(session) {
      await session.query('SELECT 1')
      await session.send(terminate)
      await session.closed()
    },
  },
  {
    name: 'Terminate behind statements that nobody waits for',
    async run(session) {
      await session.send(encodeQuery('SELECT 1'), ...run('SELECT 2'), sync, terminate, encodeQuery('SELECT 3'))
      await session.closed()
    },
  },
  {
    name: 'Terminate behind an error within a segment',
    async run(session) {
      await session.send(...run('SELECT 1/0'), terminate)
      await session.closed()
    },
  },
  {
    name: 'a client that closes its half behind a Query',
    async run(session) {
      await session.send(encodeQuery('SELECT 1; SELECT pg_sleep(0.05); SELECT generate_series(1, 1000)'))
      session.client.socket.end()
      await session.closed()
    },
  },
  {
    name: 'a client that closes its half behind a pipeline without Sync',
    async run(session) {
      await session.send(...run('SELECT 1'), flush)
      session.client.socket.end()
      await session.closed()
    },
  },
  {
    name: 'a client that closes its half in the middle of a message',
    async run(session) {
      await session.send(encodeQuery('SELECT 1'), encodeQuery('SELECT 2').subarray(0, 9))
      session.client.socket.end()
      await session.closed()
    },
  },
  {
    name: 'a client that closes its half while it is asked for COPY data',
    async run(session) {
      await session.send(encodeQuery('COPY inbox FROM STDIN'))
      await session.until(backend.CopyInResponse)
      session.client.socket.end()
      await session.closed()
    },
  },
  {
    name: 'a client that closes its half behind a text that a worker parses',
    isSentWhole: true,
    async run(session) {
      await session.send(encodeQuery(`SELECT 1 /* ${'h'.repeat(40_000)} */`), encodeQuery('SELECT 2'))
      session.client.socket.end()
      await session.closed()
    },
  },
]
