import type { Column, Making, Readable, Scope } from './model.ts'
import { renamed } from './model.ts'
import { columnsInScope, expression, literal } from './random-expression.ts'
import { condition } from './random-condition.ts'
import { from } from './random-from.ts'
import { query } from './random-query.ts'

/** A random statement that writes, with or without RETURNING. */
export function write(making: Making): string {
  const { choices } = making
  const writables = making.world.readables.filter(({ writable }) => writable !== null)
  const target = choices.pick(writables)
  const kind = choices.pick(['insert', 'update', 'delete', 'upsert', 'merge', 'cte'] as const)
  switch (kind) {
    case 'insert':
      return insert(making, target, '')
    case 'upsert': {
      const keyed = writables.filter(({ writable }) => writable?.hasKey === true)
      return upsert(making, choices.pick(keyed))
    }
    case 'update':
      return update(making, target)
    case 'delete':
      return remove(making, target)
    case 'merge':
      return merge(making, target)
    case 'cte':
      return throughCte(making, target)
  }
}

const scopeOf = (target: Readable, alias: string): Scope => ({
  sources: [{ alias, columns: target.columns, isRow: true }],
  merged: [],
  outer: null,
})

function targets(making: Making, target: Readable): Column[] {
  const columns = (target.writable?.columns ?? []).filter(({ name }) => !['id', 'ref', 'ref_'].includes(name))
  return columns
    .filter(() => making.choices.chance(0.4))
    .concat(columns.slice(0, 1))
    .filter((column, index, all) => all.indexOf(column) === index)
}

/** Rows numbered from 1000, so that no key is there twice. */
function insert(making: Making, target: Readable, conflict: string): string {
  const { choices } = making
  const columns = targets(making, target)
  // A partition takes only what is within its bounds.
  const bound = target.name === 'events_low' ? ['ref'] : []
  const names = ['id', ...columns.map(({ name }) => name), ...bound].join(', ')
  const types = columns.map(({ type }) => type)
  const returned = returning(making, scopeOf(target, target.name), ['old', 'new'])
  const into = `INSERT INTO ${target.name} (${names})`
  if (choices.chance(0.35) || columns.length === 0) {
    const row = ['1', ...types.map((type) => literal(making, type).sql), ...bound.map(() => '1')]
    if (conflict === '') row[0] = String(1000 + making.next())
    return `${into} VALUES (${row.join(', ')})${conflict}${returned}`
  }
  const source = query(making, null, 1, types)
  const key = conflict === '' ? '1000 + row_number() OVER ()' : 'row_number() OVER ()'
  const list = [key, ...source.columns.map(({ name }) => `s.${name}`), ...bound.map(() => '1')]
  return `${into} SELECT ${list.join(', ')} FROM (${source.sql}) s${conflict}${returned}`
}

function upsert(making: Making, target: Readable): string {
  const scope: Scope = {
    ...scopeOf(target, target.name),
    sources: [...scopeOf(target, target.name).sources, { alias: 'excluded', columns: target.columns, isRow: false }],
  }
  const sets = assignments(making, target, scope)
  const conflict = sets === '' ? ' ON CONFLICT (id) DO NOTHING' : ` ON CONFLICT (id) DO UPDATE SET ${sets}`
  return insert(making, target, conflict)
}

function assignments(making: Making, target: Readable, scope: Scope): string {
  const { choices } = making
  const columns = targets(making, target)
  const values = columns.map(({ type }) => {
    const direct = columnsInScope(scope, type, false).filter(({ sql }) => sql.includes('.'))
    if (direct.length > 0 && choices.chance(0.4)) return choices.pick(direct).sql
    return choices.chance(0.3) ? literal(making, type).sql : expression(making, scope, type, 1).sql
  })
  const one = (column: Column, index: number): string => `${column.name} = ${values[index] ?? 'NULL'}`
  if (columns.length < 2 || !choices.chance(0.25)) return columns.map(one).join(', ')
  const rest = columns.slice(2).map((column, index) => one(column, index + 2))
  const pair = `(${columns[0]?.name ?? ''}, ${columns[1]?.name ?? ''}) = `
  const inner = choices.chance(0.5)
    ? `(SELECT ${values[0] ?? ''}, ${values[1] ?? ''})`
    : `ROW(${values[0] ?? ''}, ${values[1] ?? ''})`
  return [pair + inner, ...rest].join(', ')
}

