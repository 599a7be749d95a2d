import { writeSync } from 'node:fs'
import { PosternError } from '../core/errors.ts'
import type { RequestId } from '../core/ids.ts'
import { openControlStore } from './store.ts'
import type { ControlStoreOptions } from './store.ts'
import { approvalOf, noteOf, party, statementRequest } from './testing.ts'

/*
 * Another process that uses a store: `open` opens it and says how that went, `fill` changes it until it is killed,
 * `answer` tries to be the first to answer requests, `note` notes so many changes. Lines are written at once, so that
 * what was said was said before a kill.
 */

interface Input {
  readonly store: ControlStoreOptions
  readonly requests?: readonly RequestId[]
  readonly name?: string
  readonly count?: number
}

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}

const [, , job = '', json = '{}'] = process.argv
const input = JSON.parse(json) as Input

try {
  const store = await openControlStore(input.store)
  if (job === 'fill') {
    for (;;) {
      const request = statementRequest()
      await store.change(async (changes) => {
        await changes.insertRequest(request)
        await changes.insertApproval(approvalOf(request.id))
        await changes.note(noteOf(request.id))
      })
      say(request.id)
    }
  }
  if (job === 'answer') {
    for (const id of input.requests ?? []) {
      const isFirst = await store.change(async (changes) => {
        const request = await changes.request(id)
        if (request?.state.state !== 'pending') return false
        const by = party(input.name ?? '')
        await changes.insertApproval(approvalOf(id, { approver: by, answer: 'deny' }))
        await changes.updateRequest({ ...request, state: { state: 'denied', atMs: 5, by, comment: '' } })
        await changes.note(noteOf(id))
        return true
      })
      if (isFirst) say(id)
    }
  }
  if (job === 'note') {
    for (let n = 0; n < (input.count ?? 0); n += 1) await store.change((changes) => changes.note(noteOf(String(n))))
  }
  await store.close()
  say('done')
} catch (error) {
  if (!(error instanceof PosternError)) throw error
  say(`${error.code}: ${error.message}`)
}
