import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'

/** RFC 5929 section 4.1: the certificate's own signature hash, but SHA-256 where that is MD5 or SHA-1. */
const hashBySignature: ReadonlyMap<string, string> = new Map([
  // RSA PKCS #1 v1.5 (RFC 8017 appendix A.2.4).
  ['1.2.840.113549.1.1.4', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha256'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  // ECDSA (RFC 5758 section 3.2, RFC 3279 section 2.2.3).
  ['1.2.840.10045.4.1', 'sha256'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
])

/**
 * The `tls-server-end-point` data for a server certificate. Null where none is defined (Ed25519 and Ed448 have no
 * separate hash) or where the signature's identifier does not tell it (RSASSA-PSS): the log-in then goes unbound.
 */
export function serverEndPoint(certificate: X509Certificate): Buffer | null {
  const hash = hashBySignature.get(certificate.signatureAlgorithmOid)
  return hash === undefined ? null : createHash(hash).update(certificate.raw).digest()
}
