import type { Command } from 'commander'
import { terminalSafe, terminalSafeJson } from '../audit/record-text.ts'
import { PosternError } from '../core/errors.ts'
import { idInPath, openApi, type AccessDeps, type AccessOptions } from './access-deps.ts'
import { checkDuration } from './access-request.ts'
import { timeText } from './access-text.ts'
import { readIssued } from './api-answers.ts'
import { printToken, tokenCommand } from './token.ts'

interface SessionTokenOptions extends AccessOptions {
  readonly database?: string
  readonly role?: string
  readonly for?: string
  readonly singleSession?: true
  readonly revoke?: string
}

/** `postern token`, which with `--database` gets a session token of Postern's own instead, and with `--revoke` ends one. */
export function tokensCommand(deps: AccessDeps): Command {
  return tokenCommand(deps)
    .option('--database <name>', 'a session token of Postern for this database instead, for tools that keep a password')
    .option('--role <role>', 'with --database: its sessions hold this access role, which you hold now')
    .option('--for <duration>', 'with --database: for how long: 30m, 2h')
    .option('--single-session', 'with --database: it opens one session and ends with it')
    .option('--revoke <id>', 'end a session token now')
    .option('--api <url>', "the gateway's API, if it is not in the configuration")
    .option('--ca <file>', "the authority of the API's certificate, if the system does not trust it")
    .action(async (options: SessionTokenOptions) => {
      refuseUnclear(options)
      if (options.revoke !== undefined) return revoke(options.revoke, options, deps)
      if (options.database !== undefined) return issue(options.database, options, deps)
      // Exactly what it is without the options of session tokens.
      return printToken(options, deps)
    })
}

async function issue(database: string, options: SessionTokenOptions, deps: AccessDeps): Promise<void> {
  const { role, singleSession } = options
  const duration = checkDuration(options.for ?? '')
  const api = await openApi(options, deps)
  const answer = await api.post('tokens', {
    database,
    for: duration,
    ...(role === undefined ? {} : { role }),
    ...(singleSession === undefined ? {} : { singleSession }),
  })
  const { id, secret, user, expiresAtMs } = readIssued(answer)
  if (options.json === true) {
    const expiresAt = new Date(expiresAtMs).toISOString()
    return deps.writeOut(`${terminalSafeJson({ token: secret, name: user, expiresAt, id })}\n`)
  }
  const once = singleSession === true ? ' It opens one session.' : ''
  deps.writeErr(
    [
      `Connect to ${terminalSafe(database)} as user ${terminalSafe(user)}, with this as password, until ${timeText(expiresAtMs)}.${once}`,
      `It is shown this once. End it before: postern token --revoke ${terminalSafe(id)}\n`,
    ].join('\n'),
  )
  deps.writeOut(`${secret}\n`)
}

async function revoke(id: string, options: SessionTokenOptions, deps: AccessDeps): Promise<void> {
  const path = `tokens/${idInPath(id)}`
  const api = await openApi(options, deps)
  await api.delete(path)
  if (options.json === true) deps.writeOut(`${JSON.stringify({ id })}\n`)
  else deps.writeErr(`Session token ${id} has ended.\n`)
}

function refuseUnclear({ database, role, for: duration, singleSession, revoke: ended }: SessionTokenOptions): void {
  const isAbout = role !== undefined || duration !== undefined || singleSession !== undefined
  if (ended !== undefined && (isAbout || database !== undefined)) {
    throw new PosternError('input_invalid', '--revoke ends a session token and goes with no option that makes one')
  }
  if (database === undefined && isAbout) {
    throw new PosternError('input_invalid', 'it is not said for which database the session token is', {
      hint: 'Name it: postern token --database shop --for 1h',
    })
  }
  if (database !== undefined && duration === undefined) {
    throw new PosternError('input_invalid', 'it is not said for how long the session token is', {
      hint: 'Say it with --for 1h; it ends with your own token at the latest.',
    })
  }
}
