import type { ApprovalRequirement } from '../core/access.ts'
import type { Decision } from '../core/decision.ts'
import { limits } from '../core/limits.ts'
import type { Decider, ResourceDecision } from './decide.ts'
import { examine, requestOf } from './examine.ts'
import type { AnalysedStatement, Asking, Verdict } from './examine.ts'
import { quoteName } from './names.ts'

/** Why a principal may or may not run a text, and what would change it. */
export interface Explanation extends Verdict {
  /** Whether it runs, all told: the session has to begin, and every statement has to be allowed. */
  readonly outcome: Outcome
  /** Whether the session could begin at all. */
  readonly connect: Decision
  readonly statements: readonly ExplainedStatement[]
  /** What would let it run, one thing at a time; empty where it may run as it is. */
  readonly changes: readonly Change[]
  /** Whether something was left out, since there is more to try than is tried. */
  readonly isCut: boolean
}

/** One statement with the single answers that its decision is made of. */
export interface ExplainedStatement {
  readonly analysed: AnalysedStatement
  readonly decision: Decision
  readonly answers: readonly ResourceDecision[]
}

/** One change after which the text would run, at once or once it is approved. */
export type Change =
  | { readonly kind: 'approval'; readonly requirements: readonly ApprovalRequirement[] }
  | { readonly kind: 'access_role' | 'group'; readonly name: string; readonly leadsTo: 'allow' | 'needs_approval' }
  /** The schema to write before unqualified names. */
  | { readonly kind: 'schema'; readonly name: string; readonly leadsTo: 'allow' | 'needs_approval' }

/** Asks a decider why, and tries every access role, group and schema that its policies name. */
export function explain(decider: Decider, asking: Asking, text: readonly AnalysedStatement[]): Explanation {
  const verdict = examine(decider, asking, text)
  const connect = decider.decideConnect(asking)
  const { changes, isCut } = changesFor(decider, { asking, text })
  return {
    ...verdict,
    connect,
    outcome: outcomeOf(decider, asking, text),
    statements: text.map((analysed) => {
      const request = requestOf(asking, text, analysed)
      const answers = decider.explainStatement(request)
      return { analysed, decision: decider.decideStatement(request), answers }
    }),
    changes,
    isCut,
  }
}

/** What becomes of a text. */
export type Outcome = 'allow' | 'needs_approval' | 'deny'

function outcomeOf(decider: Decider, asking: Asking, text: readonly AnalysedStatement[]): Outcome {
  const decisions = [
    decider.decideConnect(asking),
    ...text.map((analysed) => decider.decideStatement(requestOf(asking, text, analysed))),
  ]
  if (decisions.every(({ effect }) => effect === 'allow')) return 'allow'
  const isApprovable = (each: Decision) => each.effect === 'allow' || each.reason === 'needs_approval'
  // There is nobody to ask while a session begins.
  return decisions[0]?.effect === 'allow' && decisions.every(isApprovable) ? 'needs_approval' : 'deny'
}

function changesFor(
  decider: Decider,
  { asking, text }: { readonly asking: Asking; readonly text: readonly AnalysedStatement[] },
): { changes: readonly Change[]; isCut: boolean } {
  const outcome = outcomeOf(decider, asking, text)
  if (outcome === 'allow') return { changes: [], isCut: false }
  const changes: Change[] = []
  if (outcome === 'needs_approval') {
    const requirements = text.flatMap((analysed) => {
      const each = decider.decideStatement(requestOf(asking, text, analysed))
      return each.effect === 'deny' ? each.requirements : []
    })
    changes.push({ kind: 'approval', requirements: distinct(requirements) })
  }
  const trials = trialsFor(decider, asking, text)
  for (const { kind, name, asking: changed, text: changedText } of trials.slice(0, limits.explainTrialsMax)) {
    const leadsTo = outcomeOf(decider, changed, changedText)
    if (leadsTo === 'allow' || (leadsTo === 'needs_approval' && outcome === 'deny')) {
      changes.push({ kind, name, leadsTo })
    }
  }
  const rank = (change: Change): number => ('leadsTo' in change && change.leadsTo === 'needs_approval' ? 1 : 0)
  return { changes: changes.toSorted((a, b) => rank(a) - rank(b)), isCut: trials.length > limits.explainTrialsMax }
}

interface Trial {
  readonly kind: 'access_role' | 'group' | 'schema'
  readonly name: string
  readonly asking: Asking
  readonly text: readonly AnalysedStatement[]
}

function trialsFor(decider: Decider, asking: Asking, text: readonly AnalysedStatement[]): readonly Trial[] {
  const { entities, schemas } = decider.set.vocabulary
  const { principal, accessRoles, database, searchPath } = asking
  const named = (type: string, held: readonly string[]) =>
    [...(entities.get(type) ?? [])].filter((name) => !held.includes(name)).sort()
  const roles = named('AccessRole', accessRoles).map((name): Trial => {
    return { kind: 'access_role', name, asking: { ...asking, accessRoles: [...accessRoles, name].sort() }, text }
  })
  const groups = named('Group', principal.groups).map((name): Trial => {
    const member = { ...principal, groups: [...principal.groups, name] }
    return { kind: 'group', name, asking: { ...asking, principal: member }, text }
  })
  const places = [...new Set([...(searchPath ?? []), ...(schemas.get(database.name) ?? [])])].sort()
  const qualified = text.some(hasBareName)
    ? places.map((name): Trial => {
        return { kind: 'schema', name, asking, text: text.map((analysed) => withSchema(analysed, name)) }
      })
    : []
  return [...qualified, ...roles, ...groups]
}

function hasBareName({ statement }: AnalysedStatement): boolean {
  return statement.commands.some(({ relations }) => relations.some(({ schema }) => schema === null))
}

/** The statement as it would be with this schema before every name that has none. */
function withSchema(analysed: AnalysedStatement, schema: string): AnalysedStatement {
  const { statement } = analysed
  const commands = statement.commands.map((command) => {
    const relations = command.relations.map((each) => ({ name: each.name, schema: each.schema ?? schema }))
    return { name: command.name, hasWhere: command.hasWhere, relations }
  })
  return { ...analysed, statement: { ...statement, commands } }
}

function distinct(requirements: readonly ApprovalRequirement[]): readonly ApprovalRequirement[] {
  return [...new Map(requirements.map((requirement) => [requirement.by, requirement])).values()]
}

/** A change in words, as a person would ask for it. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case 'approval':
      return change.requirements
        .map(({ by, approvers, count }) => {
          const who = approvers.map((group) => `"${group}"`).join(' or ')
          return `approved for "${by}" by ${String(count)} of ${who}`
        })
        .join(', and ')
    case 'access_role':
      return `with the access role "${change.name}"${afterwards(change.leadsTo)}`
    case 'group':
      return `as a member of the group "${change.name}"${afterwards(change.leadsTo)}`
    case 'schema':
      return `with ${quoteName(change.name)}. before the names that have no schema${afterwards(change.leadsTo)}`
    default:
      return change satisfies never
  }
}

function afterwards(leadsTo: 'allow' | 'needs_approval'): string {
  return leadsTo === 'allow' ? '' : ', once it is approved'
}
