import { createHmac, timingSafeEqual } from 'node:crypto'
import { limits } from '../core/limits.ts'
import { loginFailed } from './failure.ts'
import type { ScramKeys, ScramSalt } from './scram-keys.ts'

/** How a log-in is tied to its TLS connection (RFC 5802 section 6, RFC 5929 section 4). */
export type ChannelBinding =
  /** The client cannot bind: no TLS, or a certificate that no hash is defined for. */
  | { readonly kind: 'unsupported' }
  /** The client could, but the server does not offer it; a server that did offer it takes this for an attack. */
  | { readonly kind: 'not-offered' }
  /** The hash of the server's certificate. */
  | { readonly kind: 'tls-server-end-point'; readonly certificateHash: Buffer }

/** The client's first message, and what of it the later ones need. */
export interface ClientFirst {
  readonly message: Buffer
  readonly bare: string
  readonly nonce: string
  /** The value of `c=` in the client's final message. */
  readonly bindingInput: string
}

/** The server's challenge. */
export interface ServerFirst extends ScramSalt {
  readonly message: string
  readonly nonce: string
}

/** A SCRAM message is a few hundred bytes; this bounds what a hostile server can make us chew on. */
const messageBytesMax = 4_096

/**
 * The client's first message (RFC 5802 section 7). PostgreSQL takes the role from the start-up message and ignores the
 * name here, so it is left empty as libpq leaves it; the RFC's test vector needs one.
 */
export function clientFirst(binding: ChannelBinding, options: { nonce: string; name?: string }): ClientFirst {
  const header = gs2Header(binding)
  const bare = `n=${options.name ?? ''},r=${options.nonce}`
  const data = binding.kind === 'tls-server-end-point' ? binding.certificateHash : Buffer.alloc(0)
  return {
    message: Buffer.from(`${header}${bare}`),
    bare,
    nonce: options.nonce,
    bindingInput: Buffer.concat([Buffer.from(header), data]).toString('base64'),
  }
}

/** Reads the server's challenge; refuses a nonce that is not ours continued, and a derivation out of bounds. */
export function readServerFirst(data: Buffer, first: ClientFirst): ServerFirst {
  const message = checkedText(data)
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})$/.exec(message)
  const [, nonce = '', encodedSalt = '', count = ''] = match ?? []
  if (match === null) throw loginFailed('PostgreSQL sent a SCRAM challenge that is malformed')
  if (!nonce.startsWith(first.nonce) || nonce.length === first.nonce.length) {
    throw loginFailed('PostgreSQL answered with a SCRAM nonce that does not continue ours: somebody may be in between')
  }
  const iterations = Number(count)
  // The lowest count PostgreSQL can be set to is 1, and the client cannot change what the password is stored with. The
  // highest is 250 times PostgreSQL's default and well under a second of one thread: a hostile server gets no more.
  if (iterations > limits.scramIterationsMax) {
    throw loginFailed(
      `PostgreSQL asks for ${iterations} SCRAM iterations and ${limits.scramIterationsMax} are allowed: lower scram_iterations there and set the password again`,
    )
  }
  return { message, nonce, salt: strictBase64(encodedSalt), iterations }
}

/** The client's final message and the signature that only a server which knows the password can answer with. */
export function clientFinal(
  first: ClientFirst,
  challenge: ServerFirst,
  keys: ScramKeys,
): { message: Buffer; serverSignature: Buffer } {
  const withoutProof = `c=${first.bindingInput},r=${challenge.nonce}`
  const authMessage = `${first.bare},${challenge.message},${withoutProof}`
  const clientSignature = createHmac('sha256', keys.storedKey).update(authMessage).digest()
  const proof = Buffer.from(keys.clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0)))
  return {
    message: Buffer.from(`${withoutProof},p=${proof.toString('base64')}`),
    serverSignature: createHmac('sha256', keys.serverKey).update(authMessage).digest(),
  }
}

/** Accepts the server's final message only if it proves that the server knows the password too. */
export function verifyServerFinal(data: Buffer, serverSignature: Buffer): void {
  const message = checkedText(data)
  const [, encoded] = /^v=([A-Za-z0-9+/=]+)$/.exec(message) ?? []
  if (encoded === undefined) throw loginFailed('PostgreSQL ended the SCRAM exchange without a proof of its own')
  const signature = strictBase64(encoded)
  if (signature.length !== serverSignature.length || !timingSafeEqual(signature, serverSignature)) {
    throw loginFailed(
      'the server does not know the password it asked for: it may not be the PostgreSQL it claims to be',
    )
  }
}

function gs2Header(binding: ChannelBinding): string {
  switch (binding.kind) {
    case 'unsupported':
      return 'n,,'
    case 'not-offered':
      return 'y,,'
    case 'tls-server-end-point':
      return 'p=tls-server-end-point,,'
  }
}

function checkedText(data: Buffer): string {
  if (data.length > messageBytesMax) throw loginFailed('PostgreSQL sent a SCRAM message that is malformed')
  // Whatever is not ASCII becomes a character that no pattern here has.
  return data.toString('latin1')
}

function strictBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw loginFailed('PostgreSQL sent a SCRAM message that is not proper base64')
  return bytes
}
