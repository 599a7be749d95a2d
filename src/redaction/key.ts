import { hkdfSync, randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PosternError } from '../core/errors.ts'

const keyBytes = 32

/**
 * Reads the key that pseudonyms are made with (32 random bytes in base64), or makes one with mode 0600. Fails with
 * `config_invalid` where others may read the file or it holds something else: it is never replaced by itself, since every
 * pseudonym would change with it.
 */
export function loadOrCreateMaskingKey(path: string): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return createKey(path)
    throw new PosternError('config_invalid', `the masking key ${path} cannot be read`, {
      cause: error,
      hint: 'Let the account that runs the gateway own the file, with mode 0600.',
    })
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw malformed(path)
    const mode = stat.mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw new PosternError(
        'config_invalid',
        `the masking key ${path} has mode 0${mode.toString(8)}: whoever has it can guess what pseudonyms stand for`,
        {
          hint: `Run: chmod 600 ${path}. If others may have read it, move it away; a new key is made at the next start, and pseudonyms change.`,
        },
      )
    }
    if (stat.size > 1_024) throw malformed(path)
    return readKey(path, readFileSync(descriptor, 'latin1'))
  } finally {
    closeSync(descriptor)
  }
}

/**
 * The keys of the two kinds of pseudonyms: those that clients see in the place of values, and those in the record. A value
 * has another one in each, so that who sees masked rows cannot look them up in the record.
 */
export function deriveKeys(key: Buffer): { masking: Buffer; redaction: Buffer } {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `postern ${purpose} pseudonyms`, keyBytes))
  return { masking: derive('masking'), redaction: derive('redaction') }
}

function createKey(path: string): Buffer {
  const key = randomBytes(keyBytes)
  const beside = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    try {
      const descriptor = openSync(beside, 'wx', 0o600)
      try {
        writeFileSync(descriptor, `${key.toString('base64')}\n`)
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
      // A link appears whole or not at all, and never in the place of the key of a gateway that starts at this moment.
      linkSync(beside, path)
      syncFolder(dirname(path))
    } finally {
      unlinkSync(beside)
    }
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return loadOrCreateMaskingKey(path)
    throw new PosternError('config_invalid', `the masking key ${path} cannot be created`, {
      cause: error,
      hint: 'The folder must exist and belong to the account that runs the gateway.',
    })
  }
  return key
}

function readKey(path: string, text: string): Buffer {
  const encoded = text.trimEnd()
  const key = Buffer.from(encoded, 'base64')
  if (key.length !== keyBytes || key.toString('base64') !== encoded) throw malformed(path)
  return key
}

function malformed(path: string): PosternError {
  // What the file holds is not repeated: it may be most of a key.
  return new PosternError('config_invalid', `the masking key ${path} is not 32 bytes in base64`, {
    hint: 'Put the right file back. Or move it away; a new key is made at the next start, and pseudonyms change.',
  })
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}
