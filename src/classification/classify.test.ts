import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CatalogForeignKey } from '../core/catalog.ts'
import { addDerived } from './memory.ts'
import { classified, resolve } from './testing.ts'
import type { PlainRelation } from './testing.ts'

const tags = `
tags: { pii.email: partial, pii.name: redact, pii.hr: pseudonym, internal: redact, secret: "null", card: { masking: partial, keep: 2 } }
`
const customers: PlainRelation = { oid: 100, name: 'public.customers', columns: ['id', 'email', 'notes'] }
const listed = `${tags}
columns:
  public.customers: { email: pii.email, notes: none }
`

describe('tags come', () => {
  test('from the file, by column, with what is shown instead', () => {
    const resolved = resolve(listed, [customers])
    assert.deepEqual(classified(resolved), ['public.customers.email: pii.email (file)'])
    assert.deepEqual(resolved.classification.columns.get('100.2')?.masking, { function: 'partial', keep: 4 })
    assert.deepEqual(resolved.faults, [])
  })

  test('from a comment, added to what the file says; `none` lifts no comment', () => {
    const commented = { ...customers, comments: { notes: 'x @tag(internal, pii.name) y', email: '@tag(internal)' } }
    assert.deepEqual(classified(resolve(listed, [commented])), [
      'public.customers.email: internal pii.email (file)',
      'public.customers.notes: internal pii.name (comment)',
    ])
  })

  test('from a comment that cannot be read: the column is masked for everybody, and it is told', () => {
    for (const comment of ['@tag(pii email)', '@tag(none)', '@tag', '@tag(', '@tag()']) {
      const { classification, faults } = resolve(tags, [{ ...customers, comments: { notes: comment } }])
      assert.deepEqual(classification.columns.get('100.3')?.tags, ['postern.unreadable'], comment)
      assert.match(faults.join(), /comment on public\.customers\.notes .* is no tag/u, comment)
    }
  })

  test('from a comment with a tag that the file does not define: redacted', () => {
    const { classification, faults } = resolve(tags, [{ ...customers, comments: { notes: '@tag(pii.other)' } }])
    assert.deepEqual(classification.columns.get('100.3')?.masking, { function: 'redact' })
    assert.match(faults.join(), /tag pii\.other, which is not under `tags`/u)
  })

  test('from the table, then the schema, where the file does not list the column', () => {
    const yaml = `${tags}
columns: { hr.staff: { id: none, email: pii.email } }
tables: { hr.staff: pii.hr, hr.open: none }
schemas: { hr: internal }
`
    const resolved = resolve(yaml, [
      { oid: 1, name: 'hr.staff', columns: ['id', 'email', 'wage'] },
      { oid: 2, name: 'hr.open', columns: ['x'] },
      { oid: 3, name: 'hr.other', columns: ['y'] },
    ])
    assert.deepEqual(classified(resolved), [
      'hr.staff.email: pii.email (file)',
      'hr.staff.wage: pii.hr (table)',
      'hr.other.y: internal (schema)',
    ])
  })

  test('to children from their parents and back, over as many levels as there are', () => {
    const relations: PlainRelation[] = [
      { oid: 1, name: 'public.top', columns: ['id', 'email'] },
      { oid: 2, name: 'public.middle', columns: ['email', 'id'], parents: [1] },
      { oid: 3, name: 'public.leaf', columns: [null, 'id', 'email', 'own'], parents: [2] },
    ]
    for (const name of ['top', 'middle', 'leaf']) {
      const { classification } = resolve(`${tags}\ncolumns: { public.${name}: { email: pii.email } }`, relations)
      assert.deepEqual([...classification.columns.keys()].toSorted(), ['1.2', '2.1', '3.3'], name)
    }
  })

  test('to what refers to a tagged key, and to what refers to that', () => {
    const key = (referenced: number): readonly CatalogForeignKey[] => [
      { columns: [2], referenced, referencedColumns: [2] },
    ]
    const resolved = resolve(listed, [
      customers,
      { oid: 200, name: 'public.orders', columns: ['id', 'customer'], foreignKeys: key(100) },
      { oid: 300, name: 'public.items', columns: ['id', 'customer'], foreignKeys: key(200) },
    ])
    assert.deepEqual(classified(resolved).slice(1), [
      'public.orders.customer: pii.email (derived)',
      'public.items.customer: pii.email (derived)',
    ])
  })

  test('to catalogs that show values, where anything else is classified and only there', () => {
    const system: PlainRelation[] = [
      { oid: 2619, name: 'pg_catalog.pg_statistic', columns: ['starelid', 'stavalues1'] },
      { oid: 9, name: 'monitoring.pg_stat_statements', columns: ['userid', 'query'] },
    ]
    assert.equal(resolve('tags: {}', [customers, ...system]).classification.columns.size, 0)
    const { columns } = resolve(listed, [customers, ...system]).classification
    assert.deepEqual(columns.get('2619.2')?.tags, ['postern.statistics'])
    assert.deepEqual(columns.get('2619.2')?.masking, { function: 'redact' })
    assert.equal(columns.get('2619.2')?.origin, 'builtin')
    assert.deepEqual(columns.get('9.2')?.tags, ['postern.statements'])
    assert.equal(columns.size, 3)
  })
})

