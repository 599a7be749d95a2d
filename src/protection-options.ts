import type { ClassificationFile } from './classification/file.ts'
import type { Catalog } from './core/catalog.ts'
import type { Tag } from './core/classification.ts'
import type { PosternError } from './core/errors.ts'
import type { OwnResult } from './gateway/services.ts'
import type { Tracer } from './sql/lineage/tracer.ts'
import type { ParseOutcome } from './sql/parser.ts'

/** A connection to the database on which the gateway itself asks. */
export interface CatalogConnection {
  query(sql: string): Promise<OwnResult>
  close(): void | Promise<void>
}

/** What the protection of one database is made of. */
export interface ProtectionOptions {
  readonly database: string
  readonly file: ClassificationFile
  readonly stateDirectory: string
  readonly refreshMs: number
  /** The key of pseudonyms. */
  readonly key: Buffer
  readonly tracer: Tracer
  /** PostgreSQL's parser, for what is stored as SQL text. */
  readonly parse: (sql: string) => ParseOutcome
  connect(signal: AbortSignal): Promise<CatalogConnection>
  /** A snapshot or a file is in force that differs from the one before; `computing` are functions to rely upon. */
  onCatalog(catalog: Catalog, computing: ReadonlySet<string>): void
  /** A classification came in force: how many columns, and what in the file does not fit the database. */
  onClassified(facts: { readonly columns: number; readonly faults: readonly string[] }): void
  /** Columns of a new table carry the tags of what they were made of. */
  onDerived(facts: { readonly relation: string; readonly columns: Readonly<Record<string, readonly Tag[]>> }): void
  onFailed(error: PosternError): void
}
