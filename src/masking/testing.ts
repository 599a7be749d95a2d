import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import type { CatalogType, TypeKind } from '../core/catalog.ts'
import { backend, decodeDataRow, decodeErrorResponse, decodeRowDescription } from '../wire/backend.ts'
import type { FieldDescription } from '../wire/backend.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  sync,
} from '../wire/frontend.ts'
import { encodeStartupMessage, protocol32 } from '../wire/startup.ts'
import { CodecClient, plainSettings } from '../wire/testing.ts'

/** For tests: a key of no secret. */
export const testKey: Buffer = Buffer.alloc(32, 7)

/** For tests: a session that shows bytes as they are on the wire. */
export class RawSession {
  readonly #client: CodecClient

  constructor(client: CodecClient) {
    this.#client = client
  }

  static async open(postgres: SandboxPostgres): Promise<RawSession> {
    const file = join(postgres.socketDirectory, `.s.PGSQL.${postgres.port}`)
    return new RawSession(await CodecClient.open(file, encodeStartupMessage(protocol32, plainSettings)))
  }

  /** The first row of a query, with what describes its columns. */
  async row(sql: string, format: 0 | 1): Promise<{ fields: FieldDescription[]; values: (Buffer | null)[] }> {
    const frames = await this.#ask(sql, [
      encodeParse({ sql }),
      encodeBind({ resultFormats: [format] }),
      encodeDescribe('P', ''),
      encodeExecute('', 0),
      sync,
    ])
    const description = frames.find((frame) => frame.type === backend.RowDescription)
    const row = frames.find((frame) => frame.type === backend.DataRow)
    assert.ok(description !== undefined && row !== undefined, sql)
    return { fields: decodeRowDescription(description.body), values: decodeDataRow(row.body) }
  }

  /** Gives a value to the type's input (or binary receive) function, and its output as text; refused ones reject. */
  async accept(type: number, format: 0 | 1, value: Buffer): Promise<string> {
    const frames = await this.#ask(`type ${type} ${format} ${value.toString('latin1')}`, [
      encodeParse({ sql: 'select $1', parameterTypes: [type] }),
      encodeBind({ parameterFormats: [format], parameters: [value] }),
      encodeExecute('', 0),
      sync,
    ])
    const row = frames.find((frame) => frame.type === backend.DataRow)
    return decodeDataRow(row?.body ?? Buffer.alloc(0))[0]?.toString() ?? 'NULL'
  }

  /** The payloads of the CopyData messages of COPY TO STDOUT. */
  async copyOut(sql: string): Promise<Buffer[]> {
    const frames = await this.#ask(sql, [encodeQuery(sql)])
    return frames.filter((frame) => frame.type === backend.CopyData).map((frame) => Buffer.from(frame.body))
  }

  async copyIn(sql: string, data: Buffer): Promise<void> {
    await this.#ask(sql, [encodeQuery(sql), encodeCopyData(data), copyDone])
  }

  async run(sql: string): Promise<void> {
    await this.#ask(sql, [encodeQuery(sql)])
  }

  /** The fields of the report that a statement is answered with. */
  async report(sql: string): Promise<ReadonlyMap<string, string>> {
    const frames = await this.#client.ask([encodeQuery(sql)])
    const report = frames.find(({ type }) => type === backend.ErrorResponse || type === backend.NoticeResponse)
    assert.ok(report !== undefined, `${sql} was not refused`)
    return decodeErrorResponse(report.body)
  }

  async end(): Promise<void> {
    await this.#client.end()
  }

  async #ask(what: string, messages: readonly Buffer[]) {
    const frames = await this.#client.ask(messages)
    const error = frames.find((frame) => frame.type === backend.ErrorResponse)
    if (error !== undefined) throw new Error(`${what}: ${decodeErrorResponse(error.body).get('M')}`)
    return frames
  }
}

const kinds: Readonly<Record<string, TypeKind>> = {
  b: 'base',
  c: 'composite',
  d: 'domain',
  e: 'enum',
  r: 'range',
  m: 'multirange',
  p: 'pseudo',
}

/** For tests: every type of a database, and the columns of its composite ones. */
export async function readTypes(postgres: SandboxPostgres, database: string) {
  const rows = await postgres.query(
    database,
    `select t.oid::int8::int as oid, n.nspname as schema, typname as name, typtype as kind, typcategory as category,
       case when typcategory = 'A' and typsubscript = 'array_subscript_handler'::regproc then typelem::int8::int else 0 end as element,
       typarray::int8::int as array, coalesce(nullif(typbasetype::int8::int, 0), rngsubtype::int8::int, 0) as base,
       typtypmod as "typeModifier", typrelid::int8::int as relation
     from pg_type t join pg_namespace n on n.oid = typnamespace left join pg_range on rngtypid = t.oid`,
  )
  const types = new Map<number, CatalogType>()
  for (const row of rows) {
    const type = { ...row, kind: kinds[String(row['kind'])] ?? 'base', labels: [], isConstrained: false }
    types.set(Number(row['oid']), type as unknown as CatalogType)
  }
  const columns = await postgres.query(
    database,
    `select attrelid::int8::int as relation, atttypid::int8::int as type, atttypmod as "typeModifier" from pg_attribute
     where attnum > 0 and not attisdropped order by attrelid, attnum`,
  )
  const fields = new Map<number, { type: number; typeModifier: number }[]>()
  for (const column of columns) {
    const relation = Number(column['relation'])
    const known = fields.get(relation) ?? []
    known.push({ type: Number(column['type']), typeModifier: Number(column['typeModifier']) })
    fields.set(relation, known)
  }
  return { types, typeOf: (oid: number) => types.get(oid), fieldsOf: (relation: number) => fields.get(relation) }
}
