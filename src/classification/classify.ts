import { columnKey, partsOfColumnKey } from '../core/catalog.ts'
import type { Catalog, CatalogColumn, CatalogRelation, ColumnKey } from '../core/catalog.ts'
import type { Classification, ClassifiedColumn, MaskingRule, Tag, TagOrigin } from '../core/classification.ts'
import { builtinTagsOf } from './builtin.ts'
import { decisionOf, isSpokenOf } from './decisions.ts'
import type { ClassificationFile } from './file.ts'
import { faultsOf } from './faults.ts'
import { adoptIdentity } from './identity.ts'
import { emptyMemory, mergeDerived } from './memory.ts'
import type { ClassificationMemory, ColumnName, RelationNames, RememberedColumn, RememberedRelation } from './memory.ts'
import { catalogEdges, derivedEdges, isAlive, spread } from './propagate.ts'
import type { Edge } from './propagate.ts'
import { builtinTagPrefix, hasTagText, strictestMasking, tagsOfComment } from './tags.ts'
import { limits } from '../core/limits.ts'

/** What a classification is resolved from. */
export interface ResolveOptions {
  readonly file: ClassificationFile
  readonly catalog: Catalog
  /** What was resolved before, or null at the first time. */
  readonly memory: ClassificationMemory | null
  /** The version that the result gets. */
  readonly version: number
  /** What `identityQuery` says of the database; without it no other database is noticed in its place. */
  readonly identity?: string
}

/** A classification, what does not fit between file and catalog, and what to remember. */
export interface Resolved {
  readonly classification: Classification
  /** Sentences for an operator; none of them keeps the classification from being used. */
  readonly faults: readonly string[]
  readonly memory: ClassificationMemory
}

/**
 * Finds the columns that carry tags: those that the file or a comment names, those that it named when they had another
 * name, those that are tied to them, and PostgreSQL's own that show values. Pure. What it remembers of a snapshot that
 * holds a session's uncommitted changes is for that session alone, since they may be rolled back.
 */
export function resolveClassification(options: ResolveOptions): Resolved {
  const { file, catalog, version } = options
  const memory = adoptIdentity(options.memory ?? emptyMemory, { catalog, identity: options.identity ?? null })
  const found = new Found()
  const relations = rememberRelations({ file, catalog, memory })
  const faults: string[] = []
  for (const relation of catalog.data.relations) {
    const names = relations.get(relation.oid)?.names ?? []
    for (const column of relation.columns) {
      faults.push(...classifyColumn({ relation, column, names, file, catalog, memory, found }))
    }
  }
  const edges = [...catalogEdges(catalog), ...found.edges]
  spread(found.tags, edges)
  settleDerived(found)
  rememberTies(found, { edges, catalog })
  const classification: Classification = {
    version,
    columns: classifiedColumns(found, { file, catalog }),
    computingFunctions: file.functions,
    safeChannels: file.channels,
  }
  const next: ClassificationMemory = {
    identity: memory.identity,
    columns: rememberedColumns(found, { catalog, memory }),
    relations,
  }
  return { classification, faults: [...faultsOf({ file, catalog, memory: next }), ...faults], memory: next }
}

/** What is found out while columns are gone through. */
class Found {
  readonly tags = new Map<ColumnKey, Set<Tag>>()
  readonly origins = new Map<ColumnKey, TagOrigin>()
  readonly edges: Edge[] = []
  readonly remembered = new Map<ColumnKey, RememberedColumn>()

  add(key: ColumnKey, tags: readonly Tag[], origin: TagOrigin): void {
    if (tags.length === 0) return
    const all = this.tags.get(key) ?? new Set()
    for (const tag of tags) all.add(tag)
    this.tags.set(key, all)
    const before = this.origins.get(key)
    if (before === undefined || precedence.indexOf(origin) < precedence.indexOf(before)) this.origins.set(key, origin)
  }
}

const precedence: readonly TagOrigin[] = ['file', 'comment', 'table', 'schema', 'builtin', 'derived']

interface Column {
  readonly relation: CatalogRelation
  readonly column: CatalogColumn
  /** The names under which the file speaks of its relation, the present one or earlier ones. */
  readonly names: readonly RelationNames[]
  readonly file: ClassificationFile
  readonly catalog: Catalog
  readonly memory: ClassificationMemory
  readonly found: Found
}

