import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { validateConfig, validateSections } from '../src/config/validate.ts'
import { readYaml } from '../src/config/yaml-file.ts'
import { loadPolicySet } from '../src/policy/policy.ts'
import { version } from '../src/version.ts'
import { cliReference } from './support/cli-reference.ts'
import { brokenLinks, fencedBlocks, messageFaults } from './support/docs.ts'
import { errorReference } from './support/error-reference.ts'

const top = join(import.meta.dirname, '..')
const skipped = new Set(['node_modules', '.git', 'dist', '.demo', 'build'])
const pages = new Map(filesUnder(top, '.md').map((file) => [relative(top, file), readFileSync(file, 'utf8')]))

describe('the reference pages', () => {
  test('docs/reference/cli.md is what the commands declare', async () => {
    upToDate('docs/reference/cli.md', await cliReference())
  })

  test('docs/reference/errors.md has every error', () => {
    upToDate('docs/reference/errors.md', errorReference())
  })
})

describe('the pages', () => {
  test('link to files and headings that there are', () => {
    assert.ok(pages.size > 10)
    assert.deepEqual(
      brokenLinks(pages, (path) => existsSync(join(top, path))),
      [],
    )
  })

  test('show configurations that are valid', () => {
    const examples = fencedBlocks(pages, 'yaml')
    assert.ok(examples.length > 0)
    for (const { file, line, text } of examples) assert.deepEqual(faultsOf(text), [], `${file}:${String(line)}`)
  })

  test('show policies that load', async () => {
    const examples = fencedBlocks(pages, 'cedar')
    assert.ok(examples.length > 0)
    for (const { file, line, text } of examples) {
      const folder = mkdtempSync(join(tmpdir(), 'postern-docs-'))
      try {
        writeFileSync(join(folder, 'example.cedar'), text)
        await assert.doesNotReject(loadPolicySet(folder), `${file}:${String(line)}`)
      } finally {
        rmSync(folder, { recursive: true })
      }
    }
  })
})

describe('the checks themselves', () => {
  test('find a link to a file or a heading that there is not, and none in code', () => {
    const planted = new Map([
      [
        'a.md',
        '# One, two\n[x](b.md) [y](#one-two) [z](#two) [w](b.md#three) `[v](none.md)`\n```\n[u](none.md)\n```\n',
      ],
      ['b.md', '# Three\n[x](c.md) [y](https://example.com)\n'],
    ])
    assert.deepEqual(
      brokenLinks(planted, (path) => planted.has(path)),
      ['a.md:2 links to #two, where no heading is called so', 'b.md:2 links to c.md, which does not exist'],
    )
  })

  test('find an example and the line it begins on', () => {
    const planted = new Map([['a.md', 'x\n```yaml\na: 1\n```\n```yml\nb: 1\n```\n']])
    assert.deepEqual(fencedBlocks(planted, 'yaml'), [{ file: 'a.md', line: 2, text: 'a: 1\n' }])
  })

  test('find an example that is no valid configuration', () => {
    assert.deepEqual(faultsOf('listen: { prot: 1 }'), ['listen.prot is not a key that Postern knows'])
    assert.deepEqual(faultsOf('journal: { durability: disk }'), [])
  })

  test('find messages that PostgreSQL would word otherwise', () => {
    const planted = [
      "new PosternError('internal', 'The end.', {",
      "new PosternError('internal', 'the end.', {",
      "new PosternError('internal', 'PostgreSQL, TLS and `x` are names', { hint: 'do it.' })",
      "  detail: 'Without an end'",
      "  hint: 'With an end.', detail: `Names ${x}`",
    ]
    const found = messageFaults('a.ts', planted.join('\n')).map((fault) => fault.replace(/^a\.ts:/, ''))
    assert.deepEqual(found.toSorted(), [
      '1 a message begins in lower case: The end.',
      '2 a message has no full stop: the end.',
      '3 a detail or hint is a sentence: do it.',
      '4 a detail or hint ends in a full stop: Without an end',
    ])
  })
})

test('the version is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }
  assert.equal(version, manifest.version)
})

test('messages are worded as PostgreSQL words its own', () => {
  const sources = filesUnder(join(top, 'src'), '.ts').filter((file) => !file.endsWith('.test.ts'))
  const faults = sources.flatMap((file) => messageFaults(relative(top, file), readFileSync(file, 'utf8')))
  assert.deepEqual(faults, [])
})

/** Compares a generated page with the file, or writes it where UPDATE_DOCS is set. */
function upToDate(path: string, expected: string): void {
  const file = join(top, path)
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, expected)
  const found = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (found === expected) return
  const lines = expected.split('\n')
  const at = found.split('\n').findIndex((line, index) => line !== lines[index])
  assert.fail(
    `${path} is stale from line ${String(at + 1)} on, where it should say:\n  ${lines[at] ?? '(end)'}\n` +
      'Run it anew: UPDATE_DOCS=1 node --test test/docs.test.ts',
  )
}

/** What is wrong with an example: a whole postern.yaml, or some sections of one. */
function faultsOf(text: string): readonly string[] {
  const { value, faults } = readYaml(text, { environment: anyVariable })
  const sections = Object.keys(typeof value === 'object' && value !== null ? value : {}) as ['listen']
  const isWhole = ['listen', 'issuers', 'databases'].every((name) => (sections as readonly string[]).includes(name))
  const found = isWhole ? validateConfig(value).faults : validateSections(value, sections).faults
  return [...faults, ...found].map(({ path, what }) => `${path.join('.')} ${what}`)
}

const anyVariable: Readonly<Record<string, string>> = new Proxy({}, { get: () => 'value' })

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesUnder(path, ending)
    return entry.name.endsWith(ending) ? [path] : []
  })
}
