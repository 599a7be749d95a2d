import { PosternError } from '../core/errors.ts'
import type { SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { forgedSettings } from './start-up-parameters.ts'

/** Who a connection to PostgreSQL is opened for. */
export interface ShownIdentity {
  readonly principal: Pick<Principal, 'name'>
  readonly sessionId: SessionId
  /** What the client calls itself; empty where it does not say. */
  readonly application: string
  /** Whether `application_name` begins with the principal. */
  readonly showsIdentity: boolean
}

/** PostgreSQL cuts names there (NAMEDATALEN less the terminator). */
const nameBytesMax = 63

/**
 * The start-up parameters by which PostgreSQL knows who is asking. They are parameters of their own and no words in
 * `options`: PostgreSQL sets them after what `options` says, so that they win, and nothing in them has to be escaped.
 */
export function identityParameters(identity: ShownIdentity): ReadonlyMap<string, string> {
  const { principal, sessionId, application, showsIdentity } = identity
  const parameters = new Map([
    ['postern.principal', principal.name],
    ['postern.session', sessionId],
  ])
  if (showsIdentity) parameters.set('application_name', identityName(principal, application))
  return parameters
}

/**
 * A client's own start-up parameters with those that say who it is, which no client can give itself. Throws
 * `input_invalid` where it tries to.
 */
export function withIdentity(
  parameters: ReadonlyMap<string, string>,
  identity: ShownIdentity,
): ReadonlyMap<string, string> {
  const [forged] = forgedSettings(parameters)
  if (forged !== undefined) {
    throw new PosternError('input_invalid', 'settings named postern.* cannot be given at the start of a connection', {
      detail: 'By them PostgreSQL knows who is asking, so the gateway alone sets them.',
      hint: 'Remove them from the parameters or the `options` (PGOPTIONS) of the connection; only postern.login and postern.reason are for clients.',
    })
  }
  const own = identityParameters(identity)
  // PostgreSQL reads names of settings without regard to case, and lets the last one count.
  const others = [...parameters].filter(([name]) => !own.has(name.toLowerCase()))
  return new Map([...others, ...own])
}

/** `application_name` with the principal in front. */
export function identityName({ name }: Pick<Principal, 'name'>, application: string): string {
  return cut(`${name} ${application}`.trimEnd())
}

/** As much as PostgreSQL takes, without a part of a character at its end. */
function cut(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= nameBytesMax) return text
  let end = nameBytesMax
  // A byte 10xxxxxx goes on with the character before it.
  while (end > 0 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1
  return bytes.toString('utf8', 0, end)
}
