import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openForTest, recorded } from '../audit/testing.ts'
import type { Journal } from '../audit/journal.ts'
import type { Principal } from '../core/principal.ts'
import { createStatementEncoder, sessionMembers } from '../gateway/record.ts'
import { principalNamed } from '../policy/testing.ts'
import { createAnalyzer } from '../sql/analyze.ts'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))
const alice = principalNamed('alice', { groups: ['staff'] })
const bot = principalNamed('bot', { kind: 'agent', groups: ['staff'], actors: [{ issuer: 'i', subject: 's' }] })

const inForce = `
@id("connects") permit (principal in Group::"staff", action == Action::"connect", resource);
@id("works") permit (principal in Group::"staff", action in Action::"statement", resource);
@id("sees") permit (principal in Group::"staff", action == Action::"unmask", resource in Tag::"pii.email");
@id("no-drop") forbid (principal, action == Action::"DROP TABLE", resource);`

const proposed = `
@id("connects") permit (principal is Human in Group::"staff", action == Action::"connect", resource);
@id("works") permit (principal in Group::"staff", action in Action::"statement", resource);
@id("sees-cards") permit (principal in Group::"staff", action == Action::"unmask", resource in Tag::"pii.card");
@id("no-where") @approvers("dba")
forbid (principal, action in [Action::"UPDATE", Action::"DELETE"], resource) when { !context.statement.hasWhere };
@id("hr") forbid (principal, action, resource in Schema::"shop.hr");
@id("by-card") forbid (principal, action in Action::"statement", resource)
when { context.statement.predicateTags.contains("pii.card") };`

let folder = ''
let seqOf: Record<string, number> = {}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-simulate-'))
  const files = {
    'policies/p.cedar': inForce,
    'proposed/p.cedar': proposed,
    'roles/p.cedar': `${inForce}\n@id("role") forbid (principal, action == Action::"TRUNCATE TABLE", resource) unless { principal in AccessRole::"fixer" };`,
    'single/p.cedar': `${inForce}\n@id("one") forbid (principal, action in Action::"statement", resource) when { context.statement.count > 1 };`,
    'shop.yaml':
      'tags: { pii.email: redact, pii.card: redact }\ncolumns: { public.people: { id: none, mail: pii.email, card: pii.card } }\n',
    'postern.yaml': `listen: { allow_plaintext_on_loopback: true }
issuers: [{ url: https://idp.example.com, audience: postern }]
databases:
  shop: { host: 127.0.0.1, role: postern, credential: { password: pw }, classification: shop.yaml }
`,
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  seqOf = await writeHistory(join(folder, 'journal'))
})
after(() => {
  rmSync(folder, { recursive: true })
})

