import { builtinFunctions, builtinOperators } from './builtin-functions.ts'
import { builtinOutputColumns } from './builtin-output-columns.ts'
import { dangerousFunctions, largeObjectFunctions } from './dangerous-functions.ts'
import type { Effects } from './effects.ts'
import { isFields, tagged, textsOf } from './parse-tree.ts'

/**
 * What calling functions means for a statement. A function is known if it is PostgreSQL's own or an operator of the
 * gateway has classified it safe; any other may do anything.
 *
 * Known gaps, since no catalog is at hand here: a bare name of a builtin function or operator may resolve to one of
 * the same name in another schema whose argument types fit better; of a table's row, `row.name` and `name(row)` are
 * the same to PostgreSQL, so a column reference may be a call of a function that takes such rows; casts to user-defined types, domains and collations run their
 * functions; and views, triggers, rules, row policies, defaults and generated columns that exist already run theirs.
 * All of them need someone to have defined such an object first, which is a `ddl` command. Servers before 18 read some
 * names, such as JSON_TABLE or JSON_SCALAR, as ordinary functions.
 */
export interface FunctionRules {
  /**
   * Names an operator classified safe: `purge` or `shop.purge` as the text has it after folding, a part that is no
   * plain lower-case identifier in double quotes; `operator <=>` or `operator shop.<=>` for an operator.
   */
  readonly safeFunctions: ReadonlySet<string>
  /** Names that are known to be columns and not functions, in the same form: selecting them calls nothing. */
  readonly safeFields?: ReadonlySet<string>
}

/** Notes a call of the function `name` (its parts as parsed) with these arguments. */
export function noteCall(effects: Effects, rules: FunctionRules, call: { name: unknown; args: unknown }): void {
  const parts = textsOf(call.name)
  const name = parts.at(-1)
  if (name === undefined) return effects.hide('calls a function without a name')
  const schema = parts.length > 1 ? (parts.at(-2) ?? null) : null
  const shown = schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`
  effects.call(shown)
  if (schema === null || schema === 'pg_catalog') {
    if (name === 'set_config') return noteSetConfig(effects, call.args)
    if (rules.safeFunctions.has(shown)) return
    const does = dangerOf(name, call.args)
    if (does !== undefined) return effects.hide(`calls ${shown}(), which ${does}`)
    if (name === 'pg_notify') return effects.add('NOTIFY')
    // PostgreSQL asks for the UPDATE privilege. Which sequence is an argument, and may only be known when it runs.
    if (name === 'setval') return effects.add('UPDATE')
    const largeObject = largeObjectFunctions.get(name)
    if (largeObject !== undefined) return noteLargeObject(effects, largeObject)
    if (builtinFunctions.has(name)) return
  }
  // These come with PostgreSQL and only compute.
  if (schema === 'information_schema' || rules.safeFunctions.has(shown)) return
  effects.hide(`calls ${shown}(), which Postern does not know`)
}

/**
 * Notes that `name` is selected of a value that need not be a row: unless it has a column of that name, this calls the
 * function of that name (ParseFuncOrColumn in PostgreSQL's source). So a column of a composite type has to be classified
 * safe like a function, but for those of PostgreSQL's own functions.
 */
export function noteField(effects: Effects, rules: FunctionRules, name: string): void {
  if (rules.safeFunctions.has(quote(name)) || rules.safeFields?.has(quote(name)) === true) return
  const isDangerous = dangerousFunctions.has(name) || largeObjectFunctions.has(name) || name === 'set_config'
  if (isDangerous) return noteCall(effects, rules, { name: [{ String: { sval: name } }], args: [] })
  if (builtinFunctions.has(name) || builtinOutputColumns.has(name)) return
  effects.hide(`selects ${quote(name)} like a column, which may call a function that Postern does not know`)
}

/** Notes the use of an operator by its name's parts. */
export function noteOperator(effects: Effects, rules: FunctionRules, name: unknown): void {
  const parts = textsOf(name)
  const symbol = parts.at(-1)
  if (symbol === undefined) return
  const schema = parts.length > 1 ? (parts.at(-2) ?? null) : null
  // The grammar turns these two into <> itself, but only where they are not qualified.
  if ((schema === null || schema === 'pg_catalog') && (builtinOperators.has(symbol) || symbol === '!=')) return
  const shown = schema === null ? symbol : `${quote(schema)}.${symbol}`
  if (rules.safeFunctions.has(`operator ${shown}`)) return
  effects.hide(`uses the operator ${shown}, which Postern does not know`)
}

/** The command that changing the setting `name` is; null as a name stands for one that is not known. */
export function settingCommand(name: string): 'SET' | 'SET ROLE' | 'SET SESSION AUTHORIZATION' {
  // PostgreSQL compares names of settings without regard to case.
  const lower = name.toLowerCase()
  if (lower === 'role') return 'SET ROLE'
  if (lower === 'session_authorization') return 'SET SESSION AUTHORIZATION'
  return 'SET'
}

function dangerOf(name: string, args: unknown): string | undefined {
  // ts_rewrite(query, target, substitute) computes; ts_rewrite(query, text) runs the text.
  if (name === 'ts_rewrite' && !(Array.isArray(args) && args.length === 3)) {
    return 'runs SQL that is not part of the statement'
  }
  return dangerousFunctions.get(name)
}

function noteSetConfig(effects: Effects, args: unknown): void {
  if (effects.isDefinition) return effects.hide('defines something that changes settings whenever it is used')
  const name = constantText(Array.isArray(args) ? args[0] : undefined)
  if (name === null) return effects.hide('calls set_config() with a name that is only known when it runs')
  effects.add(settingCommand(name))
}

/** Large objects live in one system relation, so reading and writing them is reading and writing that. */
function noteLargeObject(effects: Effects, command: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'): void {
  const relation = { schema: 'pg_catalog', name: 'pg_largeobject' }
  if (command === 'SELECT') effects.read(relation)
  else effects.add(command, [relation])
}

/** The text of a constant, also with a cast as in 'role'::text; null for anything else. */
export function constantText(node: unknown): string | null {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return null
  if (found.tag === 'TypeCast') return isTextType(found.fields['typeName']) ? constantText(found.fields['arg']) : null
  if (found.tag !== 'A_Const') return null
  const text = found.fields['sval']
  if (!isFields(text)) return null
  const value = text['sval'] ?? ''
  return typeof value === 'string' ? value : null
}

function isTextType(typeName: unknown): boolean {
  if (!isFields(typeName) || typeName['typmods'] !== undefined || typeName['arrayBounds'] !== undefined) return false
  const names = textsOf(typeName['names'])
  return names.at(-1) === 'text' && (names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog'))
}

/** An identifier as PostgreSQL would have to be told it, so that `"a.b"` and `a.b` stay different things. */
function quote(identifier: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(identifier) ? identifier : `"${identifier.replaceAll('"', '""')}"`
}
