import type { BuiltinFunction, CatalogFunction, CatalogParameter, Oid } from '../../core/catalog.ts'
import type { RowReader } from './row-reader.ts'

const kinds: ReadonlyMap<string, CatalogFunction['kind']> = new Map([
  ['f', 'function'],
  ['p', 'procedure'],
  ['a', 'aggregate'],
  ['w', 'window'],
])

const volatilities: ReadonlyMap<string, CatalogFunction['volatility']> = new Map([
  ['i', 'immutable'],
  ['s', 'stable'],
  ['v', 'volatile'],
])

const modes: ReadonlyMap<string, CatalogParameter['mode']> = new Map([
  ['i', 'in'],
  ['o', 'out'],
  ['b', 'inout'],
  ['v', 'variadic'],
  ['t', 'table'],
])

/** Reads the functions that are not PostgreSQL's own; `bodies` are those in the standard's form, by oid. */
export function readFunctions(row: RowReader, bodies: ReadonlyMap<Oid, string | null>): CatalogFunction[] {
  const functions: CatalogFunction[] = []
  while (row.next()) {
    const head = {
      oid: row.number(),
      schema: row.text(),
      name: row.text(),
      kind: row.oneOf(kinds),
      language: row.text(),
      volatility: row.oneOf(volatilities),
      returnsSet: row.boolean(),
      returnType: row.number(),
      parameters: parametersOf(row.numbers(), row.lettersOrNull(), row.textsOrNull()),
      defaultCount: row.number(),
    }
    const source = row.textOrNull()
    const isStandardBody = row.boolean()
    const body = isStandardBody ? (bodies.get(head.oid) ?? null) : source
    const isFromExtension = row.boolean()
    const { searchPath, isReadable } = searchPathOf(row.textsOrNull())
    // Under a search path that cannot be read the body's names mean nothing.
    functions.push({ ...head, body: isReadable ? body : null, isStandardBody, isFromExtension, searchPath })
  }
  return functions
}

/** proargmodes and proargnames are NULL where all parameters are input and have no names. */
function parametersOf(types: readonly Oid[], letters: string[] | null, names: string[] | null): CatalogParameter[] {
  return types.map((type, i) => ({
    name: names?.[i] ?? '',
    type,
    mode: modes.get(letters?.[i] ?? 'i') ?? 'in',
  }))
}

/** The search path among a function's settings, `name=value` each. */
function searchPathOf(settings: readonly string[] | null): {
  searchPath: readonly string[] | null
  isReadable: boolean
} {
  const prefix = 'search_path='
  const setting = settings?.find((each) => each.toLowerCase().startsWith(prefix))
  if (setting === undefined) return { searchPath: null, isReadable: true }
  const searchPath = splitPath(setting.slice(prefix.length))
  return { searchPath, isReadable: searchPath !== null }
}

/** Names separated by commas, in double quotes or folded, as SplitIdentifierString in PostgreSQL's source reads them. */
function splitPath(value: string): string[] | null {
  const schemas: string[] = []
  if (/^\s*$/.test(value)) return schemas
  const item = /[ \t\n\v\f\r]*(?:"((?:[^"]|"")*)"|([^ \t\n\v\f\r",]+))[ \t\n\v\f\r]*(,|$)/gy
  for (;;) {
    const match = item.exec(value)
    if (match === null) return null
    const folded = match[2]?.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase())
    const name = match[1]?.replaceAll('""', '"') ?? folded ?? ''
    // SET search_path TO '' is kept as one empty name, which no schema has.
    if (name !== '') schemas.push(name)
    if (match[3] !== ',') return item.lastIndex === value.length ? schemas : null
  }
}

/** Reads PostgreSQL's own functions, which come in the order of their names, and merges those of one name. */
export function readBuiltins(row: RowReader): BuiltinFunction[] {
  const merged: BuiltinFunction[] = []
  while (row.next()) {
    const next = readBuiltin(row)
    const last = merged.at(-1)
    if (last !== undefined && last.name === next.name) merged[merged.length - 1] = worse(last, next)
    else merged.push(next)
  }
  return merged
}

function readBuiltin(row: RowReader): BuiltinFunction {
  const name = row.text()
  const kind = row.oneOf(kinds)
  const volatility = row.oneOf(volatilities)
  const returnsSet = row.boolean()
  const isPseudo = row.text() === 'p'
  const returnType = row.number()
  const letters = row.lettersOrNull() ?? []
  const names = row.textsOrNull() ?? []
  return {
    name,
    volatility,
    isAggregate: kind === 'aggregate',
    isWindow: kind === 'window',
    returnsSet,
    returnType: isPseudo ? 0 : returnType,
    outputs: names.filter((_, i) => letters[i] === 'o' || letters[i] === 'b' || letters[i] === 't'),
  }
}

function worse(a: BuiltinFunction, b: BuiltinFunction): BuiltinFunction {
  const order = ['immutable', 'stable', 'volatile'] as const
  const isSame = a.outputs.length === b.outputs.length && a.outputs.every((name, i) => name === b.outputs[i])
  return {
    name: a.name,
    volatility: order[Math.max(order.indexOf(a.volatility), order.indexOf(b.volatility))] ?? 'volatile',
    isAggregate: a.isAggregate || b.isAggregate,
    isWindow: a.isWindow || b.isWindow,
    returnsSet: a.returnsSet || b.returnsSet,
    returnType: a.returnType === b.returnType ? a.returnType : 0,
    outputs: isSame ? a.outputs : [],
  }
}
