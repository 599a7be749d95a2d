import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Trace } from './context.ts'
import { isRows } from './range-table.ts'
import type { Level } from './range-table.ts'
import { isNone, union, unionAll } from './sources.ts'
import { addHints, tellsOf, unionReferences } from './value.ts'
import type { References, Value } from './value.ts'

/*
 * `SELECT word FROM dict WHERE word = 'a' AND EXISTS (SELECT FROM customers WHERE email LIKE 'a%')` is as good as the
 * constant 'a' behind that condition: nothing connects the rows of `dict` with those of `customers`, so that whoever
 * wrote it chose the value. Joined rows, as those of a customer's orders, are not chosen.
 */

/** What the conditions of a level tell of, by the entries that are connected with each other. */
export interface Gates {
  /** The group of an entry; those that conditions connect are in one. */
  readonly groupOf: (entry: number) => number
  readonly told: ReadonlyMap<number, Sources>
  readonly all: Sources
  readonly entriesOf: (references: References) => readonly number[]
}

/** Conditions that belong to no entry are in this group. */
const nowhere = -1

/** Groups the entries of a level; null where no condition tells of anything. */
export function gatesOf(level: Level, trace: Trace): Gates | null {
  const values = level.units.flatMap((unit) => unit.atoms.map(({ value }) => value))
  const all = unionAll(values.map(tellsOf))
  if (isNone(all)) return null
  const parents = new Map<number, number>()
  const find = (entry: number): number => {
    const parent = parents.get(entry) ?? entry
    return parent === entry ? entry : find(parent)
  }
  const entriesOf = (references: References): readonly number[] => {
    const ids = new Set<number>()
    for (const each of references) {
      if (isRows(each)) continue
      const found = trace.table.find(each)
      if (found?.entry.level === level) ids.add(found.entry.id)
    }
    return [...ids]
  }
  const unitEntries = level.units.map((unit) =>
    entriesOf(
      unit.atoms.reduce((known, { value }) => unionReferences(known, pointsTo(value)), new Set<number>() as References),
    ),
  )
  for (const [first, ...others] of unitEntries) {
    if (first !== undefined) for (const each of others) parents.set(find(each), find(first))
  }
  const told = new Map<number, Sources>()
  level.units.forEach((unit, index) => {
    const [first] = unitEntries[index] ?? []
    const group = first === undefined ? nowhere : find(first)
    const tells = unionAll(unit.atoms.map(({ value }) => tellsOf(value)))
    told.set(group, union(told.get(group) ?? noSources, tells))
  })
  return { groupOf: find, told, all, entriesOf }
}

/** A value with what decides about its row without being connected with it; it is then as good as chosen. */
export function gated(value: Value, gates: Gates | null): Value {
  if (gates === null) return value
  const groups = new Set(gates.entriesOf(pointsTo(value)).map((entry) => gates.groupOf(entry)))
  let told: Sources = noSources
  for (const [group, sources] of gates.told) if (!groups.has(group)) told = union(told, sources)
  if (isNone(told) || (groups.size === 0 && !value.isSynthetic)) return value
  return { ...addHints(value, told), isSynthetic: true }
}

function pointsTo(value: Value): References {
  return unionReferences(value.references, value.innerReferences)
}
