import type { RelationName } from '../core/statement.ts'
import { isFields, tagged, textsOf } from './parse-tree.ts'
import type { Fields } from './parse-tree.ts'
import { relationOf, walkTree } from './walk.ts'
import type { Scope, Walk } from './walk.ts'

/** The statements that PostgreSQL calls queries: they can stand in a WITH, and SELECT nearly anywhere. */
export const queryTags: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
])

/** Notes what a query does: its own command first, then all that is inside of it. */
export function walkQuery(tag: string, node: unknown, walk: Walk, scope: Scope): void {
  if (!isFields(node)) return walk.effects.hide(`holds a ${tag} that cannot be read`)
  switch (tag) {
    case 'SelectStmt':
      return walkSelect(node, walk, scope)
    case 'InsertStmt':
      return walkInsert(node, walk, scope)
    case 'UpdateStmt':
      return walkChange({ name: 'UPDATE', node, others: node['fromClause'] }, walk, scope)
    case 'DeleteStmt':
      return walkChange({ name: 'DELETE', node, others: node['usingClause'] }, walk, scope)
    case 'MergeStmt':
      return walkMerge(node, walk, scope)
    default:
      return walk.effects.hide(`holds a ${tag}, which Postern does not know`)
  }
}

/** Whether an INTO of this SELECT makes a table. In a UNION it stands in the first part. */
export function hasInto(select: unknown): boolean {
  for (let each = select; isFields(each); each = each['larg']) {
    if (isFields(each['intoClause'])) return true
  }
  return false
}

function walkSelect(node: Fields, walk: Walk, outer: Scope): void {
  const scope = walkWith(node['withClause'], walk, outer)
  for (const key in node) {
    // FOR UPDATE OF names what FROM has named already, by alias. It needs the UPDATE privilege in PostgreSQL, but
    // changes nothing, so it counts as reading.
    if (key === 'withClause' || key === 'lockingClause') continue
    const part = node[key]
    if (key === 'larg' || key === 'rarg') walkQuery('SelectStmt', part, walk, scope)
    else if (key === 'intoClause') walkInto(part, walk)
    else walkReads(part, walk, scope)
  }
}

function walkInto(into: unknown, walk: Walk): void {
  if (isFields(into)) walk.effects.add('SELECT INTO', [relationOf(into['rel'])])
}

function walkInsert(node: Fields, walk: Walk, outer: Scope): void {
  const target = relationOf(node['relation'])
  walk.effects.add('INSERT', [target])
  const scope = walkWith(node['withClause'], walk, outer)
  const conflict = node['onConflictClause']
  if (isFields(conflict) && conflict['action'] === 'ONCONFLICT_UPDATE') {
    noteUpdate(target, walk, { hasWhere: true })
    // Values of the row that is there already, and not those of EXCLUDED, are read from the target.
    const isRead = (qualifier: string | null): boolean => qualifier !== 'excluded'
    if (hasColumn([conflict['targetList'], conflict['whereClause']], isRead)) walk.effects.read(target)
  }
  if (isFields(node['returningClause'])) walk.effects.read(target)
  walkParts(node, walk, scope)
}

function walkChange(
  change: { name: 'UPDATE' | 'DELETE'; node: Fields; others: unknown },
  walk: Walk,
  outer: Scope,
): void {
  const { name, node, others } = change
  const target = relationOf(node['relation'])
  const where = node['whereClause']
  const row = { hasWhere: isRowCondition(where, targetName(node['relation'])) }
  if (name === 'UPDATE') noteUpdate(target, walk, row)
  else walk.effects.add(name, [target], row)
  const isRead =
    where !== undefined ||
    others !== undefined ||
    isFields(node['returningClause']) ||
    hasColumn(node['targetList'], () => true)
  if (isRead) walk.effects.read(target)
  walkParts(node, walk, walkWith(node['withClause'], walk, outer))
}

