import type { CommandName, StatementAnalysis } from '../core/statement.ts'
import { Effects } from './effects.ts'
import type { NodeOf } from './parse-tree.ts'
import { isFields, tagged } from './parse-tree.ts'
import { hasInto, walkQuery } from './queries.ts'
import { relationOf, walkTree } from './walk.ts'
import type { Walk } from './walk.ts'

/** How a statement has another one analysed that it holds. */
export type Dispatch = (node: unknown, walk: Walk) => CommandName

/** SELECT, VALUES and TABLE; with INTO, a SELECT that makes a table. */
export function select(statement: NodeOf<'SelectStmt'>, walk: Walk): CommandName {
  walk.effects.hasQuery = true
  // The table it makes is what it is first of all; walking notes it before any other command.
  walkQuery('SelectStmt', statement, walk, null)
  return hasInto(statement) ? 'SELECT INTO' : 'SELECT'
}

/** A query that writes. */
export function write<Tag extends 'InsertStmt' | 'UpdateStmt' | 'DeleteStmt' | 'MergeStmt'>(
  tag: Tag,
  command: CommandName,
): (statement: NodeOf<Tag>, walk: Walk) => CommandName {
  return (statement, walk) => {
    walkQuery(tag, statement, walk, null)
    return command
  }
}

/** COPY in its six forms, of a table or a query. */
export function copy(statement: NodeOf<'CopyStmt'>, walk: Walk, dispatch: Dispatch): CommandName {
  const isFrom = statement.is_from === true
  // The tree leaves out an empty file name, so COPY FROM '' looks like STDIN; PostgreSQL fails to open such a file.
  const isFile = statement.filename !== undefined
  const suffix = statement.is_program === true ? ' PROGRAM' : isFile ? ' FILE' : ''
  const command = `${isFrom ? 'COPY FROM' : 'COPY TO'}${suffix}`
  if (suffix === '') walk.effects.copy = isFrom ? 'in' : 'out'
  const inner: Walk = { effects: new Effects(), rules: walk.rules }
  if (statement.query !== undefined) dispatch(statement.query, inner)
  else if (isFrom) inner.effects.add('INSERT', [relationOf(statement.relation)])
  else inner.effects.read(relationOf(statement.relation))
  // What a query would send is what it reads: a policy on COPY TO of a relation holds for both forms.
  walk.effects.add(command, statement.query === undefined ? [relationOf(statement.relation)] : inner.effects.reads)
  walk.effects.include(inner.effects)
  walkTree([statement.whereClause, statement.options], walk, null, (relation) => walk.effects.read(relation))
  return command
}

/**
 * EXPLAIN. With ANALYZE the statement runs, so all it does is listed. Without, nothing runs, but the plan and its
 * estimates tell about the contents of every relation concerned, so these are read.
 */
export function explain(statement: NodeOf<'ExplainStmt'>, walk: Walk, dispatch: Dispatch): CommandName {
  const inner = new Effects()
  walk.effects.add('EXPLAIN')
  dispatch(statement.query, { effects: inner, rules: walk.rules })
  if (isAnalyze(statement.options ?? [])) {
    walk.effects.include(inner)
  } else {
    for (const command of inner.commands) {
      if (!makesRelation.has(command.name)) for (const relation of command.relations) walk.effects.read(relation)
    }
    if (inner.executes !== null) walk.effects.add('EXECUTE')
    walk.effects.includeReads(inner)
  }
  return 'EXPLAIN'
}

const makesRelation: ReadonlySet<CommandName> = new Set(['CREATE TABLE AS', 'CREATE MATERIALIZED VIEW', 'SELECT INTO'])

/** CREATE TABLE AS and CREATE MATERIALIZED VIEW, whose query runs now. */
export function createTableAs(statement: NodeOf<'CreateTableAsStmt'>, walk: Walk, dispatch: Dispatch): CommandName {
  const command = statement.objtype === 'OBJECT_MATVIEW' ? 'CREATE MATERIALIZED VIEW' : 'CREATE TABLE AS'
  walk.effects.add(command, [relationOf(statement.into?.rel)])
  dispatch(statement.query, walk)
  return command
}

/** PREPARE: nothing runs before EXECUTE, which the session looks up by name. */
export function prepare(
  statement: NodeOf<'PrepareStmt'>,
  walk: Walk,
  analyzeInner: (node: unknown) => StatementAnalysis,
): CommandName {
  walk.effects.add('PREPARE')
  walk.effects.prepares = { name: statement.name ?? '', analysis: analyzeInner(statement.query) }
  return 'PREPARE'
}

/** EXECUTE of what PREPARE has named before. Its parameters are evaluated now. */
export function execute(statement: NodeOf<'ExecuteStmt'>, walk: Walk): CommandName {
  walk.effects.add('EXECUTE')
  walk.effects.executes = statement.name ?? ''
  walkTree(statement.params, walk, null, (relation) => walk.effects.read(relation))
  return 'EXECUTE'
}

/** DECLARE: the cursor's query is opened now. */
export function declareCursor(statement: NodeOf<'DeclareCursorStmt'>, walk: Walk, dispatch: Dispatch): CommandName {
  walk.effects.add('DECLARE CURSOR')
  walk.effects.declares = statement.portalname ?? ''
  dispatch(statement.query, walk)
  return 'DECLARE CURSOR'
}

/** DO: code in a language of its own. */
export function doBlock(_statement: NodeOf<'DoStmt'>, walk: Walk): CommandName {
  walk.effects.add('DO')
  walk.effects.hide('DO runs code that Postern cannot read')
  return 'DO'
}

/** CALL: the procedure's code is not here, and it may even end the transaction. */
export function call(statement: NodeOf<'CallStmt'>, walk: Walk): CommandName {
  walk.effects.add('CALL')
  walk.effects.hide('CALL runs a procedure that Postern cannot read')
  walkTree({ FuncCall: statement.funccall }, walk, null, (relation) => walk.effects.read(relation))
  return 'CALL'
}

/**
 * Whether EXPLAIN's options say ANALYZE; the last one wins, as in PostgreSQL. Only what PostgreSQL certainly takes for
 * false is false.
 */
function isAnalyze(options: readonly unknown[]): boolean {
  let isOn = false
  for (const option of options) {
    const fields = tagged(option)?.fields
    if (!isFields(fields) || String(fields['defname']).toLowerCase() !== 'analyze') continue
    isOn = !isFalse(fields['arg'])
  }
  return isOn
}

function isFalse(value: unknown): boolean {
  const found = tagged(value)
  if (found === null || !isFields(found.fields)) return false
  if (found.tag === 'Integer') return (found.fields['ival'] ?? 0) === 0
  if (found.tag === 'Boolean') return found.fields['boolval'] !== true
  return found.tag === 'String' && /^(?:false|off)$/i.test(String(found.fields['sval']))
}
