import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { adviceTemplates, messageTemplates } from './message-templates.ts'
import { scrubNotification, scrubReport } from './scrub.ts'

const isName = (name: string) => ['people', 'email', 'people_pkey'].includes(name)

function scrub(fields: Readonly<Record<string, string>>, sql = 'select email from people'): Map<string, string> {
  const all = { S: 'ERROR', V: 'ERROR', C: '42P01', F: 'parse_relation.c', L: '1449', R: 'parserOpenTable', ...fields }
  return scrubReport(new Map(Object.entries(all)), { sql, isName })
}

test('a name in a text is shown where it is known, or written where the report points to, and nowhere else', () => {
  const about = (name: string, more = {}, sql = 'select * from Canary') =>
    scrub({ M: `relation "${name}" does not exist`, ...more }, sql).get('M')
  assert.match(about('people') ?? '', /people/)
  assert.match(about('canary', { P: '15' }) ?? '', /canary/)
  for (const more of [
    {},
    { P: '1' },
    { P: '99' },
    { P: '0' },
    { P: 'x' },
    { P: '15', W: 'f' },
    { P: '15', q: 'x' },
    { P: '15', p: '1' },
  ]) {
    assert.doesNotMatch(about('canary', more) ?? '', /canary/, JSON.stringify(more))
  }
  assert.doesNotMatch(about('nary', { P: '15' }) ?? '', /nary/)
  assert.match(about('canary', { P: '18' }, "select '😀' from canary") ?? '', /hidden/)
  assert.match(about('canary', { P: '17' }, "select '😀' from canary") ?? '', /canary/)
})

test('a text that did not come from PostgreSQL’s own code is hidden', () => {
  for (const file of ['pl_exec.c', 'plpy_elog.c', 'dblink.c', '', 'PARSE_RELATION.C', 'connection.c']) {
    const fields = scrub({
      M: 'division by zero',
      D: 'To reference that column, you must use a table-qualified name.',
      t: 'people',
      F: file,
    })
    assert.match(fields.get('M') ?? '', /hidden/, file)
    assert.equal(fields.has('D') || fields.has('t'), false)
  }
  const fields = new Map([['M', 'division by zero']])
  assert.match(scrubReport(fields, { sql: '', isName }).get('M') ?? '', /hidden/)
})

test('the value of a key is cut, wherever it ends, and unknown names hide all of it', () => {
  const detail = (D: string) => scrub({ M: 'division by zero', D }).get('D')
  assert.equal(detail('Key (email)=(canary) already exists.'), 'Key (email) already exists.')
  assert.equal(detail('Key (email)=(a) already exists. (b)=(canary)) already exists.'), 'Key (email) already exists.')
  assert.equal(
    detail('Key (email, email)=(a, b\nc) is not present in table "people".'),
    'Key (email, email) is not present in table "people".',
  )
  assert.equal(detail('Key (email)=(canary) is not present in table "canary".'), undefined)
  assert.equal(detail('Key (lower(canary))=(x) already exists.'), undefined)
  assert.equal(detail('Key (canary)=(x) already exists.'), undefined)
  assert.equal(detail('Failing row contains (1, canary).'), undefined)
})

test('a hint says that something is hidden, after the one that was kept', () => {
  const fields = scrub({ M: 'canary', H: 'You might need to add explicit type casts.' })
  assert.match(fields.get('H') ?? '', /^You might need to add explicit type casts\. Postern hides/)
  assert.equal(scrub({ M: 'division by zero' }).has('H'), false)
})

test('names of objects are shown where they are known', () => {
  const fields = scrub({
    M: 'x',
    s: 'people',
    t: 'email',
    c: 'canary',
    d: 'canary',
    n: 'people_pkey',
    W: 'canary',
    q: 'canary',
    p: '1',
    z: 'canary',
  })
  assert.deepEqual([...fields.keys()].sort(), ['C', 'F', 'H', 'L', 'M', 'R', 'S', 'V', 'n', 's', 't'])
})

test('fields that hold no texts hold none', () => {
  const fields = scrub({ S: 'ca7nary', V: 'can ary', P: 'can ary', L: "can'ary", R: 'can ary', M: 'x', F: 'can ary' })
  assert.deepEqual([...fields.keys()].sort(), ['C', 'H', 'M', 'S'])
  assert.equal(fields.get('S'), 'ERROR')
  assert.equal(scrub({ S: 'ОШИБКА' }).get('S'), 'ОШИБКА')
})

test('a constant is shown only as what stands at the position', () => {
  const about = (value: string, P: string, sql: string) =>
    scrub({ M: `invalid input syntax for type integer: "${value}"`, P, F: 'numutils.c' }, sql).get('M')
  assert.match(about('old', '8', "select 'old'::int") ?? '', /"old"/)
  assert.match(about("o'ld", '8', "select 'o''ld'::int") ?? '', /"o'ld"/)
  assert.match(about('old', '8', 'select 1, /* old */') ?? '', /hidden/)
  assert.match(about('', '8', "select ''::int") ?? '', /hidden/)
})

test('a type, a call or an operation shows known names only', () => {
  const shows = (M: string, more = {}) => !/hidden/.test(scrub({ M, ...more }).get('M') ?? '')
  assert.ok(shows('cannot cast type people to numeric(10,2)[]'))
  assert.ok(!shows('cannot cast type canary to integer'))
  assert.ok(shows('function people(integer, people) does not exist'))
  assert.ok(!shows('function people(canary) does not exist'))
  assert.ok(!shows('function canary() does not exist'))
  assert.ok(shows('operator does not exist: people @> integer'))
  assert.ok(shows('operator does not exist: ! integer'))
  assert.ok(!shows('operator does not exist: canary = integer'))
  assert.ok(!shows('operator does not exist: integer'))
  assert.ok(shows('ORDER BY position 12 is not in select list'))
  assert.ok(!shows('ORDER BY position 12345678901234 is not in select list'))
  assert.ok(!shows('ORDER BY position x is not in select list'))
  assert.ok(!shows('aggregate functions are not allowed in canary'))
  assert.ok(!shows('relation "" does not exist'))
})

test('no template shows anything that it was given in a slot and that nothing proves', () => {
  for (const template of [...messageTemplates, ...adviceTemplates]) {
    if (!/\{\w+\}/.test(template)) continue
    const text = template.replaceAll(/\{\w+\}/g, 'cAnary')
    const all = [...scrub({ M: text, D: text, H: text, P: '3' }).values()].join('\n')
    assert.ok(!all.includes('cAnary'), template)
  }
})

test('a report of any texts comes out without them', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('M', 'D', 'H', 'W', 'q', 's', 't', 'c', 'd', 'n', 'C', 'x', 'F'),
        fc.string().map((text) => `${text}canary`),
      ),
      (fields) => {
        assert.ok(!JSON.stringify([...scrub(fields)].filter(([letter]) => letter !== 'F')).includes('canary'))
      },
    ),
    { numRuns: 3000 },
  )
  assert.equal(scrubNotification('canary'), '')
})
