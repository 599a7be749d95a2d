import { createHash, generateKeyPair, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import { promisify } from 'node:util'
import { der } from './der.ts'

/** An authority that exists for one test or demo; `certificate` is the PEM that the other side is to trust. */
export interface CertificateAuthority {
  readonly certificate: string
  readonly name: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** A certificate and its private key (PKCS #8), both PEM. */
export interface IssuedCertificate {
  readonly certificate: string
  readonly key: string
}

/** Host names and addresses make a server certificate; a common name alone makes a client certificate. */
export type CertificateRequest = ({ readonly hosts: readonly string[] } | { readonly commonName: string }) & {
  /** What the authority signs with; SHA-256 by default. */
  readonly hash?: SignatureHash
}

type SignatureHash = keyof typeof ecdsaWith

// RFC 5758 section 3.2.
const ecdsaWith = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3', sha512: '1.2.840.10045.4.3.4' }
const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const dayMs = 24 * 60 * 60 * 1000

/** Creates an authority (ECDSA P-256) whose certificate is valid from yesterday for thirty days. */
export async function createCertificateAuthority(
  name = 'Sandbox certificate authority',
): Promise<CertificateAuthority> {
  const { publicKey, privateKey } = await newKeyPair()
  const certificate = signCertificate({
    subject: name,
    publicKey,
    issuer: { name, publicKey, privateKey },
    hash: 'sha256',
    extensions: [
      extension('2.5.29.19', der.sequence(der.boolean(true)), 'critical'),
      // keyCertSign and cRLSign: bits 5 and 6.
      extension('2.5.29.15', der.bits(Buffer.from([0b0000_0110]), 1), 'critical'),
    ],
  })
  return { certificate, name, publicKey, privateKey }
}

/** Issues a certificate (ECDSA P-256) with a fresh key, valid from yesterday for thirty days. */
export async function issueCertificate(
  authority: CertificateAuthority,
  request: CertificateRequest,
): Promise<IssuedCertificate> {
  const { publicKey, privateKey } = await newKeyPair()
  const isServer = 'hosts' in request
  const extensions = [
    extension('2.5.29.19', der.sequence(), 'critical'),
    // digitalSignature: bit 0.
    extension('2.5.29.15', der.bits(Buffer.from([0b1000_0000]), 7), 'critical'),
    extension('2.5.29.37', der.sequence(der.objectIdentifier(isServer ? serverAuth : clientAuth))),
  ]
  if (isServer) extensions.push(extension('2.5.29.17', der.sequence(...request.hosts.map(generalName))))
  const certificate = signCertificate({
    subject: isServer ? (request.hosts[0] ?? 'localhost') : request.commonName,
    publicKey,
    issuer: authority,
    hash: request.hash ?? 'sha256',
    extensions,
  })
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

async function newKeyPair(): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  return promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
}

/** RFC 5280 section 4.1: a version 3 certificate, as PEM. */
function signCertificate(parts: {
  subject: string
  publicKey: KeyObject
  issuer: { name: string; publicKey: KeyObject; privateKey: KeyObject }
  hash: SignatureHash
  extensions: readonly Buffer[]
}): string {
  const { subject, publicKey, issuer, hash, extensions } = parts
  const signatureAlgorithm = der.sequence(der.objectIdentifier(ecdsaWith[hash]))
  const now = Date.now()
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)])
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(serial),
    signatureAlgorithm,
    distinguishedName(issuer.name),
    der.sequence(der.time(new Date(now - dayMs)), der.time(new Date(now + 30 * dayMs))),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(
      3,
      der.sequence(
        ...extensions,
        extension('2.5.29.14', der.octets(keyIdentifier(publicKey))),
        extension('2.5.29.35', der.sequence(der.implicit(0, keyIdentifier(issuer.publicKey)))),
      ),
    ),
  )
  const signature = sign(hash, toBeSigned, issuer.privateKey)
  const bytes = der.sequence(toBeSigned, signatureAlgorithm, der.bits(signature))
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function extension(identifier: string, value: Buffer, criticality?: 'critical'): Buffer {
  const critical = criticality === undefined ? [] : [der.boolean(true)]
  return der.sequence(der.objectIdentifier(identifier), ...critical, der.octets(value))
}

function distinguishedName(commonName: string): Buffer {
  return der.sequence(der.set(der.sequence(der.objectIdentifier('2.5.4.3'), der.utf8(commonName))))
}

/** RFC 5280 section 4.2.1.6: dNSName is [2], iPAddress is [7] and holds the address in network order. */
function generalName(host: string): Buffer {
  if (isIPv4(host)) return der.implicit(7, Buffer.from(host.split('.').map(Number)))
  if (isIPv6(host)) return der.implicit(7, ipv6Bytes(host))
  return der.implicit(2, Buffer.from(host, 'latin1'))
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const bytes = Buffer.alloc(16)
  left.forEach((group, index) => bytes.writeUInt16BE(group, index * 2))
  right.forEach((group, index) => bytes.writeUInt16BE(group, 16 - (right.length - index) * 2))
  return bytes
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}
