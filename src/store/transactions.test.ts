import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { ControlStore, StoreChanges } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { newGatewayId } from '../core/ids.ts'
import { openControlStore } from './store.ts'
import type { ControlStoreOptions } from './store.ts'
import {
  accessRequest,
  approvalOf,
  bob,
  gateway,
  grantOf,
  noteOf,
  party,
  startProcess,
  statementRequest,
  testEngines,
} from './testing.ts'

const refused = (code: string) => (error: unknown) => error instanceof PosternError && error.code === code

/** Waits until it is so, half a minute at most. */
async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, 'it did not become so')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

for (const engine of testEngines()) {
  describe(`transactions of the control store on ${engine.kind}`, { timeout: 120_000 }, () => {
    let options: ControlStoreOptions
    let one: ControlStore
    let two: ControlStore

    before(async () => {
      await engine.start()
      options = engine.fresh()
      one = await openControlStore(options)
      two = await openControlStore(options)
    })
    after(async () => {
      await one.close()
      await two.close()
      await engine.stop()
    })

    it('keeps nothing of work that throws, and throws the same', async () => {
      const grant = grantOf()
      const bug = new Error('a bug')
      let runs = 0
      const attack = one.change(async (changes) => {
        runs += 1
        await changes.insertGrant(grant)
        await changes.note(noteOf(grant.id))
        throw bug
      })
      await assert.rejects(attack, (error) => error === bug)
      assert.equal(runs, 1)
      assert.equal(await one.read((reads) => reads.grant(grant.id)), null)
      assert.equal((await one.changesAfter(0, 10)).length, 0)
    })

    it('keeps nothing where a step failed, even if the work goes on as if it had not', async () => {
      const [first, last] = [grantOf(), grantOf()]
      const attack = one.change(async (changes) => {
        await changes.insertGrant(first)
        await changes.insertGrant(first).catch((error: unknown) => error)
        await changes.insertGrant(last).catch((error: unknown) => error)
      })
      await assert.rejects(attack, refused('internal'))
      assert.equal(await one.read((reads) => reads.grant(first.id)), null)
      assert.equal(await one.read((reads) => reads.grant(last.id)), null)
    })

    it('keeps nothing where a step was not waited for', async () => {
      const grant = grantOf()
      const attack = one.change(async (changes) => {
        void changes.insertGrant(grant)
      })
      await assert.rejects(attack, refused('internal'))
      assert.equal(await one.read((reads) => reads.grant(grant.id)), null)
    })

    it('refuses steps after the end, so that they are in nobody else’s transaction', async () => {
      let kept: StoreChanges | undefined
      await one.change(async (changes) => {
        kept = changes
      })
      const grant = grantOf()
      await one.change(async () => {
        await assert.rejects(Promise.resolve(kept?.insertGrant(grant)), refused('internal'))
      })
      assert.equal(await one.read((reads) => reads.grant(grant.id)), null)
    })

    it('undoes work that takes too long, and goes on', async () => {
      const hasty = await openControlStore(options, { workMsMax: 100 })
      const grant = grantOf()
      let late: Promise<void> | undefined
      const attack = hasty.change(async (changes) => {
        await changes.insertGrant(grant)
        await new Promise((resolve) => setTimeout(resolve, 300))
        late = changes.insertGrant(grantOf())
        await late
      })
      await assert.rejects(attack, refused('store_unavailable'))
      await two.change((changes) => changes.note(noteOf('after')))
      await until(() => late !== undefined)
      await assert.rejects(Promise.resolve(late), refused('internal'))
      assert.equal(await one.read((reads) => reads.grant(grant.id)), null)
      await hasty.close()
    })

    it('reads one state, whatever is committed meanwhile, and writes nothing', async () => {
      const grant = grantOf()
      await one.read(async (reads) => {
        assert.equal(await reads.grant(grant.id), null)
        await two.change((changes) => changes.insertGrant(grant))
        assert.equal(await reads.grant(grant.id), null)
        assert.equal('insertGrant' in reads, false)
      })
      assert.deepEqual(await one.read((reads) => reads.grant(grant.id)), grant)
    })

    it('lets exactly one of two stores answer a request', async () => {
      for (let round = 0; round < 25; round += 1) {
        const request = statementRequest()
        await one.change((changes) => changes.insertRequest(request))
        const answer = (store: ControlStore, name: string) =>
          store.change(async (changes) => {
            const found = await changes.request(request.id)
            if (found?.state.state !== 'pending') return false
            // Gives the other one every chance to come in between.
            await turn()
            const by = party(name)
            await changes.insertApproval(approvalOf(request.id, { approver: by, answer: 'deny' }))
            await changes.updateRequest({ ...found, state: { state: 'denied', atMs: 5, by, comment: '' } })
            return true
          })
        const won = await Promise.all([answer(one, 'bob'), answer(two, 'carol'), answer(one, 'dave')])
        assert.equal(won.filter(Boolean).length, 1)
        assert.equal((await two.read((reads) => reads.approvals(request.id))).length, 1)
      }
    })

    it('lets exactly one of two processes answer each request', async () => {
      const requests = Array.from({ length: 40 }, () => statementRequest())
      await one.change(async (changes) => {
        for (const request of requests) await changes.insertRequest(request)
      })
      const ids = requests.map(({ id }) => id)
      const answered = await Promise.all(
        ['bob', 'carol', 'dave'].map((name) => startProcess('answer', { store: options, requests: ids, name })),
      )
      assert.ok(answered.every((lines) => lines.at(-1) === 'done'))
      const won = answered.flatMap((lines) => lines.slice(0, -1))
      assert.deepEqual(won.toSorted(), ids.toSorted())
    })

    it('numbers changes so that whoever has seen one has seen all before it', async () => {
      const shared = engine.fresh()
      const stores = await Promise.all([1, 2, 3].map(() => openControlStore(shared)))
      const processes = [1, 2].map(() => startProcess('note', { store: shared, count: 60 }))
      const writing = { isOver: false }
      const written = Promise.all([
        ...stores.flatMap((store) =>
          Array.from({ length: 40 }, () => store.change((changes) => changes.note(noteOf('x')))),
        ),
        ...processes,
      ]).finally(() => {
        writing.isOver = true
      })
      const [reader] = stores
      assert.ok(reader !== undefined)
      const seen: number[] = []
      for (let isLast = false; ;) {
        const fresh = await reader.changesAfter(seen.at(-1) ?? 0, 7)
        seen.push(...fresh.map(({ seq }) => seq))
        if (isLast && fresh.length === 0) break
        isLast = writing.isOver
      }
      await written
      const all = await reader.changesAfter(0, 10_000)
      assert.equal(all.length, 3 * 40 + 2 * 60)
      assert.deepEqual(
        seen,
        all.map(({ seq }) => seq),
      )
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      )
      await Promise.all(stores.map((store) => store.close()))
    })

    it('opens a thousand requests at once', async () => {
      const crowd = await openControlStore(engine.fresh())
      const requests = Array.from({ length: 1_000 }, () => statementRequest())
      await Promise.all(
        requests.map((request) =>
          crowd.change(async (changes) => {
            await changes.insertRequest(request)
            await changes.note(noteOf(request.id))
          }),
        ),
      )
      const found = await crowd.read((reads) => reads.requests({ states: ['pending'], limit: 2_000 }))
      assert.deepEqual(found.map(({ id }) => id).toSorted(), requests.map(({ id }) => id).toSorted())
      assert.equal((await crowd.changesAfter(0, 2_000)).length, 1_000)
      await crowd.close()
    })

    it('hands on what is not on record: own changes, and those of gateways that are gone', async () => {
      const outbox = await openControlStore(engine.fresh())
      const [gone, silent] = [newGatewayId(), newGatewayId()]
      const note = (of: typeof gateway, id: string) =>
        outbox.change((changes) => changes.note({ ...noteOf(id), gateway: of, atMs: 500 }))
      const first = await note(gateway, 'a')
      const second = await note(gone, 'b')
      const third = await note(silent, 'c')
      const fourth = await note(gateway, 'd')
      await outbox.touchGateway(gateway, 2_000)
      await outbox.touchGateway(gone, 1_000)
      const due = async (notSeenSinceMs: number) => (await outbox.unjournalled({ gateway, notSeenSinceMs })).map(seqOf)
      assert.deepEqual(await due(0), [first, fourth])
      assert.deepEqual(await due(600), [first, third, fourth])
      assert.deepEqual(await due(1_001), [first, second, third, fourth])
      await outbox.markJournalled([first, third, third])
      await outbox.markJournalled([first])
      await outbox.markJournalled([])
      assert.deepEqual(await due(1_001), [second, fourth])
      await assert.rejects(outbox.markJournalled([second, 999]), refused('internal'))
      assert.deepEqual(await due(1_001), [second, fourth])
      const all = await outbox.changesAfter(0, 10)
      assert.deepEqual(
        all.map(({ isJournalled }) => isJournalled),
        [true, false, true, false],
      )
      assert.deepEqual(all[0], { ...noteOf('a'), atMs: 500, seq: first, isJournalled: true })
      assert.deepEqual((await outbox.changesAfter(second, 1)).map(seqOf), [third])
      await outbox.close()
    })

    it('marks a thousand changes at once', async () => {
      const outbox = await openControlStore(engine.fresh())
      const seqs = await outbox.change(async (changes) => {
        const noted: number[] = []
        for (let n = 0; n < 1_100; n += 1) noted.push(await changes.note(noteOf(String(n))))
        return noted
      })
      await outbox.markJournalled(seqs)
      assert.deepEqual(await outbox.unjournalled({ gateway, notSeenSinceMs: 1e12 }), [])
      await outbox.close()
    })

    it('tells listeners of both stores of commits and of what is on record, once for several', async () => {
      const calls = { one: 0, two: 0, broken: 0 }
      const faults: unknown[] = []
      const deaf = await openControlStore(options, { onFault: (error) => faults.push(error) })
      const stops = [
        one.onChange(() => (calls.one += 1)),
        two.onChange(() => (calls.two += 1)),
        deaf.onChange(() => {
          calls.broken += 1
          throw new Error('a bug in a listener')
        }),
      ]
      await until(() => calls.two > 0 && calls.broken > 0)
      const before = { ...calls }
      const seqs = await one.change(async (changes) => [
        await changes.note(noteOf('x')),
        await changes.note(noteOf('y')),
      ])
      await until(() => calls.one > before.one && calls.two > before.two && calls.broken > before.broken)
      assert.match(String(faults[0]), /a bug in a listener/u)
      const between = { ...calls }
      await two.markJournalled(seqs)
      await until(() => calls.one > between.one && calls.two > between.two)
      const crowd = calls.two
      await Promise.all(Array.from({ length: 50 }, () => two.change((changes) => changes.note(noteOf('x')))))
      assert.ok(calls.two - crowd <= 55)
      for (const stop of stops) stop()
      const silent = { ...calls }
      await one.change((changes) => changes.note(noteOf('x')))
      await turn()
      assert.equal(calls.one, silent.one)
      await deaf.close()
    })

    it('loses nothing acknowledged and keeps nothing half when it is killed', async () => {
      const shared = engine.fresh()
      const acknowledged: string[] = []
      for (let kills = 0; kills < 3; kills += 1) {
        let some = 0
        const said = await startProcess(
          'fill',
          { store: shared },
          {
            onLine: (_line, child) => {
              some += 1
              if (some === 20 + kills) child.kill('SIGKILL')
            },
          },
        )
        acknowledged.push(...said)
      }
      const after = await openControlStore(shared)
      const requests = await after.read((reads) => reads.requests({ limit: 10_000 }))
      const known = new Set<string>(requests.map(({ id }) => id))
      assert.ok(acknowledged.length >= 60)
      assert.ok(acknowledged.every((id) => known.has(id)))
      const noted = (await after.changesAfter(0, 10_000)).map(({ facts }) => String(facts['request']))
      assert.deepEqual(noted.toSorted(), [...known].toSorted())
      for (const { id } of requests) {
        assert.equal((await after.read((reads) => reads.approvals(id))).length, 1)
      }
      await after.change((changes) => changes.note(noteOf('and it goes on')))
      await after.close()
    })

    it('finishes what is under way when it is closed, and refuses the rest', async () => {
      const closing = await openControlStore(options)
      const grant = grantOf({ principal: bob })
      const started = Promise.withResolvers<void>()
      const under = closing.change(async (changes) => {
        started.resolve()
        await turn()
        await changes.insertGrant(grant)
      })
      await started.promise
      const waiting = closing.change((changes) => changes.insertRequest(accessRequest()))
      const closed = closing.close()
      await assert.rejects(waiting, refused('store_unavailable'))
      await under
      await closed
      await closing.close()
      await assert.rejects(
        closing.read((reads) => reads.requests({})),
        refused('store_unavailable'),
      )
      assert.deepEqual(await one.read((reads) => reads.grant(grant.id)), grant)
    })

    it('uses its indexes for what is asked often', async () => {
      const indexed: readonly [string, RegExp][] = [
        [`select * from requests where state in ('pending') order by created_at_ms desc`, /requests_by_state/u],
        [
          `select * from grants where principal_subject = 'a' and principal_issuer = 'b' and ended_at_ms is null`,
          /grants_active/u,
        ],
        [`select * from changes where is_journalled = 0 and gateway = 'g' order by seq`, /changes_unjournalled/u],
        [`select * from sessions where gateway = 'g' and ended_at_ms is null`, /sessions_(?:active|by_gateway)/u],
      ]
      for (const [query, index] of indexed) {
        // So small a table PostgreSQL would rather read whole.
        const plan = await engine.raw(
          options,
          engine.kind === 'sqlite' ? `explain query plan ${query}` : `set enable_seqscan = off; explain ${query}`,
        )
        assert.match(JSON.stringify(plan), index)
      }
    })
  })
}

function seqOf({ seq }: { readonly seq: number }): number {
  return seq
}
