import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadModule, parsePlPgSQLSync } from 'libpg-query/wasm/index.js'
import { parsePlpgsql } from './plpgsql-parser.ts'
import { Unreadable } from './plpgsql-tokens.ts'
import { copying } from './trigger-corpus-copying.ts'
import { copyingElsewhere } from './trigger-corpus-elsewhere.ts'
import { harmless } from './trigger-corpus.ts'

await loadModule()

/** Every expression and statement that a body has, in its own words, without blanks and without INTO. */
function textsIn(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(textsIn)
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) => {
    const isText = ['expression', 'sql', 'text', 'initial', 'args', 'query'].includes(key) && typeof value === 'string'
    if (isText) return [plain(value)]
    if (['expressions', 'conditions', 'using'].includes(key) && Array.isArray(value)) {
      return value.flatMap((each: unknown) => (typeof each === 'string' ? [plain(each)] : textsIn(each)))
    }
    return textsIn(value)
  })
}

/** PL/pgSQL keeps the target in an assignment's text, and gives a loop's bounds and a CASE's values names of their own. */
function plain(text: string): string {
  return text
    .replaceAll(/--.*$/gm, '')
    .replace(/^\s*[\w."]+(?:\[[^\]]*\])?\s*:?=(?!=)\s*/, '')
    .replace(/^ARRAY\[(.*)\]$/s, '$1')
    .replace(/^"__Case__Variable_\d+__" IN \((.*)\)$/s, '$1')
    .replaceAll(/\s+/g, '')
    .toLowerCase()
}

/** What libpg_query's PL/pgSQL parser finds in the same text; null where it refuses it. */
function expectedTexts(definition: string): string[] | null {
  try {
    return textsIn(parsePlPgSQLSync(definition))
  } catch {
    return null
  }
}

function bodies(): { readonly definition: string; readonly body: string }[] {
  return [...copying, ...copyingElsewhere, ...harmless].flatMap(({ sql }) => {
    const found = /CREATE FUNCTION \w+\(\) RETURNS trigger LANGUAGE plpgsql AS (\$body\$|')(.*?)\1;/s.exec(sql)
    return found === null ? [] : [{ definition: found[0], body: found[2] ?? '' }]
  })
}

void test('every expression that libpg_query finds in a body is found', () => {
  let compared = 0
  for (const { definition, body } of bodies()) {
    const expected = expectedTexts(definition)
    if (expected === null) continue
    compared += 1
    const found = new Set(textsIn(parsePlpgsql(body)))
    const missing = expected.filter((text) => !found.has(text) && text !== '' && !/^(new|old)$/.test(text))
    assert.deepEqual(missing, [], body)
  }
  assert.ok(compared > 40, `${compared} bodies were compared`)
})

void test('statements of every kind are read', () => {
  const body = parsePlpgsql(`
    #variable_conflict use_column
    <<outer>> DECLARE a int NOT NULL := 1; b text COLLATE "C" DEFAULT 'x'; c CURSOR (p int, q text) FOR SELECT p, q;
      d SCROLL CURSOR IS SELECT 1; e ALIAS FOR b; f public.t.c%TYPE; "G h" text[];
    BEGIN
      a = -1; "G h"[a] := 'y'; outer.b := $$;$$;
      WHILE a < 3 LOOP a := a + 1; CONTINUE outer WHEN a = 2; EXIT; END LOOP outer;
      FOR i IN REVERSE 10..1 BY 2 LOOP NULL; END LOOP;
      FOR r IN EXECUTE 'SELECT $1' USING a, b LOOP NULL; END LOOP;
      FOR r IN c(1, 'LOOP') LOOP NULL; END LOOP;
      FOREACH b SLICE 1 IN ARRAY ARRAY['a'] LOOP NULL; END LOOP;
      OPEN c(p => 1, q => 'x'); OPEN d; FETCH RELATIVE -1 FROM c INTO a, b; MOVE NEXT IN c; CLOSE c;
      EXECUTE 'x' || 'y' USING a INTO STRICT b; EXECUTE 'z' INTO a, b USING a;
      SELECT 1 INTO STRICT a; INSERT INTO t VALUES (1) RETURNING a, b INTO a, b; MERGE INTO t USING u ON true WHEN MATCHED THEN DO NOTHING;
      RAISE; RAISE NOTICE '% ;', a USING HINT = b, DETAIL := 'd'; RAISE unique_violation USING MESSAGE = b; RAISE SQLSTATE '22012';
      GET DIAGNOSTICS a = ROW_COUNT; GET STACKED DIAGNOSTICS b = MESSAGE_TEXT, a := PG_EXCEPTION_DETAIL;
      CASE a WHEN 1, 2 THEN b := 'one'; ELSE b := 'two'; END CASE;
      BEGIN RETURN; EXCEPTION WHEN division_by_zero OR SQLSTATE '22000' THEN b := SQLERRM; WHEN OTHERS THEN NULL; END;
      PERFORM f(1); CALL p(a); COMMIT; ROLLBACK AND CHAIN; ASSERT a > 0, 'm'; RETURN NEXT; RETURN QUERY EXECUTE 'q' USING a;
      RETURN;
    END outer`)
  assert.deepEqual(
    body.variables.map(({ name }) => name),
    ['a', 'b', 'p', 'q', 'c', 'd', 'e', 'f', 'G h', 'i', 'r'],
  )
  const texts = textsIn(body)
  for (const text of ["'x'||'y'", '-1', "'y'", 'insertintotvalues(1)returninga,b', 'b', "'q'", 'selectp,q', '10']) {
    assert.ok(texts.includes(text), `${text} in ${texts.join(' | ')}`)
  }
})

void test('a body that is not understood is not read in part', () => {
  for (const text of [
    'BEGIN a := 1;',
    "BEGIN a := 'x; END",
    'BEGIN IF a THEN b := 1; END',
    'BEGIN /* END',
    'BEGIN NULL; END; SELECT 1',
    '#variable_conflict use_variable BEGIN NULL; END',
    'BEGIN CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; END',
    '',
  ]) {
    assert.throws(() => parsePlpgsql(text), Unreadable, text)
  }
})
