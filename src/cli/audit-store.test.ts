import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createAccess, type Access } from '../access/access.ts'
import { alice, bob, carol, dbaAgrees, hourMs, minuteMs, person, role, root, wishOf } from '../access/testing.ts'
import { encodeMembers } from '../audit/members.ts'
import type { Journal } from '../audit/journal.ts'
import { segmentName } from '../audit/segments.ts'
import { openForTest, recorded } from '../audit/testing.ts'
import type { ControlStore } from '../core/control-store.ts'
import { newGatewayId, newGrantId, newTokenId } from '../core/ids.ts'
import { openControlStore, type ControlStoreOptions } from '../store/store.ts'
import { testEngines, type TestEngine } from '../store/testing.ts'
import { postern, type Run } from './access-testing.ts'

const yes = { answer: 'approve', comment: 'fine', via: 'cli' } as const
const folder = mkdtempSync(join(tmpdir(), 'postern-audit-store-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** One gateway's access, with a journal of its own. */
interface Gateway {
  readonly access: Access
  readonly directory: string
  stop(): Promise<void>
}

/** A store that people have used, with the ids of what is in it. */
interface Scene {
  readonly options: ControlStoreOptions
  readonly config: string
  readonly journals: readonly string[]
  /** Grants that are in force, each for one attack. */
  readonly active: readonly string[]
  readonly ended: readonly string[]
  /** Statements that wait. */
  readonly waiting: readonly string[]
  readonly token: string
  /** Runs SQL behind everybody's back; gives the rows of the last one. */
  readonly raw: (...statements: readonly string[]) => Promise<readonly Record<string, unknown>[]>
  readonly drop: (trigger: string) => Promise<void>
}

let made = 0

async function startGateway(store: ControlStore): Promise<Gateway> {
  const directory = join(folder, `journal-${String((made += 1))}`)
  const journal: Journal = await openForTest(directory)
  const access = await createAccess({
    store,
    gateway: newGatewayId(),
    roles: new Map([['support', role('support')]]),
    record: async (type, facts, change) => {
      journal.append(type, encodeMembers({ change, ...facts }))
      const error = await recorded(journal)
      if (error !== null) throw error
    },
    settings: {
      statementWaitMs: 10 * minuteMs,
      accessRequestWaitMs: hourMs,
      storeStalenessMs: minuteMs,
      requestsPerPrincipalMax: 50,
      pendingRequestsMax: 100,
      auditors: [],
      admins: ['admins'],
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  const stop = async (): Promise<void> => {
    await access.close()
    await journal.close()
  }
  return { access, directory, stop }
}

/** Everything that access does, by two gateways, before `meanwhile`, which sees it while they run. */
async function withUse(
  engine: TestEngine,
  use: (scene: Scene) => Promise<void>,
  meanwhile: (scene: Scene) => Promise<void> = async () => {},
): Promise<void> {
  const options = engine.fresh()
  const [one, two] = [await openControlStore(options), await openControlStore(options)]
  const [here, there] = [await startGateway(one), await startGateway(two)]
  const statement = await here.access.file(wishOf(alice))
  await there.access.answer(bob, statement.id, yes)
  await statement.outcome
  await statement.use({ binding: 'b1', requirements: [dbaAgrees] })
  const give = async (): Promise<string> => {
    const { request } = await here.access.ask(alice, { role: 'support', durationMs: hourMs, reason: 'INC-1' })
    const { state } = (await there.access.answer(bob, request.id, yes)).request
    assert.equal(state.state, 'granted')
    return state.state === 'granted' ? state.grant : ''
  }
  const ended = [await give(), await give(), await give()]
  for (const grant of ended) await there.access.revoke(root, { grant: grant as never, reason: 'done' })
  const active = [await give(), await give(), await give(), await give(), await give()]
  const longer = { role: 'support', durationMs: hourMs, reason: 'INC-2', extends: active[0] as never }
  const { request } = await here.access.ask(alice, longer)
  await there.access.answer(carol, request.id, yes)
  const taken = await here.access.breakGlass(alice, { role: 'support', durationMs: hourMs, reason: 'fire' })
  await there.access.revoke(root, { grant: taken.id, reason: 'out' })
  await there.access.review(bob, taken.id, { outcome: 'justified', comment: 'it burnt' })
  const wish = { database: 'shop', role: 'support', durationMs: minuteMs, isSingleSession: false }
  const token = await here.access.issueToken(alice, wish)
  const other = await there.access.issueToken(person('eve'), { ...wish, role: null })
  assert.notEqual(other.id, token.id)
  await there.access.revoke(root, { principal: 'eve', reason: 'left', killsSessions: true })
  await here.access.withdraw(alice, (await here.access.ask(alice, longer)).request.id)
  const waiting: string[] = []
  for (const name of ['dan', 'dora', 'dean']) waiting.push((await here.access.file(wishOf(person(name)))).id)
  const directories = [here.directory, there.directory]
  const scene: Scene = {
    options,
    config: writeConfig(options, here.directory),
    journals: directories.flatMap((directory) => ['--journal', directory]),
    active,
    ended,
    waiting,
    token: token.id,
    raw: async (...statements) => {
      let rows: readonly Record<string, unknown>[] = []
      for (const sql of statements) rows = await engine.raw(options, sql)
      return rows
    },
    drop: async (trigger) => {
      const on = engine.kind === 'sqlite' ? '' : ` on ${trigger.split('_')[0] ?? ''}`
      await engine.raw(options, `drop trigger ${trigger}${on}`)
    },
  }
  await meanwhile(scene)
  // As if both were killed: what waits goes on waiting.
  await Promise.all([one.close(), two.close()])
  await Promise.all([here.stop(), there.stop()])
  await use(scene)
}

function writeConfig(options: ControlStoreOptions, journal: string): string {
  const file = join(folder, `postern-${String((made += 1))}.yaml`)
  const password = `${file}.password`
  writeFileSync(password, options.kind === 'postgres' ? String(options.connection.password) : '', { mode: 0o600 })
  const store =
    options.kind === 'sqlite'
      ? { file: options.file }
      : {
          postgres: {
            host: options.connection.host,
            port: options.connection.port,
            database: options.connection.database,
            role: options.connection.user,
            schema: options.schema,
            tls: { mode: 'disable' },
            credential: { file: password },
          },
        }
  const config = {
    listen: { allow_plaintext_on_loopback: true },
    issuers: [{ url: 'https://idp.example.com', audience: 'postern' }],
    databases: { shop: { host: '127.0.0.1', role: 'served', tls: { mode: 'disable' } } },
    journal: { directory: journal },
    control_store: store,
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

const audit = async ({ config, journals }: Scene, ...more: readonly string[]): Promise<Run> =>
  postern(['audit', 'store', '--config', config, ...journals, ...more])

/** What was found, in short; without the numbers of changes, except where that is all there is. */
async function found(scene: Scene, ...more: readonly string[]): Promise<readonly string[]> {
  const { code, out, err } = await audit(scene, '--json', ...more)
  const { differences } = JSON.parse(out === '' ? `{"differences":["${err}"]}` : out) as {
    readonly differences: readonly {
      readonly of: string
      readonly id?: string
      readonly what: string
      readonly change: number
      readonly members?: readonly string[]
    }[]
  }
  assert.equal(code, differences.length === 0 ? 0 : 1, err)
  return differences.map(({ of, id, what, change, members = [] }) =>
    [of, id ?? String(change), what, ...members].join(' '),
  )
}

const grantColumns = 'kind, principal_issuer, principal_subject, principal_name, role, request, from_ms, until_ms, rest'

interface Attack {
  readonly name: string
  readonly work: (scene: Scene) => Promise<readonly string[]>
}

const attacks: readonly Attack[] = [
  {
    name: 'a grant that was prolonged',
    work: async ({ raw, active }) => {
      await raw(`update grants set until_ms = until_ms + 1000 where id = '${String(active[1])}'`)
      return [`grant ${String(active[1])} differs until`]
    },
  },

  {
    name: 'a grant that was given to somebody else, or for more databases',
    work: async ({ raw, active, ended }) => {
      await raw(
        `update grants set principal_subject = 'sub-eve' where id = '${String(active[2])}'`,
        `update grants set rest = replace(rest, '["shop"]', 'null') where id = '${String(ended[0])}'`,
      )
      return [`grant ${String(ended[0])} differs databases`, `grant ${String(active[2])} differs principal`]
    },
  },

  {
    name: 'a grant that was added',
    work: async ({ raw, active }) => {
      const forged = newGrantId()
      await raw(
        `insert into grants (id, ${grantColumns}) select '${forged}', ${grantColumns} from grants where id = '${String(active[3])}'`,
      )
      return [`grant ${forged} without_entry`]
    },
  },

  {
    name: 'a grant that was added with a change that tells of it',
    work: async ({ raw, active, drop }) => {
      const forged = newGrantId()
      await drop('changes_insert')
      await raw(
        `insert into grants (id, ${grantColumns}) select '${forged}', ${grantColumns} from grants where id = '${String(active[3])}'`,
        `insert into changes (seq, at_ms, gateway, type, facts, is_journalled)
         select (select max(seq) + 1 from changes), at_ms, gateway, type, replace(facts, '${String(active[3])}', '${forged}'), 1
         from changes where type = 'grant_started' and facts like '%${String(active[3])}%'`,
      )
      const [{ seq } = {}] = await raw('select max(seq) as seq from changes')
      return [`change ${String(seq)} not_in_journal`, `grant ${forged} not_approved`]
    },
  },

  {
    name: 'an ended grant that was revived',
    work: async ({ raw, drop, ended }) => {
      await drop('grants_update')
      await raw(
        `update grants set ended_at_ms = null, ended_why = null, ended_by = null where id = '${String(ended[1])}'`,
      )
      return [`grant ${String(ended[1])} differs ended`]
    },
  },

  {
    name: 'a grant that was removed',
    work: async ({ raw, ended }) => {
      await raw(`delete from grants where id = '${String(ended[2])}'`)
      return [`grant ${String(ended[2])} missing`]
    },
  },

  {
    name: 'a row that says nothing any more',
    work: async ({ raw, active }) => {
      await raw(`update grants set rest = 'gone' where id = '${String(active[4])}'`)
      return [`grant ${String(active[4])} unreadable`]
    },
  },

  {
    name: 'an approval that was added',
    work: async ({ raw, waiting }) => {
      await raw(
        `insert into approvals (request, ordinal, approver_issuer, approver_subject, approver_name, answer, at_ms, rest)
         select '${String(waiting[0])}', 1, approver_issuer, approver_subject, approver_name, answer, at_ms, rest
         from approvals order by at_ms limit 1`,
      )
      return [`approval ${String(waiting[0])} without_entry`]
    },
  },

  {
    name: 'an approval that is another person’s now',
    work: async ({ raw, drop }) => {
      await drop('approvals_update')
      await raw(
        `update approvals set approver_name = 'mallory' where request in (select id from requests where state = 'used')`,
      )
      const [{ request } = {}] = await raw(`select request from approvals where approver_name = 'mallory'`)
      return [`approval ${String(request)} differs by`]
    },
  },

  {
    name: 'a request that was set to approved',
    work: async ({ raw, waiting }) => {
      await raw(
        `update requests set state = 'approved', state_rest = '{"atMs":1,"goodUntilMs":9999999999999}' where id = '${String(waiting[1])}'`,
      )
      return [`request ${String(waiting[1])} differs state`]
    },
  },

  {
    name: 'a request that needs fewer approvals now, or stands for another statement',
    work: async ({ raw, waiting }) => {
      await raw(
        `update requests set rest = replace(rest, '"count":1', '"count":0'), binding = 'b2' where id = '${String(waiting[2])}'`,
      )
      return [`request ${String(waiting[2])} differs requirements binding`]
    },
  },

  {
    name: 'a token that is in more groups, or lasts longer',
    work: async ({ raw, token }) => {
      await raw(
        `update tokens set rest = replace(rest, '"engineering"', '"dba"'), expires_at_ms = expires_at_ms + 1 where id = '${token}'`,
      )
      return [`token ${token} differs groups expiresAt`]
    },
  },

  {
    name: 'a token that was added',
    work: async ({ raw, token }) => {
      const forged = newTokenId()
      const kept =
        'principal_issuer, principal_subject, principal_name, role, grant_id, database, issued_at_ms, expires_at_ms, is_single_session, rest'
      await raw(
        `insert into tokens (id, secret_hash, ${kept}) select '${forged}', 'mine', ${kept} from tokens where id = '${token}'`,
      )
      return [`token ${forged} without_entry`]
    },
  },

  {
    name: 'a revocation that was taken back',
    work: async ({ raw }) => {
      await raw(`delete from revocations`)
      return ['revocation sub-eve missing']
    },
  },

  {
    name: 'a change that was removed',
    work: async ({ raw, drop }) => {
      await drop('changes_delete')
      await raw('delete from changes where seq = 3')
      return ['change 3 not_in_store']
    },
  },

  {
    name: 'a change and a row that tell the same lie',
    work: async ({ raw, drop, active }) => {
      await drop('changes_update')
      await raw(
        `update grants set rest = replace(rest, 'INC-1', 'INC-9') where id = '${String(active[0])}'`,
        `update changes set facts = replace(facts, 'INC-1', 'INC-9') where type = 'grant_started' and facts like '%${String(active[0])}%'`,
      )
      const [{ seq } = {}] = await raw(`select seq from changes where type = 'grant_started' and facts like '%INC-9%'`)
      return [`change ${String(seq)} differs`, `grant ${String(active[0])} differs reason`]
    },
  },
]

for (const engine of testEngines()) {
  describe(`postern audit store, on ${engine.kind},`, { timeout: 240_000 }, () => {
    before(async () => engine.start())
    after(async () => engine.stop())

    void test('finds in order what gateways wrote, while they run and after, and changes nothing', async () => {
      let whileRunning: readonly string[] = ['not looked at']
      await withUse(
        engine,
        async (scene) => {
          const { code, out, err } = await audit(scene)
          assert.equal(code, 0, out + err)
          assert.match(
            out,
            /^The control store holds what the journal in .* and .* tells, and nothing else, up to change \d+\.\n/u,
          )
          const before = await engine.raw(scene.options, 'select * from changes order by seq')
          assert.deepEqual(await found(scene), [])
          assert.deepEqual(await engine.raw(scene.options, 'select * from changes order by seq'), before)
        },
        async (scene) => {
          whileRunning = await found(scene)
        },
      )
      assert.deepEqual(whileRunning, [])
    })

    void test('finds all that was done to the store behind the back of its gateways, and nothing else', async () => {
      await withUse(engine, async (scene) => {
        const expected = new Map<string, readonly string[]>()
        for (const { name, work } of attacks) expected.set(name, await work(scene))
        const differences = await found(scene)
        for (const [name, each] of expected) {
          for (const difference of each) assert.ok(differences.includes(difference), `${name}: ${difference}`)
        }
        assert.deepEqual(differences.toSorted(), [...expected.values()].flat().toSorted())
      })
    })

    void test('finds an entry that was removed from a journal, and audit verify says so', async () => {
      await withUse(engine, async (scene) => {
        const directory = scene.journals[1] ?? ''
        const path = join(directory, segmentName(1))
        const lines = readFileSync(path, 'utf8').split('\n')
        const removed = lines.findIndex((line) => line.includes('"type":"request_opened"'))
        const { change } = JSON.parse(lines[removed] ?? '') as { change: number }
        writeFileSync(path, lines.filter((_, index) => index !== removed).join('\n'))
        assert.deepEqual(await found(scene), [`change ${String(change)} not_in_journal`])
        const verified = await postern(['audit', 'verify', '--journal', directory])
        assert.equal(verified.code, 1)
        assert.match(verified.out, /NOT intact \(removed\)/u)
      })
    })

    void test('says what is where, and what to do', async () => {
      await withUse(engine, async (scene) => {
        await scene.raw(`update grants set until_ms = until_ms + 1000 where id = '${String(scene.active[0])}'`)
        const { code, out } = await audit(scene)
        assert.equal(code, 1)
        assert.match(out, /^The control store does NOT hold what the journal in .* tells: 1 difference\.\n/u)
        assert.match(
          out,
          new RegExp(
            `\\n  grant ${String(scene.active[0])} \\(change \\d+\\): the store does not have it as it is on record: until\\n`,
            'u',
          ),
        )
        assert.match(out, /postern revoke ID --reason TEXT/u)
        // Without the other gateway's journal its changes are on no record that is known of.
        const alone = await postern(['audit', 'store', '--config', scene.config])
        assert.equal(alone.code, 1)
        assert.match(alone.out, /no journal has it\n[^]*give the journal of each with --journal/u)
      })
    })
  })
}
