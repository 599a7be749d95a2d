import type { CatalogRelation } from '../core/catalog.ts'
import type { Tag } from '../core/classification.ts'

/*
 * System catalogs that show what is stored elsewhere. The views over them are listed too, although lineage sees
 * through them: PostgreSQL's RowDescription names the view's column, and that is a witness of its own.
 */
const statistics = 'postern.statistics'
const statements = 'postern.statements'
const credentials = 'postern.credentials'
const largeObjects = 'postern.large_objects'

const columnTags: ReadonlyMap<string, ReadonlyMap<string, Tag>> = new Map([
  // Samples of the most frequent values and the bounds of histograms.
  relation('pg_catalog.pg_statistic', statistics, [
    'stavalues1',
    'stavalues2',
    'stavalues3',
    'stavalues4',
    'stavalues5',
  ]),
  relation('pg_catalog.pg_statistic_ext_data', statistics, ['stxdmcv', 'stxdexpr']),
  relation('pg_catalog.pg_stats', statistics, [
    'most_common_vals',
    'histogram_bounds',
    'most_common_elems',
    'range_length_histogram',
    'range_bounds_histogram',
  ]),
  relation('pg_catalog.pg_stats_ext', statistics, ['most_common_vals']),
  relation('pg_catalog.pg_stats_ext_exprs', statistics, [
    'most_common_vals',
    'histogram_bounds',
    'most_common_elems',
    'range_length_histogram',
    'range_bounds_histogram',
  ]),
  // The value that rows have which are older than the column.
  relation('pg_catalog.pg_attribute', statistics, ['attmissingval']),
  // Literals of other sessions' statements, and what else their clients say.
  relation('pg_catalog.pg_stat_activity', statements, ['query', 'application_name']),
  relation('pg_catalog.pg_authid', credentials, ['rolpassword']),
  relation('pg_catalog.pg_shadow', credentials, ['passwd']),
  relation('pg_catalog.pg_user_mapping', credentials, ['umoptions']),
  relation('pg_catalog.pg_user_mappings', credentials, ['umoptions']),
  relation('pg_catalog.pg_foreign_server', credentials, ['srvoptions']),
  relation('pg_catalog.pg_foreign_data_wrapper', credentials, ['fdwoptions']),
  relation('pg_catalog.pg_subscription', credentials, ['subconninfo']),
  relation('pg_catalog.pg_stat_wal_receiver', credentials, ['conninfo']),
  // Bind passwords of LDAP, and primary_conninfo.
  relation('pg_catalog.pg_hba_file_rules', credentials, ['options']),
  relation('pg_catalog.pg_file_settings', credentials, ['setting']),
  relation('information_schema.user_mapping_options', credentials, ['option_value']),
  relation('information_schema.foreign_server_options', credentials, ['option_value']),
  relation('information_schema.foreign_data_wrapper_options', credentials, ['option_value']),
  relation('information_schema._pg_user_mappings', credentials, ['umoptions']),
  relation('information_schema._pg_foreign_servers', credentials, ['srvoptions']),
  relation('information_schema._pg_foreign_data_wrappers', credentials, ['fdwoptions']),
  relation('pg_catalog.pg_largeobject', largeObjects, ['data']),
])

/** The tag that a column of PostgreSQL's own carries wherever anything is classified, or undefined. */
export function builtinTagsOf({ schema, name }: CatalogRelation): ReadonlyMap<string, Tag> | undefined {
  const own = columnTags.get(`${schema}.${name}`)
  if (own !== undefined) return own
  // An extension's view, in whatever schema: statements that are not optimisable are kept with their literals.
  return name === 'pg_stat_statements' ? statementsView : undefined
}

const statementsView: ReadonlyMap<string, Tag> = new Map([['query', statements]])

function relation(name: string, tag: Tag, columns: readonly string[]): readonly [string, ReadonlyMap<string, Tag>] {
  return [name, new Map(columns.map((column) => [column, tag]))]
}
