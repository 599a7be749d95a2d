import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { serverEndPoint } from './channel-binding.ts'

void test("a certificate is hashed with its own signature's hash", async () => {
  const authority = await createCertificateAuthority()
  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    const issued = await issueCertificate(authority, { hosts: ['localhost'], hash })
    const certificate = new X509Certificate(issued.certificate)
    assert.deepEqual(serverEndPoint(certificate), createHash(hash).update(certificate.raw).digest())
  }
})

void test('MD5 and SHA-1 are replaced by SHA-256, and a signature without a hash of its own has no binding', () => {
  const raw = Buffer.from('a certificate')
  const signedWith = (signatureAlgorithmOid: string): Buffer | null =>
    serverEndPoint({ raw, signatureAlgorithmOid } as X509Certificate)
  const sha256 = createHash('sha256').update(raw).digest()
  assert.deepEqual(signedWith('1.2.840.113549.1.1.4'), sha256)
  assert.deepEqual(signedWith('1.2.840.113549.1.1.5'), sha256)
  assert.deepEqual(signedWith('1.2.840.10045.4.1'), sha256)
  assert.equal(signedWith('1.3.101.112'), null)
})
