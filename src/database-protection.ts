import { setTimeout as sleep } from 'node:timers/promises'
import {
  addDerived,
  identityQuery,
  loadMemory,
  saveMemory,
  type ClassificationMemory,
} from './classification/memory.ts'
import { resolveClassification } from './classification/classify.ts'
import type { ClassificationFile } from './classification/file.ts'
import { catalogNames } from './catalog-names.ts'
import {
  columnKey,
  partsOfColumnKey,
  type Catalog,
  type CatalogData,
  type ColumnKey,
  type Oid,
} from './core/catalog.ts'
import type { Classification, Tag } from './core/classification.ts'
import { toPosternError } from './core/errors.ts'
import type { ClassifiedWrite, CopyFormat, CreatedRelation, Sources, StatementLineage } from './core/lineage.ts'
import type { StatementAnalysis } from './core/statement.ts'
import { inspectCopy } from './copy-inspection.ts'
import type {
  CopyInspector,
  CopyMasks,
  MaskedResult,
  OwnCatalog,
  ProtectedSchema,
  Protects,
} from './gateway/services.ts'
import { inspectionFault } from './masking/copy-inspector.ts'
import { createCopyMasker } from './masking/copy.ts'
import { embedsAscii } from './masking/encodings.ts'
import { createMasker, type Mask, type Masker } from './masking/mask.ts'
import { isPlaceholder } from './masking/placeholders.ts'
import { planCopy, planRows, type PlanBasis } from './masking/plan.ts'
import { maskDataRow } from './masking/rows.ts'
import { scrubReport } from './masking/scrub.ts'
import { literalsOf } from './redaction/literals.ts'
import { createCatalog } from './sql/catalog/catalog.ts'
import { createCatalogKeeper, type CatalogKeeper } from './sql/catalog/keeper.ts'
import {
  catalogRepair,
  catalogScript,
  loadCatalog,
  readCatalog,
  type CatalogReading,
  type SystemCatalogCache,
} from './sql/catalog/load.ts'
import { createSchema, type Schema } from './sql/lineage/schema.ts'
import { triggerFaults } from './sql/lineage/triggers.ts'
import type { ProtectionOptions } from './protection-options.ts'
import type { FieldDescription } from './wire/backend.ts'

/** A schema as the gateway sees it; `traced` is what lineages are traced against. */
interface TracedSchema extends ProtectedSchema {
  readonly traced: Schema
  readonly masker: Masker
}

interface Pending {
  readonly created: CreatedRelation
  /** Relations of that name that were there before it: they are not what it makes. */
  readonly before: ReadonlySet<Oid>
}

/** A refresh that a statement's unknown name asks for comes no sooner than this after the one before. */
const forcedRefreshPauseMs = 1_000

/** Keeps what is classified in one database in step with its catalog, and answers the gateway about it. */
export class DatabaseProtection implements Protects {
  readonly #options: ProtectionOptions
  readonly #keeper: CatalogKeeper
  readonly #system: SystemCatalogCache = { system: null }
  #file: ClassificationFile
  #memory: ClassificationMemory
  #identity: string | undefined
  #catalog: Catalog | null = null
  /** Every name that it shows, once somebody has asked. */
  #names: ReadonlySet<string> | null = null
  #classification: Classification | null = null
  #version = 0
  readonly #pending = new Set<Pending>()
  #schema: TracedSchema | null = null
  #ownVersion = 0
  /** What was last told to be in force, so that an unrelated change of the catalog is not. */
  #told = ''
  /** Whether the catalog may have changed since it was read last. */
  #isBehind = false
  #forcedAtMs = 0
  #forced: Promise<void> | null = null

