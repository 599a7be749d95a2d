import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

/*
 * What can be proved of a condition from its syntax alone. Everything else is null: not known. An operand that is not
 * known may also fail, and a policy that fails refuses; so `x && false` is not taken for false, and `false && x` is.
 */

/** What is certain about when a policy's conditions hold. */
export type Certainty =
  /** It holds whenever the head does: all conditions are true, or there are none. */
  | { readonly holds: 'always'; readonly hasConditions: boolean }
  | { readonly holds: 'never'; readonly why: string }
  | { readonly holds: 'unknown' }

/** Says what is certain about a policy's conditions, from `nowMs` on. */
export function certaintyOf({ conditions }: PolicyJson, nowMs: number): Certainty {
  const known = conditions.map(({ kind, body }) => {
    const value = valueOf(body)
    return typeof value !== 'boolean' ? null : kind === 'when' ? value : !value
  })
  if (known.includes(false)) {
    return { holds: 'never', why: `its condition \`${kindOf(conditions[known.indexOf(false)])}\` is never met` }
  }
  if (known.every((value) => value === true)) return { holds: 'always', hasConditions: conditions.length > 0 }
  const whens = conditions.filter(({ kind }) => kind === 'when').flatMap(({ body }) => conjuncts(body))
  const texts = new Set(whens.map((part) => JSON.stringify(part)))
  for (const { kind, body } of conditions) {
    if (kind === 'unless' && alternatives(body).some((part) => texts.has(JSON.stringify(part)))) {
      return { holds: 'never', why: 'what its `when` asks for is what its `unless` excludes' }
    }
  }
  for (const part of whens) {
    const endMs = endOf(part)
    if (endMs !== null && endMs <= nowMs) {
      return { holds: 'never', why: `it ended at ${new Date(endMs).toISOString()}` }
    }
  }
  return { holds: 'unknown' }
}

/** Every string and whole number that stands in a policy's conditions. */
export function literalsIn({ conditions }: PolicyJson): { strings: ReadonlySet<string>; numbers: ReadonlySet<number> } {
  const strings = new Set<string>()
  const numbers = new Set<number>()
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('Value' in node) {
      if (typeof node.Value === 'string') strings.add(node.Value)
      if (typeof node.Value === 'number') numbers.add(node.Value)
    }
    for (const value of Object.values(node)) walk(value)
  }
  walk(conditions)
  return { strings, numbers }
}

/** The strings that `fact` of the statement is asked to contain, such as the tags of `tags` and `predicateTags`. */
export function stringsAskedOf(tree: PolicyJson, fact: string): ReadonlySet<string> {
  const found = new Set<string>()
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const name of ['contains', 'containsAll', 'containsAny']) {
      const operands = binary(node, name)
      if (operands === null || !isFact(operands.left, 'statement', fact)) continue
      for (const value of [operands.right, ...elementsOf(operands.right)]) {
        const text = valueOf(value)
        if (typeof text === 'string') found.add(text)
      }
    }
    for (const value of Object.values(node)) walk(value)
  }
  walk(tree.conditions)
  return found
}

function kindOf(condition: PolicyJson['conditions'][number] | undefined): string {
  return condition?.kind ?? 'when'
}

/** What `a && b && c` asks for, each on its own. */
function conjuncts(node: unknown): readonly unknown[] {
  const both = binary(node, '&&')
  return both === null ? [node] : [...conjuncts(both.left), ...conjuncts(both.right)]
}

function alternatives(node: unknown): readonly unknown[] {
  const either = binary(node, '||')
  return either === null ? [node] : [...alternatives(either.left), ...alternatives(either.right)]
}

/** When `context.session.time < datetime("...")` or `<=` stops to hold for good; null for anything else. */
function endOf(node: unknown): number | null {
  const before = binary(node, '<')
  const until = before ?? binary(node, '<=')
  if (until === null || !isFact(until.left, 'session', 'time')) return null
  const call = isRecord(until.right) ? until.right['datetime'] : null
  const text = Array.isArray(call) && call.length === 1 ? valueOf(call[0]) : null
  const atMs = typeof text === 'string' ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs)) return null
  return before === null ? atMs + 1 : atMs
}

function isFact(node: unknown, part: string, name: string): boolean {
  const outer = isRecord(node) ? node['.'] : null
  if (!isRecord(outer) || outer['attr'] !== name) return false
  const inner = isRecord(outer['left']) ? outer['left']['.'] : null
  if (!isRecord(inner) || inner['attr'] !== part || !isRecord(inner['left'])) return false
  return inner['left']['Var'] === 'context'
}

type Value = boolean | number | string | null

/** The value of an expression that is made of literals alone, or is decided by one; null where it is not known. */
function valueOf(node: unknown): Value {
  if (!isRecord(node)) return null
  if ('Value' in node) {
    const value = node['Value']
    return typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string' ? value : null
  }
  const negated = node['!']
  if (isRecord(negated)) {
    const value = valueOf(negated['arg'])
    return typeof value === 'boolean' ? !value : null
  }
  const chosen = node['if-then-else']
  if (isRecord(chosen)) {
    const value = valueOf(chosen['if'])
    return typeof value === 'boolean' ? valueOf(value ? chosen['then'] : chosen['else']) : null
  }
  return valueOfBinary(node)
}

function valueOfBinary(node: object): Value {
  for (const [operator, decisive] of [
    ['&&', false],
    ['||', true],
  ] as const) {
    const operands = binary(node, operator)
    if (operands === null) continue
    const left = valueOf(operands.left)
    if (left === decisive) return decisive
    return left === !decisive ? valueOf(operands.right) : null
  }
  for (const [operator, compare] of comparisons) {
    const operands = binary(node, operator)
    if (operands === null) continue
    const [left, right] = [valueOf(operands.left), valueOf(operands.right)]
    if (left === null || right === null || typeof left !== typeof right) return null
    return compare(left, right)
  }
  return null
}

type Known = boolean | number | string

const comparisons: readonly (readonly [string, (left: Known, right: Known) => boolean])[] = [
  ['==', (left, right) => left === right],
  ['!=', (left, right) => left !== right],
  ['<', (left, right) => left < right],
  ['<=', (left, right) => left <= right],
  ['>', (left, right) => left > right],
  ['>=', (left, right) => left >= right],
]

function elementsOf(node: unknown): readonly unknown[] {
  const elements = isRecord(node) ? node['Set'] : null
  return Array.isArray(elements) ? elements : []
}

function binary(node: unknown, operator: string): { readonly left: unknown; readonly right: unknown } | null {
  const operands = isRecord(node) ? node[operator] : null
  return isRecord(operands) && 'left' in operands && 'right' in operands
    ? { left: operands['left'], right: operands['right'] }
    : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
