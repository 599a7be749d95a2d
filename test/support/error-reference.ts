import { type ErrorCode, errorCodes, httpStatusOf, sqlstateOf } from '../../src/core/errors.ts'

interface Meaning {
  readonly when: string
  readonly next: string
}

/** What each code means to the one who meets it, and what to do next. A code without a row does not compile. */
const meanings: Record<ErrorCode, Meaning> = {
  protocol_violation: {
    when: 'A message breaks PostgreSQL’s protocol, or is not expected where it came. The connection ends.',
    next: 'Look at what connects: a tool that is not a PostgreSQL client, a driver with a fault, or something between the two that changes bytes.',
  },
  message_too_large: {
    when: 'A message is longer than the gateway accepts (64 MiB after the log-in). The connection ends.',
    next: 'Send less at once. `COPY FROM STDIN` has no such limit.',
  },
  limit_exceeded: {
    when: 'A statement is more than the gateway handles at once: too many statements in one text, or too large to be recorded.',
    next: 'Split it.',
  },
  too_many_connections: {
    when: 'The gateway serves as many sessions as it may (10,000), or as many log-ins are under way as it may (1,000).',
    next: 'Close some connections, use a smaller pool, or try again shortly.',
  },
  startup_timeout: {
    when: 'The log-in was not over within 30 seconds.',
    next: 'Try again. If it persists, look at the network, and at how fast the identity provider and PostgreSQL answer.',
  },
  tls_required: {
    when: 'The client connected without TLS. It is refused before it is asked for a token, which would travel in the clear.',
    next: 'Connect with `sslmode=verify-full`. Tools that cannot: `postern connect DB --port`.',
  },
  token_absent: {
    when: 'The password is empty. In `postern token`: the log-in was declined or not finished.',
    next: '`postern token` prints a token; present it as the password.',
  },
  token_malformed: {
    when: 'What came as the password is not a signed JWT. Most often it is a database password of old.',
    next: 'Present a token instead. Encrypted (five-part) and opaque tokens are not accepted; ask the identity provider for an ID token or a JWT access token.',
  },
  token_untrusted: {
    when: 'The signature does not prove that the issuer made the token: wrong key, refused algorithm, wrong type. At a port of `postern connect`: the local password is wrong.',
    next: 'Get a fresh token. If every token is refused, compare `algorithms` in postern.yaml with what the issuer signs with.',
  },
  token_expired: {
    when: 'The token is over.',
    next: 'Get a fresh one. If it is fresh, compare the clocks of client, issuer and gateway.',
  },
  token_foreign: {
    when: 'The token is of another issuer, or for another audience. One text for both, so that it tells strangers less.',
    next: 'Compare `iss` and `aud` of the token with `issuers` in postern.yaml, letter by letter.',
  },
  token_unusable: {
    when: 'The token is genuine, but a claim that Postern needs is missing, malformed or too long: the message names it.',
    next: 'Change how the identity provider makes tokens, or `claims` of the issuer in postern.yaml.',
  },
  principal_mismatch: {
    when: 'The `user` of the connection is not the name in the token.',
    next: 'Connect as that name: `postern token --json` shows it, `postern connect` does so by itself.',
  },
  issuer_unavailable: {
    when: 'The keys of the issuer cannot be fetched, so that no token of it can be checked. Sessions that run go on.',
    next: 'Try again. The operator: `postern check` tells why; look at network, certificate authority (`ca`) and URL.',
  },
  session_expired: {
    when: 'The token ended during the session. The session ends between two statements, or in one that runs on for longer than `session.expiry_grace_s`.',
    next: 'Get a fresh token and connect again. For a pool this is an ordinary lost connection: it should take a new token for each new connection.',
  },
  database_unknown: {
    when: 'No database of that name is in postern.yaml. Only who has a valid token is told.',
    next: 'Check the name; the operator finds it under `databases`.',
  },
  connect_refused: {
    when: 'Policy does not let this principal connect to this database.',
    next: 'DETAIL names the policy, HINT what to do. If no policy permits it, the groups in the token are not those the policies know.',
  },
  statement_refused: {
    when: 'Policy does not let this principal run this statement. PostgreSQL never saw it; a transaction is aborted as by any other error.',
    next: 'DETAIL names the policy, HINT what to do.',
  },
  approval_denied: {
    when: 'A statement waited for approval, and an approver said no. The detail says who and why.',
    next: 'Talk to the approver; what was denied can be sent again, and is then asked for again.',
  },
  approval_expired: {
    when: 'A statement waited for approval, and nobody decided in time.',
    next: 'Tell an approver, and send the statement again.',
  },
  access_refused: {
    when: 'Somebody asks for, gives, takes or ends access and is not entitled to.',
    next: 'The detail says who is. An approver can never be the one who asks, nor an agent acting for them.',
  },
  access_ended: {
    when: 'The access that let a session in was over or was revoked while the session was open.',
    next: 'Ask for the access role again with `postern request`, and connect again.',
  },
  request_unknown: {
    when: 'There is no request or grant of that id that the caller may see.',
    next: 'List them with `postern requests` or `postern grants`.',
  },
  request_closed: {
    when: 'Somebody else was faster, or the request was withdrawn or has expired.',
    next: 'Look at it with `postern requests ID`; nothing more can be done with it.',
  },
  store_unavailable: {
    when: 'The control store, which holds requests and grants, cannot be reached. What depends on it is refused.',
    next: 'Try again shortly. Whoever runs the gateway finds the cause in its log.',
  },
  rate_limited: {
    when: 'A caller of the HTTP API sends too much in too short a time.',
    next: 'Wait for as long as `Retry-After` says.',
  },
  origin_refused: {
    when: 'A browser sends a form to the HTTP API from a page that is not its own.',
    next: 'Open the page anew and try again there.',
  },
  masking_refused: {
    when: 'A statement would show or copy, in a way that cannot be masked, what the principal may not see; or it is not certain that it would not.',
    next: 'Leave the columns that DETAIL names out of it, write it in a way that can be followed, or ask for access that unmasks them.',
  },
  placeholder_written: {
    when: 'A value that is written into a masked column is the placeholder that masking put in the place of the real one.',
    next: 'Leave the column out of the statement, or give it a value of its own.',
  },
  catalog_unavailable: {
    when: 'A database has a classification and its catalog could not be read, so that nobody can say what a statement touches.',
    next: 'Try again; if it persists, whoever runs the gateway finds the cause in its log.',
  },
  classification_invalid: {
    when: 'The classification file, or what is remembered of a classification, cannot be used.',
    next: 'Mend the file as the message says; `postern classify DATABASE --check` checks it against the database.',
  },
  statement_unparsable: {
    when: 'A syntax error, found by PostgreSQL’s own parser in the gateway. Whoever may run `opaque` gets it from PostgreSQL itself.',
    next: 'Correct the statement.',
  },
  feature_refused: {
    when: 'A part of the protocol that Postern does not pass on: replication connections, the function call message, protocol 2.',
    next: 'Replicate from PostgreSQL directly; call functions by SELECT; update the driver.',
  },
  journal_unavailable: {
    when: 'The statement or log-in cannot be recorded, so it is not let through: disk full or failing, directory gone. `postern serve`: the journal cannot be opened, is in use, or was changed.',
    next: 'The operator makes room or puts the directory back; the gateway goes on by itself. See [operate.md](../guide/operate.md#when-the-journal-cannot-be-written).',
  },
  backend_unavailable: {
    when: 'The gateway cannot reach PostgreSQL, or not as safely as `tls.mode` demands.',
    next: 'The operator: the log of the gateway has the cause, and `postern check` shows it.',
  },
  backend_lost: {
    when: 'The connection between gateway and PostgreSQL broke during a session, which ends.',
    next: 'Connect again. If it happens again, look at the log of PostgreSQL.',
  },
  backend_login_failed: {
    when: 'PostgreSQL does not let the gateway in: role, password or pg_hba.conf. The client’s own log-in was good.',
    next: 'The operator: compare `role` and `credential` with PostgreSQL; the log of the gateway has the cause.',
  },
  gateway_stopping: {
    when: 'The gateway stops. Sessions are ended between two statements.',
    next: 'Connect again in a moment.',
  },
  config_invalid: {
    when: 'postern.yaml, or a file that it names, cannot be used. The message has line and key.',
    next: 'Do as the hint says and run `postern check`. [config.md](config.md) describes every key.',
  },
  policy_invalid: {
    when: 'The policy set has an error. At the start the gateway does not start; later the set before it stays in force.',
    next: 'The message has file, line and column. [write-policies.md](../guide/write-policies.md) shows how it looks.',
  },
  input_invalid: {
    when: 'A command or a parameter cannot be used as it was given.',
    next: 'Do as the hint says.',
  },
  internal: {
    when: 'A bug in Postern. What the client asked for was not done, or its connection was ended.',
    next: 'The log of the gateway has the cause; please report it.',
  },
}

/** The page docs/reference/errors.md. */
export function errorReference(): string {
  const rows = errorCodes.map((code) => {
    const { when, next } = meanings[code]
    return `| \`${code}\` | \`${sqlstateOf(code)}\` | ${String(httpStatusOf(code))} | ${when} | ${next} |`
  })
  return `# Errors

This page is generated: \`UPDATE_DOCS=1 npm test\` rewrites it.

Postern says no as PostgreSQL does: an ErrorResponse with SQLSTATE, message, DETAIL and HINT. Drivers need nothing special. The
code is in \`login_failed\` entries of the journal, in the log of the gateway, and in what commands print with \`--json\`. The
HTTP status is for interfaces to come. Errors of PostgreSQL itself pass through unchanged and are not listed here.

An error before the session has begun ends the connection (FATAL), and so does one of which the table says it. After any other
the session goes on (ERROR).

| code | SQLSTATE | HTTP | when | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`
}