function classifyColumn(at: Column): readonly string[] {
  const { relation, column, names, file, catalog, memory, found } = at
  const key = columnKey(relation.oid, column.number)
  const remembered = memory.columns.get(key)
  // Most columns of a database are nobody's concern.
  if (names.length === 0 && remembered === undefined && !hasTagText(column.comment)) return []
  const before = remembered !== undefined && isAlive(key, catalog, memory) ? remembered : undefined
  const seenAs: ColumnName = { ...namesOf(relation), column: column.name }
  // A name that ever gave tags goes on giving them, so that no new name can lift them.
  const present = names.map(({ schema, relation: name }): ColumnName => ({
    schema,
    relation: name,
    column: column.name,
  }))
  const candidates = unique([...present, ...(before?.names ?? [])])
  const giving = candidates.filter((name) => {
    const decision = decisionOf(file, name)
    if (decision !== null) found.add(key, decision.tags, decision.origin)
    return decision !== null && decision.tags.length > 0
  })
  const comment = readComment({ ...at, before, seenAs })
  found.add(key, comment.commented?.tags ?? [], 'comment')
  const isSource = (source: ColumnKey): boolean => isAlive(source, catalog, memory)
  const derived = derivedEdges(key, before?.derived ?? [], isSource)
  found.edges.push(...derived.edges)
  found.add(key, derived.tags, 'derived')
  const isWorth = giving.length > 0 || comment.commented !== null || derived.settled.length > 0
  if (isWorth) {
    found.remembered.set(key, {
      rowType: relation.rowType,
      seenAs,
      names: giving,
      commented: comment.commented,
      derived: derived.settled,
      absences: 0,
    })
  }
  return comment.faults
}

/** A tag that left a comment stays until the file says something of the column by the name that it had then. */
function readComment({
  column,
  before,
  seenAs,
  file,
}: Column & { readonly before: RememberedColumn | undefined; readonly seenAs: ColumnName }): {
  readonly commented: RememberedColumn['commented']
  readonly faults: readonly string[]
} {
  const where = shown(seenAs)
  const said = tagsOfComment(column.comment ?? '')
  const faults = said.faults.map(
    (fault) =>
      `The comment on ${where} has "${fault}", which is no tag; the column is masked for everybody. Correct it.`,
  )
  const unknown = said.tags.filter((tag) => !file.tags.has(tag))
  faults.push(
    ...unknown.map((tag) => `The comment on ${where} has the tag ${tag}, which is not under \`tags\`; it is redacted.`),
  )
  const unreadable = said.faults.length > 0 ? [`${builtinTagPrefix}unreadable`] : []
  const now = [...said.tags, ...unreadable]
  const remembered = before?.commented ?? null
  const isReviewed = remembered !== null && decisionOf(file, remembered.as)?.origin === 'file'
  const gone = remembered === null || isReviewed ? [] : remembered.tags.filter((tag) => !now.includes(tag))
  // A comment that was corrected needs no review of what could not be read of it.
  const kept = gone.filter((tag) => tag !== `${builtinTagPrefix}unreadable` || now.length === 0)
  if (remembered !== null && kept.length > 0) {
    faults.push(
      `The comment on ${where} no longer has ${kept.join(', ')}; the column keeps it until the file lists ${shown(remembered.as)}, with tags or \`none\`.`,
    )
  }
  const tags = [...new Set([...now, ...kept])].toSorted()
  if (tags.length === 0) return { commented: null, faults }
  return { commented: { tags, as: kept.length > 0 && remembered !== null ? remembered.as : seenAs }, faults }
}

/** Relations that the file speaks of keep the names by which it does, so that a renamed one keeps its defaults. */
function rememberRelations({
  file,
  catalog,
  memory,
}: Pick<Column, 'file' | 'catalog' | 'memory'>): ReadonlyMap<number, RememberedRelation> {
  const relations = new Map<number, RememberedRelation>()
  for (const [oid, before] of memory.relations) {
    if (catalog.relation(oid)?.rowType === before.rowType) continue
    if (before.absences < limits.classificationAbsencesMax) {
      relations.set(oid, { ...before, absences: before.absences + 1 })
    }
  }
  for (const relation of catalog.data.relations) {
    const before = memory.relations.get(relation.oid)
    const known = before !== undefined && before.rowType === relation.rowType ? before.names : []
    const names = unique([namesOf(relation), ...known]).filter((name) => isSpokenOf(file, name))
    if (names.length === 0) continue
    relations.set(relation.oid, { rowType: relation.rowType, seenAs: namesOf(relation), names, absences: 0 })
  }
  return relations
}

