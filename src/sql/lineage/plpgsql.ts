import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { hasInto, queryTags } from '../queries.ts'
import { tagged, textsOf } from '../parse-tree.ts'
import { Untraceable, unknownResult } from './context.ts'
import type { CommonTable, QueryResult, Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { describeColumns } from './names.ts'
import { runDynamic } from './plpgsql-dynamic.ts'
import { mentionedSources } from './plpgsql-mentions.ts'
import { argsOfCall, assignedExpression, atomsOf, namesIn } from './plpgsql-nodes.ts'
import { knownValue, mergeResults, noRows, seen } from './plpgsql-results.ts'
import type { TriggerPlace } from './plpgsql-templates.ts'
import type { PlBody, PlQuery, PlSource, PlStatement, PlTarget } from './plpgsql-tree.ts'
import type { ScopePlace, Variables } from './plpgsql-variables.ts'
import { allOf, traceQueryNode } from './select.ts'
import { isNone, union } from './sources.ts'
import { traceUtility } from './statements.ts'
import { observerOf } from './trigger-observer.ts'
import { fieldsOf, listOf } from './tree.ts'
import { addHints, combine, derivedFrom, plainValue, rowOf, tellsOf } from './value.ts'
import type { Value } from './value.ts'

/** A body with what it runs over. */
export interface BodyCall {
  readonly body: PlBody
  readonly variables: Variables
  /** Variables that whoever calls it sets. */
  readonly given: ReadonlySet<string>
  /** What variables can be qualified with: the function's name. */
  readonly name: string
  readonly positional: readonly Value[]
  readonly searchPath: readonly string[] | null
  readonly tables: ReadonlyMap<string, CommonTable>
  readonly trigger: TriggerPlace | null
}

/** What a body gives. */
export interface BodyResult {
  /** What it returns, row by row or as a whole. */
  readonly values: readonly Value[]
  readonly queries: readonly QueryResult[]
  /** What all of its conditions tell of. */
  readonly told: Sources
}

/** Every pass learns something new, and there is an end to that. */
const passesMax = 30

/**
 * Traces a body: all that its statements do, with its variables deriving from everything that is assigned to them
 * anywhere. Throws `Untraceable` where there is too much of it.
 */
export function runBody(call: BodyCall, trace: Trace): BodyResult {
  const run = new BodyRun(call, trace)
  return run.run()
}

/** One body while it is traced. */
export class BodyRun {
  readonly call: BodyCall
  readonly trace: Trace
  readonly #cursors = new Map<string, QueryResult>()
  readonly #loops = new Map<PlStatement, Sources>()
  #values: Value[] = []
  #queries: QueryResult[] = []
  #told: Sources = noSources
  /** What decides how often the loops around run, and what is done in them. */
  #around: Sources | null = null
  /** What decides which rows its statements find. */
  #rows: Sources = noSources

  constructor(call: BodyCall, trace: Trace) {
    this.call = call
    this.trace = trace
  }

  run(): BodyResult {
    const { variables } = this.call
    const { writes } = this.trace
    const writesBefore = writes.length
    for (let pass = 1; ; pass += 1) {
      if (pass > passesMax) throw new Untraceable('calls a function that is too large to be traced')
      const before = `${variables.changes} ${sizeOf(this.#told)}`
      this.#values = []
      this.#queries = []
      writes.length = writesBefore
      this.#declarations()
      this.#all(this.call.body.statements)
      if (`${variables.changes} ${sizeOf(this.#told)}` === before) break
    }
    return { values: this.#values, queries: this.#queries, told: this.#told }
  }

  /** What an expression gives. */
  evaluate(expression: string): Value {
    const result = this.query(`SELECT ${expression}`, expression)
    return result.columns?.length === 1
      ? seen(result.columns[0]?.value ?? plainValue, result)
      : seen(allOf(result), result)
  }

  /** Traces SQL text that stands in the body. */
  query(sql: string, text = sql): QueryResult {
    const { variables } = this.call
    return this.following(
      () => mentionedSources(text, variables, this.trace),
      () => {
        const statements = this.trace.schema.parse(sql)
        if (statements === null) return this.unfollowed('runs a statement that Postern cannot read')
        return this.traced(
          statements.map(({ stmt }) => stmt),
          {},
        )
      },
    )
  }

  /** Traces statements; gives the rows of the last. */
  traced(statements: readonly unknown[], more: Partial<ScopePlace>): QueryResult {
    const { trace } = this
    let result: QueryResult | null = null
    for (const statement of statements) {
      const scope = this.scope(more)
      const tag = tagged(statement)?.tag ?? ''
      if (hasInto(fieldsOf(statement, 'SelectStmt'))) return this.unfollowed('makes a table')
      if (queryTags.has(tag)) result = traceQueryNode(statement, scope, trace)
      else result = traceUtility(statement, scope, trace)
      // What is defined here hides from the statements behind it what the snapshot has.
      if (trace.observer === null && !queryTags.has(tag) && !plainTags.has(tag))
        return this.unfollowed('defines something')
      this.#noteCreated()
      if (result !== null) this.#noteRows(result)
    }
    return result ?? noRows
  }

  /** What names in a statement of the body mean. */
  scope(more: Partial<ScopePlace> = {}): Scope {
    const { searchPath, positional, tables, name, body, variables } = this.call
    return variables.scope({ searchPath, positional, labels: [name, ...body.labels], tables, ...more }, this.trace)
  }

  /** Does something; where a trigger is followed, what is not known derives from what is mentioned. */
  following(mention: () => Sources, work: () => QueryResult): QueryResult {
    const observer = observerOf(this.trace)
    if (observer === null) return work()
    return observer.within(mention, () => {
      const result = work()
      const known = (value: Value): Value => knownValue(value, (sources) => observer.known(sources))
      return {
        ...result,
        columns: result.columns?.map((column) => ({ ...column, value: known(column.value) })) ?? null,
        any: known(result.any),
        rowHints: observer.known(result.rowHints),
        rowSources: observer.known(result.rowSources),
        outerTaint: observer.known(result.outerTaint),
      }
    })
  }

  /** Something that cannot be followed; only those may run it who may see everything. */
  unfollowed(does: string): QueryResult {
    this.trace.hazard(does, 'unknown')
    return unknownResult
  }

  #declarations(): void {
    const { body, variables } = this.call
    for (const { name, initial, cursor } of body.variables) {
      const target = { name, path: [], isElement: false }
      if (initial !== null) variables.assign(target, this.evaluate(initial))
      if (cursor !== null) this.#cursor(name, this.query(cursor.sql))
    }
  }

  #all(statements: readonly PlStatement[]): void {
    for (const statement of statements) {
      this.trace.visit()
      this.#statement(statement)
    }
  }

  #statement(statement: PlStatement): void {
    switch (statement.kind) {
      case 'assign':
        return this.#assign(statement.target, this.evaluate(assignedExpression(statement.expression)))
      case 'query':
        return this.#into(statement.into, this.#run(statement.query))
      case 'return':
        if (statement.expression !== null) this.#values.push(this.#under(this.evaluate(statement.expression)))
        return
      case 'returnQuery':
        this.#queries.push(this.#run(statement.query))
        return
      case 'evaluate':
        for (const expression of statement.expressions) this.#report(this.evaluate(expression))
        return
      case 'branch':
        for (const condition of statement.conditions) this.#condition(condition)
        return this.#all(statement.body)
      case 'handler':
        this.#decide(this.#everything())
        // What a handler knows of the error quotes values.
        this.call.variables.assign(errorText, derivedFrom(this.#everything()))
        return this.#all(statement.body)
      case 'loop':
        return this.#loop(statement)
      case 'open':
        return this.#open(statement.cursor, statement.query, statement.args)
      case 'fetch':
        return this.#into(statement.into, this.#cursors.get(statement.cursor) ?? this.#anyCursor())
      case 'diagnose':
        // Messages quote values.
        for (const target of statement.targets) this.#assign(target, derivedFrom(this.#everything()))
        for (const target of statement.counts) this.#assign(target, { ...plainValue, hints: this.#rows, isCount: true })
    }
  }

  /** RAISE and ASSERT: what they say reaches the client. */
  #report(value: Value): void {
    if (this.trace.observer !== null) return
    const told = tellsOf(value)
    this.trace.hazard(`reports ${describeColumns(told, this.trace)}`, told)
  }

  #assign(target: PlTarget, value: Value): void {
    this.call.variables.assign(target, this.#under(value))
  }

  /** What is set within a loop tells how often that ran and what was decided there. */
  #under(value: Value): Value {
    return this.#around === null || isNone(this.#around) ? value : addHints(value, this.#around)
  }

  #into(targets: readonly PlTarget[], result: QueryResult): void {
    const [target] = targets
    if (target === undefined) return
    const { variables } = this.call
    const columns = result.columns?.map(({ name, value }) => ({ name, value: seen(value, result) })) ?? null
    const { name, field } = variables.meantBy(target)
    const isRow = targets.length === 1 && field === null && variables.isRow(name)
    if (isRow) {
      const only = columns?.length === 1 ? columns[0]?.value : undefined
      // A single column that is a row is either that row or the row's only field.
      if (only !== undefined && only.fields !== null) {
        this.#assign(target, only)
        if (variables.fieldsOf(name) !== null) return
      }
      return this.#assign(target, columns === null ? seen(allOf(result), result) : rowOf(columns, 0))
    }
    targets.forEach((each, index) => {
      const value = columns === null ? seen(allOf(result), result) : columns[index]?.value
      if (value !== undefined) this.#assign(each, value)
    })
  }

  #run(query: PlQuery): QueryResult {
    if (query.kind === 'static') return this.#call(query.sql) ?? this.query(query.sql)
    return runDynamic(query, this)
  }

  /** CALL sets the variables that stand in place of output parameters. */
  #call(sql: string): QueryResult | null {
    if (!/^\s*call\b/i.test(sql)) return null
    const result = this.query(sql)
    const value = combine([seen(allOf(result), result)])
    const [statement] = this.trace.schema.parse(sql) ?? []
    for (const each of listOf(argsOfCall(statement?.stmt))) {
      const [name, ...path] = textsOf(fieldsOf(each, 'ColumnRef')?.['fields'])
      if (name !== undefined && this.call.variables.has(name)) this.#assign({ name, path, isElement: false }, value)
    }
    return result
  }

  #condition(condition: string): void {
    const [statement] = this.trace.schema.parse(`SELECT ${condition}`) ?? []
    const value = this.evaluate(condition)
    this.#decide(tellsOf(value))
    const target = fieldsOf(listOf(fieldsOf(statement?.stmt, 'SelectStmt')?.['targetList'])[0], 'ResTarget')
    for (const atom of atomsOf(target?.['val'])) this.#compare(atom)
  }

  #decide(told: Sources): void {
    this.#told = union(this.#told, told)
    if (this.#around !== null) this.#around = union(this.#around, told)
  }

  /** What a variable of rows is compared with is in it, as in a join: `IF NEW.email LIKE rule.pattern`. */
  #compare(atom: unknown): void {
    const { variables } = this.call
    const rows = namesIn(atom).filter((name) => variables.isRow(name) && name !== 'new' && name !== 'old')
    if (rows.length === 0) return
    const { any } = this.following(
      () => variables.tellsOf(),
      () => ({ ...noRows, any: traceExpression(atom, this.scope(), this.trace) }),
    )
    const known = tellsOf(any)
    if (isNone(known)) return
    for (const row of rows) variables.taint(row, known)
  }

  #loop(loop: Extract<PlStatement, { kind: 'loop' }>): void {
    const outer = this.#around
    this.#around = union(outer ?? noSources, this.#loops.get(loop) ?? noSources)
    if (loop.source !== null) this.#through(loop.source, loop.targets)
    for (const condition of loop.conditions) this.#condition(condition)
    this.#all(loop.body)
    this.#loops.set(loop, this.#around)
    this.#around = outer === null ? null : union(outer, this.#around)
  }

  #through(source: PlSource, targets: readonly PlTarget[]): void {
    if (source.kind === 'values') {
      const value = combine(source.expressions.map((each) => this.evaluate(each)))
      this.#decide(tellsOf(value))
      for (const target of targets) this.#assign(target, value)
      return
    }
    if (source.kind === 'cursor') this.#open(source.name, null, source.args, 'loop')
    const result = source.kind === 'cursor' ? (this.#cursors.get(source.name) ?? unknownResult) : this.#run(source)
    this.#decide(union(result.rowSources, result.rowHints))
    this.#into(targets, result)
  }

  #open(cursor: string, query: PlQuery | null, args: string | null, place: 'statement' | 'loop' = 'statement'): void {
    const declared = this.call.body.variables.find((each) => each.cursor !== null && each.name === cursor)?.cursor
    if (args !== null) {
      const result = this.query(`SELECT ${args.replaceAll(/\b\w+\s*(?::=|=>)/g, '')}`)
      const value = combine([seen(allOf(result), result)])
      for (const name of declared?.parameters ?? []) {
        this.call.variables.assign({ name, path: [], isElement: false }, value)
      }
    }
    if (query !== null) {
      this.#cursor(cursor, this.#run(query))
    }
    if (place === 'loop' || observerOf(this.trace) !== null) return
    const told = tellsOf(allOf(this.#cursors.get(cursor) ?? unknownResult))
    this.trace.hazard(`opens a cursor over ${describeColumns(told, this.trace)}`, told)
  }

  /** Several queries under one name are told apart by nobody. */
  #cursor(name: string, result: QueryResult): void {
    this.#cursors.set(name, mergeResults(this.#cursors.get(name), result))
  }

  #noteRows({ rowHints, rowSources }: QueryResult): void {
    this.#rows = union(this.#rows, union(rowHints, rowSources))
    this.call.variables.assign(foundVariable, { ...plainValue, hints: this.#rows, isCount: true })
  }

  #anyCursor(): QueryResult {
    const observer = observerOf(this.trace)
    if (observer === null) return unknownResult
    return { ...noRows, columns: null, any: derivedFrom(this.#everything()) }
  }

  /** What anything here may tell of, such as the text of an error. */
  #everything(): Sources {
    const { touched } = this.trace
    return union(this.call.variables.tellsOf(), observerOf(this.trace)?.known(touched) ?? touched)
  }

  /** A table made here is one that the snapshot does not have. */
  #noteCreated(): void {
    const { creates } = this.trace
    if (creates === null || this.trace.observer === null) return
    this.trace.creates = null
    for (const { sources } of creates.columns) this.trace.observer.assigned(null, '', derivedFrom(sources))
  }
}

/** Statements other than queries that define nothing. */
const plainTags: ReadonlySet<string> = new Set([
  'CallStmt',
  'NotifyStmt',
  'LockStmt',
  'TruncateStmt',
  'TransactionStmt',
])

const foundVariable: PlTarget = { name: 'found', path: [], isElement: false }
const errorText: PlTarget = { name: 'sqlerrm', path: [], isElement: false }

function sizeOf(sources: Sources): number {
  return sources === 'unknown' ? Infinity : sources.size
}
