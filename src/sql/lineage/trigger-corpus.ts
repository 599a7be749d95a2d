/*
 * Triggers and rules as people write them, for the tests. `derived` are the columns that they put a classified value
 * into; `faults` says that they cannot be followed to the end. Customers' e-mail addresses and phone numbers are
 * classified and nothing else is.
 */

/** The tables that triggers are put on. */
export const corpusSql = `
  CREATE TABLE customers (id int PRIMARY KEY, email text, phone text, name text, city text, notes text, search text,
    extra text, version int DEFAULT 0, updated_at timestamptz, tags text[], data jsonb);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric, status text, contact text);
  CREATE TABLE audit (id serial, at timestamptz DEFAULT now(), op text, tab text, row_id text, old_data jsonb,
    new_data jsonb, note text);
  CREATE TABLE log (a text, b text, c text);
  CREATE TABLE stats (key text PRIMARY KEY, n int DEFAULT 0, last text);
  CREATE TABLE customers_history (LIKE customers);
  CREATE TABLE other_history (id int, what text);
  CREATE TABLE categories (pattern text, category text);
  INSERT INTO categories VALUES ('%example%', 'canary-bird');
  INSERT INTO stats VALUES ('customers', 0, NULL);
`

/** What fires them; values that must stay hidden begin with "canary". */
export const corpusWrites = `
  INSERT INTO customers (id, email, phone, name, city) VALUES (1, 'canary1@example.com', 'canary-phone-1', 'Ann', 'Ulm');
  INSERT INTO customers (id, email, phone, name, city) VALUES (2, 'canary2@example.com', 'canary-phone-2', 'Bob', 'Rom');
  UPDATE customers SET email = 'canary3@example.com', city = 'Oslo' WHERE id = 1;
  UPDATE customers SET city = 'Bern', phone = 'canary-phone-3';
  INSERT INTO orders (id, customer_id, total, status) VALUES (1, 1, 10, 'new');
  UPDATE orders SET status = 'paid' WHERE id = 1;
  DELETE FROM customers WHERE id = 2;
`

/** One way of writing a trigger. */
export interface CorpusCase {
  readonly title: string
  readonly sql: string
  /** `table.column`, sorted. */
  readonly derived: readonly string[]
  readonly faults?: number
}

/** What else a trigger's function is made of. */
export type Options = {
  readonly declare?: string
  readonly on?: string
  readonly when?: string
  readonly before?: string
}

/** A trigger of customers, or another table, whose function has this body. */
export function trigger(
  when: string,
  body: string,
  { declare = '', on = 'customers', before = '' }: Options = {},
): string {
  return `${before}
    CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $body$
    ${declare === '' ? '' : `DECLARE ${declare}`} BEGIN ${body} END $body$;
    CREATE TRIGGER fires ${when.replace(' ON ', ` ON ${on} `)} EXECUTE FUNCTION fire();`
}

/** When it fires. */
export const beforeRow = 'BEFORE INSERT OR UPDATE ON FOR EACH ROW'
/** When it fires. */
export const afterRow = 'AFTER INSERT OR UPDATE OR DELETE ON FOR EACH ROW'
/** When it fires. */
export const afterChange = 'AFTER INSERT OR UPDATE ON FOR EACH ROW'
/** The columns of the history that hold classified values. */
export const history = ['customers_history.email', 'customers_history.phone']

