import type { LogInOptions, Recorder } from '../support/transcript.ts'

/** One scenario whose transcript is the same directly and through Postern. */
export interface Case {
  readonly name: string
  readonly logIn?: LogInOptions
  /** Run by a superuser before each run, so that runs do not see each other. */
  readonly setUp?: string
  /** Too much to send in small pieces, or of no use that way. */
  readonly isSentWhole?: boolean
  run(session: Recorder): Promise<unknown>
}

/** A Query for each text, each sent when the one before is answered. */
export function queries(name: string, ...texts: readonly (string | Buffer)[]): Case {
  return {
    name,
    async run(session) {
      for (const text of texts) await session.query(text)
    },
  }
}

/** Everything sent at once. */
export function pipeline(name: string, ...messages: readonly Buffer[]): Case {
  return { name, run: (session) => session.pipeline(...messages) }
}

/** What all scenarios find: made once, by a superuser. */
export const schema = `
  CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE TYPE pair AS (a int, b text);
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE items (
    id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2) CONSTRAINT price_positive CHECK (price > 0),
    made timestamptz DEFAULT '2020-01-02 03:04:05+00', tags text[], body jsonb, feeling mood, twin pair
  );
  INSERT INTO items SELECT n, 'item ' || n, n * 1.25, '2020-01-01'::timestamptz + n * interval '1 hour',
    ARRAY['a', n::text, NULL], jsonb_build_object('n', n), 'ok', (n, 'x')::pair FROM generate_series(1, 200) n;
  CREATE TABLE inbox (id int, note text);
  CREATE TABLE parent (id int PRIMARY KEY);
  CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
  CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 10;
  CREATE FUNCTION shout(text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE NOTICE 'hear %', $1 USING DETAIL = 'a detail', HINT = 'a hint', ERRCODE = '01234'; END $$;
  CREATE PROCEDURE step(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; END $$;
  CREATE RULE also AS ON DELETE TO inbox DO ALSO NOTIFY inbox_changed;
`
