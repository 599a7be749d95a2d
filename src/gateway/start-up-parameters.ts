import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Command, emptyStatement, type StatementAnalysis } from '../core/statement.ts'
import type { LoginMethod } from './ask-token.ts'

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
 * A start-up packet can set what SET could, by name or in `options`, and load libraries besides. Returns the statement it
 * amounts to, to be decided like one, or null where it sets nothing but what drivers always do.
 */
export function settingsStatement(parameters: ReadonlyMap<string, string>): StatementAnalysis | null {
  const names = settingsOf(forwardedParameters(parameters))
    .map(({ name }) => name)
    .filter((name) => !usualSettings.has(name))
  const commands = [...new Set(names.map(commandOfSetting))].map(command)
  const [first] = commands
  return first === undefined ? null : { ...emptyStatement, sql: '(start-up parameters)', kind: first.name, commands }
}

/** How a client wants texts and values written, and its token asked for. Whoever may connect may say so. */
const usualSettings: ReadonlySet<string> = new Set([
  'application_name',
  'client_encoding',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'options',
  'postern.login',
  'postern.reason',
  'timezone',
])

function commandOfSetting(name: string): string {
  if (name === 'role') return 'SET ROLE'
  if (name === 'session_authorization') return 'SET SESSION AUTHORIZATION'
  if (name === 'session_preload_libraries' || name === 'local_preload_libraries') return 'LOAD'
  return 'SET'
}

function command(name: string): Command {
  return { name, relations: [], hasWhere: true }
}

/**
 * How the client wants to be asked for its token: `-c postern.login=oauth` or `=password` in `options`. A client of
 * OAUTHBEARER has to say so, since it would be asked for a password otherwise, and one of the other sort vice versa.
 */
export function loginMethod<Otherwise>(
  parameters: ReadonlyMap<string, string>,
  otherwise: Otherwise,
): LoginMethod | Otherwise {
  const asked = settingsOf(parameters).findLast(({ name }) => name === 'postern.login')?.value
  if (asked === undefined) return otherwise
  if (asked === 'oauth' || asked === 'password') return asked
  throw new PosternError('input_invalid', 'postern.login is neither "oauth" nor "password"', {
    hint: 'Correct it in the `options` of the connection, or leave it out.',
  })
}

/**
 * The settings `postern.*` that a start-up packet would make, folded, however they are written. All but `postern.login`
 * and `postern.reason` are for the gateway to give.
 */
export function forgedSettings(parameters: ReadonlyMap<string, string>): readonly string[] {
  return settingsOf(parameters)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('postern.') && !clientsOwn.has(name))
}

const clientsOwn: ReadonlySet<string> = new Set(['postern.login', 'postern.reason'])

/** Why the client is here (`-c postern.reason=INC-1234` in `options`), for the record and for approvers; null if it does not say. */
export function reasonGiven(parameters: ReadonlyMap<string, string>): string | null {
  const given =
    settingsOf(parameters)
      .findLast(({ name }) => name === 'postern.reason')
      ?.value.trim() ?? ''
  if (given === '') return null
  if (given.length <= limits.reasonCharsMax && !/\p{Cc}/u.test(given)) return given
  throw new PosternError('input_invalid', 'postern.reason is too long, or holds control characters', {
    hint: `Give a reason of at most ${String(limits.reasonCharsMax)} characters.`,
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

/** Splits `options` into words at white space that no backslash escapes (pg_split_opts in PostgreSQL's source). */
function wordsOf(options: string): readonly string[] {
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
  return word === null ? words : [...words, word]
}

/** A word's switches that take no value, and then one that may; others may precede `c` and `-`, as in `-ncrole=x`. */
const switches = /^-([bEeFijlnOPsT]*)(?:([c-])\s*|([^c-]).*|)/s

/**
 * The settings that `options` names: `-c name=value` and `--name=value`, in one word or two, with dashes standing for
 * underscores, and the switches that are short for a setting, here by their own letter (process_postgres_switches in
 * PostgreSQL's source). A word is read both as a switch and as the value of one: rather a setting too many than one too few.
 */
function settingsInOptions(options: string): readonly Setting[] {
  return wordsOf(options).flatMap((word) => {
    const [whole = '', plain = '', , valued = ''] = switches.exec(word) ?? []
    const short = Array.from(plain + valued, (letter) => ({ name: `-${letter}`, value: '' }))
    const found = /^([^=]*)=(.*)$/s.exec(word.slice(whole.length))
    if (found === null) return short
    return short.concat({ name: (found[1] ?? '').toLowerCase().replaceAll('-', '_'), value: found[2] ?? '' })
  })
}
