import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Privilege } from './ephemeral-roles-privileges.ts'

/** PostgreSQL cuts identifiers there (NAMEDATALEN less the terminator), after which they name something else. */
const identifierBytesMax = 63

/** An identifier that PostgreSQL reads as exactly this name. Throws `input_invalid` for what cannot be a name. */
export function quoteIdentifier(name: string): string {
  const isName = name !== '' && !name.includes('\0') && name.isWellFormed()
  if (!isName || Buffer.byteLength(name) > identifierBytesMax) {
    throw new PosternError('input_invalid', 'a name that PostgreSQL cannot have was to be written into a statement')
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** A literal that PostgreSQL reads as exactly this text, whatever standard_conforming_strings says. */
export function quoteLiteral(text: string): string {
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new PosternError('input_invalid', 'a text that PostgreSQL cannot hold was to be written into a statement')
  }
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** The GRANTs of these privileges to a role, each on a bounded number of objects. */
export function grantStatements(privileges: readonly Privilege[], role: string): readonly string[] {
  const objectsByGrant = new Map<string, string[]>()
  for (const privilege of privileges) {
    const grant = `GRANT ${privilege.privileges.join(', ')} ON ${objectType(privilege)}`
    const objects = objectsByGrant.get(grant) ?? []
    objects.push(objectName(privilege))
    objectsByGrant.set(grant, objects)
  }
  const to = quoteIdentifier(role)
  return [...objectsByGrant].flatMap(([grant, objects]) =>
    slices(objects, limits.grantObjectsMax).map((some) => `${grant} ${some.join(', ')} TO ${to}`),
  )
}

function objectType(privilege: Privilege): string {
  if (privilege.kind === 'schema') return 'SCHEMA'
  return privilege.isSequence ? 'SEQUENCE' : 'TABLE'
}

function objectName(privilege: Privilege): string {
  if (privilege.kind === 'schema') return quoteIdentifier(privilege.name)
  return `${quoteIdentifier(privilege.schema)}.${quoteIdentifier(privilege.name)}`
}

function slices<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}
