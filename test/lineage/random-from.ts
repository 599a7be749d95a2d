import type { Column, Making, Readable, Scope, Source } from './model.ts'
import { renamed } from './model.ts'
import { columnsInScope, literal } from './random-expression.ts'
import { condition } from './random-condition.ts'
import { query } from './random-query.ts'

/** A FROM clause without its keyword, and the scope that it makes. */
export interface From {
  readonly sql: string
  readonly scope: Scope
}

interface Item {
  readonly sql: string
  readonly source: Source
  /** Whether it refers to what stands before it, so that only some joins can have it on their right. */
  readonly isLateral: boolean
}

/** A random FROM clause with at least one source. */
export function from(making: Making, outer: Scope | null, depth: number): From {
  const { choices } = making
  const first = item(making, { sources: [], merged: [], outer }, depth)
  let sql = first.sql
  let scope: Scope = { sources: [first.source], merged: [], outer }
  const more = choices.chance(0.55) ? 1 + choices.int(2) : 0
  for (let index = 0; index < more; index += 1) {
    const next = item(making, scope, depth - 1)
    const both: Scope = { ...scope, sources: [...scope.sources, next.source] }
    const shared = scope.sources
      .flatMap(({ columns }) => columns)
      .filter((column) => isJoinable(making, column, next.source, scope))
    const kind = next.isLateral
      ? choices.pick(['CROSS', 'LEFT ON'])
      : choices.pick(['CROSS', 'ON', 'LEFT ON', 'USING', ','])
    if (kind === ',') {
      sql = `${sql}, ${next.sql}`
      scope = both
    } else if (kind === 'USING' && shared.length > 0 && scope.merged.length === 0) {
      const column = choices.pick(shared)
      sql = `${sql} ${choices.pick(['', 'LEFT ', 'FULL ', 'RIGHT '])}JOIN ${next.sql} USING (${column.name})`
      // A merged column can stand without an alias, though both sides have one of its name.
      scope = { ...both, merged: [column] }
    } else if (kind === 'CROSS') {
      sql = `${sql} CROSS JOIN ${next.sql}`
      scope = both
    } else {
      // Only what both sides of this very join have can be named in its condition: commas bind less.
      const visible: Scope = sql.includes(',') ? { ...scope, sources: [next.source], isPartial: true } : both
      const on = condition(
        making,
        next.isLateral ? { ...visible, sources: [next.source], isPartial: true } : visible,
        1,
      )
      sql = `${sql} ${kind === 'ON' ? '' : 'LEFT '}JOIN ${next.sql} ON ${on.sql}`
      scope = both
    }
  }
  return { sql, scope }
}

function isJoinable(making: Making, column: Column, right: Source, left: Scope): boolean {
  if (!['text', 'int'].includes(column.type) || (column.isSecret && !making.mayTestSecrets)) return false
  const matches = right.columns.filter(({ name }) => name === column.name)
  const here = left.sources.flatMap(({ columns }) => columns).filter(({ name }) => name === column.name)
  return here.length === 1 && matches.length === 1 && matches[0]?.type === column.type
}

/** One thing in FROM; `before` is what a lateral one may refer to. */
function item(making: Making, before: Scope, depth: number): Item {
  const { choices } = making
  const alias = `r${making.next()}`
  if (depth > 0 && choices.chance(0.3)) return derived(making, before, alias, depth)
  if (choices.chance(0.15)) return functional(making, before, alias)
  const readables = [...making.world.readables, ...making.ctes, ...making.ctes]
  return named(making, choices.pick(readables), alias)
}

function named(making: Making, readable: Readable, alias: string): Item {
  const { choices } = making
  const columns = readable.columns
  if (choices.chance(0.12)) {
    const others = renamed(columns, ({ name }, index) => (index < 2 ? `${alias}c${index}` : name))
    const list = others.slice(0, 2).map(({ name }) => name)
    return {
      sql: `${readable.name} AS ${alias} (${list.join(', ')})`,
      source: { alias, columns: others, isRow: true },
      isLateral: false,
    }
  }
  const only = readable.isTable && choices.chance(0.08) ? 'ONLY ' : ''
  const sample = readable.isTable && choices.chance(0.05) ? ' TABLESAMPLE SYSTEM (100)' : ''
  return { sql: `${only}${readable.name} ${alias}${sample}`, source: { alias, columns, isRow: true }, isLateral: false }
}

