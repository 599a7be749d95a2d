import { Reader } from './reader.ts'
import { bodyless, Writer } from './writer.ts'

/** Type bytes of the messages a client sends, by the manual's names. PasswordMessage and the SASL and GSS ones share `p`. */
export const frontend = {
  Bind: 0x42,
  Close: 0x43,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyFail: 0x66,
  Describe: 0x44,
  Execute: 0x45,
  Flush: 0x48,
  FunctionCall: 0x46,
  Parse: 0x50,
  PasswordMessage: 0x70,
  Query: 0x51,
  SASLInitialResponse: 0x70,
  SASLResponse: 0x70,
  Sync: 0x53,
  Terminate: 0x58,
} as const

/** What Describe and Close apply to: a prepared statement or a portal. */
export type Target = 'S' | 'P'

/** A Parse message. `name` is cut as PostgreSQL cuts it; see `Reader.objectName`. */
export interface Parse {
  readonly name: string
  readonly sql: Buffer
  readonly parameterTypes: readonly number[]
}

/** A Bind message; formats count zero, one or as many as the values they are for. NULL parameters are null. */
export interface Bind {
  readonly portal: string
  readonly statement: string
  readonly parameterFormats: readonly number[]
  readonly parameters: readonly (Buffer | null)[]
  readonly resultFormats: readonly number[]
}

/** Decodes Query: the text without its NUL. A NUL inside the text is a violation. */
export function decodeQuery(body: Buffer): { sql: Buffer } {
  const reader = new Reader(body, 'Query')
  const sql = reader.cstringBytes()
  reader.end()
  return { sql }
}

/** Decodes Parse; throws `protocol_violation` where the body is malformed. */
export function decodeParse(body: Buffer): Parse {
  const reader = new Reader(body, 'Parse')
  const name = reader.objectName()
  const sql = reader.cstringBytes()
  const count = reader.count16(4)
  const parameterTypes: number[] = []
  for (let i = 0; i < count; i++) parameterTypes.push(reader.uint32())
  reader.end()
  return { name, sql, parameterTypes }
}

/** Decodes Bind; throws `protocol_violation` where the body is malformed or its parameter formats do not fit. */
export function decodeBind(body: Buffer): Bind {
  const reader = new Reader(body, 'Bind')
  const portal = reader.objectName()
  const statement = reader.objectName()
  const parameterFormats = readFormats(reader)
  const parameters = readValues(reader)
  checkFormatCount(reader, parameterFormats.length, parameters.length)
  // How many columns there are is not known here; `checkFormatCount`'s rule for them is PostgreSQL's to enforce.
  const resultFormats = readFormats(reader)
  reader.end()
  return { portal, statement, parameterFormats, parameters, resultFormats }
}

/** The format of the value at `index`: none given means text, one given means that one for all (Bind in the manual). */
export function formatAt(formats: readonly number[], index: number): number {
  return formats.length === 1 ? (formats[0] ?? 0) : (formats[index] ?? 0)
}

/** Decodes Describe; throws `protocol_violation` where the body is malformed. */
export function decodeDescribe(body: Buffer): { target: Target; name: string } {
  return readTarget(new Reader(body, 'Describe'))
}

/** Decodes Close; throws `protocol_violation` where the body is malformed. */
export function decodeClose(body: Buffer): { target: Target; name: string } {
  return readTarget(new Reader(body, 'Close'))
}

/** Decodes Execute; `rowsMax` of zero or less means all rows. */
export function decodeExecute(body: Buffer): { portal: string; rowsMax: number } {
  const reader = new Reader(body, 'Execute')
  const portal = reader.objectName()
  const rowsMax = reader.int32()
  reader.end()
  return { portal, rowsMax }
}

/** Decodes FunctionCall; throws `protocol_violation` where the body is malformed. */
export function decodeFunctionCall(body: Buffer): {
  functionOid: number
  argumentFormats: readonly number[]
  arguments: readonly (Buffer | null)[]
  resultFormat: number
} {
  const reader = new Reader(body, 'FunctionCall')
  const functionOid = reader.uint32()
  const argumentFormats = readFormats(reader)
  const values = readValues(reader)
  checkFormatCount(reader, argumentFormats.length, values.length)
  const resultFormat = reader.int16()
  reader.end()
  return { functionOid, argumentFormats, arguments: values, resultFormat }
}

/** Decodes PasswordMessage; bytes that are not UTF-8 become U+FFFD and so match no secret. */
export function decodePasswordMessage(body: Buffer): { password: string } {
  const reader = new Reader(body, 'PasswordMessage')
  const password = reader.cstringLossy()
  reader.end()
  return { password }
}

/** Decodes SASLInitialResponse; `response` is null where the client sent none (length -1). */
export function decodeSASLInitialResponse(body: Buffer): { mechanism: string; response: Buffer | null } {
  const reader = new Reader(body, 'SASLInitialResponse')
  const mechanism = reader.cstring()
  const response = reader.nullable()
  reader.end()
  return { mechanism, response }
}

