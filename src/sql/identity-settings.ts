import type { StatementAnalysis } from '../core/statement.ts'
import { constantText } from './functions.ts'
import { isFields, isTag, tagged, textsOf } from './parse-tree.ts'
import type { Fields } from './parse-tree.ts'

/*
 * The gateway tells PostgreSQL who is asking by settings named `postern.*` and by `application_name`. PostgreSQL lets
 * every session change a setting that no extension owns, so whatever could do that is found here, to be refused.
 */

/** What a statement does to the settings that say who is asking. */
export type IdentityFacts = Pick<StatementAnalysis, 'forgesIdentity' | 'setsApplicationName'>

/** The facts of a statement that leaves these settings alone. */
export const noIdentityFacts: IdentityFacts = { forgesIdentity: false, setsApplicationName: null }

/**
 * A text without any of these cannot name such a setting or what changes one by name: only identifiers written as
 * U&"..." can spell them differently. Most texts are done with after this look.
 */
const mayConcern = /postern|set_config|pg_settings|application_name|u&/i

/**
 * What a statement, given as its tree and its text, does to the settings that say who is asking. The whole tree is
 * searched, definitions and prepared statements included, since it makes no difference who runs them. Pure.
 */
export function identityFacts(node: unknown, sql: string): IdentityFacts {
  if (!mayConcern.test(sql)) return noIdentityFacts
  const search: Search = { forges: false, applicationNames: [] }
  look(node, search, null)
  const [first] = search.applicationNames
  if (first === undefined) return search.forges ? { ...noIdentityFacts, forgesIdentity: true } : noIdentityFacts
  const isCertain = search.applicationNames.every((name) => name === first)
  return { forgesIdentity: search.forges, setsApplicationName: { to: isCertain ? first : null } }
}

interface Search {
  forges: boolean
  /** What application_name is set to, null where that is not known. */
  readonly applicationNames: (string | null)[]
}

/** `rowName` is what the column `name` certainly holds at this place, or null. */
function look(node: unknown, search: Search, rowName: string | null): void {
  if (Array.isArray(node)) {
    for (const item of node) look(item, search, rowName)
    return
  }
  if (!isFields(node)) return
  for (const key in node) {
    const below = node[key]
    // Three statements hold a VariableSetStmt under the name of a field, without its tag.
    if (key === 'setstmt') noteKeptSetting(below, search)
    else if (isTag(key) && isFields(below)) lookAt(key, below, search, rowName)
    else look(below, search, rowName)
  }
}

function lookAt(tag: string, node: Fields, search: Search, rowName: string | null): void {
  switch (tag) {
    case 'VariableSetStmt':
      noteSetting(node, search)
      break
    case 'FuncCall':
      if (textsOf(node['funcname']).at(-1) === 'set_config') noteSetConfig(node['args'], search, rowName)
      break
    case 'UpdateStmt':
    case 'InsertStmt':
    case 'MergeStmt':
      // A rule of pg_settings turns an UPDATE of it into set_config() for each row.
      if (isSettingsView(node['relation'])) noteAnySetting(search)
      break
    case 'ViewStmt':
    case 'RuleStmt':
      // An UPDATE of a view over pg_settings is one of pg_settings, and does not show it.
      if (readsSettingsView(node)) search.forges = true
      break
    case 'DefineStmt':
      // An aggregate can call set_config() for each row, with a name that is its initial state.
      if (namesSetConfig(node['definition'])) search.forges = true
      break
    case 'DefElem':
      if (node['defname'] === 'as') noteCode(node['arg'], search)
      break
    default:
  }
  look(node, search, tag === 'SelectStmt' ? nameOfRow(node) : rowName)
}

function noteAnySetting(search: Search): void {
  search.forges = true
  search.applicationNames.push(null)
}

/** SET and RESET, also as an option of a function: that one is in force while the function runs. */
function noteSetting(statement: Fields, search: Search): void {
  const name = settingName(statement)
  if (isOwn(name)) search.forges = true
  if (name !== 'application_name') return
  // RESET and SET ... TO DEFAULT go back to what the gateway gave at the start, FROM CURRENT changes nothing.
  if (statement['kind'] !== 'VAR_SET_VALUE') return
  const args: unknown = statement['args']
  search.applicationNames.push(Array.isArray(args) && args.length === 1 ? constantText(args[0]) : null)
}

