import type { StatementLineage } from '../../core/lineage.ts'

/** The lineage of a statement that could not be traced: it may read everything and do anything. */
export function unknownLineage(reason: string): StatementLineage {
  return {
    outputs: null,
    anyOutput: 'unknown',
    predicates: 'unknown',
    touched: 'unknown',
    hazards: [{ reason, columns: 'unknown' }],
    writes: [],
    copyIn: null,
    copyOut: null,
    creates: null,
    missing: [],
    changesCatalog: true,
  }
}
