import type { Command, StatementAnalysis } from '../core/statement.ts'
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
  for (const name of settingNames(parameters)) {
    if (name === 'role') commands.push(command('SET ROLE'))
    if (name === 'session_authorization') commands.push(command('SET SESSION AUTHORIZATION'))
  }
  const [first] = commands
  return first === undefined ? null : { ...emptyStatement, sql: '(start-up parameters)', kind: first.name, commands }
}

function command(name: string): Command {
  return { name, relations: [], hasWhere: true }
}

/** Names of all settings in the packet, folded as PostgreSQL folds them. */
function settingNames(parameters: ReadonlyMap<string, string>): readonly string[] {
  const direct = [...parameters.keys()].map((name) => name.toLowerCase())
  return [...direct, ...settingsInOptions(parameters.get('options') ?? '')]
}

/**
 * The settings that `options` names: `-c name=value`, `-cname=value` and `--name=value`, with blanks escaped by a
 * backslash and dashes standing for underscores (pg_split_opts and process_postgres_switches in PostgreSQL's source).
 */
function settingsInOptions(options: string): readonly string[] {
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
  return words
    .map((text) => /^(?:-c|--)?\s*([^=]*)=/.exec(text)?.[1] ?? '')
    .map((name) => name.toLowerCase().replaceAll('-', '_'))
}
