import { columnKey } from '../../core/catalog.ts'
import type { CatalogData, ColumnKey } from '../../core/catalog.ts'
import type { Classification, ClassifiedColumn } from '../../core/classification.ts'
import type { StatementLineage, Sources } from '../../core/lineage.ts'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { loadCatalog } from '../catalog/load.ts'
import { clientOf } from '../catalog/testing.ts'
import { createParser } from '../parser.ts'
import type { Parser } from '../parser.ts'
import { traceStatement } from './lineage.ts'
import { createSchema } from './schema.ts'
import type { PendingRelation, Schema } from './schema.ts'

/** A web shop with what tempts: free text, copies, views, partitions, functions, tables of letters to compare with. */
export const shopSql = `
  CREATE TABLE customers (
    id int PRIMARY KEY, name text, email text, phone text, city text, backup_email text, profile jsonb,
    birth date, created_at timestamptz DEFAULT now(), score int, is_active bool);
  CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int REFERENCES customers, total numeric(10, 2), status text,
    customer_email text, number text, made_at timestamptz, region_id int);
  CREATE TABLE notes (id int, body text, mail text, about int);
  CREATE TABLE secrets (id int, token text);
  CREATE TABLE dict (word text, n int);
  CREATE TABLE alphabet (ch text, pos int);
  CREATE TABLE regions (id int, title text);
  CREATE TABLE people (id int, nick text);
  CREATE TABLE staff (wage int) INHERITS (people);
  CREATE TABLE events (id int, at date, ip text) PARTITION BY RANGE (at);
  CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE TABLE files (id int, data text, search tsvector,
    upper_data text GENERATED ALWAYS AS (upper(data)) STORED, size int GENERATED ALWAYS AS (id + 1) STORED);
  CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON files FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger(search, 'pg_catalog.english', data);
  CREATE TYPE contact AS (kind text, address text);
  CREATE TABLE books (id int, entry contact, entries contact[]);
  CREATE VIEW buyers AS SELECT c.id, c.email AS mail, upper(c.name) AS shout, o.total
    FROM customers c JOIN orders o ON o.customer_id = c.id;
  CREATE VIEW gmail AS SELECT id, city FROM customers WHERE email LIKE '%@gmail.com';
  CREATE VIEW whole AS SELECT c FROM customers c;
  CREATE VIEW nested AS SELECT mail || '!' AS loud, id FROM buyers;
  CREATE VIEW counted AS SELECT city, count(*) AS n, max(email) AS last FROM customers GROUP BY city;
  CREATE MATERIALIZED VIEW mails AS SELECT email FROM customers;
  CREATE SCHEMA other;
  CREATE TABLE other.customers (id int, remark text);
  CREATE TABLE other.plain (id int, text text);
  CREATE SCHEMA twin;
  CREATE TABLE twin.orders (id int, customer_id int, total numeric(10, 2), status text,
    customer_email text, number text, made_at timestamptz, region_id int);
  CREATE FUNCTION mail_of(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = i';
  CREATE FUNCTION mail_at(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = $1';
  CREATE FUNCTION standard_mail(i int) RETURNS text STABLE RETURN (SELECT email FROM customers WHERE id = i);
  CREATE FUNCTION atomic_mails() RETURNS SETOF text STABLE BEGIN ATOMIC SELECT 1; SELECT email FROM customers; END;
  CREATE FUNCTION greeted(greeting text, name text DEFAULT mail_of(1)) RETURNS text LANGUAGE sql STABLE
    AS 'SELECT greeting || name';
  CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
  CREATE FUNCTION pairs() RETURNS TABLE (a int, b text) LANGUAGE sql STABLE AS 'SELECT id, email FROM customers';
  CREATE FUNCTION outs(OUT a int, OUT b text) LANGUAGE sql STABLE AS 'SELECT id, email FROM customers';
  CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t) || ''!''';
  CREATE FUNCTION row_mail(c customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT c.email';
  CREATE FUNCTION row_city(c customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).city';
  CREATE FUNCTION copying(i int) RETURNS void LANGUAGE sql AS
    'INSERT INTO notes (body) SELECT email FROM customers WHERE id = i';
  CREATE FUNCTION guesses(letter text) RETURNS bool LANGUAGE sql STABLE AS
    'SELECT EXISTS (SELECT FROM customers WHERE email LIKE letter || ''%'')';
  CREATE FUNCTION loops(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE concat(i) INTO i; RETURN i; END';
  CREATE FUNCTION priced(n numeric) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN n; END';
  CREATE FUNCTION forever(i int) RETURNS int LANGUAGE sql AS 'SELECT i';
  CREATE OR REPLACE FUNCTION forever(i int) RETURNS int LANGUAGE sql AS 'SELECT forever(i - 1)';
  CREATE FUNCTION same_mail(a text, b text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN EXECUTE a INTO a; RETURN a = b; END';
  CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same_mail);
  CREATE FUNCTION joined(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
  CREATE OPERATOR |+| (LEFTARG = text, RIGHTARG = text, FUNCTION = joined);
  CREATE AGGREGATE gathered (text) (SFUNC = textcat, STYPE = text);
  CREATE TABLE ruled (id int, body text);
  CREATE RULE elsewhere AS ON INSERT TO ruled DO ALSO INSERT INTO notes (id) VALUES (new.id);
`

