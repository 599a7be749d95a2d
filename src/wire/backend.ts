import { reportTypes } from './error-response.ts'
import { Reader } from './reader.ts'
import { bodyless, Writer } from './writer.ts'

export * from './authentication.ts'
export * from './error-response.ts'

/** Type bytes of the messages a server sends, by the manual's names. All Authentication messages share `R`. */
export const backend = {
  ...reportTypes,
  Authentication: 0x52,
  BackendKeyData: 0x4b,
  BindComplete: 0x32,
  CloseComplete: 0x33,
  CommandComplete: 0x43,
  CopyBothResponse: 0x57,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyInResponse: 0x47,
  CopyOutResponse: 0x48,
  DataRow: 0x44,
  EmptyQueryResponse: 0x49,
  FunctionCallResponse: 0x56,
  NegotiateProtocolVersion: 0x76,
  NoData: 0x6e,
  NotificationResponse: 0x41,
  ParameterDescription: 0x74,
  ParameterStatus: 0x53,
  ParseComplete: 0x31,
  PortalSuspended: 0x73,
  ReadyForQuery: 0x5a,
  RowDescription: 0x54,
} as const

/** ReadyForQuery's status byte: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** One column of a RowDescription. Table oid and attribute number are 0 for what is not a plain column. */
export interface FieldDescription {
  readonly name: string
  readonly tableOid: number
  readonly attributeNumber: number
  readonly typeOid: number
  /** Bytes; negative for types of variable size. */
  readonly typeSize: number
  readonly typeModifier: number
  /** 0 text, 1 binary. */
  readonly format: number
}

/** CopyInResponse, CopyOutResponse or CopyBothResponse: 0 text, 1 binary, as a whole and by column. */
export interface CopyResponse {
  readonly format: number
  readonly columnFormats: readonly number[]
}

/** The ParseComplete message. Shared, like the others without a body: never write to it. */
export const parseComplete: Buffer = bodyless(backend.ParseComplete)
/** The BindComplete message. */
export const bindComplete: Buffer = bodyless(backend.BindComplete)
/** The CloseComplete message. */
export const closeComplete: Buffer = bodyless(backend.CloseComplete)
/** The NoData message. */
export const noData: Buffer = bodyless(backend.NoData)
/** The PortalSuspended message. */
export const portalSuspended: Buffer = bodyless(backend.PortalSuspended)
/** The EmptyQueryResponse message. */
export const emptyQueryResponse: Buffer = bodyless(backend.EmptyQueryResponse)

const readyForQuery: Readonly<Record<TransactionStatus, Buffer>> = {
  I: new Writer(backend.ReadyForQuery, 1).int8(0x49).finish(),
  T: new Writer(backend.ReadyForQuery, 1).int8(0x54).finish(),
  E: new Writer(backend.ReadyForQuery, 1).int8(0x45).finish(),
}

/** The ReadyForQuery message with this status. Shared: never write to it. */
export function encodeReadyForQuery(status: TransactionStatus): Buffer {
  return readyForQuery[status]
}

/** Decodes ReadyForQuery. */
export function decodeReadyForQuery(body: Buffer): { status: TransactionStatus } {
  const reader = new Reader(body, 'ReadyForQuery')
  const status = String.fromCharCode(reader.uint8())
  reader.end()
  if (status !== 'I' && status !== 'T' && status !== 'E') throw reader.violation('it has an unknown status')
  return { status }
}

/** Encodes ParameterStatus. */
export function encodeParameterStatus(name: string, value: string): Buffer {
  return new Writer(backend.ParameterStatus).cstring(name).cstring(value).finish()
}

/** Decodes ParameterStatus; a value that is not UTF-8 has U+FFFD in it. */
export function decodeParameterStatus(body: Buffer): { name: string; value: string } {
  const reader = new Reader(body, 'ParameterStatus')
  const name = reader.cstring()
  const value = reader.cstringLossy()
  reader.end()
  return { name, value }
}

/** Encodes BackendKeyData. Protocol 3.0 clients refuse a key that has not 4 bytes. */
export function encodeBackendKeyData(processId: number, secretKey: Buffer): Buffer {
  return new Writer(backend.BackendKeyData, 4 + secretKey.length).int32(processId).bytes(secretKey).finish()
}

/** Decodes BackendKeyData; the key has 4 to 256 bytes. */
export function decodeBackendKeyData(body: Buffer): { processId: number; secretKey: Buffer } {
  const reader = new Reader(body, 'BackendKeyData')
  const processId = reader.int32()
  const secretKey = reader.rest()
  if (secretKey.length < 4 || secretKey.length > 256) throw reader.violation('its cancel key has an invalid length')
  return { processId, secretKey }
}

/** Encodes NegotiateProtocolVersion: the full version and the names of options that are not known. */
export function encodeNegotiateProtocolVersion(version: number, unknownOptions: readonly string[]): Buffer {
  const writer = new Writer(backend.NegotiateProtocolVersion).int32(version).int32(unknownOptions.length)
  for (const name of unknownOptions) writer.cstring(name)
  return writer.finish()
}

