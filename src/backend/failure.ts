import { PosternError } from '../core/errors.ts'

/**
 * What went wrong upstream, for whoever runs the gateway. It names hosts and roles, which clients must not learn, so it
 * travels as `cause` of the PosternError that clients are told about: log `error.cause`, send `error`. Never a password.
 */
export class BackendFault extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BackendFault'
  }
}

/** PostgreSQL cannot be reached, or not in the way the configuration demands. `detail` is for the operator only. */
export function unavailable(detail: string, cause?: unknown): PosternError {
  return new PosternError('backend_unavailable', 'the gateway cannot reach PostgreSQL', {
    cause: new BackendFault(detail, cause),
    hint: 'Try again shortly. If it persists, tell whoever runs this gateway: its log says what to check.',
  })
}

/** PostgreSQL was reached and does not let the gateway in. `detail` is for the operator only. */
export function loginFailed(detail: string, cause?: unknown): PosternError {
  return new PosternError('backend_login_failed', 'the gateway cannot log in to PostgreSQL', {
    cause: new BackendFault(detail, cause),
    hint: 'Your own log-in was accepted. Tell whoever runs this gateway: its log says what to check.',
  })
}

/**
 * An error of PostgreSQL during log-in that concerns the client (too many connections, starting up, a start-up
 * parameter it does not take): to be relayed as it is.
 */
export class BackendRefusal extends Error {
  /** The fields of the ErrorResponse by their letters. */
  readonly fields: ReadonlyMap<string, string>
  /** The whole ErrorResponse, as PostgreSQL sent it. */
  readonly raw: Buffer

  constructor(fields: ReadonlyMap<string, string>, raw: Buffer) {
    super(fields.get('M') ?? 'PostgreSQL refused the connection')
    this.name = 'BackendRefusal'
    this.fields = fields
    this.raw = raw
  }

  /** The SQLSTATE. */
  get code(): string {
    return this.fields.get('C') ?? 'XX000'
  }
}
