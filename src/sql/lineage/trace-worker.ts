import { unknownLineage } from '../../core/lineage.ts'
import { parentPort } from 'node:worker_threads'
import type { CatalogData } from '../../core/catalog.ts'
import type { Classification } from '../../core/classification.ts'
import type { StatementLineage } from '../../core/lineage.ts'
import { createCatalog } from '../catalog/catalog.ts'
import { createParser } from '../parser.ts'
import { traceStatement } from './lineage.ts'
import { createSchema } from './schema.ts'
import type { PendingRelation, Schema } from './schema.ts'

/** A schema as it is sent to a worker: once, before the first text that is traced over it. */
export interface SchemaMessage {
  readonly kind: 'schema'
  readonly key: string
  readonly data: CatalogData
  readonly version: number
  readonly classification: Classification
  readonly pending: readonly PendingRelation[]
}

/** A text to be traced. */
export interface TextMessage {
  readonly kind: 'text'
  readonly sql: string
  readonly key: string
  readonly searchPath: readonly string[] | null
  readonly isPrepared: boolean
}

/** What a worker answers: first that it is ready, then one lineage for each text. */
export type WorkerAnswer = { readonly state: 'ready' } | { readonly state: 'done'; readonly lineage: StatementLineage }

// Has a larger stack than the event loop, and is ended from outside when it takes too long.
const port = parentPort
if (port === null) throw new Error('this module runs as a worker only')
const parser = await createParser({ onFault: () => {} })
let current: { readonly key: string; readonly schema: Schema } | null = null

port.on('message', (message: SchemaMessage | TextMessage) => {
  if (message.kind === 'text') {
    port.postMessage({ state: 'done', lineage: lineageOf(message) } satisfies WorkerAnswer, [])
    return
  }
  const { key, data, version, classification, pending } = message
  const catalog = createCatalog(data, version)
  current = { key, schema: createSchema({ catalog, classification, pending, parse: (sql) => parser.parse(sql) }) }
})
port.postMessage({ state: 'ready' } satisfies WorkerAnswer, [])

function lineageOf({ sql, key, searchPath, isPrepared }: TextMessage): StatementLineage {
  if (current?.key !== key) return unknownLineage('was traced over another state of the database')
  const outcome = parser.parse(sql)
  const [statement, ...others] = outcome.state === 'parsed' ? outcome.statements : []
  if (statement === undefined || others.length > 0) return unknownLineage('cannot be read')
  try {
    return traceStatement(statement, { schema: current.schema, searchPath, isPrepared })
  } catch (error) {
    if (error instanceof RangeError) return unknownLineage('is nested too deeply')
    throw error
  }
}
