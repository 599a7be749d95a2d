import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { parseClassificationFile, readClassificationFile } from './file.ts'

const parse = (text: string) => parseClassificationFile(text, 'classification.yaml')

/** What reading says: message, detail and hint in one text. */
function refusal(text: string): string {
  try {
    parse(text)
  } catch (error) {
    assert.ok(error instanceof PosternError, String(error))
    assert.equal(error.code, 'classification_invalid')
    return [error.message, error.detail, error.hint].filter((line) => line !== undefined).join('\n')
  }
  return assert.fail('this file should have been refused')
}

describe('a classification file', () => {
  test('says tags with their masking, columns, defaults, functions and channels', () => {
    const file = parse(`
tags:
  pii.email: partial
  pii.name: redact
  pii.card: { masking: partial, keep: 6 }
  pii.birth_date: year
  secret: "null"
  internal: { masking: pseudonym }
columns:
  public.customers:
    email: pii.email
    full_name: [pii.name, internal]
    notes: none
  shop."Odd.Table":
    007: secret
    "true": [none]
tables: { hr.employees: pii.name }
schemas: { hr: internal, My Schema: none }
functions: [public.format_price, public."Odd"]
channels: [cache_invalidation]
`)
    assert.deepEqual(
      [...file.tags.values()],
      [
        { function: 'partial', keep: 4 },
        { function: 'redact' },
        { function: 'partial', keep: 6 },
        { function: 'year' },
        { function: 'null' },
        { function: 'pseudonym' },
      ],
    )
    assert.deepEqual(
      [...(file.columns.get('public.customers') ?? [])],
      [
        ['email', ['pii.email']],
        ['full_name', ['internal', 'pii.name']],
        ['notes', []],
      ],
    )
    assert.deepEqual(
      [...(file.columns.get('shop."Odd.Table"') ?? [])],
      [
        ['007', ['secret']],
        ['true', []],
      ],
    )
    assert.deepEqual(file.tables.get('hr.employees'), ['pii.name'])
    assert.deepEqual(file.schemas.get('My Schema'), [])
    assert.deepEqual([...file.functions], ['public.format_price', 'public.Odd'])
    assert.deepEqual([...file.channels], ['cache_invalidation'])
  })

  test('may be empty', () => {
    for (const text of ['', '# nothing\n', 'tags:\ncolumns:\n']) assert.equal(parse(text).columns.size, 0)
  })
})

const refusals: readonly (readonly [name: string, text: string, says: RegExp])[] = [
  [
    'a tag that is not defined',
    'tags: { pii.email: redact }\ncolumns:\n  a.b:\n    c: pii.emial',
    /line 4: `columns\.a\.b\.c` names the tag `pii\.emial`, which is not under `tags`\nDid you mean `pii\.email`\?/u,
  ],
  [
    'an unknown masking function',
    'tags:\n  a: partail',
    /line 2: `tags\.a` has the masking function `partail`, which Postern does not know\nDid you mean `partial`/u,
  ],
  [
    'null without quotes',
    'tags:\n  a: null',
    /line 2: `tags\.a` says no masking function\nIt is one of .*"null" \(in quotes\)/u,
  ],
  ['an option of another function', 'tags: { a: { masking: year, keep: 3 } }', /`keep`, which only `partial` has/u],
  ['an unknown option', 'tags: { a: { masking: year, kept: 3 } }', /has the key `kept`/u],
  ['an impossible keep', 'tags: { a: { masking: partial, keep: 0 } }', /from 1 to 64/u],
  ['a tag of Postern’s own', 'tags: { postern.statistics: redact }', /cannot be the name of a tag/u],
  ['a tag called none', 'tags: { none: redact }', /cannot be the name of a tag/u],
  [
    'a name without schema',
    'columns:\n  customers: { a: none }',
    /line 2: `customers` names no schema\nWrite `schema\.name`, such as `public\.customers`/u,
  ],
  ['a name of three parts', 'columns: { a.b.c: { a: none } }', /has more than two parts/u],
  [
    'capitals without quotes',
    'columns: { public.Customers: { a: none } }',
    /capitals in `Customers`.*\nWrite it in lower case, or as `"Customers"`/u,
  ],
  ['a quote that does not end', `columns: { 'public."a': { a: none } }`, /is not a name as SQL writes it/u],
  [
    'a blank in a bare name',
    'columns: { public.my table: { a: none } }',
    /is not a name as SQL writes it\n.*schema\."Odd Name"/u,
  ],
  [
    'SQL quotes around a column',
    `columns: { a.b: { '"x"': none } }`,
    /is in quotes of SQL\nWrite it as it is, without them: x/u,
  ],
  [
    'one relation under two spellings',
    `columns: { a.b: { x: none }, 'a."b"': { y: none } }`,
    /names a relation a second time/u,
  ],
  [
    'a key that is there twice',
    'columns:\n  a.b: { x: none }\n  a.b: { y: none }',
    /line 3: `columns` has the key `a\.b` twice\nEach name may stand once/u,
  ],
  ['a column that is there twice', 'columns:\n  a.b:\n    x: none\n    x: none', /line 4: .* twice/u],
  [
    'a column without tags',
    'columns:\n  a.b:\n    x:',
    /line 3: `columns\.a\.b\.x` says nothing\nGive it a tag, or `none`/u,
  ],
  ['an empty list', 'columns: { a.b: { x: [] } }', /is an empty list/u],
  ['none beside tags', 'tags: { a: redact }\ncolumns: { a.b: { x: [none, a] } }', /has `none` beside tags/u],
  ['columns without a relation', 'columns: [a]', /`columns` must be a group of keys/u],
  ['a text for a relation', 'columns: { a.b: pii }', /`columns\.a\.b` must be a group of keys/u],
  ['an unknown key', 'colums: {}', /`colums` is not a key that Postern knows\nDid you mean `columns`/u],
  ['an alias', 'tags: { a: &x redact }\nschemas: { b: *x }', /by an alias/u],
  ['no YAML', 'tags: {', /not valid YAML/u],
  ['a list for a file', '- a', /`the file` must be a group of keys/u],
]

describe('refused, with the line and what to do, is', () => {
  for (const [name, text, says] of refusals) {
    test(name, () => {
      assert.match(refusal(text), says)
    })
  }

  test('everything at once, the first in the message', () => {
    const text = refusal('tags:\n  a: x\n  b: y\n')
    assert.match(text, /^classification\.yaml cannot be used: line 2: .*\nAlso:\nline 3: /u)
  })

  test('a file that is absent or too large', () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-classification-'))
    try {
      const file = join(folder, 'c.yaml')
      assert.throws(() => readClassificationFile(file), /c\.yaml cannot be read: it does not exist/u)
      writeFileSync(file, '#'.repeat(limits.classificationFileBytesMax + 1))
      assert.throws(() => readClassificationFile(file), /larger than/u)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
