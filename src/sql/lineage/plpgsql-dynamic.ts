import type { Sources } from '../../core/lineage.ts'
import type { Item, QueryResult } from './context.ts'
import { unknownResult } from './context.ts'
import { traceExpression } from './expressions.ts'
import { fillGaps } from './plpgsql-gaps.ts'
import { mentionedRelations, mentionedSources } from './plpgsql-mentions.ts'
import { templatesOf } from './plpgsql-templates.ts'
import type { TemplatePlace, Templates } from './plpgsql-templates.ts'
import type { PlBody, PlQuery, PlStatement, PlTarget } from './plpgsql-tree.ts'
import { mergeResults } from './plpgsql-results.ts'
import type { BodyRun } from './plpgsql.ts'
import { isNone, union, unionAll } from './sources.ts'
import { observerOf } from './trigger-observer.ts'
import { fieldsOf, listOf } from './tree.ts'
import { derivedFrom, tellsOf } from './value.ts'
import type { Value } from './value.ts'

/** EXECUTE: all statements that its text may be, with the values of USING as parameters. */
export function runDynamic({ text, using }: Extract<PlQuery, { kind: 'dynamic' }>, run: BodyRun): QueryResult {
  const values = using.map((each) => run.evaluate(each))
  const made = run.evaluate(text)
  const mention = (): Sources => union(unionAll(values.map(tellsOf)), mentionedBy(text, run))
  return run.following(mention, () => {
    const templates = templatesOf(text, placeOf(run))
    const result = templates === null ? null : runTemplates(templates, values, run)
    return result ?? runUnknown(text, union(mention(), tellsOf(made)), run)
  })
}

function runTemplates(templates: Templates, values: readonly Value[], run: BodyRun): QueryResult | null {
  const { schema } = run.trace
  const observer = observerOf(run.trace)
  const areCertain = [...templates.gaps.values()].every(({ isLiteral }) => isLiteral)
  // Whoever calls a function may choose what is in a gap, but nobody chooses what an existing trigger does.
  if (observer === null && !areCertain) return null
  let result: QueryResult | undefined
  for (const sql of templates.texts) {
    const statements = schema.parse(sql)
    if (statements === null) return null
    const filled = statements.map(({ stmt }) => fillGaps(stmt, schema))
    if (observer !== null && filled.some(({ isOpen }) => isOpen) && isWriting(sql)) observer.isUnfollowed = true
    const more = { positional: values, more: [gapItem(sql, templates, run)] }
    for (const { statements: each } of filled) {
      for (const statement of each) result = mergeResults(result, run.traced([statement], more))
    }
  }
  return result ?? null
}

/** Gaps that are values; one that may be a column's name is left unresolved where there are columns to mean. */
function gapItem(sql: string, { gaps }: Templates, run: BodyRun): Item {
  const { trace } = run
  const scope = run.scope()
  const areValues = !/\b(from|using|update|join)\b/i.test(sql)
  const columns = [...gaps]
    .filter(([, { isLiteral }]) => isLiteral || areValues)
    .map(([gap, { expression }]) => ({
      name: gap,
      value: traceExpression(expression, scope, trace),
      isDoubtful: false,
    }))
  return { entries: [], columns, rest: null }
}

/** A text that nothing is known of but what it mentions. */
function runUnknown(text: string, told: Sources, run: BodyRun): QueryResult {
  const observer = observerOf(run.trace)
  if (observer === null) return run.unfollowed('runs SQL that is made when it runs')
  if (isNone(told)) return { ...unknownResult, any: derivedFrom(told), rowHints: told, rowSources: told }
  const all = allTexts(text, run)
  if (all.some(isWriting) || !all.some((each) => /\bselect\b/i.test(each))) {
    observer.isUnfollowed = true
    for (const relation of all.flatMap((each) => mentionedRelations(each, run.trace.schema.catalog))) {
      for (const { number } of relation.columns) observer.derive(relation, number, observer.known(told))
    }
  }
  return { ...unknownResult, any: derivedFrom(told), rowHints: told, rowSources: told }
}

function isWriting(text: string): boolean {
  return /\b(insert|update|merge|copy|create|into|call|do|perform)\b/i.test(text)
}

function mentionedBy(text: string, run: BodyRun): Sources {
  const { variables } = run.call
  return unionAll(allTexts(text, run).map((each) => mentionedSources(each, variables, run.trace)))
}

/** The text and all that is assigned to the variables in it. */
function allTexts(text: string, run: BodyRun): readonly string[] {
  const all = new Set([text])
  for (const each of all) {
    for (const name of each.toLowerCase().match(/[a-z_]\w*/g) ?? []) {
      for (const expression of assignedTo(name, run.call.body).expressions) all.add(expression)
    }
  }
  return [...all]
}

function placeOf(run: BodyRun): TemplatePlace {
  const { body, given, trigger, variables } = run.call
  const { schema } = run.trace
  return {
    trigger,
    parse(expression) {
      const [statement] = schema.parse(`SELECT ${expression}`) ?? []
      const targets = listOf(fieldsOf(statement?.stmt, 'SelectStmt')?.['targetList'])
      return targets.length === 1 ? (fieldsOf(targets[0], 'ResTarget')?.['val'] ?? null) : null
    },
    expressionsOf(name) {
      const { expressions, areAll } = assignedTo(name, body)
      const isOwn = !given.has(name) && body.variables.some((each) => each.name === name && each.alias === null)
      return areAll && isOwn && variables.has(name) ? expressions : null
    },
  }
}

/** The expressions that are assigned to a variable, and whether it gets nothing else. */
function assignedTo(name: string, body: PlBody): { readonly expressions: readonly string[]; readonly areAll: boolean } {
  const expressions = body.variables.flatMap((each) =>
    each.name === name && each.initial !== null ? [each.initial] : [],
  )
  const state = { areAll: true }
  const visit = (statements: readonly PlStatement[]): void => {
    for (const statement of statements) {
      if (statement.kind === 'assign' && statement.target.name === name) {
        if (statement.target.path.length > 0 || statement.target.isElement) state.areAll = false
        else expressions.push(statement.expression)
      }
      for (const target of targetsOf(statement)) {
        if (target.name === name || target.path.includes(name)) state.areAll = false
      }
      if ('body' in statement) visit(statement.body)
    }
  }
  visit(body.statements)
  const isAliased = body.variables.some(({ alias }) => alias === name)
  return { expressions, areAll: state.areAll && !isAliased }
}

function targetsOf(statement: PlStatement): readonly PlTarget[] {
  switch (statement.kind) {
    case 'query':
      // CALL may set any variable that it names.
      return [...statement.into, ...calledWith(statement.query)]
    case 'fetch':
      return statement.into
    case 'diagnose':
      return [...statement.targets, ...statement.counts]
    case 'loop':
      return statement.targets
    case 'assign':
      return statement.target.path.map((name) => ({ name, path: [], isElement: false }))
    case 'return':
    case 'returnQuery':
    case 'branch':
    case 'handler':
    case 'evaluate':
    case 'open':
      return []
  }
}

function calledWith(query: PlQuery): readonly PlTarget[] {
  if (query.kind === 'dynamic' || !/^\s*call\b/i.test(query.sql)) return []
  return (query.sql.toLowerCase().match(/[a-z_]\w*/g) ?? []).map((name) => ({ name, path: [], isElement: false }))
}
