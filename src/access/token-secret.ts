import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { SessionToken } from '../core/access.ts'
import type { TokenId } from '../core/ids.ts'

/** PostgreSQL's own default; the secret has 192 random bits, so that more would not make it harder to guess. */
const scramIterations = 4_096
const scramSaltBytes = 16
const secretBytes = 24

/** A fresh secret of a token: what is given as password. */
export function newTokenSecret(id: TokenId): string {
  return `pst_${id}_${randomBytes(secretBytes).toString('base64url')}`
}

/** The token that a secret says it is of; null where it is not a secret of ours at all. */
export function tokenIdOf(secret: string): TokenId | null {
  const match = /^pst_(t_[0-9a-z]{12})_[A-Za-z0-9_-]{32}$/u.exec(secret)
  return match === null ? null : (match[1] as TokenId)
}

/** What is kept of a secret: nothing that lets anybody in. */
export async function keptOf(secret: string): Promise<Pick<SessionToken, 'secretHash' | 'scram'>> {
  return { secretHash: hashOf(secret), scram: await scramVerifier(secret, randomBytes(scramSaltBytes)) }
}

/** Whether a secret is the one that was kept, in a time that does not tell where they differ. */
export function isSecretOf({ secretHash }: Pick<SessionToken, 'secretHash'>, secret: string): boolean {
  const [kept, given] = [Buffer.from(secretHash), Buffer.from(hashOf(secret))]
  return kept.length === given.length && timingSafeEqual(kept, given)
}

/** The verifier of RFC 5803; key names and derivation are those of RFC 5802 section 3. The secret is ASCII. */
export async function scramVerifier(
  secret: string,
  salt: Buffer,
  iterations: number = scramIterations,
): Promise<SessionToken['scram']> {
  const salted = await promisify(pbkdf2)(secret, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return {
    salt: salt.toString('base64'),
    iterations,
    storedKey: createHash('sha256').update(clientKey).digest('base64'),
    serverKey: createHmac('sha256', salted).update('Server Key').digest('base64'),
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
