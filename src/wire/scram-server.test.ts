import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { test } from 'node:test'
import { answerProof, isBoundTo, readClientFinal, readClientFirst, serverFirst } from './scram-server.ts'

// The example of RFC 7677 section 3, whose password is "pencil".
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const salted = pbkdf2Sync('pencil', salt, 4_096, 32, 'sha256')
const clientKey = createHmac('sha256', salted).update('Client Key').digest()
const verifier = {
  salt,
  iterations: 4_096,
  storedKey: createHash('sha256').update(clientKey).digest(),
  serverKey: createHmac('sha256', salted).update('Server Key').digest(),
}
const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const first = readClientFirst(Buffer.from('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'))
const final = `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`

void test("the RFC's example comes out as it is printed there", () => {
  const challenge = serverFirst(nonce, verifier)
  assert.equal(challenge, `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`)
  const clientFinal = readClientFinal(Buffer.from(final))
  assert.equal(clientFinal.nonce, nonce)
  assert.ok(isBoundTo(clientFinal, first, null))
  const answer = answerProof({ clientFirst: first, serverFirst: challenge, clientFinal }, verifier)
  assert.equal(answer, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

void test('a proof that is off by one bit proves nothing', () => {
  const challenge = serverFirst(nonce, verifier)
  const clientFinal = readClientFinal(Buffer.from(final))
  for (let bit = 0; bit < 256; bit += 1) {
    const proof = Buffer.from(clientFinal.proof)
    proof[bit >> 3] = (proof[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const exchange = { clientFirst: first, serverFirst: challenge, clientFinal: { ...clientFinal, proof } }
    assert.equal(answerProof(exchange, verifier), null)
  }
})

void test('optional extensions are read over and are part of what is proven', () => {
  const extended = readClientFirst(Buffer.from('y,,n=,r=abc,x=one,Y=two'))
  assert.deepEqual([extended.nonce, extended.bare, extended.binding], ['abc', 'n=,r=abc,x=one,Y=two', 'not-offered'])
  const last = readClientFinal(Buffer.from(`c=biws,r=${nonce},z=1,p=${Buffer.alloc(32).toString('base64')}`))
  assert.equal(last.withoutProof, `c=biws,r=${nonce},z=1`)
})

void test('a client binds to the certificate it saw behind its own header, and to nothing else', () => {
  const bound = readClientFirst(Buffer.from('p=tls-server-end-point,,n=,r=abc'))
  const hash = Buffer.alloc(32, 7)
  const input = (data: Buffer): Buffer =>
    Buffer.from(
      `c=${Buffer.concat([Buffer.from('p=tls-server-end-point,,'), data]).toString('base64')},r=abc,p=${Buffer.alloc(32).toString('base64')}`,
    )
  assert.equal(bound.binding, 'tls-server-end-point')
  assert.ok(isBoundTo(readClientFinal(input(hash)), bound, hash))
  assert.ok(!isBoundTo(readClientFinal(input(hash)), bound, Buffer.alloc(32, 8)))
  assert.ok(!isBoundTo(readClientFinal(input(hash)), bound, null))
  assert.ok(!isBoundTo(readClientFinal(input(Buffer.alloc(0))), bound, null))
  assert.ok(!isBoundTo(readClientFinal(Buffer.from(final)), bound, hash))
})
