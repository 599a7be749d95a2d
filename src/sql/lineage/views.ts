import type { CatalogRelation } from '../../core/catalog.ts'
import type { Hazard, Sources } from '../../core/lineage.ts'
import { isFields, tagged } from '../parse-tree.ts'
import type { Trace, QueryResult } from './context.ts'
import { rootScope, Trace as NewTrace, unknownResult } from './context.ts'
import { traceQuery } from './select.ts'

/** What a view does, whoever reads it. */
export interface ViewLineage {
  readonly result: QueryResult
  readonly lineage: {
    readonly predicates: Sources
    readonly touched: Sources
    readonly hazards: readonly Hazard[]
    readonly missing: readonly string[]
  }
}

/** A view that could not be seen through. */
const unknownView: ViewLineage = {
  result: unknownResult,
  lineage: { predicates: 'unknown', touched: 'unknown', hazards: [], missing: [] },
}

/** Sees through a view, once per snapshot; one that reaches itself, or cannot be read, may show anything. */
export function resultOfView(relation: CatalogRelation, trace: Trace): ViewLineage {
  return trace.schema.remember(`view ${relation.oid}`, unknownView, () => traceView(relation, trace))
}

function traceView(relation: CatalogRelation, trace: Trace): ViewLineage {
  const [statement] = trace.schema.parse(relation.definition ?? '') ?? []
  const found = tagged(statement?.stmt)
  if (found?.tag !== 'SelectStmt' || !isFields(found.fields)) return unknownView
  // Its own trace: what it does is noted by everyone who reads it, and its columns point to nothing around it.
  const own = new NewTrace(trace.schema)
  const result = traceQuery('SelectStmt', found.fields, rootScope(viewSearchPath), own)
  return {
    result,
    lineage: {
      predicates: own.predicates,
      touched: own.touched,
      hazards: [...own.hazards.values()],
      missing: [...own.missing],
    },
  }
}

/** Definitions are printed with the names qualified that need it. */
const viewSearchPath = ['pg_catalog'] as const
