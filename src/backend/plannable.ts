import type { RelationName } from '../core/statement.ts'
import type { QueryClient } from './query.ts'

/** What planning a statement looks at, as its analysis names it. */
export interface Planned {
  readonly relations: readonly RelationName[]
  /** Functions called in it. */
  readonly functions: readonly string[]
}

/**
 * Whether PostgreSQL plans it without running anybody's code. Planning computes what it takes for constant: in a view, a
 * row security policy, the condition of an index, a default, and by operators and casts that somebody made. Only what is
 * PostgreSQL's own, or of an extension, is computed for a statement that nobody has agreed to. To be asked in a
 * transaction; leaves `searchPath` as its search path.
 */
export async function isPlannedWithoutCode(
  client: QueryClient,
  { relations, functions, searchPath }: Planned & { readonly searchPath: readonly string[] },
): Promise<boolean> {
  // An operator in this path could be somebody's own: only the names are looked up by it.
  await setSearchPath(client, searchPath)
  const oids = await oidsOf(client, relations)
  if (oids === null) return false
  await setSearchPath(client, ['pg_catalog'])
  const called = functions.map((name) => literal(name.split('.').at(-1) ?? name))
  const [row] = await client.query(`
    WITH RECURSIVE rel AS (
      SELECT oid FROM pg_class WHERE oid = ANY (ARRAY[${oids.join(', ')}]::oid[])
      UNION
      SELECT more.oid FROM rel CROSS JOIN LATERAL (
        SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = rel.oid
        UNION ALL
        SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid
        WHERE r.ev_class = rel.oid AND d.classid = 'pg_rewrite'::regclass
          AND d.refclassid = 'pg_class'::regclass
        UNION ALL
        SELECT d.refobjid FROM pg_policy p JOIN pg_depend d ON d.objid = p.oid
        WHERE p.polrelid = rel.oid AND d.classid = 'pg_policy'::regclass
          AND d.refclassid = 'pg_class'::regclass
      ) more
    ), part AS (
      SELECT oid FROM rel
      UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM rel)
      UNION ALL SELECT oid FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM rel)
      UNION ALL SELECT oid FROM pg_constraint WHERE conrelid IN (SELECT oid FROM rel)
      UNION ALL SELECT oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM rel)
      UNION ALL SELECT oid FROM pg_policy WHERE polrelid IN (SELECT oid FROM rel)
      UNION ALL SELECT oid FROM pg_statistic_ext WHERE stxrelid IN (SELECT oid FROM rel)
    ), extended AS (
      SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
    ), foreigner AS (
      SELECT p.oid, p.proname, p.provolatile, p.proargtypes FROM pg_proc p
      WHERE p.oid >= 16384 AND NOT EXISTS (
        SELECT FROM extended WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
    ), operator AS (
      SELECT o.oid FROM pg_operator o WHERE o.oprcode::oid IN (SELECT oid FROM foreigner)
    )
    SELECT NOT EXISTS (SELECT FROM pg_class WHERE oid IN (SELECT oid FROM rel) AND relkind NOT IN ('r', 'p', 'v', 'm', 'S'))
      AND NOT EXISTS (
        SELECT FROM pg_depend WHERE objid IN (SELECT oid FROM part)
          AND refobjid IN (SELECT oid FROM foreigner UNION ALL SELECT oid FROM operator))
      AND NOT EXISTS (SELECT FROM operator)
      AND NOT EXISTS (SELECT FROM pg_cast WHERE castfunc IN (SELECT oid FROM foreigner))
      AND NOT EXISTS (SELECT FROM foreigner WHERE proname = ANY (ARRAY[${called.join(', ')}]::text[]))
      -- (value).name calls a function of one composite argument.
      AND NOT EXISTS (
        SELECT FROM foreigner f JOIN pg_type t ON t.oid = f.proargtypes[0]
        WHERE f.provolatile <> 'v' AND t.typtype = 'c')`)
  await setSearchPath(client, searchPath)
  return row?.[0] === 't'
}

/** Null where one of them is not there, or not to be seen by this connection. */
async function oidsOf(client: QueryClient, relations: readonly RelationName[]): Promise<readonly number[] | null> {
  if (relations.length === 0) return []
  const names = relations.map(({ schema, name }) =>
    schema === null ? quoted(name) : `${quoted(schema)}.${quoted(name)}`,
  )
  const [row = []] = await client.query(
    `SELECT ${names.map((name) => `pg_catalog.to_regclass(${literal(name)})::pg_catalog.oid`).join(', ')}`,
  )
  return row.includes(null) ? null : row.map(Number)
}

async function setSearchPath(client: QueryClient, path: readonly string[]): Promise<void> {
  const text = literal(path.map(quoted).join(', '))
  await client.query(`SELECT pg_catalog.set_config('search_path', ${text}, true)`)
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
