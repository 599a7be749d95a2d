import { tagged, textsOf } from '../parse-tree.ts'
import { anyOf, resolveStar } from './column-names.ts'
import type { Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { nameOfExpression } from './output-names.ts'
import { fieldsOf, listOf } from './tree.ts'
import { either, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** The output columns of a SELECT or RETURNING list, each traced when it is first asked for. */
export interface Targets {
  /** Null where their number could not be told. */
  readonly columns: readonly Field[] | null
  readonly any: Value
  traceAll(): void
  /** The column at this position from 0. */
  at(position: number): Value
  /** The column of this name, or null where none certainly has it. */
  named(name: string): Value | null
}

/** Reads a target list; nothing of it is traced yet. */
export function targetsOf(list: readonly unknown[], scope: Scope, trace: Trace): Targets {
  return new TargetList(list, scope, trace)
}

class TargetList implements Targets {
  readonly #list: readonly unknown[]
  readonly #scope: Scope
  readonly #trace: Trace
  readonly #traced = new Map<number, Expansion>()

  constructor(list: readonly unknown[], scope: Scope, trace: Trace) {
    this.#list = list
    this.#scope = scope
    this.#trace = trace
  }

  get columns(): readonly Field[] | null {
    const all: Field[] = []
    for (let index = 0; index < this.#list.length; index += 1) {
      const { fields } = this.#expand(index)
      if (fields === null) return null
      // One by one: a spread of many would overflow the stack.
      for (const field of fields) all.push(field)
    }
    return all
  }

  get any(): Value {
    return either(this.#list.map((_unused, index) => this.#expand(index).any))
  }

  traceAll(): void {
    for (let index = 0; index < this.#list.length; index += 1) this.#expand(index)
  }

  at(position: number): Value {
    let start = 0
    for (let index = 0; index < this.#list.length; index += 1) {
      const { fields, any } = this.#expand(index)
      if (fields === null) return either([any, this.any])
      if (position < start + fields.length) return fields[position - start]?.value ?? unknownValue
      start += fields.length
    }
    return unknownValue
  }

  named(name: string): Value | null {
    const found: Value[] = []
    for (let index = 0; index < this.#list.length; index += 1) {
      const target = fieldsOf(this.#list[index], 'ResTarget')
      if (target === null || isStar(target['val'])) continue
      const explicit = target['name']
      const bare = textsOf(fieldsOf(target['val'], 'ColumnRef')?.['fields']).at(-1)
      if (explicit === name || (explicit === undefined && bare === name)) found.push(this.at0(index))
    }
    return found.length === 0 ? null : either(found)
  }

  at0(index: number): Value {
    return this.#expand(index).any
  }

  #expand(index: number): Expansion {
    const known = this.#traced.get(index)
    if (known !== undefined) return known
    const expansion = expand(this.#list[index], this.#scope, this.#trace)
    this.#traced.set(index, expansion)
    return expansion
  }
}

/** The columns that one target stands for; null where their number could not be told. */
interface Expansion {
  readonly fields: readonly Field[] | null
  readonly any: Value
}

function expand(node: unknown, scope: Scope, trace: Trace): Expansion {
  const target = fieldsOf(node, 'ResTarget')
  if (target === null) return { fields: null, any: unknownValue }
  const fields = starFields(target['val'], scope, trace)
  if (fields !== undefined) return fields
  const value = traceExpression(target['val'], scope, trace)
  const name = typeof target['name'] === 'string' ? target['name'] : nameOfExpression(target['val'], trace)
  return { fields: [{ name, value }], any: value }
}

/** Whether this is `*`, `t.*` or `(x).*`. */
export function isStar(node: unknown): boolean {
  const parts = fieldsOf(node, 'ColumnRef')?.['fields'] ?? fieldsOf(node, 'A_Indirection')?.['indirection']
  return tagged(listOf(parts).at(-1))?.tag === 'A_Star'
}

/** What `*`, `t.*` and `(x).*` stand for; undefined for anything else. */
export function starFields(node: unknown, scope: Scope, trace: Trace): Expansion | undefined {
  if (!isStar(node)) return undefined
  const reference = fieldsOf(node, 'ColumnRef')
  if (reference !== null) {
    const qualifier = textsOf(reference['fields'])
    return qualifier.length === 0 ? bareStar(scope) : qualifiedStar(qualifier, scope, trace)
  }
  const indirection = fieldsOf(node, 'A_Indirection')
  const steps = listOf(indirection?.['indirection']).slice(0, -1)
  const row = traceExpression(
    steps.length === 0 ? indirection?.['arg'] : { A_Indirection: { ...indirection, indirection: steps } },
    scope,
    trace,
  )
  return { fields: row.fields, any: row }
}

function bareStar(scope: Scope): Expansion {
  const fields: Field[] = []
  const rests: Value[] = []
  for (const item of scope.items) {
    if (item.rest !== null) rests.push(item.rest)
    for (const column of item.columns) fields.push(column)
  }
  const whole = either([...fields.map(({ value }) => value), ...rests])
  return { fields: rests.length === 0 ? fields : null, any: whole }
}

function qualifiedStar(qualifier: readonly string[], scope: Scope, trace: Trace): Expansion {
  const fields = resolveStar(qualifier, scope, trace)
  if (fields === null) return { fields: null, any: anyOf(qualifier, scope, trace) }
  return { fields, any: either(fields.map(({ value }) => value)) }
}
