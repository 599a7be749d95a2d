import { parentPort, workerData } from 'node:worker_threads'
import { toPosternError } from '../core/errors.ts'
import { parsePolicies } from './load.ts'
import type { PolicyFiles } from './load.ts'

// The other side of `parseApart`: says what became of the files, errors by their parts since classes do not travel.
try {
  parentPort?.postMessage({ set: parsePolicies(workerData as PolicyFiles) }, [])
} catch (thrown) {
  const { code, message, detail, hint } = toPosternError(thrown)
  const cause = code === 'internal' && thrown instanceof Error ? thrown.stack : undefined
  parentPort?.postMessage({ error: { code, message, detail, hint, cause } }, [])
}
