import type { CatalogFunction } from '../../core/catalog.ts'
import { relationCandidates } from '../catalog/resolve.ts'
import type { Trace } from './context.ts'
import { parsePlpgsql } from './plpgsql-parser.ts'
import { tokensOf, Unreadable } from './plpgsql-tokens.ts'
import type { PlBody } from './plpgsql-tree.ts'
import type { Variables } from './plpgsql-variables.ts'
import type { Schema } from './schema.ts'

/** The body of a PL/pgSQL function, or null where it could not be read. */
export function plpgsqlBodyOf(called: CatalogFunction, schema: Schema): PlBody | null {
  return schema.remember<PlBody | null>(`plpgsql ${called.oid}`, null, () => {
    try {
      return called.body === null ? null : parsePlpgsql(called.body)
    } catch (error) {
      if (error instanceof Unreadable) return null
      throw error
    }
  })
}

/** Declares what a body's blocks declare. */
export function declareAll(
  body: PlBody,
  variables: Variables,
  searchPath: readonly string[] | null,
  trace: Trace,
): void {
  for (const { name, type, alias } of body.variables) {
    if (alias !== null) variables.alias(name, alias)
    else declareTyped(name, type ?? '', { variables, searchPath, trace })
  }
  // What exception handlers know of an error quotes values.
  variables.declare('sqlstate')
  variables.declare('sqlerrm')
}

/** Declares a variable of a type: one of a row type has that one's fields. */
export function declareTyped(
  name: string,
  type: string,
  place: { readonly variables: Variables; readonly searchPath: readonly string[] | null; readonly trace: Trace },
): void {
  const { variables, searchPath, trace } = place
  const tokens = tokensOf(type)
  const names = tokens.filter(({ kind }) => kind === 'word' || kind === 'name').map(({ text }) => text)
  const isRowType = names.at(-1) === 'rowtype' && tokens.some(({ text }) => text === '%')
  const isColumnType = names.at(-1) === 'type' && tokens.some(({ text }) => text === '%')
  const isArray = tokens.some(({ text }) => text === '[') || names.includes('array')
  if (names.join(' ') === 'record') return variables.declareRow(name, null)
  if (isColumnType || isArray) {
    // The type may be a row's, of a variable or a column; as a single value it derives from all of it.
    const [variable] = names
    if (isArray || names.length > 2 || variable === undefined || !variables.isRow(variable))
      return variables.declare(name)
    return variables.declareRow(name, null)
  }
  const own = isRowType ? names.slice(0, -1) : names
  const last = own.at(-1) ?? ''
  const schema = own.length > 1 ? (own.at(-2) ?? null) : null
  const { catalog } = trace.schema
  const relations = [
    ...relationCandidates(catalog, { schema, name: last }, searchPath),
    ...catalog.relationsNamed(last).filter(({ kind }) => kind === 'composite'),
  ]
  const [relation, ...others] = relations
  if (relation === undefined) return isRowType ? variables.declareRow(name, null) : variables.declare(name)
  if (others.length > 0) return variables.declareRow(name, null)
  variables.declareRow(
    name,
    relation.columns.map((column) => ({ name: column.name, value: null })),
  )
}
