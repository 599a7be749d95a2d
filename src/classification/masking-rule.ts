import { isMap, isScalar } from 'yaml'
import type { MaskingRule } from '../core/classification.ts'
import { nearestName } from '../core/nearest.ts'
import { partialKeepDefault } from './tags.ts'

/** The masking functions by the name that a file gives them. */
export const maskingFunctions: readonly MaskingRule['function'][] = ['redact', 'null', 'pseudonym', 'partial', 'year']

/** A rule, or what is wrong as a clause that follows the tag's name. */
export type ReadRule =
  | { readonly rule: MaskingRule; readonly fault: null }
  | { readonly rule: null; readonly fault: { readonly what: string; readonly remedy: string } }

/** Reads what a tag says about masking: a function's name, or `{ masking: partial, keep: 4 }`. */
export function readMaskingRule(node: unknown): ReadRule {
  if (!isMap(node)) return ruleOf(isScalar(node) ? node.value : node, undefined)
  const values = new Map(
    node.items.map(({ key, value }) => [
      String(isScalar(key) ? key.value : key),
      isScalar(value) ? value.value : value,
    ]),
  )
  if (values.size < node.items.length) return wrong('has a key twice', 'Each key may stand once.')
  const unknown = [...values.keys()].find((key) => key !== 'masking' && key !== 'keep')
  if (unknown !== undefined) {
    return wrong(
      `has the key \`${unknown}\`, which Postern does not know`,
      'A tag has `masking` and, for `partial`, `keep`.',
    )
  }
  return ruleOf(values.get('masking'), values.get('keep'))
}

function ruleOf(name: unknown, keep: unknown): ReadRule {
  const known = maskingFunctions.find((candidate) => candidate === name)
  if (known === undefined) return unknownFunction(name)
  if (known !== 'partial') {
    if (keep !== undefined) return wrong(`has \`keep\`, which only \`partial\` has`, `Remove it, or use \`partial\`.`)
    return { rule: { function: known }, fault: null }
  }
  const count = keep === undefined ? partialKeepDefault : keep
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= 64) {
    return { rule: { function: known, keep: count }, fault: null }
  }
  return wrong('must keep a whole number of characters from 1 to 64', 'Use `redact` to keep none.')
}

function unknownFunction(name: unknown): ReadRule {
  const choice = `It is one of ${maskingFunctions.map((known) => (known === 'null' ? '"null" (in quotes)' : known)).join(', ')}.`
  if (name === null || name === undefined) return wrong('says no masking function', choice)
  if (typeof name !== 'string') return wrong('must be a masking function', choice)
  const meant = nearestName(name, maskingFunctions)
  const remedy = meant === null ? choice : `Did you mean \`${meant}\`? ${choice}`
  return wrong(`has the masking function \`${name}\`, which Postern does not know`, remedy)
}

function wrong(what: string, remedy: string): ReadRule {
  return { rule: null, fault: { what, remedy } }
}
