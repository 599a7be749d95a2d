import { PosternError } from '../core/errors.ts'
import type { Command, StatementAnalysis } from '../core/statement.ts'
import type { LoginMethod } from './ask-token.ts'
import { emptyStatement } from './statement.ts'

/** Set by Postern itself or not PostgreSQL's settings at all. */
const ownParameters = new Set(['user', 'database', 'replication'])

/**
 * The start-up parameters that go on to PostgreSQL as start-up parameters, so that RESET and DISCARD ALL return to
 * what the client asked for.
 */
export function forwardedParameters(parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...parameters].filter(([name]) => !ownParameters.has(name) && !name.startsWith('_pq_.')))
}

/**
 * A start-up packet can switch the role before the first statement, by name or in `options`. Returns the statement it
 * amounts to, to be decided like one, or null.
 */
export function roleCommands(parameters: ReadonlyMap<string, string>): StatementAnalysis | null {
  const commands: Command[] = []
  for (const { name } of settingsOf(parameters)) {
    if (name === 'role') commands.push(command('SET ROLE'))
    if (name === 'session_authorization') commands.push(command('SET SESSION AUTHORIZATION'))
  }
  const [first] = commands
  return first === undefined ? null : { ...emptyStatement, sql: '(start-up parameters)', kind: first.name, commands }
}

function command(name: string): Command {
  return { name, relations: [], hasWhere: true }
}

/**
 * How the client wants to be asked for its token: `-c postern.login=oauth` or `=password` in `options`. A client of
 * OAUTHBEARER has to say so, since it would be asked for a password otherwise, and one of the other sort vice versa.
 */
export function loginMethod(parameters: ReadonlyMap<string, string>, otherwise: LoginMethod): LoginMethod {
  const asked = settingsOf(parameters).findLast(({ name }) => name === 'postern.login')?.value
  if (asked === undefined) return otherwise
  if (asked === 'oauth' || asked === 'password') return asked
  throw new PosternError('input_invalid', 'postern.login is neither "oauth" nor "password"', {
    hint: 'Correct it in the `options` of the connection, or leave it out.',
  })
}

interface Setting {
  /** Folded as PostgreSQL folds it. */
  readonly name: string
  readonly value: string
}

/** All settings in the packet. */
function settingsOf(parameters: ReadonlyMap<string, string>): readonly Setting[] {
  const direct = [...parameters].map(([name, value]) => ({ name: name.toLowerCase(), value }))
  return [...direct, ...settingsInOptions(parameters.get('options') ?? '')]
}

/**
 * The settings that `options` names: `-c name=value`, `-cname=value` and `--name=value`, with blanks escaped by a
 * backslash and dashes standing for underscores (pg_split_opts and process_postgres_switches in PostgreSQL's source).
 */
function settingsInOptions(options: string): readonly Setting[] {
  const words: string[] = []
  let word: string | null = null
  for (let index = 0; index < options.length; index += 1) {
    const char = options.charAt(index)
    if (char === '\\' && index + 1 < options.length) {
      index += 1
      word = (word ?? '') + options.charAt(index)
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else {
      word = (word ?? '') + char
    }
  }
  if (word !== null) words.push(word)
  return words.flatMap((text) => {
    const found = /^(?:-c|--)?\s*([^=]*)=(.*)$/s.exec(text)
    return found === null ? [] : [{ name: (found[1] ?? '').toLowerCase().replaceAll('-', '_'), value: found[2] ?? '' }]
  })
}
