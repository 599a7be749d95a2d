import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Client } from 'pg'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import { encodeBind, encodeExecute, encodeParse, sync } from '../src/wire/frontend.ts'
import { RequestRates } from '../src/access/request-rates.ts'
import { as, askedRaw, type Caller, errorOf, eventually, people, waiting } from './support/approvals.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox, testPolicies } from './support/sandbox.ts'

const alice = 'alice@example.com'
const sam = 'sam@example.com'

const policies = `${testPolicies}
@id("deletes-are-agreed-to") @approvers("dba")
forbid (principal, action in [Action::"DELETE", Action::"TRUNCATE TABLE"], resource);
@id("support-writes")
permit (principal in Group::"support", action in [Action::"session", Action::"write"], resource);
@id("dba-sees-emails")
permit (principal in Group::"dba", action == Action::"unmask", resource in Tag::"pii.email");
`
const setUp = `
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, 'n' FROM generate_series(1, 3) n;
CREATE SCHEMA scratch;
CREATE TABLE scratch.orders (id int);
CREATE TABLE customers (id int, email text);
INSERT INTO customers SELECT n, 'secret' || (n % 7) || '@example.com' FROM generate_series(1, 1000) n;
CREATE SCHEMA payroll;
CREATE TABLE payroll.salaries (id int, salary int);
INSERT INTO payroll.salaries VALUES (1, 12345);
CREATE SCHEMA play;
GRANT USAGE, CREATE ON SCHEMA play TO PUBLIC;
ANALYZE;
`
const classification = `
tags:
  pii.email: redact
columns:
  public.customers:
    email: pii.email
`

/** A folder that PostgreSQL may write into, so that code that ran leaves a trace no roll-back takes away. */
let traces: string
const clients: Client[] = []
const raws: RawClient[] = []

before(async () => {
  traces = await mkdtemp(join(tmpdir(), 'postern-traces-'))
  chmodSync(traces, 0o777)
})

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => undefined)
  for (const raw of raws.splice(0)) raw.close()
})

after(async () => {
  await rm(traces, { recursive: true, force: true })
})

const connect = async (to: Sandbox, who = alice): Promise<Client> => {
  const client = await to.connect(who)
  client.on('error', () => undefined)
  clients.push(client)
  return client
}

const connectRaw = async (to: Sandbox, parameters: Readonly<Record<string, string>> = {}): Promise<RawClient> => {
  const raw = await RawClient.logIn({
    port: to.postern.port,
    ca: to.authority.certificate,
    parameters: { user: alice, database: 'shop', ...parameters },
    password: await to.issuer.issueToken({ identity: alice }),
  })
  raws.push(raw)
  return raw
}

const deny = async (by: Caller, { id, result }: { id: string; result: Promise<unknown> }): Promise<void> => {
  await by.deny(id)
  await errorOf(result)
}

/** Makes a function that planning takes for constant, and that leaves a file with that name where it runs. */
const trap = (schema: string, name: string): string => `
  CREATE FUNCTION ${schema}.${name}_really() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE 'COPY (SELECT current_user) TO ''${join(traces, name)}'''; RETURN true; END $$;
  CREATE FUNCTION ${schema}.${name}(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    RETURN ${schema}.${name}_really(); END $$;`

