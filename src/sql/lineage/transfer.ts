import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Trace } from './context.ts'
import { isRows, taintAll, taintColumn, taintHints, valueAt } from './range-table.ts'
import type { Atom, Entry, Level, Unit } from './range-table.ts'
import { areTagsCarried, isNone, union, unionAll, without } from './sources.ts'
import { noReferences, tellsOf, unionReferences } from './value.ts'
import type { References, Value } from './value.ts'

/*
 * Comparing gives away: whoever joins a table of letters to `substr(email, 1, 1)` reads the e-mail address from the
 * letters that are left. So the rows of what is compared with a classified column derive from it, all their columns,
 * and so do rows that are compared with those. What a column is compared with that is given (constants, parameters)
 * tells one bit for each row, which is documented inference and stays usable.
 */

/** Applies all conditions of a level until nothing new is learnt. */
export function settleUnits(level: Level, trace: Trace): void {
  markRepeated(level, trace)
  let isNew = true
  while (isNew) {
    isNew = false
    trace.visit(level.units.length)
    for (const unit of level.units) isNew = applyUnit(unit, level, trace) || isNew
  }
}

/** What one entry brings to a unit. */
interface Part {
  readonly entry: Entry
  readonly positions: readonly number[]
  /** What those of its columns tell of. */
  readonly own: Sources
  /** Whether each of those columns is classified itself. */
  readonly isClassified: boolean
}

function applyUnit(unit: Unit, level: Level, trace: Trace): boolean {
  const told = unionAll(unit.atoms.map((atom) => tellsInUnit(atom, unit, trace)))
  if (isNone(told)) return false
  const references = unit.atoms.reduce<References>(
    (all, { value }) => unionReferences(all, value.references),
    noReferences,
  )
  const parts = partsOf(references, trace)
  let isNew = applyBetween(unit, { parts, told, level }, trace)
  for (const atom of unit.atoms) isNew = applyWithin(atom, unit, { level, trace }) || isNew
  return isNew
}

/** What rows of several entries give away about each other. */
function applyBetween(
  unit: Unit,
  { parts, told, level }: { parts: readonly Part[]; told: Sources; level: Level },
  trace: Trace,
): boolean {
  // What comes from no column that the unit points to comes out of a subquery.
  const rest = without(told, unionAll(parts.map((part) => part.own)))
  // Compared with a part of the same column's values, which is nothing that the column itself would tell.
  const hasPartOfSame = unit.atoms.some((atom) => atom.parts.some((part) => trace.partialSubqueries.has(part)))
  const isPlain = isPlainSort(unit, level, parts)
  let isNew = false
  for (const part of parts) {
    // Sorting by a column compares rows of this level, for each of which what is around it is the same.
    if (isPlain && part.entry.level !== level) continue
    const others = parts.filter((other) => other !== part).map((other) => other.own)
    const foreign = unionAll([rest, hasPartOfSame ? told : noSources, ...others])
    if (isNone(foreign)) continue
    if (part.isClassified && areWhole(unit, trace) && areTagsCarried(foreign, part.own, trace.schema.classification))
      continue
    const isOneBit = unit.isSimple && unit.atoms.length > 1 && isOneBitFor(unit, part, trace)
    if (part.entry.level !== level) level.outerTaint = union(level.outerTaint, foreign)
    const isNewHere = isOneBit ? taintHints(part.entry, foreign) : taintAll(part.entry, foreign)
    if (!isOneBit) {
      level.rowSources = union(level.rowSources, foreign)
      part.entry.level.rowSources = union(part.entry.level.rowSources, foreign)
      if (part.entry.level.hasOuterJoin || !isEquality(unit, trace)) {
        part.entry.level.transferSources = union(part.entry.level.transferSources, foreign)
      }
    }
    isNew ||= isNewHere
  }
  return isNew
}

/** Whether it sorts by a column that holds classified values and nothing else, and that no comparing has made. */
function isPlainSort(unit: Unit, level: Level, parts: readonly Part[]): boolean {
  if (!unit.isOrdering || unit.atoms.length !== 1 || unit.atoms[0]?.isColumn !== true) return false
  return parts
    .filter(({ entry }) => entry.level === level)
    .every(({ entry, positions }) =>
      positions.every((position) => {
        const value = valueAt(entry, position)
        return isPure(value) && value?.isCompared !== true
      }),
    )
}

/** Whether what it compares are columns as they are, so that nobody learns of a part of one. */
function areWhole(unit: Unit, trace: Trace): boolean {
  return unit.atoms.every(
    (atom) => isNone(tellsOfAtom(atom.value, trace)) || (atom.isWhole && areColumnsWhole(atom, trace)),
  )
}

/** Whether it is `o.mail = c.email`: the rows it chooses are those of which the whole value was known. */
function isEquality(unit: Unit, trace: Trace): boolean {
  const [atom] = unit.atoms
  if (unit.atoms.length !== 1 || atom === undefined || !atom.isEquality) return false
  // What is called a column may be an argument of a function or a column of a subquery, and an expression there.
  return !atom.value.isCombined && areColumnsWhole(atom, trace)
}

function areColumnsWhole({ value, parts }: Atom, trace: Trace): boolean {
  if (parts.some((part) => trace.partialSubqueries.has(part))) return false
  return [...value.references].every((reference) => {
    const found = isRows(reference) ? null : trace.table.find(reference)
    const column = found === null ? null : valueAt(found.entry, found.position)
    return column === null || isNone(tellsOf(column)) || column.direct !== null
  })
}

