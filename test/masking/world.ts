import type { Canary } from './canaries.ts'
import { newDigits, newWord, plainColumns, plantCustomers, plantedColumns } from './customers.ts'

/** The database under attack, as SQL, with what is planted in it. */
export interface World {
  readonly setUp: string
  /** Run once the gateway is there and knows the database: what was classified is called otherwise from then on. */
  readonly renames: string
  readonly canaries: readonly Canary[]
  readonly classification: string
  readonly policies: string
}

/** The number of the large object that holds a canary. */
export const largeObject = 4_711

/** Builds it; the same at every call of a process's first. */
export function createWorld(): World {
  const customers = plantCustomers()
  const canaries: Canary[] = [...customers.canaries]
  const word = (column: string): string => {
    const value = newWord()
    canaries.push({ column, word: value })
    return value
  }
  const digits = (column: string): string => {
    const value = newDigits(16)
    canaries.push({ column, digits: value })
    return value
  }
  return {
    canaries,
    setUp: [
      preamble,
      customers.sql,
      `
      CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, item text, note text, total numeric DEFAULT 10);
      INSERT INTO orders SELECT n, 1 + n % 5, 'item ' || n, NULL FROM generate_series(1, 20) n;
      CREATE TABLE notes (id serial PRIMARY KEY, body text, n numeric, d date, blob bytea, list text[], j jsonb);
      CREATE TABLE audit (id serial PRIMARY KEY, what text);
      CREATE TABLE letters (ch text);
      INSERT INTO letters SELECT chr(n) FROM generate_series(33, 126) n;
      CREATE TABLE dictionary (word text);
      INSERT INTO dictionary SELECT md5(n::text) FROM generate_series(1, 50) n;
      INSERT INTO dictionary SELECT email FROM customers;
      ALTER TABLE dictionary ALTER word SET STATISTICS 0;
      CREATE TABLE payments (id int PRIMARY KEY, card text REFERENCES customers (card) ON UPDATE CASCADE);
      INSERT INTO payments SELECT id, card FROM customers WHERE id < 4;
      CREATE TABLE limits_of_notes (id int PRIMARY KEY, body text CHECK (length(body) < 3), n int NOT NULL);
      CREATE TABLE accounts (id int PRIMARY KEY, email text, email_copy text);
      CREATE FUNCTION copy_email() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email_copy := NEW.email; RETURN NEW; END $$;
      CREATE TRIGGER copy_email BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION copy_email();
      INSERT INTO accounts VALUES (1, '${word('accounts.email')}');
      CREATE TABLE bookings (id int PRIMARY KEY, guest text, period daterange, EXCLUDE USING gist (guest WITH =, period WITH &&));
      INSERT INTO bookings VALUES (1, '${word('bookings.guest')}', '[2031-01-01,2031-02-01)');
      CREATE TABLE staff (id int PRIMARY KEY, name text, wage numeric);
      COMMENT ON COLUMN staff.name IS 'who it is @tag(pii.name)';
      COMMENT ON COLUMN staff.wage IS '@tag(pii.salary, internal)';
      INSERT INTO staff VALUES (1, '${word('staff.name')}', ${digits('staff.wage')});
      INSERT INTO staff SELECT 2, name, wage FROM staff;
      CREATE TABLE people (id int, region text, person text) PARTITION BY LIST (region);
      CREATE TABLE people_eu PARTITION OF people FOR VALUES IN ('eu');
      CREATE TABLE people_us PARTITION OF people FOR VALUES IN ('us');
      INSERT INTO people VALUES (1, 'eu', '${word('people.person')}'), (2, 'us', '${word('people.person')}');
      CREATE TABLE members (id int, code text);
      CREATE TABLE vip_members (level int) INHERITS (members);
      INSERT INTO vip_members VALUES (1, '${word('vip_members.code')}', 3);
      CREATE TABLE assets (id int, serial_no text);
      CREATE TABLE old_assets () INHERITS (assets);
      INSERT INTO old_assets VALUES (1, '${word('assets.serial_no')}');
      CREATE TABLE vault (id int PRIMARY KEY, code text);
      INSERT INTO vault VALUES (1, '${word('vault.code')}');
      CREATE TABLE inbox (id int, body text);
      CREATE RULE to_notes AS ON INSERT TO inbox DO ALSO INSERT INTO notes (body) SELECT email FROM customers;
      CREATE SCHEMA hr;
      CREATE TABLE hr.employees (id int PRIMARY KEY, name text, iban text);
      INSERT INTO hr.employees VALUES (1, '${word('hr.employees.name')}', '${word('hr.employees.iban')}');
      CREATE TABLE "Odd Täble" (id int, "E Mäil" text);
      INSERT INTO "Odd Täble" VALUES (1, '${word('odd.mail')}');
      SELECT lo_from_bytea(${String(largeObject)}, '${word('large object')}');
      `,
      objects,
    ].join('\n'),
    renames: `
      ALTER TABLE customers RENAME COLUMN secret TO memo;
      ALTER TABLE vault RENAME TO strongroom;
      ALTER TABLE strongroom RENAME COLUMN code TO label;
    `,
    classification,
    policies,
  }
}