/** Writes what a gateway would have: the same encoders make the entries. */
async function writeHistory(directory: string): Promise<Record<string, number>> {
  const journal = await openForTest(directory)
  const analyzer = await createAnalyzer()
  const encode = createStatementEncoder(null)
  const seqs: Record<string, number> = {}
  const session = (principal: Principal, database = 'shop') => {
    const client = { address: '10.0.0.1', port: 5, application: 'psql', tls: null }
    const members = sessionMembers({ session: `s_${principal.name}`, principal, client, database })
    seqs[`session ${principal.name}`] = journal.append('session_started', '', members)
    return members
  }
  const ran = async (
    who: Buffer,
    sql: string,
    rest = '"policies":["works"]',
    type: 'intent' | 'refusal' = 'intent',
  ) => {
    const [statement] = (await analyzer.analyze(sql)).statements
    assert.ok(statement !== undefined)
    const seq = journal.append(type, rest, who, encode(statement, 'full', 'none'))
    if (type === 'intent') journal.append('outcome', `"intent":${String(seq)},"outcome":"completed"`)
    seqs[sql] ??= seq
  }
  const refused = (message: string) => `"sqlstate":"42501","refused":${JSON.stringify({ message })}`
  const a = session(alice)
  const b = session(bot)
  for (let round = 0; round < 3; round++) await ran(a, 'DELETE FROM orders')
  await ran(a, 'DELETE FROM orders WHERE id = 1')
  await ran(a, 'DELETE FROM carts', '"policies":["ask"],"approval":{"request":"r_1"}')
  await ran(a, 'SELECT * FROM hr.salaries')
  await ran(b, 'SELECT id FROM people', '"policies":["works"],"tags":["pii.card","pii.email"]')
  const searched = '"policies":["works"],"tags":["pii.card","pii.email"],"predicateTags":["pii.card"]'
  await ran(a, "SELECT id FROM people WHERE card = 'x'", searched)
  await ran(a, 'SELECT * FROM salaries')
  await ran(a, 'DROP TABLE orders', refused('DROP TABLE on shop.public.orders is refused by policy'), 'refusal')
  await ran(a, 'SELECT 2', refused('the statement is refused, because it copies'), 'refusal')
  await ran(a, 'EXECUTE p')
  await ran(a, 'TRUNCATE orders')
  await ran(a, 'TRUNCATE orders', '"policies":["works"],"accessRoles":["fixer"]')
  await ran(a, 'SELECT 3', '"policies":["works"],"protocol":"extended","statement":"","portal":"","parameters":[]')
  await ran(session(alice, 'gone'), 'SELECT 1')
  addByHand(journal, a)
  assert.equal(await recorded(journal), null)
  await journal.close()
  await analyzer.close()
  return seqs
}

/** Entries whose text does not say what they did: cut, and another with more than one command. */
function addByHand(journal: Journal, who: Buffer): void {
  const rest = '"sqlChars":9000,"sqlSha256":"x","fullIn":3'
  const cut = `"sql":"SELECT 1, ",${rest}`
  journal.append('intent', `"kind":"SELECT","commands":["SELECT"],"relations":["hr.x"],${cut}`, who)
  journal.append(
    'intent',
    `"kind":"DELETE","commands":["DELETE"],"relations":["public.x"],"sql":"DELETE FROM public.x",${rest}`,
    who,
  )
  journal.append('intent', `"kind":"INSERT","commands":["INSERT","SELECT"],"relations":["public.x"],${cut}`, who)
}

