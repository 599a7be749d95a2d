import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { configSchema } from './schema.ts'

/** Where the reference page of postern.yaml is. */
export const configReferenceFile: URL = new URL('../../docs/reference/config.md', import.meta.url)

/** The reference page of postern.yaml in Markdown, from the descriptions in the schema. */
export function configReference(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'output' }) as Node
  const sections = Object.entries(schema.properties ?? {}).map(
    ([key, node]) => `## ${key}\n\n${node.description ?? ''}\n\n${table(rows(key, node))}\n`,
  )
  return [preamble, ...sections].join('\n')
}

const preamble = `# postern.yaml

<!-- Generated from src/config/schema.ts by src/config/reference.ts; a test says when it is stale. -->

\`postern init\` writes a commented one, and \`postern check\` says what is wrong with it. It is read once, at the start.

- \`\${NAME}\` in a value stands for the environment variable \`NAME\`, which has to be set; \`$\${\` stands for \`\${\`.
- Paths are relative to the folder of the file.
- Keys that Postern does not know are errors, so that a misspelled one cannot go unnoticed.
- Units are the last part of a key: \`_s\` is seconds, \`_bytes\` bytes. Durations are written as in \`90s\`, \`15m\`, \`2h\`, \`1d\`, \`1h30m\`.
`

interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Node | boolean
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

interface Row {
  readonly path: string
  readonly node: Node
  readonly isRequired: boolean
}

/** Every key below `path` that holds a value, groups before their keys. */
function rows(path: string, node: Node, isRequired = true): readonly Row[] {
  const own = { path, node, isRequired }
  const inner = node.items ?? (typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined)
  if (inner?.properties !== undefined) return rows(`${path}${node.items === undefined ? '.NAME' : '[]'}`, inner)
  if (node.properties === undefined) return [own]
  const required = new Set(node.required)
  const keys = Object.entries(node.properties).flatMap(([key, value]) =>
    rows(`${path}.${key}`, value, required.has(key) && value.default === undefined),
  )
  return path.includes('.') ? [own, ...keys] : keys
}

function table(all: readonly Row[]): string {
  const lines = all.map(({ path, node, isRequired }) => {
    const fallback = node.default === undefined ? (isRequired && !isGroup(node) ? 'required' : '') : code(node.default)
    return `| \`${path}\` | ${kindOf(node)} | ${fallback} | ${node.description ?? ''} |`
  })
  return ['| key | value | default | |', '|---|---|---|---|', ...lines].join('\n')
}

function isGroup(node: Node): boolean {
  return node.properties !== undefined
}

function code(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text === '' || text === '{}' || text === '[]' ? 'empty' : `\`${text}\``
}

function kindOf(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(', ')
  if (isGroup(node)) return 'keys'
  if (node.anyOf !== undefined) return node.anyOf.map(kindOf).join(' or ')
  if (node.items !== undefined) return `list of ${kindOf(node.items)}`
  if (typeof node.additionalProperties === 'object') return `${kindOf(node.additionalProperties)} by name`
  if (node.type === 'integer') return `whole number, ${String(node.minimum)} to ${String(node.maximum)}`
  return node.type === 'boolean' ? 'true or false' : 'text'
}

if (import.meta.main) writeFileSync(configReferenceFile, configReference())
