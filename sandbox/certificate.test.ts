import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { createCertificateAuthority, issueCertificate } from './certificate.ts'

void test('a server certificate names its DNS names and addresses and is signed by its authority', async () => {
  const authority = await createCertificateAuthority()
  const issued = await issueCertificate(authority, { hosts: ['db.example.test', '127.0.0.1', '::1'] })
  const certificate = new X509Certificate(issued.certificate)
  assert.equal(certificate.checkHost('db.example.test'), 'db.example.test')
  assert.equal(certificate.checkHost('other.example.test'), undefined)
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1')
  assert.equal(certificate.checkIP('::1'), '::1')
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  assert.equal(certificate.checkPrivateKey(createPrivateKey(issued.key)), true)
  assert.equal(certificate.verify(new X509Certificate(authority.certificate).publicKey), true)
})

void test('a client certificate is for clients only', async () => {
  const authority = await createCertificateAuthority()
  const issued = await issueCertificate(authority, { commonName: 'ci' })
  const certificate = new X509Certificate(issued.certificate)
  assert.equal(certificate.subject, 'CN=ci')
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

void test('a TLS client that trusts the authority accepts the server', async () => {
  const authority = await createCertificateAuthority()
  const { certificate: cert, key } = await issueCertificate(authority, { hosts: ['127.0.0.1'] })
  const server = createServer({ cert, key }, (socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate }, () => {
        assert.equal(socket.authorized, true)
        socket.destroy()
        resolve()
      })
      socket.once('error', reject)
    })
  } finally {
    server.close()
  }
})