/** Decodes NegotiateProtocolVersion; throws `protocol_violation` where the body is malformed. */
export function decodeNegotiateProtocolVersion(body: Buffer): { version: number; unknownOptions: readonly string[] } {
  const reader = new Reader(body, 'NegotiateProtocolVersion')
  const version = reader.int32()
  const count = reader.uint32()
  const unknownOptions: string[] = []
  for (let i = 0; i < count; i++) unknownOptions.push(reader.cstring())
  reader.end()
  return { version, unknownOptions }
}

/** Encodes CommandComplete. */
export function encodeCommandComplete(tag: string): Buffer {
  return new Writer(backend.CommandComplete, tag.length + 1).cstring(tag).finish()
}

/** Decodes CommandComplete. */
export function decodeCommandComplete(body: Buffer): { tag: string } {
  const reader = new Reader(body, 'CommandComplete')
  const tag = reader.cstringLossy()
  reader.end()
  return { tag }
}

const tagWithRows = /^(?:INSERT \d+|SELECT|UPDATE|DELETE|MERGE|FETCH|MOVE|COPY) (\d+)$/

/** The row count in a command tag, or null for a command that counts none. */
export function rowsOfTag(tag: string): number | null {
  const digits = tagWithRows.exec(tag)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** Encodes RowDescription. */
export function encodeRowDescription(fields: readonly FieldDescription[]): Buffer {
  const writer = new Writer(backend.RowDescription, 2 + fields.length * 40).count16(fields.length)
  for (const field of fields) {
    writer.cstring(field.name).int32(field.tableOid).int16(field.attributeNumber)
    writer.int32(field.typeOid).int16(field.typeSize).int32(field.typeModifier).int16(field.format)
  }
  return writer.finish()
}

/** Decodes RowDescription; column names are for people, so bytes that are not UTF-8 become U+FFFD. */
export function decodeRowDescription(body: Buffer): FieldDescription[] {
  const reader = new Reader(body, 'RowDescription')
  const count = reader.count16(19)
  const fields: FieldDescription[] = []
  for (let i = 0; i < count; i++) {
    fields.push({
      name: reader.cstringLossy(),
      tableOid: reader.uint32(),
      attributeNumber: reader.int16(),
      typeOid: reader.uint32(),
      typeSize: reader.int16(),
      typeModifier: reader.int32(),
      format: reader.int16(),
    })
  }
  reader.end()
  return fields
}

/** Encodes ParameterDescription. */
export function encodeParameterDescription(typeOids: readonly number[]): Buffer {
  const writer = new Writer(backend.ParameterDescription, 2 + typeOids.length * 4).count16(typeOids.length)
  for (const oid of typeOids) writer.int32(oid)
  return writer.finish()
}

/** Decodes ParameterDescription: one type oid per parameter. */
export function decodeParameterDescription(body: Buffer): number[] {
  const reader = new Reader(body, 'ParameterDescription')
  const count = reader.count16(4)
  const typeOids: number[] = []
  for (let i = 0; i < count; i++) typeOids.push(reader.uint32())
  reader.end()
  return typeOids
}

/** Encodes DataRow. */
export function encodeDataRow(values: readonly (Buffer | null)[]): Buffer {
  const writer = new Writer(backend.DataRow, 256).count16(values.length)
  for (const value of values) writer.nullable(value)
  return writer.finish()
}

/** Decodes DataRow into views of its values. For tests and log-ins; the path of rows never makes these objects. */
export function decodeDataRow(body: Buffer): (Buffer | null)[] {
  const reader = new Reader(body, 'DataRow')
  const count = reader.count16(4)
  const values: (Buffer | null)[] = []
  for (let i = 0; i < count; i++) values.push(reader.nullable())
  reader.end()
  return values
}

/** The messages that begin a COPY. */
export type CopyResponseType = 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse'

/** Encodes CopyInResponse, CopyOutResponse or CopyBothResponse. */
export function encodeCopyResponse(type: CopyResponseType, response: CopyResponse): Buffer {
  const { format, columnFormats } = response
  const writer = new Writer(backend[type]).int8(format).count16(columnFormats.length)
  for (const columnFormat of columnFormats) writer.int16(columnFormat)
  return writer.finish()
}

/** Decodes CopyInResponse, CopyOutResponse and CopyBothResponse, which are laid out alike. */
export function decodeCopyResponse(body: Buffer): CopyResponse {
  const reader = new Reader(body, 'CopyResponse')
  const format = reader.int8()
  const count = reader.count16(2)
  const columnFormats: number[] = []
  for (let i = 0; i < count; i++) columnFormats.push(reader.int16())
  reader.end()
  return { format, columnFormats }
}

/** Encodes NotificationResponse. */
export function encodeNotificationResponse(processId: number, channel: string, payload: string): Buffer {
  return new Writer(backend.NotificationResponse).int32(processId).cstring(channel).cstring(payload).finish()
}

/** Decodes NotificationResponse; texts that are not UTF-8 have U+FFFD in them. */
export function decodeNotificationResponse(body: Buffer): { processId: number; channel: string; payload: string } {
  const reader = new Reader(body, 'NotificationResponse')
  const processId = reader.int32()
  const channel = reader.cstringLossy()
  const payload = reader.cstringLossy()
  reader.end()
  return { processId, channel, payload }
}
