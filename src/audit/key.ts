import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { PosternError } from '../core/errors.ts'

/** A short stable name of a public key: the SHA-256 of its SubjectPublicKeyInfo in base64url. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

/** Where the public half of the key in `file` is kept, for whoever verifies. */
export function publicKeyFileOf(file: string): string {
  return `${file}.pub`
}

/**
 * Reads the Ed25519 key (PKCS8 PEM) that signs checkpoints, or makes one with mode 0600 and its public half beside it.
 * Fails with `config_invalid` where others may read the file or it holds something else.
 */
export function loadOrCreateSigningKey(file: string): KeyObject {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return createSigningKey(file)
    throw new PosternError('config_invalid', `the journal's signing key ${file} cannot be read`, {
      cause: error,
      hint: 'Let the account that runs the gateway own the file, with mode 0600.',
    })
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw new PosternError(
        'config_invalid',
        `the journal's signing key ${file} has mode 0${mode.toString(8)}: others could sign in the gateway's name`,
        {
          hint: `Run: chmod 600 ${file}. If others may have read it, move it away; a new key is made at the next start.`,
        },
      )
    }
    return readPrivateKey(file, readFileSync(descriptor, 'utf8'))
  } finally {
    closeSync(descriptor)
  }
}

/** Reads a public key (SPKI PEM), or the public half of a private one. Fails with `input_invalid`. */
export function readPublicKey(file: string): KeyObject {
  try {
    const key = createPublicKey(readFileSync(file, 'utf8'))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (error) {
    throw new PosternError('input_invalid', `the public key ${file} cannot be read as PEM`, {
      cause: error,
      hint: 'Give the .pub file that lies beside the signing key.',
    })
  }
  throw new PosternError('input_invalid', `the public key ${file} is not an Ed25519 key`, {
    hint: 'Give the .pub file that lies beside the signing key.',
  })
}

/** Whether `error` is a system error of the given code. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}

function createSigningKey(file: string): KeyObject {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  try {
    // Exclusive: a second gateway that starts at the same moment must not replace the key of the first.
    const descriptor = openSync(file, 'wx', 0o600)
    try {
      writeFileSync(descriptor, privateKey.export({ type: 'pkcs8', format: 'pem' }))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    writeFileSync(publicKeyFileOf(file), publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 })
  } catch (error) {
    throw new PosternError('config_invalid', `the journal's signing key ${file} cannot be created`, {
      cause: error,
      hint: 'The folder must exist and belong to the account that runs the gateway.',
    })
  }
  return privateKey
}

function readPrivateKey(file: string, pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    // The parser's own error is not passed on: it may quote the file.
    throw new PosternError('config_invalid', `the journal's signing key ${file} is not a private key in PEM`, {
      hint: 'Move the file away; a new key is made at the next start.',
    })
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new PosternError('config_invalid', `the journal's signing key ${file} is not an Ed25519 key`, {
      hint: 'Move the file away; a new key is made at the next start.',
    })
  }
  return key
}
