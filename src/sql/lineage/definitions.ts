import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { RelationName } from '../../core/statement.ts'
import { relationCandidates } from '../catalog/resolve.ts'
import { objectRelation } from '../objects.ts'
import { isFields, tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { relationOf } from '../walk.ts'
import { innerScope, Trace as NewTrace, rootScope } from './context.ts'
import type { Scope, Trace } from './context.ts'
import { traceBelow } from './expressions.ts'
import { traceAny } from './statements.ts'
import { allOf, traceQueryNode } from './select.ts'
import { describeColumns } from './names.ts'
import { isNone, union, unionAll } from './sources.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'
import { plainValue, tellsOf } from './value.ts'

type Define = (fields: Fields, scope: Scope, trace: Trace) => void

/** Notes what a statement that defines something does; false for one that nobody has a rule for. */
export function define(tag: string, fields: Fields, scope: Scope, trace: Trace): boolean {
  const rule = rules.get(tag)
  rule?.(fields, scope, trace)
  return rule !== undefined
}

const harmless: Define = () => {}

/** Attaches code, or opens a way for data to leave or to lose its tags. */
const unseen: Define = (_fields, _scope, trace) => {
  trace.hazard('attaches code or opens a way that Postern cannot see through', 'unknown')
}

/** Needs to be allowed to see whatever is classified in the relations it names. */
const onRelations: Define = (fields, scope, trace) => noteRelations(relationsBelow(fields), scope, trace)

/** As `onRelations`, and whatever its expressions call. */
const withCode: Define = (fields, scope, trace) => {
  onRelations(fields, scope, trace)
  checkCode(fields, scope, trace)
}

const harmlessTags = `CreateSeqStmt AlterSeqStmt TruncateStmt VacuumStmt ClusterStmt ReindexStmt CreateEnumStmt
  AlterEnumStmt CompositeTypeStmt GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt ReassignOwnedStmt DropOwnedStmt
  CreateRoleStmt AlterRoleStmt AlterRoleSetStmt DropRoleStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt
  AlterDatabaseSetStmt DropdbStmt CreateTableSpaceStmt AlterTableSpaceOptionsStmt DropTableSpaceStmt
  AlterTableMoveAllStmt RefreshMatViewStmt AlterCollationStmt AlterTSDictionaryStmt AlterTSConfigurationStmt
  AlterStatsStmt AlterTypeStmt DropSubscriptionStmt DropUserMappingStmt AlterObjectDependsStmt`

const rules: ReadonlyMap<string, Define> = new Map<string, Define>([
  ...harmlessTags.split(/\s+/).map((tag) => [tag, harmless] as const),
  ['CreateStmt', createTable],
  ['AlterTableStmt', withCode],
  ['IndexStmt', withCode],
  ['CreateStatsStmt', withCode],
  ['CreateDomainStmt', checkCode],
  ['AlterDomainStmt', checkCode],
  ['ViewStmt', createView],
  ['CreateFunctionStmt', createFunction],
  [
    'CreateSchemaStmt',
    (fields, scope, trace) => listOf(fields['schemaElts']).forEach((each) => void traceAny(each, scope, trace)),
  ],
  ['CreateRangeStmt', (fields, scope, trace) => namesFunction(fields) && unseen(fields, scope, trace)],
  ['CreatedbStmt', createDatabase],
  ['DefineStmt', (fields, scope, trace) => plainDefinitions.has(fields['kind']) || unseen(fields, scope, trace)],
  ['CommentStmt', (fields, scope, trace) => onObject(fields['objtype'], fields['object'], scope, trace)],
  ['SecLabelStmt', (fields, scope, trace) => onObject(fields['objtype'], fields['object'], scope, trace)],
  ['DropStmt', drop],
  ['RenameStmt', rename],
  ['AlterOwnerStmt', alterObject],
  ['AlterObjectSchemaStmt', alterObject],
])

const plainDefinitions: ReadonlySet<unknown> = new Set([
  'OBJECT_COLLATION',
  'OBJECT_TSDICTIONARY',
  'OBJECT_TSCONFIGURATION',
])

/** All relations below a node, whatever names them. */
function relationsBelow(node: unknown): readonly RelationName[] {
  if (Array.isArray(node)) return node.flatMap(relationsBelow)
  if (!isFields(node)) return []
  if (typeof node['relname'] === 'string') return [relationOf(node)]
  return Object.keys(node).flatMap((key) => relationsBelow(node[key]))
}

function noteRelations(names: readonly RelationName[], scope: Scope, trace: Trace): void {
  for (const name of names) {
    const touched = touchedBy(name, scope, trace)
    trace.hazard(`changes ${name.name}, which has ${describeColumns(touched, trace)}`, touched)
  }
}

function touchedBy(name: RelationName, scope: Scope, trace: Trace): Sources {
  const candidates = relationCandidates(trace.schema.catalog, name, scope.searchPath)
  for (const each of candidates) trace.touch(each)
  const pending = trace.schema.pendingNamed(name).flatMap((each) => each.columns.map((column) => column.sources))
  return unionAll([...candidates.map((each) => trace.schema.touchedOf(each.oid)), ...pending])
}

/** Functions, operators and casts that an expression uses run whenever the thing that it is part of is used. */
function checkCode(fields: Fields, scope: Scope, trace: Trace): void {
  const level = trace.table.level()
  const items = [{ entries: [], columns: [], rest: plainValue }]
  const value = traceBelow(withoutRelationNames(fields), innerScope(scope, { level, items }), trace)
  trace.hazard(`defines something out of ${describeColumns(value.sources, trace)}`, value.sources)
}

/** A copy of the tree without what names relations, which are looked at by themselves. */
function withoutRelationNames(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutRelationNames)
  if (!isFields(node)) return node
  const kept = Object.entries(node).filter(([key]) => key !== 'RangeVar')
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutRelationNames(value)]))
}