describe('before anybody has agreed', () => {
  let sandbox: Sandbox
  let dana: Caller

  before(async () => {
    sandbox = await startSandbox({ policies, classification, setUp, access: {} })
    dana = as(people.dana, sandbox)
  })
  after(async () => {
    await sandbox.stop()
  })

  describe("planning for the estimate runs nobody else's code", () => {
    const cases: Readonly<Record<string, { readonly make: string; readonly sql: string }>> = {
      view: {
        make: 'CREATE TABLE play.view_t (id int); CREATE VIEW play.view_v AS SELECT * FROM play.view_t WHERE play.view(1)',
        sql: 'DELETE FROM play.view_v',
      },
      policy: {
        make: `CREATE TABLE play.policy_t (id int); ALTER TABLE play.policy_t ENABLE ROW LEVEL SECURITY;
          ALTER TABLE play.policy_t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON play.policy_t USING (play.policy(1))`,
        sql: 'DELETE FROM play.policy_t',
      },
      condition: {
        make: 'CREATE TABLE play.condition_t (id int); ALTER TABLE play.condition_t ADD CHECK (id > 0 OR play.condition(1))',
        sql: 'DELETE FROM play.condition_t WHERE id = 1',
      },
      partition: {
        make: `CREATE TABLE play.partition_t (id int); CREATE TABLE play.partition_c () INHERITS (play.partition_t);
          ALTER TABLE play.partition_c ADD CHECK (play.partition(1))`,
        sql: 'DELETE FROM play.partition_t WHERE id = 1',
      },
      operator: {
        make: `CREATE TABLE play.operator_t (id int);
          CREATE FUNCTION play.operator_f(int, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN play.operator_really(); END $$;
          CREATE OPERATOR public.= (FUNCTION = play.operator_f, LEFTARG = int, RIGHTARG = text)`,
        sql: `DELETE FROM play.operator_t WHERE 1 = ('1'::text)`,
      },
      attribute: {
        make: `CREATE TABLE play.attribute_t (id int);
          CREATE FUNCTION public.attribute_f(play.attribute_t) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN play.attribute_really(); END $$`,
        sql: 'DELETE FROM play.attribute_t WHERE (NULL::play.attribute_t).attribute_f',
      },
    }
    for (const [name, { make, sql }] of Object.entries(cases)) {
      test(`in a ${name}`, async () => {
        await sandbox.postgres.query('shop', `${trap('play', name)} ${make}`)
        // PostgreSQL looks at a new condition at once.
        await rm(join(traces, name), { force: true })
        const client = await connect(sandbox)
        const sought = waiting(client, () => client.query(sql))
        // Some of these are refused outright, which is as well.
        const waits = await sought.catch(() => null)
        if (waits !== null) await deny(dana, waits)
        assert.ok(!(await readdir(traces)).includes(name))
      })
    }

    test('but what has none of it is planned', async () => {
      const other = await startSandbox({ policies, setUp, access: {} })
      try {
        const client = await connect(other)
        const by = as(people.dana, other)
        const waits = await waiting(client, () => client.query('DELETE FROM orders'))
        assert.equal((await by.request(waits.id)).statement?.estimate?.rows, 3)
        await deny(by, waits)
      } finally {
        for (const client of clients.splice(0)) await client.end()
        await other.stop()
      }
    })
  })
})

