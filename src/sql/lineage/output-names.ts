import { isFields, tagged, textsOf } from '../parse-tree.ts'
import type { Trace } from './context.ts'
import { listOf } from './tree.ts'

/** How firmly PostgreSQL holds on to a name: a cast replaces what is no more than `weak`. */
interface Named {
  readonly name: string
  readonly isWeak: boolean
}

/**
 * The name PostgreSQL gives an output column that has none, as FigureColname in its source does. It has to be the same,
 * since a query around this one refers to the column by it.
 */
export function nameOfExpression(node: unknown, trace: Trace): string {
  return figure(node, trace)?.name ?? '?column?'
}

function figure(node: unknown, trace: Trace): Named | null {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return null
  const fields = found.fields
  switch (found.tag) {
    case 'ColumnRef':
      return firm(textsOf(fields['fields']).at(-1))
    case 'A_Indirection':
      return firm(textsOf(fields['indirection']).at(-1)) ?? figure(fields['arg'], trace)
    case 'FuncCall':
      return firm(textsOf(fields['funcname']).at(-1))
    case 'A_Expr':
      return fields['kind'] === 'AEXPR_NULLIF' ? firm('nullif') : null
    case 'TypeCast':
      return figureCast(fields, trace)
    case 'CollateClause':
      return figure(fields['arg'], trace)
    case 'SubLink':
      return figureSubLink(fields, trace)
    case 'CaseExpr': {
      const other = figure(fields['defresult'], trace)
      return other === null || other.isWeak ? { name: 'case', isWeak: true } : other
    }
    case 'MinMaxExpr':
      return firm(fields['op'] === 'IS_LEAST' ? 'least' : 'greatest')
    case 'SQLValueFunction':
      return firm(
        String(fields['op'])
          .replace(/^SVFOP_/, '')
          .replace(/_N$/, '')
          .toLowerCase(),
      )
    case 'XmlExpr':
      return firm(String(fields['op']).replace(/^IS_/, '').toLowerCase())
    case 'JsonFuncExpr':
      return firm(String(fields['op']).replace(/_OP$/, '').toLowerCase())
    default:
      return firm(fixedNames.get(found.tag))
  }
}

function figureCast(fields: Readonly<Record<string, unknown>>, trace: Trace): Named | null {
  const inner = figure(fields['arg'], trace)
  if (inner !== null && !inner.isWeak) return inner
  const type = fields['typeName']
  const name = isFields(type) ? textsOf(type['names']).at(-1) : undefined
  return name === undefined ? inner : { name, isWeak: true }
}

function figureSubLink(fields: Readonly<Record<string, unknown>>, trace: Trace): Named | null {
  switch (fields['subLinkType']) {
    case 'EXISTS_SUBLINK':
      return firm('exists')
    case 'ARRAY_SUBLINK':
      return firm('array')
    case 'EXPR_SUBLINK':
      return firm(trace.subqueryNames.get(fields))
    default:
      return null
  }
}

const fixedNames: ReadonlyMap<string, string> = new Map([
  ['GroupingFunc', 'grouping'],
  ['MergeSupportFunc', 'merge_action'],
  ['A_ArrayExpr', 'array'],
  ['RowExpr', 'row'],
  ['CoalesceExpr', 'coalesce'],
  ['XmlSerialize', 'xmlserialize'],
  ['JsonParseExpr', 'json'],
  ['JsonScalarExpr', 'json_scalar'],
  ['JsonSerializeExpr', 'json_serialize'],
  ['JsonObjectConstructor', 'json_object'],
  ['JsonArrayConstructor', 'json_array'],
  ['JsonArrayQueryConstructor', 'json_array'],
  ['JsonObjectAgg', 'json_objectagg'],
  ['JsonArrayAgg', 'json_arrayagg'],
])

function firm(name: string | undefined): Named | null {
  return name === undefined ? null : { name, isWeak: false }
}

/** The column names of an alias. */
export function columnAliases(alias: unknown): readonly string[] {
  return isFields(alias) ? textsOf(listOf(alias['colnames'])) : []
}
