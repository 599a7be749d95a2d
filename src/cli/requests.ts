import { Command } from 'commander'
import { terminalSafe } from '../audit/record-text.ts'
import { PosternError } from '../core/errors.ts'
import { asClause, describedRequest, requestsText, requestText } from './access-text.ts'
import { idInPath, makeSure, openApi, show, withApi, type AccessDeps, type AccessOptions } from './access-deps.ts'
import { readList, readMe, readRequest, type ShownRequest } from './api-answers.ts'
import type { ApiClient } from './api-client.ts'

const listedMax = '200'

/** `postern requests [ID]`: what waits, or one request in full. */
export function requestsCommand(deps: AccessDeps): Command {
  const command = new Command('requests')
    .description('show the requests that wait for your answer and your own, or one of them in full')
    .argument('[id]', 'the request to show in full')
    .option('--all', 'also those that are decided')
  return withApi(command).action(async (id: string | undefined, options: AccessOptions & { all?: true }) => {
    const api = await openApi(options, deps)
    const isJson = options.json === true
    if (id !== undefined) {
      const answer = await api.get(`requests/${idInPath(id)}`)
      return show(answer, { isJson, deps, text: () => requestText(readRequest(answer), deps.style()) })
    }
    const { name } = readMe(await api.get('me'))
    const states = options.all === true ? [undefined] : ['pending', 'approved']
    const answers: unknown[] = []
    for (const state of states) {
      answers.push(...readList(await api.get('requests', { state, limit: listedMax }), 'requests', (item) => item))
    }
    show(
      { requests: answers },
      { isJson, deps, text: () => requestsText(answers.map(readRequest), name, deps.style()) },
    )
  })
}

interface AnswerOptions extends AccessOptions {
  readonly comment?: string
  readonly yes?: true
}

/** `postern approve ID`. */
export function approveCommand(deps: AccessDeps): Command {
  return answerCommand('approve', { description: 'say yes to a request, after showing what it is', deps })
}

/** `postern deny ID`. */
export function denyCommand(deps: AccessDeps): Command {
  return answerCommand('deny', { description: 'say no to a request, for good, after showing what it is', deps })
}

/** `postern withdraw ID`. */
export function withdrawCommand(deps: AccessDeps): Command {
  const command = new Command('withdraw')
    .description('take your own request back')
    .argument('<id>', 'the request, such as r_0123456789ab')
  return withApi(command).action(async (id: string, options: AccessOptions) => {
    const api = await openApi(options, deps)
    const answer = await api.post(`requests/${idInPath(id)}/withdraw`, {})
    const text = (): string => `${terminalSafe(readRequest(answer).id)} is withdrawn.\n`
    show(answer, { isJson: options.json === true, deps, text })
  })
}

function answerCommand(
  verb: 'approve' | 'deny',
  { description, deps }: { description: string; deps: AccessDeps },
): Command {
  const command = new Command(verb)
    .description(description)
    .argument('<id>', 'the request, such as r_0123456789ab')
    .option('--comment <text>', 'what you say to it; the requester and the record have it')
    .option('--yes', 'do not ask whether you are sure')
  return withApi(command).action(async (id: string, options: AnswerOptions) => {
    const api = await openApi(options, deps)
    const path = `requests/${idInPath(id)}`
    const before = readRequest(await api.get(path))
    const isJson = options.json === true
    // Also where nobody is asked: the output of a job says what it approved.
    if (!isJson) deps.writeOut(describedRequest(before, deps.style()))
    refuseInVain(before)
    const question = verb === 'approve' ? 'Approve this?' : 'Deny this, for good?'
    await makeSure(question, options.yes === true, deps)
    const { comment } = options
    const answer = await api.post(`${path}/${verb}`, comment === undefined ? {} : { comment })
    show(answer, { isJson, deps, text: () => `\n${terminalSafe(answeredText(verb, readRequest(answer)))}\n` })
  })
}

/** Before anybody is asked to confirm what cannot count. */
function refuseInVain({ id, mayAnswer, state, whyNot }: ShownRequest): void {
  if (mayAnswer) return
  const isOver = state !== 'pending'
  const why = isOver ? `it is ${state} already` : asClause(whyNot ?? 'it is not yours to answer')
  throw new PosternError(isOver ? 'request_closed' : 'access_refused', terminalSafe(`${id} cannot be answered: ${why}`))
}

function answeredText(verb: 'approve' | 'deny', { id, state, statement, requirements }: ShownRequest): string {
  if (verb === 'deny') return `${id} is denied.`
  const missing = requirements.filter(({ count, given }) => given < count)
  if (state === 'pending' && missing.length > 0) {
    const who = missing.map(({ approvers }) => approvers.join(' or ')).join(', and ')
    return `Your yes to ${id} is on record. It still needs somebody of ${who}.`
  }
  return statement === null ? `${id} is approved: access is given.` : `${id} is approved: the statement may run, once.`
}

/** Waits until a request is decided, and returns how; it goes on waiting on its own where this ends first. */
export async function waitForAnswer(id: string, { api, deps }: { api: ApiClient; deps: AccessDeps }): Promise<unknown> {
  for (;;) {
    const answer = await api.get(`requests/${idInPath(id)}`)
    const { state, expiresAtMs } = readRequest(answer)
    if (state !== 'pending' && state !== 'approved') return answer
    if (deps.nowMs() > expiresAtMs + expiryPatienceMs) {
      throw new PosternError('approval_expired', `${id} has passed its time and nobody says how it ended`, {
        hint: `Run \`postern requests ${id}\` to see how it stands.`,
      })
    }
    await deps.pause(waitPauseMs)
  }
}

const waitPauseMs = 3_000
const expiryPatienceMs = 60_000
