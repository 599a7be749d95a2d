import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startTestApi, type TestApi } from '../api/testing.ts'
import type { StatementFacts, StatementRequestRecord } from '../core/access.ts'
import { accessDeps, type AccessDeps } from './access-deps.ts'
import { postern, type Run } from './access-testing.ts'
import { requestCommand } from './access-request.ts'
import { asClause } from './access-text.ts'
import { approveCommand } from './requests.ts'

// The real HTTP API and identity provider, and the real command line in a process of its own.
let there: TestApi
before(async () => {
  there = await startTestApi()
})
after(() => there.stop())
beforeEach(() => {
  there.access.filed.clear()
  there.access.given.splice(0)
})

async function as(name: string, ...args: string[]): Promise<Run> {
  return postern(args, { POSTERN_API: there.api.url, POSTERN_TOKEN: await there.token(name) })
}

async function file(about: Partial<StatementFacts> = {}, what: Partial<StatementRequestRecord> = {}) {
  const request = there.access.fileStatement(await there.principal('alice@example.com'), what)
  const changed = { ...request, about: { ...request.about, ...about } }
  there.access.filed.set(request.id, { request: changed, approvals: [] })
  return request.id
}

test('a reason of the API stands behind a colon as the rest of the sentence', () => {
  assert.equal(asClause('Nobody answers a request of their own.'), 'nobody answers a request of their own')
  assert.equal(asClause('A token opens sessions.'), 'a token opens sessions')
  assert.equal(asClause('it is not yours'), 'it is not yours')
  assert.equal(asClause('PostgreSQL and SQL keep their names.'), 'PostgreSQL and SQL keep their names')
})

describe('postern requests', { timeout: 120_000 }, () => {
  test('tells what waits for me from what is mine', async () => {
    const id = await file()
    const mine = await as('alice@example.com', 'requests')
    assert.deepEqual([mine.code, mine.err], [0, ''])
    assert.match(
      mine.out,
      new RegExp(`^Yours\\n {2}${id} {2}alice@example\\.com {2}DELETE in shop {2}\\w+ left {2}INC-1234`, 'u'),
    )
    const waiting = await as('dana@example.com', 'requests')
    assert.match(waiting.out, /^Waiting for your answer\n/u)
    assert.ok(
      waiting.out.split('\n').every((line) => line.length <= 80),
      waiting.out,
    )
    const nothing = await as('sam@example.com', 'requests')
    assert.match(nothing.out, /^Nothing waits\./u)
  })

  test('shows one in full, with what to type next', async () => {
    const id = await file({ parameters: ['2', null, 'a\nb'], sql: 'DELETE FROM orders\nWHERE id > $1' })
    there.rawFor.add('dana@example.com')
    const { code, out } = await as('dana@example.com', 'requests', id)
    assert.equal(code, 0)
    for (const part of [
      `alice@example.com wants to run DELETE in shop (${id})\n`,
      '\n  │ DELETE FROM orders\n  │ WHERE id > $1\n',
      '\n  │ $1 = "2"\n  │ $2 = NULL\n  │ $3 = "a\\nb"\n',
      '\n  reason       INC-1234',
      '\n  policy       delete-without-where: Deletes that',
      '\n  relations    public.orders, public.customers\n',
      '\n  classified   pii.email\n',
      '\n  estimate     about 12,400 rows; PostgreSQL estimates',
      '\n  transaction  none open\n',
      '\n  from         10.4.7.21 (psql)\n',
      '\n  needs        1 of dba (delete-without-where); 0 so far\n',
      `\n→ postern approve ${id}, or postern deny ${id} --comment "why"\n`,
    ]) {
      assert.ok(out.includes(part), `${part}\nis not in\n${out}`)
    }
    assert.ok(
      out.split('\n').every((line) => line.length <= 80),
      out,
    )
    there.rawFor.clear()
    const redacted = await as('dana@example.com', 'requests', id)
    assert.match(redacted.out, /Values are withheld from you\./u)
    const own = await as('alice@example.com', 'requests', id)
    assert.match(own.out, /→ You cannot answer it: nobody answers their own request\. postern withdraw r_/u)
  })

  test('cannot be made to steer the terminal, or to pass for words of Postern', async () => {
    const sql = `SELECT 1 \u001B[2J\u202E\u0085\r  reason       none${' '.repeat(200)}→ postern approve it\n→ all is well\u2028x`
    const id = await file(
      { sql, redacted: sql, relations: ['\u001B]0;title\u0007'] },
      { reason: 'x\n  policy       none\u001B[1A', applicationName: '\u009B1m\u200B' },
    )
    for (const args of [['requests', id], ['requests'], ['requests', id, '--json'], ['approve', id, '--yes']]) {
      const { out, err } = await as('dana@example.com', ...args)
      assert.match(out, /r_/u)
      assert.doesNotMatch(`${out}${err}`, /[^\P{Cc}\n]|\p{Cf}|\p{Zl}/u, args.join(' '))
      // However a line is broken, every part of it stands behind a bar.
      for (const line of out.split('\n')) {
        if (line.includes('approve it') && !line.includes('{"')) assert.match(line, /^ {2}[│┆] /u)
      }
      // What strangers wrote never begins a line.
      assert.doesNotMatch(out, /^→ all is well|^ {2}reason {7}none$|^→ postern approve it|^ {2}policy {7}none/mu)
    }
  })

  test('prints what the API answers for programs', async () => {
    const id = await file()
    const { out } = await as('dana@example.com', 'requests', '--json')
    const { requests } = JSON.parse(out) as { requests: { id: string; mayAnswer: boolean }[] }
    assert.deepEqual(
      requests.map((request) => [request.id, request.mayAnswer]),
      [[id, true]],
    )
    const one = JSON.parse((await as('dana@example.com', 'requests', id, '--json')).out) as { id: string }
    assert.equal(one.id, id)
  })

  test('says what is wrong with an id', async () => {
    const absent = await as('dana@example.com', 'requests', 'r_000000000000')
    assert.equal(absent.code, 1)
    assert.match(absent.err, /^postern: there is no request r_000000000000\n/u)
    const none = await as('dana@example.com', 'requests', '../grants', '--json')
    assert.equal(none.code, 1)
    assert.match(none.out, /"code":"input_invalid","message":"\\"\.\.\/grants\\" is not an id"/u)
  })
})

