import { randomUUID } from 'node:crypto'
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { ApprovalRequirement } from '../core/access.ts'
import { commandGroups } from '../core/commands.ts'
import type { ClassifiedColumn } from '../core/classification.ts'
import type {
  ConnectRequest,
  DatabaseResource,
  Decision,
  DeterminingPolicy,
  StatementRequest,
  UnmaskRequest,
} from '../core/decision.ts'
import { limits } from '../core/limits.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { keysOf } from './keys.ts'
import type { Policy, PolicySet } from './load.ts'
import {
  columnResources,
  commandsOf,
  databaseResource,
  distinctPath,
  principalEntity,
  relationResources,
  sessionContext,
  statementContext,
} from './questions.ts'
import type { ColumnResource, Resource } from './questions.ts'

/** Answers whether a principal may do something, by the policy set in force. Deciding does no I/O and reads no clock. */
export interface Decider {
  /** Whether a session may begin. Never throws: what cannot be decided is denied. */
  decideConnect(request: ConnectRequest): Decision
  /** Whether a statement may run: each of its commands on each relation it may mean. Never throws. */
  decideStatement(request: StatementRequest): Decision
  /**
   * Whether a session may see the values of a classified column: only where it may for each of the column's tags. Never
   * throws: what cannot be decided is masked.
   */
  decideUnmask(request: UnmaskRequest): 'raw' | 'masked'
  /** The single answers that `decideStatement` takes together, in the order of commands and relations. Never throws. */
  explainStatement(request: StatementRequest): readonly ResourceDecision[]
  /** Puts another set in force, for running sessions too: from the next decision on. */
  replace(set: PolicySet): void
  /** The set in force. */
  readonly set: PolicySet
  /** Grows with every `replace`; a decision made under another version has to be made again. */
  readonly version: number
  /** Whether a decision may change as time goes by; whoever keeps one then asks again at least once a minute. */
  readonly usesTime: boolean
}

/** What policy says of one command on one of the things that it is, or may be, applied to. */
export interface ResourceDecision {
  readonly command: string
  readonly resource: string
  readonly decision: Decision
  /** PostgreSQL may mean this one but most probably does not, and nothing forbids it: it counts for nothing. */
  readonly isPassedOver: boolean
}

/** Makes a decider with `initial` in force. */
export function createDecider(initial: PolicySet): Decider {
  let state = prepare(initial, { id: randomUUID(), version: 1 })
  return {
    decideConnect: (request) => decideConnect(state, request),
    decideStatement: (request) => decideStatement(state, request),
    decideUnmask: (request) => decideUnmask(state, request),
    explainStatement: (request) => askEach(state, request),
    replace: (set) => {
      state = prepare(set, { id: state.id, version: state.version + 1 })
    },
    get set() {
      return state.set
    },
    get version() {
      return state.version
    },
    get usesTime() {
      return state.set.usesTime
    },
  }
}

type Denial = Extract<Decision, { effect: 'deny' }>
/** What Cedar says to one question: an allow, or a denial of it without the names only a request knows. */
type Answer = Extract<Decision, { effect: 'allow' }> | Omit<Denial, 'command' | 'resource'>

interface State {
  readonly set: PolicySet
  readonly id: string
  readonly version: number
  readonly policies: ReadonlyMap<string, Policy>
  readonly hasLiftable: boolean
  readonly keys: ReturnType<typeof keysOf>
  /** Answers by question, oldest use first. */
  readonly answers: Map<string, Answer>
  /** Decisions by analysis: one text that many sessions send is one object. */
  readonly decisions: WeakMap<StatementAnalysis, Map<string, Decision>>
  readonly columns: WeakMap<DatabaseResource, WeakMap<ClassifiedColumn, readonly ColumnQuestion[]>>
}

/** A column with some of its tags, and these as part of a key. */
interface ColumnQuestion {
  readonly resource: ColumnResource
  readonly tags: string
}

/** Cedar keeps prepared sets by name for as long as the process lives: two names per decider, used again and again. */
function prepare(set: PolicySet, as: { id: string; version: number }): State {
  const isLiftable = ({ approvers }: Policy) => approvers.length > 0
  preparse(as.id, set.policies)
  const hasLiftable = set.policies.some(isLiftable)
  if (hasLiftable) {
    preparse(
      `${as.id}-lifted`,
      set.policies.filter((policy) => !isLiftable(policy)),
    )
  }
  return {
    ...as,
    set,
    policies: new Map(set.policies.map((policy) => [policy.id, policy])),
    hasLiftable,
    keys: keysOf(set.vocabulary),
    answers: new Map(),
    decisions: new WeakMap(),
    columns: new WeakMap(),
  }
}

