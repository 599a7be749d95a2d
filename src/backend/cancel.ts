import { limits } from '../core/limits.ts'
import { encodeCancelRequest } from '../wire/startup.ts'
import { unavailable } from './failure.ts'
import { addressOf } from './target.ts'
import type { BackendTarget } from './target.ts'
import { openTransport } from './transport.ts'

/** What BackendKeyData gave. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Buffer
}

/**
 * Sends CancelRequest on a connection of its own, with the session's TLS mode: the key must not be seen by others.
 * PostgreSQL says nothing and closes when it has signalled the session, which is waited for. Rejects with
 * `backend_unavailable`; whether a statement was running is not told.
 */
export async function cancelBackend(target: BackendTarget, key: CancelKey | null): Promise<void> {
  if (key === null) throw unavailable(`${addressOf(target)} gave no cancel key for this session`)
  const signal = AbortSignal.timeout(limits.backendCancelDeadlineMs)
  const { socket } = await openTransport(target, signal)
  try {
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void =>
        reject(unavailable(`${addressOf(target)} did not take a cancel request in time`, signal.reason))
      signal.addEventListener('abort', onAbort, { once: true })
      socket.once('end', resolve).once('close', () => {
        signal.removeEventListener('abort', onAbort)
        if (socket.errored === null) resolve()
        else reject(unavailable(`${addressOf(target)} broke off a cancel request`, socket.errored))
      })
      socket.write(encodeCancelRequest(key.processId, key.secretKey))
      socket.resume()
    })
  } finally {
    socket.destroy()
  }
}
