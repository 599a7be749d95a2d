/** One place where the tree departs from its conventions. */
export interface Fault {
  readonly file: string
  readonly line: number
  readonly what: string
}

/** The sources by their path from the top of the repository. */
export type Sources = ReadonlyMap<string, string>

/** Which folders of `src` a folder may import. Its own and node's are always allowed; tests may import anything. */
const walls: ReadonlyMap<string, readonly string[]> = new Map([
  ['core', []],
  ['wire', ['core']],
  ['sql', ['core']],
  ['identity', ['core']],
  ['policy', ['core']],
  ['audit', ['core']],
  ['backend', ['core', 'wire']],
  ['config', ['core']],
  ['detection', ['core']],
  ['classification', ['core', 'detection']],
  ['masking', ['core', 'wire']],
  ['redaction', ['core', 'detection']],
  ['store', ['core']],
  ['access', ['core']],
  ['notify', ['core']],
  ['api', ['core']],
  ['gateway', ['core', 'wire', 'backend']],
  // The command line speaks the wire protocol as a client, and shows what the domains made.
  [
    'cli',
    [
      'core',
      'wire',
      'config',
      'audit',
      'identity',
      'policy',
      'backend',
      'classification',
      'detection',
      'sql',
      'main',
      'store-audit',
      'version',
    ],
  ],
])

/** The one folder of `src` that may import each library; a library that is not here may not be imported at all. */
const libraries: ReadonlyMap<string, readonly string[]> = new Map([
  ['libpg-query', ['sql']],
  ['kysely', ['store']],
  ['pg', ['store']],
  ['hono', ['api']],
  ['@hono/node-server', ['api']],
  ['@hono/zod-openapi', ['api']],
  ['@pgsql/types', ['sql']],
  ['@cedar-policy/cedar-wasm', ['policy']],
  ['jose', ['identity', 'cli']],
  ['openid-client', ['cli', 'api']],
  ['commander', ['cli']],
  ['@clack/prompts', ['cli']],
  ['picocolors', ['cli']],
  ['yaml', ['config', 'classification', 'policy']],
  ['zod', ['config']],
  ['pino', ['main', 'databases', 'access-control', 'session-roles']],
])

const linesMax = 400
const environmentReaders = ['src/config.ts', 'src/main.ts', 'src/databases.ts', 'src/access-control.ts', 'src/cli/']

/** Everything that a program can check of CONTRIBUTING.md, over all sources at once. */
export function findFaults(sources: Sources): readonly Fault[] {
  return [...sources].flatMap(([file, text]) =>
    [nameFaults(file), lineFaults(file, text), importFaults(file, text), exportFaults(file, text)].flat(),
  )
}

function nameFaults(file: string): Fault[] {
  const name = file.split('/').at(-1) ?? ''
  if (/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/.test(name)) return []
  return [{ file, line: 1, what: 'a file name is kebab-case' }]
}

const forbidden: readonly {
  readonly pattern: RegExp
  readonly what: string
  readonly isFor: (file: string) => boolean
}[] = [
  {
    pattern: /\bas any\b(?! [a-z])|: any\b(?! [a-z])|<any>/,
    what: 'no any: parse at the edge, trust types inside',
    isFor: () => true,
  },
  { pattern: /@ts-ignore|@ts-nocheck/, what: 'no silenced types', isFor: () => true },
  { pattern: /^\s*(export )?(const )?enum /, what: 'no enums: a union of strings is erasable', isFor: () => true },
  {
    pattern: /catch \{\s*\}|\.catch\(\(\) => (\{\}|undefined|null)\)/,
    what: 'never catch and continue',
    isFor: isProduct,
  },
  { pattern: /\.(only|todo)\(/, what: 'no test that runs alone or is put off', isFor: isTest },
  { pattern: /\bTODO\b|\bFIXME\b|\bXXX\b/, what: 'what is missing is said in the docs', isFor: () => true },
  {
    pattern: /process\.env\b/,
    what: 'the environment is read in config.ts and the command line only',
    isFor: (file) => isProduct(file) && !environmentReaders.some((reader) => file.startsWith(reader)),
  },
]

function lineFaults(file: string, text: string): Fault[] {
  const lines = text.split('\n')
  const faults = lines.flatMap((line, index) =>
    forbidden
      .filter(({ pattern, isFor }) => isFor(file) && pattern.test(line))
      .map(({ what }) => ({ file, line: index + 1, what })),
  )
  const isGenerated = lines[0]?.includes('Generated') === true
  if (isProduct(file) && !isGenerated && lines.length > linesMax) {
    faults.push({ file, line: linesMax, what: `a file is one room: at most ${String(linesMax)} lines` })
  }
  return faults
}

function importFaults(file: string, text: string): Fault[] {
  if (!isProduct(file)) return []
  const folder = folderOf(file)
  const faults: Fault[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const specifier = /\bfrom '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/.exec(line)
    const target = specifier?.[1] ?? specifier?.[2] ?? specifier?.[3]
    if (target === undefined || target.startsWith('node:')) continue
    const what = target.startsWith('.') ? wallFault(file, folder, target) : libraryFault(folder, target)
    if (what !== null) faults.push({ file, line: index + 1, what })
  }
  return faults
}

function wallFault(file: string, folder: string, target: string): string | null {
  const allowed = walls.get(folder)
  if (allowed === undefined) return null
  const to = folderOf(resolvePath(file, target))
  if (to === folder || allowed.includes(to)) return null
  return `${folder} may not import ${to}`
}

function libraryFault(folder: string, target: string): string | null {
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
  const importers = libraries.get(name)
  if (importers === undefined) return `${name} is not a library that Postern uses`
  return importers.includes(folder) ? null : `${name} belongs to ${importers.join(' and ')}`
}

/** Every exported function, class, interface and constant says in a sentence what it is for. */
function exportFaults(file: string, text: string): Fault[] {
  if (!isProduct(file)) return []
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    if (!/^export (async )?(function|class|interface|type|const) \w/.test(line)) return []
    const before = lines[index - 1]?.trimEnd() ?? ''
    const isDocumented = before.endsWith('*/') || /^export (type|const) /.test(before)
    return isDocumented ? [] : [{ file, line: index + 1, what: 'an export without a docblock' }]
  })
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts')
}

function isProduct(file: string): boolean {
  return file.startsWith('src/') && !isTest(file) && !/\/testing(-[a-z-]+)?\.ts$/.test(file) && !file.endsWith('.d.ts')
}

/** `src/wire/reader.ts` is of `wire`; a file at the top, such as `src/config.ts`, is of the folder of its name. */
function folderOf(file: string): string {
  const [, folder = ''] = file.split('/')
  return folder.replace(/\.ts$/, '')
}

function resolvePath(from: string, target: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
