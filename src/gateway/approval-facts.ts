import type { StatementFacts } from '../core/access.ts'
import type { ColumnKey } from '../core/catalog.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import type { Exchange } from './exchange.ts'
import type { Wanted } from './approvals.ts'
import type { Needs } from './needs.ts'
import type { PreparedStatement } from './operations.ts'
import type { Protected } from './protection.ts'
import { approvableParametersOf, namesOfRelations, parametersOf } from './record.ts'
import type { Explains } from './services.ts'
import type { StatementWay } from './statement.ts'
import type { Bind } from '../wire/frontend.ts'

/** One statement of the run, and what it does with classified columns. */
export interface RunStatement {
  readonly statement: StatementAnalysis
  readonly protection: Protected | null
  /** What it stands for, where it is an EXECUTE. */
  readonly means: StatementAnalysis | null
}

/** A run that needs approval: a whole text, or one prepared statement with its parameters. */
export interface Run {
  readonly needs: Needs
  /** The text as it goes to PostgreSQL. */
  readonly sql: string
  readonly statements: readonly RunStatement[]
  readonly bound: { readonly bind: Bind; readonly prepared: PreparedStatement } | null
}

/** What the facts are taken from. */
export interface FactSources {
  readonly way: Pick<StatementWay, 'redactedText' | 'parameterRedactionOf'>
  readonly exchange: Pick<Exchange, 'transactionStatus' | 'settings' | 'isStalled'>
  /** The backend process of the session. */
  readonly processId: number
  readonly explain: Explains | null
}

/** A run as something to be approved. */
export function wantedOf(run: Run, from: FactSources): Wanted {
  const { needs, sql, statements, bound } = run
  const texts = statements.map(({ statement }) => statement.sql)
  const situation = situationOf(statements, from)
  return { needs, parts: [sql, ...texts, ...bindParts(bound)], situation, describe: () => describe(run, from) }
}

/**
 * What a run depends on beside its own bytes: PostgreSQL looks up what EXECUTE stands for, and names in what is not
 * planned, when it is executed, which other messages may precede that came behind the approval.
 */
export function situationOf(
  statements: readonly Pick<RunStatement, 'means'>[],
  { exchange }: Pick<FactSources, 'exchange'>,
): string {
  const { changes, searchPath } = exchange.settings
  return JSON.stringify([changes, searchPath, statements.map(({ means }) => means?.sql ?? null)])
}

function bindParts(bound: Run['bound']): readonly (string | Buffer | null)[] {
  if (bound === null) return ['simple']
  const { bind, prepared } = bound
  const shape = JSON.stringify([bind.parameterFormats, prepared.parameterTypes, bind.resultFormats])
  return ['extended', shape, String(bind.parameters.length), ...bind.parameters]
}

async function describe(run: Run, from: FactSources): Promise<StatementFacts> {
  const { needs, sql, statements, bound } = run
  const { way, exchange, explain, processId } = from
  const meant = statements.map(({ means }) => means).filter((means) => means !== null)
  const preparedAs = meant.map((means) => `\n\n-- prepared as:\n${means.sql}`).join('')
  const redactedAs = meant.map((means) => `\n\n-- prepared as:\n${way.redactedText(means)}`).join('')
  const raw = sql + preparedAs
  const redacted = statements.map(({ statement }) => way.redactedText(statement)).join(';\n') + redactedAs
  const [only] = statements
  const redact = only === undefined ? (text: string) => text : way.parameterRedactionOf(only.statement)
  // Nobody agrees to what was cut off; who may not see the values sees no more of them than the record has.
  const parameters = bound === null ? [] : approvableParametersOf(bound.bind, bound.prepared)
  const redactedParameters =
    bound === null ? [] : (JSON.parse(parametersOf(bound.bind, bound.prepared, redact)) as (string | null)[])
  const isAlike =
    parameters.length === redactedParameters.length &&
    parameters.every((text, index) => text === redactedParameters[index])
  const isPlannable = statements.length === 1 && only !== undefined && isHarmlessToPlan(only.statement)
  const searchPath = exchange.settings.isSettled ? exchange.settings.searchPath : null
  const asked = {
    sql: isPlannable ? sql : null,
    hasParameters: parameters.length > 0,
    relations: only?.statement.commands.flatMap(({ relations }) => relations) ?? [],
    functions: only?.statement.functions ?? [],
    searchPath,
    processId,
  }
  const { estimate, locks } = (await explain?.explain(asked)) ?? { estimate: null, locks: [] }
  return {
    sql: raw === redacted ? null : raw,
    redacted,
    command: needs.command,
    parameters: isAlike ? null : parameters,
    redactedParameters,
    relations: [...new Set(statements.flatMap(({ statement, means }) => relationsOf(means ?? statement, exchange)))],
    tags: [...new Set(statements.flatMap(({ protection }) => protection?.tags ?? []))],
    columns: [...new Set(statements.flatMap(({ protection }) => columnsOf(protection)))],
    estimate,
    // What PostgreSQL has not answered may open one, and so does an unfinished segment that has touched anything.
    transaction: { isOpen: exchange.transactionStatus !== 'I' || !exchange.isStalled || locks.length > 0, locks },
    policies: needs.policies.map(({ id, advice }) => ({ id, advice })),
  }
}

/** The relations by name; with where they are looked for if that is not where a reader of the text would expect them. */
function relationsOf(statement: StatementAnalysis, { settings }: FactSources['exchange']): readonly string[] {
  const path = settings.unusualSearchPath
  const names = namesOfRelations(statement)
  if (path === null) return names
  const unqualified = new Set(
    statement.commands.flatMap(({ relations }) =>
      relations.filter(({ schema }) => schema === null).map(({ name }) => name),
    ),
  )
  return names.map((name) => (unqualified.has(name) ? `${name} (search_path: ${path})` : name))
}

/** Planning computes what it takes for constant: a function that nobody knows could do anything while nobody has agreed. */
function isHarmlessToPlan({ kind, opaque }: StatementAnalysis): boolean {
  return opaque === null && plannable.has(kind)
}

/** What EXPLAIN takes, and answers without running it. */
const plannable: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** The classified columns that it touches; a star where that is not known, which only those may see who may see all. */
function columnsOf(protection: Protected | null): readonly string[] {
  if (protection === null) return []
  const { lineage, schema } = protection
  if (lineage.touched === 'unknown' || lineage.predicates === 'unknown') return ['*']
  const keys = new Set<ColumnKey>([...lineage.touched, ...lineage.predicates])
  return Array.from(keys, (key) => {
    const column = schema.columns.get(key)
    return column === undefined ? '*' : `${column.schema}.${column.relation}.${column.column}`
  })
}
