import { z } from 'zod'
import { formatDuration, parseDuration } from '../core/duration.ts'

/** A whole number, also where it stands in quotes or comes from the environment. */
export function whole(minimum: number, maximum: number) {
  const toNumber = (value: unknown) => (typeof value === 'string' && /^\d+$/u.test(value) ? Number(value) : value)
  return z.preprocess(toNumber, z.int().min(minimum).max(maximum))
}

/** Some text. */
export const text = z.string().min(1).max(4_096)
/** A path, relative to the folder of postern.yaml. */
export const filePath = z.string().min(1).max(4_096)
/** A name as PostgreSQL has them. */
export const name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[^\p{Cc}]+$/u, 'must not hold control characters')
/** A word without blanks. */
export const claim = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\s]+$/u, 'must not hold spaces')

/** A duration between two bounds in milliseconds, written as `parseDuration` reads it. */
export function duration(minimumMs: number, maximumMs: number) {
  const isWithin = (value: string): boolean => {
    const ms = parseDuration(value)
    return ms !== null && ms >= minimumMs && ms <= maximumMs
  }
  const bounds = `from ${formatDuration(minimumMs)} to ${formatDuration(maximumMs)}`
  return z.string().refine(isWithin, `it is no duration ${bounds}, such as \`15m\`, \`2h\` or \`1d\``)
}

/** Where the password for PostgreSQL comes from. */
export const credential = z.strictObject({
  file: filePath
    .optional()
    .describe('File whose content is the password, not open to every account; re-read when it changes.'),
  environment: claim.optional().describe('Environment variable that holds the password.'),
  command: z.array(text).min(1).optional().describe('Program and arguments; what it prints is the password.'),
  refresh_after_s: whole(1, 86_400).optional().describe('How long the output of `command` is used (300 unless told).'),
  password: z.string().min(1).optional().describe('The password itself; better as `${NAME}` than written out.'),
})

/** How a connection to PostgreSQL is protected. */
export const databaseTls = z
  .strictObject({
    mode: z
      .enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full'])
      .default('verify-full')
      .describe('As `sslmode` of PostgreSQL. `verify-full` unless told, `disable` on a Unix socket.'),
    ca: filePath.optional().describe('PEM file of the authorities to trust instead of the system’s.'),
    server_name: text.optional().describe('Name that the certificate has to carry where it is not `host`.'),
  })
  .prefault({})
  .describe('How the connection to PostgreSQL is protected.')