/** A partition gets rows of what it is part of; a child by INHERITS only lends its own. */
function createTable(fields: Fields, scope: Scope, trace: Trace): void {
  if (fields['partbound'] !== undefined) noteRelations(relationsBelow(fields['inhRelations']), scope, trace)
  checkCode({ elements: withoutRelations(fields['tableElts']), more: fields['constraints'] }, scope, trace)
}

function withoutRelations(list: unknown): readonly unknown[] {
  return listOf(list).filter((each) => tagged(each)?.tag !== 'TableLikeClause')
}

/** Whoever makes a view shows its columns to others; a tag on a view that is replaced would be lost. */
function createView(fields: Fields, scope: Scope, trace: Trace): void {
  noteRelations([relationOf(toFields(fields['view']))], scope, trace)
  const shown = tellsOf({
    ...allOf(traceQueryNode(fields['query'], scope, trace)),
    hints: noSources,
    presence: noSources,
  })
  trace.hazard(`makes a view that shows ${describeColumns(shown, trace)}`, shown)
}

/** A function in SQL is seen through, so that only what it would do itself counts; any other is code. */
function createFunction(fields: Fields, scope: Scope, trace: Trace): void {
  const options = listOf(fields['options']).map((each) => toFields(fieldsOf(each, 'DefElem')))
  const language = textOfOption(options.find((each) => each['defname'] === 'language')?.['arg'])
  const isStandard = fields['sql_body'] !== undefined
  const body = textsOfOption(options.find((each) => each['defname'] === 'as')?.['arg'])[0]
  const isSql = isStandard || (language === 'sql' && body !== undefined)
  if (!isSql) return trace.hazard('makes a function that Postern cannot see through', 'unknown')
  // Defaults of parameters run whenever a call leaves them out.
  checkCode({ parameters: fields['parameters'] }, scope, trace)
  const statements = isStandard
    ? standardBody(fields['sql_body'])
    : (trace.schema.parse(body ?? '')?.map((each) => each.stmt) ?? null)
  if (statements === null) return trace.hazard('makes a function that Postern cannot read', 'unknown')
  const inner = new NewTrace(trace.schema)
  const names = listOf(fields['parameters']).map((each) => fieldsOf(each, 'FunctionParameter')?.['name'])
  const columns = names.map((name) => ({
    name: typeof name === 'string' ? name : '',
    value: plainValue,
    isDoubtful: false,
  }))
  const root = rootScope(scope.searchPath, {
    values: columns.map(({ value }) => value),
    items: [{ entries: [], columns, rest: null }],
  })
  let touched: Sources = noSources
  for (const each of statements) {
    const result = traceAny(each, root, inner)
    if (result !== null) touched = union(touched, tellsOf(allOf(result)))
  }
  touched = unionAll([touched, ...[...inner.hazards.values()].map((hazard) => hazard.columns)])
  trace.touched = union(trace.touched, inner.touched)
  trace.hazard(`makes a function that uses ${describeColumns(touched, trace)}`, touched)
}

