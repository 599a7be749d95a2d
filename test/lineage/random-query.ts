import type { Column, Expression, Making, Query, Scope, ValueType } from './model.ts'
import { emptyScope, renamed } from './model.ts'
import { anyType, columnsInScope, expression, literal } from './random-expression.ts'
import { condition } from './random-condition.ts'
import { aggregate, windowed } from './random-aggregate.ts'
import { from } from './random-from.ts'

/** A random query whose columns have names of their own; `wants` fixes their types. */
export function query(making: Making, outer: Scope | null, depth: number, wants?: readonly ValueType[]): Query {
  const { choices } = making
  if (depth > 0) {
    const kind = choices.int(12)
    if (kind === 11 && wants === undefined) return withCtes(making, outer, depth)
    if (kind === 10) return setOperation(making, outer, depth, wants)
    if (kind === 9) return values(making, outer, wants)
    if (kind === 8 && wants === undefined) return recursive(making)
  }
  if (choices.chance(0.22)) return grouped(making, outer, depth, wants)
  return plain(making, outer, depth, wants)
}

/** An expression that is a subquery of one row at most. */
export function scalarQuery(making: Making, scope: Scope, type: ValueType, depth: number): Expression {
  const { choices } = making
  const source = from(making, scope, Math.min(depth, 1))
  const where = choices.chance(0.6) ? ` WHERE ${condition(making, source.scope, 1).sql}` : ''
  if (choices.chance(0.4)) {
    const value = aggregate(making, source.scope, type, 1)
    if (value !== null) return { ...value, sql: `(SELECT ${value.sql} FROM ${source.sql}${where})` }
  }
  const value = expression(making, source.scope, type, Math.min(depth, 1))
  const order = making.mayTestSecrets && choices.chance(0.3) ? ' ORDER BY 1' : ''
  return { ...value, sql: `(SELECT ${value.sql} FROM ${source.sql}${where}${order} LIMIT 1)` }
}

/** A query of one column, without parentheses; its secret also covers its rows. */
export function listQuery(making: Making, scope: Scope, type: ValueType, depth: number): Expression {
  const { choices } = making
  const source = from(making, scope, Math.min(depth, 1))
  const value = expression(making, source.scope, type, 0)
  const where = choices.chance(0.6) ? ` WHERE ${condition(making, source.scope, 1).sql}` : ''
  return { ...value, sql: `SELECT ${value.sql} FROM ${source.sql}${where}` }
}

function plain(making: Making, outer: Scope | null, depth: number, wants?: readonly ValueType[]): Query {
  const { choices } = making
  const source = choices.chance(0.04) ? { sql: '', scope: { ...emptyScope, outer } } : from(making, outer, depth)
  const list = selectList(making, source.scope, depth, wants)
  const clauses = [source.sql === '' ? '' : ` FROM ${source.sql}`]
  if (choices.chance(0.45)) clauses.push(` WHERE ${condition(making, source.scope, depth).sql}`)
  const isHarmless = list.every(({ isSecret }) => !isSecret)
  let head = 'SELECT '
  const canOrder = making.mayTestSecrets || isHarmless
  const isComparable = list.every(({ type }) => type !== 'addr')
  if (canOrder && isComparable && choices.chance(0.1)) head = 'SELECT DISTINCT '
  else if (choices.chance(0.06)) {
    const keys = columnsInScope(source.scope, 'int', false).filter(({ isSecret }) => making.mayTestSecrets || !isSecret)
    if (keys.length > 0) {
      const key = choices.pick(keys).sql
      head = `SELECT DISTINCT ON (${key}) `
      clauses.push(` ORDER BY ${key}`)
    }
  } else if (choices.chance(0.25)) {
    const at = list.findIndex(({ isSecret, type }) => type !== 'addr' && (!isSecret || making.mayTestSecrets))
    if (at >= 0) clauses.push(` ORDER BY ${choices.chance(0.5) ? String(at + 1) : (list[at]?.name ?? '1')}`)
    if (at >= 0 && choices.chance(0.4))
      clauses.push(choices.chance(0.5) ? ' LIMIT 3' : ' OFFSET 1 FETCH FIRST 2 ROWS ONLY')
  }
  const items = list.map(({ sql, name }) => `${sql} AS ${name}`)
  return { sql: `${head}${items.join(', ')}${clauses.join('')}`, columns: list }
}

type Item = Expression & Column

function selectList(making: Making, scope: Scope, depth: number, wants?: readonly ValueType[]): Item[] {
  const { choices } = making
  const types = wants ?? choices.some(1, 4, () => anyType(making))
  return types.map((type) => {
    const name = `c${making.next()}`
    const value = scope.sources.length > 0 && choices.chance(0.1) ? windowed(making, scope, type) : null
    return named(value ?? expression(making, scope, type, depth), name)
  })
}

function named(value: Expression, name: string): Item {
  return { ...value, name }
}

