import type { Sources } from '../../core/lineage.ts'
import { isFields, tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import type { Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import type { Atom, Level, Unit } from './range-table.ts'
import { listOf } from './tree.ts'
import { isNone, union, unionAll } from './sources.ts'
import { compareBits, tellsOf, unionReferences } from './value.ts'
import type { Value } from './value.ts'

/**
 * Notes a condition of a query level, such as WHERE or JOIN ON: what decides about rows, and what is compared with what.
 * The parts of an AND are units of their own.
 */
export function addCondition(node: unknown, scope: Scope, level: Level, trace: Trace, isOrdering = false): void {
  const bool = boolOf(node)
  if (bool?.operator === 'AND_EXPR') {
    for (const each of bool.args) addCondition(each, scope, level, trace, isOrdering)
    return
  }
  const atoms: Atom[] = []
  const callsBefore = trace.volatileCalls
  const isSimple = collectAtoms(node, scope, trace, atoms)
  if (trace.volatileCalls > callsBefore) noteVolatile(unionAll(atoms.map(({ value }) => tellsOf(value))), level)
  addUnit({ atoms, isSimple, isOrdering }, level, trace)
}

/** A condition with chance, a sequence or a clock in it asks another question of each row, as one with a number does. */
function noteVolatile(told: Sources, level: Level): void {
  level.rowSources = union(level.rowSources, told)
  level.transferSources = union(level.transferSources, told)
  level.outerTaint = union(level.outerTaint, told)
}

/** Notes a value that decides about rows or their order. */
export function addDecision(value: Value, level: Level, trace: Trace): void {
  addUnit({ atoms: [atomOf(value)], isSimple: true, isOrdering: true }, level, trace)
}

/** Traces a condition that decides about no rows of the level, such as a FILTER; also notes what it compares. */
export function traceCondition(
  node: unknown,
  scope: Scope,
  level: Level | null,
  trace: Trace,
  isOrdering = false,
): Value {
  const callsBefore = trace.volatileCalls
  const value = traceExpression(node, scope, trace)
  if (level !== null && trace.volatileCalls > callsBefore) noteVolatile(tellsOf(value), level)
  trace.addPredicates(tellsOf(value))
  if (!isNone(tellsOf(value))) trace.questions.add(node)
  level?.units.push({ atoms: [atomOf(value)], isSimple: true, isOrdering })
  return value
}

function atomOf(value: Value): Atom {
  return { value, isSearch: false, isWhole: false, isEquality: false, isColumn: false, parts: [] }
}

const wholeOperators: ReadonlySet<string> = new Set(['=', '<>', '!=', '<', '>', '<=', '>='])

const wholeKinds: ReadonlySet<unknown> = new Set([
  'AEXPR_OP',
  'AEXPR_OP_ANY',
  'AEXPR_OP_ALL',
  'AEXPR_DISTINCT',
  'AEXPR_NOT_DISTINCT',
  'AEXPR_IN',
])

/** Functions that leave a value as good as it is. */
const wholeFunctions: ReadonlySet<string> = new Set([
  'lower',
  'upper',
  'btrim',
  'unaccent',
  'min',
  'max',
  'any_value',
  'avg',
  'sum',
])

/** The subqueries in an expression, without those inside of them. */
function collectSubqueries(node: unknown, found: object[]): void {
  if (Array.isArray(node)) {
    for (const each of node) collectSubqueries(each, found)
    return
  }
  if (!isFields(node)) return
  const link = node['SubLink']
  if (isFields(link)) found.push(link)
  for (const key in node) if (key !== 'subselect') collectSubqueries(node[key], found)
}

function isColumnEquality(node: unknown): boolean {
  const found = tagged(node)
  if (found?.tag !== 'A_Expr' || !isFields(found.fields)) return false
  const { kind, name, lexpr, rexpr } = found.fields
  if (kind !== 'AEXPR_OP' || textsOf(name).at(-1) !== '=') return false
  return tagged(lexpr)?.tag === 'ColumnRef' && tagged(rexpr)?.tag === 'ColumnRef'
}

/** Whether columns are compared as they are; subqueries in it have to be asked as well. */
function isWholeComparison(node: unknown): boolean {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return false
  const fields = found.fields
  if (found.tag === 'A_Expr') {
    if (!wholeKinds.has(fields['kind']) || !wholeOperators.has(textsOf(fields['name']).at(-1) ?? '')) return false
    return isWholeValue(fields['lexpr']) && isWholeValue(fields['rexpr'])
  }
  if (found.tag === 'SubLink' && fields['subLinkType'] === 'EXISTS_SUBLINK') return true
  return isWholeValue(node)
}

/** Whether it is a column, or what is given, or the whole of one in another form. */
export function isWholeValue(node: unknown): boolean {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return false
  const fields = found.fields
  switch (found.tag) {
    case 'ColumnRef':
    case 'A_Const':
    case 'ParamRef':
      return true
    case 'TypeCast':
    case 'CollateClause':
    case 'NullTest':
      return isWholeValue(fields['arg'])
    case 'FuncCall':
      return (
        wholeFunctions.has(textsOf(fields['funcname']).at(-1) ?? '') &&
        listOf(fields['args']).every((each) => isWholeValue(each))
      )
    case 'CoalesceExpr':
    case 'RowExpr':
      return listOf(fields['args']).every((each) => isWholeValue(each))
    case 'List':
      return listOf(fields['items']).every((each) => isWholeValue(each))
    case 'SubLink':
      return fields['testexpr'] === undefined || isWholeValue(fields['testexpr'])
    default:
      return false
  }
}

function addUnit(unit: Unit, level: Level, trace: Trace): void {
  level.units.push(unit)
  for (const { value } of unit.atoms) {
    const tells = tellsOf(value)
    trace.addPredicates(tells)
    level.rowHints = union(level.rowHints, tells)
    level.references = unionReferences(level.references, unionReferences(value.references, value.innerReferences))
  }
}

/** Adds the parts that AND, OR and NOT do not divide further; says whether it is no more than an OR of them. */
function collectAtoms(node: unknown, scope: Scope, trace: Trace, atoms: Atom[]): boolean {
  const bool = boolOf(node)
  if (bool === null) {
    const value = traceExpression(node, scope, trace)
    if (!isNone(tellsOf(value))) trace.questions.add(node)
    const parts: object[] = []
    const isWhole = isWholeComparison(node)
    collectSubqueries(node, parts)
    const isColumn = tagged(node)?.tag === 'ColumnRef'
    atoms.push({ value, isSearch: isSearch(node), isWhole, isEquality: isColumnEquality(node), isColumn, parts })
    return true
  }
  const isNested = bool.operator === 'AND_EXPR' || (bool.operator === 'NOT_EXPR' && boolOf(bool.args[0]) !== null)
  let isSimple = !isNested
  for (const each of bool.args) isSimple = collectAtoms(each, scope, trace, atoms) && isSimple
  return isSimple
}

function boolOf(node: unknown): { readonly operator: unknown; readonly args: readonly unknown[] } | null {
  const found = tagged(node)
  if (found?.tag !== 'BoolExpr' || !isFields(found.fields)) return null
  return { operator: found.fields['boolop'], args: listOf(found.fields['args']) }
}

/** `concat(name, ' ', email) ILIKE $1` and its like: columns are only put next to each other there. */
function isSearch(node: unknown): boolean {
  const found = tagged(node)
  if (found?.tag !== 'A_Expr' || !isFields(found.fields)) return false
  const { lexpr, rexpr } = found.fields
  return (isGiven(rexpr) && isJoinedText(lexpr)) || (isGiven(lexpr) && isJoinedText(rexpr))
}

/** Whether it is made of constants and parameters only. */
function isGiven(node: unknown): boolean {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return false
  const fields = found.fields
  if (found.tag === 'A_Const' || found.tag === 'ParamRef') return true
  if (found.tag === 'TypeCast') return isGiven(fields['arg'])
  if (found.tag === 'List') return listOf(fields['items']).every(isGiven)
  if (found.tag === 'FuncCall') return listOf(fields['args']).every(isGiven)
  if (found.tag === 'A_Expr') return isGiven(fields['lexpr']) && isGiven(fields['rexpr'])
  return false
}

const joiningFunctions: ReadonlySet<string> = new Set([
  'concat',
  'concat_ws',
  'lower',
  'upper',
  'to_tsvector',
  'unaccent',
])

function isJoinedText(node: unknown): boolean {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return false
  const fields: Fields = found.fields
  switch (found.tag) {
    case 'A_Const':
    case 'ParamRef':
    case 'ColumnRef':
      return true
    case 'TypeCast':
    case 'CollateClause':
      return isJoinedText(fields['arg'])
    case 'CoalesceExpr':
      return listOf(fields['args']).every(isJoinedText)
    case 'FuncCall':
      return (
        joiningFunctions.has(textsOf(fields['funcname']).at(-1) ?? '') && listOf(fields['args']).every(isJoinedText)
      )
    case 'A_Expr':
      return textsOf(fields['name'])[0] === '||' && isJoinedText(fields['lexpr']) && isJoinedText(fields['rexpr'])
    default:
      return false
  }
}

/** Two columns that JOIN USING or NATURAL JOIN compares. */
export function addEquality(left: Value, right: Value, level: Level, trace: Trace): void {
  const atom = { ...atomOf(compareBits([left, right])), isWhole: true, isEquality: true }
  addUnit({ atoms: [atom], isSimple: true, isOrdering: false }, level, trace)
}

/** What decides which rows there are by being matched with each other, such as the arguments of a function in FROM. */
export function addMatch(value: Value, level: Level, trace: Trace): void {
  const unit = { atoms: [atomOf(value)], isSimple: true, isOrdering: false }
  if (isNone(tellsOf(value))) level.units.push(unit)
  else addUnit(unit, level, trace)
}