describe('what is shown instead', () => {
  const maskingOf = (list: string) =>
    resolve(`${tags}\ncolumns: { public.customers: { email: [${list}] } }`, [customers]).classification.columns.get(
      '100.2',
    )?.masking

  test('is the strictest of what several tags say', () => {
    assert.deepEqual(maskingOf('pii.email, pii.hr, secret, internal'), { function: 'null' })
    assert.deepEqual(maskingOf('pii.email, pii.hr, internal'), { function: 'redact' })
    assert.deepEqual(maskingOf('pii.email, pii.hr'), { function: 'pseudonym' })
    assert.deepEqual(maskingOf('pii.email, card'), { function: 'partial', keep: 2 })
  })
})

describe('a tag follows the attribute', () => {
  const first = resolve(listed, [customers])
  const other = { ...customers, columns: ['id', 'mail', 'notes'] }

  test('that is renamed, and it is told', () => {
    const { memory, ...resolved } = resolve(listed, [other], first.memory)
    assert.deepEqual(classified({ memory, ...resolved }), ['public.customers.mail: pii.email (file)'])
    assert.deepEqual(resolved.faults, [
      'public.customers.email is now called public.customers.mail. It keeps its tags; write the new name.',
    ])
    const again = resolve(listed, [{ ...customers, name: 'attic.old', columns: ['id', 'contact', 'notes'] }], memory)
    assert.deepEqual(classified(again), ['attic.old.contact: pii.email (file)'])
  })

  test('while another one takes the listed name: both carry it', () => {
    const both = { ...customers, columns: ['id', 'mail', 'notes', 'email'] }
    const resolved = resolve(listed, [both], first.memory)
    assert.deepEqual(classified(resolved), [
      'public.customers.mail: pii.email (file)',
      'public.customers.email: pii.email (file)',
    ])
    assert.match(resolved.faults.join(), /is another column than it was.*list both/u)
  })

  test('that takes a name reviewed as `none`', () => {
    const swapped = { ...customers, columns: ['id', 'notes', 'email'] }
    const resolved = resolve(listed, [swapped], first.memory)
    assert.deepEqual(classified(resolved), [
      'public.customers.notes: pii.email (file)',
      'public.customers.email: pii.email (file)',
    ])
  })

  test('of a relation that is renamed or moved, its new columns and defaults included', () => {
    const yaml = `${tags}\ntables: { hr.staff: pii.hr }\ncolumns: { hr.staff: { email: pii.email } }`
    const before = resolve(yaml, [{ oid: 1, name: 'hr.staff', columns: ['wage', 'email'] }])
    const moved: PlainRelation = { oid: 1, name: 'public.people', columns: ['wage', 'email', 'bonus'] }
    const resolved = resolve(yaml, [moved], before.memory)
    assert.deepEqual(classified(resolved), [
      'public.people.wage: pii.hr (table)',
      'public.people.email: pii.email (file)',
      'public.people.bonus: pii.hr (table)',
    ])
    assert.deepEqual(resolved.faults, [
      'hr.staff is now called public.people. Its columns keep their tags; write the new name.',
    ])
  })

  test('that is moved to a schema without its default', () => {
    const yaml = `${tags}\nschemas: { hr: internal }`
    const before = resolve(yaml, [{ oid: 1, name: 'hr.staff', columns: ['wage'] }])
    const resolved = resolve(yaml, [{ oid: 1, name: 'public.staff', columns: ['wage'] }], before.memory)
    assert.deepEqual(classified(resolved), ['public.staff.wage: internal (schema)'])
  })

  test('until the file says otherwise', () => {
    const renamed = resolve(listed, [other], first.memory)
    const untagged = resolve(`${tags}\ncolumns: { public.customers: { email: none } }`, [other], renamed.memory)
    assert.deepEqual(classified(untagged), [])
    const updated = resolve(`${tags}\ncolumns: { public.customers: { mail: internal } }`, [other], renamed.memory)
    assert.deepEqual(classified(updated), ['public.customers.mail: internal (file)'])
    assert.deepEqual(updated.faults, [])
    assert.deepEqual(classified(resolve(listed, [other], updated.memory)), [])
  })

  test('and is not another that got its oid', () => {
    const recycled = { ...customers, name: 'public.other', columns: ['id', 'x', 'y'], rowType: 999 } as const
    assert.deepEqual(classified(resolve(listed, [recycled], first.memory)), [])
  })

  test('whose comment is taken away, until the file speaks of it by the name that it had', () => {
    const before = resolve(tags, [{ ...customers, comments: { email: '@tag(pii.email)' } }])
    const bare = resolve(tags, [customers], before.memory)
    assert.deepEqual(classified(bare), ['public.customers.email: pii.email (comment)'])
    assert.match(bare.faults.join(), /no longer has pii\.email; .* until the file lists public\.customers\.email/u)
    const disguised = { ...customers, columns: ['id', 'notes', 'email'] }
    assert.deepEqual(
      classified(resolve(`${tags}\ncolumns: { public.customers: { notes: none } }`, [disguised], bare.memory)),
      ['public.customers.notes: pii.email (comment)'],
    )
    const reviewed = resolve(`${tags}\ncolumns: { public.customers: { email: none } }`, [customers], bare.memory)
    assert.deepEqual(classified(reviewed), [])
    assert.equal(reviewed.memory.columns.size, 0)
  })

  test('that is detached from its parent, or whose foreign key is dropped', () => {
    const parent: PlainRelation = { oid: 100, name: 'public.customers', columns: ['id', 'email'] }
    const child: PlainRelation = { oid: 200, name: 'public.part', columns: ['id', 'email'] }
    const foreignKeys = [{ columns: [2], referenced: 100, referencedColumns: [2] }]
    for (const tie of [{ parents: [100] }, { foreignKeys }]) {
      const tied = resolve(listed, [parent, { ...child, ...tie }])
      const cut = resolve(listed, [parent, child], tied.memory)
      assert.ok(classified(cut).includes('public.part.email: pii.email (derived)'))
      const alone = resolve(listed, [child], resolve(listed, [child], cut.memory).memory)
      assert.deepEqual(classified(alone), ['public.part.email: pii.email (derived)'], 'its parent is gone')
      const lifted = resolve(`${tags}\ncolumns: { public.customers: { email: none } }`, [parent, child], cut.memory)
      assert.deepEqual(classified(lifted), [], 'it goes with the tag of its parent')
      assert.deepEqual([...lifted.memory.columns.keys()], [])
    }
  })

  test('not from a child that is gone to what was its parent', () => {
    const yaml = `${tags}\ncolumns: { public.part: { email: pii.email } }`
    const parent: PlainRelation = { oid: 100, name: 'public.customers', columns: ['id', 'email'] }
    const child: PlainRelation = { oid: 200, name: 'public.part', columns: ['id', 'email'] }
    const tied = resolve(yaml, [parent, { ...child, parents: [100] }])
    assert.equal(classified(tied).length, 2)
    assert.deepEqual(classified(resolve(yaml, [parent, child], tied.memory)), ['public.part.email: pii.email (file)'])
  })
})

