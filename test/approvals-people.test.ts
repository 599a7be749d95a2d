import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Client } from 'pg'
import { as, type Caller, errorOf, people, stateOf, waiting } from './support/approvals.ts'
import { entriesOfApplication, type Sandbox, startSandbox } from './support/sandbox.ts'

const policies = `
@id("everything") permit (principal, action, resource);

@id("by-a-dba") @approvers("dba") @advice("Say which ticket it is for.")
forbid (principal, action == Action::"DELETE", resource == Relation::"shop.public.orders");

@id("by-security") @approvers("security, risk")
forbid (principal, action == Action::"DELETE", resource) when { context.statement.hasWhere };

@id("by-two") @approvers("dba") @approvals("2")
forbid (principal, action == Action::"UPDATE", resource);

@id("soon") @approvers("dba") @approvals("2") @approval_good_for("1s")
forbid (principal, action == Action::"TRUNCATE TABLE", resource);
`
const everyOrder = 'DELETE FROM orders'
const oneOrder = 'DELETE FROM orders WHERE id = 1'
const change = 'UPDATE orders SET id = id'
let sandbox: Sandbox
let client: Client
let seen: Caller

before(async () => {
  sandbox = await startSandbox({
    policies,
    access: {},
    setUp: 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)',
  })
  seen = as(people.audrey, sandbox)
})

after(async () => {
  await sandbox.stop()
})

beforeEach(async () => {
  client = await sandbox.connect()
})

afterEach(async () => {
  await client.end()
})

const refusalOf = async (answer: Promise<{ status: number; body: unknown }>): Promise<string> => {
  const { status, body } = await answer
  const { error } = body as { error?: { code: string; detail?: string; message: string } }
  return `${String(status)} ${error?.code ?? ''}`
}

describe('several requirements', () => {
  test('have to be met all, and show how far they are', async () => {
    const { id, result } = await waiting(client, () => client.query(oneOrder))
    const asked = await seen.request(id)
    assert.deepEqual(
      asked.requirements.map(({ by, approvers, count }) => ({ by, approvers, count })),
      [
        { by: 'by-a-dba', approvers: ['dba'], count: 1 },
        { by: 'by-security', approvers: ['security', 'risk'], count: 1 },
      ],
    )
    const half = await as(people.dana, sandbox).approve(id)
    assert.equal(half.state, 'pending')
    assert.deepEqual(
      half.requirements.map(({ given }) => given),
      [1, 0],
    )
    assert.equal((await as(people.sean, sandbox).approve(id)).state, 'approved')
    await result
    const used = await stateOf(seen, id, 'used')
    assert.deepEqual(
      used.approvals.map(({ approver }) => approver),
      ['dana@example.com', 'sean@example.com'],
    )
  })

  test('are met by one person who is in the groups of both', async () => {
    const { id, result } = await waiting(client, () => client.query(oneOrder))
    assert.equal((await as(people.olga, sandbox).approve(id)).state, 'approved')
    await result
  })

  test('are denied by one no, whatever was agreed to before', async () => {
    const { id, result } = await waiting(client, () => client.query(oneOrder))
    await as(people.dana, sandbox).approve(id)
    await as(people.sean, sandbox).deny(id, 'wrong environment')
    const error = await errorOf(result)
    assert.equal(error.code, '42501')
    assert.match(`${error.message} ${error.detail ?? ''}`, /sean@example\.com.*wrong environment/)
  })

  test('are all named to who waits', async () => {
    const told: string[] = []
    client.on('notice', ({ message, detail, hint }) => told.push(`${message ?? ''}\n${detail ?? ''}\n${hint ?? ''}`))
    const { id, result } = await waiting(client, () => client.query(oneOrder))
    const url = `${sandbox.postern.apiUrl ?? ''}/r/${id}`
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', /^DELETE on orders waits for approval by .*"dba".*"security".*"risk".*\n/)
    assert.match(told[0] ?? '', /"by-a-dba", "by-security" ask/)
    assert.match(told[0] ?? '', /waits for (1m|59s|60s)/)
    assert.ok(told[0]?.includes(url))
    assert.ok(told[0]?.includes(`postern approve ${id}`))
    assert.match(told[0] ?? '', /Say which ticket it is for\.$/)
    await as(people.olga, sandbox).deny(id)
    await errorOf(result)
  })
})

describe('two who have to agree', () => {
  test('may arrive at the same moment, and each counts once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id, result } = await waiting(client, () => client.query(change))
      const answers = await Promise.all([as(people.dana, sandbox).approve(id), as(people.dora, sandbox).approve(id)])
      assert.deepEqual(answers.map(({ state }) => state).toSorted(), ['approved', 'pending'])
      await result
      assert.equal((await stateOf(seen, id, 'used')).approvals.length, 2)
    }
  })

  test('are two people: the same one again is none, also at the same moment', async () => {
    const { id, result } = await waiting(client, () => client.query(change))
    const dana = as(people.dana, sandbox)
    const answers = await Promise.all([1, 2, 3].map(() => dana.post(`/requests/${id}/approve`)))
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 403, 403],
    )
    assert.match(await refusalOf(dana.post(`/requests/${id}/deny`)), /^403 access_refused/)
    assert.equal((await seen.request(id)).state, 'pending')
    await as(people.olga, sandbox).approve(id)
    await result
  })

  test('agree at the same time: a yes that is not good any more does not count', async () => {
    const { id, result } = await waiting(client, () => client.query('TRUNCATE orders'))
    const dana = await as(people.dana, sandbox).approve(id)
    assert.deepEqual(
      dana.requirements.map(({ given }) => given),
      [1],
    )
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const dora = await as(people.dora, sandbox).approve(id)
    assert.equal(dora.state, 'pending')
    assert.deepEqual(
      dora.requirements.map(({ given }) => given),
      [1],
    )
    await as(people.olga, sandbox).deny(id)
    await errorOf(result)
  })
})

