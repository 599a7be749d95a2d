import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../sandbox/certificate.ts'
import { createServerCertificate } from './server-certificate.ts'

test('a renewed certificate is taken up, and a broken one leaves the one before in force', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-certificate-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const authority = await createCertificateAuthority()
  const files = { certificateFile: join(directory, 'a.crt'), keyFile: join(directory, 'a.key') }
  const write = async (): Promise<{ certificate: string; key: string }> => {
    const issued = await issueCertificate(authority, { hosts: ['localhost'] })
    writeFileSync(files.certificateFile, issued.certificate)
    writeFileSync(files.keyFile, issued.key)
    return issued
  }
  const failures: unknown[] = []
  let nowMs = performance.now()
  context.mock.method(performance, 'now', () => nowMs)
  const current = createServerCertificate(
    { ...(await write()), ...files },
    { onFailed: (error) => failures.push(error) },
  )
  const first = current()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await write()
  assert.equal(current(), first, 'the files are not looked at for every connection')
  nowMs += 11_000
  const second = current()
  assert.notEqual(second, first)

  await new Promise((resolve) => setTimeout(resolve, 20))
  writeFileSync(files.certificateFile, 'not a certificate')
  nowMs += 11_000
  assert.equal(current(), second)
  nowMs += 11_000
  assert.equal(current(), second)
  assert.equal(failures.length, 1)
})
