import assert from 'node:assert/strict'
import { test } from 'node:test'
import { userColumns } from './coverage.ts'
import { parseClassificationFile } from './file.ts'
import { plainCatalog } from './testing.ts'

test('columns of users’ tables are decided on by the file or a comment; those of a child are its parent’s', () => {
  const catalog = plainCatalog([
    { oid: 1, name: 'public.a', columns: ['x', 'y', 'z'], comments: { z: '@tag(t)' } },
    { oid: 2, name: 'public.b', columns: ['x', 'own'], parents: [1] },
    { oid: 3, name: 'hr.c', columns: ['x'] },
    { oid: 4, name: 'pg_catalog.pg_class', columns: ['oid'] },
    { oid: 5, name: 'information_schema.tables', columns: ['x'] },
    { oid: 6, name: 'pg_temp_3.t', columns: ['x'] },
  ])
  const file = parseClassificationFile('columns: { public.a: { x: none } }\nschemas: { hr: none }', 'x')
  assert.deepEqual(
    userColumns(file, catalog).map(
      ({ relation, column, isDecided }) => `${relation.name}.${column.name} ${String(isDecided)}`,
    ),
    ['c.x true', 'a.x true', 'a.y false', 'a.z true', 'b.own false'],
  )
})