function preparse(id: string, policies: readonly Policy[]): void {
  const staticPolicies = Object.fromEntries(policies.map((policy) => [policy.id, policy.text]))
  const answer = preparsePolicySet(id, { staticPolicies })
  if (answer.type === 'failure') throw new Error(`Cedar refuses a set that it found valid: ${JSON.stringify(answer)}`)
}

function decideConnect(state: State, request: ConnectRequest): Decision {
  const resource = databaseResource(request.database)
  const who = { state, key: `${state.keys.session(request)}|connect`, request }
  const answer = ask(who, {
    action: 'connect',
    resource,
    context: () => ({ session: sessionContext(state.set.vocabulary, request) }),
  })
  return answer.effect === 'allow' ? answer : { ...answer, command: 'connect', resource: resource.shown }
}

function decideUnmask(state: State, request: UnmaskRequest): 'raw' | 'masked' {
  const { vocabulary } = state.set
  const key = `${state.keys.session(request)}|unmask`
  const context = () => ({ session: sessionContext(vocabulary, request) })
  for (const { resource, tags } of questionsAbout(state, request)) {
    const answer = ask({ state, key: `${key}|${tags}`, request }, { action: 'unmask', resource, context })
    if (answer.effect !== 'allow') return 'masked'
  }
  return 'raw'
}

/** The questions about a column, made once for as long as the same column is asked about in the same database. */
function questionsAbout(state: State, { database, column }: UnmaskRequest): readonly ColumnQuestion[] {
  const ofDatabase = state.columns.get(database) ?? new WeakMap<ClassifiedColumn, readonly ColumnQuestion[]>()
  const known = ofDatabase.get(column)
  if (known !== undefined) return known
  const resources = columnResources(column, { database, vocabulary: state.set.vocabulary })
  const questions = resources.map((resource) => ({ resource, tags: JSON.stringify(resource.tags) }))
  state.columns.set(database, ofDatabase.set(column, questions))
  return questions
}

function decideStatement(state: State, request: StatementRequest): Decision {
  const key = state.keys.statement(request)
  const known = state.decisions.get(request.statement)
  const kept = known?.get(key)
  if (kept !== undefined) return kept
  const decision = decideAfresh(state, request)
  if (decision.effect === 'deny' && decision.reason === 'policy_error') return decision
  if (known === undefined) state.decisions.set(request.statement, new Map([[key, decision]]))
  else {
    if (known.size >= decisionsPerTextMax) known.clear()
    known.set(key, decision)
  }
  return decision
}

const decisionsPerTextMax = 256

/** Where commands are denied for different reasons, the one that is hardest to lift is told. */
const severity: Record<Denial['reason'], number> = {
  policy_error: 0,
  forbidden: 1,
  not_permitted: 2,
  needs_approval: 3,
}

function decideAfresh(state: State, request: StatementRequest): Decision {
  const counting = askEach(state, request).filter(({ isPassedOver }) => !isPassedOver)
  const denials = counting.flatMap(({ decision }) => (decision.effect === 'deny' ? [decision] : []))
  const worst = denials.reduce<Denial | null>(
    (worst, denial) => (worst === null || severity[denial.reason] < severity[worst.reason] ? denial : worst),
    null,
  )
  if (worst === null) {
    const permits = counting.flatMap(({ decision }) => decision.policies)
    return { effect: 'allow', policies: [...new Map(permits.map((policy) => [policy.id, policy])).values()] }
  }
  if (worst.reason !== 'needs_approval') return worst
  return {
    ...worst,
    policies: [...new Map(denials.flatMap((denial) => denial.policies).map((policy) => [policy.id, policy])).values()],
    requirements: distinct(denials.flatMap((denial) => denial.requirements)),
  }
}

/** Asks about every command on each relation it may mean. */
function askEach(state: State, request: StatementRequest): ResourceDecision[] {
  const { statement, database } = request
  const { vocabulary } = state.set
  const who = { state, key: state.keys.session(request), request }
  const at = { database: database.name, vocabulary }
  const searchPath = request.searchPath === null ? null : distinctPath(request.searchPath, at)
  const place = { database, searchPath, vocabulary }
  const answers: ResourceDecision[] = []
  for (const command of commandsOf(statement)) {
    const facts = statementContext(vocabulary, { request, command })
    const asked = { ...who, key: `${who.key}|${command.name}|${JSON.stringify(facts)}` }
    const resources =
      command.relations.length === 0
        ? [databaseResource(database)]
        : command.relations.flatMap((relation) => relationResources(relation, place))
    for (const resource of resources) {
      const context = () => ({ statement: facts, session: sessionContext(vocabulary, request) })
      const answer = ask(asked, { action: command.name, resource, context })
      const named = { command: command.name, resource: resource.shown }
      answers.push({
        ...named,
        decision: answer.effect === 'allow' ? answer : { ...answer, ...named },
        isPassedOver: resource.isForbidOnly && answer.effect === 'deny' && answer.reason === 'not_permitted',
      })
    }
  }
  return answers
}

