import { columnKey } from '../../core/catalog.ts'
import type { CatalogColumn, CatalogRelation } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { CreatedRelation } from '../../core/lineage.ts'
import type { RelationName } from '../../core/statement.ts'
import { relationCandidates } from '../catalog/resolve.ts'
import type { Trace } from './context.ts'
import type { EntryColumn } from './range-table.ts'
import { isNone, union, unionAll } from './sources.ts'
import { addSources, derivedFrom, either, plainValue, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'
import { resultOfView } from './views.ts'

/** What a name of a relation may mean, all candidates taken together. */
export interface RelationShape {
  readonly candidates: readonly CatalogRelation[]
  readonly columns: readonly EntryColumn[]
  /** Set where there may be other columns, or the number of columns is not certain. */
  readonly rest: Value | null
  /** Whether all names are among `columns`, so that only their number and order are in doubt. */
  readonly areNamesKnown?: boolean
  readonly rowHints: CreatedSources
  readonly rowSources: CreatedSources
}

type CreatedSources = CreatedRelation['columns'][number]['sources']

/** Looks a relation up; one that the snapshot does not have is noted, and anything may be in it. */
export function findRelation(name: RelationName, searchPath: readonly string[] | null, trace: Trace): RelationShape {
  const candidates = relationCandidates(trace.schema.catalog, name, searchPath)
  const pending = trace.schema.pendingNamed(name)
  for (const each of candidates) trace.touch(each)
  for (const each of pending)
    trace.touched = union(trace.touched, unionAll(each.columns.map((column) => column.sources)))
  if (candidates.length === 0 && pending.length === 0) {
    trace.missing.add(name.schema === null ? name.name : `${name.schema}.${name.name}`)
    trace.touched = 'unknown'
    return { candidates: [], columns: [], rest: unknownValue, rowHints: 'unknown', rowSources: noSources }
  }
  const shapes = [...candidates.map((each) => shapeOf(each, trace)), ...pending.map(shapeOfPending)]
  return { candidates, ...mergeShapes(shapes) }
}

/** The columns of one relation of the snapshot, with what each derives from. */
export function columnsOf(relation: CatalogRelation, trace: Trace): readonly Field[] {
  return relation.columns.map((column) => ({ name: column.name, value: storedValue(relation, column, trace) }))
}

type Shape = Omit<RelationShape, 'candidates' | 'columns'> & { readonly columns: readonly Field[] }

function shapeOf(relation: CatalogRelation, trace: Trace): Shape {
  trace.visit(1 + relation.columns.length / 10)
  if (relation.definition === null) {
    return { columns: columnsOf(relation, trace), rest: null, rowHints: noSources, rowSources: noSources }
  }
  const { result, lineage } = resultOfView(relation, trace)
  trace.addPredicates(lineage.predicates)
  trace.touched = union(trace.touched, lineage.touched)
  for (const { reason, columns } of lineage.hazards) trace.hazard(reason, columns)
  for (const each of lineage.missing) trace.missing.add(each)
  const fields = result.columns
  const columns = relation.columns.map((column, index) => {
    const derived = fields?.length === relation.columns.length ? (fields[index]?.value ?? unknownValue) : unknownValue
    const typed = { ...derived, type: column.type, typeModifier: column.typeModifier }
    const own = trace.schema.ownColumn(relation.oid, column.number)
    const value = own.direct === null ? typed : { ...addSources(typed, own.sources), direct: own.direct }
    return { name: column.name, value }
  })
  return { columns, rest: null, rowHints: result.rowHints, rowSources: result.rowSources }
}

function storedValue(relation: CatalogRelation, column: CatalogColumn, trace: Trace): Value {
  const { type, typeModifier } = column
  const { sources, direct } = trace.schema.storedSources(relation.oid, column.number)
  const own = trace.schema.classification.columns.get(columnKey(relation.oid, column.number))
  // It may be one piece of a value in each row: which rows have a piece then tells of the row.
  const isCompared = own?.isExpression === true
  const value = { ...derivedFrom(sources), direct, type, typeModifier, isCompared }
  const rowFields = trace.schema.fieldsOfType(type)
  if (rowFields === null) return value
  return { ...value, fields: rowFields.map((name) => ({ name, value: { ...derivedFrom(sources), direct: null } })) }
}

function shapeOfPending(relation: CreatedRelation): Shape {
  const columns = relation.columns.map(({ name, sources, direct }) => ({
    name,
    value: { ...plainValue, isSynthetic: false, sources, direct, isCompared: direct === null && !isNone(sources) },
  }))
  return { columns, rest: null, rowHints: noSources, rowSources: noSources }
}

function mergeShapes(shapes: readonly Shape[]): Omit<RelationShape, 'candidates'> {
  const [first, ...others] = shapes
  if (first === undefined) return { columns: [], rest: unknownValue, rowHints: 'unknown', rowSources: 'unknown' }
  const rowHints = unionAll(shapes.map((shape) => shape.rowHints))
  const rowSources = unionAll(shapes.map((shape) => shape.rowSources))
  const isSame = others.every(
    (shape) =>
      shape.columns.length === first.columns.length &&
      shape.columns.every((column, index) => column.name === first.columns[index]?.name),
  )
  if (isSame) {
    const columns = first.columns.map(({ name }, index) => {
      const values = shapes.map((shape) => shape.columns[index]?.value ?? unknownValue)
      return { name, value: either(values), isDoubtful: false }
    })
    return { columns, rest: null, rowHints, rowSources }
  }
  return { ...mergeByName(shapes), rowHints, rowSources }
}

/** Of relations that differ: every name that any of them has, and no certainty what `*` is. */
function mergeByName(shapes: readonly Shape[]): Pick<RelationShape, 'columns' | 'rest' | 'areNamesKnown'> {
  const byName = new Map<string, Value[]>()
  for (const shape of shapes) {
    for (const { name, value } of shape.columns) byName.set(name, [...(byName.get(name) ?? []), value])
  }
  const columns = [...byName].map(([name, values]) => ({
    name,
    value: either(values),
    isDoubtful: values.length < shapes.length,
  }))
  const all = derivedFrom(unionAll(columns.map(({ value }) => value.sources)))
  return { columns, rest: all, areNamesKnown: true }
}
