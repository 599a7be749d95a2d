import { readFileSync } from 'node:fs'

/** The part of the .cpuprofile format that V8 writes and this needs. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Where the time of one function went. */
export interface FunctionShare {
  /** Name, file and line, such as `receive src/gateway/client-stream.ts:57`. */
  readonly where: string
  /** Share of the busy time in the function itself, 0 to 1. */
  readonly self: number
  /** The same with everything it called. */
  readonly total: number
}

/** Reads a .cpuprofile; shares are of the time that was not idle, the largest self time first. */
export function summarizeProfile(file: string): readonly FunctionShare[] {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const selfUs = new Map<number, number>()
  for (const [index, id] of profile.samples.entries()) {
    // A sample stands for the time until the next one.
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[index + 1] ?? 0))
  }
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const shares = new Map<string, { self: number; total: number }>()
  let busyUs = 0
  const visit = (id: number, above: ReadonlySet<string>): number => {
    const node = nodes.get(id)
    if (node === undefined) return 0
    const { functionName, url, lineNumber } = node.callFrame
    const where =
      functionName === '' && url === '' ? '(root)' : `${functionName || '(anonymous)'} ${place(url, lineNumber)}`
    const own = selfUs.get(id) ?? 0
    if (functionName === '(idle)' || functionName === '(root)')
      return sumOf(node.children ?? [], (child) => visit(child, above))
    busyUs += own
    const below = above.has(where) ? above : new Set([...above, where])
    const all = own + sumOf(node.children ?? [], (child) => visit(child, below))
    const share = shares.get(where) ?? { self: 0, total: 0 }
    shares.set(where, share)
    share.self += own
    // A function that calls itself is counted at its outermost call only.
    if (!above.has(where)) share.total += all
    return all
  }
  const root = profile.nodes[0]
  if (root !== undefined) visit(root.id, new Set())
  return [...shares]
    .map(([where, { self, total }]) => ({ where: where.trim(), self: self / busyUs, total: total / busyUs }))
    .toSorted((a, b) => b.self - a.self)
}

function sumOf<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}

/** A path as seen from the top of the repository. */
function place(url: string, lineNumber: number): string {
  if (url === '') return ''
  const short = url.replace(/^file:\/\//, '').replace(/^.*\/((?:src|bench|node_modules)\/)/, '$1')
  return `${short}:${String(lineNumber + 1)}`
}

if (import.meta.main) {
  const [file, count = '30'] = process.argv.slice(2)
  if (file === undefined) throw new Error('usage: node bench/profile-summary.ts FILE.cpuprofile [COUNT]')
  for (const { where, self, total } of summarizeProfile(file).slice(0, Number(count))) {
    console.log(
      `${(self * 100).toFixed(1).padStart(5)} % self ${(total * 100).toFixed(1).padStart(5)} % total  ${where}`,
    )
  }
}