const preamble = `
  CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist;
  CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc; CREATE EXTENSION fuzzystrmatch; CREATE EXTENSION dblink;
  CREATE EXTENSION postgres_fdw; CREATE EXTENSION pageinspect; CREATE EXTENSION xml2; CREATE EXTENSION unaccent;
  CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pgrowlocks;
  CREATE TYPE mood AS ENUM ('fine', 'zqgloomy');
  CREATE TYPE address AS (street text, zip text);
  CREATE DOMAIN contact AS text CHECK (length(VALUE) < 200);
  CREATE DOMAIN code_number AS numeric CHECK (VALUE > 0);
  CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 3);
`

const objects = `
  CREATE VIEW customer_list (key, label, city) AS SELECT id, email, city FROM customers;
  CREATE VIEW customer_labels AS SELECT key, upper(label) AS shown FROM customer_list;
  CREATE VIEW customer_rows AS SELECT c FROM customers c;
  CREATE VIEW young AS SELECT id, full_name FROM customers WHERE tier = 1 WITH CHECK OPTION;
  CREATE MATERIALIZED VIEW customer_mat AS SELECT id, full_name AS label, email FROM customers;
  CREATE FUNCTION customer_email(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = $1';
  CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
  CREATE FUNCTION find_names(what int) RETURNS TABLE (k int, label text) LANGUAGE sql STABLE
    AS 'SELECT id, full_name FROM customers WHERE id >= what';
  CREATE FUNCTION atomic_email(who int) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT email FROM customers WHERE id = who; END;
  CREATE FUNCTION returned_email(who int) RETURNS text LANGUAGE sql STABLE RETURN (SELECT email FROM customers WHERE id = who);
  CREATE FUNCTION two(who int, OUT a text, OUT b text) LANGUAGE sql STABLE AS 'SELECT email, full_name FROM customers WHERE id = who';
  CREATE FUNCTION same(anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1';
  CREATE FUNCTION opaque_email(who int) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT email FROM customers WHERE id = who); END $$;
  CREATE FUNCTION defaulted(t text DEFAULT customer_email(1)) RETURNS text LANGUAGE sql AS 'SELECT t';
  CREATE FUNCTION secured(who int) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT email FROM public.customers WHERE id = who';
  CREATE FUNCTION run(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE sql; END $$;
  CREATE FUNCTION warn(t text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', t; RETURN 1; END $$;
  CREATE FUNCTION fail(t text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', t; END $$;
  CREATE FUNCTION append(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1, '') || $2 $$;
  CREATE AGGREGATE glue (text) (SFUNC = append, STYPE = text);
  CREATE FUNCTION email_of(customers) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.email';
  CREATE FUNCTION row_op(customers, int) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.email';
  CREATE OPERATOR @@@ (LEFTARG = customers, RIGHTARG = int, FUNCTION = row_op);
  CREATE FUNCTION row_text(customers) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.email';
  CREATE CAST (customers AS text) WITH FUNCTION row_text(customers);
  CREATE PROCEDURE store_email() LANGUAGE sql AS 'INSERT INTO notes (body) SELECT email FROM customers';
  CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO audit (what) VALUES (OLD.email); RETURN NULL; END $$;
  CREATE TRIGGER note_change AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION note_change();
  CREATE FUNCTION fill_note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.note := (SELECT email FROM customers WHERE id = NEW.customer_id); RETURN NEW; END $$;
  CREATE TRIGGER fill_note BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION fill_note();
  CREATE INDEX ON customers (lower(full_name));
  CREATE STATISTICS customer_stats (mcv, dependencies) ON email, full_name FROM customers;
  CREATE STATISTICS customer_expressions ON (upper(phone)), tier FROM customers;
  ANALYZE;
`

const tagged = plantedColumns.map(({ name, tag }) => `    ${name}: ${tag ?? 'none'}`)

const classification = `tags:
  pii.email: partial
  pii.name: redact
  pii.phone: pseudonym
  pii.card: { masking: partial, keep: 4 }
  pii.ssn: redact
  pii.birth_date: year
  pii.salary: redact
  pii.photo: redact
  pii.mood: redact
  pii.hr: redact
  pii.code: pseudonym
  internal: redact
  secret: "null"
columns:
  public.customers:
${plainColumns.map((name) => `    ${name}: none`).join('\n')}
${tagged.join('\n')}
  public.people: { person: pii.name }
  public.vip_members: { code: pii.code }
  public.assets: { serial_no: pii.code }
  public.vault: { code: secret }
  public.accounts: { email: pii.email }
  public.bookings: { guest: pii.name }
  hr.employees: { id: none }
  '"public"."Odd Täble"': { 'E Mäil': pii.email }
tables:
  hr.employees: pii.hr
`

const policies = `
@id("writers")
permit (principal in Group::"support", action in [Action::"connect", Action::"session", Action::"read", Action::"write"], resource);

@id("builders")
permit (principal in Group::"ci", action in
  [Action::"connect", Action::"session", Action::"read", Action::"write", Action::"ddl"], resource);

@id("operators-may-everything-but-unmask")
permit (principal in Group::"agents", action in
  [Action::"connect", Action::"session", Action::"read", Action::"write", Action::"ddl", Action::"admin", Action::"opaque"], resource);

@id("dbas-may-everything")
permit (principal in Group::"dba", action, resource);

@id("engineers-see-addresses")
permit (principal in Group::"engineering", action in [Action::"connect", Action::"session", Action::"read", Action::"write"], resource);
permit (principal in Group::"engineering", action == Action::"unmask", resource in Tag::"pii.email");
`
