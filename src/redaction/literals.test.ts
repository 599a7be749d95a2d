import assert from 'node:assert/strict'
import { test } from 'node:test'
import { literalsOf } from './literals.ts'

test('every way to write a literal gives its value', () => {
  const sql = `EXECUTE p('it''s', E'a\\tb', $$dollar$$, U&'\\0061', 1_000, Null, "null", $1 /* 'not' */)`
  assert.deepEqual(literalsOf(sql), ["it's", 'a\tb', 'dollar', 'a', '1000', null])
})
