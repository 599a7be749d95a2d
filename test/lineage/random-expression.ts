import type { Expression, Making, Scope, ValueType } from './model.ts'
import { valueTypes } from './model.ts'
import { condition } from './random-condition.ts'
import { scalarQuery } from './random-query.ts'

/** A random expression of a type over what is in scope. */
export function expression(making: Making, scope: Scope, type: ValueType, depth: number): Expression {
  const { choices } = making
  const columns = columnsInScope(scope, type, choices.chance(0.15))
  const isLeaf = depth <= 0 || choices.chance(0.35)
  if (columns.length > 0 && (isLeaf || choices.chance(0.25))) return choices.pick(columns)
  if (isLeaf) return choices.chance(0.6) ? viaOtherType(making, scope, type) : literal(making, type)
  const part = (of: ValueType): Expression => expression(making, scope, of, depth - 1)
  if (choices.chance(0.3)) return generic(making, scope, type, depth)
  return made(making, scope, type, part)
}

/** A constant of a type. */
export function literal(making: Making, type: ValueType): Expression {
  const { choices } = making
  const sql = {
    text: () => choices.pick(["'a'", "'b1'::text", "''", "'x y'::text"]),
    int: () => choices.pick(['1', '2', '0', '5']),
    numeric: () => choices.pick(['1.5', '2::numeric', '0.1']),
    bool: () => choices.pick(['true', 'false']),
    date: () => choices.pick(["date '2020-02-02'", "'2021-03-04'::date"]),
    jsonb: () => choices.pick([`'{"k": "v"}'::jsonb`, "'[1, 2]'::jsonb", "'null'::jsonb"]),
    'text[]': () => choices.pick(["ARRAY['a', 'b']", "'{}'::text[]"]),
    'int[]': () => choices.pick(['ARRAY[1, 2]', "'{3}'::int[]"]),
    mood: () => choices.pick(["'ok'::mood", "'sad'::mood"]),
    addr: () => choices.pick(["ROW('s', 'c', 1)::addr"]),
    bytea: () => choices.pick([`'\\x00ff'::bytea`]),
  }[type]()
  return { sql, type, isSecret: false }
}

/** The columns of a type that can be named here, most qualified, with those of outer queries if `withOuter`. */
export function columnsInScope(scope: Scope, type: ValueType | null, withOuter: boolean): Expression[] {
  const found: Expression[] = []
  for (const { alias, columns } of scope.sources) {
    for (const column of columns) {
      if (type !== null && column.type !== type) continue
      const isAmbiguous = scope.sources.some(
        (other) => other.alias !== alias && other.columns.some(({ name }) => name === column.name),
      )
      const isAlias = scope.sources.some((other) => other.alias === column.name)
      found.push({
        ...column,
        sql: isAmbiguous || isAlias || scope.isPartial === true ? `${alias}.${column.name}` : column.name,
      })
      found.push({ ...column, sql: `${alias}.${column.name}` })
    }
  }
  for (const column of scope.merged)
    if (type === null || column.type === type) found.push({ ...column, sql: column.name })
  if (withOuter && scope.outer !== null) {
    for (const column of columnsInScope(scope.outer, type, true)) if (column.sql.includes('.')) found.push(column)
  }
  return found
}

/** A value of some other type in scope, cast or taken apart, so that columns of all types are used. */
function viaOtherType(making: Making, scope: Scope, type: ValueType): Expression {
  const { choices } = making
  const all = columnsInScope(scope, null, false)
  if (all.length === 0) return literal(making, type)
  const from = choices.pick(all)
  const sql = convert(from, type)
  return sql === null ? literal(making, type) : { sql, type, isSecret: from.isSecret }
}

function convert(from: Expression, type: ValueType): string | null {
  if (from.type === type) return from.sql
  switch (type) {
    case 'text':
      return `${from.sql}::text`
    case 'jsonb':
      return `to_jsonb(${from.sql})`
    case 'text[]':
      return `ARRAY[${from.sql}::text]`
    case 'int':
      return `length(${from.sql}::text)`
    case 'bool':
      return `${from.sql} IS NULL`
    case 'numeric':
      return from.type === 'int' ? `${from.sql}::numeric` : null
    case 'bytea':
      return `convert_to(${from.sql}::text, 'UTF8')`
    default:
      return null
  }
}

