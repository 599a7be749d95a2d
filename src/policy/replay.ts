import type { ClassifiedColumn } from '../core/classification.ts'
import type { ConnectRequest, Decision, StatementRequest } from '../core/decision.ts'
import { limits } from '../core/limits.ts'
import { literalsIn } from './constants.ts'
import type { Decider } from './decide.ts'
import { treeOf } from './scope.ts'
import { usesFact } from './vocabulary.ts'

/** A session that began, as the record has it. Null is what the record does not say. */
export interface RecordedSession extends Omit<ConnectRequest, 'accessRoles' | 'principal'> {
  readonly principal: Omit<ConnectRequest['principal'], 'authenticationMethods'>
  readonly authenticationMethods: readonly string[] | null
  readonly accessRoles: readonly string[] | null
}

/** A statement as the record has it. Null is what the record does not say. */
export interface RecordedStatement
  extends RecordedSession, Pick<StatementRequest, 'statement' | 'tags' | 'predicateTags'> {
  readonly statementCount: number | null
  readonly searchPath: readonly string[] | null
  /** False where it is not known whether an UPDATE or DELETE names its rows. */
  readonly isWhereKnown: boolean
}

/** What a set says of something recorded: a decision, or what it would take to know. */
export type Replayed =
  | { readonly decision: Decision; readonly missing: null }
  | { readonly decision: null; readonly missing: MissingFact }

/** A fact on which the decision depends and that the record does not hold. */
export type MissingFact =
  | 'access roles'
  | 'authentication methods'
  | 'search path'
  | 'number of statements in the text'
  | 'whether rows are named'

/** Decides what is on record by another policy set, and never guesses. */
export interface Replayer {
  connect(session: RecordedSession): Replayed
  statement(recorded: RecordedStatement): Replayed
  /** Whether a column would be masked; null where that depends on what the record does not hold. */
  unmask(session: RecordedSession, column: ClassifiedColumn): 'raw' | 'masked' | null
}

/**
 * Makes a replayer. What the record does not hold is tried with every value that the set's policies can tell apart;
 * only where all of them lead to the same effect is it taken for certain.
 */
export function createReplayer(decider: Decider): Replayer {
  const variety = varietyOf(decider)
  return {
    connect: (session) => {
      const people = variety.people(session)
      return agreed(
        people.map(({ missing, ...facts }) => {
          return { missing, decision: decider.decideConnect({ ...session, ...facts }) }
        }),
      )
    },
    statement: (recorded) => {
      const tried: Tried[] = []
      const people = variety.people(recorded)
      const places = variety.places(recorded)
      if (people.length * places.length > limits.replayedVariantsMax) {
        return { decision: null, missing: places.length > 1 ? 'search path' : 'access roles' }
      }
      for (const place of places) {
        for (const { missing, ...facts } of people) {
          const request = { ...recorded, ...facts, ...place.facts }
          tried.push({ decision: decider.decideStatement(request), missing: place.missing ?? missing })
        }
      }
      return agreed(tried)
    },
    unmask: (session, column) => {
      const answers = variety
        .people(session)
        .map(({ principal, accessRoles }) => decider.decideUnmask({ ...session, principal, accessRoles, column }))
      return new Set(answers).size === 1 ? (answers[0] ?? null) : null
    },
  }
}

interface Tried {
  readonly decision: Decision
  readonly missing: MissingFact | null
}

function agreed(tried: readonly Tried[]): Replayed {
  const [first] = tried
  if (first === undefined) throw new Error('a decision is tried with something')
  const other = tried.find(({ decision }) => effectOf(decision) !== effectOf(first.decision))
  return other === undefined
    ? { decision: first.decision, missing: null }
    : { decision: null, missing: other.missing ?? first.missing ?? 'search path' }
}

function effectOf(decision: Decision): string {
  if (decision.effect === 'allow') return 'allow'
  return decision.reason === 'needs_approval' ? 'needs_approval' : 'deny'
}

interface Person {
  readonly principal: ConnectRequest['principal']
  readonly accessRoles: readonly string[]
  readonly missing: MissingFact | null
}

interface Place {
  readonly facts: Pick<StatementRequest, 'statementCount' | 'searchPath' | 'statement'>
  readonly missing: MissingFact | null
}

/** Tells which values of what is not recorded have to be tried: the same objects each time, so that answers are kept. */
function varietyOf({ set }: Decider): {
  people(session: RecordedSession): readonly Person[]
  places(recorded: RecordedStatement): readonly Place[]
} {
  const { vocabulary } = set
  const literals = set.policies.map((policy) => literalsIn(treeOf(policy.text)))
  const roles = [...(vocabulary.entities.get('AccessRole') ?? [])].sort()
  const roleSets = [[], ...subsetsOf(roles)]
  const strings = usesFact(vocabulary, 'session.authenticationMethods')
    ? [...new Set(literals.flatMap((each) => Array.from(each.strings)))].sort()
    : []
  const methodSets = [[], ...subsetsOf(strings)]
  const numbers = usesFact(vocabulary, 'statement.count') ? literals.flatMap((each) => Array.from(each.numbers)) : []
  const around = numbers.flatMap((number) => [number - 1, number, number + 1])
  const counts = [...new Set([1, ...around.filter((number) => number > 1 && Number.isSafeInteger(number))])]
  return {
    people: ({ principal, authenticationMethods, accessRoles }) => {
      const methods = authenticationMethods === null ? methodSets : [authenticationMethods]
      const held = accessRoles === null ? roleSets : [accessRoles]
      return methods.flatMap((methodSet, m) =>
        held.map((roleSet, r): Person => {
          const missing = r > 0 ? 'access roles' : m > 0 ? 'authentication methods' : null
          return { principal: { ...principal, authenticationMethods: methodSet }, accessRoles: roleSet, missing }
        }),
      )
    },
    places: (recorded) => {
      const { statement } = recorded
      const hasBareName = statement.commands.some(({ relations }) => relations.some(({ schema }) => schema === null))
      const schemas = [...(vocabulary.schemas.get(recorded.database.name) ?? [])]
      const isPathKnown = recorded.searchPath !== null || !hasBareName || schemas.length === 0
      const paths = isPathKnown ? [recorded.searchPath] : [null, [], ...schemas.map((schema) => [schema])]
      const counting = recorded.statementCount === null ? counts : [recorded.statementCount]
      const statements = recorded.isWhereKnown ? [statement] : [statement, withoutWhere(statement)]
      return statements.flatMap((each, s) =>
        counting.flatMap((statementCount, c) =>
          paths.map((searchPath, p): Place => {
            const missing =
              s > 0
                ? 'whether rows are named'
                : c > 0
                  ? 'number of statements in the text'
                  : p > 0
                    ? 'search path'
                    : null
            return { facts: { statement: each, statementCount, searchPath }, missing }
          }),
        ),
      )
    },
  }
}

/** Each alone, and all together; with few of them every set there is. */
function subsetsOf(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length === 0) return []
  if (names.length > everySubsetMax) return [...names.map((name) => [name]), names]
  return Array.from({ length: 2 ** names.length - 1 }, (_, index) =>
    names.filter((_name, place) => ((index + 1) >> place) % 2 === 1),
  )
}

const everySubsetMax = 4

function withoutWhere(statement: RecordedStatement['statement']): RecordedStatement['statement'] {
  const commands = statement.commands.map(({ name, relations }) => ({
    name,
    relations,
    hasWhere: !(name === 'UPDATE' || name === 'DELETE'),
  }))
  return { ...statement, commands }
}