function grouped(making: Making, outer: Scope | null, depth: number, wants?: readonly ValueType[]): Query {
  const { choices } = making
  const source = from(making, outer, depth - 1)
  const keys = columnsInScope(source.scope, null, false)
    .filter(({ isSecret, type }) => (making.mayTestSecrets || !isSecret) && type !== 'addr')
    .filter(({ sql }) => sql.includes('.'))
  const key = keys.length > 0 && choices.chance(0.7) ? choices.pick(keys) : null
  const second = keys.length > 0 && key !== null && choices.chance(0.3) ? choices.pick(keys) : null
  const types = wants ?? choices.some(1, 3, () => anyType(making))
  const list = types.map((type): Item => {
    const name = `c${making.next()}`
    const same = [key, second].find((each) => each?.type === type) ?? null
    if (same !== null && choices.chance(0.5)) return named(same, name)
    return named(aggregate(making, source.scope, type, depth) ?? literal(making, type), name)
  })
  const where = choices.chance(0.3) ? ` WHERE ${condition(making, source.scope, 1).sql}` : ''
  const both = [key, second].filter((each) => each !== null).map(({ sql }) => sql)
  const forms = [both.join(', '), `ROLLUP (${both.join(', ')})`, `GROUPING SETS ((${both.join(', ')}), ())`]
  const groupBy = both.length > 0 ? ` GROUP BY ${choices.chance(0.7) ? forms[0] : choices.pick(forms)}` : ''
  const having = choices.chance(0.15) ? ' HAVING count(*) > 0' : ''
  const items = list.map(({ sql, name }) => `${sql} AS ${name}`)
  return { sql: `SELECT ${items.join(', ')} FROM ${source.sql}${where}${groupBy}${having}`, columns: list }
}

function setOperation(making: Making, outer: Scope | null, depth: number, wants?: readonly ValueType[]): Query {
  const { choices } = making
  const types = wants ?? choices.some(1, 3, () => anyType(making))
  const left = query(making, outer, depth - 1, types)
  const right = query(making, outer, depth - 1, types)
  const columns = left.columns.map((column, index) => ({
    ...column,
    isSecret: column.isSecret || right.columns[index]?.isSecret === true,
  }))
  const canCompare =
    types.every((type) => type !== 'addr') && (making.mayTestSecrets || columns.every(({ isSecret }) => !isSecret))
  const operator = canCompare ? choices.pick(['UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT', 'EXCEPT ALL']) : 'UNION ALL'
  return { sql: `(${left.sql}) ${operator} (${right.sql})`, columns }
}

function values(making: Making, outer: Scope | null, wants?: readonly ValueType[]): Query {
  const { choices } = making
  const types = wants ?? choices.some(1, 3, () => anyType(making))
  const scope: Scope = { ...emptyScope, outer }
  const rows = choices.some(1, 3, () => types.map((type) => expression(making, scope, type, 1)))
  const columns = types.map((type, index) => ({
    name: `column${index + 1}`,
    type,
    isSecret: rows.some((row) => row[index]?.isSecret === true),
  }))
  return { sql: `VALUES ${rows.map((row) => `(${row.map(({ sql }) => sql).join(', ')})`).join(', ')}`, columns }
}

function withCtes(making: Making, outer: Scope | null, depth: number): Query {
  const { choices } = making
  const ctes = [...making.ctes]
  const parts: string[] = []
  for (let left = 1 + choices.int(2); left > 0; left -= 1) {
    // The name of a table of the world hides that table from here on.
    const name = choices.chance(0.15) ? choices.pick(making.world.readables).name : `w${making.next()}`
    if (ctes.some((cte) => cte.name === name)) continue
    const inner = query({ ...making, ctes: [...ctes] }, null, depth - 1)
    const isRenamed = choices.chance(0.3)
    const columns = isRenamed ? renamed(inner.columns, (_, index) => `${name}x${index}`) : inner.columns
    const list = isRenamed ? ` (${columns.map((column) => column.name).join(', ')})` : ''
    parts.push(`${name}${list} AS ${choices.pick(['', 'MATERIALIZED ', 'NOT MATERIALIZED '])}(${inner.sql})`)
    ctes.push({ name, columns, isTable: false, writable: null })
  }
  const hidden = new Set(ctes.map(({ name }) => name))
  const world = { ...making.world, readables: making.world.readables.filter(({ name }) => !hidden.has(name)) }
  const body = query({ ...making, world, ctes }, outer, depth - 1)
  const rest = body.sql.startsWith('WITH') ? `(${body.sql})` : body.sql
  return { sql: `WITH ${parts.join(', ')} ${rest}`, columns: body.columns }
}

/** A recursive CTE whose second column hands on what a deeper row had. */
function recursive(making: Making): Query {
  const { choices } = making
  const name = `w${making.next()}`
  const start = query(making, null, 0, ['text', 'text'])
  const columns: Column[] = [
    { name: 'n', type: 'int', isSecret: false },
    { name: 'a', type: 'text', isSecret: true },
    { name: 'b', type: 'text', isSecret: true },
  ]
  const step = choices.pick(['b, a', 'a, b', 'left(a || b, 30), a', "'z', a"])
  const [a, b] = start.columns
  const sql =
    `WITH RECURSIVE ${name} (n, a, b) AS (SELECT 1, s.${a?.name ?? ''}::text, s.${b?.name ?? ''}::text FROM (${start.sql}) s` +
    ` UNION ALL SELECT n + 1, ${step} FROM ${name} WHERE n < 3)`
  const inner: Making = { ...making, ctes: [...making.ctes, { name, columns, isTable: false, writable: null }] }
  const list = choices.some(1, 3, () => {
    const column = choices.pick(columns)
    return { ...column, sql: column.name, name: `c${making.next()}` }
  })
  const more = choices.chance(0.3) ? `, (${query(inner, null, 0, ['text']).sql}) q` : ''
  const items = list.map((item) => `${name}.${item.sql} AS ${item.name}`)
  return { sql: `${sql} SELECT ${items.join(', ')} FROM ${name}${more}`, columns: list }
}
