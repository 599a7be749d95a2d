import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { dangerousFunctions, largeObjectFunctions } from './dangerous-functions.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'

// `node src/sql/builtin-functions.test.ts --write` brings the list up to date with a new PostgreSQL.
const listFile = new URL('./builtin-functions.ts', import.meta.url)

let postgres: SandboxPostgres
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres.stop())

void test('the lists of builtin functions and operators are what PostgreSQL 18 has', async () => {
  const version = await postgres.query('postgres', 'SHOW server_version_num')
  assert.match(String(version[0]?.['server_version_num']), /^18/)
  const functions = await names(
    "SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
  )
  const operators = await names(
    "SELECT DISTINCT oprname AS name FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace",
  )
  const text = render(functions, operators)
  if (process.argv.includes('--write')) writeFileSync(listFile, text)
  assert.equal(readFileSync(listFile, 'utf8'), text)
})

void test('pg_settings is the only system relation whose rules turn a write into a change of settings', async () => {
  const rows = await postgres.query(
    'postgres',
    "SELECT DISTINCT ev_class::regclass::text AS name FROM pg_rewrite WHERE ev_type <> '1'",
  )
  assert.deepEqual(rows, [{ name: 'pg_settings' }])
})

void test('every volatile builtin function has been read: it is listed as dangerous or here as harmless', async () => {
  const read = new Set([...dangerousFunctions.keys(), ...largeObjectFunctions.keys(), ...harmless])
  const volatile = await names(
    `SELECT DISTINCT proname AS name FROM pg_proc
     WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'
       AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
       AND NOT 'internal'::regtype = ANY (proargtypes::oid[])`,
  )
  assert.deepEqual(
    volatile.filter((name) => !read.has(name)),
    [],
  )
  // These read whole tables by name and are merely stable.
  const exporting = await names(
    "SELECT DISTINCT proname AS name FROM pg_proc WHERE proname ~ '(table|schema|database)_to_xml'",
  )
  assert.ok(exporting.length > 6)
  for (const name of exporting) assert.ok(dangerousFunctions.has(name), name)
})

/** Volatile because their answer changes, or with an effect that is no more than their caller's own business. */
const harmless = `
  set_config pg_notify ts_rewrite
  nextval currval lastval setval
  pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
  pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
  pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
  pg_sleep pg_sleep_for pg_sleep_until pg_export_snapshot
  clock_timestamp timeofday random random_normal setseed array_sample array_shuffle gen_random_uuid uuidv4 uuidv7
  current_query amvalidate currtid2 plpgsql_call_handler plpgsql_validator
  lo_close lo_lseek lo_lseek64 lo_tell lo_tell64
  pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked pg_lock_status
  pg_collation_actual_version pg_database_collation_actual_version pg_jit_available pg_get_loaded_modules
  pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
  pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_last_wal_receive_lsn
  pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_is_in_recovery pg_is_wal_replay_paused
  pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_get_wal_summarizer_state
  pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size
  pg_get_aios pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa
  pg_get_wait_events pg_notification_queue_usage
  pg_get_multixact_members pg_last_committed_xact pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
  pg_xact_status txid_status pg_prepared_xact
  pg_get_sequence_data pg_sequence_last_value pg_partition_ancestors pg_partition_tree
  pg_replication_origin_progress pg_replication_origin_session_is_setup pg_replication_origin_session_progress
  pg_show_replication_origin_status
  pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_have_stats pg_stat_get_backend_io pg_stat_get_backend_wal
  pg_stat_get_io pg_stat_get_recovery_prefetch
  pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
  pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
  pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated
  pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
  pg_stat_get_xact_tuples_updated`
  .trim()
  .split(/\s+/)

async function names(query: string): Promise<string[]> {
  const rows = await postgres.query('postgres', query)
  return rows.map((row) => String(row['name'])).sort()
}

function render(functions: readonly string[], operators: readonly string[]): string {
  return `// Generated from a PostgreSQL 18 by builtin-functions.test.ts; do not edit.

/** The names of all functions in \`pg_catalog\`; \`dangerous-functions.ts\` says which of them are not harmless. */
export const builtinFunctions: ReadonlySet<string> = new Set(
  \`
${wrap(functions)}
\`
    .trim()
    .split(/\\s+/),
)

/** The names of all operators in \`pg_catalog\`. */
export const builtinOperators: ReadonlySet<string> = new Set(
  \`
${wrap(operators)}
\`
    .trim()
    .split(/\\s+/),
)
`
}

function wrap(words: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    // Inside a template literal these two would mean something else.
    const escaped = word.replaceAll('`', '\\`').replaceAll('$', '\\$')
    if (line.length + escaped.length >= 119) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? escaped : `${line} ${escaped}`
  }
  return [...lines, line].join('\n')
}
