import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const authenticationType = 0x52

const methods = {
  Ok: 0,
  CleartextPassword: 3,
  MD5Password: 5,
  SASL: 10,
  SASLContinue: 11,
  SASLFinal: 12,
} as const

/** An Authentication message; `other` covers what Postern does not speak (Kerberos, GSSAPI, SSPI and what may come). */
export type Authentication =
  | { readonly kind: 'Ok' }
  | { readonly kind: 'CleartextPassword' }
  | { readonly kind: 'MD5Password'; readonly salt: Buffer }
  | { readonly kind: 'SASL'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'SASLContinue'; readonly data: Buffer }
  | { readonly kind: 'SASLFinal'; readonly data: Buffer }
  | { readonly kind: 'other'; readonly method: number }

/** Decodes any Authentication message; throws `protocol_violation` where the body is malformed. */
export function decodeAuthentication(body: Buffer): Authentication {
  const reader = new Reader(body, 'Authentication')
  const authentication = readMethod(reader)
  reader.end()
  return authentication
}

/** The AuthenticationOk message. Shared: never write to it. */
export const authenticationOk: Buffer = start(methods.Ok).finish()
/** The AuthenticationCleartextPassword message. Shared: never write to it. */
export const authenticationCleartextPassword: Buffer = start(methods.CleartextPassword).finish()

/** Encodes AuthenticationMD5Password; the salt has 4 bytes. */
export function encodeAuthenticationMD5Password(salt: Buffer): Buffer {
  return start(methods.MD5Password).bytes(salt).finish()
}

/** Encodes AuthenticationSASL: mechanism names in the server's order of preference. */
export function encodeAuthenticationSASL(mechanisms: readonly string[]): Buffer {
  const writer = start(methods.SASL)
  for (const mechanism of mechanisms) writer.cstring(mechanism)
  return writer.int8(0).finish()
}

/** Encodes AuthenticationSASLContinue. */
export function encodeAuthenticationSASLContinue(data: Buffer): Buffer {
  return start(methods.SASLContinue).bytes(data).finish()
}

/** Encodes AuthenticationSASLFinal. */
export function encodeAuthenticationSASLFinal(data: Buffer): Buffer {
  return start(methods.SASLFinal).bytes(data).finish()
}

function start(method: number): Writer {
  return new Writer(authenticationType).int32(method)
}

function readMethod(reader: Reader): Authentication {
  const method = reader.int32()
  switch (method) {
    case methods.Ok:
      return { kind: 'Ok' }
    case methods.CleartextPassword:
      return { kind: 'CleartextPassword' }
    case methods.MD5Password:
      return { kind: 'MD5Password', salt: reader.take(4) }
    case methods.SASL:
      return { kind: 'SASL', mechanisms: readMechanisms(reader) }
    case methods.SASLContinue:
      return { kind: 'SASLContinue', data: reader.rest() }
    case methods.SASLFinal:
      return { kind: 'SASLFinal', data: reader.rest() }
    default:
      reader.rest()
      return { kind: 'other', method }
  }
}

function readMechanisms(reader: Reader): string[] {
  const mechanisms: string[] = []
  for (let name = reader.cstring(); name !== ''; name = reader.cstring()) mechanisms.push(name)
  return mechanisms
}
