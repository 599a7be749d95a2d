import type { CatalogRelation } from '../../core/catalog.ts'
import type { Sources } from '../../core/lineage.ts'
import { isFields } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { assign, assignDefaults, noteTarget } from './assignments.ts'
import type { Assignment } from './assignments.ts'
import { addCondition } from './conditions.ts'
import { innerScope, unknownResult } from './context.ts'
import type { Item, QueryResult, Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { itemOf, traceFrom, traceStored } from './from.ts'
import type { FromPlace } from './from.ts'
import { namesOf, noteChosen, traceReturning } from './returning.ts'
import type { Level } from './range-table.ts'
import { finish, traceFromList, traceSelect } from './select.ts'
import { settleUnits } from './transfer.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'
import { plainValue, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'
import { traceWith } from './with.ts'

/** What is written to, and where. */
export interface Target {
  readonly item: Item
  readonly candidates: readonly CatalogRelation[]
  readonly level: Level
  readonly scope: Scope
  /** What expressions are written to its columns: RETURNING then shows no column as it is. */
  readonly made: Map<string, Sources>
}

/** Traces INSERT, UPDATE, DELETE and MERGE. */
export function traceWrite(tag: string, node: Fields, outer: Scope, trace: Trace): QueryResult {
  const around = traceWith(node['withClause'], outer, trace)
  const level = trace.table.level()
  const scope = innerScope(around, { level, items: [] })
  const place: FromPlace = { lateral: scope, around, level }
  const { item, candidates } = traceStored(toFields(node['relation']), place, trace)
  scope.items.push(item)
  const target: Target = { item, candidates, level, scope, made: new Map() }
  noteTarget(target, trace)
  switch (tag) {
    case 'InsertStmt':
      return traceInsert(node, target, around, trace)
    case 'UpdateStmt':
      return traceUpdate(node, target, place, trace)
    case 'DeleteStmt':
      return traceDelete(node, target, place, trace)
    case 'MergeStmt':
      return traceMerge(node, target, place, trace)
    default:
      trace.hazard(`holds a ${tag} that Postern does not know`, 'unknown')
      return unknownResult
  }
}

function traceInsert(node: Fields, target: Target, around: Scope, trace: Trace): QueryResult {
  const select = fieldsOf(node['selectStmt'], 'SelectStmt')
  const names = listOf(node['cols']).map((each) => String(fieldsOf(each, 'ResTarget')?.['name']))
  const isPart = listOf(node['cols']).map((each) => listOf(fieldsOf(each, 'ResTarget')?.['indirection']).length > 0)
  const result = select === null ? null : traceSelect(select, around, trace)
  const columns = names.length > 0 ? names : (target.candidates[0]?.columns.map(({ name }) => name) ?? [])
  const given = result === null ? [] : (result.columns ?? columns.map(() => ({ name: '', value: result.any })))
  given.forEach(({ value }, index) => {
    // Of a table that the snapshot does not have, the columns are not known by position.
    const name = columns[index] ?? (target.candidates.length === 0 ? '' : undefined)
    if (name === undefined) return
    const expressions = select === null ? [] : expressionsAt(select, index)
    assign({ name, value, expressions, isReplacing: false, isPart: isPart[index] ?? false }, target, trace)
  })
  assignDefaults(new Set(columns.slice(0, given.length)), target, trace)
  const inserted = new Map(given.map(({ value }, index) => [columns[index] ?? '', value]))
  traceConflict(node['onConflictClause'], inserted, target, trace)
  return traceReturning(node['returningClause'], target, trace)
}

function traceConflict(clause: unknown, inserted: ReadonlyMap<string, Value>, target: Target, trace: Trace): void {
  if (!isFields(clause) || clause['action'] !== 'ONCONFLICT_UPDATE') return
  const { level, item } = target
  const place: FromPlace = { lateral: target.scope, around: target.scope, level }
  const columns = item.columns.map(({ name }) => ({ name, value: inserted.get(name) ?? plainValue }))
  const excluded = itemOf({ name: 'excluded', columns, rest: item.rest }, null, place, trace)
  const scope = innerScope(target.scope, { level, items: [item, { ...excluded, columns: [] }] })
  if (clause['whereClause'] !== undefined) addCondition(clause['whereClause'], scope, level, trace)
  assignList(clause['targetList'], { ...target, scope }, trace)
}

function traceUpdate(node: Fields, target: Target, place: FromPlace, trace: Trace): QueryResult {
  traceFromList(node['fromClause'], { own: target.scope, around: place.around, level: place.level }, trace)
  if (node['whereClause'] !== undefined) addCondition(node['whereClause'], target.scope, target.level, trace)
  assignList(node['targetList'], target, trace)
  return traceReturning(node['returningClause'], target, trace)
}

function traceDelete(node: Fields, target: Target, place: FromPlace, trace: Trace): QueryResult {
  traceFromList(node['usingClause'], { own: target.scope, around: place.around, level: place.level }, trace)
  if (node['whereClause'] !== undefined) addCondition(node['whereClause'], target.scope, target.level, trace)
  settleUnits(target.level, trace)
  noteChosen('deletes', target, trace)
  return traceReturning(node['returningClause'], target, trace)
}

function traceMerge(node: Fields, target: Target, place: FromPlace, trace: Trace): QueryResult {
  const { scope, level } = target
  const source = traceFrom(node['sourceRelation'], { ...place, lateral: place.around }, trace)
  // RETURNING * gives the source's columns first.
  scope.items.unshift(source)
  if (node['joinCondition'] !== undefined) addCondition(node['joinCondition'], scope, level, trace)
  const clauses = listOf(node['mergeWhenClauses']).map((each) => toFields(fieldsOf(each, 'MergeWhenClause')))
  for (const clause of clauses) {
    if (clause['condition'] !== undefined) addCondition(clause['condition'], scope, level, trace)
  }
  settleUnits(level, trace)
  for (const clause of clauses) {
    switch (clause['commandType']) {
      case 'CMD_UPDATE':
        assignList(clause['targetList'], target, trace)
        break
      case 'CMD_INSERT':
        mergeInsert(clause, target, trace)
        break
      case 'CMD_DELETE':
        noteChosen('deletes', target, trace)
        break
      case 'CMD_NOTHING':
        break
      default:
        trace.hazard('holds a MERGE action that Postern does not know', 'unknown')
    }
  }
  return traceReturning(node['returningClause'], target, trace)
}

function mergeInsert(clause: Fields, target: Target, trace: Trace): void {
  const names = namesOf(clause['targetList'])
  const columns = names.length > 0 ? names : (target.candidates[0]?.columns.map(({ name }) => name) ?? [])
  const values = listOf(clause['values'])
  const given: Assignment[] = []
  values.forEach((expression, index) => {
    const name = columns[index] ?? (target.candidates.length === 0 ? '' : undefined)
    if (name === undefined) return
    const value = traceExpression(expression, target.scope, trace)
    given.push({ name, value, expressions: [expression], isReplacing: false, isPart: false })
  })
  assignSettled(given, target, trace)
  assignDefaults(new Set(columns.slice(0, values.length)), target, trace)
}

/** The SET list of an UPDATE: what every column gets. */
function assignList(list: unknown, target: Target, trace: Trace): void {
  const given: Assignment[] = []
  for (const each of listOf(list)) {
    const target_ = toFields(fieldsOf(each, 'ResTarget'))
    const name = typeof target_['name'] === 'string' ? target_['name'] : ''
    const isPart = listOf(target_['indirection']).length > 0
    const parts = listOf(target_['indirection']).map((step) => traceExpression(step, target.scope, trace))
    const { value, expression } = assigned(target_['val'], target.scope, trace)
    given.push({ name, value, expressions: [expression], isReplacing: true, isPart })
    for (const part of parts) given.push({ name, value: part, expressions: [], isReplacing: true, isPart: true })
  }
  assignSettled(given, target, trace)
}

/** What was learnt about rows by comparing them is in what is written to them. */
function assignSettled(given: readonly Assignment[], target: Target, trace: Trace): void {
  const fields: readonly Field[] = given.map(({ name, value }) => ({ name, value }))
  const settled = finish({ columns: fields, any: plainValue }, { level: target.level, hints: null }, trace).columns
  given.forEach((each, index) => assign({ ...each, value: settled?.[index]?.value ?? unknownValue }, target, trace))
}

/** The value of one column in `SET a = x` or `SET (a, b) = ...`. */
function assigned(node: unknown, scope: Scope, trace: Trace): { readonly value: Value; readonly expression: unknown } {
  const multiple = fieldsOf(node, 'MultiAssignRef')
  if (multiple === null) return { value: traceExpression(node, scope, trace), expression: node }
  const position = typeof multiple['colno'] === 'number' ? multiple['colno'] - 1 : 0
  const row = traceExpression(multiple['source'], scope, trace)
  const items = listOf(fieldsOf(multiple['source'], 'RowExpr')?.['args'])
  return { value: row.fields?.[position]?.value ?? row, expression: items[position] ?? multiple['source'] }
}

/** The expressions that a query gives for its column at this position. */
function expressionsAt(select: Fields, position: number): readonly unknown[] {
  if (select['op'] !== undefined && select['op'] !== 'SETOP_NONE') {
    return [...expressionsAt(toFields(select['larg']), position), ...expressionsAt(toFields(select['rarg']), position)]
  }
  if (Array.isArray(select['valuesLists'])) {
    return listOf(select['valuesLists']).map((row) => listOf(fieldsOf(row, 'List')?.['items'])[position])
  }
  const targets = listOf(select['targetList']).map((each) => fieldsOf(each, 'ResTarget')?.['val'])
  const hasStar = targets.slice(0, position + 1).some((each) => JSON.stringify(each)?.includes('"A_Star"') ?? false)
  // Behind a star, positions in the list are not those of the columns.
  return hasStar ? targets : [targets[position]]
}
