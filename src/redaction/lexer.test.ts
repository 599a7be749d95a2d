import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { loadModule, scanSync } from 'libpg-query'
import { tokenAt } from './lexer.ts'
import type { Backslashes, Token } from './lexer.ts'

before(loadModule)

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000)

function lex(sql: string, backslashes: Backslashes = 'literal'): readonly Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; at = tokens.at(-1)?.end ?? sql.length) tokens.push(tokenAt(sql, at, backslashes))
  return tokens
}

/** The tokens but for white space, as `kind text`. */
function shown(sql: string, backslashes: Backslashes = 'literal'): readonly string[] {
  return lex(sql, backslashes)
    .filter(({ kind }) => kind !== 'space')
    .map(({ kind, start, end }) => `${kind} ${sql.slice(start, end)}`)
}

/** What is between the quotes of the first token that has any. */
function partsOf(sql: string, backslashes: Backslashes = 'literal'): readonly string[] {
  return lex(sql, backslashes).flatMap(({ parts }) => parts.map(({ start, end }) => sql.slice(start, end)))
}

describe('a text is taken apart as PostgreSQL does', () => {
  const cases: readonly (readonly [sql: string, ...tokens: string[]])[] = [
    ["SELECT 'it''s'", 'name SELECT', "string 'it''s'"],
    ["E'it\\'s' x", "string E'it\\'s'", 'name x'],
    ["'C:\\' x", "string 'C:\\'", 'name x'],
    ["b'01'x'1F'", "string b'01'", "string x'1F'"],
    ["B'01''2'", "string B'01'", "string '2'"],
    ["N'x'", 'name N', "string 'x'"],
    ["u&'d\\0061' UESCAPE '!'", "string u&'d\\0061'", 'name UESCAPE', "string '!'"],
    ['U&"d\\0061" "a""b"', 'quoted U&"d\\0061"', 'quoted "a""b"'],
    ["u & 'x'", 'name u', 'symbol &', "string 'x'"],
    ['$$a$b$$ $t$ $$ $t$', 'string $$a$b$$', 'string $t$ $$ $t$'],
    ['$t$ a $T$ $t$', 'string $t$ a $T$ $t$'],
    ['a$b$c$ $1$', 'name a$b$c$', 'parameter $1', 'symbol $'],
    ['$1a $12', 'parameter $1', 'name a', 'parameter $12'],
    ['$ü$x$ü$', 'string $ü$x$ü$'],
    ["'a'\n'b'", "string 'a'\n'b'"],
    ["'a' -- c'\n -- d\n 'b' 'c'", "string 'a' -- c'\n -- d\n 'b'", "string 'c'"],
    ["'a' 'b'", "string 'a'", "string 'b'"],
    ["'a' /* c */\n'b'", "string 'a'", 'comment /* c */', "string 'b'"],
    ["E'a'\n'b\\'c'", "string E'a'\n'b\\'c'"],
    [
      '1_000 0x1F_f 0b1 0o7 1.5e-3 .5 5.',
      'number 1_000',
      'number 0x1F_f',
      'number 0b1',
      'number 0o7',
      'number 1.5e-3',
      'number .5',
      'number 5.',
    ],
    ['1..2 1.2.3', 'number 1', 'symbol ..', 'number 2', 'number 1.2', 'number .3'],
    ['123abc 1e 0x 1_', 'number 123abc', 'number 1e', 'number 0x', 'number 1_'],
    ['a.1', 'name a', 'number .1'],
    ['1--2', 'number 1', 'comment --2'],
    ['1*/*x*/2', 'number 1', 'symbol *', 'comment /*x*/', 'number 2'],
    ['a+--x\n-1', 'name a', 'symbol +', 'comment --x', 'symbol -', 'number 1'],
    ['/* a /* b */ c */ d', 'comment /* a /* b */ c */', 'name d'],
    ['/**/x/*/ */y', 'comment /**/', 'name x', 'comment /*/ */', 'name y'],
    ['-- a\rb', 'comment -- a', 'name b'],
    ['größe_1$', 'name größe_1$'],
    ["'never ends", "string 'never ends"],
    ['$x$ never ends', 'string $x$ never ends'],
    ['/* never /* ends */', 'comment /* never /* ends */'],
    ['"never ends', 'quoted "never ends'],
    ["E'\\", "string E'\\"],
  ]
  for (const [sql, ...tokens] of cases) {
    test(JSON.stringify(sql), () => assert.deepEqual(shown(sql), tokens))
  }

  test('and what is between the quotes is known', () => {
    assert.deepEqual(partsOf("'a''b'\n'c'"), ["a''b", 'c'])
    assert.deepEqual(partsOf("E'a\\''"), ["a\\'"])
    assert.deepEqual(partsOf('$t$a$t$ $$'), ['a', ''])
    assert.deepEqual(partsOf("U&'x'"), ['x'])
    assert.deepEqual(partsOf("'"), [''])
  })
})

describe('a backslash', () => {
  test('hides a quote where standard_conforming_strings is off', () => {
    assert.deepEqual(shown("'a\\'b' x", 'escape'), ["string 'a\\'b'", 'name x'])
    assert.deepEqual(shown("N'a\\'b' x", 'escape'), ['name N', "string 'a\\'b'", 'name x'])
  })

  test('before a quote makes the rest one string where nobody knows', () => {
    assert.deepEqual(shown("'a\\b' x", 'uncertain'), ["string 'a\\b'", 'name x'])
    assert.deepEqual(shown("'a\\' x 'b'", 'uncertain'), ["string 'a\\' x 'b'"])
    assert.deepEqual(shown("'a\\'' x 'b'", 'uncertain'), ["string 'a\\'' x 'b'"])
    assert.deepEqual(shown("'a'\n'\\' x 'b'", 'uncertain'), ["string 'a'\n'\\' x 'b'"])
    assert.deepEqual(shown("E'it\\'s' x", 'uncertain'), ["string E'it\\'s'", 'name x'])
  })

  test('that may be half of a character makes the rest one string', () => {
    assert.deepEqual(shown("E'\u0095\\' x 'c'", 'uncertain'), ["string E'\u0095\\' x 'c'"])
    assert.deepEqual(shown("E'\u0095\\' x 'c'", 'literal'), ["string E'\u0095\\' x '", 'name c', "string '"])
  })
})