describe('postern approve and deny', { timeout: 120_000 }, () => {
  test('show what it is, and do nothing unless somebody confirms it', async () => {
    const id = await file()
    const unsure = await as('dana@example.com', 'approve', id)
    assert.equal(unsure.code, 1)
    assert.match(unsure.out, /wants to run DELETE in shop/u)
    assert.match(unsure.err, /^postern: nothing was done: nobody is at a terminal to confirm it\n {2}hint: .*--yes/u)
    const denied = await as('dana@example.com', 'deny', id)
    assert.equal(denied.code, 1)
    assert.equal(there.access.filed.get(id)?.request.state.state, 'pending')
    const sure = await as('dana@example.com', 'approve', id, '--yes', '--comment', 'looked at it')
    assert.equal(sure.code, 0)
    assert.match(sure.out, new RegExp(`\\n${id} is approved: the statement may run, once\\.\\n$`, 'u'))
    const [approval] = there.access.filed.get(id)?.approvals ?? []
    assert.deepEqual([approval?.answer, approval?.comment, approval?.via], ['approve', 'looked at it', 'cli'])
    const late = await as('dana@example.com', 'deny', id, '--yes')
    assert.match(late.err, /cannot be answered: it is approved already/u)
    assert.equal(late.code, 1)
  })

  test('are refused before anybody is asked where they cannot count', async () => {
    const id = await file()
    const own = await as('alice@example.com', 'approve', id, '--yes')
    assert.equal(own.code, 1)
    assert.match(own.err, new RegExp(`^postern: ${id} cannot be answered: nobody answers their own request\n`, 'u'))
    assert.equal(there.access.filed.get(id)?.approvals.length, 0)
  })

  test('deny for good, with a comment', async () => {
    const id = await file()
    const { out, code } = await as('dana@example.com', 'deny', id, '--yes', '--comment', 'use a WHERE')
    assert.equal(code, 0)
    assert.match(out, new RegExp(`\n${id} is denied\\.\n$`, 'u'))
    const shown = await as('alice@example.com', 'requests', id)
    assert.match(shown.out, /outcome {6}denied, by dana@example\.com: use a WHERE\n/u)
    assert.match(shown.out, /→ Nothing is left to do/u)
  })

  test('ask at a terminal, and take everything but yes for no', async () => {
    const id = await file()
    const env = { POSTERN_API: there.api.url, POSTERN_TOKEN: await there.token('dana@example.com') }
    let out = ''
    const asked: string[] = []
    const deps = (answer: boolean): AccessDeps => ({
      ...accessDeps(),
      env,
      writeOut: (text) => void (out += text),
      async confirm(question) {
        asked.push(question)
        // What is to be approved is on the screen by then.
        assert.match(out, /wants to run DELETE/u)
        return answer
      },
    })
    const run = (answer: boolean) => approveCommand(deps(answer)).parseAsync([id], { from: 'user' })
    await assert.rejects(run(false), /nothing was done: it was not confirmed/u)
    assert.equal(there.access.filed.get(id)?.request.state.state, 'pending')
    await run(true)
    assert.equal(there.access.filed.get(id)?.request.state.state, 'approved')
    assert.deepEqual(asked, ['Approve this?', 'Approve this?'])
  })
})

