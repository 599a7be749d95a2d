import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { findFaults } from './support/tidy.ts'

const top = join(import.meta.dirname, '..')

test('the tree keeps to its conventions', () => {
  const files = ['src', 'test', 'sandbox', 'demo', 'bench'].flatMap((folder) =>
    readdirSync(join(top, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(top, join(entry.parentPath, entry.name))),
  )
  assert.ok(files.length > 50)
  const sources = new Map(
    files.filter((file) => !file.includes('tidy')).map((file) => [file, readFileSync(join(top, file), 'utf8')]),
  )
  const faults = findFaults(sources).map(({ file, line, what }) => `${file}:${String(line)} ${what}`)
  assert.deepEqual(faults, [])
})

const planted: readonly [name: string, file: string, text: string, what: RegExp][] = [
  [
    'a domain that imports another',
    'src/policy/a.ts',
    "import { x } from '../audit/b.ts'",
    /policy may not import audit/,
  ],
  ['core that imports anything', 'src/core/a.ts', "import { x } from '../wire/b.ts'", /core may not import wire/],
  ['wire that knows the gateway', 'src/wire/a.ts', "import type { x } from '../gateway/b.ts'", /wire may not import/],
  [
    'a dynamic import over a wall',
    'src/sql/a.ts',
    "const x = await import('../policy/b.ts')",
    /sql may not import policy/,
  ],
  ['a library in the wrong folder', 'src/gateway/a.ts', "import { pino } from 'pino'", /pino belongs to main/],
  ['a library nobody decided on', 'src/sql/a.ts', "import x from 'left-pad/deep'", /left-pad is not a library/],
  ['a scoped library', 'src/sql/a.ts', "import x from '@a/b/c'", /@a\/b is not a library/],
  ['a file named otherwise', 'src/core/camelCase.ts', '', /kebab-case/],
  ['any', 'src/core/a.ts', 'const x = y as any', /no any/],
  ['an enum', 'src/core/a.ts', 'export enum Colour {}', /no enums/],
  ['a swallowed error', 'src/core/a.ts', 'void run().catch(() => undefined)', /never catch and continue/],
  ['a silenced type', 'test/a.test.ts', '// @ts-ignore', /no silenced types/],
  ['a test that runs alone', 'test/a.test.ts', "test.only('x', () => {})", /runs alone/],
  ['a note to self', 'src/core/a.ts', '// TODO later', /said in the docs/],
  ['the environment read anywhere', 'src/wire/a.ts', 'const x = process.env.HOME', /environment is read/],
  ['an export that says nothing', 'src/core/a.ts', 'export function f(): void {}', /without a docblock/],
  ['a file of many rooms', 'src/core/a.ts', '\n'.repeat(401), /one room/],
]

for (const [name, file, text, what] of planted) {
  test(`${name} is a fault`, () => {
    const faults = findFaults(new Map([[file, text]]))
    assert.ok(
      faults.some((fault) => what.test(fault.what)),
      JSON.stringify(faults),
    )
  })
}

test('what keeps to the conventions is no fault', () => {
  const sources = new Map([
    ['src/policy/policy.ts', "import { z } from '../core/errors.ts'\nimport { readFile } from 'node:fs/promises'\n"],
    [
      'src/policy/decide.ts',
      "import cedar from '@cedar-policy/cedar-wasm/nodejs'\n/** Says. */\nexport function f() {}\n",
    ],
    ['src/policy/policy.test.ts', "import { x } from '../audit/journal.ts'\n"],
  ])
  assert.deepEqual(findFaults(sources), [])
})
