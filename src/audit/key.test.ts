import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PosternError } from '../core/errors.ts'
import { keyIdOf, loadOrCreateSigningKey, publicKeyFileOf, readPublicKey } from './key.ts'
import { withDirectory } from './testing.ts'

void test('a key is made once, readable by its owner alone, with its public half beside it', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory)
    const file = join(directory, 'signing.pem')
    const key = loadOrCreateSigningKey(file)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(keyIdOf(loadOrCreateSigningKey(file)), keyIdOf(key))
    assert.equal(keyIdOf(readPublicKey(publicKeyFileOf(file))), keyIdOf(key))
    assert.match(readFileSync(publicKeyFileOf(file), 'utf8'), /BEGIN PUBLIC KEY/)
  })
})

void test('a key that others may read is refused, with the command that mends it', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory)
    const file = join(directory, 'signing.pem')
    loadOrCreateSigningKey(file)
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(file, mode)
      assert.throws(
        () => loadOrCreateSigningKey(file),
        (error: PosternError) => error.code === 'config_invalid' && /chmod 600/.test(error.hint ?? ''),
      )
    }
  })
})

void test('what is not an Ed25519 key is refused, and its text is not repeated', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory)
    const file = join(directory, 'signing.pem')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const text of ['secret nonsense', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()]) {
      writeFileSync(file, text, { mode: 0o600 })
      assert.throws(
        () => loadOrCreateSigningKey(file),
        (error: PosternError) => error.code === 'config_invalid' && !String(error.cause).includes('secret'),
      )
      assert.throws(() => readPublicKey(file), { code: 'input_invalid' })
    }
    assert.throws(() => loadOrCreateSigningKey(join(directory, 'absent', 'signing.pem')), { code: 'config_invalid' })
  })
})