test('every character belongs to one token, whatever the text', () => {
  const pieces = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ unit: 'binary' })), { maxLength: 20 })
  fc.assert(
    fc.property(pieces, fc.constantFrom<Backslashes>('literal', 'escape', 'uncertain'), (texts, backslashes) => {
      const sql = texts.join('')
      let end = 0
      for (const token of lex(sql, backslashes)) {
        assert.equal(token.start, end)
        assert.ok(token.end > token.start)
        for (const part of token.parts) assert.ok(part.start >= token.start && part.end <= token.end)
        end = token.end
      }
      assert.equal(end, sql.length)
    }),
    { numRuns: 2_000, seed },
  )
})

test('takes no longer than the text is long', { timeout: 20_000 }, () => {
  const count = 300_000
  for (const piece of [
    "'a'\n",
    "'\\' ",
    '$a$',
    '$a',
    '/*',
    '*/',
    '--',
    "'a'--\n",
    '((',
    "E'\\",
    '+',
    '"',
    '1_',
    "U&'",
    '$1',
    "' ",
  ]) {
    for (const backslashes of ['literal', 'escape', 'uncertain'] as const) lex(piece.repeat(count), backslashes)
  }
})

describe("PostgreSQL's own scanner finds the same literals, names and comments", () => {
  test(`in random texts (SEED=${String(seed)})`, () => {
    let compared = 0
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 12 }), (texts) => {
        if (agrees(texts.join(''))) compared += 1
      }),
      { numRuns: 20_000, seed },
    )
    assert.ok(compared > 4_000, `only ${String(compared)} texts could be compared`)
  })

  test('in the texts of the repository', () => {
    const src = join(import.meta.dirname, '..')
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const texts = files.flatMap((name) => {
      const text = readFileSync(join(src, name), 'utf8')
      return [...text.matchAll(/'([^'\n\\]*)'|"([^"\n\\]*)"|`([^`\\]*)`/gu)].map(
        (match) => match[1] ?? match[2] ?? match[3] ?? '',
      )
    })
    const compared = [...new Set(texts)].filter(agrees).length
    assert.ok(compared > 4_000, `only ${String(compared)} texts could be compared`)
  })
})

const fragments = [
  "'",
  "''",
  "'a'",
  "E'",
  "e'a\\'b'",
  "b'01'",
  "X'1f'",
  "N'x'",
  "U&'\\0061'",
  'u&"x"',
  '$$',
  '$t$',
  '$t',
  '$1',
  '$12',
  '$',
  '"',
  '"a""b"',
  '\\',
  '\\\\',
  '--',
  '-- c\n',
  '/*',
  '*/',
  '/* c */',
  '+',
  '-',
  '*',
  '/',
  '<',
  '=',
  '@',
  '?',
  '||',
  '::',
  '..',
  '.',
  ':=',
  ',',
  '(',
  ';',
  '1',
  '12',
  '1_000',
  '0x1F',
  '0b01',
  '0o17',
  '1.5',
  '.5',
  '5.',
  '1e5',
  '1.5e-3',
  '_',
  'e',
  'E',
  'x',
  'n',
  'u',
  'U&',
  'abc',
  'SELECT',
  'ü',
  '日本',
  '😀',
  ' ',
  '\n',
  '\t',
  '\r',
  '\f',
  '\v',
  '\n ',
  ' \n',
] as const

const kinds = new Map<string, Token['kind']>([
  ['SCONST', 'string'],
  ['ICONST', 'number'],
  ['FCONST', 'number'],
  ['PARAM', 'parameter'],
  ['SQL_COMMENT', 'comment'],
  ['C_COMMENT', 'comment'],
])

/** Compares with the real scanner; false where that refuses the text or its answer is not JSON. */
function agrees(sql: string): boolean {
  const mine = lex(sql).filter(({ kind }) => kind !== 'space' && kind !== 'symbol')
  // The scanner at hand does not continue a string behind a comment, which PostgreSQL's does.
  if (
    mine.some(
      ({ kind, start, end, parts }) => kind === 'string' && parts.length > 1 && sql.slice(start, end).includes('--'),
    )
  )
    return false
  let scanned
  try {
    scanned = scanSync(sql)
  } catch {
    return false
  }
  const bytes = Buffer.from(sql)
  const at = (offset: number) => bytes.toString('utf8', 0, offset).length
  const real = scanned.tokens.flatMap(({ start, end, tokenName, keywordName }) => {
    const text = bytes.toString('utf8', start, end)
    const name = text.startsWith('"') || /^u&"/iu.test(text) ? 'quoted' : 'name'
    const isName = tokenName === 'IDENT' || /^u&"/iu.test(text) || keywordName !== 'NO_KEYWORD'
    // Some tokens have no name there, such as X'1F'.
    const kind = kinds.get(/^(?:u&|[bx])'/iu.test(text) ? 'SCONST' : tokenName) ?? (isName ? name : null)
    return kind === null ? [] : [`${kind} ${String(at(start))} ${String(at(end))}`]
  })
  assert.deepEqual(
    mine.map(({ kind, start, end }) => `${kind} ${String(start)} ${String(end)}`),
    real,
    JSON.stringify(sql),
  )
  return true
}
