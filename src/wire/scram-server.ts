import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { PosternError } from '../core/errors.ts'

/** SCRAM-SHA-256 without and with channel binding (RFC 7677), by the names of SASL. */
export const scramMechanism = 'SCRAM-SHA-256'
export const scramPlusMechanism = 'SCRAM-SHA-256-PLUS'

/** What a server keeps of a password (RFC 5803). It checks proofs and makes none. */
export interface ScramVerifier {
  readonly salt: Buffer
  readonly iterations: number
  /** 32 bytes each. */
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** What the client says of channel binding (RFC 5802 section 6). */
export type ClientBinding =
  /** It cannot bind. */
  | 'none'
  /** It could, and has not seen that the server can. */
  | 'not-offered'
  /** It binds to the hash of the server's certificate. */
  | 'tls-server-end-point'

/** The client's first message, read. */
export interface ScramClientFirst {
  readonly binding: ClientBinding
  /** What the client's last message has to repeat. */
  readonly gs2Header: string
  /** What goes into the proof. */
  readonly bare: string
  readonly nonce: string
}

/** The client's last message, read. */
export interface ScramClientFinal {
  readonly bindingInput: Buffer
  readonly nonce: string
  /** 32 bytes. */
  readonly proof: Buffer
  /** What goes into the proof. */
  readonly withoutProof: string
}

/** A message is a few hundred bytes. */
const messageBytesMax = 4_096
const nonceCharsMax = 1_024
const hashBytes = 32

/**
 * Reads the client's first message (RFC 5802 section 7). The name in it says nothing, as in PostgreSQL, where the
 * start-up packet has it. Optional extensions are ignored, as the RFC wants; a mandatory one and an authorization
 * identity are refused. Throws `protocol_violation` without repeating any of it.
 */
export function readClientFirst(data: Buffer): ScramClientFirst {
  const text = textOf(data)
  const header = /^(n|y|p=([A-Za-z0-9.-]+)),(a=[^,]*)?,/.exec(text)
  if (header === null) throw malformed('it has no GS2 header')
  const [gs2Header, flag, bindingType, identity] = header
  if (identity !== undefined) throw refused('an authorization identity')
  const bare = text.slice(gs2Header.length)
  if (bare.startsWith('m=')) throw refused('a mandatory extension')
  const [name = '', nonceAttribute = '', ...extensions] = bare.split(',')
  if (!/^n=(?:[^=]|=2C|=3D)*$/.test(name)) throw malformed('it has no name')
  const nonce = /^r=([\x21-\x2b\x2d-\x7e]+)$/.exec(nonceAttribute)?.[1]
  if (nonce === undefined || nonce.length > nonceCharsMax) throw malformed('it has no nonce')
  checkExtensions(extensions)
  return { binding: bindingOf(flag ?? '', bindingType), gs2Header, bare, nonce }
}

/** The server's challenge: the client's nonce continued by one of the server's own. */
export function serverFirst(nonce: string, { salt, iterations }: Pick<ScramVerifier, 'salt' | 'iterations'>): string {
  return `r=${nonce},s=${salt.toString('base64')},i=${String(iterations)}`
}

/** Reads the client's last message (RFC 5802 section 7). Throws `protocol_violation` without repeating any of it. */
export function readClientFinal(data: Buffer): ScramClientFinal {
  const text = textOf(data)
  const proofAt = text.lastIndexOf(',p=')
  if (proofAt === -1) throw malformed('it has no proof')
  const withoutProof = text.slice(0, proofAt)
  const [binding = '', nonceAttribute = '', ...extensions] = withoutProof.split(',')
  const encodedBinding = /^c=([A-Za-z0-9+/]+={0,2})$/.exec(binding)?.[1]
  const nonce = /^r=([\x21-\x2b\x2d-\x7e]+)$/.exec(nonceAttribute)?.[1]
  if (encodedBinding === undefined) throw malformed('it has no channel binding')
  if (nonce === undefined) throw malformed('it has no nonce')
  checkExtensions(extensions)
  const proof = strictBase64(text.slice(proofAt + ',p='.length))
  if (proof.length !== hashBytes) throw malformed('its proof has an invalid length')
  return { bindingInput: strictBase64(encodedBinding), nonce, proof, withoutProof }
}

/** What the exchange said up to here, as both sides saw it. */
export interface ScramExchange {
  readonly clientFirst: ScramClientFirst
  readonly serverFirst: string
  readonly clientFinal: ScramClientFinal
}

/**
 * The server's last message, which proves that it knows the verifier; null where the client's proof is not one of the
 * password (RFC 5802 section 3). Takes the same time wherever they differ.
 */
export function answerProof(exchange: ScramExchange, verifier: ScramVerifier): string | null {
  const { clientFirst, clientFinal } = exchange
  const authMessage = `${clientFirst.bare},${exchange.serverFirst},${clientFinal.withoutProof}`
  const clientSignature = hmac(verifier.storedKey, authMessage)
  const clientKey = Buffer.from(clientFinal.proof.map((byte, index) => byte ^ (clientSignature[index] ?? 0)))
  const isProven = timingSafeEqual(createHash('sha256').update(clientKey).digest(), verifier.storedKey)
  const signature = hmac(verifier.serverKey, authMessage).toString('base64')
  return isProven ? `v=${signature}` : null
}

/** Whether the client's last message binds to this channel: its own GS2 header, and the data of the binding behind it. */
export function isBoundTo(final: ScramClientFinal, first: ScramClientFirst, endPoint: Buffer | null): boolean {
  const data = first.binding === 'tls-server-end-point' ? endPoint : Buffer.alloc(0)
  if (data === null) return false
  const expected = Buffer.concat([Buffer.from(first.gs2Header, 'latin1'), data])
  return expected.length === final.bindingInput.length && timingSafeEqual(expected, final.bindingInput)
}

function bindingOf(flag: string, type: string | undefined): ClientBinding {
  if (flag === 'n') return 'none'
  if (flag === 'y') return 'not-offered'
  if (type !== 'tls-server-end-point') throw refused('a channel binding other than tls-server-end-point')
  return 'tls-server-end-point'
}

/** `m` is the one that must not be ignored; `p` ends the last message and stands nowhere else. */
function checkExtensions(extensions: readonly string[]): void {
  for (const extension of extensions) {
    if (extension.startsWith('m=')) throw refused('a mandatory extension')
    if (!/^[A-Za-z]=[^\0]+$/.test(extension) || extension.startsWith('p=')) throw malformed('an attribute is malformed')
  }
}

function textOf(data: Buffer): string {
  if (data.length > messageBytesMax) throw malformed('it is too long')
  if (data.includes(0)) throw malformed('it holds a zero byte')
  // Byte for byte: the proof is over what was sent, whatever encoding it is in.
  return data.toString('latin1')
}

function strictBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw malformed('a part of it is not proper base64')
  return bytes
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}

function malformed(why: string): PosternError {
  return new PosternError('protocol_violation', `malformed SCRAM message: ${why}`)
}

function refused(what: string): PosternError {
  return new PosternError('feature_refused', `the client asks for ${what}, which Postern does not take part in`)
}