/** Which columns of the shop carry which tags. */
export const shopTags: Readonly<Record<string, readonly string[]>> = {
  'public.customers.email': ['pii.email'],
  'public.customers.phone': ['pii.phone'],
  'public.customers.backup_email': ['pii.email'],
  'public.customers.profile': ['pii.profile'],
  'public.customers.birth': ['pii.birth'],
  'public.notes.mail': ['pii.email'],
  'public.secrets.token': ['secret'],
  'public.staff.nick': ['pii.nick'],
  'public.events.ip': ['pii.ip'],
  'public.events_1.ip': ['pii.ip'],
  'public.files.data': ['pii.data'],
  'public.books.entry': ['pii.entry'],
  'public.books.entries': ['pii.entry'],
  'pg_catalog.pg_stat_activity.query': ['builtin.text'],
  'pg_catalog.pg_largeobject.data': ['builtin.lob'],
}

/** Traces statements over one snapshot. */
export interface Tracing {
  readonly schema: Schema
  trace(sql: string, searchPath?: readonly string[] | null): StatementLineage
  /** As `trace`, described in short; see `describeLineage`. */
  describe(sql: string, searchPath?: readonly string[] | null): string
  name(sources: Sources): string
}

/** A tracing of the shop over a snapshot of it. */
export async function tracingOf(
  data: CatalogData,
  tags: Readonly<Record<string, readonly string[]>> = shopTags,
  pending: readonly PendingRelation[] = [],
): Promise<Tracing> {
  const parser = await createParser({ onFault: () => {} })
  const classification = classificationOf(data, tags)
  const schema = createSchema({
    catalog: createCatalog(data, 1),
    classification,
    pending,
    parse: (sql) => parser.parse(sql),
  })
  const name = (sources: Sources): string => nameSources(sources, classification)
  const trace = (sql: string, searchPath: readonly string[] | null = ['public']): StatementLineage =>
    traceStatement(parsed(sql, parser), { schema, searchPath })
  return { schema, name, trace, describe: (sql, path) => describeLineage(trace(sql, path), name) }
}

/** A classification of the columns that are named `schema.table.column`. */
export function classificationOf(
  data: CatalogData,
  tags: Readonly<Record<string, readonly string[]>>,
  computingFunctions: readonly string[] = ['public.priced'],
): Classification {
  const columns = new Map<ColumnKey, ClassifiedColumn>()
  for (const relation of data.relations) {
    for (const column of relation.columns) {
      const found = tags[`${relation.schema}.${relation.name}.${column.name}`]
      if (found === undefined) continue
      const key = columnKey(relation.oid, column.number)
      columns.set(key, {
        key,
        schema: relation.schema,
        relation: relation.name,
        column: column.name,
        tags: found,
        masking: { function: 'redact' },
        origin: 'file',
      })
    }
  }
  return { version: 1, columns, computingFunctions: new Set(computingFunctions), safeChannels: new Set(['news']) }
}

/**
 * Outputs in order: `-` derives from nothing, `=email` is exactly that column, `email+phone` derives from these, `?` from
 * anything; `...` where their number is not known. Behind `!` what one has to be allowed to unmask to run it at all.
 */
export function describeLineage(lineage: StatementLineage, name: (sources: Sources) => string): string {
  const outputs =
    lineage.outputs === null
      ? [`... ${name(lineage.anyOutput)}`]
      : lineage.outputs.map(({ sources, direct }) => `${direct === null ? '' : '='}${name(sources)}`)
  const hazards = lineage.hazards.map(
    ({ columns, unlessMasked }) => ` !${name(columns)}${unlessMasked === undefined ? '' : '~'}`,
  )
  return `${outputs.join(', ')}${[...new Set(hazards)].join('')}`.trim()
}

function nameSources(sources: Sources, classification: Classification): string {
  if (sources === 'unknown') return '?'
  const names = [...sources].map((key) => {
    const column = classification.columns.get(key)
    return column === undefined
      ? key
      : column.relation === 'customers'
        ? column.column
        : `${column.relation}.${column.column}`
  })
  return names.length === 0 ? '-' : names.sort().join('+')
}

function parsed(sql: string, parser: Parser): Parameters<typeof traceStatement>[0] {
  const outcome = parser.parse(sql)
  const [statement] = outcome.state === 'parsed' ? outcome.statements : []
  if (statement === undefined) throw new Error(`${sql}: ${JSON.stringify(outcome)}`)
  return statement
}

/** A PostgreSQL with the shop in it, and statements traced over a snapshot of that. */
export interface Shop {
  readonly postgres: SandboxPostgres
  readonly tracing: Tracing
}

/** Starts a PostgreSQL with the shop in it; the caller stops it. */
export async function startShop(more = ''): Promise<Shop> {
  const postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE DATABASE shop')
  await postgres.query('shop', shopSql + more)
  const client = await clientOf(postgres, 'shop')
  const data = await loadCatalog((sql) => client.query(sql))
  client.close()
  return { postgres, tracing: await tracingOf(data) }
}

/** The lines `statement ==> lineage` of a table that come out otherwise, each with what came out. */
export function mismatches(table: string, tracing: Tracing): readonly string[] {
  return linesOf(table).flatMap(({ sql, expected }) => {
    const found = tracing.describe(sql)
    return found === expected ? [] : [`${sql} ==> ${found}, but ${expected} was expected`]
  })
}

/** The statements of a table with what they are to come out as. */
export function linesOf(table: string): readonly { readonly sql: string; readonly expected: string }[] {
  return table
    .split('\n')
    .filter((line) => line.includes(' ==>'))
    .map((line) => {
      const [sql = '', expected = ''] = line.split(' ==>')
      return { sql, expected: expected.trim() }
    })
}