function derived(making: Making, before: Scope, alias: string, depth: number): Item {
  const { choices } = making
  const isLateral = before.sources.length > 0 && choices.chance(0.5)
  const inner = query(making, isLateral ? before : before.outer, depth - 1)
  const sql = `${isLateral ? 'LATERAL ' : ''}(${inner.sql}) ${alias}`
  if (!choices.chance(0.3)) return { sql, source: { alias, columns: inner.columns, isRow: true }, isLateral }
  const columns = renamed(inner.columns, (_, index) => `${alias}d${index}`)
  return {
    sql: `${sql} (${columns.map(({ name }) => name).join(', ')})`,
    source: { alias, columns, isRow: true },
    isLateral,
  }
}

function functional(making: Making, before: Scope, alias: string): Item {
  const { choices } = making
  const scope = before
  const isLateral = scope.sources.length > 0
  const result = (sql: string, columns: Column[]): Item => ({
    sql,
    source: { alias, columns, isRow: false },
    isLateral,
  })
  const text = (): { sql: string; isSecret: boolean } => pickColumn(making, scope, 'text')
  switch (choices.int(8)) {
    case 0:
      return result(`generate_series(1, ${1 + choices.int(12)}) AS ${alias} (n)`, [
        { name: 'n', type: 'int', isSecret: false },
      ])
    case 1: {
      const array = pickColumn(making, scope, 'text[]')
      return result(`unnest(${array.sql}) WITH ORDINALITY AS ${alias} (v, o)`, [
        { name: 'v', type: 'text', isSecret: array.isSecret },
        { name: 'o', type: 'numeric', isSecret: array.isSecret },
      ])
    }
    case 2: {
      const doc = pickColumn(making, scope, 'jsonb')
      return result(
        `jsonb_each_text(CASE jsonb_typeof(${doc.sql}) WHEN 'object' THEN ${doc.sql} END) AS ${alias} (k, v)`,
        [
          { name: 'k', type: 'text', isSecret: doc.isSecret },
          { name: 'v', type: 'text', isSecret: doc.isSecret },
        ],
      )
    }
    case 3: {
      const doc = pickColumn(making, scope, 'jsonb')
      const column = `COLUMNS (o FOR ORDINALITY, v text PATH '$.k', n int PATH '$.n' NULL ON ERROR)`
      return result(`JSON_TABLE(${doc.sql}, '$' ${column}) AS ${alias}`, [
        { name: 'o', type: 'int', isSecret: false },
        { name: 'v', type: 'text', isSecret: doc.isSecret },
        { name: 'n', type: 'int', isSecret: doc.isSecret },
      ])
    }
    case 4: {
      const [one, two] = [text(), text()]
      return result(`LATERAL (VALUES (1, ${one.sql}), (2, ${two.sql})) AS ${alias} (n, v)`, [
        { name: 'n', type: 'int', isSecret: false },
        { name: 'v', type: 'text', isSecret: one.isSecret || two.isSecret },
      ])
    }
    case 5: {
      const one = text()
      return result(`ROWS FROM (string_to_table(${one.sql}, NULL), generate_series(1, 3)) AS ${alias} (v, n)`, [
        { name: 'v', type: 'text', isSecret: one.isSecret },
        { name: 'n', type: 'int', isSecret: false },
      ])
    }
    default: {
      const routines = making.world.routines.filter(({ returns }) => returns.kind === 'rows')
      if (routines.length === 0)
        return result(`regexp_split_to_table(${text().sql}, '') AS ${alias} (v)`, [
          { name: 'v', type: 'text', isSecret: true },
        ])
      const routine = choices.pick(routines)
      const args = routine.arguments.map((type) => pickColumn(making, scope, type).sql)
      const columns = routine.returns.kind === 'rows' ? [...routine.returns.columns] : []
      return result(`${routine.name}(${args.join(', ')}) AS ${alias}`, columns)
    }
  }
}

function pickColumn(making: Making, scope: Scope, type: Column['type']): { sql: string; isSecret: boolean } {
  const columns = columnsInScope(scope, type, true).filter(
    ({ isSecret }) => making.mayTestSecrets || !isSecret || type !== 'text[]',
  )
  return columns.length > 0 ? making.choices.pick(columns) : literal(making, type)
}
