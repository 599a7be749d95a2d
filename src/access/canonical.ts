import { createHash } from 'node:crypto'

/** JSON that is the same for values that say the same, in whatever order their members are. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}

/** A hash of what an entry or a change says. */
export function digestOf(type: string, facts: unknown): string {
  return createHash('sha256').update(type).update('\n').update(canonical(facts)).digest('base64url')
}