describe('what is hidden by masking', () => {
  let sandbox: Sandbox
  let dana: Caller

  before(async () => {
    sandbox = await startSandbox({ policies, classification, setUp, access: {} })
    dana = as(people.dana, sandbox)
  })
  after(async () => {
    await sandbox.stop()
  })

  test('is not told by the estimate of a request that is asked for and withdrawn', async () => {
    const client = await connect(sandbox, sam)
    const own = as(people.sam, sandbox)
    const shown: unknown[] = []
    for (const guess of ['secret1@example.com', 'nobody@example.com']) {
      const waits = await waiting(client, () => client.query(`DELETE FROM customers WHERE email = '${guess}'`))
      const mine = await own.request(waits.id)
      const page = await (
        await fetch(`${sandbox.postern.apiUrl ?? ''}/api/v1/requests?state=pending`, {
          headers: { authorization: `Bearer ${await sandbox.issuer.issueToken({ identity: sam })}` },
        })
      ).text()
      shown.push(mine.statement?.estimate)
      assert.doesNotMatch(page, /"estimate":\{/)
      // Who may see the values may see how many there are.
      assert.notEqual((await dana.request(waits.id)).statement?.estimate, null)
      await deny(dana, waits)
      shown.push((await own.request(waits.id)).statement?.estimate)
    }
    assert.deepEqual(shown, [null, null, null, null])
  })

  test('is in no file of the control store or the journal once the request is over', async () => {
    const client = await connect(sandbox, sam)
    const waits = await waiting(client, () =>
      client.query('DELETE FROM customers WHERE email = $1', ['canary7@example.com']),
    )
    await deny(dana, waits)
    const entries = JSON.stringify(await sandbox.entries())
    assert.doesNotMatch(entries, /canary7/)
    const all = await eventually(async () => {
      const found = await as(people.sam, sandbox).request(waits.id)
      return found.state === 'denied' ? found : null
    })
    assert.doesNotMatch(JSON.stringify(all), /canary7/)
  })
})

describe('what an approver is shown', () => {
  let sandbox: Sandbox
  let dana: Caller

  before(async () => {
    sandbox = await startSandbox({ policies, setUp, access: {} })
    dana = as(people.dana, sandbox)
  })
  after(async () => {
    await sandbox.stop()
  })

  test('is all of every parameter, however long and however many', async () => {
    const client = await connect(sandbox)
    const long = `${'x'.repeat(5_000)}END`
    const many = Array.from({ length: 40 }, (_, index) => `${String(index)}${'y'.repeat(1_000)}`)
    const text = `DELETE FROM orders WHERE note IN (${['', ...many].map((_, index) => `$${String(index + 1)}`).join(', ')})`
    const waits = await waiting(client, () => client.query(text, [long, ...many]))
    assert.deepEqual((await dana.request(waits.id)).statement?.parameters, [long, ...many])
    await deny(dana, waits)
  })

  test('is all of an array in binary', async () => {
    const raw = await connectRaw(sandbox)
    const elements = Array.from({ length: 2_000 }, (_, index) => index)
    const array = Buffer.alloc(20 + elements.length * 8)
    for (const [place, value] of [1, 0, 23, elements.length, 1].entries()) array.writeInt32BE(value, place * 4)
    for (const [place, value] of elements.entries()) {
      array.writeInt32BE(4, 20 + place * 8)
      array.writeInt32BE(value, 24 + place * 8)
    }
    raw.send(
      encodeParse({ sql: 'DELETE FROM orders WHERE id = ANY ($1)', parameterTypes: [1007] }),
      encodeBind({ portal: '', statement: '', parameterFormats: [1], parameters: [array], resultFormats: [] }),
      encodeExecute('', 0),
      sync,
    )
    const { id } = await askedRaw(raw)
    const [shown] = (await dana.request(id)).statement?.parameters ?? []
    assert.ok(shown === `\\x${array.toString('hex')}` || shown?.endsWith(',1999}') === true, shown?.slice(-40))
    await dana.deny(id)
  })

  test('says where names are looked for, where that is not where they seem to be', async () => {
    const client = await connect(sandbox)
    const usual = await waiting(client, () => client.query('DELETE FROM orders'))
    assert.deepEqual((await dana.request(usual.id)).statement?.relations, ['orders'])
    await deny(dana, usual)
    await client.query('SET search_path = scratch, public')
    const unusual = await waiting(client, () => client.query('DELETE FROM orders USING public.customers'))
    const shown = (await dana.request(unusual.id)).statement?.relations
    assert.deepEqual(shown, ['orders (search_path: scratch, public)', 'public.customers'])
    await deny(dana, unusual)
    const options = await sandbox.connect(alice, { options: '-c search_path=scratch,public' })
    clients.push(options)
    const begun = await waiting(options, () => options.query('DELETE FROM orders'))
    assert.deepEqual((await dana.request(begun.id)).statement?.relations, ['orders (search_path: scratch, public)'])
    await deny(dana, begun)
  })

  const codeOf = async (raw: RawClient): Promise<string> => {
    const frames = await raw.until(backend.ReadyForQuery)
    const error = frames.find(({ type }) => type === backend.ErrorResponse)
    return error === undefined ? '' : (decodeErrorResponse(error.body).get('C') ?? '')
  }

  test('is never another text than PostgreSQL reads, as in an encoding of the client: it is refused', async () => {
    const raw = await connectRaw(sandbox, { client_encoding: 'LATIN1' })
    const bound = (bytes: Buffer): Buffer[] => [
      encodeParse({ sql: 'DELETE FROM orders WHERE note = $1', parameterTypes: [25] }),
      encodeBind({ portal: '', statement: '', parameterFormats: [], parameters: [bytes], resultFormats: [] }),
      encodeExecute('', 0),
      sync,
    ]
    // In UTF-8 one letter, in LATIN1 two.
    raw.send(...bound(Buffer.from('é')))
    assert.equal(await codeOf(raw), '0A000')
    raw.send(...bound(Buffer.from('plain')))
    const { id } = await askedRaw(raw)
    await dana.deny(id)
    assert.equal(await codeOf(raw), '42501')
  })
})

describe('who asks', () => {
  let sandbox: Sandbox
  let dana: Caller

  before(async () => {
    sandbox = await startSandbox({ policies, setUp, access: {} })
    dana = as(people.dana, sandbox)
  })
  after(async () => {
    await sandbox.stop()
  })

  test('does not agree by another subject of the same name, in whatever letters, nor by what acts for them', async () => {
    const client = await connect(sandbox)
    const waits = await waiting(client, () => client.query('DELETE FROM orders'))
    const dba = { sub: 'u-other', groups: ['dba'] }
    for (const name of ['alice@example.com', 'ALICE@example.com', 'Alice@Example.COM', '\uff41lice@example.com']) {
      const other = as(
        { identity: 'dana@example.com', claims: { ...dba, preferred_username: name, email: name } },
        sandbox,
      )
      const answer = await other.post(`/requests/${waits.id}/approve`, {})
      assert.equal(answer.status, 403, `${name} ${JSON.stringify(answer.body)}`)
    }
    const acting = { ...dba, act: { sub: 'u-alice' } }
    assert.ok(
      (await as({ identity: 'dana@example.com', claims: acting }, sandbox).post(`/requests/${waits.id}/approve`, {}))
        .status >= 400,
    )
    assert.equal((await dana.request(waits.id)).state, 'pending')
    await deny(dana, waits)
  })

  test('has no use of a session token but to open sessions', async () => {
    const issued = await fetch(`${sandbox.postern.apiUrl ?? ''}/api/v1/tokens`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await sandbox.issuer.issueToken({ identity: 'dana@example.com' })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ database: 'shop', for: '10m' }),
    })
    const { secret } = (await issued.json()) as { secret: string }
    for (const path of ['/me', '/requests', '/grants', '/sessions']) {
      const answer = await fetch(`${sandbox.postern.apiUrl ?? ''}/api/v1${path}`, {
        headers: { authorization: `Bearer ${secret}` },
      })
      assert.equal(answer.status, 401, path)
    }
  })

  test('cannot ask in a loop for ever: what is withdrawn counts as well', () => {
    const rates = new RequestRates()
    const subject = { issuer: 'https://idp.example.com', subject: 'u-alice' }
    const at = (nowMs: number) => ({ nowMs, waitingMax: 2 })
    for (let count = 0; count < 20; count += 1) rates.take(subject, at(1_000 + count))
    assert.throws(() => rates.take(subject, at(2_000)), { code: 'limit_exceeded' })
    rates.take({ ...subject, subject: 'u-bob' }, at(2_000))
    rates.take(subject, at(3_700_000))
    // A clock that goes back opens a new hour, and no more than that.
    rates.take(subject, at(5))
  })
})