/**
 * `c.email LIKE $1 OR o.number = $2` is one bit about each pair of rows, as long as no part of it compares the two and
 * nothing is known yet about those it would tell of.
 */
function isOneBitFor(unit: Unit, part: Part, trace: Trace): boolean {
  if (!isNone(part.entry.taint.hints) || !isNone(part.entry.taint.all)) {
    const isFirst = trace.oneBitUnits.get(part.entry) === unit
    if (!isFirst) return false
  }
  for (const atom of unit.atoms) {
    const told = tellsOfAtom(atom.value, trace)
    if (isNone(told)) continue
    if (partsOf(atom.value.references, trace).some(({ entry }) => entry === part.entry)) return false
  }
  trace.oneBitUnits.set(part.entry, unit)
  return true
}

/** What columns of one row give away about each other, such as a name that the e-mail address begins with. */
function applyWithin(atom: Atom, unit: Unit, { level, trace }: { level: Level; trace: Trace }): boolean {
  let isNew = false
  for (const { entry, positions, own } of partsOf(atom.value.references, trace)) {
    if (isNone(own)) continue
    // A column that was worked out by comparing tells of all of its row, whatever it is looked for in.
    const isTold = positions.some(
      (position) =>
        valueAt(entry, position)?.isCompared === true ||
        (unit.isOrdering && !isPure(valueAt(entry, position)) && !isBit(entry, position)),
    )
    if (isTold) {
      isNew = taintAll(entry, own) || isNew
      entry.level.rowSources = union(entry.level.rowSources, own)
      if (entry.level !== level) level.outerTaint = union(level.outerTaint, own)
      continue
    }
    if (atom.isSearch) continue
    const compared = positions.filter((position) => isNone(tellsAt(entry, position)))
    if (compared.length > 0 && !entry.isRelation) {
      // Whoever wrote the rows chose what stands beside what is compared, and how often a value is among them.
      isNew = taintAll(entry, own) || isNew
      entry.level.rowSources = union(entry.level.rowSources, own)
      if (entry.level.hasOuterJoin) entry.level.transferSources = union(entry.level.transferSources, own)
      if (entry.level !== level) level.outerTaint = union(level.outerTaint, own)
      continue
    }
    for (const position of compared) {
      if (!taintColumn(entry, position, own)) continue
      isNew = true
      if (entry.level !== level) level.outerTaint = union(level.outerTaint, own)
    }
  }
  return isNew && unit.atoms.length > 0
}

function partsOf(references: References, trace: Trace): readonly Part[] {
  const byEntry = new Map<Entry, number[]>()
  for (const reference of references) {
    if (isRows(reference)) continue
    const found = trace.table.find(reference)
    if (found === null) continue
    const positions = byEntry.get(found.entry)
    if (positions === undefined) byEntry.set(found.entry, [found.position])
    else positions.push(found.position)
  }
  return [...byEntry].map(([entry, positions]) => {
    const sources = positions.map((position) => union(tellsAt(entry, position), taintAt(entry, position)))
    return {
      entry,
      positions,
      own: unionAll(sources),
      isClassified: positions.every((position) => isPure(valueAt(entry, position))),
    }
  })
}

/** Whether a column tells no more than one bit of anything classified. */
function isBit(entry: Entry, position: number): boolean {
  const value = valueAt(entry, position)
  return value !== null && isNone(value.sources) && !isNone(tellsOf(value))
}

/** Whether it is a classified value in every row. */
function isPure(value: Value | null): boolean {
  return value !== null && !isNone(value.sources) && !value.isMixed
}

/** What the column itself tells of, apart from what was learnt later. */
function tellsAt(entry: Entry, position: number): Sources {
  const value = valueAt(entry, position)
  return value === null ? noSources : tellsOf(value)
}

function taintAt(entry: Entry, position: number): Sources {
  return union(entry.taint.all, entry.taint.columns.get(position) ?? noSources)
}

/**
 * All that a unit tells of. Whether a subquery finds a row at all is left out where the unit is a single comparison:
 * `o.customer_id = (SELECT id FROM customers WHERE email = $1)` compares nothing with the address.
 */
function tellsInUnit(atom: Atom, unit: Unit, trace: Trace): Sources {
  const told = tellsOfAtom(atom.value, trace)
  const isSingle = unit.atoms.length === 1 && !trace.repeatedUnits.has(unit)
  return isSingle ? told : union(told, atom.value.presence)
}

function tellsOfAtom(value: Value, trace: Trace): Sources {
  const learnt = trace.table.taintOf(unionReferences(value.references, value.innerReferences))
  return union(union(value.sources, value.hints), learnt)
}

/** The same column compared with several subqueries that may find no row: together they are more than one bit. */
function markRepeated(level: Level, trace: Trace): void {
  const seen = new Map<number, Unit>()
  for (const unit of level.units) {
    const isTelling = unit.atoms.some(({ value }) => !isNone(value.presence))
    if (!isTelling) continue
    for (const { value } of unit.atoms) {
      for (const reference of value.references) {
        const first = seen.get(reference)
        if (first === undefined) seen.set(reference, unit)
        else if (first !== unit) {
          trace.repeatedUnits.add(first)
          trace.repeatedUnits.add(unit)
        }
      }
    }
  }
}
