import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { Document } from 'yaml'

/** Something that is wrong in a file. `path` leads to it; `what` is a clause that follows it. */
export interface Fault {
  readonly path: readonly (string | number)[]
  readonly what: string
  readonly remedy: string | null
  /** Where YAML itself says it is; otherwise the line is that of `path`. */
  readonly line?: number | undefined
}

/** A YAML file read into values, with the way back from a path to its line. */
export interface YamlFile {
  readonly value: unknown
  readonly faults: readonly Fault[]
  /** The line of the value at `path`, or of the nearest thing around it that the file does hold. */
  lineOf(path: readonly (string | number)[]): number
}

/** The environment to take values from, and the top-level keys to read where not all are wanted. */
export interface ReadOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly sections?: readonly string[] | undefined
}

/**
 * Reads YAML 1.2 (of `sections` only, if told) and puts the environment's values in place of `${NAME}` in strings (`$${` stands for `${`). What is
 * wrong comes back as faults; nothing is thrown.
 */
export function readYaml(text: string, options: ReadOptions): YamlFile {
  const { environment, sections } = options
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true })
  const lineAt = (offset: number) => counter.linePos(offset).line
  const faults: Fault[] = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    what: `is not valid YAML: ${error.message}`,
    remedy: 'Keys are followed by a colon and a space, and what belongs to a key is indented by spaces.',
    line: lineAt(error.pos[0]),
  }))
  if (sections !== undefined && isMap(document.contents)) {
    document.contents.items = document.contents.items.filter(({ key }) => sections.includes(keyOf(key)))
  }
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string') return
      node.value = substitute(node.value, environment, (what) => {
        faults.push({
          path: [],
          what,
          remedy: 'Set it in the environment of the process, or write `$${` for a literal `${`.',
          line: lineAt(node.range?.[0] ?? 0),
        })
      })
    },
  })
  return {
    value: faults.length === 0 ? toValue(document, faults) : null,
    faults,
    lineOf: (path) => lineAt(offsetOf(document, path)),
  }
}

function substitute(
  value: string,
  environment: Readonly<Record<string, string | undefined>>,
  fail: (what: string) => void,
): string {
  return value.replace(/\$?\$\{([^}]*)\}/gu, (whole, name: string) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    const found = environment[name]
    if (found === undefined) fail(`refers to the environment variable ${name}, which is not set`)
    return found ?? ''
  })
}

function toValue(document: Document, faults: Fault[]): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown
  } catch (error) {
    const what = `is not valid YAML: ${error instanceof Error ? error.message : String(error)}`
    faults.push({ path: [], what, remedy: 'Write the value out instead of repeating it by an alias.' })
    return null
  }
}

function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const last = path[length - 1]
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && keyOf(item.key) === String(last))
      : undefined
    if (pair !== undefined && isNode(pair.key)) return pair.key.range?.[0] ?? 0
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node)) return node.range?.[0] ?? 0
  }
  return 0
}

function keyOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key)
}