describe('a copy', () => {
  const copy: PlainRelation = { oid: 500, name: 'public.copy', columns: ['x'] }
  const memory = addDerived(resolve(listed, [customers]).memory, '500.1', { tags: ['pii.email'], from: ['100.2'] })

  test('carries the tags of what it was made from, under every name, also when that is gone', () => {
    const seen = resolve(listed, [customers, copy], memory)
    assert.deepEqual(classified(seen)[1], 'public.copy.x: pii.email (derived)')
    const renamed: PlainRelation = { oid: 500, name: 'public.copy2', columns: ['y'] }
    assert.deepEqual(classified(resolve(listed, [renamed], seen.memory)), ['public.copy2.y: pii.email (derived)'])
    const retagged = resolve(listed.replace('email: pii.email', 'email: internal'), [customers, copy], seen.memory)
    assert.deepEqual(classified(retagged)[1], 'public.copy.x: internal (derived)')
  })

  test('is not lifted by what the file says of its name', () => {
    const yaml = `${listed}  public.copy: { x: none }`
    assert.equal(classified(resolve(yaml, [customers, copy], memory)).length, 2)
  })

  test('is waited for where the snapshot is older, and forgotten where it is gone for long', () => {
    let current = memory
    for (let absence = 0; absence < 5; absence += 1) current = resolve(listed, [customers], current).memory
    assert.equal(classified(resolve(listed, [customers, copy], current)).length, 2)
    for (let absence = 0; absence < 50; absence += 1) current = resolve(listed, [customers], current).memory
    assert.equal(current.columns.has('500.1'), false)
  })
})

