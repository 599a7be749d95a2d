import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Pruning } from '../core/control-store.ts'
import type { GatewayId } from '../core/ids.ts'
import { newGatewayId, newSessionId } from '../core/ids.ts'
import { openControlStore } from './store.ts'
import { noteOf, sessionOf, statementRequest, testEngines, tokenOf } from './testing.ts'

const gateway = (name: string): GatewayId => `g_${name}` as GatewayId
const mine = gateway('a')

const pruning: Pruning = { by: mine, aliveSinceMs: 9_000, endedBeforeMs: 1_000, notSeenSinceMs: 5_000, rowsMax: 100 }
const ended = (atMs: number) => ({ ended: { atMs, why: 'expired' } as const })

for (const engine of testEngines()) {
  describe(`pruning on ${engine.kind}`, { timeout: 120_000 }, () => {
    before(async () => engine.start())
    after(async () => engine.stop())

    it('removes what ended long ago and nobody refers to, and nothing else', async () => {
      const options = engine.fresh()
      const store = await openControlStore(options)
      const tokens = [tokenOf(ended(999)), tokenOf(ended(1_000)), tokenOf(), tokenOf(ended(10)), tokenOf(ended(10))]
      const [old, young, live, used, freed] = tokens
      assert.ok(old && young && live && used && freed)
      const sessions = [
        sessionOf({ gateway: mine, endedAtMs: 999, token: freed.id }),
        sessionOf({ gateway: mine, endedAtMs: 1_000 }),
        sessionOf({ gateway: mine, endedAtMs: null, token: used.id }),
      ]
      await store.change(async (changes) => {
        for (const token of tokens) await changes.insertToken(token)
        for (const session of sessions) await changes.insertSession(session)
      })
      assert.equal(await store.prune(pruning), 3)
      assert.equal(await store.prune(pruning), 0)
      await store.read(async (reads) => {
        const left = await Promise.all(tokens.map(async ({ id }) => (await reads.token(id)) !== null))
        assert.deepEqual(left, [false, true, true, true, false])
        const open = await Promise.all(sessions.map(async ({ id }) => (await reads.session(id)) !== null))
        assert.deepEqual(open, [false, true, true])
      })
      await store.close()
    })

    it('removes gateways that are long gone, except those that a session, a request or a change names', async () => {
      const options = engine.fresh()
      const store = await openControlStore(options)
      const names = ['gone', 'session', 'request', 'change', 'quiet']
      for (const name of names) await store.touchGateway(gateway(name), name === 'quiet' ? 5_000 : 4_999)
      await store.touchGateway(mine, 9_500)
      await store.change(async (changes) => {
        await changes.insertSession(sessionOf({ gateway: gateway('session') }))
        await changes.insertRequest(statementRequest({ gateway: gateway('request') }))
        await changes.note(noteOf('r_1', { gateway: gateway('change') }))
      })
      assert.equal(await store.prune(pruning), 1)
      const left = await store.read((reads) => reads.gatewaysNotSeenSince(9_000))
      assert.deepEqual(left.toSorted(), names.slice(1).map(gateway).toSorted())
      // One that comes back after it was removed is there again, whatever it does first.
      await store.change((changes) => changes.note(noteOf('r_2', { gateway: gateway('gone') })))
      await store.close()
    })

    it('is done by one of the gateways that are alive, a batch at a time', async () => {
      const options = engine.fresh()
      const store = await openControlStore(options)
      const other = gateway('b')
      await store.touchGateway(mine, 9_000)
      await store.touchGateway(other, 9_500)
      await store.change(async (changes) => {
        for (let made = 0; made < 5; made += 1) {
          await changes.insertSession(sessionOf({ id: newSessionId(), gateway: newGatewayId(), endedAtMs: 1 }))
        }
      })
      assert.equal(await store.prune({ ...pruning, by: other }), 0)
      assert.equal(await store.prune({ ...pruning, by: other, aliveSinceMs: 9_001, rowsMax: 2 }), 2)
      assert.equal(await store.prune({ ...pruning, rowsMax: 3, notSeenSinceMs: 0 }), 3)
      await assert.rejects(async () => store.prune({ ...pruning, rowsMax: 0 }), { code: 'input_invalid' })
      await store.close()
    })
  })
}
