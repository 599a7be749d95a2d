import { Command, Option } from 'commander'
import { terminalSafe } from '../audit/record-text.ts'
import { PosternError } from '../core/errors.ts'
import { idInPath, makeSure, openApi, show, withApi, type AccessDeps, type AccessOptions } from './access-deps.ts'
import { grantsText, sessionsText } from './access-text.ts'
import { readGrant, readList, readSession } from './api-answers.ts'

interface GrantsOptions extends AccessOptions {
  readonly all?: true
  readonly principal?: string
  readonly role?: string
}

/** `postern grants list | review`: who holds which access role, and what is said afterwards of one that was taken. */
export function grantsCommand(deps: AccessDeps): Command {
  const grants = new Command('grants').description('show who holds which access role, or review one that was taken')
  return grants.addCommand(listCommand(deps), { isDefault: true }).addCommand(reviewCommand(deps))
}

function listCommand(deps: AccessDeps): Command {
  const command = new Command('list')
    .description('show the grants that you may see; what `postern grants` does by itself')
    .option('--all', 'also those that have ended')
    .option('--principal <name>', 'only of this principal')
    .option('--role <role>', 'only of this access role')
  return withApi(command).action(async (options: GrantsOptions) => {
    const api = await openApi(options, deps)
    const { principal, role } = options
    const answer = await api.get('grants', { active: options.all === true ? undefined : 'true', principal, role })
    const text = (): string => grantsText(readList(answer, 'grants', readGrant), deps.style())
    show(answer, { isJson: options.json === true, deps, text })
  })
}

interface ReviewOptions extends AccessOptions {
  readonly justified?: true
  readonly unjustified?: true
  readonly comment: string
}

function reviewCommand(deps: AccessDeps): Command {
  const command = new Command('review')
    .description('say afterwards whether break-glass was justified')
    .argument('<id>', 'the grant, such as a_0123456789ab')
    .addOption(new Option('--justified', 'it was').conflicts('unjustified'))
    .option('--unjustified', 'it was not')
    .requiredOption('--comment <text>', 'what you found; the record has it')
  return withApi(command).action(async (id: string, options: ReviewOptions) => {
    const { justified, unjustified, comment } = options
    if (justified === undefined && unjustified === undefined) {
      throw new PosternError('input_invalid', 'the review does not say what you found', {
        hint: 'Add --justified or --unjustified.',
      })
    }
    const path = `grants/${idInPath(id)}/review`
    const api = await openApi(options, deps)
    const outcome = justified === true ? 'justified' : 'unjustified'
    const answer = await api.post(path, { outcome, comment })
    const text = (): string => `Grant ${terminalSafe(readGrant(answer).id)} is on record as ${outcome}.\n`
    show(answer, { isJson: options.json === true, deps, text })
  })
}

interface RevokeOptions extends AccessOptions {
  readonly principal?: string
  readonly role?: string
  readonly reason: string
  readonly killSessions?: true
  readonly yes?: true
}

/** `postern revoke`: ends grants now, in open sessions too. */
export function revokeCommand(deps: AccessDeps): Command {
  const command = new Command('revoke')
    .description('end grants now, in open sessions too: one, or all of a principal or of an access role')
    .argument('[id]', 'the grant, such as a_0123456789ab')
    .option('--principal <name>', 'all grants of this principal')
    .option('--role <role>', 'all grants of this access role')
    .requiredOption('--reason <text>', 'why; the record has it')
    .option('--kill-sessions', "with --principal alone: end the principal's sessions and session tokens as well")
    .option('--yes', 'do not ask whether you are sure')
  return withApi(command).action(async (id: string | undefined, options: RevokeOptions) => {
    const { principal, role, reason, killSessions } = options
    refuseUnclear(id, options)
    const api = await openApi(options, deps)
    // One's own mistake of one grant is soon mended; many at once are not.
    if (id === undefined) await makeSure(questionOf(options), options.yes === true, deps)
    const answer = await api.post('grants/revoke', {
      ...(id === undefined ? {} : { grant: idInPath(id) }),
      ...(principal === undefined ? {} : { principal }),
      ...(role === undefined ? {} : { role }),
      reason,
      ...(killSessions === undefined ? {} : { killSessions }),
    })
    const text = (): string => endedText(readList(answer, 'grants', readGrant).length, killSessions === true)
    show(answer, { isJson: options.json === true, deps, text })
  })
}

/** `postern sessions`: who is connected. */
export function sessionsCommand(deps: AccessDeps): Command {
  const command = new Command('sessions').description('show the open sessions that you may see')
  return withApi(command).action(async (options: AccessOptions) => {
    const api = await openApi(options, deps)
    const answer = await api.get('sessions')
    const text = (): string => sessionsText(readList(answer, 'sessions', readSession), deps.style())
    show(answer, { isJson: options.json === true, deps, text })
  })
}

function refuseUnclear(id: string | undefined, { principal, role, killSessions }: RevokeOptions): void {
  if (id === undefined && principal === undefined && role === undefined) {
    throw new PosternError('input_invalid', 'it is not said which grants are to end', {
      hint: 'Name one by its id, or all with --principal NAME or --role ROLE.',
    })
  }
  if (id !== undefined) idInPath(id)
  if (killSessions === true && (principal === undefined || role !== undefined || id !== undefined)) {
    throw new PosternError('input_invalid', '--kill-sessions needs --principal, and nothing else beside it', {
      hint: 'It ends everything that the principal has: postern revoke --principal NAME --kill-sessions --reason WHY',
    })
  }
}

function questionOf({ principal, role, killSessions }: RevokeOptions): string {
  const which = [
    role === undefined ? 'all grants' : `all grants of ${terminalSafe(role)}`,
    principal === undefined ? '' : ` of ${terminalSafe(principal)}`,
  ].join('')
  return `End ${which}${killSessions === true ? ', and all sessions and session tokens,' : ''} now?`
}

function endedText(count: number, hasKilled: boolean): string {
  const grants = count === 1 ? '1 grant has ended.' : `${count === 0 ? 'No' : String(count)} grants have ended.`
  if (!hasKilled) return `${grants}\n`
  const also = count === 0 ? 'There was no grant to end.' : grants
  return `All sessions and session tokens of that principal end now. ${also}\n`
}