function simulate(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [entry, 'policy', 'simulate', ...args],
      { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

interface Simulated {
  readonly sessions: number
  readonly statements: number
  readonly same: number
  readonly differences: readonly {
    readonly kind: string
    readonly principal: string
    readonly what: string
    readonly policies: readonly string[]
    readonly count: number
    readonly example: { readonly seq: number }
    readonly isSoAlready: boolean
  }[]
  readonly notReplayed: Readonly<Record<string, number>>
  readonly byRecordAlone: number
}

describe('postern policy simulate', () => {
  test('tells what a proposed set would newly refuse, hold, mask, show and allow, with an example of each', async () => {
    const { code, out, err } = await simulate('--policies', 'proposed', '--search-path', 'public', '--json')
    assert.equal(code, 0, err)
    const result = JSON.parse(out) as Simulated
    const found = result.differences.map(
      ({ kind, principal, what, policies, count }) =>
        `${kind} ${principal} ${what} [${policies.join()}] ${String(count)}`,
    )
    assert.deepEqual(found.toSorted(), [
      'newly_allowed alice DROP TABLE [works] 1',
      'newly_masked bot public.people.mail [] 1',
      'newly_needs_approval alice DELETE [no-where] 3',
      'newly_refused alice SELECT [by-card] 1',
      'newly_refused alice SELECT [hr] 2',
      'newly_refused bot connect [] 1',
      'newly_shown bot public.people.card [] 1',
    ])
    const example = (kind: string, what: string) =>
      result.differences.find((each) => each.kind === kind && each.what === what)?.example.seq
    assert.equal(example('newly_needs_approval', 'DELETE'), seqOf['DELETE FROM orders'])
    assert.equal(example('newly_refused', 'connect'), seqOf['session bot'])
    assert.equal(example('newly_allowed', 'DROP TABLE'), seqOf['DROP TABLE orders'])
    assert.equal(result.sessions, 3)
  })

  test('counts what it cannot replay by why, and says nothing about it', async () => {
    const { out } = await simulate('--policies', 'proposed', '--search-path', 'public', '--json')
    const { notReplayed, byRecordAlone, statements, same, differences, sessions } = JSON.parse(out) as Simulated
    assert.deepEqual(notReplayed, {
      'it depends on what is not recorded: whether rows are named': 1,
      'it was refused for another reason than policy': 1,
      'its text is recorded in part or redacted, and it does several things': 1,
      'the database gone is not in the configuration': 2,
      'what EXECUTE or FETCH ran is not in its entry': 1,
    })
    assert.equal(byRecordAlone, 1)
    const ofStatements = differences.filter(({ kind }) => !kind.startsWith('newly_masked') && kind !== 'newly_shown')
    const counted = ofStatements.reduce((sum, { count }) => sum + count, 0)
    const left = Object.values(notReplayed).reduce((sum, count) => sum + count, 0)
    // The one whose columns would be masked differently is neither the same nor decided differently.
    assert.equal(same + counted + left + 1, statements + sessions)
  })

  test('finds nothing where the set is the one that decided, and can fail where there is something', async () => {
    const same = await simulate('--fail')
    assert.equal(same.code, 1)
    assert.match(same.out, /would be allowed[^]*1 ×  alice \(human\)  DELETE on shop/u)
    const changed = await simulate('--policies', 'proposed', '--fail')
    assert.equal(changed.code, 1)
    assert.match(
      changed.out,
      /What would be refused, and was not:\n.* alice \(human\) +SELECT on shop\.hr\.salaries +hr +entry \d+/u,
    )
  })

  test('does not guess in which schema an unqualified name was found', async () => {
    const { out } = await simulate('--policies', 'proposed', '--json')
    const { notReplayed, differences } = JSON.parse(out) as Simulated
    assert.equal(notReplayed['it depends on what is not recorded: search path'], 10)
    assert.ok(differences.some(({ policies }) => policies.includes('hr')))
    assert.ok(!differences.some(({ what }) => what === 'DELETE'))
  })

  test('decides with the access roles on record, and takes who has none there for one who held none', async () => {
    const { out } = await simulate('--policies', 'roles', '--json')
    const { notReplayed, differences } = JSON.parse(out) as Simulated
    assert.equal(notReplayed['it depends on what is not recorded: access roles'], undefined)
    const truncated = differences.filter(({ what }) => what === 'TRUNCATE TABLE')
    assert.deepEqual(
      truncated.map(({ count }) => count),
      [1],
    )
  })

  test('takes a statement for the only one of its text where it is told to, or the protocol says so', async () => {
    const { out } = await simulate('--policies', 'single', '--json')
    const told = JSON.parse(out) as Simulated
    assert.ok((told.notReplayed['it depends on what is not recorded: number of statements in the text'] ?? 0) > 5)
    const assumed = JSON.parse((await simulate('--policies', 'single', '--one-at-a-time', '--json')).out) as Simulated
    assert.deepEqual(
      Object.keys(assumed.notReplayed).filter((reason) => reason.includes('number')),
      [],
    )
    // Two sessions, what is refused however many there are, and what came by the extended protocol.
    assert.equal(told.same, 4)
  })

  test('reads since a moment only, and says where no journal is', async () => {
    const { out } = await simulate('--since', '2100-01-01T00:00:00Z')
    assert.match(out, /^0 statements and 0 sessions since 2100/u)
    const { code, err } = await simulate('--journal', 'nowhere')
    assert.deepEqual([code, /the journal directory nowhere cannot be read/u.test(err)], [1, true])
    assert.match((await simulate('--since', 'yesterday')).err, /--since cannot be read as a time/u)
  })
})
