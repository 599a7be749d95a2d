import { PosternError } from '../core/errors.ts'
import { encodeNegotiateProtocolVersion } from './backend.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/** Protocol 3.0, as the Int32 that StartupMessage carries. */
export const protocol30 = 196_608
/** Protocol 3.2 (PostgreSQL 18), whose cancel keys may be longer than 4 bytes. */
export const protocol32 = 196_610
/** The protocol versions Postern speaks. */
export type ProtocolVersion = typeof protocol30 | typeof protocol32

const cancelRequestCode = 80_877_102
const sslRequestCode = 80_877_103
const gssencRequestCode = 80_877_104
const minorLatest = 2

/** The body of a StartupMessage. A parameter given twice has its last value, as in PostgreSQL. */
export interface StartupMessage {
  readonly kind: 'StartupMessage'
  readonly protocolMajor: number
  readonly protocolMinor: number
  readonly parameters: ReadonlyMap<string, string>
}

/** What an untyped first packet can be. */
export type StartupPacket =
  | { readonly kind: 'SSLRequest' }
  | { readonly kind: 'GSSENCRequest' }
  | CancelRequest
  | StartupMessage

/** Asks to cancel what another connection runs. */
export interface CancelRequest {
  readonly kind: 'CancelRequest'
  readonly processId: number
  /** 4 to 256 bytes. */
  readonly secretKey: Buffer
}

/**
 * Decodes a start-up packet from the bytes after its length. Throws `protocol_violation` for a bad layout and, before
 * it reads any parameter, `feature_refused` (SQLSTATE 0A000, as PostgreSQL) for a major version other than 3.
 */
export function decodeStartupPacket(body: Buffer): StartupPacket {
  const reader = new Reader(body, 'start-up packet')
  const code = reader.uint32()
  switch (code) {
    case sslRequestCode:
      reader.end()
      return { kind: 'SSLRequest' }
    case gssencRequestCode:
      reader.end()
      return { kind: 'GSSENCRequest' }
    case cancelRequestCode: {
      const processId = reader.int32()
      return { kind: 'CancelRequest', processId, secretKey: checkedSecretKey(reader) }
    }
  }
  const protocolMajor = code >>> 16
  const protocolMinor = code & 0xffff
  checkMajor(protocolMajor, protocolMinor)
  return { kind: 'StartupMessage', protocolMajor, protocolMinor, parameters: decodeParameters(body, reader) }
}

/** The SSLRequest packet. Shared: never write to it. */
export const sslRequest: Buffer = new Writer(null, 4).int32(sslRequestCode).finish()

/** The GSSENCRequest packet. Shared: never write to it. */
export const gssencRequest: Buffer = new Writer(null, 4).int32(gssencRequestCode).finish()

/** Encodes a CancelRequest for a key as BackendKeyData gave it. */
export function encodeCancelRequest(processId: number, secretKey: Buffer): Buffer {
  return new Writer(null, 8 + secretKey.length).int32(cancelRequestCode).int32(processId).bytes(secretKey).finish()
}

/** Encodes a StartupMessage; the parameters keep their order. An empty name throws `input_invalid`. */
export function encodeStartupMessage(version: number, parameters: Iterable<readonly [string, string]>): Buffer {
  const writer = new Writer(null, 256).int32(version)
  for (const [name, value] of parameters) {
    // An empty name is the terminator: what follows it would be lost.
    if (name === '') throw new PosternError('input_invalid', 'a start-up parameter needs a name')
    writer.cstring(name).cstring(value)
  }
  return writer.int8(0).finish()
}

/**
 * Settles the protocol version as PostgreSQL 18 does. `reply` is a NegotiateProtocolVersion to send before anything
 * else, or null: it is sent only to downgrade a newer minor version or to name `_pq_.` options that are not known (none
 * are), since libpq takes one without changes for an error. 3.1 was never released; PostgreSQL accepts it in silence
 * and treats it as 3.0, and so does this.
 */
export function negotiateProtocol(message: StartupMessage): { version: ProtocolVersion; reply: Buffer | null } {
  const { protocolMajor, protocolMinor, parameters } = message
  checkMajor(protocolMajor, protocolMinor)
  const unknownOptions = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'))
  const minor = Math.min(protocolMinor, minorLatest)
  const isChanged = minor !== protocolMinor || unknownOptions.length > 0
  return {
    version: minor === minorLatest ? protocol32 : protocol30,
    reply: isChanged ? encodeNegotiateProtocolVersion(protocol30 + minor, unknownOptions) : null,
  }
}

function checkMajor(major: number, minor: number): void {
  if (major === 3) return
  throw new PosternError(
    'feature_refused',
    `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.${minorLatest}`,
  )
}

function checkedSecretKey(reader: Reader): Buffer {
  const secretKey = reader.rest()
  if (secretKey.length < 4 || secretKey.length > 256) throw reader.violation('its cancel key has an invalid length')
  return secretKey
}

function decodeParameters(body: Buffer, reader: Reader): Map<string, string> {
  // With a NUL as the last byte every string that begins in the packet also ends in it.
  if (reader.remaining === 0 || body.at(-1) !== 0) throw badLayout()
  const parameters = new Map<string, string>()
  for (;;) {
    if (reader.remaining === 0) throw badLayout()
    const name = reader.cstring()
    if (name === '') break
    if (reader.remaining === 0) throw badLayout()
    parameters.set(name, reader.cstring())
  }
  if (reader.remaining !== 0) throw badLayout()
  return parameters
}

function badLayout(): PosternError {
  return new PosternError('protocol_violation', 'invalid startup packet layout: expected terminator as last byte')
}