interface Asker {
  readonly state: State
  /** Tells apart what policies can tell apart about the one who asks. */
  readonly key: string
  readonly request: ConnectRequest
}

interface Question {
  readonly action: string
  readonly resource: Resource
  readonly context: () => Record<string, CedarValueJson>
}

/** One question, answered from what is kept if it was asked before. */
function ask({ state, key, request }: Asker, question: Question): Answer {
  const { answers } = state
  const full = `${key}|${question.resource.uid.type}|${question.resource.uid.id}`
  const kept = answers.get(full)
  if (kept !== undefined) {
    answers.delete(full)
    answers.set(full, kept)
    return kept
  }
  const answer = evaluate(state, request, question)
  if (answer.effect === 'deny' && answer.reason === 'policy_error') return answer
  if (answers.size >= limits.policyAnswersMax) {
    const oldest = answers.keys().next()
    if (oldest.done !== true) answers.delete(oldest.value)
  }
  answers.set(full, answer)
  return answer
}

function evaluate(state: State, request: ConnectRequest, question: Question): Answer {
  const principal = principalEntity(request, state.set.vocabulary)
  const call = (id: string) => authorize(id, { principal, question })
  const answer = call(state.id)
  if (answer === null) return { effect: 'deny', reason: 'policy_error', policies: [], requirements: [] }
  if (answer.errors.length > 0) return refusedBy(state, answer.errors, 'policy_error')
  if (answer.isAllowed) return { effect: 'allow', policies: answer.reasons.map((id) => determining(state, id)) }
  if (answer.reasons.length === 0) return { effect: 'deny', reason: 'not_permitted', policies: [], requirements: [] }
  const forbids = answer.reasons.map((id) => state.policies.get(id))
  if (!state.hasLiftable || forbids.some((policy) => (policy?.approvers.length ?? 0) === 0)) {
    return refusedBy(state, answer.reasons, 'forbidden')
  }
  // Cedar names only the forbids. Lifting them helps only where something permits the command in the first place.
  const lifted = call(`${state.id}-lifted`)
  if (lifted?.isAllowed !== true) return { effect: 'deny', reason: 'not_permitted', policies: [], requirements: [] }
  return refusedBy(state, answer.reasons, 'needs_approval')
}

interface CedarAnswer {
  readonly isAllowed: boolean
  readonly reasons: readonly string[]
  readonly errors: readonly string[]
}

/** Null where Cedar could not answer at all; then nothing is allowed. */
function authorize(id: string, from: { principal: EntityJson; question: Question }): CedarAnswer | null {
  const { principal, question } = from
  const action = actionEntities.get(question.action)
  if (action === undefined) return null
  try {
    const answer = statefulIsAuthorized({
      principal: principal.uid,
      action: action.uid,
      resource: question.resource.uid,
      context: question.context(),
      entities: [principal, action, ...question.resource.entities],
      preparsedPolicySetId: id,
      validateRequest: false,
    })
    if (answer.type === 'failure') return null
    const { decision, diagnostics } = answer.response
    const errors = diagnostics.errors.map(({ policyId }) => policyId).sort()
    return { isAllowed: decision === 'allow', reasons: [...diagnostics.reason].sort(), errors }
  } catch (error) {
    // A trap inside the module. It is not kept as an answer, so that a passing cause passes.
    if (error instanceof Error) return null
    throw error
  }
}

/** One entity per command, in its group; made once, since there are a few hundred of them at most. */
const actionEntities = new Map<string, EntityJson>(
  ['connect', 'unmask', ...commandGroups.keys()].map((id) => {
    const group = commandGroups.get(id)
    const parents = group === undefined ? [] : [group, 'statement'].map((parent) => ({ type: 'Action', id: parent }))
    return [id, { uid: { type: 'Action', id }, attrs: {}, parents }]
  }),
)

function refusedBy(state: State, ids: readonly string[], reason: Denial['reason']): Answer {
  const distinctIds = [...new Set(ids)]
  const policies = distinctIds.map((id) => determining(state, id))
  const requirements = reason === 'needs_approval' ? distinctIds.flatMap((id) => requirementOf(state, id)) : []
  return { effect: 'deny', reason, policies, requirements }
}

function requirementOf(state: State, id: string): readonly ApprovalRequirement[] {
  const policy = state.policies.get(id)
  if (policy === undefined) return []
  return [{ by: id, approvers: policy.approvers, count: policy.approvals, goodForMs: policy.approvalGoodForMs }]
}

function distinct(requirements: readonly ApprovalRequirement[]): readonly ApprovalRequirement[] {
  return [...new Map(requirements.map((requirement) => [requirement.by, requirement])).values()]
}

function determining(state: State, id: string): DeterminingPolicy {
  return { id, advice: state.policies.get(id)?.advice ?? null }
}