  /** Reads what is remembered; throws `classification_invalid` where it cannot be used. */
  constructor(options: ProtectionOptions) {
    this.#options = options
    this.#file = options.file
    this.#memory = loadMemory(options.stateDirectory, options.database)
    this.#keeper = createCatalogKeeper({
      load: (signal) => this.#load(signal),
      refreshMs: options.refreshMs,
      onChanged: (catalog) => this.#take(catalog),
      onFailed: ({ error }) => options.onFailed(error),
    })
  }

  get schema(): TracedSchema | null {
    return this.#isBehind ? null : this.#schema
  }

  get safeChannels(): ReadonlySet<string> {
    return this.#classification?.safeChannels ?? new Set()
  }

  /** Puts another classification file in force. */
  replace(file: ClassificationFile): void {
    this.#file = file
    if (this.#catalog !== null) this.#take(this.#catalog)
  }

  async refresh(why: 'changed' | 'missing'): Promise<void> {
    if (why === 'missing' && this.schema !== null) return this.#refreshForced()
    await this.#refreshNow()
  }

  trace(
    statement: StatementAnalysis,
    at: { readonly schema: ProtectedSchema; readonly searchPath: readonly string[] | null },
  ): StatementLineage | Promise<StatementLineage> {
    const { traced } = at.schema as TracedSchema
    return this.#options.tracer.trace(statement, { schema: traced, searchPath: at.searchPath })
  }

  ownCatalog(): OwnCatalog {
    const serverVersion = this.#catalog?.data.serverVersion
    if (serverVersion === undefined) throw new Error('a catalog of its own is read before the shared one')
    const { system } = this.#system
    return {
      script: catalogScript({ serverVersion, system, isInTransaction: true }),
      repair: catalogRepair,
      read: (results) => this.#readOwn(readCatalog(results, system)),
    }
  }

  pend(created: CreatedRelation): { settle(): void } {
    const before = new Set(this.#catalog?.relationsNamed(created.name).map(({ oid }) => oid))
    const pending = { created, before }
    this.#pending.add(pending)
    this.#renewSchema()
    return {
      settle: () => {
        this.#settle(pending)
      },
    }
  }

  readonly isBuiltin = (name: string): boolean => this.#catalog?.functionsNamed(name).length === 0

  planRows(result: MaskedResult & { readonly fields: readonly FieldDescription[] }): readonly (Mask | null)[] | null {
    return planRows(basisOf(result), maskerOf(result.schema))
  }

  planCopy(
    result: MaskedResult & { readonly columnCount: number; readonly format: 0 | 1 },
  ): readonly (Mask | null)[] | null {
    return planCopy(basisOf(result), maskerOf(result.schema))
  }

  maskRow(message: Buffer, masks: readonly (Mask | null)[]): Buffer {
    return maskDataRow(message, masks)
  }

  copyMasker(copy: CopyFormat, masks: readonly (Mask | null)[], clientEncoding: string): CopyMasks {
    return createCopyMasker({ copy, masks, columnCount: masks.length, clientEncoding })
  }

  readonly canMaskCopy = (clientEncoding: string): boolean => !embedsAscii(clientEncoding)

  readonly copyInFault = inspectionFault

  inspectCopy(options: Parameters<Protects['inspectCopy']>[0]): CopyInspector {
    return inspectCopy({ ...options, catalog: (options.schema as TracedSchema).traced.catalog })
  }

  scrubReport(fields: ReadonlyMap<string, string>, sql: string): Map<string, string> {
    return scrubReport(fields, { sql, isName: this.isName })
  }

  readonly literalsOf = literalsOf

  typeOf(column: ColumnKey): Oid {
    let type = this.#typeOf(column)
    while (type?.kind === 'domain') type = this.#catalog?.type(type.base)
    return type?.oid ?? 0
  }

  isPlaceholder(text: string | null, write: ClassifiedWrite): boolean {
    const column = this.#classification?.columns.get(write.target)
    const type = this.#typeOf(write.target)
    if (column === undefined || type === undefined) return false
    const { isReplacing, isExact } = write
    return isPlaceholder(text, { rule: column.masking, type, isReplacing, isExact })
  }

  close(): void {
    this.#keeper.close()
  }

  #readOwn({ data, isPinned }: CatalogReading): ProtectedSchema {
    // The transaction sees an older state of the catalog than PostgreSQL reads names by.
    if (isPinned) throw new Error('the transaction is pinned to an older catalog')
    this.#ownVersion += 1
    // Below the shared one's versions, so that the two never share a key.
    const catalog = createCatalog(data, -this.#ownVersion)
    const { classification } = this.#resolve(catalog, this.#memory)
    return this.#makeSchema(catalog, { ...classification, version: -this.#ownVersion })
  }

  async #load(signal: AbortSignal): Promise<CatalogData> {
    const connection = await this.#options.connect(signal)
    try {
      this.#identity = (await connection.query(identityQuery))[0]?.[0] ?? undefined
      return await loadCatalog((sql) => connection.query(sql), this.#system)
    } finally {
      await connection.close()
    }
  }

  async #refreshNow(): Promise<void> {
    try {
      await this.#keeper.refresh()
      this.#isBehind = false
    } catch {
      // The keeper has told why. The catalog has changed and nobody knows how: nothing is traced against the old one.
      this.#isBehind = true
    }
  }

  /** One refresh for all who ask at a time, and not more than one a second. */
  #refreshForced(): Promise<void> {
    this.#forced ??= this.#refreshAfterPause()
    return this.#forced
  }

  async #refreshAfterPause(): Promise<void> {
    await sleep(Math.max(0, this.#forcedAtMs + forcedRefreshPauseMs - Date.now()), undefined, { ref: false })
    this.#forcedAtMs = Date.now()
    // Whoever asks from here on may ask about what this one does not see any more.
    this.#forced = null
    await this.#refreshNow()
  }

  #take(catalog: Catalog): void {
    this.#options.onCatalog(catalog, this.#file.functions)
    const { classification, faults, memory } = this.#resolve(catalog, this.#memory)
    try {
      saveMemory(this.#options.stateDirectory, this.#options.database, memory)
    } catch (error) {
      this.#options.onFailed(toPosternError(error))
    }
    this.#memory = memory
    this.#catalog = catalog
    this.#names = null
    this.#classification = classification
    this.#renewSchema()
    const all = [...faults, ...this.#triggerFaults()]
    const told = JSON.stringify([[...classification.columns.values()].map(({ key, tags }) => [key, tags]), all])
    if (told === this.#told) return
    this.#told = told
    this.#options.onClassified({ columns: classification.columns.size, faults: all })
  }

  /** Triggers that may copy values to where nobody can say. A failure is told and counts where a column is asked about. */
  #triggerFaults(): readonly string[] {
    if (this.#schema === null) return []
    try {
      return triggerFaults(this.#schema.traced)
    } catch (fault) {
      this.#options.onFailed(toPosternError(fault))
      return []
    }
  }

  #resolve(catalog: Catalog, memory: ClassificationMemory) {
    this.#version += 1
    return resolveClassification({
      file: this.#file,
      catalog,
      memory,
      version: this.#version,
      ...(this.#identity === undefined ? {} : { identity: this.#identity }),
    })
  }

  #renewSchema(): void {
    if (this.#catalog === null || this.#classification === null) return
    this.#schema = this.#makeSchema(this.#catalog, this.#classification)
  }

  #makeSchema(catalog: Catalog, classification: Classification): TracedSchema {
    const pending = [...this.#pending].map(({ created }) => created)
    const traced = createSchema({ catalog, classification, pending, parse: this.#options.parse })
    const masker = createMasker({
      key: this.#options.key,
      typeOf: (oid) => catalog.type(oid),
      fieldsOf: (relation) => catalog.relation(relation)?.columns,
    })
    return {
      key: traced.key,
      columns: classification.columns,
      originOf(relation, column) {
        // A relation that the snapshot does not have: it was made since, out of nobody knows what.
        if (catalog.relation(relation) === undefined) return { sources: 'unknown', direct: null }
        return column > 0 ? traced.sourcesOf(relation, column) : { sources: new Set<ColumnKey>(), direct: null }
      },
      traced,
      masker,
    }
  }

  /** What a finished CREATE TABLE AS has made carries the tags of what it was made of, from now on. */
  #settle(pending: Pending): void {
    if (!this.#pending.delete(pending) || this.#catalog === null) return
    const { created, before } = pending
    const remembered = this.#memory
    for (const relation of this.#catalog.relationsNamed(created.name)) {
      const isIt = created.schema === null || created.schema === relation.schema || relation.isTemporary
      if (!isIt || before.has(relation.oid)) continue
      const columns: Record<string, readonly Tag[]> = {}
      for (const column of relation.columns) {
        const made = created.columns.find(({ name }) => name === column.name)
        if (made === undefined) continue
        const { tags, from } = this.#tagsOf(made.sources)
        if (tags.length === 0) continue
        const isExpression = this.#isExpression(made.direct)
        const key = columnKey(relation.oid, column.number)
        this.#memory = addDerived(this.#memory, key, { tags, from, isExpression })
        columns[column.name] = tags
      }
      if (Object.keys(columns).length > 0) {
        this.#options.onDerived({ relation: `${relation.schema}.${relation.name}`, columns })
      }
    }
    if (this.#memory === remembered) this.#renewSchema()
    else this.#take(this.#catalog)
  }

  /** A copy of what was worked out is no more than that. */
  #isExpression(direct: ColumnKey | null): boolean {
    return direct === null || this.#classification?.columns.get(direct)?.isExpression === true
  }

  #tagsOf(sources: Sources): { readonly tags: readonly Tag[]; readonly from: readonly ColumnKey[] } {
    const columns = this.#classification?.columns ?? new Map<ColumnKey, { readonly tags: readonly Tag[] }>()
    const from = sources === 'unknown' ? [...columns.keys()] : [...sources]
    const tags = new Set<Tag>(from.flatMap((key) => columns.get(key)?.tags ?? []))
    return { tags: [...tags].sort(), from }
  }

  readonly isName = (name: string): boolean => {
    if (this.#catalog === null) return false
    this.#names ??= catalogNames(this.#catalog)
    return this.#names.has(name)
  }

  #typeOf(key: ColumnKey) {
    const { relation, column } = partsOfColumnKey(key)
    const columns = this.#catalog?.relation(relation)?.columns
    return this.#catalog?.type(columns?.find(({ number }) => number === column)?.type ?? 0)
  }
}

function basisOf<Result extends MaskedResult>(result: Result): Result & PlanBasis {
  const { schema } = result
  return { ...result, columns: schema.columns, originOf: (relation, column) => schema.originOf(relation, column) }
}

function maskerOf(schema: ProtectedSchema): Masker {
  return (schema as TracedSchema).masker
}
