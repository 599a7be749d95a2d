import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atOriginal, blankComments } from './comments.ts'

function scan(...tokens: readonly (readonly [name: string, start: number, end: number, text: string])[]): string {
  return JSON.stringify({ tokens: tokens.map(([tokenName, start, end, text]) => ({ tokenName, start, end, text })) })
}

void test('comments become as many spaces as they have bytes, and nothing else changes', () => {
  const sql = "SELECT/*ö*/'/*x*/'--x"
  const scanned = scan(
    ['SELECT', 0, 6, 'SELECT'],
    ['C_COMMENT', 6, 12, '/*ö*/'],
    ['SCONST', 12, 19, "'/*x*/'"],
    ['SQL_COMMENT', 19, 22, '--x'],
  )
  assert.equal(blankComments(sql, scanned), "SELECT      '/*x*/'   ")
  assert.equal(blankComments('SELECT 1', scan(['SELECT', 0, 6, 'SELECT'])), null)
})

void test('an answer that does not fit the text is not used', () => {
  const sql = "SELECT '/*x*/'"
  for (const scanned of [
    // As if the constant's text had ended the token and begun another one.
    scan(['SELECT', 0, 6, 'SELECT'], ['SCONST', 7, 14, "'"], ['C_COMMENT', 8, 13, '/*x*/']),
    scan(['SELECT', 0, 6, 'SELECT'], ['C_COMMENT', 8, 13, '/*y*/']),
    scan(['SCONST', 7, 14, "'/*x*/'"], ['C_COMMENT', 8, 13, '/*x*/']),
    '{"tokens": [{"tokenName": "C_COMMENT", "start": 8, "end": 13, "text": "/*x*/}]}',
    '{"tokens": [{"tokenName": "C_COMMENT", "start": 8, "end": 13}]}',
    '{"tokens": 5}',
  ]) {
    assert.equal(blankComments(sql, scanned), null, scanned)
  }
})

void test('control characters that come unescaped do not matter', () => {
  const scanned = '{"tokens": [{"tokenName": "C_COMMENT", "start": 0, "end": 5, "text": "/*\f*/"}]}'
  assert.equal(blankComments('/*\f*/', scanned), '     ')
})

void test('an error behind a comment is placed by characters of the original', () => {
  const outcome = atOriginal({ state: 'syntax_error', message: 'x', position: 9 }, '/*öö*/ x', '         x')
  assert.deepEqual(outcome, { state: 'syntax_error', message: 'x', position: 7 })
})
