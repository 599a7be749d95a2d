import assert from 'node:assert/strict'
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadPolicySet, watchPolicies } from './policy.ts'

const good = 'permit (principal, action == Action::"connect", resource);\n'

interface Watched {
  readonly directory: string
  /** What was reported since the last call, waiting for the first report. */
  readonly next: () => Promise<string>
  readonly reports: readonly string[]
}

async function watching(pollMs: number, use: (watched: Watched) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-policy-'))
  await writeFile(join(directory, 'a.cedar'), good)
  const stop = new AbortController()
  const reports: string[] = []
  const waiting: ((report: string) => void)[] = []
  const report = (text: string) => {
    const waiter = waiting.shift()
    if (waiter === undefined) reports.push(text)
    else waiter(text)
  }
  const done = watchPolicies(directory, {
    current: await loadPolicySet(directory),
    onLoaded: (set) => report(`loaded ${String(set.policies.length)}`),
    onFailed: (error) => report(`failed ${error.message}`),
    signal: stop.signal,
    pollMs,
  })
  const next = () => {
    const report = reports.shift()
    if (report !== undefined) return Promise.resolve(report)
    return new Promise<string>((resolve) => {
      waiting.push(resolve)
    })
  }
  // Keeps the process up: watching by itself does not.
  const alive = setInterval(() => {}, 1_000)
  try {
    await use({ directory, next, reports })
  } finally {
    clearInterval(alive)
    stop.abort()
    await done
    await rm(directory, { recursive: true })
  }
}

describe('a watched policy folder', { timeout: 30_000 }, () => {
  for (const [how, pollMs] of [
    ['as the operating system reports it', 600_000],
    ['by looking now and then', 200],
  ] as const) {
    test(`reports a changed set, a bad set once, and the set that mends it, ${how}`, async () => {
      await watching(pollMs, async ({ directory, next, reports }) => {
        await writeFile(join(directory, 'b.cedar'), good)
        assert.equal(await next(), 'loaded 2')
        await writeFile(join(directory, 'b.cedar'), 'permit (principal;')
        assert.match(await next(), /^failed .*b\.cedar line 1/u)
        await unlink(join(directory, 'b.cedar'))
        assert.equal(await next(), 'loaded 1')
        assert.deepEqual(reports, [])
      })
    })
  }

  test('reports a folder that is gone', async () => {
    await watching(200, async ({ directory, next }) => {
      await unlink(join(directory, 'a.cedar'))
      assert.match(await next(), /it holds no policy/u)
      await rm(directory, { recursive: true })
      assert.match(await next(), /^failed .*cannot be read/u)
      const { mkdir } = await import('node:fs/promises')
      await mkdir(directory)
      await writeFile(join(directory, 'a.cedar'), good)
      assert.equal(await next(), 'loaded 1')
    })
  })
})
