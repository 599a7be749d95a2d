import { setTimeout as sleep } from 'node:timers/promises'
import type { PosternError } from '../core/errors.ts'
import { toPosternError } from '../core/errors.ts'
import { type ClassificationFile, parseClassificationFile, readClassificationText } from './file.ts'

/** What to do with a changed classification file. */
export interface ClassificationWatch {
  /** The text in force when watching starts. */
  readonly current: string
  readonly onLoaded: (file: ClassificationFile) => void
  /** A file that cannot be used. It is told once per change; what was in force stays in force. */
  readonly onFailed: (error: PosternError) => void
  readonly signal: AbortSignal
  readonly pollMs?: number
}

/** Reads the file again whenever its text changes, until `signal` aborts; the promise then resolves. */
export async function watchClassification(path: string, options: ClassificationWatch): Promise<void> {
  const { signal, pollMs = 2_000 } = options
  // The last state that was told about: a text, or what was wrong with reading it.
  let told = options.current
  while (!signal.aborted) {
    try {
      await sleep(pollMs, undefined, { signal, ref: false })
    } catch {
      return
    }
    told = reload(path, told, options)
  }
}

function reload(path: string, told: string, { onLoaded, onFailed }: ClassificationWatch): string {
  let state = told
  try {
    state = readClassificationText(path)
    if (state !== told) onLoaded(parseClassificationFile(state, path))
  } catch (thrown) {
    const error = toPosternError(thrown)
    if (state === told) state = error.message
    if (state !== told) onFailed(error)
  }
  return state
}