function standardBody(body: unknown): readonly unknown[] {
  const list = fieldsOf(body, 'List')
  if (list !== null) return listOf(list['items']).flatMap(standardBody)
  const returned = fieldsOf(body, 'ReturnStmt')
  if (returned === null) return [body]
  return [{ SelectStmt: { targetList: [{ ResTarget: { val: returned['returnval'] } }] } }]
}

function textOfOption(node: unknown): string | null {
  const value = toFields(tagged(node)?.fields)['sval']
  return typeof value === 'string' ? value.toLowerCase() : null
}

function textsOfOption(node: unknown): readonly string[] {
  return textsOf(fieldsOf(node, 'List')?.['items'])
}

function namesFunction(fields: Fields): boolean {
  const names = listOf(fields['params']).map((each) => fieldsOf(each, 'DefElem')?.['defname'])
  return names.some((name) => name === 'canonical' || name === 'subtype_diff')
}

/** A copy of a database has all of its data and none of its classification. */
function createDatabase(fields: Fields, _scope: Scope, trace: Trace): void {
  const template = listOf(fields['options']).find((each) => fieldsOf(each, 'DefElem')?.['defname'] === 'template')
  const name = textOfOption(fieldsOf(template, 'DefElem')?.['arg'])
  if (template === undefined || name === 'template0' || name === 'template1') return
  trace.hazard('copies a database', 'unknown')
}

function onObject(type: unknown, object: unknown, scope: Scope, trace: Trace): void {
  const relation = objectRelation(type as Parameters<typeof objectRelation>[0], object)
  if (relation !== null) noteRelations([relation], scope, trace)
}

/** Dropping a relation frees nothing; dropping what guards or fills one may. */
function drop(fields: Fields, scope: Scope, trace: Trace): void {
  const guards: readonly unknown[] = ['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY']
  if (!guards.includes(fields['removeType'])) return
  for (const each of listOf(fields['objects'])) onObject(fields['removeType'], each, scope, trace)
}

function rename(fields: Fields, scope: Scope, trace: Trace): void {
  if (fields['renameType'] === 'OBJECT_SCHEMA') return noteSchema(fields['subname'], trace)
  alterObject({ ...fields, objectType: fields['renameType'] }, scope, trace)
}

function alterObject(fields: Fields, scope: Scope, trace: Trace): void {
  if (fields['relation'] !== undefined) noteRelations(relationsBelow(fields['relation']), scope, trace)
  else onObject(fields['objectType'], fields['object'], scope, trace)
}

function noteSchema(name: unknown, trace: Trace): void {
  const keys = [...trace.schema.classification.columns.values()].filter((column) => column.schema === name)
  const columns: Sources = new Set(keys.map(({ key }) => key))
  if (!isNone(columns)) trace.hazard(`renames the schema of ${describeColumns(columns, trace)}`, columns)
}
