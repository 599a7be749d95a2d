import { PosternError } from '../core/errors.ts'
import { frontend } from '../wire/frontend.ts'

const knownTypes: ReadonlySet<number> = new Set(Object.values(frontend))

/** Refuses what PostgreSQL would end the session for, in its words. */
export function checkType(type: number): void {
  if (type === frontend.PasswordMessage || !knownTypes.has(type)) {
    throw new PosternError('protocol_violation', `invalid frontend message type ${String(type)}`)
  }
}
