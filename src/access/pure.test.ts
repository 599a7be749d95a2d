import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { test } from 'node:test'
import { noHolding, partyOf, type Grant } from '../core/access.ts'
import { newGrantId, newTokenId } from '../core/ids.ts'
import { extendedUntilMs, holdingAt, isHeldAt, isHolder } from './grants.ts'
import { checkedText, checkRequirements } from './inputs.ts'
import { alice, dbaAgrees, hourMs, minuteMs, role, startMs } from './testing.ts'
import { isSecretOf, keptOf, newTokenSecret, scramVerifier, tokenIdOf } from './token-secret.ts'

function grant(more: Partial<Grant> = {}): Grant {
  return {
    id: newGrantId(),
    principal: partyOf(alice),
    role: 'support',
    databases: ['shop'],
    kind: 'approved',
    request: null,
    reason: null,
    fromMs: startMs,
    untilMs: startMs + hourMs,
    ended: null,
    review: null,
    ...more,
  }
}

void test('a grant holds up to its last instant, in its databases, unless it was ended', () => {
  assert.equal(isHeldAt(grant(), startMs + hourMs - 1), true)
  assert.equal(isHeldAt(grant(), startMs + hourMs), false)
  assert.equal(isHeldAt(grant({ ended: { atMs: startMs, why: 'revoked', by: null } }), startMs), false)
  assert.equal(isHeldAt(grant(), startMs - 2 * minuteMs), false, 'the clock went back')
  assert.deepEqual(holdingAt([grant(), grant({ role: 'a', untilMs: startMs + 5 })], 'shop', startMs), {
    roles: ['a', 'support'],
    untilMs: startMs + 5,
  })
  assert.equal(holdingAt([grant()], 'other', startMs), noHolding)
  assert.deepEqual(holdingAt([grant({ databases: null })], 'other', startMs).roles, ['support'])
})

void test('an extension is added to the end, never beyond what the role allows from now, and shortens nothing', () => {
  const support = role('support', { maxDurationMs: 2 * hourMs })
  const at = (durationMs: number, nowMs: number): number =>
    extendedUntilMs(grant(), { durationMs, role: support, nowMs })
  assert.equal(at(minuteMs, startMs), startMs + hourMs + minuteMs)
  assert.equal(at(9 * hourMs, startMs), startMs + 2 * hourMs)
  assert.equal(
    extendedUntilMs(grant({ untilMs: startMs + 5 * hourMs }), { durationMs: 1, role: support, nowMs: startMs }),
    startMs + 5 * hourMs,
  )
})

void test('what is given to a person does not hold for who acts for them, nor the other way round', () => {
  const agent = { ...alice, actors: [{ issuer: 'i', subject: 's' }] }
  assert.equal(isHolder(alice, partyOf(alice)), true)
  assert.equal(isHolder(agent, partyOf(alice)), false)
  assert.equal(isHolder(alice, partyOf(agent)), false)
})

void test('a secret tells its token, and what is kept of it tells whether it is the one', async () => {
  const id = newTokenId()
  const secret = newTokenSecret(id)
  assert.match(secret, /^pst_t_[0-9a-z]{12}_[A-Za-z0-9_-]{32}$/)
  assert.equal(tokenIdOf(secret), id)
  const kept = await keptOf(secret)
  assert.equal(isSecretOf(kept, secret), true)
  assert.equal(JSON.stringify(kept).includes(secret.slice(-32)), false)
  for (const other of [newTokenSecret(id), `${secret}x`, secret.slice(0, -1), ''])
    assert.equal(isSecretOf(kept, other), false)
  for (const other of [
    '',
    'pst_',
    `pst_${id}`,
    `${secret}x`,
    ` ${secret}`,
    secret.replace('pst', 'PST'),
    `${secret}\n`,
  ]) {
    assert.equal(tokenIdOf(other), null, other)
  }
})

void test('the verifier is that of RFC 5802: an exchange with the secret is accepted by it', async () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  // The example of RFC 7677 section 3: password "pencil".
  const { storedKey, serverKey } = await scramVerifier('pencil', salt, 4096)
  const message =
    'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const signature = createHmac('sha256', Buffer.from(serverKey, 'base64')).update(message).digest('base64')
  assert.equal(signature, '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  const clientSignature = createHmac('sha256', Buffer.from(storedKey, 'base64')).update(message).digest()
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
  const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (clientSignature[index] ?? 0)))
  assert.equal(createHash('sha256').update(clientKey).digest('base64'), storedKey)
  assert.deepEqual(
    clientKey,
    createHmac('sha256', pbkdf2Sync('pencil', salt, 4096, 32, 'sha256'))
      .update('Client Key')
      .digest(),
  )
})

void test('texts that are too long or would not show as they are are refused', () => {
  assert.equal(checkedText(' INC-1 ', 'reason'), 'INC-1')
  assert.equal(checkedText('x'.repeat(1000), 'reason').length, 1000)
  for (const text of ['x'.repeat(1001), 'a\nb', 'a\0', '\u202eabc', '\ud800', 'a\u2028b', '\u001b[2J', '\u0085']) {
    assert.throws(() => checkedText(text, 'reason'), { code: 'input_invalid' })
  }
})

void test('requirements that nobody could meet, or everybody, are refused', () => {
  checkRequirements([dbaAgrees])
  for (const wrong of [
    { count: 0 },
    { count: 1.5 },
    { count: NaN },
    { approvers: [] },
    { goodForMs: 0 },
    { goodForMs: Infinity },
  ]) {
    assert.throws(() => checkRequirements([dbaAgrees, { ...dbaAgrees, ...wrong }]), { code: 'input_invalid' })
  }
  assert.throws(() => checkRequirements([]), { code: 'input_invalid' })
})
