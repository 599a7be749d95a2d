import type { RelationName } from '../core/statement.ts'
import type { Effects } from './effects.ts'
import { noteCall, noteField, noteOperator } from './functions.ts'
import type { FunctionRules } from './functions.ts'
import { isFields, isTag, tagged, textsOf } from './parse-tree.ts'
import type { Fields } from './parse-tree.ts'
import { queryTags, walkQuery } from './queries.ts'

/** What a walk needs to know and where it notes what it finds. */
export interface Walk {
  readonly effects: Effects
  readonly rules: FunctionRules
}

/**
 * The names of the common table expressions that are visible at a point of a query, innermost WITH first. They hide
 * relations of the same name, but only where those are read and named without a schema.
 */
export type Scope = { readonly names: Set<string>; readonly outer: Scope } | null

/** Where the relations go that a walk meets outside of any query. */
export type OnRelation = (relation: RelationName) => void

/**
 * Walks everything below `node`, whatever it is: notes functions and operators, walks queries with their own rules and
 * hands over relations. It goes by the tree's shape and not by a list of constructs, so that one nobody thought of
 * cannot hide a query. A statement where none is expected makes it all opaque.
 */
export function walkTree(node: unknown, walk: Walk, scope: Scope, onRelation: OnRelation): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const item of node) walkTree(item, walk, scope, onRelation)
    return
  }
  const fields = node as Fields
  if (typeof fields['relname'] === 'string') {
    onRelation(relationOf(fields))
    return
  }
  for (const key in fields) {
    if (isTag(key)) walkTagged(key, fields[key], walk, scope, onRelation)
    else walkTree(fields[key], walk, scope, onRelation)
  }
}

/** The relation that a RangeVar names. A database in front of the schema can only be the current one. */
export function relationOf(rangeVar: unknown): RelationName {
  const fields = isFields(rangeVar) ? rangeVar : {}
  const { schemaname: schema, relname: name } = fields
  return { schema: typeof schema === 'string' ? schema : null, name: typeof name === 'string' ? name : '' }
}

/** The relation that a list of name parts means, or null where there are none. */
export function relationOfNames(names: readonly string[]): RelationName | null {
  const name = names.at(-1)
  return name === undefined ? null : { schema: names.at(-2) ?? null, name }
}

function walkTagged(tag: string, node: unknown, walk: Walk, scope: Scope, onRelation: OnRelation): void {
  if (queryTags.has(tag)) {
    walkQuery(tag, node, walk, scope)
    return
  }
  if (isFields(node)) noteMeaning(tag, node, walk)
  if (tag === 'TableLikeClause') {
    // CREATE TABLE (LIKE t) takes t's definition, for which PostgreSQL asks for the SELECT privilege.
    walkTree(node, walk, scope, (relation) => walk.effects.read(relation))
    return
  }
  if (tag.endsWith('Stmt') && tag !== 'ReplicaIdentityStmt') {
    walk.effects.hide(`holds a ${tag} where Postern does not expect one`)
  }
  walkTree(node, walk, scope, onRelation)
}

function noteMeaning(tag: string, node: Fields, walk: Walk): void {
  switch (tag) {
    case 'FuncCall':
      noteCall(walk.effects, walk.rules, { name: node['funcname'], args: node['args'] })
      break
    case 'A_Indirection':
      noteFields(node, walk)
      break
    case 'ColumnRef':
      noteColumn(node, walk)
      break
    case 'RangeFunction':
      noteFunctionAlias(node, walk)
      break
    case 'RangeTableSample':
      // TABLESAMPLE name(...) calls the function of that name.
      noteCall(walk.effects, walk.rules, { name: node['method'], args: node['args'] })
      break
    case 'A_Expr':
      // Of the other kinds, the name is either fixed by the grammar or no operator, as in BETWEEN.
      if (node['kind'] === 'AEXPR_OP' || node['kind'] === 'AEXPR_OP_ANY' || node['kind'] === 'AEXPR_OP_ALL') {
        noteOperator(walk.effects, walk.rules, node['name'])
      }
      break
    case 'SubLink':
      noteOperator(walk.effects, walk.rules, node['operName'])
      break
    case 'SortBy':
      if (textsOf(node['useOp']).length > 0) noteOperator(walk.effects, walk.rules, node['useOp'])
      break
    default:
  }
}

/**
 * `(x).name` is a column where x has one of that name, and otherwise the call name(x). Only of ROW(...) is it known that
 * there is nothing to call.
 */
function noteFields(node: Fields, walk: Walk): void {
  if (tagged(node['arg'])?.tag === 'RowExpr') return
  for (const name of textsOf(node['indirection'])) noteField(walk.effects, walk.rules, name)
}

/** `x.name`, which may be a call as well if x stands for what a function in FROM returns. */
function noteColumn(node: Fields, walk: Walk): void {
  const fields: unknown = node['fields']
  if (!Array.isArray(fields) || fields.length !== 2) return
  const [qualifier, name] = textsOf(fields)
  if (qualifier === undefined || name === undefined) return
  walk.effects.selectField(qualifier, name)
}

/** Notes the name under which a function in FROM is known, and the columns it certainly has. */
function noteFunctionAlias(node: Fields, walk: Walk): void {
  const columns = new Set<string>()
  collectNames([node['coldeflist'], node['functions']], 'ColumnDef', columns)
  if (node['ordinality'] === true) columns.add('ordinality')
  const alias = node['alias']
  if (isFields(alias) && typeof alias['aliasname'] === 'string') {
    const named = textsOf(alias['colnames'])
    // Of a function that returns a single value, the alias names the column too, unless that has a name of its own.
    for (const name of named.length === 0 ? [alias['aliasname']] : named) columns.add(name)
    return walk.effects.nameFunction(alias['aliasname'], columns)
  }
  const functions = new Set<string>()
  collectNames(node['functions'], 'FuncCall', functions)
  for (const name of functions) walk.effects.nameFunction(name, new Set([...columns, ...functions]))
  // Of what is written in other ways (CAST, COALESCE) PostgreSQL makes up the name.
  if (functions.size === 0) walk.effects.nameFunction(null, columns)
}

/** The names of all nodes of this tag below `node`. */
function collectNames(node: unknown, tag: 'ColumnDef' | 'FuncCall', into: Set<string>): void {
  if (Array.isArray(node)) {
    for (const item of node) collectNames(item, tag, into)
    return
  }
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return
  if (found.tag === 'List') return collectNames(found.fields['items'], tag, into)
  if (found.tag !== tag) return
  const name = tag === 'ColumnDef' ? found.fields['colname'] : textsOf(found.fields['funcname']).at(-1)
  if (typeof name === 'string') into.add(name)
}
