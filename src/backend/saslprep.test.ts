import assert from 'node:assert/strict'
import { test } from 'node:test'
import { preparePassword } from './saslprep.ts'

void test('the examples of RFC 4013 section 3 come out as printed there', () => {
  assert.equal(preparePassword('I\u00adX'), 'IX')
  assert.equal(preparePassword('user'), 'user')
  assert.equal(preparePassword('USER'), 'USER')
  assert.equal(preparePassword('\u00aa'), 'a')
  assert.equal(preparePassword('\u2168'), 'IX')
})

void test('spaces become one kind of space, and composed and decomposed letters the same letter', () => {
  assert.equal(preparePassword('a\u00a0b\u3000c\u200bd'), 'a b c d')
  assert.equal(preparePassword('re\u0301sume\u0301'), 'r\u00e9sum\u00e9')
  assert.equal(preparePassword('\u05d0\u05d1'), '\u05d0\u05d1')
})

void test('what SASLprep refuses is taken as it is, as PostgreSQL does', () => {
  for (const password of [
    '\u0007', // A control character in ASCII.
    '\u00aa\u0085', // A control character outside ASCII.
    '\u00aa\u0221', // Not assigned in Unicode 3.2.
    '\u06271', // Right-to-left that does not end so.
    '\u0627a\u0628', // Right-to-left with left-to-right in it.
    '\u00aa\ufffd',
    '\u00ad', // Nothing would be left.
  ]) {
    assert.equal(preparePassword(password), password, JSON.stringify(password))
  }
})
