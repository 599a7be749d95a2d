import type { ClassifiedWrite } from '../../core/lineage.ts'
import { isFields, tagged } from '../parse-tree.ts'
import { listOf, toFields } from './tree.ts'

type Literals = Pick<ClassifiedWrite, 'isExact' | 'constants' | 'parameters'>

/** The constants and parameters of an expression; null where there are none. */
export function literalsOf(node: unknown): Literals | null {
  const exact = exactOf(node)
  if (exact !== null) return exact
  const constants: (string | null)[] = []
  const parameters: number[] = []
  collect(node, constants, parameters)
  return constants.length + parameters.length === 0 ? null : { isExact: false, constants, parameters }
}

/** One constant or parameter as it is, casts aside. */
function exactOf(node: unknown): Literals | null {
  const found = tagged(node)
  const fields = toFields(found?.fields)
  if (found?.tag === 'TypeCast' || found?.tag === 'CollateClause') return exactOf(fields['arg'])
  if (found?.tag === 'ParamRef' && typeof fields['number'] === 'number') {
    return { isExact: true, constants: [], parameters: [fields['number']] }
  }
  return found?.tag === 'A_Const' ? { isExact: true, constants: [constantOf(fields)], parameters: [] } : null
}

function collect(node: unknown, constants: (string | null)[], parameters: number[]): void {
  if (Array.isArray(node)) {
    for (const each of listOf(node)) collect(each, constants, parameters)
    return
  }
  if (!isFields(node)) return
  for (const key in node) {
    const fields = toFields(node[key])
    if (key === 'A_Const') constants.push(constantOf(fields))
    else if (key === 'ParamRef' && typeof fields['number'] === 'number') parameters.push(fields['number'])
    else if (key !== 'TypeName') collect(node[key], constants, parameters)
  }
}

/** The text of a constant. The parser leaves out what is empty, zero or false. */
function constantOf(fields: Readonly<Record<string, unknown>>): string | null {
  if (fields['isnull'] === true) return null
  const kinds = [
    ['sval', ''],
    ['fval', ''],
    ['ival', '0'],
    ['boolval', 'false'],
    ['bsval', ''],
  ] as const
  for (const [kind, empty] of kinds) {
    const holder = fields[kind]
    if (isFields(holder)) return scalarOf(holder[kind]) ?? empty
  }
  return ''
}

function scalarOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}
