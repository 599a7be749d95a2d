import type { Catalog, CatalogRelation } from '../core/catalog.ts'
import { nearestName } from '../core/nearest.ts'
import { fileKeyOf } from './decisions.ts'
import type { ClassificationFile } from './file.ts'
import { isNameFault, parseQualifiedName } from './identifiers.ts'
import type { ClassificationMemory, ColumnName, RelationNames } from './memory.ts'

/** What the file names and the catalog does not have, and what was renamed since the file named it. */
export function faultsOf({ file, catalog, memory }: FaultOptions): readonly string[] {
  const formerly = formerNames(memory)
  const faults: string[] = []
  for (const [key, columns] of file.columns) {
    const relation = relationAt(key, catalog)
    if (relation === null) {
      const now = formerly.relations.get(key)
      faults.push(now === undefined ? noRelation(key, catalog) : renamedRelation(key, now))
    }
    for (const [column, tags] of columns) {
      const isThere = relation?.columns.some(({ name }) => name === column) === true
      const now = formerly.columns.get(`${key}.${column}`)
      // Where the whole relation was renamed one sentence says it for all its columns.
      const isTold = relation === null && (now === undefined || formerly.relations.get(key) === now.relation)
      if (now !== undefined && !isTold) faults.push(renamedColumn({ key, column, now, isThere }))
      else if (relation !== null && !isThere) {
        const names = relation.columns.map(({ name }) => name)
        faults.push(noColumn({ key, column, names, isTagged: tags.length > 0 }))
      }
    }
  }
  for (const key of file.tables.keys()) {
    if (relationAt(key, catalog) !== null || file.columns.has(key)) continue
    const now = formerly.relations.get(key)
    faults.push(now === undefined ? noRelation(key, catalog) : renamedRelation(key, now))
  }
  return [...faults, ...otherFaults(file, catalog)]
}

interface FaultOptions {
  readonly file: ClassificationFile
  readonly catalog: Catalog
  readonly memory: ClassificationMemory
}

/** Schemas and functions. */
function otherFaults(file: ClassificationFile, catalog: Catalog): readonly string[] {
  const schemas = new Set(catalog.data.schemas)
  const functions = new Set(catalog.data.functions.map(({ schema, name }) => `${schema}.${name}`))
  return [
    ...[...file.schemas.keys()]
      .filter((schema) => !schemas.has(schema))
      .map(
        (schema) => `There is no schema ${schema}. Correct or remove it under \`schemas\`.${meant(schema, schemas)}`,
      ),
    ...[...file.functions]
      .filter((name) => !functions.has(name))
      .map(
        (name) => `There is no function ${name}. Correct or remove it under \`functions\`.${meant(name, functions)}`,
      ),
  ]
}

/** Where names that the file uses went, by what they were: `schema.relation` and `schema.relation.column`. */
function formerNames(memory: ClassificationMemory): {
  readonly relations: ReadonlyMap<string, string>
  readonly columns: ReadonlyMap<string, { readonly relation: string; readonly column: string }>
} {
  const relations = new Map<string, string>()
  for (const { names, seenAs, absences } of memory.relations.values()) {
    const now = fileKeyOf(seenAs)
    for (const name of names) if (fileKeyOf(name) !== now && absences === 0) relations.set(fileKeyOf(name), now)
  }
  const columns = new Map<string, { relation: string; column: string }>()
  for (const { names, seenAs, absences } of memory.columns.values()) {
    if (seenAs === null || absences > 0) continue
    const now = { relation: fileKeyOf(seenAs), column: seenAs.column }
    for (const name of names) {
      if (isSame(name, seenAs)) continue
      columns.set(`${fileKeyOf(name)}.${name.column}`, now)
    }
  }
  return { relations, columns }
}

function isSame(left: ColumnName & RelationNames, right: ColumnName): boolean {
  return left.schema === right.schema && left.relation === right.relation && left.column === right.column
}

function relationAt(key: string, catalog: Catalog): CatalogRelation | null {
  const name = parseQualifiedName(key)
  if (isNameFault(name)) return null
  return catalog.relationsNamed(name.name).find(({ schema }) => schema === name.schema) ?? null
}

function noRelation(key: string, catalog: Catalog): string {
  const names = catalog.data.relations.map(({ schema, name }) => fileKeyOf({ schema, relation: name }))
  return `There is no relation ${key}. Correct or remove it.${meant(key, names)}`
}

function noColumn(at: { key: string; column: string; names: readonly string[]; isTagged: boolean }): string {
  const consequence = at.isTagged ? ', so its tags mask nothing' : ''
  return `${at.key} has no column ${at.column}${consequence}. Correct or remove it.${meant(at.column, at.names)}`
}

function renamedRelation(key: string, now: string): string {
  return `${key} is now called ${now}. Its columns keep their tags; write the new name.`
}

function renamedColumn(at: {
  key: string
  column: string
  now: { relation: string; column: string }
  isThere: boolean
}): string {
  const was = `${at.key}.${at.column}`
  const now = `${at.now.relation}.${at.now.column}`
  if (at.isThere) {
    return `${was} is another column than it was: the one that had this name is now called ${now}. Both carry the tags; list both.`
  }
  return `${was} is now called ${now}. It keeps its tags; write the new name.`
}

function meant(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates)
  return nearest === null ? '' : ` Did you mean ${nearest}?`
}
