import type { Sources } from '../../core/lineage.ts'
import { rootScope } from './context.ts'
import type { CommonTable, Item, Scope, Trace } from './context.ts'
import type { PlTarget } from './plpgsql-tree.ts'
import { unionAll } from './sources.ts'
import { addSources, combine, either, plainValue, rowOf, tellsOf } from './value.ts'
import type { Field, Value } from './value.ts'

/** A variable that holds a row. */
interface RowVariable {
  readonly fields: Map<string, Value | null>
  /** Whether `fields` are all that it has, in their order. */
  readonly isClosed: boolean
  /** What fields that are not listed may be. */
  rest: Value | null
}

/** The variables of one body; each derives from everything that is assigned to it anywhere. */
export class Variables {
  readonly #values = new Map<string, Value | null>()
  readonly #rows = new Map<string, RowVariable>()
  readonly #aliases = new Map<string, string>()
  #changes = 0
  #known: { readonly changes: number; readonly trace: Trace; readonly items: readonly Item[] } | null = null

  /** Grows whenever something new is known about one of them. */
  get changes(): number {
    return this.#changes
  }

  /** Adds a variable that holds a single value; a second one of its name is the same. */
  declare(name: string, value: Value | null = null): void {
    if (!this.#values.has(name)) this.#values.set(name, null)
    if (value !== null) this.#setValue(name, value)
    this.#changes += 1
  }

  /** Adds a variable that holds a row; `fields` is null where any row fits. */
  declareRow(name: string, fields: readonly { readonly name: string; readonly value: Value | null }[] | null): void {
    const known = this.#rows.get(name)
    const isClosed = fields !== null && known === undefined
    const own = new Map([...(known?.fields ?? []), ...(fields ?? []).map((each) => [each.name, each.value] as const)])
    this.#rows.set(name, { fields: own, isClosed, rest: known?.rest ?? null })
    this.#changes += 1
  }

  /** Adds another name for a variable. */
  alias(name: string, meant: string): void {
    this.#aliases.set(name, meant)
    this.#changes += 1
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    const meant = this.#meant(name)
    return this.#values.has(meant) || this.#rows.has(meant)
  }

  /** Whether this variable holds rows. */
  isRow(name: string): boolean {
    return this.#rows.has(this.#meant(name))
  }

  /** All that is known of a variable, as one value. */
  valueOf(name: string): Value {
    const meant = this.#meant(name)
    const row = this.#rows.get(meant)
    return row === undefined ? (this.#values.get(meant) ?? plainValue) : wholeRow(row)
  }

  /** What a variable, or a field of it, tells of; of all of them where no name is given. */
  tellsOf(name?: string, field?: string): Sources {
    if (name === undefined)
      return unionAll([...this.#values.keys(), ...this.#rows.keys()].map((each) => this.tellsOf(each)))
    const row = this.#rows.get(this.#meant(name))
    const own = field === undefined ? undefined : row?.fields.get(field)
    if (row?.isClosed === true && own !== undefined) return own === null ? new Set() : tellsOf(own)
    return tellsOf(combine([this.valueOf(name)]))
  }

  /** The names of a row's fields, or null where they are not all known. */
  fieldsOf(name: string): readonly string[] | null {
    const row = this.#rows.get(this.#meant(name))
    return row?.isClosed === true ? [...row.fields.keys()] : null
  }

  /** The variable that a target means, and the field of it. */
  meantBy(target: PlTarget): { readonly name: string; readonly field: string | null } {
    const [first, second] = target.path
    // Behind the label of a block stands the variable.
    if (first !== undefined && !this.has(target.name) && this.has(first))
      return { name: this.#meant(first), field: second ?? null }
    return { name: this.#meant(target.name), field: first ?? null }
  }

  /** Notes that a target may get this value. */
  assign(target: PlTarget, value: Value): void {
    const { name, field } = this.meantBy(target)
    const row = this.#rows.get(name)
    const given = target.isElement ? combine([value]) : value
    if (row === undefined) this.#setValue(name, field === null ? given : combine([given]))
    else if (field !== null) this.#setField(row, field, given)
    else this.#setRow(row, given)
  }

  /** Adds to what a variable derives from, because it was compared. */
  taint(name: string, sources: Sources): void {
    const meant = this.#meant(name)
    const row = this.#rows.get(meant)
    if (row === undefined) return this.#setValue(meant, addSources(this.#values.get(meant) ?? plainValue, sources))
    for (const [field, value] of row.fields) this.#setField(row, field, addSources(value ?? plainValue, sources))
    if (!row.isClosed) row.rest = this.#merged(row.rest, addSources(row.rest ?? plainValue, sources))
  }

  /** The scope of a statement: what it does not find among its columns is a variable. */
  scope(place: ScopePlace, trace: Trace): Scope {
    if (this.#known?.changes !== this.#changes || this.#known.trace !== trace) {
      this.#known = { changes: this.#changes, trace, items: [this.#item(place.labels, trace)] }
    }
    const items = [...this.#known.items, ...(place.more ?? [])]
    return { ...rootScope(place.searchPath, { values: place.positional, items }), queries: place.tables }
  }

  #item(labels: readonly string[], trace: Trace): Item {
    const level = trace.table.level()
    const names = [...this.#aliases.keys()]
    const columns = [...this.#values.keys(), ...names.filter((each) => !this.#rows.has(this.#meant(each)))].map(
      (name) => ({ name, value: this.valueOf(name), isDoubtful: false }),
    )
    const plain = { schema: null, isRelation: false, rowType: 0, level, rest: null }
    const entries = labels.map((name) => trace.table.addAlias({ ...plain, name, columns }))
    const rows = [...this.#rows.keys(), ...names.filter((each) => this.#rows.has(this.#meant(each)))]
    for (const name of rows) {
      const row = this.#rows.get(this.#meant(name))
      if (row === undefined) continue
      const fields = fieldsOf(row).map(({ name: field, value }) => ({ name: field, value, isDoubtful: false }))
      const isKnown = row.isClosed || (row.rest === null && fields.length > 0)
      const rest = isKnown ? null : (row.rest ?? plainValue)
      entries.push(trace.table.addAlias({ ...plain, name, columns: fields, rest }))
    }
    return { entries, columns, rest: null }
  }

  #meant(name: string): string {
    return this.#aliases.get(name) ?? name
  }

  #setValue(name: string, value: Value): void {
    this.#values.set(name, this.#merged(this.#values.get(name) ?? null, value))
  }

  #setField(row: RowVariable, field: string, value: Value): void {
    row.fields.set(field, this.#merged(row.fields.get(field) ?? null, value))
  }

  #setRow(row: RowVariable, value: Value): void {
    const { fields } = value
    const names = [...row.fields.keys()]
    if (fields !== null && row.isClosed && fields.length === names.length) {
      fields.forEach((field, index) => this.#setField(row, names[index] ?? '', field.value))
    } else if (fields !== null && !row.isClosed) {
      for (const field of fields) this.#setField(row, field.name, field.value)
    } else {
      const whole = combine([value])
      for (const name of names) this.#setField(row, name, whole)
      if (!row.isClosed) row.rest = this.#merged(row.rest, whole)
    }
  }

  #merged(before: Value | null, value: Value): Value {
    const after = before === null ? value : either([before, value])
    if (before !== null && isSame(before, after)) return before
    this.#changes += 1
    return after
  }
}

/** What surrounds a statement besides the variables. */
export interface ScopePlace {
  readonly searchPath: readonly string[] | null
  /** `$1` and so on. */
  readonly positional: readonly Value[]
  /** Names that variables can be qualified with. */
  readonly labels: readonly string[]
  /** Tables that only exist while it runs. */
  readonly tables: ReadonlyMap<string, CommonTable>
  readonly more?: readonly Item[]
}

function fieldsOf(row: RowVariable): readonly Field[] {
  return [...row.fields].map(([name, value]) => ({ name, value: value ?? plainValue }))
}

function wholeRow(row: RowVariable): Value {
  const fields = fieldsOf(row)
  const isKnown = row.isClosed || (row.rest === null && fields.length > 0)
  if (isKnown) return rowOf(fields, 0)
  return combine([...fields.map(({ value }) => value), row.rest ?? plainValue])
}

/** Knowledge only grows, so that its amount tells whether it is the same. */
function isSame(before: Value, after: Value): boolean {
  return (
    sizeOf(before.sources) === sizeOf(after.sources) &&
    sizeOf(before.hints) === sizeOf(after.hints) &&
    sizeOf(before.presence) === sizeOf(after.presence) &&
    before.references.size === after.references.size &&
    before.innerReferences.size === after.innerReferences.size &&
    before.direct === after.direct &&
    before.isSynthetic === after.isSynthetic &&
    areFieldsSame(before, after)
  )
}

function areFieldsSame({ fields: before }: Value, { fields: after }: Value): boolean {
  if (before === null || after === null) return before === after
  return (
    before.length === after.length &&
    before.every((each, index) => isSame(each.value, after[index]?.value ?? plainValue))
  )
}

function sizeOf(sources: Sources): number {
  return sources === 'unknown' ? Infinity : sources.size
}
