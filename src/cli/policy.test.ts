import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))
const starter = fileURLToPath(new URL('../../deploy/starter/policies', import.meta.url))

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-policy-'))
  cpSync(starter, join(folder, 'policies'), { recursive: true })
  write(
    'shop.yaml',
    'tags: { pii.email: redact, pii.ssn: redact }\ncolumns:\n  public.people: { id: none, mail: pii.email, ssn: pii.ssn }\n',
  )
  write(
    'postern.yaml',
    `listen: { allow_plaintext_on_loopback: true }
issuers: [{ url: https://idp.example.com, audience: postern }]
access_roles:
  support-lead: { requestable_by: [support], approvers: [lead] }
  idle: { requestable_by: [support], approvers: [lead] }
databases:
  shop: { host: 127.0.0.1, role: postern, credential: { password: pw }, classification: shop.yaml }
`,
  )
})
after(() => {
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  return path
}

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

function policy(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [entry, 'policy', ...args],
      { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

interface Finding {
  readonly kind: string
  readonly message: string
}

describe('postern policy check', () => {
  test('says what in a set fits nothing around it, and ends with 0 where nothing is dead', async () => {
    const { code, out, err } = await policy('check', '--json')
    assert.equal(code, 0, err)
    const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: Finding[] }
    assert.equal(ok, true)
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ['tag_always_masked', 'tag_unknown', 'tag_unknown', 'access_role_unused'],
    )
    assert.match(findings.map(({ message }) => message).join('\n'), /pii\.ssn of the database shop[^]*role idle is/u)
    assert.equal((await policy('check', '--strict')).code, 1)
  })

  test('ends with 1 where a policy can do nothing, and says which, where, and why', async () => {
    const dead = `@id("wall") forbid (principal, action in Action::"write", resource);
@id("ask") @approvers("dba") forbid (principal, action == Action::"DELETE", resource);
@id("gift")
permit (principal in Group::"a", action == Action::"DELETE", resource);
permit (principal, action == Action::"connect", resource);`
    write('dead/p.cedar', dead)
    const { code, out } = await policy('check', '--policies', 'dead')
    assert.equal(code, 1)
    assert.match(out, /failed  "ask" \(p\.cedar line 2\) can never be lifted by an approval: what it forbids, "wall"/u)
    assert.match(out, /failed  "gift" \(p\.cedar line 3\) permits nothing: everything it names is forbidden/u)
    assert.match(out, /4 policies in dead, hash [0-9a-f]{12}: 2 problems/u)
  })

  test('refuses a set that cannot be used, as the gateway does', async () => {
    write('bad/p.cedar', 'permit (principal, action == Action::"SELCT", resource);')
    const { code, err } = await policy('check', '--policies', 'bad')
    assert.equal(code, 1)
    assert.match(err, /p\.cedar line 1 column \d+: .*SELCT[^]*hint: Did you mean `Action::"SELECT"`/u)
  })

  test('says what it did not look at', async () => {
    rmSync(join(folder, 'alone'), { recursive: true, force: true })
    mkdirSync(join(folder, 'alone'))
    const { out, code } = await policy('check', '--policies', 'policies', '--config', 'nowhere.yaml')
    assert.equal(code, 1, out)
    write(
      'lost/postern.yaml',
      'issuers: [{ url: https://idp.example.com, audience: postern }]\ndatabases: { shop: { host: h, role: r, classification: gone.yaml } }\npolicies: ../policies\n',
    )
    const lost = await policy('check', '--config', 'lost/postern.yaml', '--json')
    assert.match(lost.out, /"notChecked":\["tags, since .*gone\.yaml cannot be read/u)
  })
})

describe('postern policy test', () => {
  test('finds the starter set to do what its cases say', async () => {
    const { code, out, err } = await policy('test', 'policies/tests.yaml')
    assert.equal(code, 0, out + err)
    assert.match(out, /10 cases, all as expected/u)
  })

  test('tells every difference, with the line of its case, and ends with 1', async () => {
    const file = write(
      'cases.yaml',
      `cases:
  - name: reads
    principal: { name: a, groups: [engineering] }
    database: shop
    statement: SELECT mail FROM people
    expect: { decision: deny, policies: [nope], masked: { public.people: [mail, id] } }
  - name: the hour
    principal: { name: a, groups: [engineering] }
    database: shop
    time: 2026-11-23T03:00:00Z
    session: { client_address: 10.0.0.1, tls: false }
    statement: |
      SELECT 1;
      DROP SCHEMA app
    expect: { decision: needs_approval, approvers: [dba] }
`,
    )
    const { code, out } = await policy('test', file)
    assert.equal(code, 1)
    assert.match(
      out,
      /line 2: reads\n  decision\n    - deny\n    \+ allow\n  policies\n    - nope\n    \+ engineering-reads-and-writes/u,
    )
    assert.match(out, /  masked\n    - public\.people\.id\n      public\.people\.mail\n    \+ public\.people\.ssn\n/u)
    assert.match(
      out,
      /line 7: the hour[^]*- needs_approval\n    \+ deny[^]*DROP SCHEMA on shop[^\n]*: forbidden by no-drop-schema/u,
    )
    assert.match(out, /2 cases, 2 not as expected/u)
    const { cases } = JSON.parse((await policy('test', file, '--json')).out) as {
      cases: { line: number; ok: boolean }[]
    }
    assert.deepEqual(
      cases.map(({ line, ok }) => [line, ok]),
      [
        [2, false],
        [7, false],
      ],
    )
  })

  test('knows approvals, actors, log-in methods and access roles', async () => {
    write(
      'rich/p.cedar',
      `permit (principal in AccessRole::"fixer", action in Action::"write", resource);
@id("two") @approvers("dba, lead") @approvals("2")
forbid (principal, action == Action::"DELETE", resource) when { !context.statement.hasWhere };
@id("mfa") forbid (principal, action in Action::"statement", resource)
unless { context.session.authenticationMethods.contains("mfa") };
@id("direct") forbid (principal, action in Action::"statement", resource) unless { context.session.actors.isEmpty() };`,
    )
    const person = 'name: a, access_roles: [fixer], authentication_methods: [mfa]'
    const file = write(
      'rich/cases.yaml',
      `databases: { other: {} }
cases:
  - { name: two, principal: { ${person} }, database: other, statement: DELETE FROM t, expect: { decision: needs_approval, approvers: [lead, dba], policies: [two] } }
  - { name: bare, principal: { name: a, authentication_methods: [mfa] }, database: other, statement: DELETE FROM t, expect: { decision: deny, policies: [] } }
  - { name: pwd, principal: { name: a, access_roles: [fixer] }, database: other, statement: UPDATE t SET a = 1 WHERE b = 2, expect: { decision: deny, policies: [mfa] } }
  - { name: robot, principal: { ${person}, actors: [{ issuer: i, subject: s }] }, database: other, statement: UPDATE t SET a = 1 WHERE b = 2, expect: { decision: deny, policies: [direct] } }
`,
    )
    const { code, out, err } = await policy('test', '--policies', 'rich', file)
    assert.equal(code, 0, out + err)
  })

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    [
      'a misspelled key',
      '- { name: x, principle: { name: a }, expect: deny }',
      /line 2: a case has the key `principle`.*\n.*[^]*hint: Did you mean `principal`/u,
    ],
    [
      'a decision that is none',
      '- { name: x, principal: { name: a }, database: shop, expect: refuse }',
      /line 2: `decision` cannot be `refuse`/u,
    ],
    ['no expectation', '- { name: x, principal: { name: a }, database: shop }', /line 2: the case has no `expect`/u],
    [
      'a time that is none',
      '- { name: x, principal: { name: a }, database: shop, time: noon, expect: deny }',
      /line 2: `time` is no time/u,
    ],
    ['broken YAML', '- { name: x', /line 3: it is not valid YAML/u],
    [
      'masks of a session',
      '- { name: x, principal: { name: a }, database: shop, expect: { decision: deny, masked: [] } }',
      /line 2: `masked` belongs to a case with a statement/u,
    ],
  ]
  for (const [what, text, expected] of wrong) {
    test(`refuses ${what} with its line`, async () => {
      const { code, err } = await policy('test', write('wrong.yaml', `cases:\n  ${text}\n`))
      assert.equal(code, 1)
      assert.match(err, expected)
    })
  }

  test('takes a statement that is no SQL, or a database that is not there, for a failed case', async () => {
    const file = write(
      'typo.yaml',
      `cases:
  - name: typo
    principal: { name: a }
    database: shop
    statement: SELEC 1
    expect: deny
  - { name: lost, principal: { name: a }, database: shopp, statement: SELECT 1, expect: deny }
`,
    )
    const { code, out } = await policy('test', file)
    assert.equal(code, 1)
    assert.match(out, /typo\.yaml line 5: typo\n  the statement is no SQL: syntax error at or near "SELEC"/u)
    assert.match(out, /line 7: lost\n  postern\.yaml has no database "shopp"/u)
  })
})

describe('postern policy explain', () => {
  test('names the policies by file and line, and what would let the statement run', async () => {
    const { code, out, err } = await policy('explain', '--as', 'alice', '--groups', 'engineering', 'DELETE FROM people')
    assert.equal(code, 0, err)
    assert.match(out, /^alice \(human\) in shop: needs approval\n/u)
    assert.match(
      out,
      /DELETE on shop\.public\.people: needs approval\n {6}forbid "no-change-of-every-row" 00-guard-rails\.cedar:\d+/u,
    )
    assert.match(
      out,
      /It would run\n    - approved for "no-change-of-every-row" by 1 of "dba"\n    - as a member of the group "dba"\n/u,
    )
    assert.match(out, /Masked for alice[^]*public\.people\.mail pii\.email\n    public\.people\.ssn pii\.ssn/u)
  })

  test('does not promise what would fail at the door', async () => {
    const { out } = await policy('explain', '--as', 'eve', '--groups', 'fraud', 'SELECT id FROM people')
    assert.match(out, /cannot connect: connect on shop: no policy permits it/u)
    assert.match(
      out,
      /It would run\n    - as a member of the group "dba"\n    - as a member of the group "engineering"/u,
    )
  })

  test('says what is wrong with its command line', async () => {
    assert.equal((await policy('explain', 'SELECT 1')).code, 2)
    const kind = await policy('explain', '--as', 'a', '--kind', 'robot', 'SELECT 1')
    assert.deepEqual([kind.code, /--kind cannot be "robot"/u.test(kind.err)], [1, true])
    const sql = await policy('explain', '--as', 'a', 'SELEC 1')
    assert.match(sql.err, /the statement is no SQL/u)
    const database = await policy('explain', '--as', 'a', '--database', 'shopp', 'SELECT 1')
    assert.match(database.err, /no database "shopp"[^]*Did you mean shop/u)
  })
})
