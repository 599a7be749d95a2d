/*
 * What is asked of PostgreSQL's system catalogs, for servers 13 to 18. All of it may only run behind `settings`, which
 * leave pg_catalog as the only schema that operators and functions are found in, and the first for relations and types:
 * unless it is named, the session's temporary schema comes before everything. Relations, types and functions are
 * qualified all the same.
 */

/** The first oid that PostgreSQL gives to objects made after initdb (FirstNormalObjectId). */
export const firstUserOid = 16_384

/** Which objects to read, and from which server. */
export interface QueryScope {
  /** server_version_num. */
  readonly serverVersion: number
  /** False where the objects that initdb made are known already. */
  readonly withSystem: boolean
  /** Whether the transaction was open before, so that the state it sees may be an old one. */
  readonly isInTransaction: boolean
}

/**
 * The results by name, in the order in which they are asked for; `builtins` only with the system's part. `definitions`
 * comes first, when what the transaction sees is newest: see `definitionsQuery`.
 */
export const resultNames = [
  'definitions',
  'facts',
  'schemas',
  'constraintNames',
  'relations',
  'columns',
  'parents',
  'triggers',
  'rules',
  'foreignKeys',
  'types',
  'labels',
  'functions',
  'operators',
  'casts',
  'builtins',
] as const

/** One of them. */
export type ResultName = (typeof resultNames)[number]

/**
 * Settings that change how catalogs are read or how texts are printed. Each is undone with the transaction or savepoint
 * it is set in. Under this path a view's definition names everything with its schema, except what is of pg_catalog and
 * temporary relations of the session that reads; to whoever reads it the path is pg_catalog alone.
 */
export const settings: readonly string[] = [
  'SET LOCAL search_path = pg_catalog, pg_temp',
  `SET LOCAL client_encoding = 'UTF8'`,
  `SET LOCAL standard_conforming_strings = on`,
  `SET LOCAL quote_all_identifiers = off`,
  `SET LOCAL jit = off`,
]

/** The query of each result, in the order of `resultNames`. */
export function catalogQueries(scope: QueryScope): readonly string[] {
  return resultNames.filter((name) => scope.withSystem || name !== 'builtins').map((name) => queries[name](scope))
}

// Composite types, tables, partitioned and foreign tables, views, materialised views, sequences.
const relationKinds = `('r', 'p', 'v', 'm', 'f', 'S', 'c')`

/*
 * Printing a view, a function's body or a default locks the relations that it names, and would wait for a session that
 * is altering one of them, for as long as that pleases. What would have to wait is left out; whoever reads the snapshot
 * has to take a view without a definition for one that cannot be seen through.
 */
const lockedRelations = `locked AS MATERIALIZED (
  SELECT l.relation FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND l.database IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
)`

