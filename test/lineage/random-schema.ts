import type { Choices } from './choices.ts'
import type { Column, Making, Query, Readable, RoutineModel, Table, TableColumn, ValueType, World } from './model.ts'
import { renamed } from './model.ts'
import { query } from './random-query.ts'

/** A random world and what makes it. Parts of `optional` may fail, and are then left out. */
export interface Schema {
  readonly tables: readonly Table[]
  /** Types and tables. */
  readonly ddl: readonly string[]
}

/** A view or function to try, and the world with it. */
export interface Addition {
  readonly sql: string
  readonly world: World
}

const types = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'great');
CREATE TYPE addr AS (street text, city text, zip int);
CREATE DOMAIN email AS text`

const pool: readonly (readonly [name: string, declared: string, type: ValueType])[] = [
  ['name', 'text', 'text'],
  ['email', 'email', 'text'],
  ['note', 'varchar(200)', 'text'],
  ['code', 'text', 'text'],
  ['age', 'int', 'int'],
  ['score', 'int', 'int'],
  ['total', 'numeric', 'numeric'],
  ['big', 'bigint', 'numeric'],
  ['born', 'date', 'date'],
  ['active', 'bool', 'bool'],
  ['doc', 'jsonb', 'jsonb'],
  ['tags', 'text[]', 'text[]'],
  ['marks', 'int[]', 'int[]'],
  ['mood', 'mood', 'mood'],
  ['home', 'addr', 'addr'],
  ['raw', 'bytea', 'bytea'],
]

const tagSets = [['pii'], ['pii', 'card'], ['secret'], ['card']] as const

/** Random tables with random classified columns, a partitioned one and one with a child among them. */
export function randomTables(choices: Choices): Schema {
  const tables: Table[] = []
  const ddl = [types]
  for (const name of ['people', 'orders', 'items', 'plain']) {
    const columns = tableColumns(choices, name === 'plain' ? 0 : 0.42)
    tables.push({ name, columns, kind: 'table', parent: null, hasKey: true })
    ddl.push(`CREATE TABLE ${name} (${columns.map(define).join(', ')})`)
  }
  const partitioned = tableColumns(choices, 0.42).map(withoutKey)
  tables.push({ name: 'events', columns: partitioned, kind: 'partitioned', parent: null, hasKey: false })
  ddl.push(`CREATE TABLE events (${partitioned.map(define).join(', ')}) PARTITION BY LIST (ref)`)
  for (const [name, bound] of [
    ['events_low', 'FOR VALUES IN (1, 2)'],
    ['events_rest', 'DEFAULT'],
  ] as const) {
    tables.push({ name, columns: partitioned, kind: 'partition', parent: 'events', hasKey: false })
    ddl.push(`CREATE TABLE ${name} PARTITION OF events ${bound}`)
  }
  const extra = plainColumn(choices, 'extra', 'text', 'text', 0.5)
  const [parent] = tables
  if (parent === undefined) throw new Error('there is no table')
  // What is not classified in the parent may be in the child, whose rows the parent shows too.
  const own = parent.columns.map((column) =>
    column.tags.length > 0 ||
    column.isGenerated ||
    column.name === 'id' ||
    column.name === 'ref' ||
    !choices.chance(0.2)
      ? withoutKey(column)
      : { ...column, tags: ['secret'], isSecret: true },
  )
  tables.push({ name: 'staff', columns: [...own, extra], kind: 'child', parent: parent.name, hasKey: false })
  ddl.push(`CREATE TABLE staff (${define(extra)}) INHERITS (${parent.name})`)
  return { tables, ddl }
}

function tableColumns(choices: Choices, classified: number): TableColumn[] {
  const key = { type: 'int', isSecret: false, isGenerated: false, tags: [] } as const
  const columns: TableColumn[] = [
    { ...key, name: 'id', declared: 'int PRIMARY KEY' },
    { ...key, name: 'ref', declared: 'int' },
  ]
  for (const [name, declared, type] of pool) {
    if (choices.chance(0.45)) columns.push(plainColumn(choices, name, declared, type, classified))
  }
  const texts = columns.filter(({ declared }) => declared === 'text')
  if (texts.length > 0 && choices.chance(0.6)) {
    const [one, two] = [choices.pick(texts), choices.pick(texts)]
    const isSecret = one.isSecret || two.isSecret
    const declared = `text GENERATED ALWAYS AS (upper(${one.name}) || '.' || ${two.name}) ${choices.pick(['STORED', 'VIRTUAL'])}`
    columns.push({ name: 'made', declared, type: 'text', isSecret, isGenerated: true, tags: [] })
  }
  return columns
}

function plainColumn(
  choices: Choices,
  name: string,
  declared: string,
  type: ValueType,
  classified: number,
): TableColumn {
  const tags = choices.chance(classified) ? choices.pick(tagSets) : []
  return { name, declared, type, isSecret: tags.length > 0, isGenerated: false, tags }
}

function withoutKey(column: TableColumn): TableColumn {
  return { ...column, declared: column.declared.replace(' PRIMARY KEY', '') }
}

function define(column: TableColumn): string {
  return `${column.name} ${column.declared}`
}

/** The tables as something to read, before there are views. */
export function worldOf(tables: readonly Table[]): World {
  const readables = tables.map(({ name, columns, hasKey }): Readable => ({
    name,
    columns,
    isTable: true,
    writable: { columns: columns.filter(({ isGenerated }) => !isGenerated), hasKey },
  }))
  return { tables, readables, routines: [] }
}

/** Views over tables, functions and other views, and functions over those; each knows those before it. */
export function randomAdditions(choices: Choices, count: number): readonly ((world: World) => Addition)[] {
  return Array.from({ length: count }, (_, index) => (world: World) => {
    let last = 0
    const next = (): number => (last += 1)
    const making: Making = { choices, world, ctes: [], mayTestSecrets: choices.chance(0.25), next }
    const kind = choices.int(10)
    if (kind < 5) return view(making, `v${index}`, choices.chance(0.15) ? 'MATERIALIZED VIEW' : 'VIEW')
    if (kind === 5) return updatableView(making, `v${index}`)
    return routine(making, `f${index}`)
  })
}

function view(making: Making, name: string, kind: string): Addition {
  const body = query(making, null, 2)
  const columns = renamed(body.columns, (_, index) => making.choices.pick(['name', 'email', 'n', 'v']) + String(index))
  const list = columns.map((column) => column.name).join(', ')
  return {
    sql: `CREATE ${kind} ${name} (${list}) AS ${body.sql}`,
    world: withReadable(making.world, { name, columns, isTable: false, writable: null }),
  }
}

function updatableView(making: Making, name: string): Addition {
  const { choices, world } = making
  const base = choices.pick(world.readables.filter(({ isTable }) => isTable))
  const from = base.columns.filter(({ name }) => name !== 'made')
  const columns: Column[] = from.map((column) =>
    column.name === 'id' ? column : { ...column, name: `${column.name}_` },
  )
  const list = from.map((column, index) => `${column.name} AS ${columns[index]?.name ?? ''}`)
  return {
    sql: `CREATE VIEW ${name} AS SELECT ${list.join(', ')} FROM ${base.name} WHERE id IS NOT NULL`,
    world: withReadable(world, { name, columns, isTable: false, writable: { columns, hasKey: false } }),
  }
}

function withReadable(world: World, readable: Readable): World {
  return { ...world, readables: [...world.readables, readable] }
}

function routine(making: Making, name: string): Addition {
  const { choices, world } = making
  const returnsRows = choices.chance(0.4)
  const args: readonly ValueType[] = returnsRows
    ? choices.pick([[], ['int'], ['text']])
    : choices.pick([['text'], ['int', 'text'], []])
  const scope = {
    sources: [
      { alias: name, columns: args.map((type, index) => ({ name: `p${index}`, type, isSecret: false })), isRow: false },
    ],
    merged: [],
    outer: null,
  }
  const parameters = args.map((type, index) => `p${index} ${type}`).join(', ')
  const body = query(
    making,
    args.length > 0 ? scope : null,
    1,
    returnsRows ? choices.some(1, 3, () => choices.pick(['text', 'int'] as const)) : ['text'],
  )
  const made = (returns: RoutineModel['returns'], result: string, isSecret: boolean): Addition => ({
    sql: `CREATE FUNCTION ${name}(${parameters}) RETURNS ${result} LANGUAGE sql STABLE ${bodyOf(making, returnsRows ? limited(body) : oneRow(body))}`,
    world: { ...world, routines: [...world.routines, { name, arguments: args, returns, isSecret }] },
  })
  const isSecret = body.columns.some((column) => column.isSecret)
  if (!returnsRows) return made({ kind: 'value', type: 'text' }, 'text', isSecret)
  const columns = renamed(body.columns, (_, index) => `o${index}`)
  return made(
    { kind: 'rows', columns },
    `TABLE (${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`,
    isSecret,
  )
}

function oneRow(body: Query): string {
  return `SELECT b.${body.columns[0]?.name ?? ''}::text FROM (${body.sql}) b LIMIT 1`
}

function limited(body: Query): string {
  return `SELECT ${body.columns.map(({ name, type }) => `b.${name}::${type}`).join(', ')} FROM (${body.sql}) b LIMIT 6`
}

function bodyOf(making: Making, sql: string): string {
  return making.choices.chance(0.4) ? `BEGIN ATOMIC ${sql}; END` : `AS $body$ ${sql} $body$`
}