/** Triggers that carry nothing classified anywhere. */
export const harmless: readonly CorpusCase[] = [
  { title: 'the time of the change', sql: trigger(beforeRow, 'NEW.updated_at := now(); RETURN NEW;'), derived: [] },
  {
    title: 'the time of a certain change',
    sql: trigger(
      'BEFORE UPDATE ON FOR EACH ROW',
      'IF NEW.email IS DISTINCT FROM OLD.email THEN NEW.updated_at := clock_timestamp(); NEW.version := OLD.version + 1; END IF; RETURN NEW;',
    ),
    derived: [],
  },
  {
    title: 'what was done, to which table and row',
    sql: trigger(
      afterRow,
      `IF TG_OP = 'DELETE' THEN v := OLD.id; ELSE v := NEW.id; END IF;
       INSERT INTO audit (op, tab, row_id, note) VALUES (TG_OP, TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, v, session_user);
       RETURN COALESCE(NEW, OLD);`,
      { declare: 'v text;' },
    ),
    derived: [],
  },
  {
    title: 'a counter',
    sql: trigger(
      afterRow,
      `IF TG_OP = 'INSERT' THEN UPDATE stats SET n = n + 1 WHERE key = TG_TABLE_NAME;
       ELSIF TG_OP = 'DELETE' THEN UPDATE stats SET n = n - 1 WHERE key = TG_TABLE_NAME; END IF; RETURN NULL;`,
    ),
    derived: [],
  },
  {
    title: 'a count of rows',
    sql: trigger(afterRow, 'SELECT count(*) INTO v FROM customers; UPDATE stats SET n = v; RETURN NULL;', {
      declare: 'v int;',
    }),
    derived: [],
  },
  {
    title: 'a check that refuses',
    sql: trigger(
      beforeRow,
      `IF NEW.email !~ '@' THEN RAISE EXCEPTION 'no address: %', NEW.email USING HINT = NEW.phone, ERRCODE = '22000'; END IF;
       ASSERT NEW.phone IS NOT NULL, NEW.email; RETURN NEW;`,
    ),
    derived: [],
  },
  {
    title: 'a value that is put in order in its own column',
    sql: trigger(beforeRow, 'NEW.email := lower(trim(NEW.email)); NEW.phone := nullif(NEW.phone, $$$$); RETURN NEW;'),
    derived: [],
  },
  {
    title: 'other columns of the row',
    sql: trigger(
      beforeRow,
      'NEW.search := lower(NEW.name) || NEW.city; INSERT INTO log VALUES (NEW.name, NEW.city, NEW.id); RETURN NEW;',
    ),
    derived: [],
  },
  {
    title: 'other columns of a row that was fetched',
    sql: trigger(
      'BEFORE INSERT ON FOR EACH ROW',
      'SELECT * INTO c FROM customers WHERE id = NEW.customer_id; NEW.status := c.city; RETURN NEW;',
      {
        on: 'orders',
        declare: 'c record;',
      },
    ),
    derived: [],
  },
  {
    title: 'a loop with a sum',
    sql: trigger(
      'AFTER INSERT ON FOR EACH ROW',
      'FOR r IN SELECT total FROM orders LOOP s := s + r.total; END LOOP; UPDATE stats SET n = s; RETURN NULL;',
      { on: 'orders', declare: 's numeric := 0; r record;' },
    ),
    derived: [],
  },
  {
    title: 'EXECUTE without values',
    sql: trigger(afterRow, `EXECUTE format('UPDATE stats SET n = n + 1 WHERE key = %L', TG_TABLE_NAME); RETURN NULL;`),
    derived: [],
  },
  {
    title: 'a notification of the key',
    sql: trigger(
      afterChange,
      `PERFORM pg_notify('changes', json_build_object('op', TG_OP, 'id', NEW.id)::text); RETURN NULL;`,
    ),
    derived: [],
  },
  {
    title: "PostgreSQL's own trigger against idle updates",
    sql: `CREATE TRIGGER fires BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();`,
    derived: [],
  },
  {
    title: 'a list of the columns that changed',
    sql: trigger(
      'AFTER UPDATE ON FOR EACH ROW',
      `IF NEW.email <> OLD.email THEN changed := changed || 'email'::text; END IF;
       IF NEW.city <> OLD.city THEN changed := array_append(changed, 'city'); END IF;
       INSERT INTO audit (op, note) VALUES (TG_OP, changed::text); RETURN NULL;`,
      { declare: `changed text[] := '{}';` },
    ),
    derived: [],
  },
  {
    title: 'a function that computes',
    sql: trigger(beforeRow, 'NEW.search := slug(NEW.name); RETURN NEW;', {
      before: `CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN lower(t); END';`,
    }),
    derived: [],
  },
  {
    title: 'a rule that counts',
    sql: `CREATE RULE counts AS ON INSERT TO orders DO ALSO UPDATE stats SET n = n + 1 WHERE key = 'orders';`,
    derived: [],
  },
]