/** Constructs that there are for every type. */
function generic(making: Making, scope: Scope, type: ValueType, depth: number): Expression {
  const { choices } = making
  const part = (of: ValueType): Expression => expression(making, scope, of, depth - 1)
  const kind = choices.pick(['coalesce', 'case', 'simple case', 'subquery', 'routine', 'array', 'nullif'] as const)
  switch (kind) {
    case 'coalesce':
      return joined(type, [part(type), part(type)], (a, b) => `COALESCE(${a}, ${b})`)
    case 'case': {
      const tests = making.mayTestSecrets || choices.chance(0.5)
      const when = condition(tests ? { ...making, mayTestSecrets: true } : making, scope, depth - 1)
      return joined(type, [when, part(type), part(type)], (w, a, b) => `CASE WHEN ${w} THEN ${a} ELSE ${b} END`)
    }
    case 'simple case':
      return joined(type, [part('text'), part(type), part('text')], (a, b, c) => `CASE ${a} WHEN ${c} THEN ${b} END`)
    case 'subquery':
      return scalarQuery(making, scope, type, depth - 1)
    case 'routine': {
      const routines = making.world.routines.filter(({ returns }) => returns.kind === 'value' && returns.type === type)
      if (routines.length === 0) return part(type)
      const routine = choices.pick(routines)
      const args = routine.arguments.map((of) => part(of))
      return {
        sql: `${routine.name}(${args.map(({ sql }) => sql).join(', ')})`,
        type,
        isSecret: routine.isSecret || args.some(({ isSecret }) => isSecret),
      }
    }
    case 'array':
      if (type.endsWith('[]')) return part(type)
      return joined(type, [part(type), part(type)], (a, b) => `(ARRAY[${a}, ${b}])[${1 + choices.int(2)}]`)
    case 'nullif':
      if (type === 'addr') return part(type)
      return joined(type, [part(type), part(type)], (a, b) => `NULLIF(${a}, ${b})`)
  }
}