function walkMerge(node: Fields, walk: Walk, outer: Scope): void {
  const target = relationOf(node['relation'])
  walk.effects.add('MERGE', [target])
  walk.effects.read(target)
  const clauses: unknown = node['mergeWhenClauses']
  for (const clause of Array.isArray(clauses) ? (clauses as readonly unknown[]) : []) {
    const when = tagged(clause)?.fields
    const command = isFields(when) ? when['commandType'] : undefined
    if (command === 'CMD_UPDATE') noteUpdate(target, walk, { hasWhere: true })
    else if (command === 'CMD_INSERT') walk.effects.add('INSERT', [target])
    else if (command === 'CMD_DELETE') walk.effects.add('DELETE', [target])
    else if (command !== 'CMD_NOTHING') walk.effects.hide('holds a MERGE action that Postern does not know')
  }
  walkParts(node, walk, walkWith(node['withClause'], walk, outer))
}

/** All of a writing query but its target, which no WITH can hide, and its WITH, which made `scope`. */
function walkParts(node: Fields, walk: Walk, scope: Scope): void {
  for (const key in node) {
    if (key !== 'withClause' && key !== 'relation') walkReads(node[key], walk, scope)
  }
}

function walkReads(part: unknown, walk: Walk, scope: Scope): void {
  walkTree(part, walk, scope, (relation) => {
    if (relation.schema !== null || !isHidden(relation.name, scope)) walk.effects.read(relation)
  })
}

/**
 * Walks the queries of a WITH and gives the scope of what it belongs to. Each query sees those before it; in WITH
 * RECURSIVE all see all.
 */
function walkWith(withClause: unknown, walk: Walk, outer: Scope): Scope {
  if (!isFields(withClause)) return outer
  const scope = { names: new Set<string>(), outer }
  const list: unknown = withClause['ctes']
  const queries = (Array.isArray(list) ? (list as readonly unknown[]) : []).map((each) => tagged(each)?.fields)
  if (withClause['recursive'] === true) for (const each of queries) addName(scope.names, each)
  for (const each of queries) {
    walkReads(each, walk, scope)
    addName(scope.names, each)
  }
  return scope
}

function addName(names: Set<string>, commonTable: unknown): void {
  if (isFields(commonTable) && typeof commonTable['ctename'] === 'string') names.add(commonTable['ctename'])
}

function isHidden(name: string, scope: Scope): boolean {
  for (let each = scope; each !== null; each = each.outer) if (each.names.has(name)) return true
  return false
}

/** Rules of pg_settings, the only system view that has any, turn an UPDATE of it into set_config(). */
function noteUpdate(target: RelationName, walk: Walk, row: { hasWhere: boolean }): void {
  walk.effects.add('UPDATE', [target], row)
  if (target.name === 'pg_settings' && (target.schema === null || target.schema === 'pg_catalog')) {
    walk.effects.hide('changes settings through pg_settings')
  }
}

/** The name by which the columns of a target can be qualified. */
function targetName(rangeVar: unknown): string {
  const alias = isFields(rangeVar) ? rangeVar['alias'] : undefined
  const name = isFields(alias) ? alias['aliasname'] : undefined
  return typeof name === 'string' ? name : relationOf(rangeVar).name
}

/** Whether a WHERE can tell one row of the target from another: it names a column that may be the target's. */
function isRowCondition(where: unknown, target: string): boolean {
  return hasColumn(where, (qualifier) => qualifier === null || qualifier === target)
}

/** Whether a column is referred to whose qualifier (null where there is none) passes. WHERE CURRENT OF counts. */
function hasColumn(node: unknown, passes: (qualifier: string | null) => boolean): boolean {
  if (Array.isArray(node)) return node.some((item) => hasColumn(item, passes))
  if (!isFields(node)) return false
  for (const key in node) {
    const value = node[key]
    if (key === 'CurrentOfExpr') return true
    if (key === 'ColumnRef' && isFields(value)) {
      const fields: unknown = value['fields']
      const count = Array.isArray(fields) ? fields.length : 0
      if (passes(count > 1 ? (textsOf(fields).at(count - 2) ?? null) : null)) return true
    } else if (hasColumn(value, passes)) return true
  }
  return false
}
