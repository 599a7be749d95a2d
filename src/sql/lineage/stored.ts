import type { CatalogColumn, CatalogFunction, CatalogRelation, Oid } from '../../core/catalog.ts'
import type { Sources } from '../../core/lineage.ts'
import { tagged } from '../parse-tree.ts'
import { innerScope, rootScope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import type { ColumnSources, Schema } from './schema.ts'
import { finish } from './select.ts'
import { union, unionAll } from './sources.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'
import { triggerSources } from './triggers.ts'
import { derivedFrom, tellsOf } from './value.ts'

/** What is stored in a column of a table: itself, what computes it, and the rows of tables that inherit from it. */
export function traceStoredColumn(relation: Oid, column: number, schema: Schema): ColumnSources {
  const found = schema.catalog.relation(relation)
  const definition = found?.columns.find((each) => each.number === column)
  if (found === undefined || definition === undefined) return { sources: 'unknown', direct: null }
  const own = schema.ownColumn(relation, column)
  const computed = union(computedSources(found, definition, schema), triggerSources(found, definition, schema))
  const inherited = schema.catalog
    .childrenOf(relation)
    .flatMap((child) =>
      child.columns.filter((each) => each.name === definition.name).map((each) => [child, each] as const),
    )
    .map(([child, each]) => schema.storedSources(child.oid, each.number))
  const rule = own.direct === null ? null : schema.classification.columns.get(own.direct)?.masking
  // A child's rows are masked like the parent's only where both are masked in the same way.
  const isAlike = inherited.every(({ sources, direct }) => {
    if (sources !== 'unknown' && sources.size === 0) return true
    const other = direct === null ? undefined : schema.classification.columns.get(direct)?.masking
    return other !== undefined && JSON.stringify(other) === JSON.stringify(rule)
  })
  const isOwn = computed !== 'unknown' && [...computed].every((key) => key === own.direct)
  const isMade = own.direct !== null && schema.classification.columns.get(own.direct)?.isExpression === true
  return {
    sources: unionAll([own.sources, computed, ...inherited.map(({ sources }) => sources)]),
    direct: isAlike && isOwn && !isMade ? own.direct : null,
  }
}

/** What a generated column is computed from. */
function computedSources(relation: CatalogRelation, column: CatalogColumn, schema: Schema): Sources {
  if (!column.isGenerated || column.expression === null) return new Set()
  return expressionSources(relation, column.expression, schema)
}

/** What an expression over one row of a relation derives from, such as a default. */
export function expressionSources(relation: CatalogRelation, expression: string, schema: Schema): Sources {
  const statement = schema.parse(`SELECT (${expression})`)?.[0]?.stmt
  const target = fieldsOf(listOf(fieldsOf(statement, 'SelectStmt')?.['targetList'])[0], 'ResTarget')
  if (target === null) return 'unknown'
  const trace = new Trace(schema)
  const level = trace.table.level()
  const columns = relation.columns.map((each) => {
    const value = derivedFrom(each.isGenerated ? new Set() : schema.storedSources(relation.oid, each.number).sources)
    return { name: each.name, value, isDoubtful: false }
  })
  const entry = trace.table.add({
    name: relation.name,
    schema: null,
    columns,
    rest: null,
    isRelation: true,
    rowType: relation.rowType,
    level,
  })
  const items = [{ entries: [entry], columns: entry.columns, rest: null }]
  const value = traceExpression(target['val'], innerScope(rootScope(['pg_catalog']), { level, items }), trace)
  return tellsOf(finish({ columns: null, any: value }, { level, hints: null }, trace).any)
}

/** The statements of an SQL function's body, in either form. */
export function bodyStatements(called: CatalogFunction, schema: Schema): readonly unknown[] | null {
  const { body } = called
  if (body === null) return null
  if (!called.isStandardBody) return schema.parse(body)?.map((each) => each.stmt) ?? null
  const text = `CREATE FUNCTION f() RETURNS void LANGUAGE sql ${body}`
  const parsed = toFields(fieldsOf(schema.parse(text)?.[0]?.stmt, 'CreateFunctionStmt')?.['sql_body'])
  const returned = fieldsOf(parsed, 'ReturnStmt')
  if (returned !== null) return [selectOf(returned['returnval'])]
  if (tagged(parsed)?.tag !== 'List') return null
  return flatten(parsed).map((each) => {
    const inner = fieldsOf(each, 'ReturnStmt')
    return inner === null ? each : selectOf(inner['returnval'])
  })
}

function flatten(node: unknown): readonly unknown[] {
  const list = fieldsOf(node, 'List')
  return list === null ? [node] : listOf(list['items']).flatMap(flatten)
}

function selectOf(expression: unknown): unknown {
  return { SelectStmt: { targetList: [{ ResTarget: { val: expression } }], op: 'SETOP_NONE' } }
}