function update(making: Making, target: Readable): string {
  const { choices } = making
  const self = scopeOf(target, 't')
  const extra = choices.chance(0.4) ? from(making, null, 1) : null
  const scope: Scope = { ...self, sources: [...self.sources, ...(extra?.scope.sources ?? [])] }
  const sets = assignments(making, target, scope)
  const where = ` WHERE t.id < ${String(2 + choices.int(5))} AND ${condition(making, extra === null ? self : scope, 1).sql}`
  const set = sets === '' ? 'ref = ref' : sets
  return `UPDATE ${target.name} AS t SET ${set}${extra === null ? '' : ` FROM ${extra.sql}`}${where}${returning(making, scope, ['old', 'new'])}`
}

function remove(making: Making, target: Readable): string {
  const { choices } = making
  const self = scopeOf(target, 't')
  const extra = choices.chance(0.4) ? from(making, null, 1) : null
  const scope: Scope = { ...self, sources: [...self.sources, ...(extra?.scope.sources ?? [])] }
  const where = ` WHERE t.id < ${String(2 + choices.int(5))} AND ${condition(making, scope, 1).sql}`
  return `DELETE FROM ${target.name} AS t${extra === null ? '' : ` USING ${extra.sql}`}${where}${returning(making, scope, ['old'])}`
}

function merge(making: Making, target: Readable): string {
  const { choices } = making
  const self = scopeOf(target, 't')
  const using = query(making, null, 1, ['int', 'text', 'int'])
  const columns = renamed(using.columns, (_, index) => `m${index}`)
  const source: Scope = { sources: [{ alias: 's', columns, isRow: true }], merged: [], outer: null }
  const both: Scope = { ...self, sources: [...self.sources, ...source.sources] }
  const sets = assignments(making, target, both)
  const arms = [` WHEN MATCHED THEN ${sets === '' ? 'DO NOTHING' : `UPDATE SET ${sets}`}`]
  const [column] = targets(making, target)
  if (choices.chance(0.5) && column !== undefined) {
    const value = expression(making, source, column.type, 1).sql
    arms.push(` WHEN NOT MATCHED THEN INSERT (id, ${column.name}) VALUES (${String(2000 + making.next())}, ${value})`)
  }
  if (choices.chance(0.25)) arms.push(' WHEN NOT MATCHED BY SOURCE AND t.id > 6 THEN DELETE')
  const keyed = `(SELECT DISTINCT ON (m0) * FROM (${using.sql}) u (m0, m1, m2) ORDER BY m0)`
  return `MERGE INTO ${target.name} AS t USING ${keyed} s ON t.id = s.m0${arms.join('')}${returning(making, both, ['old', 'new'])}`
}

/** A writing CTE whose rows are what the rest reads. */
function throughCte(making: Making, target: Readable): string {
  const { choices } = making
  const self = scopeOf(target, 't')
  const columns = choices.some(1, 3, (index) => {
    const column = choices.pick(target.columns)
    return { ...column, of: column.name, name: `k${index}` }
  })
  const list = columns.map(({ of, name }) => `t.${of} AS ${name}`).join(', ')
  const body = choices.chance(0.5)
    ? `DELETE FROM ${target.name} t WHERE t.id < 4 RETURNING ${list}`
    : `UPDATE ${target.name} t SET ${assignments(making, target, self) || 'ref = ref'} WHERE t.id < 4 RETURNING ${list}`
  const cte: Readable = { name: 'moved', columns, isTable: false, writable: null }
  const inner = { ...making, ctes: [...making.ctes, cte, cte] }
  if (choices.chance(0.4)) return `WITH moved AS (${body}) SELECT * FROM (${query(inner, null, 1).sql}) q`
  const other = choices.pick(making.world.readables.filter(({ writable }) => writable !== null))
  return `WITH moved AS (${body}) ${insert(inner, other, '')}`
}

function returning(making: Making, scope: Scope, versions: readonly string[]): string {
  const { choices } = making
  if (choices.chance(0.3)) return ''
  const [target] = scope.sources
  const items = choices.some(1, 3, () => {
    const kind = choices.int(5)
    if (kind === 0) return `${choices.pick(versions)}.*`
    if (kind === 1 && target !== undefined) return `${choices.pick(versions)}.${choices.pick(target.columns).name}`
    if (kind === 2) return '*'
    const columns = columnsInScope(scope, null, false).filter(
      ({ sql }) => sql.includes('.') && !sql.startsWith('excluded'),
    )
    return choices.pick(columns).sql
  })
  return ` RETURNING ${items.join(', ')}`
}