describe('a database role of a session', () => {
  let sandbox: Sandbox
  let dana: Caller

  before(async () => {
    sandbox = await startSandbox({ policies, setUp, access: {}, usesEphemeralRoles: true })
    dana = as(people.dana, sandbox)
  })
  after(async () => {
    await sandbox.stop()
  })

  test('gets nothing run by the service role, by having what it made planned', async () => {
    const client = await connect(sandbox)
    await client.query(trap('play', 'escape').split('$$;')[0] + '$$')
    await client.query(trap('play', 'escape').split('$$;')[1] + '$$')
    await client.query('CREATE TABLE play.escape_t (id int)')
    await client.query('CREATE VIEW play.escape_v AS SELECT * FROM play.escape_t WHERE play.escape(1)')
    const waits = await waiting(client, () => client.query('DELETE FROM play.escape_v'))
    await deny(dana, waits)
    assert.ok(!(await readdir(traces)).includes('escape'))
    // Whatever could be made between looking and planning: nothing is planned at all.
    const plain = await waiting(client, () => client.query('DELETE FROM orders'))
    assert.equal((await dana.request(plain.id)).statement?.estimate, null)
    await deny(dana, plain)
  })

  test('leaves nothing behind that acts with the privileges of the service role', async () => {
    const client = await connect(sandbox)
    await client.query(`CREATE FUNCTION play.left_function(text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
      AS $$ DECLARE found text; BEGIN EXECUTE $1 INTO found; RETURN found; END $$`)
    await client.query('CREATE PROCEDURE play.left_procedure() LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$')
    await client.query('CREATE VIEW play.left_view AS SELECT * FROM payroll.salaries')
    await client.query('GRANT SELECT ON play.left_view TO PUBLIC')
    await client.query('CREATE TABLE play.left_table (id int); GRANT ALL ON play.left_table TO PUBLIC')
    await client.query(`CREATE RULE left_rule AS ON INSERT TO play.left_table
      DO ALSO UPDATE payroll.salaries SET salary = 0`)
    const [{ role } = { role: '' }] = (await client.query<{ role: string }>('SELECT current_user AS role')).rows
    await client.end()
    await eventually(async () => {
      const rows = await sandbox.postgres.query('shop', `SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)
      return rows.length === 0
    })
    assert.deepEqual(
      await sandbox.postgres.query(
        'shop',
        `SELECT (SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'play'::regnamespace AND prosecdef) AS definers,
          (SELECT count(*)::int FROM pg_rules WHERE schemaname = 'play') AS rules,
          (SELECT reloptions::text FROM pg_class WHERE relname = 'left_view') AS view`,
      ),
      [{ definers: 0, rules: 0, view: '{security_invoker=true}' }],
    )
    await sandbox.postgres.query('shop', 'CREATE ROLE nobody_at_all; GRANT USAGE ON SCHEMA play TO nobody_at_all')
    const asNobody = (sql: string): Promise<unknown> => sandbox.postgres.query('shop', `SET ROLE nobody_at_all; ${sql}`)
    await assert.rejects(asNobody('SELECT * FROM play.left_view'), { code: '42501' })
    await assert.rejects(asNobody(`SELECT play.left_function('SELECT salary::text FROM payroll.salaries')`), {
      code: '42501',
    })
    await asNobody('INSERT INTO play.left_table VALUES (1)')
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT salary FROM payroll.salaries'), [{ salary: 12_345 }])
  })
})