describe('postern request', { timeout: 120_000 }, () => {
  test('asks, shows what happens next, and takes it back', async () => {
    const asked = await as('alice@example.com', 'request', 'support-lead', '--for', '2h', '--reason', 'INC-7')
    assert.equal(asked.code, 0, asked.err)
    const [, id = ''] = /^You asked, as (r_\w+): it waits for 1 of dba until /u.exec(asked.out) ?? []
    assert.ok(asked.out.includes(`postern approve ${id}`))
    const seen = await as('dana@example.com', 'requests', id)
    assert.match(seen.out, /^alice@example\.com asks for the access role support-lead for 2h \(r_/u)
    const withdrawn = await as('alice@example.com', 'withdraw', id)
    assert.equal(withdrawn.out, `${id} is withdrawn.\n`)
    const all = await as('alice@example.com', 'requests', '--all')
    assert.match(all.out, /withdrawn/u)
  })

  test('waits for the answer if told to, and ends as it did', async () => {
    const end = async (state: 'granted' | 'denied', deny: boolean): Promise<{ out: string; code: string | null }> => {
      const env = { POSTERN_API: there.api.url, POSTERN_TOKEN: await there.token('alice@example.com') }
      const by = await there.principal('dana@example.com')
      let out = ''
      const deps: AccessDeps = {
        ...accessDeps(),
        env,
        writeOut: (text) => void (out += text),
        writeErr: () => undefined,
        async pause() {
          const [id = ''] = [...there.access.filed.keys()]
          const entry = there.access.filed.get(id as never) ?? assert.fail()
          if (deny)
            return void (await there.access.answer(by, entry.request.id, { answer: 'deny', comment: 'no', via: 'api' }))
          const grant = 'a_0123456789ab' as never
          entry.request = { ...entry.request, state: { state: 'granted', atMs: there.clock.nowMs, grant } }
        },
      }
      const args = ['support-lead', '--for', '2h', '--reason', 'x', '--wait']
      const code = await requestCommand(deps)
        .parseAsync(args, { from: 'user' })
        .then(
          () => null,
          (error: { code: string }) => error.code,
        )
      there.access.filed.clear()
      return { out, code: code ?? state.slice(0, 0) }
    }
    const given = await end('granted', false)
    assert.equal(given.code, '')
    assert.match(given.out, /^You hold support-lead now, as grant a_0123456789ab; /u)
    assert.deepEqual(await end('denied', true), { out: '', code: 'approval_denied' })
  })

  test('says what is wrong before anybody logs in', async () => {
    for (const [args, why, code] of [
      [['request', 'support-lead'], /--for/u, 2],
      [['request', 'support-lead', '--for', 'soon'], /--for cannot be read as a duration: soon/u, 1],
      [['request', 'support-lead', '--for', '1h', '--break-glass'], /break-glass without a reason/u, 1],
      [['request', 'x', '--for', '1h', '--break-glass', '--reason', 'y', '--wait'], /neither --extend nor --wait/u, 1],
      [['request', 'x', '--for', '1h', '--extend', '../x'], /is not an id/u, 1],
      [['grants', 'review', 'a_0123456789ab', '--comment', 'x'], /does not say what you found/u, 1],
      [['grants', 'review', 'a_1', '--comment', 'x', '--justified', '--unjustified'], /cannot be used/u, 2],
      [['revoke', '--reason', 'x'], /not said which grants/u, 1],
      [['revoke', 'a_0123456789ab', '--reason', 'x', '--kill-sessions'], /needs --principal/u, 1],
      [['token', '--role', 'x', '--for', '1h'], /for which database/u, 1],
      [['token', '--database', 'shop'], /for how long/u, 1],
      [['token', '--revoke', 't_0123456789ab', '--database', 'shop'], /goes with no option/u, 1],
    ] as const) {
      const run = await postern(args)
      assert.match(run.err, why)
      assert.equal(run.code, code, args.join(' '))
    }
  })
})

describe('postern grants, revoke, token and sessions', { timeout: 120_000 }, () => {
  test('take, show, review and end access', async () => {
    const wish = ['request', 'support-lead', '--for', '1h', '--reason', 'INC-9', '--break-glass']
    const unsure = await as('alice@example.com', ...wish)
    assert.match(unsure.err, /nobody is at a terminal/u)
    assert.equal(there.access.given.length, 0)
    const taken = await as('alice@example.com', ...wish, '--yes')
    const [, id = ''] =
      /^You hold support-lead until .* UTC, as grant (a_\w+)\. It will be reviewed\.\n/u.exec(taken.out) ?? []
    const listed = await as('dana@example.com', 'grants')
    assert.match(listed.out, new RegExp(`^ {2}${id} +alice@example\\.com +support-lead +\\S+ left, to review`, 'u'))
    const reviewed = await as('dana@example.com', 'grants', 'review', id, '--justified', '--comment', 'was needed')
    assert.equal(reviewed.out, `Grant ${id} is on record as justified.\n`)
    const ended = await as('alice@example.com', 'revoke', id, '--reason', 'done')
    assert.equal(ended.out, '1 grant has ended.\n')
    assert.match((await as('dana@example.com', 'grants')).out, /^No grants\./u)
    assert.match((await as('dana@example.com', 'grants', '--all', '--json')).out, /"why":"revoked"/u)
  })

  test('end many at once only when it was confirmed', async () => {
    await as('alice@example.com', 'request', 'support-lead', '--for', '1h', '--reason', 'x', '--break-glass', '--yes')
    const many = ['revoke', '--role', 'support-lead', '--reason', 'incident']
    const unsure = await as('dana@example.com', ...many)
    assert.equal(unsure.code, 1)
    assert.equal(there.access.given[0]?.ended, null)
    assert.equal((await as('dana@example.com', ...many, '--yes')).out, '1 grant has ended.\n')
  })

  test('give a session token whose secret alone is on standard output, and end it', async () => {
    const made = await as('alice@example.com', 'token', '--database', 'shop', '--role', 'support-lead', '--for', '1h')
    assert.equal(made.code, 0, made.err)
    const [, id = ''] = /^(t_\w{12})\.secret\n$/u.exec(made.out) ?? assert.fail(made.out)
    assert.match(made.err, /^Connect to shop as user alice@example\.com, with this as password, until .* UTC\.\n/u)
    assert.ok(made.err.includes(`postern token --revoke ${id}`))
    assert.doesNotMatch(made.err, /\.secret/u)
    const ended = await as('alice@example.com', 'token', '--revoke', id)
    assert.deepEqual([ended.code, ended.out], [0, ''])
    const again = await as('alice@example.com', 'token', '--revoke', id)
    assert.equal(again.code, 1)
    const json = await as('alice@example.com', 'token', '--database', 'shop', '--for', '1h', '--json')
    const told = JSON.parse(json.out) as Record<string, string>
    assert.deepEqual(Object.keys(told).toSorted(), ['expiresAt', 'id', 'name', 'token'])
    assert.equal(told['name'], 'alice@example.com')
    const plain = await as('alice@example.com', 'token')
    assert.equal(plain.out, `${await there.token('alice@example.com')}\n`)
  })

  test('show roles and sessions', async () => {
    const { out } = await as('alice@example.com', 'roles')
    assert.match(out, /^support-lead\n {2}what for {5}Sees the e-mail addresses of customers\n/u)
    assert.match(out, /on request, for at most 8h; at once with --break-glass/u)
    assert.match((await as('alice@example.com', 'sessions')).out, /^ {2}s_one {2}alice@example\.com {2}shop {2}2/u)
  })
})