/** Remembered origins say what their sources carry now; one whose sources carry nothing any more is forgotten. */
function settleDerived(found: Found): void {
  for (const [key, column] of found.remembered) {
    const derived = column.derived.flatMap((entry) => {
      if (entry.from.length === 0) return [entry]
      const tags = new Set(entry.from.flatMap((source) => [...(found.tags.get(source) ?? [])]))
      return tags.size === 0 ? [] : [{ ...entry, tags: [...tags].toSorted() }]
    })
    const isWorth = column.names.length > 0 || column.commented !== null || derived.length > 0
    if (isWorth) found.remembered.set(key, { ...column, derived: mergeDerived(derived) })
    else found.remembered.delete(key)
  }
}

/** Values that came over a tie stay where they are when the tie is cut. */
function rememberTies(
  found: Found,
  { edges, catalog }: { readonly edges: readonly Edge[]; readonly catalog: Catalog },
): void {
  for (const { from, to, isLasting } of edges) {
    const tags = found.tags.get(from)
    if (!isLasting || tags === undefined || tags.size === 0) continue
    const column = found.remembered.get(to) ?? unremembered(to, catalog)
    if (column === null || column.derived.some((entry) => entry.from.includes(from))) continue
    found.remembered.set(to, { ...column, derived: [...column.derived, { tags: [...tags].toSorted(), from: [from] }] })
  }
}

function unremembered(key: ColumnKey, catalog: Catalog): RememberedColumn | null {
  const { relation: oid, column: number } = partsOfColumnKey(key)
  const relation = catalog.relation(oid)
  const column = relation?.columns.find((candidate) => candidate.number === number)
  if (relation === undefined || column === undefined) return null
  const seenAs: ColumnName = { ...namesOf(relation), column: column.name }
  return { rowType: relation.rowType, seenAs, names: [], commented: null, derived: [], absences: 0 }
}

/** What is gone from the catalog is kept for a while: a snapshot may be older than the attribute. */
function rememberedColumns(
  found: Found,
  { catalog, memory }: { readonly catalog: Catalog; readonly memory: ClassificationMemory },
): ReadonlyMap<ColumnKey, RememberedColumn> {
  const columns = new Map(found.remembered)
  for (const [key, before] of memory.columns) {
    if (isAlive(key, catalog, memory) || before.absences >= limits.classificationAbsencesMax) continue
    if (!columns.has(key)) columns.set(key, { ...before, absences: before.absences + 1 })
  }
  return columns
}

function classifiedColumns(
  found: Found,
  { file, catalog }: { readonly file: ClassificationFile; readonly catalog: Catalog },
): ReadonlyMap<ColumnKey, ClassifiedColumn> {
  const columns = new Map<ColumnKey, ClassifiedColumn>()
  if (found.tags.size === 0) return columns
  for (const relation of catalog.data.relations) {
    const builtin = builtinTagsOf(relation)
    for (const { number, name } of relation.columns) {
      const key = columnKey(relation.oid, number)
      const builtinTag = builtin?.get(name)
      if (builtinTag !== undefined) found.add(key, [builtinTag], 'builtin')
      const tags = [...(found.tags.get(key) ?? [])].toSorted()
      if (tags.length === 0) continue
      const isExpression = found.remembered.get(key)?.derived.some((entry) => entry.isExpression === true)
      const asTagged = strictestMasking(tags, file.tags)
      const masking: MaskingRule = isExpression === true && asTagged.function !== 'null' ? redact : asTagged
      const origin = found.origins.get(key) ?? 'derived'
      const made = isExpression === true ? { isExpression } : {}
      columns.set(key, { key, ...namesOf(relation), column: name, tags, masking, origin, ...made })
    }
  }
  return columns
}

const redact: MaskingRule = { function: 'redact' }

function namesOf({ schema, name }: CatalogRelation): RelationNames {
  return { schema, relation: name }
}

function unique<Name extends RelationNames>(names: readonly Name[]): readonly Name[] {
  if (names.length < 2) return names
  return [...new Map(names.map((name) => [JSON.stringify(name), name])).values()]
}

function shown({ schema, relation, column }: ColumnName): string {
  return `${schema}.${relation}.${column}`
}
