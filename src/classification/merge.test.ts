import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseClassificationFile } from './file.ts'
import { mergeDecisions } from './merge.ts'
import type { ColumnDecision } from './merge.ts'

const decide = (relation: string, column: string, tag: string | null = null, evidence = 'seen'): ColumnDecision => ({
  schema: 'public',
  relation,
  column,
  tag,
  masking: tag === null ? null : { function: 'redact' },
  evidence,
})

describe('decisions', () => {
  test('make a file where there is none, by relation, with their evidence', () => {
    const text = mergeDecisions(null, [decide('b', 'x', 'pii.name'), decide('a', 'y')])
    assert.match(text, /^# Which columns/u)
    assert.match(
      text,
      /\ntags:\n {2}pii\.name: redact\ncolumns:\n {2}public\.a:\n {4}y: none # seen\n {2}public\.b:\n {4}x: pii\.name # seen\n$/u,
    )
  })

  test('leave what a file says, and its comments', () => {
    const before = `# head

tags:
  # the name of somebody
  pii.name: "null" # strict
columns:
  # the shop's
  public.m: { x: none } # reviewed in spring
  'public."Z"':
    y: pii.name # sure
schemas:
  hr: none # all of it
# the end
`
    const after = mergeDecisions(before, [
      decide('m', 'x', 'pii.name'),
      decide('m', 'z'),
      decide('Z', 'y'),
      decide('a', 'q'),
    ])
    for (const comment of before.match(/#.*/gu) ?? []) assert.ok(after.includes(comment), comment)
    const file = parseClassificationFile(after, 'x')
    assert.deepEqual(file.tags.get('pii.name'), { function: 'null' })
    assert.deepEqual(
      [...(file.columns.get('public.m') ?? [])],
      [
        ['x', []],
        ['z', []],
      ],
    )
    assert.deepEqual(file.columns.get('public."Z"')?.get('y'), ['pii.name'])
    assert.ok(after.indexOf('public.a') < after.indexOf("# the shop's"), 'a comment stays with its relation')
    assert.equal(mergeDecisions(after, [decide('m', 'x', 'pii.name'), decide('a', 'q')]), after)
  })

  test('fill sections and relations that are empty', () => {
    const after = mergeDecisions('tags:\ncolumns:\n  public.a:\n', [decide('a', 'x', 'pii.name')])
    assert.deepEqual(parseClassificationFile(after, 'x').columns.get('public.a')?.get('x'), ['pii.name'])
    assert.equal(parseClassificationFile(mergeDecisions('', [decide('a', 'x')]), 'x').columns.size, 1)
  })

  test('read back whatever names they have', () => {
    const names = [
      'true',
      'null',
      '007',
      '1e3',
      '~',
      '- a',
      'a: b',
      '#c',
      "it's",
      '',
      ' ',
      'ü',
      '*x',
      '&y',
      '!z',
      '{',
      '%',
      '2024-01-01',
      'a'.repeat(63),
      '<<',
      '"q',
      'x\ny',
    ]
    const usable = names.filter((name) => name !== '')
    const text = mergeDecisions(
      null,
      usable.flatMap((name) => [decide(name, 'c'), decide('t', name)]),
    )
    const { columns } = parseClassificationFile(text, 'x')
    assert.deepEqual(new Set(columns.get('public.t')?.keys()), new Set(usable))
    assert.equal(columns.size, usable.length + 1)
  })

  test('keep evidence on its line', () => {
    const text = mergeDecisions(null, [decide('a', 'x', null, 'one\ncolumns: {}\r\u2028tags: {}')])
    assert.equal(parseClassificationFile(text, 'x').columns.get('public.a')?.size, 1)
  })
})
