import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../core/limits.ts'
import { BackendFault } from './failure.ts'
import { deriveScramKeys } from './scram-keys.ts'
import { clientFinal, clientFirst, readServerFirst, verifyServerFinal } from './scram.ts'

// RFC 7677 section 3.
const nonce = 'rOprNGfwEbeRWgbNEkqO'
const challenge = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
const serverSignature = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

async function exchange(): Promise<{ message: string; serverSignature: Buffer }> {
  const first = clientFirst({ kind: 'unsupported' }, { nonce, name: 'user' })
  assert.equal(first.message.toString(), `n,,n=user,r=${nonce}`)
  const serverFirst = readServerFirst(Buffer.from(challenge), first)
  const final = clientFinal(first, serverFirst, await deriveScramKeys('pencil', serverFirst))
  return { message: final.message.toString(), serverSignature: final.serverSignature }
}

void test('the exchange of RFC 7677 comes out as printed there', async () => {
  const final = await exchange()
  assert.equal(final.message, `c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=${proof}`)
  verifyServerFinal(Buffer.from(`v=${serverSignature}`), final.serverSignature)
})

void test('a server that does not know the password is not believed', async () => {
  const final = await exchange()
  const wrong = Buffer.from(final.serverSignature)
  wrong[31] = (wrong[31] ?? 0) ^ 1
  for (const answer of [
    `v=${wrong.toString('base64')}`,
    `v=${serverSignature.slice(0, 40)}`,
    'v=',
    'e=other-error',
    `v=${serverSignature},x=1`,
    '',
  ]) {
    assert.throws(() => verifyServerFinal(Buffer.from(answer), final.serverSignature), { code: 'backend_login_failed' })
  }
})

void test('a challenge is refused unless its nonce continues ours and everything in it is well-formed and bounded', () => {
  const first = clientFirst({ kind: 'unsupported' }, { nonce })
  for (const [text, reason] of [
    [`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /continue ours/],
    ['r=somethingelse,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096', /continue ours/],
    [`r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096`, /base64/],
    [`r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0`, /malformed/],
    [`r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1`, /malformed/],
    [`r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999`, /malformed/],
    [`r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${limits.scramIterationsMax + 1}`, /iterations/],
    [`r=${nonce}x,s=,i=4096`, /malformed/],
    [`m=ext,r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /malformed/],
    [`r=${nonce}${'x'.repeat(5_000)},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /malformed/],
    [`r=${nonce}é,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /malformed/],
    ['', /malformed/],
  ] as const) {
    assert.throws(
      () => readServerFirst(Buffer.from(text), first),
      (error: Error) => error.cause instanceof BackendFault && reason.test(error.cause.message),
      text.slice(0, 100),
    )
  }
})

void test('the binding is part of what both sides sign', () => {
  const certificateHash = Buffer.alloc(32, 7)
  const bound = clientFirst({ kind: 'tls-server-end-point', certificateHash }, { nonce })
  assert.equal(bound.message.toString(), `p=tls-server-end-point,,n=,r=${nonce}`)
  const input = Buffer.from(bound.bindingInput, 'base64')
  assert.deepEqual(input, Buffer.concat([Buffer.from('p=tls-server-end-point,,'), certificateHash]))
  assert.equal(clientFirst({ kind: 'not-offered' }, { nonce }).bindingInput, Buffer.from('y,,').toString('base64'))
})
