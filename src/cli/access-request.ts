import { Command } from 'commander'
import { terminalSafe } from '../audit/record-text.ts'
import { parseDuration } from '../core/duration.ts'
import { PosternError } from '../core/errors.ts'
import { idInPath, makeSure, openApi, show, withApi, type AccessDeps, type AccessOptions } from './access-deps.ts'
import { rolesText, timeText } from './access-text.ts'
import { readGrant, readMe, readRequest, type ShownGrant, type ShownRequest } from './api-answers.ts'
import { waitForAnswer } from './requests.ts'

interface WishOptions extends AccessOptions {
  readonly for: string
  readonly reason?: string
  readonly wait?: true
  readonly breakGlass?: true
  readonly extend?: string
  readonly yes?: true
}

/** `postern request ROLE --for 2h`: asks for an access role, or takes it at once. */
export function requestCommand(deps: AccessDeps): Command {
  const command = new Command('request')
    .description('ask for an access role for a while, or for more time with one')
    .argument('<role>', 'the access role; `postern roles` shows which there are')
    .requiredOption('--for <duration>', 'for how long: 30m, 2h, 1h30m')
    .option('--reason <text>', 'why, such as a ticket; approvers and the record have it')
    .option('--wait', 'wait until it is decided; ends with 1 where it is not given')
    .option('--break-glass', 'take it at once, loudly, to be reviewed afterwards')
    .option('--extend <grant>', 'the grant of yours that is to last longer')
    .option('--yes', 'with --break-glass: do not ask whether you are sure')
  return withApi(command).action(async (role: string, options: WishOptions) => {
    const body = bodyOf(role, options)
    if (options.breakGlass === true) {
      const question = `Everybody who watches over ${role} is told, and somebody reviews it afterwards. Take it now?`
      await makeSure(question, options.yes === true, deps)
    }
    const api = await openApi(options, deps)
    const answer = await api.post('requests', body)
    const isJson = options.json === true
    if (options.breakGlass === true) {
      const { grant } = answer as { readonly grant?: unknown }
      return show(answer, { isJson, deps, text: () => takenText(readGrant(grant)) })
    }
    const request = readRequest(answer)
    const isWaiting = options.wait === true
    if (!isWaiting) return show(answer, { isJson, deps, text: () => askedText(request) })
    deps.writeErr(`${askedText(request)}Waiting; Ctrl-C ends the wait, not the request.\n`)
    const decided = await waitForAnswer(request.id, { api, deps })
    const end = readRequest(decided)
    if (isJson || end.state === 'granted') show(decided, { isJson, deps, text: () => givenText(end) })
    if (end.state !== 'granted') throw notGiven(end)
  })
}

/** `postern roles`: what the caller can ask for. */
export function rolesCommand(deps: AccessDeps): Command {
  const command = new Command('roles').description('show the access roles that you may ask for, take or approve')
  return withApi(command).action(async (options: AccessOptions) => {
    const api = await openApi(options, deps)
    const answer = await api.get('me')
    const text = (): string => rolesText(readMe(answer).roles, deps.style())
    show(answer, { isJson: options.json === true, deps, text })
  })
}

/** Checks a duration before anybody has to log in for nothing. */
export function checkDuration(text: string): string {
  if (parseDuration(text) !== null) return text
  throw new PosternError('input_invalid', `--for cannot be read as a duration: ${terminalSafe(text)}`, {
    hint: 'Write it like 30m, 2h or 1h30m.',
  })
}

function bodyOf(role: string, { for: duration, reason, breakGlass, extend, wait }: WishOptions): object {
  if (breakGlass === true && reason === undefined) {
    throw new PosternError('input_invalid', 'break-glass without a reason is not possible', {
      hint: 'Say why with --reason "INC-1234".',
    })
  }
  if (breakGlass === true && (extend !== undefined || wait === true)) {
    throw new PosternError('input_invalid', '--break-glass goes with neither --extend nor --wait', {
      hint: 'What is taken at once needs no wait; take it anew for more time.',
    })
  }
  return {
    role,
    for: checkDuration(duration),
    ...(reason === undefined ? {} : { reason }),
    ...(extend === undefined ? {} : { extends: idInPath(extend) }),
    ...(breakGlass === true ? { breakGlass } : {}),
  }
}

function askedText({ id, expiresAtMs, requirements, url }: ShownRequest): string {
  const who = requirements.map(({ count, approvers }) => `${String(count)} of ${approvers.join(' or ')}`).join(', and ')
  return [
    `You asked, as ${terminalSafe(id)}: it waits for ${terminalSafe(who)} until ${timeText(expiresAtMs)}.`,
    `  approvers  ${terminalSafe(url)}`,
    `             or postern approve ${terminalSafe(id)}`,
    `  you        postern requests ${terminalSafe(id)}, postern withdraw ${terminalSafe(id)}\n`,
  ].join('\n')
}

function takenText({ id, role, untilMs }: ShownGrant): string {
  return [
    `You hold ${terminalSafe(role)} until ${timeText(untilMs)}, as grant ${terminalSafe(id)}. It will be reviewed.`,
    `Give it back when you are done: postern revoke ${terminalSafe(id)} --reason done\n`,
  ].join('\n')
}

function givenText(request: ShownRequest): string {
  const grant = request.outcome?.grant ?? ''
  return [
    `You hold ${terminalSafe(request.access?.role ?? '')} now, as grant ${terminalSafe(grant)}; open sessions have it as well.`,
    `Give it back when you are done: postern revoke ${terminalSafe(grant)} --reason done\n`,
  ].join('\n')
}

function notGiven({ id, state, outcome }: ShownRequest): PosternError {
  const by = (outcome?.by ?? '') === '' ? '' : ` by ${terminalSafe(outcome?.by ?? '')}`
  const comment = (outcome?.comment ?? '') === '' ? undefined : terminalSafe(outcome?.comment ?? '')
  const code = state === 'denied' ? 'approval_denied' : state === 'expired' ? 'approval_expired' : 'request_closed'
  return new PosternError(code, `${terminalSafe(id)} was ${terminalSafe(state)}${by}`, {
    detail: comment,
    hint: state === 'expired' ? 'Nobody answered in time; ask again, and tell an approver.' : undefined,
  })
}