describe('another database in the same place', () => {
  test('gets the tags by the names that were seen last, and none by its oids', () => {
    const first = resolve(listed, [customers], null, 'one')
    const renamed = resolve(listed, [{ ...customers, columns: ['id', 'mail', 'notes'] }], first.memory, 'one')
    const restored: PlainRelation[] = [
      { oid: 100, name: 'public.unrelated', columns: ['a', 'b', 'c'], rowType: 102 },
      { oid: 700, name: 'public.customers', columns: ['id', 'mail', 'notes'] },
    ]
    assert.deepEqual(classified(resolve(listed, restored, renamed.memory, 'two')), [
      'public.customers.mail: pii.email (file)',
    ])
  })
})

describe('faults', () => {
  test('tell what the file names and the database does not have, with what may have been meant', () => {
    const yaml = `${tags}
columns: { public.custmers: { email: pii.email }, public.customers: { emails: pii.email, gone: none } }
tables: { public.absent: internal }
schemas: { pubic: internal }
functions: [public.nothing]
`
    assert.deepEqual(resolve(yaml, [customers]).faults, [
      'There is no relation public.custmers. Correct or remove it. Did you mean public.customers?',
      'public.customers has no column emails, so its tags mask nothing. Correct or remove it. Did you mean email?',
      'public.customers has no column gone. Correct or remove it.',
      'There is no relation public.absent. Correct or remove it.',
      'There is no schema pubic. Correct or remove it under `schemas`. Did you mean public?',
      'There is no function public.nothing. Correct or remove it under `functions`.',
    ])
  })
})
