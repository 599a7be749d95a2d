import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createAccess, type Access } from '../access/access.ts'
import { wishOf } from '../access/testing.ts'
import type { ControlStore } from '../core/control-store.ts'
import { newGatewayId } from '../core/ids.ts'
import { openControlStore } from '../store/store.ts'
import { supportRole } from './testing-access.ts'
import { csrfOf, logIn, startTestApi, type TestApi, visitor } from './testing.ts'

let on: TestApi
let access: Access
let store: ControlStore
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-api-'))
  store = await openControlStore({ kind: 'sqlite', file: join(folder, 'control.db') })
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  access = await createAccess({
    store,
    gateway: newGatewayId(),
    roles: new Map([[supportRole.name, supportRole]]),
    record: () => Promise.resolve(),
    settings: {
      statementWaitMs: 600_000,
      accessRequestWaitMs: 86_400_000,
      storeStalenessMs: 300_000,
      requestsPerPrincipalMax: 50,
      pendingRequestsMax: 5_000,
      auditors: [],
      admins: [],
    },
    log: silent,
  })
  on = await startTestApi({ services: { access, revokedBeforeMs: (subject) => access.revokedBeforeMs(subject) } })
})
after(async () => {
  await on.stop()
  await access.close()
  await store.close()
  await rm(folder, { recursive: true })
})

const alice = 'alice@example.com'

test('a yes on the page lets the statement that waits run, once', async () => {
  const wish = wishOf(await on.principal(alice))
  const filed = await access.file(wish)
  const dana = visitor(on.api.url)
  await logIn(dana, 'u-1002', `/r/${filed.id}`)
  const page = await (await dana.get(`/r/${filed.id}`)).text()
  const answer = { csrf: csrfOf(page), answer: 'approve', comment: 'fine' }
  assert.equal((await dana.submit(`/r/${filed.id}`, answer)).status, 303)
  assert.equal((await filed.outcome).outcome, 'approved')
  const use = { binding: wish.binding, requirements: wish.requirements }
  assert.equal(await filed.use(use), true)
  assert.equal(await filed.use(use), false)
  const late = await dana.submit(`/r/${filed.id}`, answer)
  assert.equal(late.status, 409)
  assert.match(await late.text(), /This is already decided/)
  const shown = (await (await on.call('dana@example.com', `/api/v1/requests/${filed.id}`)).json()) as { state: string }
  assert.equal(shown.state, 'used')
  assert.equal((await on.call('sam@example.com', `/api/v1/requests/${filed.id}`)).status, 404)
})

test('a role is asked for by one, given by another, seen as access, and revoked over the API', async () => {
  const wish = { role: 'support-lead', for: '2h', reason: 'INC-1234' }
  const asked = (await (await on.post(alice, '/api/v1/requests', wish)).json()) as { id: string }
  assert.equal((await on.post(alice, `/api/v1/requests/${asked.id}/approve`, {})).status, 403)
  const approved = await on.post('dana@example.com', `/api/v1/requests/${asked.id}/approve`, {})
  const body = (await approved.json()) as { state: string; outcome: { grant: string } }
  assert.equal(body.state, 'granted', JSON.stringify(body))
  const mine = visitor(on.api.url)
  await logIn(mine, 'u-1001')
  assert.match(await (await mine.get('/')).text(), /support-lead/)
  const revoked = await on.post('dana@example.com', '/api/v1/grants/revoke', {
    grant: body.outcome.grant,
    reason: 'over',
  })
  assert.equal(((await revoked.json()) as { grants: unknown[] }).grants.length, 1)
  const left = (await (await on.call(alice, '/api/v1/grants?active=true')).json()) as { grants: unknown[] }
  assert.deepEqual(left.grants, [])
})
