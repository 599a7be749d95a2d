import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { addDerived, emptyMemory, loadMemory, memoryFileOf, saveMemory } from './memory.ts'
import { resolve } from './testing.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-memory-'))
})
after(() => {
  rmSync(folder, { recursive: true })
})

const yaml = `
tags: { a: redact }
columns: { public.t: { x: a } }
tables: { public.u: a }
`
const { memory } = resolve(
  yaml,
  [
    { oid: 1, name: 'public.t', columns: ['x', 'y'], comments: { y: '@tag(a)' } },
    { oid: 5, name: 'public.u', columns: ['z'] },
  ],
  null,
  'cluster/1',
)
const full = addDerived(memory, '9.1', { tags: ['a', 'b'], from: ['1.1'] })

describe('what was classified', () => {
  test('is read as it was written, in a file that others cannot read', () => {
    saveMemory(folder, 'shop', full)
    assert.deepEqual(loadMemory(folder, 'shop'), full)
    assert.equal(statSync(memoryFileOf(folder, 'shop')).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(folder), ['shop.json'], 'no temporary file stays')
  })

  test('is not written again where nothing changed', () => {
    saveMemory(folder, 'shop', full)
    const { ino } = statSync(memoryFileOf(folder, 'shop'))
    saveMemory(folder, 'shop', loadMemory(folder, 'shop'))
    assert.equal(statSync(memoryFileOf(folder, 'shop')).ino, ino)
  })

  test('is nothing where nothing was saved', () => {
    assert.deepEqual(loadMemory(folder, 'unknown'), emptyMemory)
  })

  test('is kept apart by database, whatever its name', () => {
    const names = ['shop', 'Shop', '../shop', 'a/b', 'a\0b', '', '.', 'shop.json', 'ü']
    assert.equal(new Set(names.map((name) => memoryFileOf(folder, name))).size, names.length)
    for (const name of names)
      assert.ok(/^[^/\0]+\.json$/u.test(memoryFileOf(folder, name).slice(folder.length + 1)), name)
  })

  test('is never taken from a file that was cut off or changed', () => {
    saveMemory(folder, 'shop', full)
    const file = memoryFileOf(folder, 'shop')
    const text = readFileSync(file, 'utf8')
    const lines = text.trimEnd().split('\n')
    const broken = [
      '',
      '{}',
      'null',
      text.slice(0, -10),
      lines.slice(0, -1).join('\n'),
      [...lines.slice(0, 2), ...lines.slice(3)].join('\n'),
      text.replace('"version":1', '"version":2'),
      text.replace('"tags":["a","b"]', '"tags":"a"'),
      text.replace('"column":"9.1"', '"column":"9"'),
      text.replace('"rowType":3', '"rowType":-3'),
    ]
    for (const wrong of broken) {
      assert.notEqual(wrong, text)
      writeFileSync(file, wrong)
      assert.throws(() => loadMemory(folder, 'shop'), /cannot be read from .*shop\.json/u, wrong)
    }
  })

  test('cannot be lost unnoticed where the folder cannot be written', () => {
    const file = join(folder, 'plain')
    writeFileSync(file, '')
    assert.throws(() => saveMemory(file, 'shop', full), /cannot be remembered in/u)
  })
})

describe('derived tags', () => {
  test('of the same origin are joined', () => {
    const twice = addDerived(addDerived(emptyMemory, '1.1', { tags: ['b'], from: ['2.2', '2.1'] }), '1.1', {
      tags: ['a', 'b'],
      from: ['2.1', '2.2'],
    })
    assert.deepEqual(twice.columns.get('1.1')?.derived, [{ tags: ['a', 'b'], from: ['2.1', '2.2'] }])
    assert.equal(emptyMemory.columns.size, 0)
  })
})
