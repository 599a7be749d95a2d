import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, property, uint8Array } from 'fast-check'
import { PosternError } from '../core/errors.ts'
import { decodeBearerMessage, encodeBearerFailure } from './oauth-bearer.ts'

const decode = (text: string): unknown => decodeBearerMessage(Buffer.from(text, 'latin1'))

test('a token is found in the message that libpq sends', () => {
  assert.deepEqual(decode('n,,\x01auth=Bearer abc.DEF-_~+/==\x01\x01'), { kind: 'token', token: 'abc.DEF-_~+/==' })
  assert.deepEqual(decode('y,,\x01host=db\x01auth=bEaReR  x\x01port=5432\x01\x01'), { kind: 'token', token: 'x' })
})

test('an empty auth asks where to get a token', () => {
  const discovery = 'n,,\x01auth=\x01\x01'
  assert.equal(discovery.length, 11)
  assert.deepEqual(decode(discovery), { kind: 'discovery' })
})

test('anything else is a violation that repeats nothing of the message', () => {
  for (const text of [
    '',
    'n,,',
    'p=tls-unique,,\x01auth=Bearer secret\x01\x01',
    'n,a=somebody,\x01auth=Bearer secret\x01\x01',
    'n,,\x01auth=Bearer secret\x01',
    'n,,\x01auth=Bearer secret',
    'n,,\x01auth=Bearer secret\x01\x01more',
    'n,,\x01auth=Bearer secret\x01\x01\x01auth=Bearer secret\x01\x01',
    'n,,\x01auth=Bearer secret\x01auth=Bearer secret\x01\x01',
    'n,,\x01host=db\x01\x01',
    'n,,\x01\x01',
    'n,,\x01auth=Basic secret\x01\x01',
    'n,,\x01auth=Bearer\x01\x01',
    'n,,\x01auth=Bearer se cret\x01\x01',
    'n,,\x01auth=Bearer secret=x\x01\x01',
    'n,,\x01auth=Bearer s\x00cret\x01\x01',
    'n,,\x01=x\x01auth=Bearer secret\x01\x01',
    'x,,\x01auth=Bearer secret\x01\x01',
  ]) {
    assert.throws(
      () => decode(text),
      (error) =>
        error instanceof PosternError && error.code === 'protocol_violation' && !error.message.includes('secret'),
      JSON.stringify(text),
    )
  }
})

test('random bytes raise nothing but a violation', () => {
  check(
    property(uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeBearerMessage(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof PosternError)
      }
    }),
  )
})

test('a failure names the discovery document of the issuer, byte for byte', () => {
  assert.deepEqual(JSON.parse(encodeBearerFailure({ issuer: 'https://id.example.com', scope: 'openid' }).toString()), {
    status: 'invalid_token',
    'openid-configuration': 'https://id.example.com/.well-known/openid-configuration',
    scope: 'openid',
  })
})