describe('nobody answers', () => {
  test('a request of their own, whatever groups they are in', async () => {
    const own = await sandbox.connect('dana@example.com')
    const { id, result } = await waiting(own, () => own.query(everyOrder))
    const dana = as(people.dana, sandbox)
    const shown = await dana.request(id)
    assert.equal(shown.mayAnswer, false)
    assert.match(shown.whyNot ?? '', /request of their own/)
    assert.match(await refusalOf(dana.post(`/requests/${id}/approve`)), /^403 access_refused/)
    // The same name under another subject, and the same subject under another name.
    for (const claims of [
      { sub: 'u-other' },
      { preferred_username: 'other@example.com', email: 'other@example.com' },
    ]) {
      const other = as({ identity: 'dana@example.com', claims }, sandbox)
      assert.match(await refusalOf(other.post(`/requests/${id}/approve`)), /^403 access_refused/)
    }
    await as(people.dora, sandbox).deny(id)
    await errorOf(result)
    await own.end()
  })

  test('what an agent asks for them, and no agent what it asks or its person asks', async () => {
    const dba = { groups: ['dba'] }
    const agent = await sandbox.connect('report-agent')
    const byAgent = await waiting(agent, () => agent.query(everyOrder))
    const byAlice = await waiting(client, () => client.query(everyOrder))
    const alice = as({ identity: 'alice@example.com', claims: dba }, sandbox)
    const itself = as({ identity: 'report-agent', claims: dba }, sandbox)
    const asHuman = as({ identity: 'report-agent', claims: { ...dba, kind: 'human' } }, sandbox)
    const alone = as(
      { identity: 'alice@example.com', claims: { ...dba, sub: 'report-agent', preferred_username: 'r' } },
      sandbox,
    )
    for (const { id } of [byAgent, byAlice]) {
      for (const caller of [alice, itself, asHuman]) {
        assert.match(await refusalOf(caller.post(`/requests/${id}/approve`)), /^403 access_refused/)
      }
    }
    // The agent's own subject, without the person.
    assert.match(await refusalOf(alone.post(`/requests/${byAgent.id}/approve`)), /^403 access_refused/)
    const { requester } = await seen.request(byAgent.id)
    assert.equal(requester.kind, 'agent')
    assert.deepEqual(
      requester.actors.map(({ subject }) => subject),
      ['report-agent'],
    )
    for (const { id, result } of [byAgent, byAlice]) {
      await as(people.dana, sandbox).deny(id)
      await errorOf(result)
    }
    await agent.end()
  })

  test('without being in the group: they do not even see it', async () => {
    const { id, result } = await waiting(client, () => client.query(everyOrder))
    for (const person of [people.sam, people.sean]) {
      const caller = as(person, sandbox)
      assert.match(await refusalOf(caller.get(`/requests/${id}`)), /^404 request_unknown/)
      assert.match(await refusalOf(caller.post(`/requests/${id}/approve`)), /^404 request_unknown/)
    }
    const auditor = await seen.request(id)
    assert.equal(auditor.mayAnswer, false)
    assert.match(await refusalOf(seen.post(`/requests/${id}/approve`)), /^403 access_refused/)
    const service = as({ identity: 'ci-deploy', claims: { groups: ['dba'] } }, sandbox)
    assert.match(await refusalOf(service.post(`/requests/${id}/approve`)), /^403 access_refused/)
    await as(people.dana, sandbox).deny(id)
    await errorOf(result)
  })

  test('what is over', async () => {
    const { id, result } = await waiting(client, () => client.query(everyOrder))
    await as(people.dana, sandbox).approve(id)
    await result
    assert.match(await refusalOf(as(people.dora, sandbox).post(`/requests/${id}/approve`)), /^409 request_closed/)
    assert.match(await refusalOf(as(people.dora, sandbox).post(`/requests/${id}/deny`)), /^409 request_closed/)
  })
})

test('the requester may withdraw it, and is told so', async () => {
  const { id, result } = await waiting(client, () => client.query(everyOrder))
  assert.equal((await as(people.alice, sandbox).post(`/requests/${id}/withdraw`)).status, 200)
  const error = await errorOf(result)
  assert.equal(error.code, '42501')
  assert.match(error.message, /withdrawn/)
})

test('the record says who asked, who agreed, and what ran by it', async () => {
  const application = 'on-record'
  const recorded = await sandbox.connect('alice@example.com', { application_name: application })
  const { id, result } = await waiting(recorded, () => recorded.query(oneOrder))
  await as(people.dana, sandbox).approve(id, 'see INC-7')
  await as(people.sean, sandbox).approve(id)
  await result
  await recorded.end()
  const entries = await sandbox.entries()
  const about = entries.filter((entry) => entry['request'] === id)
  assert.deepEqual(
    about.map(({ type }) => type),
    ['request_opened', 'request_answered', 'request_answered', 'request_closed'],
  )
  const [opened, first, , closed] = about
  assert.equal((opened?.['requester'] as { name: string } | undefined)?.name, 'alice@example.com')
  assert.equal((first?.['by'] as { name: string } | undefined)?.name, 'dana@example.com')
  assert.equal(first?.['comment'], 'see INC-7')
  assert.equal(closed?.['state'], 'used')
  const intents = entriesOfApplication(entries, application).filter(({ type }) => type === 'intent')
  assert.equal(intents.length, 1)
  assert.deepEqual(intents[0]?.['approval'], { request: id, approvers: ['dana@example.com', 'sean@example.com'] })
  assert.ok((closed?.seq ?? Infinity) < (intents[0]?.seq ?? 0), 'it is used before it runs')
})
