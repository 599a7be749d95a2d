import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PosternError } from '../core/errors.ts'
import { deriveKeys, loadOrCreateMaskingKey } from './key.ts'

function withDirectory(run: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'postern-key-'))
  try {
    run(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('a key is made once, readable by its owner alone, and nothing is left beside it', () => {
  withDirectory((directory) => {
    const path = join(directory, 'masking-key')
    const key = loadOrCreateMaskingKey(path)
    assert.equal(key.length, 32)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.deepEqual(loadOrCreateMaskingKey(path), key)
    assert.deepEqual(readdirSync(directory), ['masking-key'])
    assert.notDeepEqual(loadOrCreateMaskingKey(join(directory, 'other')), key)
  })
})

test('a key that others may read is refused, with the command that mends it', () => {
  withDirectory((directory) => {
    const path = join(directory, 'masking-key')
    loadOrCreateMaskingKey(path)
    for (const mode of [0o640, 0o604, 0o620, 0o601]) {
      chmodSync(path, mode)
      assert.throws(
        () => loadOrCreateMaskingKey(path),
        (error: PosternError) => error.code === 'config_invalid' && /chmod 600/u.test(error.hint ?? ''),
      )
    }
  })
})

test('what is not 32 bytes in base64 is refused, not replaced, and its text is not repeated', () => {
  withDirectory((directory) => {
    const path = join(directory, 'masking-key')
    const good = Buffer.alloc(32, 7).toString('base64')
    for (const text of [
      '',
      'secret',
      good.slice(0, -4),
      `${good}AAAA`,
      good.slice(0, -1),
      ` ${good}`,
      `${good}\nx`,
      'A'.repeat(5_000),
    ]) {
      writeFileSync(path, text, { mode: 0o600 })
      assert.throws(
        () => loadOrCreateMaskingKey(path),
        (error: PosternError) =>
          error.code === 'config_invalid' &&
          !`${error.message}${String(error.hint)}${String(error.cause)}`.includes('secret'),
        text,
      )
      assert.equal(readFileSync(path, 'utf8'), text)
    }
    writeFileSync(path, `${good}\n`, { mode: 0o600 })
    assert.deepEqual(loadOrCreateMaskingKey(path), Buffer.alloc(32, 7))
  })
})

test('a folder that cannot be written or is no file fails with what to do', () => {
  withDirectory((directory) => {
    for (const path of [join(directory, 'absent', 'masking-key'), directory]) {
      assert.throws(() => loadOrCreateMaskingKey(path), { code: 'config_invalid' })
    }
  })
})

test('the derived keys differ from each other, from the key and from those of another key', () => {
  const key = Buffer.alloc(32, 1)
  const [one, again, other] = [deriveKeys(key), deriveKeys(key), deriveKeys(Buffer.alloc(32, 2))]
  assert.deepEqual(one, again)
  const all = [key, one.masking, one.redaction, other.masking, other.redaction].map((each) => each.toString('hex'))
  assert.equal(new Set(all).size, all.length)
  assert.equal(one.masking.length, 32)
})
