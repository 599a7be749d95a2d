/** Every way Postern says no. One row per code: the SQLSTATE a client sees and the status an HTTP caller sees. */
const catalogue = {
  protocol_violation: { sqlstate: '08P01', http: 400 },
  message_too_large: { sqlstate: '54000', http: 413 },
  limit_exceeded: { sqlstate: '54000', http: 429 },
  too_many_connections: { sqlstate: '53300', http: 429 },
  startup_timeout: { sqlstate: '08P01', http: 408 },
  tls_required: { sqlstate: '28000', http: 403 },
  token_absent: { sqlstate: '28P01', http: 401 },
  token_malformed: { sqlstate: '28P01', http: 401 },
  token_untrusted: { sqlstate: '28P01', http: 401 },
  token_expired: { sqlstate: '28P01', http: 401 },
  token_foreign: { sqlstate: '28000', http: 401 },
  token_unusable: { sqlstate: '28000', http: 401 },
  principal_mismatch: { sqlstate: '28000', http: 403 },
  issuer_unavailable: { sqlstate: '57P03', http: 503 },
  session_expired: { sqlstate: '57P01', http: 401 },
  database_unknown: { sqlstate: '3D000', http: 404 },
  connect_refused: { sqlstate: '42501', http: 403 },
  statement_refused: { sqlstate: '42501', http: 403 },
  approval_denied: { sqlstate: '42501', http: 403 },
  approval_expired: { sqlstate: '42501', http: 410 },
  access_refused: { sqlstate: '42501', http: 403 },
  access_ended: { sqlstate: '57P01', http: 401 },
  request_unknown: { sqlstate: 'P0002', http: 404 },
  request_closed: { sqlstate: '55000', http: 409 },
  store_unavailable: { sqlstate: '57P03', http: 503 },
  rate_limited: { sqlstate: '54000', http: 429 },
  origin_refused: { sqlstate: '28000', http: 403 },
  masking_refused: { sqlstate: '42501', http: 403 },
  placeholder_written: { sqlstate: '22000', http: 409 },
  catalog_unavailable: { sqlstate: '57P03', http: 503 },
  classification_invalid: { sqlstate: 'F0000', http: 422 },
  statement_unparsable: { sqlstate: '42601', http: 400 },
  feature_refused: { sqlstate: '0A000', http: 501 },
  journal_unavailable: { sqlstate: '58030', http: 503 },
  backend_unavailable: { sqlstate: '57P03', http: 503 },
  backend_lost: { sqlstate: '08006', http: 502 },
  backend_login_failed: { sqlstate: '57P03', http: 502 },
  gateway_stopping: { sqlstate: '57P01', http: 503 },
  config_invalid: { sqlstate: 'F0000', http: 500 },
  policy_invalid: { sqlstate: 'F0000', http: 422 },
  input_invalid: { sqlstate: '22023', http: 400 },
  internal: { sqlstate: 'XX000', http: 500 },
} as const

/** A stable name for a kind of failure. */
export type ErrorCode = keyof typeof catalogue

/** The codes in catalogue order, for the reference page and its test. */
export const errorCodes: readonly ErrorCode[] = Object.keys(catalogue) as ErrorCode[]

/** The SQLSTATE that a PostgreSQL client is given for `code`. */
export function sqlstateOf(code: ErrorCode): string {
  return catalogue[code].sqlstate
}

/** The HTTP status that an API caller is given for `code`. */
export function httpStatusOf(code: ErrorCode): number {
  return catalogue[code].http
}

/**
 * A failure that a person is told about. `message` says what cannot be done and why, `hint` what to do next; neither
 * may hold a value from a row, a token or a password. Anything that is not a PosternError is a bug and leaves the
 * process as `internal`.
 */
export class PosternError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly hint: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; detail?: string | undefined; hint?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PosternError'
    this.code = code
    this.detail = options.detail
    this.hint = options.hint
  }
}

/** Turns anything thrown into a PosternError; an unexpected error keeps its text only as `cause`, for the log. */
export function toPosternError(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  return new PosternError('internal', 'Postern failed to handle this request', {
    cause: error,
    hint: 'The gateway log holds the cause; please tell whoever runs this gateway.',
  })
}

/** Proves to the compiler that a union is exhausted; reaching it at run time is a bug. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
