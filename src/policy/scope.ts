import { policyToJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
import { actionGroups, commandGroups } from '../core/commands.ts'
import { parseId, quoteName } from './names.ts'

/** What the head of a policy speaks of; each part null where it leaves it open. */
export interface Scope {
  readonly principal: PartScope | null
  /** Every single action that it speaks of. */
  readonly actions: ReadonlySet<string>
  readonly resource: PartScope | null
}

/** A type, or something that has to be it or be inside it, or both. */
export interface PartScope {
  readonly type: string | null
  readonly entity: TypeAndId | null
  /** True for `==`, where what is inside does not count. */
  readonly isExact: boolean
}

/** The syntax tree of a policy that was loaded. */
export function treeOf(text: string): PolicyJson {
  const converted = policyToJson(text)
  if (converted.type === 'failure') throw new Error(`Cedar refuses a policy that it found valid: ${text}`)
  return converted.json
}

/** Reads the head of a policy. */
export function scopeOf(tree: PolicyJson): Scope {
  return { principal: partOf(tree.principal), actions: actionsOf(tree.action), resource: partOf(tree.resource) }
}

/** Every action that a policy could speak of: each command, `connect` and `unmask`. */
export const everyAction: readonly string[] = ['connect', 'unmask', ...commandGroups.keys()]

/** Whether whatever principal and resource `narrow` speaks of, `wide` certainly speaks of too; actions are left out. */
export function coversParts(wide: Scope, narrow: Scope): boolean {
  return covers(wide.principal, narrow.principal) && covers(wide.resource, narrow.resource)
}

/** Whether `wide` certainly speaks of everything that `narrow` speaks of. */
export function coversScope(wide: Scope, narrow: Scope): boolean {
  return coversParts(wide, narrow) && [...narrow.actions].every((action) => wide.actions.has(action))
}

/** A part of a head as Cedar's JSON has it. */
interface PartJson {
  readonly op: string
  readonly entity?: unknown
  readonly entity_type?: string
  readonly in?: unknown
}

function partOf(part: PartJson): PartScope | null {
  switch (part.op) {
    case '==':
    case 'in':
      return { type: null, entity: entityOf(part.entity), isExact: part.op === '==' }
    case 'is': {
      const inside = part.in as { readonly entity?: unknown } | null | undefined
      const entity = inside === null || inside === undefined ? null : entityOf(inside.entity)
      return { type: part.entity_type ?? null, entity, isExact: false }
    }
    default:
      return null
  }
}

function actionsOf(part: PolicyJson['action']): ReadonlySet<string> {
  if (part.op === 'All') return new Set(everyAction)
  const named = 'entities' in part ? part.entities : 'entity' in part ? [part.entity] : []
  const ids = named.map((entity) => entityOf(entity)?.id ?? '')
  if (part.op === '==') return new Set(ids)
  return new Set(ids.flatMap(membersOf))
}

/** The single actions in a group, or the action itself. */
function membersOf(id: string): readonly string[] {
  if (id === 'statement') return [...commandGroups.keys()]
  if (!actionGroups.some((group) => group === id)) return [id]
  return [...commandGroups].flatMap(([command, group]) => (group === id ? [command] : []))
}

function entityOf(json: unknown): TypeAndId | null {
  const inner = typeof json === 'object' && json !== null && '__entity' in json ? json.__entity : json
  if (typeof inner !== 'object' || inner === null || !('type' in inner) || !('id' in inner)) return null
  return typeof inner.type === 'string' && typeof inner.id === 'string' ? { type: inner.type, id: inner.id } : null
}

function covers(wide: PartScope | null, narrow: PartScope | null): boolean {
  if (wide === null) return true
  if (narrow === null) return false
  const isTypeCovered = wide.type === null || wide.type === typeOf(narrow)
  return isTypeCovered && coversEntity(wide, narrow)
}

/** The one type that a part speaks of, where its head says it. */
function typeOf({ type, entity, isExact }: PartScope): string | null {
  return type ?? (isExact ? (entity?.type ?? null) : null)
}

function coversEntity(wide: PartScope, narrow: PartScope): boolean {
  if (wide.entity === null) return true
  if (narrow.entity === null) return false
  const isSame = wide.entity.type === narrow.entity.type && wide.entity.id === narrow.entity.id
  // `in x` speaks of what is inside x as well, of which `== x` says nothing.
  if (wide.isExact) return isSame && narrow.isExact
  return isSame || isInside(narrow.entity, wide.entity)
}

const depths: ReadonlyMap<string, number> = new Map([
  ['Database', 1],
  ['Schema', 2],
  ['Relation', 3],
  ['Column', 4],
])

/** Whether one resource is inside another by what their ids say. Groups and tags say nothing of the kind. */
function isInside(inner: TypeAndId, outer: TypeAndId): boolean {
  const [innerDepth, outerDepth] = [depths.get(inner.type), depths.get(outer.type)]
  if (innerDepth === undefined || outerDepth === undefined || innerDepth <= outerDepth) return false
  const names = parseId(inner.id)?.slice(0, outerDepth)
  if (names === undefined) return false
  // The id of a database is its plain name, those of all else are quoted where need be.
  return outer.type === 'Database' ? names[0] === outer.id : names.map(quoteName).join('.') === outer.id
}
