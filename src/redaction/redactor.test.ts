import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { limits } from '../core/limits.ts'
import { createRedactor, redactParameters } from './redact.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000)
const standard = { areStringsStandard: true }
const redactor = createRedactor({ key: Buffer.alloc(32, 1) })
const { statement, parameter, screen, screenParameter } = redactor

/** The text with every pseudonym as `‹1›`, `‹2›`, in the order they come up. */
function numbered(text: string): string {
  const numbers = new Map<string, number>()
  return text.replaceAll(/‹[\da-f]{16}›/gu, (found) => {
    numbers.set(found, numbers.get(found) ?? numbers.size + 1)
    return `‹${String(numbers.get(found))}›`
  })
}

describe('a statement that touches classified columns is recorded', () => {
  const cases: readonly (readonly [sql: string, recorded: string])[] = [
    ["SELECT email FROM c WHERE email = 'a@b.com' -- a", "SELECT email FROM c WHERE email = '‹1›'  "],
    [
      "SELECT 'a', 'b', 'a', $$a$$, E'\\x61', U&'\\0061', E'\\u0061', N'a'",
      "SELECT '‹1›', '‹2›', '‹1›', '‹1›', '‹1›', '‹1›', '‹1›', N'‹1›'",
    ],
    ["'it''s' E'it\\'s' $x$it's$x$ 'it'\n'''s'", "'‹1›' '‹1›' '‹1›' '‹1›'"],
    ["1000 '1000' 1_000 0x3e8 0b1111101000 -1000 01000", "'‹1›' '‹1›' '‹1›' '‹1›' '‹1›' -'‹1›' '‹1›'"],
    ["1.50 '1.50' 1e3 .5 '0.5'", "'‹1›' '‹1›' '‹2›' '‹3›' '‹3›'"],
    ["LIMIT 10 OFFSET 0 '42' '' '7' 'NY'", "LIMIT 10 OFFSET 0 '42' '' '7' '‹1›'"],
    ["'a' /* a@b.com /* x */ y */ + $1 + $22", "'‹1›'   + $1 + $22"],
    ['$4111111111111111', "'‹1›'"],
    ['e.1234 x.1234 u&.1234', "e '‹1›' x '‹1›' u& '‹1›'"],
    ["U&'d!0061ta' UESCAPE '!' 'data'", "'‹1›' '‹1›'"],
    ['SELECT "Full Name" FROM "T""x"', 'SELECT "Full Name" FROM "T""x"'],
    ['SELECT 1 AS "alice@example.com"', 'SELECT 1 AS "‹1›"'],
    ['SELECT U&"alice\\0040example.com"', 'SELECT "‹1›"'],
    [`SELECT "${'x'.repeat(64)}"`, 'SELECT "‹1›"'],
    ['WHERE email = alice@example.com', 'WHERE email = ‹1›'],
    ["DO $$ BEGIN DELETE FROM c WHERE ssn = '123-45-6789'; END $$", "DO '‹1›'"],
    ["SELECT 'never ends; 123456", "SELECT '‹1›'"],
    ['SELECT $x$ never ends', "SELECT '‹1›'"],
    ['SELECT /* never ends 123456', 'SELECT  '],
    ["B'0101' X'1F'", "'‹1›' '‹2›'"],
    ['123abc', "'‹1›'"],
  ]
  for (const [sql, recorded] of cases) {
    test(JSON.stringify(sql), () => assert.equal(numbered(statement(sql, standard)), recorded))
  }

  test('without what a backslash may hide, where nobody knows how it is read', () => {
    assert.equal(numbered(statement("SELECT 'a\\' OR x = 'secret' --'")), "SELECT '‹1›'")
    assert.equal(numbered(statement("SELECT E'\u0095\\' OR x = 'secret' --'")), "SELECT '‹1›'")
    assert.equal(numbered(statement("SELECT 'a\\' OR x = 'c'", { areStringsStandard: false })), "SELECT '‹1›'c'")
  })

  test('the same when it is redacted again', () => {
    const once = statement('SELECT \'a\', -1000, 1000 FROM t WHERE "a@b.com" = $1', standard)
    assert.equal(statement(once, standard), once)
  })

  test('with other pseudonyms under another key', () => {
    const other = createRedactor({ key: Buffer.alloc(32, 2) })
    assert.notEqual(other.statement("'alice'"), statement("'alice'"))
    assert.equal(other.parameter('alice').length, parameter('alice').length)
  })

  test('no longer than is recorded, and with so many pseudonyms and no more', () => {
    const max = limits.recordedSqlCharsMax
    const numbers = Array.from({ length: 200_000 }, (_, index) => String(index + 1_000)).join()
    const recorded = statement(`SELECT ${numbers}`)
    assert.equal(recorded.length, max)
    assert.match(recorded, /‹…›'.*… \(\d+ characters in all\)$/u)
    assert.equal(new Set(recorded.match(/‹[\da-f]{16}›/gu)).size, 10_000)
    for (const sql of [`SELECT '${'x'.repeat(max)}'`, `SELECT 1 --${'x'.repeat(max)}`, `SELECT ${'😀'.repeat(max)}`]) {
      for (const text of [statement(sql), screen(sql)]) {
        assert.ok(text.length <= max && text.isWellFormed())
        assert.match(text, /… \(\d+ characters in all\)$/u)
      }
    }
  })
})

describe('a parameter', () => {
  test('has the pseudonym that the value has as a literal', () => {
    for (const [text, literal] of [
      ['alice', "'alice'"],
      ["it's", "'it''s'"],
      ['1000', '1000'],
      ['-1234.50', '-1234.50'],
      ['2026-01-02', "'2026-01-02'"],
    ] as const) {
      assert.equal(statement(literal, standard).replaceAll("'", ''), parameter(text))
    }
    assert.deepEqual(redactParameters(['alice', null, '42', ''], parameter), [parameter('alice'), null, '42', ''])
  })

  test('that is screened loses only what a detector finds', () => {
    assert.equal(screenParameter('paid'), 'paid')
    assert.equal(screenParameter('alice@example.com'), parameter('alice@example.com'))
    assert.equal(screenParameter('to alice@example.com!'), `to ${parameter('alice@example.com')}!`)
  })
})

describe('a statement that touches nothing classified is recorded as it is, but for what detectors find', () => {
  test('in literals however they are written, in comments, in names and where quotes were forgotten', () => {
    const known = parameter('alice@example.com')
    for (const [sql, recorded] of [
      ["SELECT 'alice@example.com'", `SELECT '${known}'`],
      ["SELECT 'see alice@example.com; it''s'", `SELECT 'see ${known}; it''s'`],
      ["SELECT E'alice\\100example.com'", `SELECT '${known}'`],
      ["SELECT E'\\\\ alice@example.com'", `SELECT E'\\\\ ${known}'`],
      ["SELECT U&'alice\\0040example.com'", `SELECT '${known}'`],
      ["SELECT 'alice@'\n'example.com'", `SELECT '${known}'`],
      ['SELECT $x$alice@example.com$x$', `SELECT '${known}'`],
      ['SELECT 1 -- alice@example.com', `SELECT 1 -- ${known}`],
      ['SELECT 1 /* alice@example.com */', `SELECT 1 /* ${known} */`],
      ['SELECT 1 AS "alice@example.com"', `SELECT 1 AS "${known}"`],
      ['SELECT alice@example.com', `SELECT ${known}`],
      ['SELECT 4111111111111111', `SELECT '${parameter('4111111111111111')}'`],
      ['SELECT 4111_1111_1111_1111', `SELECT '${parameter('4111111111111111')}'`],
    ] as const) {
      assert.equal(screen(sql, standard), recorded)
    }
  })

  test('character by character otherwise', () => {
    const sql = "SELECT 'it''s', E'\\n', 1_000, U&'x' UESCAPE '!', $$b$$ /* c */ FROM \"T\" WHERE a = 12345 -- done\n"
    assert.equal(screen(sql, standard), sql)
  })

  test('also where a literal holds a NUL or what stands between two', () => {
    assert.match(
      screen("SELECT E'\\0', E'\\n\\0\\n', 'alice@example.com', 'nothing'", standard),
      /^SELECT E'\\0', E'\\n\\0\\n', '‹\w+›', 'nothing'$/u,
    )
  })
})

describe(`whatever the text (SEED=${String(seed)})`, () => {
  const secretLetters = 'QZJXKV'
  const secret = fc
    .array(fc.constantFrom(...secretLetters.split(''), ' ', '-', "'", '\\', '"', 'ü', '\n'), {
      minLength: 3,
      maxLength: 12,
    })
    .map((letters) => `Q${letters.join('')}Z`)
  const literal = fc.oneof(
    secret.map((text) => `'${text.replaceAll("'", "''")}'`),
    secret.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
    secret.map((text) => `$q$${text}$q$`),
    secret.map((text) => `U&'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`),
    secret.map((text) => `/* ${text} */`),
    secret.map((text) => `-- ${text.replaceAll('\n', ' ')}\n`),
  )
  const names = fc.constantFrom(
    'select',
    'a.b',
    ',',
    '(',
    ')',
    '=',
    '42',
    '$1',
    '"name"',
    '::text',
    '\n',
    ' ',
    '||',
    ';',
    '@',
  )

  test('no literal and no comment is left in it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(literal, names), { maxLength: 20 }), (pieces) => {
        // Side by side, a string behind an E'' and a line's end would go on in its syntax, and be another one than it is.
        const recorded = statement(pieces.join(' , '), standard)
        for (const letter of secretLetters.split('')) assert.ok(!recorded.includes(letter), recorded)
      }),
      { numRuns: 3_000, seed },
    )
  })

  test('no digits of a number beyond two are left in it', () => {
    const number = fc.oneof(
      fc.integer({ min: 100 }).map(String),
      fc.integer({ min: 100 }).map((value) => `0x${value.toString(16)}`),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.integer({ min: 1_000 }).map((value) => `${String(value).slice(0, -2)}_${String(value).slice(-2)}`),
    )
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 10 }), (numbers) => {
        const recorded = statement(numbers.join(', '), standard).replaceAll(/‹[\da-f]{16}›/gu, '')
        assert.doesNotMatch(recorded, /\d{3}|\d[._]\d/u)
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('the same values have the same pseudonyms, and others others', () => {
    const text = fc.string({ minLength: 3, unit: 'binary' }).filter((value) => value.isWellFormed())
    fc.assert(
      fc.property(text, text, (one, other) => {
        const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`
        const [first, second, third] = statement(`${quoted(one)} ${quoted(other)} ${quoted(one)}`, standard).split(' ')
        assert.equal(first, third)
        assert.equal(first === second, one === other)
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('nothing throws, and what comes out is well formed', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc
        .array(
          fc.constantFrom(
            "'",
            '"',
            '\\',
            '$',
            '$a$',
            'E',
            'U&',
            '--',
            '/*',
            '*/',
            '\ud800',
            '\0',
            '1',
            'e',
            '_',
            '\n',
            '😀',
          ),
          { maxLength: 40 },
        )
        .map((parts) => parts.join('')),
    )
    const readings = fc.constantFrom(undefined, standard, { areStringsStandard: false })
    fc.assert(
      fc.property(anything, readings, (text, reading) => {
        for (const result of [
          statement(text, reading),
          screen(text, reading),
          parameter(text),
          screenParameter(text),
        ]) {
          assert.ok(result.isWellFormed())
        }
      }),
      { numRuns: 5_000, seed },
    )
  })
})

test('a text made to be slow is not', { timeout: 60_000 }, () => {
  for (const piece of [
    "'a'\n",
    "E'\\0abcdef',",
    "U&'x' ",
    "U&'x' uescape ",
    '$a',
    '/*',
    '--',
    "'\\' ",
    '1e',
    '"a" ',
    'a@',
    '1.1.1.1',
  ]) {
    const sql = piece.repeat(Math.floor(limits.recordedSqlCharsMax / piece.length))
    statement(sql)
    screen(sql)
  }
})

test('a name in quotes that the database does not have is taken for a value, unless programs make up such names', () => {
  const { statement } = createRedactor({ key: Buffer.alloc(32, 7) })
  const reading = { areStringsStandard: true, isName: (name: string) => name === 'Customers' || name === 'email' }
  const shown = statement('SELECT "t0"."email" AS "t0_r1", 1 AS "Ada Novak" FROM "Customers" "t0"', reading)
  assert.match(shown, /^SELECT "t0"\."email" AS "t0_r1", 1 AS "‹[0-9a-f]+›" FROM "Customers" "t0"$/u)
})
