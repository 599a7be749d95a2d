import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { toPosternError } from '../core/errors.ts'
import type { PosternError } from '../core/errors.ts'
import { readPolicies } from './load.ts'
import { parseApart } from './parse-apart.ts'
import type { PolicySet } from './load.ts'

/** What to do with a changed policy folder. */
export interface PolicyWatch {
  /** The set in force when watching starts; only a set with another hash is reported. */
  readonly current: PolicySet
  onLoaded(set: PolicySet): void
  /**
   * A set that cannot be used, with the hash of its files where they could be read. It is told once per change; the set
   * in force stays in force.
   */
  onFailed(error: PosternError, refused: { readonly hash: string | null }): void
  readonly signal: AbortSignal
  /** How often the folder is read where the operating system reports no changes (network folders, links). */
  readonly pollMs?: number
}

/**
 * Loads the policies of `directory` again whenever they change, until `signal` aborts; the promise then resolves.
 * Changes that come together are loaded together, a moment after the last of them.
 */
export async function watchPolicies(directory: string, options: PolicyWatch): Promise<void> {
  const { signal, pollMs = 10_000 } = options
  let changed = new AbortController()
  const closeWatcher = startWatcher(directory, () => {
    changed.abort()
  })
  // The last state that was told about: a hash, or what was wrong with reading the files.
  let told = options.current.hash
  try {
    for (;;) {
      await pause(pollMs, AbortSignal.any([changed.signal, signal]))
      if (changed.signal.aborted) await pause(settleMs, signal)
      if (signal.aborted) return
      // Renewed before the files are read, so that a change during the reading is seen as one.
      changed = new AbortController()
      told = await reload(directory, { told, options })
    }
  } finally {
    closeWatcher()
  }
}

const settleMs = 150

async function reload(directory: string, { told, options }: { told: string; options: PolicyWatch }): Promise<string> {
  let state = told
  let hash: string | null = null
  try {
    const files = await readPolicies(directory)
    hash = files.hash
    state = hash
    if (state !== told && !options.signal.aborted) options.onLoaded(await parseApart(files))
  } catch (thrown) {
    const error = toPosternError(thrown)
    if (state === told) state = error.message
    if (state !== told && !options.signal.aborted) options.onFailed(error, { hash })
  }
  return state
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal, ref: false })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** The polling above stands in where the operating system cannot watch the folder, or stops to. */
function startWatcher(directory: string, onChange: () => void): () => void {
  try {
    const watcher = watch(directory, { persistent: false }, onChange)
    watcher.on('error', () => {
      watcher.close()
      onChange()
    })
    return () => {
      watcher.close()
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return () => {}
  }
}
