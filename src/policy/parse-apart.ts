import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { PosternError } from '../core/errors.ts'
import type { ErrorCode } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { PolicyFiles, PolicySet } from './load.ts'

type Message =
  | { readonly set: PolicySet }
  | { readonly error: { code: ErrorCode; message: string; detail?: string; hint?: string; cause?: string } }

/**
 * Parses and validates policies in a thread of their own: checking fifty policies takes Cedar a third of a second, in
 * which no session should have to wait, and a text that breaks its module breaks nothing that decides.
 */
export async function parseApart(files: PolicyFiles): Promise<PolicySet> {
  const failed = (why: string, cause?: unknown) =>
    new PosternError('policy_invalid', `the policy set in ${files.directory} cannot be used: ${why}`, {
      cause,
      hint: 'Make the set simpler, or find the policy by leaving out one file after the other.',
    })
  const worker = new Worker(new URL(`./load-worker${extname(import.meta.filename)}`, import.meta.url), {
    workerData: files,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  })
  try {
    const [message] = (await once(worker, 'message', {
      signal: AbortSignal.timeout(limits.policyCheckDeadlineMs),
    })) as [Message]
    if ('set' in message) return message.set
    const { code, message: text, detail, hint, cause } = message.error
    throw new PosternError(code, text, { detail, hint, cause })
  } catch (error) {
    if (error instanceof PosternError) throw error
    const isLate = error instanceof Error && error.name === 'AbortError'
    throw failed(isLate ? 'checking it takes too long' : 'checking it broke the checker', error)
  } finally {
    await worker.terminate()
  }
}
