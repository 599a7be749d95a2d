import { afterChange, afterRow, beforeRow, history, trigger } from './trigger-corpus.ts'
import type { CorpusCase } from './trigger-corpus.ts'

/** Triggers that copy by what they assign, query and write themselves. */
export const copying: readonly CorpusCase[] = [
  {
    title: 'a lower-cased copy in the same row',
    sql: trigger(beforeRow, 'NEW.search := lower(NEW.email); RETURN NEW;'),
    derived: ['customers.search'],
  },
  {
    title: 'an equals sign in place of the assignment sign',
    sql: trigger(beforeRow, 'NEW.search = NEW.name || NEW.phone; RETURN NEW;'),
    derived: ['customers.search'],
  },
  {
    title: 'a variable in between',
    sql: trigger(beforeRow, 'v := NEW.email; w := upper(v); NEW.notes := w; RETURN NEW;', {
      declare: 'v text; w text;',
    }),
    derived: ['customers.notes'],
  },
  {
    title: 'a variable with an initial value',
    sql: trigger(beforeRow, 'NEW.notes := v; RETURN NEW;', { declare: 'v CONSTANT text NOT NULL := NEW.email;' }),
    derived: ['customers.notes'],
  },
  {
    title: 'variables that are assigned against their order',
    sql: trigger(beforeRow, 'FOR i IN 1..3 LOOP NEW.notes := b; b := a; a := NEW.email; END LOOP; RETURN NEW;', {
      declare: 'a text; b text;',
    }),
    derived: ['customers.notes'],
  },
  {
    title: 'SELECT INTO a field of the row',
    sql: trigger(beforeRow, "SELECT NEW.email || '!', NEW.city INTO NEW.notes, NEW.extra; RETURN NEW;"),
    derived: ['customers.notes'],
  },
  {
    title: 'a branch of IF, one of CASE and one of a nested block',
    sql: trigger(
      beforeRow,
      `IF NEW.city = 'Ulm' THEN NEW.notes := NEW.email; ELSIF NEW.city = 'Rom' THEN NEW.extra := NEW.phone;
       ELSE NULL; END IF;
       CASE NEW.city WHEN 'Oslo', 'Bern' THEN DECLARE x text := NEW.email; BEGIN NEW.search := x; END;
       ELSE NEW.version := 1; END CASE; RETURN NEW;`,
    ),
    derived: ['customers.extra', 'customers.notes', 'customers.search'],
  },
  {
    title: 'an element of an array',
    sql: trigger(beforeRow, 'NEW.tags[1] := NEW.email; RETURN NEW;'),
    derived: ['customers.tags'],
  },
  {
    title: 'the whole row as JSON within itself',
    sql: trigger(beforeRow, "NEW.data := to_jsonb(NEW) - 'data'; RETURN NEW;"),
    derived: ['customers.data'],
  },
  {
    title: 'another row in place of the new one',
    sql: trigger(beforeRow, 'r := NEW; r.notes := NEW.email; RETURN r;', { declare: 'r customers%ROWTYPE;' }),
    derived: ['customers.notes'],
  },
  {
    title: 'a record as a row',
    sql: trigger(beforeRow, 'r := NEW; r.extra := r.phone; NEW := r; RETURN NEW;', { declare: 'r record;' }),
    derived: ['customers.extra'],
  },
  {
    title: "a variable of the table's row type",
    sql: trigger(beforeRow, 'r := NEW; r.extra := r.phone; NEW.notes := r.extra; RETURN NEW;', {
      declare: 'r public.customers;',
    }),
    derived: ['customers.notes'],
  },
  {
    title: 'another name for the new row',
    sql: trigger(beforeRow, 'n.notes := n.email; RETURN n;', { declare: 'n ALIAS FOR NEW;' }),
    derived: ['customers.notes'],
  },
  {
    title: 'names behind the label of a block',
    sql: trigger(
      beforeRow,
      '<<block1>> DECLARE v text; BEGIN block1.v := NEW.email; w := block1.v; END; NEW.notes := w; RETURN NEW;',
      {
        declare: 'w text;',
      },
    ),
    derived: ['customers.notes'],
  },
  {
    title: 'an audit log of whole rows as JSON',
    sql: trigger(
      afterRow,
      `IF TG_OP = 'DELETE' THEN
         INSERT INTO audit (op, tab, row_id, old_data) VALUES (TG_OP, TG_TABLE_NAME, OLD.id, to_jsonb(OLD));
         RETURN OLD;
       END IF;
       INSERT INTO audit (op, tab, row_id, old_data, new_data)
         VALUES (TG_OP, TG_TABLE_NAME, NEW.id, to_jsonb(OLD), row_to_json(NEW)::jsonb);
       RETURN NEW;`,
    ),
    derived: ['audit.new_data', 'audit.old_data'],
  },
  {
    title: 'a history of rows',
    sql: trigger(
      'AFTER UPDATE OR DELETE ON FOR EACH ROW',
      'INSERT INTO customers_history VALUES (OLD.*); RETURN NULL;',
    ),
    derived: history,
  },
  {
    title: 'a history by SELECT',
    sql: trigger(
      'AFTER UPDATE OR DELETE ON FOR EACH ROW',
      'INSERT INTO customers_history SELECT (OLD).*; RETURN NULL;',
    ),
    derived: history,
  },
  {
    title: 'a row as a text',
    sql: trigger(afterChange, 'INSERT INTO log (a, b) VALUES (NEW::text, NEW.city); RETURN NULL;'),
    derived: ['log.a'],
  },
  {
    title: 'an update of another table',
    sql: trigger(afterChange, "UPDATE stats SET n = n + 1, last = NEW.email WHERE key = 'customers'; RETURN NULL;"),
    derived: ['stats.last'],
  },
  {
    title: 'INSERT ... ON CONFLICT',
    sql: trigger(
      afterChange,
      `INSERT INTO stats (key, n) VALUES (NEW.city, 1)
       ON CONFLICT (key) DO UPDATE SET n = stats.n + 1, last = NEW.phone; RETURN NULL;`,
    ),
    derived: ['stats.last'],
  },
  {
    title: 'INSERT ... ON CONFLICT with what was to be inserted',
    sql: trigger(
      afterChange,
      `INSERT INTO stats (key, last) VALUES ('customers', NEW.email)
       ON CONFLICT (key) DO UPDATE SET last = concat(stats.last, excluded.last); RETURN NULL;`,
    ),
    derived: ['stats.last'],
  },
  {
    title: 'MERGE',
    sql: trigger(
      afterChange,
      `MERGE INTO stats s USING (SELECT NEW.city AS city, NEW.email AS mail) n ON s.key = n.city
       WHEN MATCHED THEN UPDATE SET last = n.mail WHEN NOT MATCHED THEN INSERT (key, last) VALUES (n.city, n.mail);
       RETURN NULL;`,
    ),
    derived: ['stats.last'],
  },
  {
    title: 'writes within WITH',
    sql: trigger(
      afterChange,
      `WITH one AS (INSERT INTO log (a) VALUES (NEW.email) RETURNING a)
       INSERT INTO log (b) SELECT a FROM one; RETURN NULL;`,
    ),
    derived: ['log.a', 'log.b'],
  },
  {
    title: 'RETURNING INTO',
    sql: trigger(
      afterChange,
      'INSERT INTO log (a) VALUES (NEW.email) RETURNING a INTO v; UPDATE stats SET last = v; RETURN NULL;',
      { declare: 'v text;' },
    ),
    derived: ['log.a', 'stats.last'],
  },
  {
    title: 'what another table has, by a query',
    sql: trigger(
      'BEFORE INSERT ON FOR EACH ROW',
      'SELECT c.email INTO NEW.contact FROM customers c WHERE c.id = NEW.customer_id; RETURN NEW;',
      { on: 'orders' },
    ),
    derived: ['orders.contact'],
  },
  {
    title: 'what another table has, by a row variable',
    sql: trigger(
      'BEFORE INSERT ON FOR EACH ROW',
      'SELECT * INTO STRICT c FROM customers WHERE id = NEW.customer_id; NEW.contact := c.phone; NEW.status := c.city; RETURN NEW;',
      { on: 'orders', declare: 'c customers%ROWTYPE;' },
    ),
    derived: ['orders.contact'],
  },
  {
    title: 'a query in place of a value',
    sql: trigger(
      'BEFORE INSERT ON FOR EACH ROW',
      'NEW.contact := (SELECT email FROM customers WHERE id = NEW.customer_id); RETURN NEW;',
      { on: 'orders' },
    ),
    derived: ['orders.contact'],
  },
  {
    title: 'an expression with FROM',
    sql: trigger(
      'BEFORE INSERT ON FOR EACH ROW',
      'NEW.contact := email FROM customers WHERE id = NEW.customer_id; RETURN NEW;',
      {
        on: 'orders',
      },
    ),
    derived: ['orders.contact'],
  },
  {
    title: 'a loop over rows',
    sql: trigger(
      'AFTER INSERT ON FOR EACH ROW',
      'FOR r IN SELECT id, email AS mail, city FROM customers LOOP INSERT INTO log VALUES (r.id, r.mail, r.city); END LOOP; RETURN NULL;',
      { on: 'orders', declare: 'r record;' },
    ),
    derived: ['log.b'],
  },
  {
    title: 'a cursor',
    sql: trigger(
      'AFTER INSERT ON FOR EACH ROW',
      'OPEN c(NEW.customer_id); FETCH NEXT FROM c INTO v, w; CLOSE c; INSERT INTO log VALUES (v, w); RETURN NULL;',
      { on: 'orders', declare: 'c CURSOR (k int) FOR SELECT email, city FROM customers WHERE id = k; v text; w text;' },
    ),
    derived: ['log.a'],
  },
  {
    title: 'a loop over a cursor with an argument',
    sql: trigger(afterChange, 'FOR r IN c(NEW.email) LOOP INSERT INTO log (a) VALUES (r.m); END LOOP; RETURN NULL;', {
      declare: 'c CURSOR (k text) FOR SELECT k AS m;',
    }),
    derived: ['log.a'],
  },
  {
    title: 'a cursor that is opened for a query',
    sql: trigger(
      afterChange,
      'OPEN c FOR SELECT email FROM customers; LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; INSERT INTO log (c) VALUES (v); END LOOP; CLOSE c; RETURN NULL;',
      { declare: 'c refcursor; v text;' },
    ),
    derived: ['log.c'],
  },
  {
    title: 'a loop over an array',
    sql: trigger(
      afterChange,
      'FOREACH v IN ARRAY ARRAY[NEW.email, NEW.city] LOOP INSERT INTO log (a) VALUES (v); END LOOP; RETURN NULL;',
      {
        declare: 'v text;',
      },
    ),
    derived: ['log.a'],
  },
  {
    title: 'letters that only conditions tell',
    sql: trigger(
      beforeRow,
      `s := ''; FOR i IN 1..length(NEW.email) LOOP FOR c IN 97..122 LOOP
         IF substr(NEW.email, i, 1) = chr(c) THEN s := s || chr(c); END IF; END LOOP; END LOOP; NEW.notes := s; RETURN NEW;`,
      { declare: 's text;' },
    ),
    derived: ['customers.notes'],
  },
  {
    title: 'a row that a value was compared with',
    sql: trigger(
      beforeRow,
      'FOR r IN SELECT * FROM categories LOOP IF NEW.email LIKE r.pattern THEN NEW.notes := r.category; END IF; END LOOP; RETURN NEW;',
      { declare: 'r categories%ROWTYPE;' },
    ),
    derived: ['customers.notes'],
  },
]