/** ALTER ROLE, DATABASE and SYSTEM SET: for later sessions, where what the gateway gives at the start goes first. */
function noteKeptSetting(statement: unknown, search: Search): void {
  if (isFields(statement) && isOwn(settingName(statement))) search.forges = true
}

function noteSetConfig(args: unknown, search: Search, rowName: string | null): void {
  const given: readonly unknown[] = Array.isArray(args) ? (args as readonly unknown[]) : []
  const name = (constantText(given[0]) ?? (isNameColumn(given[0]) ? rowName : null))?.toLowerCase()
  // A name that only running it tells may be any.
  if (name === undefined || isOwn(name)) search.forges = true
  if (name === undefined || name === 'application_name') search.applicationNames.push(constantText(given[1]))
}

function settingName(statement: Fields): string {
  const name = statement['name']
  // PostgreSQL compares names of settings without regard to the case of ASCII letters.
  return typeof name === 'string' ? name.toLowerCase() : ''
}

function isOwn(name: string): boolean {
  return name.startsWith('postern.')
}

/**
 * The setting whose row is the only one that FROM can give: `FROM pg_settings WHERE name = 'x'` and nothing besides, as
 * pg_dump asks for set_config(name, ...) of a setting that older servers do not have.
 */
function nameOfRow(select: Fields): string | null {
  const from: unknown = select['fromClause']
  const where = tagged(select['whereClause'])
  if (!Array.isArray(from) || from.length !== 1 || where?.tag !== 'A_Expr' || !isFields(where.fields)) return null
  if (!isSettingsView(tagged(from[0])?.fields) || select['withClause'] !== undefined) return null
  const { kind, name, lexpr, rexpr } = where.fields
  const isEqual = kind === 'AEXPR_OP' && textsOf(name).join('.') === '='
  return isEqual && isNameColumn(lexpr) ? constantText(rexpr) : null
}

function isNameColumn(node: unknown): boolean {
  const found = tagged(node)
  if (found?.tag !== 'ColumnRef' || !isFields(found.fields)) return false
  const parts: unknown = found.fields['fields']
  return Array.isArray(parts) && parts.length === 1 && textsOf(parts)[0] === 'name'
}

function isSettingsView(rangeVar: unknown): boolean {
  if (!isFields(rangeVar) || rangeVar['relname'] !== 'pg_settings') return false
  const schema = rangeVar['schemaname']
  return schema === undefined || schema === 'pg_catalog'
}

function readsSettingsView(node: unknown): boolean {
  if (Array.isArray(node)) return node.some((item) => readsSettingsView(item))
  if (!isFields(node)) return false
  if (isSettingsView(node)) return true
  for (const key in node) if (readsSettingsView(node[key])) return true
  return false
}

function namesSetConfig(node: unknown): boolean {
  if (Array.isArray(node)) return textsOf(node).at(-1) === 'set_config' || node.some((item) => namesSetConfig(item))
  if (!isFields(node)) return false
  for (const key in node) if (namesSetConfig(node[key])) return true
  return false
}

/**
 * Code in another language, as DO and CREATE FUNCTION have it. It cannot be read, so this finds what is written plainly
 * and nothing that is hidden: whoever policy lets run opaque code can forge.
 */
function noteCode(code: unknown, search: Search): void {
  const found = tagged(code)
  if (found === null || !isFields(found.fields)) return
  const texts = found.tag === 'List' ? textsOf(found.fields['items']) : textsOf([code])
  if (texts.some((text) => codeThatForges.some((pattern) => pattern.test(text)))) search.forges = true
}

const codeThatForges: readonly RegExp[] = [
  /\b(?:set|reset)\s+(?:session\s+|local\s+)?"?postern"?\s*\./i,
  // Its first argument is anything but a plain text that names another setting.
  /\bset_config"?\s*\((?!\s*'(?!postern\.)[^']*'\s*(?:::\s*text\s*)?,)/i,
  // What LANGUAGE internal calls it.
  /^\s*set_config_by_name\s*$/,
]