const namesLocked = (catalog: string, oid: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend x JOIN locked ON locked.relation = x.refobjid
    WHERE x.classid = '${catalog}'::pg_catalog.regclass AND x.objid = ${oid}
      AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)`

/** Stands for a default that could not be read: a function that no catalog has, so that nobody can see through it. */
export const unreadableExpression = 'postern_unreadable()'

const from = (scope: QueryScope, oid: string): string => (scope.withSystem ? 'true' : `${oid} >= ${firstUserOid}`)

/**
 * Views, rules and functions with a body in the standard's form (since 14), each with its kind, oid and text as PostgreSQL
 * prints it. It prints from the newest state, not from what the transaction sees, and fails as a whole where one of them
 * is dropped in between. With `asList` there are no texts, and it cannot fail.
 */
export function definitionsQuery(scope: QueryScope, options: { readonly asList: boolean }): string {
  const text = (kind: DefinitionKind, oid: string): string => (options.asList ? 'NULL' : printed(kind, oid))
  const views = `SELECT 'view' AS kind, c.oid, ${text('view', 'c.oid')} FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('v', 'm') AND ${from(scope, 'c.oid')} AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite w
      WHERE w.ev_class = c.oid AND ${namesLocked('pg_catalog.pg_rewrite', 'w.oid')})`
  const bodies = `SELECT 'function', p.oid, ${text('function', 'p.oid')} FROM pg_catalog.pg_proc p
    WHERE p.prosqlbody IS NOT NULL AND ${from(scope, 'p.oid')} AND NOT ${namesLocked('pg_catalog.pg_proc', 'p.oid')}`
  const rules = `SELECT 'rule', w.oid, ${text('rule', 'w.oid')} FROM pg_catalog.pg_rewrite w
    WHERE w.ev_type <> '1' AND ${from(scope, 'w.oid')} AND NOT ${namesLocked('pg_catalog.pg_rewrite', 'w.oid')}`
  const parts = scope.serverVersion >= 140_000 ? [views, rules, bodies] : [views, rules]
  return `WITH ${lockedRelations} ${parts.join(' UNION ALL ')} ORDER BY kind, oid`
}

/** The expression that prints one of them. */
export function printed(kind: DefinitionKind, oid: string): string {
  return `pg_catalog.${printers[kind]}(${oid})`
}

const printers: Readonly<Record<DefinitionKind, string>> = {
  view: 'pg_get_viewdef',
  rule: 'pg_get_ruledef',
  function: 'pg_get_function_sqlbody',
}

/** What `definitionsQuery` calls them. */
export type DefinitionKind = 'view' | 'rule' | 'function'

const queries: Readonly<Record<ResultName, (scope: QueryScope) => string>> = {
  definitions: (scope) => definitionsQuery(scope, { asList: false }),

  // The sums tell a change of what initdb made: an update gives a row a new xmin, a deletion takes one away.
  facts: ({ isInTransaction }) => `SELECT pg_catalog.current_setting('server_version_num'),
    ${isInTransaction} AND pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable'),
    pg_catalog.concat_ws(' ', ${[
      ['pg_namespace', 'oid'],
      ['pg_class', 'oid'],
      ['pg_attribute', 'attrelid'],
      ['pg_rewrite', 'oid'],
      ['pg_type', 'oid'],
      ['pg_proc', 'oid'],
    ]
      .map(([catalog, oid]) => fingerprint(`pg_catalog.${catalog} f WHERE f.${oid} < ${firstUserOid}`))
      .join(', ')}, ${fingerprint(`pg_catalog.pg_description f WHERE f.objoid < ${firstUserOid}
        AND f.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass`)})`,

  schemas: () => `SELECT n.nspname FROM pg_catalog.pg_namespace n
    WHERE NOT pg_catalog.starts_with(n.nspname, 'pg_toast') ORDER BY n.oid`,

  constraintNames: () => `SELECT c.relname FROM pg_catalog.pg_class c
      WHERE c.relkind IN ('i', 'I') AND c.oid >= ${firstUserOid}
    UNION SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.oid >= ${firstUserOid} ORDER BY 1`,

  relations: (scope) => `SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltype,
      c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1'),
      e.description
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_description e ON e.objoid = c.oid AND e.objsubid = 0
        AND e.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE c.relkind IN ${relationKinds} AND ${from(scope, 'c.oid')} ORDER BY c.oid`,

  columns: (scope) => `WITH ${lockedRelations}
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated <> '',
      CASE WHEN d.oid IS NULL THEN NULL
        WHEN a.attrelid IN (SELECT locked.relation FROM locked)
        THEN '${unreadableExpression}'
        ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '${unreadableExpression}') END,
      e.description
    FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ${relationKinds}
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef
      LEFT JOIN pg_catalog.pg_description e ON e.objoid = a.attrelid AND e.objsubid = a.attnum
        AND e.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    WHERE a.attnum > 0 AND NOT a.attisdropped AND ${from(scope, 'a.attrelid')} ORDER BY a.attrelid, a.attnum`,

  parents: (scope) => `SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ${relationKinds}
    WHERE ${from(scope, 'i.inhrelid')} ORDER BY i.inhrelid, i.inhseqno`,

  // Before 15 the copies that partitions have of their parent's triggers are internal too, so what is left out is what
  // belongs to constraints by its function. tgtype: 1 for each row, 2 before, 64 instead of.
  triggers: (scope) => `SELECT t.tgrelid, t.tgname, t.tgfoid, pg_catalog.encode(t.tgargs, 'hex'),
      t.tgtype & 1 <> 0 AND t.tgtype & 2 <> 0 OR t.tgtype & 64 <> 0, t.tgoldtable, t.tgnewtable
    FROM pg_catalog.pg_trigger t LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE ${from(scope, 't.tgrelid')} AND NOT (t.tgisinternal AND p.oid < ${firstUserOid}
      AND (pg_catalog.starts_with(p.proname, 'RI_FKey_') OR p.proname = 'unique_key_recheck'))
    ORDER BY t.tgrelid, t.tgname`,

  rules: (scope) => `SELECT w.ev_class, w.oid FROM pg_catalog.pg_rewrite w
    WHERE w.ev_type <> '1' AND ${from(scope, 'w.ev_class')} ORDER BY w.ev_class, w.rulename`,

  foreignKeys: (scope) => `SELECT k.conrelid, k.confrelid, k.conkey, k.confkey FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' AND ${from(scope, 'k.conrelid')} ORDER BY k.conrelid, k.oid`,

  // An array type proper is the one that its element type names: int2vector, and before 14 a domain over an array, have
  // an element too. Multiranges came with 14.
  types: (scope) => `SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, coalesce(e.oid, 0), t.typarray,
      CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN r.rngsubtype
        ${scope.serverVersion >= 140_000 ? `WHEN 'm' THEN m.rngtypid` : ''} ELSE 0 END,
      CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE -1 END, t.typrelid,
      t.typtype = 'd' AND (t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid))
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
      LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
      LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
      ${scope.serverVersion >= 140_000 ? `LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid` : ''}
    WHERE NOT pg_catalog.starts_with(n.nspname, 'pg_toast') AND ${from(scope, 't.oid')} ORDER BY t.oid`,

  labels: (scope) => `SELECT l.enumtypid, l.enumlabel FROM pg_catalog.pg_enum l
    WHERE ${from(scope, 'l.enumtypid')} ORDER BY l.enumtypid, l.enumsortorder`,

  // Functions that superusers and extensions put into pg_catalog are none of PostgreSQL's own.
  functions: (
    scope,
  ) => `SELECT p.oid, n.nspname, p.proname, p.prokind, l.lanname, p.provolatile, p.proretset, p.prorettype,
      coalesce(p.proallargtypes::pg_catalog.text, p.proargtypes::pg_catalog.text),
      p.proargmodes::pg_catalog.text, pg_catalog.array_to_json(p.proargnames), p.pronargdefaults,
      CASE WHEN l.lanname IN ('c', 'internal') AND l.oid < ${firstUserOid} THEN NULL ELSE p.prosrc END,
      ${scope.serverVersion >= 140_000 ? 'p.prosqlbody IS NOT NULL' : 'false'},
      EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND x.objid = p.oid AND x.deptype = 'e'),
      pg_catalog.array_to_json(p.proconfig)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE (n.nspname <> 'pg_catalog' OR p.oid >= ${firstUserOid}) AND ${from(scope, 'p.oid')} ORDER BY p.oid`,

  operators: () => `SELECT n.nspname, o.oprname, o.oprcode::pg_catalog.oid, o.oprleft, o.oprright
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    WHERE o.oid >= ${firstUserOid} ORDER BY o.oid`,

  casts: () => `SELECT s.castsource, s.casttarget, s.castfunc FROM pg_catalog.pg_cast s
    WHERE s.oid >= ${firstUserOid} ORDER BY s.oid`,

  builtins: () => `SELECT p.proname, p.prokind, p.provolatile, p.proretset, t.typtype, p.prorettype,
      p.proargmodes::pg_catalog.text, pg_catalog.array_to_json(p.proargnames)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
    WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.oid < ${firstUserOid} ORDER BY p.proname, p.oid`,
}

function fingerprint(rows: string): string {
  return `(SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(f.xmin::pg_catalog.text::bigint))
      FROM ${rows})`
}