/** Decodes SASLResponse: all of the body is the mechanism's. */
export function decodeSASLResponse(body: Buffer): { data: Buffer } {
  return { data: body }
}

/** Decodes CopyFail: the client's reason, for people to read. */
export function decodeCopyFail(body: Buffer): { message: string } {
  const reader = new Reader(body, 'CopyFail')
  const message = reader.cstringLossy()
  reader.end()
  return { message }
}

/** The Sync message. Shared, like the others without a body: never write to it. */
export const sync: Buffer = bodyless(frontend.Sync)
/** The Flush message. */
export const flush: Buffer = bodyless(frontend.Flush)
/** The Terminate message. */
export const terminate: Buffer = bodyless(frontend.Terminate)
/** The CopyDone message, which both sides send alike. */
export const copyDone: Buffer = bodyless(frontend.CopyDone)

/** Encodes Query. */
export function encodeQuery(sql: string | Buffer): Buffer {
  return writeText(new Writer(frontend.Query, sql.length + 8), sql).finish()
}

/** Encodes Parse. */
export function encodeParse(parse: {
  readonly name?: string
  readonly sql: string | Buffer
  readonly parameterTypes?: readonly number[]
}): Buffer {
  const types = parse.parameterTypes ?? []
  const writer = new Writer(frontend.Parse, parse.sql.length + 64).cstring(parse.name ?? '')
  writeText(writer, parse.sql).count16(types.length)
  for (const type of types) writer.int32(type)
  return writer.finish()
}

/** Encodes Bind; what is left out is the unnamed portal or statement, no parameters, all text. */
export function encodeBind(bind: Partial<Bind>): Buffer {
  const writer = new Writer(frontend.Bind, 128).cstring(bind.portal ?? '').cstring(bind.statement ?? '')
  writeFormats(writer, bind.parameterFormats ?? [])
  const parameters = bind.parameters ?? []
  writer.count16(parameters.length)
  for (const parameter of parameters) writer.nullable(parameter)
  writeFormats(writer, bind.resultFormats ?? [])
  return writer.finish()
}

/** Encodes Describe. */
export function encodeDescribe(target: Target, name: string): Buffer {
  return encodeTarget(frontend.Describe, target, name)
}

/** Encodes Close. */
export function encodeClose(target: Target, name: string): Buffer {
  return encodeTarget(frontend.Close, target, name)
}

/** Encodes Execute; zero rows means all. */
export function encodeExecute(portal: string, rowsMax: number): Buffer {
  return new Writer(frontend.Execute).cstring(portal).int32(rowsMax).finish()
}

/** Encodes CopyData. */
export function encodeCopyData(data: Buffer): Buffer {
  return new Writer(frontend.CopyData, data.length).bytes(data).finish()
}

/** Encodes CopyFail. */
export function encodeCopyFail(message: string): Buffer {
  return new Writer(frontend.CopyFail).cstring(message).finish()
}

/** Encodes PasswordMessage. */
export function encodePasswordMessage(password: string): Buffer {
  return new Writer(frontend.PasswordMessage, password.length + 8).cstring(password).finish()
}

/** Encodes SASLInitialResponse; null sends none, which differs from an empty one. */
export function encodeSASLInitialResponse(mechanism: string, response: Buffer | null): Buffer {
  return new Writer(frontend.SASLInitialResponse, 256).cstring(mechanism).nullable(response).finish()
}

/** Encodes SASLResponse. */
export function encodeSASLResponse(data: Buffer): Buffer {
  return new Writer(frontend.SASLResponse, data.length).bytes(data).finish()
}

function readFormats(reader: Reader): number[] {
  const count = reader.count16(2)
  const formats: number[] = []
  for (let i = 0; i < count; i++) formats.push(reader.int16())
  return formats
}

function readValues(reader: Reader): (Buffer | null)[] {
  const count = reader.count16(4)
  const values: (Buffer | null)[] = []
  for (let i = 0; i < count; i++) values.push(reader.nullable())
  return values
}

function readTarget(reader: Reader): { target: Target; name: string } {
  const byte = reader.uint8()
  if (byte !== 0x53 && byte !== 0x50) throw reader.violation('it names neither a statement nor a portal')
  const name = reader.objectName()
  reader.end()
  return { target: byte === 0x53 ? 'S' : 'P', name }
}

function checkFormatCount(reader: Reader, formatCount: number, valueCount: number): void {
  if (formatCount > 1 && formatCount !== valueCount) {
    throw reader.violation(`it has ${formatCount} formats for ${valueCount} values`)
  }
}

function writeFormats(writer: Writer, formats: readonly number[]): void {
  writer.count16(formats.length)
  for (const format of formats) writer.int16(format)
}

function writeText(writer: Writer, text: string | Buffer): Writer {
  return typeof text === 'string' ? writer.cstring(text) : writer.cstringBytes(text)
}

function encodeTarget(type: number, target: Target, name: string): Buffer {
  return new Writer(type)
    .int8(target === 'S' ? 0x53 : 0x50)
    .cstring(name)
    .finish()
}
