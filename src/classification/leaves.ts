/** One text or number within a document, and the key that it is under. */
export interface Leaf {
  readonly key: string
  readonly text: string
}

const leavesMax = 500

/** The texts and numbers in a JSON document; a text that is none, such as one that was cut, as one leaf. */
export function leavesOf(json: string): readonly Leaf[] {
  const leaves: Leaf[] = []
  const pending: { readonly key: string; readonly value: unknown }[] = [{ key: '', value: parsed(json) }]
  for (let next = pending.pop(); next !== undefined && leaves.length < leavesMax; next = pending.pop()) {
    const { key, value } = next
    if (typeof value === 'string' || typeof value === 'number') leaves.push({ key, text: String(value) })
    else if (Array.isArray(value))
      for (const item of value.slice(0, leavesMax) as unknown[]) pending.push({ key, value: item })
    else if (typeof value === 'object' && value !== null) {
      for (const [inner, item] of Object.entries(value).slice(0, leavesMax)) pending.push({ key: inner, value: item })
    }
  }
  return leaves
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return json
    throw error
  }
}
