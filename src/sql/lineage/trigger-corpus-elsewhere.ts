import { afterChange, beforeRow, history, trigger } from './trigger-corpus.ts'
import type { CorpusCase } from './trigger-corpus.ts'

/** Triggers that copy by functions, SQL made at run time, views, rules and more. */
export const copyingElsewhere: readonly CorpusCase[] = [
  {
    title: 'a function in PL/pgSQL that logs',
    sql: trigger(afterChange, 'PERFORM log_change(NEW.email, NEW.city); RETURN NULL;', {
      before: `CREATE FUNCTION log_change(m text, c text) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO log VALUES (m, c); END';`,
    }),
    derived: ['log.a'],
  },
  {
    title: 'a function in SQL that logs',
    sql: trigger(afterChange, 'PERFORM log_change(NEW.city, NEW.phone); RETURN NULL;', {
      before: `CREATE FUNCTION log_change(text, text) RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES ($1, $2)';`,
    }),
    derived: ['log.b'],
  },
  {
    title: 'a procedure',
    sql: trigger(afterChange, 'CALL log_change(NEW.phone, v); INSERT INTO log (c) VALUES (v); RETURN NULL;', {
      declare: 'v text;',
      before: `CREATE PROCEDURE log_change(m text, INOUT o text) LANGUAGE plpgsql AS
        'BEGIN INSERT INTO log (a) VALUES (m); o := m; END';`,
    }),
    derived: ['log.a', 'log.c'],
  },
  {
    title: 'a function in PL/pgSQL that computes',
    sql: trigger(beforeRow, 'NEW.search := slug(NEW.email); NEW.extra := slug(NEW.city); RETURN NEW;', {
      before: `CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        $$DECLARE r text := lower(t); BEGIN r := regexp_replace(r, '[^a-z0-9]+', '-', 'g'); RETURN r; END$$;`,
    }),
    derived: ['customers.search'],
  },
  {
    title: 'a function with OUT parameters',
    sql: trigger(beforeRow, 'SELECT one, two INTO NEW.notes, NEW.extra FROM parts(NEW.city, NEW.email); RETURN NEW;', {
      before: `CREATE FUNCTION parts(a text, b text, OUT one text, OUT two text) LANGUAGE plpgsql AS
        'BEGIN one := a; two := b; END';`,
    }),
    derived: ['customers.extra'],
  },
  {
    title: 'a function of the whole row',
    sql: trigger(afterChange, 'PERFORM keep(NEW); RETURN NULL;', {
      before: `CREATE FUNCTION keep(c customers) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO log VALUES (c.city, c.email); END';`,
    }),
    derived: ['log.b'],
  },
  {
    title: 'EXECUTE of a constant',
    sql: trigger(
      afterChange,
      "EXECUTE 'INSERT INTO log (a, b) VALUES ($1, $2)' USING NEW.city, NEW.email; RETURN NULL;",
    ),
    derived: ['log.b'],
  },
  {
    title: 'EXECUTE with a table that the trigger is given',
    sql: `CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
        EXECUTE format('INSERT INTO %I VALUES ($1.*)', TG_ARGV[0]) USING OLD; RETURN NULL; END $body$;
      CREATE TRIGGER fires AFTER UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION fire('customers_history');`,
    derived: history,
  },
  {
    title: 'EXECUTE with a name made of the table',
    sql: trigger(
      'AFTER UPDATE OR DELETE ON FOR EACH ROW',
      `EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.' || quote_ident(TG_RELNAME || '_history')
         || ' SELECT ($1).*' USING OLD; RETURN OLD;`,
    ),
    derived: history,
  },
  {
    title: 'EXECUTE with a name in a variable',
    sql: trigger(
      'AFTER UPDATE OR DELETE ON FOR EACH ROW',
      `target := TG_TABLE_NAME || '_history'; q := format('INSERT INTO %I.%I SELECT $1.*', TG_TABLE_SCHEMA, target);
       EXECUTE q USING OLD; RETURN OLD;`,
      { declare: 'target text; q text;' },
    ),
    derived: history,
  },
  {
    title: 'EXECUTE with a value in the text',
    sql: trigger(
      afterChange,
      `EXECUTE 'INSERT INTO log (a, b) VALUES (' || quote_literal(NEW.city) || ', ' || quote_literal(NEW.email) || ')';
       EXECUTE format('INSERT INTO log (c) VALUES (%L)', NEW.phone);
       EXECUTE 'INSERT INTO stats (key, last) VALUES (' || NEW.id || clock_timestamp()::text::int || ', ''' || NEW.phone || ''')';
       RETURN NULL; EXCEPTION WHEN OTHERS THEN
       EXECUTE 'UPDATE stats SET last = ''' || NEW.phone || ''''; EXECUTE format('INSERT INTO log (b) VALUES (%L)', NEW.email);
       RETURN NULL;`,
    ),
    derived: ['log.b', 'log.c', 'stats.last'],
  },
  {
    title: 'EXECUTE with a column that only the row knows',
    sql: trigger(
      afterChange,
      `FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = TG_RELID AND attnum > 0 LOOP
         EXECUTE format('SELECT ($1).%I::text', col) USING NEW INTO v; INSERT INTO log VALUES (col, v);
       END LOOP; RETURN NULL;`,
      { declare: 'col text; v text;' },
    ),
    derived: ['log.b'],
  },
  {
    title: 'EXECUTE of a name that begins in a way',
    sql: trigger(
      'AFTER DELETE ON FOR EACH ROW',
      `EXECUTE format('INSERT INTO %I SELECT $1.*', 'customers_h' || v) USING OLD; RETURN OLD;`,
      {
        declare: `v text := (SELECT 'istory');`,
      },
    ),
    derived: history,
  },
  {
    title: 'EXECUTE of a text that is put together in steps',
    sql: trigger(
      afterChange,
      `q := 'INSERT INTO log (a, b) '; q := q || 'VALUES ($1, $2)'; EXECUTE q USING NEW.email, NEW.city; RETURN NULL;`,
      { declare: 'q text;' },
    ),
    derived: ['log.a', 'log.b', 'log.c'],
    faults: 1,
  },
  {
    title: 'a temporary table in between',
    sql: trigger(
      afterChange,
      `CREATE TEMP TABLE IF NOT EXISTS hold (m text); INSERT INTO hold VALUES (NEW.email);
       INSERT INTO log (a) SELECT m FROM hold; RETURN NULL;`,
    ),
    derived: ['log.a'],
  },
  {
    title: 'an error message that quotes a value',
    sql: trigger(
      afterChange,
      `v := NEW.email::int; RETURN NULL; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS m = MESSAGE_TEXT;
       INSERT INTO log VALUES (SQLERRM, m, SQLSTATE); RETURN NULL;`,
      { declare: 'v int; m text;' },
    ),
    derived: ['log.a', 'log.b'],
  },
  {
    title: 'a trigger for statements with transition tables',
    sql: trigger(
      'AFTER UPDATE ON REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT',
      'INSERT INTO log SELECT o.city, n.email FROM gone o JOIN come n USING (id); RETURN NULL;',
    ),
    derived: ['log.b'],
  },
  {
    title: 'a chain of triggers',
    sql: `${trigger(afterChange, 'INSERT INTO log (a) VALUES (NEW.email); RETURN NULL;')}
      CREATE FUNCTION second() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := NEW.a; RETURN NEW; END';
      CREATE TRIGGER second BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION second();
      CREATE FUNCTION third() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE stats SET last = NEW.b; RETURN NULL; END';
      CREATE TRIGGER third AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION third();`,
    derived: ['log.a', 'log.b', 'stats.last'],
  },
  {
    title: 'an updatable view in between',
    sql: `CREATE VIEW logs AS SELECT a AS first, b AS second FROM log;
      ${trigger(afterChange, 'INSERT INTO logs (second) VALUES (NEW.email); RETURN NULL;')}`,
    derived: ['log.b'],
  },
  {
    title: 'a view with a trigger of its own',
    sql: `CREATE VIEW logs AS SELECT a AS first, count(*) AS n FROM log GROUP BY a;
      ${trigger(afterChange, 'INSERT INTO logs (first) VALUES (NEW.email); RETURN NULL;')}
      CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log (c) VALUES (NEW.first); RETURN NEW; END';
      CREATE TRIGGER instead INSTEAD OF INSERT ON logs FOR EACH ROW EXECUTE FUNCTION instead();`,
    derived: ['log.c'],
  },
  {
    title: 'a trigger on a partitioned table',
    sql: `CREATE TABLE parts (id int, email text, copy text) PARTITION BY LIST (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
      ${trigger('BEFORE INSERT ON FOR EACH ROW', 'NEW.copy := NEW.email; RETURN NEW;', { on: 'parts' })}
      CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO parts VALUES (1, NEW.email); RETURN NULL; END';
      CREATE TRIGGER fill AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION fill();`,
    derived: ['parts.copy', 'parts.email', 'parts_1.copy', 'parts_1.email'],
  },
  {
    title: "PostgreSQL's own trigger for text search",
    sql: `ALTER TABLE customers ADD words tsvector;
      CREATE TRIGGER fires BEFORE INSERT OR UPDATE ON customers FOR EACH ROW
        EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', name, phone);`,
    derived: ['customers.words'],
  },
  {
    title: 'a rule that also logs',
    sql: 'CREATE RULE notes AS ON UPDATE TO customers DO ALSO INSERT INTO log VALUES (old.city, new.email, old.phone);',
    derived: ['log.b', 'log.c'],
  },
  {
    title: 'a rule in place of what was to be done, on a view',
    sql: `CREATE VIEW people AS SELECT id, email AS mail, city FROM customers;
      CREATE RULE instead AS ON DELETE TO people DO INSTEAD INSERT INTO log (a, c) SELECT old.city, old.mail;
      CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM people; RETURN NULL; END';
      CREATE TRIGGER fires AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fire();`,
    derived: ['log.c'],
  },
  {
    title: 'comments, quoted names and dollar quotes',
    sql: trigger(
      beforeRow,
      `-- NEW.extra := NEW.email;
       /* it's /* nested */ ; */ NEW."notes" := $q$it's; $q$ || NEW."email" || E'\\'; NEW.extra := NEW.email;'; RETURN NEW;`,
    ),
    derived: ['customers.notes'],
  },
  {
    title: 'a body that replaces its row through JSON',
    sql: trigger(beforeRow, `NEW := jsonb_populate_record(NEW, jsonb_build_object('notes', NEW.email)); RETURN NEW;`),
    derived: [
      'city',
      'data',
      'email',
      'extra',
      'id',
      'name',
      'notes',
      'phone',
      'search',
      'tags',
      'updated_at',
      'version',
    ].map((name) => `customers.${name}`),
  },
]
