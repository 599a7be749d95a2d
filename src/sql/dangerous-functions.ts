/**
 * Builtin functions that do more than compute, from a reading of every name in `builtin-functions.ts`: all volatile
 * ones, and those stable ones that read tables by name. The rest computes from its arguments, reports about the own
 * session or reads catalogs and counters that views show as well.
 *
 * Left out on purpose, though volatile: nextval, currval, lastval (sequences, which applications call all the time;
 * setval is an UPDATE, see `functions.ts`); advisory locks and pg_sleep (they hurt no more than an open transaction); pg_export_snapshot (pg_dump needs
 * it; it lends a view of the data that only the same session's role can read); txid and xact status, WAL positions,
 * sizes, statistics and control data (they read); random, uuid, clock and setseed (they compute).
 */
interface Danger {
  /** Completes "calls name(), which ...". */
  readonly does: string
  readonly names: string
}

const dangers: readonly Danger[] = [
  {
    // The text, a cursor's query or every table of a schema is read without being in the statement.
    does: 'runs SQL that is not part of the statement',
    names: `
      query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
      table_to_xml table_to_xmlschema table_to_xml_and_xmlschema
      schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
      database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
      ts_stat`,
  },
  {
    // Contents, names and dates of files; pg_hba.conf and its like among them. lo_import and lo_export copy files.
    does: 'reads or writes files of the server',
    names: `
      pg_read_file pg_read_binary_file pg_stat_file pg_current_logfile
      pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir pg_ls_logicalmapdir
      pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir
      pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings
      pg_available_wal_summaries pg_wal_summary_contents
      lo_import lo_export be_lo_import be_lo_export
      pg_file_read pg_file_write pg_file_sync pg_file_rename pg_file_unlink pg_file_length pg_logdir_ls
      pg_read_file_old`,
  },
  {
    // Configuration, logs, WAL, backups and recovery; the older names are those of PostgreSQL 13 and 14.
    does: 'acts on the server as a whole',
    names: `
      pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_promote pg_switch_wal pg_create_restore_point
      pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup
      pg_wal_replay_pause pg_wal_replay_resume pg_log_standby_snapshot
      pg_import_system_collations pg_stop_making_pinned_objects pg_nextoid pg_extension_config_dump`,
  },
  {
    does: 'acts on other sessions',
    names: 'pg_cancel_backend pg_terminate_backend pg_log_backend_memory_contexts',
  },
  {
    // Slots keep WAL, and reading one yields every change of every table.
    does: 'controls replication or reads the stream of all changes',
    names: `
      pg_create_physical_replication_slot pg_create_logical_replication_slot
      pg_copy_physical_replication_slot pg_copy_logical_replication_slot
      pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots
      pg_logical_slot_get_changes pg_logical_slot_peek_changes
      pg_logical_slot_get_binary_changes pg_logical_slot_peek_binary_changes pg_logical_emit_message
      pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_advance
      pg_replication_origin_session_setup pg_replication_origin_session_reset
      pg_replication_origin_xact_setup pg_replication_origin_xact_reset`,
  },
  {
    // What the planner believes, what monitoring shows, and index maintenance, which runs index expressions.
    does: 'changes statistics or indexes of the database',
    names: `
      pg_restore_relation_stats pg_restore_attribute_stats pg_clear_relation_stats pg_clear_attribute_stats
      pg_stat_reset pg_stat_reset_shared pg_stat_reset_slru pg_stat_reset_single_table_counters
      pg_stat_reset_single_function_counters pg_stat_reset_replication_slot pg_stat_reset_subscription_stats
      pg_stat_reset_backend_stats
      brin_summarize_new_values brin_summarize_range brin_desummarize_range gin_clean_pending_list`,
  },
  {
    does: 'rewrites catalogs and is meant for pg_upgrade alone',
    names: `
      binary_upgrade_add_sub_rel_state binary_upgrade_create_empty_extension
      binary_upgrade_logical_slot_has_caught_up binary_upgrade_replorigin_advance binary_upgrade_set_missing_value
      binary_upgrade_set_next_array_pg_type_oid binary_upgrade_set_next_heap_pg_class_oid
      binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid
      binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid
      binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid
      binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid
      binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid
      binary_upgrade_set_next_toast_relfilenode binary_upgrade_set_record_init_privs`,
  },
]

/** What each dangerous builtin function does, as the end of the sentence "calls name(), which ...". */
export const dangerousFunctions: ReadonlyMap<string, string> = new Map(
  dangers.flatMap(({ does, names }) => words(names).map((name) => [name, does] as const)),
)

/** The functions that read, write, make or remove large objects, by the command that says the same of a table. */
export const largeObjectFunctions: ReadonlyMap<string, 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'> = new Map([
  ...words('lo_get loread lo_open').map((name) => [name, 'SELECT'] as const),
  ...words('lo_creat lo_create lo_from_bytea').map((name) => [name, 'INSERT'] as const),
  ...words('lo_put lowrite lo_truncate lo_truncate64').map((name) => [name, 'UPDATE'] as const),
  ...words('lo_unlink').map((name) => [name, 'DELETE'] as const),
])

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
