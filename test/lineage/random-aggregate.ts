import type { Expression, Making, Scope, ValueType } from './model.ts'
import { columnsInScope, expression, joined } from './random-expression.ts'
import { condition } from './random-condition.ts'

/** An aggregate of a type over what is in scope, or null where there is none of that type. */
export function aggregate(making: Making, scope: Scope, type: ValueType, depth: number): Expression | null {
  const { choices } = making
  const part = (of: ValueType): Expression => expression(making, { ...scope, outer: null }, of, Math.min(depth, 1))
  const one = (of: ValueType, form: (a: string) => string): Expression => joined(type, [part(of)], form)
  const filter = choices.chance(0.12) ? ` FILTER (WHERE ${condition(making, { ...scope, outer: null }, 0).sql})` : ''
  const forms: Record<ValueType, (() => Expression)[]> = {
    text: [
      () => one('text', (a) => `max(${a})`),
      () => one('text', (a) => `string_agg(${a}, ',')${filter}`),
      () => one('text', (a) => `string_agg(left(${a}, 1), '')`),
      () => one('text', (a) => `string_agg(DISTINCT ${a}, ';')`),
      () => one('text', (a) => `mode() WITHIN GROUP (ORDER BY ${a})`),
      () => one('text', (a) => `any_value(${a})`),
      () => one('text', (a) => `(array_agg(${a}))[1]`),
      () => one('text', (a) => `upper(min(${a}))`),
    ],
    int: [
      () => ({ sql: `count(*)${filter}::int`, type, isSecret: false }),
      () => one('text', (a) => `count(DISTINCT ${a})::int`),
      () => one('int', (a) => `max(${a})${filter}`),
      () => one('int', (a) => `bit_xor(${a})`),
    ],
    numeric: [
      () => one('numeric', (a) => `sum(${a})${filter}`),
      () => one('int', (a) => `sum(${a})::numeric`),
      () => one('numeric', (a) => `avg(${a})::numeric(30, 4)`),
    ],
    bool: [() => one('bool', (a) => `bool_or(${a})`)],
    date: [() => one('date', (a) => `max(${a})`)],
    jsonb: [
      () => one('text', (a) => `jsonb_agg(${a})`),
      () => joined('jsonb', [part('int'), part('text')], (a, b) => `jsonb_object_agg(COALESCE(${a}, 0), ${b})`),
      () => one('int', (a) => `JSON_ARRAYAGG(${a} RETURNING jsonb)`),
    ],
    'text[]': [() => one('text', (a) => `array_agg(${a})`)],
    'int[]': [() => one('int', (a) => `array_agg(${a})${filter}`)],
    mood: [() => one('mood', (a) => `max(${a})`)],
    addr: [() => one('addr', (a) => `any_value(${a})`)],
    bytea: [() => one('bytea', (a) => `min(${a})`)],
  }
  return choices.pick(forms[type])()
}

/** A window function of a type, or null where there is none. */
export function windowed(making: Making, scope: Scope, type: ValueType): Expression | null {
  const { choices } = making
  const keys = columnsInScope(scope, null, false).filter(
    ({ isSecret, type: of }) => (making.mayTestSecrets || !isSecret) && of !== 'addr' && of !== 'jsonb',
  )
  if (keys.length === 0) return null
  const key = choices.pick(keys)
  const partition = choices.chance(0.4) ? `PARTITION BY ${choices.pick(keys).sql} ` : ''
  const over = ` OVER (${partition}ORDER BY ${key.sql})`
  const value = expression(making, scope, type, 1)
  const wrapped = joined(type, [value], (a) => a).sql
  if (type === 'int' && choices.chance(0.4)) {
    return {
      sql: `(${choices.pick(['row_number()', 'rank()', 'ntile(2)'])}${over})::int`,
      type,
      isSecret: key.isSecret,
    }
  }
  const name = choices.pick(['lag', 'first_value', 'lead', 'last_value'])
  return { ...value, sql: `${name}(${wrapped})${over}` }
}
