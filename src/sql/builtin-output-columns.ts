/**
 * The output columns of PostgreSQL's own functions that return rows, from pg_proc of a PostgreSQL 18 (`proargnames` whose
 * mode is not IN). `(jsonb_each(x)).key` selects such a column; any other name in such a place may call a function.
 */
export const builtinOutputColumns: ReadonlySet<string> = new Set(
  `
abbrev access active active_pid address address_args address_names alias allocated_size application_name applied
apply_error_count archived_count attrs auth_method backend_start backend_type backend_xid backend_xmin backup_end_lsn
backup_start_lsn baredesc barelabel base_frequency blks_exists blks_hit blks_read blks_written blks_zeroed
block_distance blocks_per_segment boot_val bytes_per_wal_segment cache_size catalog_version_no catalog_xmin catcode
catdesc category change checkpoint_lsn checkpoint_time classid client_addr client_hostname client_port command
command_tag comment confirmed_flush_lsn confl_delete_missing confl_delete_origin_differs confl_insert_exists
confl_multiple_unique_conflicts confl_update_exists confl_update_missing confl_update_origin_differs conflicting
conninfo context creation creation_time custom_plans cycle_option data data_page_checksum_version data_type database
database_block_size datid datoid dbid default_char_signedness default_version description detail dictionaries
dictionary end_lsn end_of_backup_record_required enumvals error evictions extend_bytes extend_time extends external_id
extra_desc f_buffered f_localmem f_sync failed_count failover fastpath file_name file_offset fkcols fktable
float8_pass_by_value flush_lag flush_lsn flushed_lsn flushes free_bytes free_chunks frequency from_sql fsync_time
fsyncs full_page_writes generic_plans gid granted grantee grantor gss_auth gss_delegation gss_enc gss_princ
handle_data_len hint hit hits ident identity in_extension inactive_since increment index invalidation_reason io_depth
io_generation io_id is_array is_binary is_called is_dst is_grantable is_holdable is_limit_block is_opt is_scrollable
is_temporary isdir isleaf key labelfile large_object_chunk_size last_archived_time last_archived_wal last_failed_time
last_failed_wal last_msg_receipt_time last_msg_send_time last_value latest_end_lsn latest_end_time leader_pid length
level lexeme lexemes line_number local_id local_lsn locktype lsn map_name map_number max_data_alignment
max_identifier_length max_index_columns max_toast_chunk_size max_val maximum_value message min_recovery_end_lsn
min_recovery_end_timeline min_val minimum_value mode modification module_name n name ndoc nentry netmask
newest_commit_ts_xid next_multi_offset next_multixact_id next_oid next_xid normal nulls numa_node object object_args
object_identity object_name object_names object_type objid objsubid off oid oldest_active_xid oldest_commit_ts_xid
oldest_multi_dbid oldest_multi_xid oldest_xid oldest_xid_dbid operation option_name option_value options original
ownerid page param1 param10 param11 param12 param13 param14 param15 param16 param17 param18 param19 param2 param20
param3 param4 param5 param6 param7 param8 param9 parameter_types parentrelid path pending_lsn pending_restart
pg_control_last_modified pg_control_version pg_username pid pkcols pktable plugin positions prefetch prepare_time
prepared prev_timeline_id privilege_type pubid qual query query_id query_start raw_result read_bytes read_time reads
receive_start_lsn receive_start_tli received_lsn received_tli redo_lsn redo_wal_file relation relblocknumber
reldatabase relfilenode relforknumber relid relocatable reltablespace remote_lsn replay_lag replay_lsn reply_time
requires reset_val restart_lsn result result_types reuses rm_builtin rm_id rm_name roident rule_number safe_wal_size
schema schema_name segment_number sender_host sender_port sent_lsn seqno setting short_desc size skip_fpw skip_init
skip_new skip_rep slot_name slot_type source sourcefile sourceline spcmapfile spill_bytes spill_count spill_txns
sql_error_code ssl ssl_client_dn ssl_client_serial ssl_issuer_dn sslbits sslcipher sslversion start_lsn start_value
state state_change statement stats_reset status stream_bytes stream_count stream_txns subid subxact_count
subxact_overflowed summarized_lsn summarized_tli summarizer_pid superuser sync_error_count sync_priority sync_state
synced sys_name system_identifier target target_desc temporary timeline_id timestamp tli token tokid total_bytes
total_nblocks total_txns transaction transactionid truncates trusted tuple two_phase two_phase_at type unit used_bytes
user_name usesysid utc_offset value values vartype version virtualtransaction virtualxid wait_event wait_event_type
waitstart wal_block_size wal_buffers_full wal_bytes wal_distance wal_fpi wal_records wal_status weights word
worker_type write_bytes write_lag write_lsn write_time writeback_time writebacks writes written_lsn x xact_start xid
xmin
`
    .trim()
    .split(/\s+/),
)