/** Constructs of one type. */
function made(making: Making, scope: Scope, type: ValueType, part: (of: ValueType) => Expression): Expression {
  const { choices } = making
  const rows = scope.sources.filter(({ isRow }) => isRow)
  const row = (): Expression => {
    if (rows.length === 0) return part('addr')
    const { alias, columns } = choices.pick(rows)
    return { sql: alias, type: 'addr', isSecret: columns.some(({ isSecret }) => isSecret) }
  }
  const one = (of: ValueType, form: (a: string) => string): Expression => joined(type, [part(of)], form)
  const two = (of: readonly [ValueType, ValueType], form: (a: string, b: string) => string): Expression =>
    joined(type, [part(of[0]), part(of[1])], form)
  const forms: Record<ValueType, (() => Expression)[]> = {
    text: [
      () => one('text', (a) => `upper(${a})`),
      () => two(['text', 'text'], (a, b) => `${a} || ${b}`),
      () => one('text', (a) => `reverse(${a})`),
      () => one('text', (a) => `left(${a}, ${1 + choices.int(9)})`),
      () => one('text', (a) => `substring(${a} FROM ${1 + choices.int(3)} FOR ${1 + choices.int(9)})`),
      () => one('text', (a) => `trim(both 'x' from ${a})`),
      () => two(['text', 'text'], (a, b) => `concat_ws('-', ${a}, ${b})`),
      () => two(['text', 'int'], (a, b) => `format('%s/%s', ${a}, ${b})`),
      () => two(['text', 'text'], (a, b) => `replace(${a}, 'g', left(${b}, 1))`),
      () => one('text', (a) => `regexp_replace(${a}, '(.)(.)', '\\2\\1')`),
      () => one('bytea', (a) => `encode(${a}, 'hex')`),
      () => one('jsonb', (a) => `(${a} ->> 'k')`),
      () => one('jsonb', (a) => `jsonb_pretty(${a})`),
      () => one('jsonb', (a) => `JSON_VALUE(${a}, '$.k')`),
      () => one('text[]', (a) => `(${a})[1]`),
      () => one('text[]', (a) => `array_to_string(${a}, ',')`),
      () => one('addr', (a) => `(${a}).street`),
      () => one('date', (a) => `to_char(${a}, 'YYYY-MM-DD')`),
      () => one('int', (a) => `${a}::text`),
      () => one('mood', (a) => `${a}::text`),
      () => ({ ...row(), sql: `${row().sql}::text` }),
      () => joined('text', [row()], (a) => `row_to_json(${a})::text`),
      () => joined('text', [part('text'), row()], (a, b) => `ROW(${a}, ${b})::text`),
      () => two(['text', 'text'], (a, b) => `GREATEST(${a}, ${b})`),
      () => one('text', (a) => `${a} COLLATE "C"`),
      () => one('text', (a) => `(${a}::varchar(40))::text`),
      () => one('text', (a) => `overlay(${a} placing '#' from 2)`),
      () => one('jsonb', (a) => `JSON_SERIALIZE(${a})`),
    ],
    int: [
      () => one('text', (a) => `length(${a})`),
      () => two(['int', 'int'], (a, b) => `(${a} + ${b})`),
      () => one('int', (a) => `(${a} % 7)`),
      () => one('text', (a) => `ascii(${a})`),
      () => one('date', (a) => `extract(year FROM ${a})::int`),
      () => one('text[]', (a) => `cardinality(${a})`),
      () => one('int[]', (a) => `(${a})[1]`),
      () => one('addr', (a) => `(${a}).zip`),
      () => one('bool', (a) => `${a}::int`),
      () => one('jsonb', (a) => `JSON_VALUE(${a}, '$.n' RETURNING int NULL ON ERROR)`),
      () => two(['text', 'text'], (a, b) => `strpos(${a}, ${b})`),
    ],
    numeric: [
      () => two(['numeric', 'numeric'], (a, b) => `(${a} + ${b})`),
      () => one('numeric', (a) => `round(${a}, 1)`),
      () => one('int', (a) => `${a} * 1.5`),
      () => one('numeric', (a) => `abs(${a})`),
      () => one('text', (a) => `length(${a})::numeric`),
    ],
    bool: [() => condition({ ...making, mayTestSecrets: true }, scope, 1)],
    date: [() => one('date', (a) => `(${a} + 1)`), () => two(['date', 'date'], (a, b) => `LEAST(${a}, ${b})`)],
    jsonb: [
      () => two(['text', 'int'], (a, b) => `jsonb_build_object('k', ${a}, 'n', ${b})`),
      () => one('jsonb', (a) => `(${a} -> 'l')`),
      () => joined('jsonb', [row()], (a) => `to_jsonb(${a})`),
      () => two(['text', 'numeric'], (a, b) => `JSON_OBJECT('k': ${a}, 'v': ${b} RETURNING jsonb)`),
      () => two(['jsonb', 'text'], (a, b) => `jsonb_set(${a}, '{k}', to_jsonb(${b}::text))`),
      () => two(['text', 'date'], (a, b) => `JSON_ARRAY(${a}, ${b} RETURNING jsonb)`),
      () => one('jsonb', (a) => `jsonb_path_query_array(${a}, '$.*')`),
    ],
    'text[]': [
      () => two(['text', 'text'], (a, b) => `ARRAY[${a}, ${b}]`),
      () => two(['text[]', 'text'], (a, b) => `(${a} || ${b})`),
      () => one('text[]', (a) => `(${a})[1:1]`),
      () => one('text', (a) => `string_to_array(${a}, 'k')`),
      () => joined('text[]', [scalarQuery(making, scope, 'text', 1)], (a) => `ARRAY[${a}]`),
    ],
    'int[]': [
      () => two(['int', 'int'], (a, b) => `ARRAY[${a}, ${b}]`),
      () => two(['int[]', 'int'], (a, b) => `array_append(${a}, ${b})`),
    ],
    mood: [() => two(['mood', 'mood'], (a, b) => `GREATEST(${a}, ${b})`)],
    addr: [() => two(['text', 'int'], (a, b) => `ROW(${a}, 'c', ${b})::addr`)],
    bytea: [
      () => one('text', (a) => `convert_to(${a}, 'UTF8')`),
      () => two(['bytea', 'bytea'], (a, b) => `(${a} || ${b})`),
    ],
  }
  return choices.pick(forms[type])()
}

/** A type, ordinary ones more often. */
export function anyType(making: Making): ValueType {
  const { choices } = making
  return choices.chance(0.6) ? choices.pick(valueTypes.slice(0, 4)) : choices.pick(valueTypes)
}

/** An expression made of others. */
export function joined(
  type: ValueType,
  parts: readonly Expression[],
  form: (...sql: [string, string, string]) => string,
): Expression {
  const [a, b, c] = parts.map(({ sql }) => (/^[\w.]+$|^\w+\([^()]*\)$/.test(sql) ? sql : `(${sql})`))
  return { sql: form(a ?? '', b ?? '', c ?? ''), type, isSecret: parts.some(({ isSecret }) => isSecret) }
}
