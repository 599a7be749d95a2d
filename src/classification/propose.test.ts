import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { propose } from './propose.ts'
import type { SampledAs } from './sample.ts'
import { shapeOf } from './shape.ts'

const times = (count: number, value: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => value(index))

function tagOf(column: string, as: SampledAs, values: readonly string[], relation = 't'): string {
  const { tag, isUndecided } = propose({ relation, column, as, values })
  return isUndecided ? '?' : (tag ?? 'none')
}

describe('a column is proposed', () => {
  const cases: readonly (readonly [
    what: string,
    column: string,
    as: SampledAs,
    values: readonly string[],
    tag: string,
    relation?: string,
  ])[] = [
    [
      'by what it holds, whatever it is called',
      'x',
      'text',
      times(10, (n) => `a${String(n)}@example.com`),
      'pii.email',
    ],
    ['by its name where it is empty', 'email', 'text', [], 'pii.email'],
    ['by its name where values say nothing', 'last_name', 'text', ['a', 'b'], 'pii.name'],
    ['by values rather than its name', 'phone', 'text', times(10, (n) => `a${String(n)}@example.com`), 'pii.email'],
    ['by digits that fit, where nearly all do', 'x', 'number', times(10, () => '111222333'), 'pii.national_id'],
    [
      'not by digits of which one in ten fits',
      'x',
      'number',
      times(100, (n) => String(100_000_000 + n * 7_919)),
      'none',
    ],
    ['not by a handful of digits that fit', 'x', 'number', ['111222333'], 'none'],
    [
      'by a name of people in a table of people',
      'name',
      'text',
      ['Ada Lovelace', 'Grace Hopper'],
      'pii.name',
      'customers',
    ],
    ['not where the name is one of things', 'name', 'text', ['Blue chair 3', 'red table'], 'none', 'customers'],
    ['not by a name that its type belies', 'email', 'harmless', [], 'none'],
    [
      'as a text in which something occurs',
      'remark',
      'text',
      [...times(98, () => 'nothing here'), 'call +49 30 1234567'],
      'pii.text',
    ],
    [
      'not where something occurs in hardly any row',
      'remark',
      'text',
      [...times(500, () => 'nothing here'), 'call +49 30 1234567'],
      'none',
    ],
    ['by the texts in a document', 'data', 'document', ['{"a":{"b":["x@example.com"]}}'], 'pii.text'],
    ['by the keys in a document', 'data', 'document', ['{"first_name":"ada"}'], 'pii.text'],
    ['not by a document of nothing', 'data', 'document', ['{"a":1}', '[]', 'null', '{'], 'none'],
    ['by a document that was cut', 'data', 'document', ['{"a":"x@example.com","b":'], 'pii.text'],
    ['as a date of birth by its name', 'dob', 'date', [], 'pii.birth_date'],
    ['not as one where it is any date', 'created_on', 'date', [], 'none'],
    ['as a secret by its name, also in binary', 'password_hash', 'binary', [], 'secret'],
    ['by hand where its type is not looked at', 'payload', 'binary', [], '?'],
    ['by hand where there is nothing to look at', 'payload', 'text', [], '?'],
    ['as nothing where a token is a word', 'token', 'text', ['noun', 'verb'], 'none'],
    ['as a secret where a token is random', 'token', 'text', times(3, () => 'q8Zr27KxLw91mPdT'), 'secret'],
  ]
  for (const [what, column, as, values, tag, relation] of cases) {
    test(what, () => {
      assert.equal(tagOf(column, as, values, relation), tag)
    })
  }

  test('with evidence and shapes that hold no value', () => {
    const { evidence, shapes } = propose({
      relation: 'customers',
      column: 'email',
      as: 'text',
      values: ['Canary1@example.org', 'canary2@example.org', 'unknown', 'CANARY'],
    })
    assert.equal(evidence, '50 % of 4 values look like e-mail addresses; its name says "email"')
    assert.deepEqual(shapes, ['Xxxxxx9@xxxxxxx.xxx', 'xxxxxx9@xxxxxxx.xxx'])
  })
})

describe('the shape of a value', () => {
  test('has no letter, no digit and no odd character of it', () => {
    assert.equal(shapeOf('Ünï 12:€\u0007|مرحبا'), 'Xxx 99:???xxxxx')
    assert.equal(shapeOf('a'.repeat(100)), `${'x'.repeat(32)}… (100 characters)`)
    // A character of two code units at the cut leaves no half of it.
    assert.equal(/[^x…( )\d?a-z]/u.test(shapeOf('😀'.repeat(50))), false)
  })
})
