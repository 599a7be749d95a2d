import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { undeclaredAccessRoles, unusedAccessRoles } from './access-roles.ts'
import { certaintyOf, stringsAskedOf } from './constants.ts'
import type { Certainty } from './constants.ts'
import type { Policy, PolicySet } from './load.ts'
import { coversParts, coversScope, scopeOf, treeOf } from './scope.ts'
import type { Scope } from './scope.ts'

/** Something about a policy set that most probably nobody means. */
export interface PolicyFinding {
  /** A stable name of this sort of finding. */
  readonly kind:
    | 'never_matches'
    | 'shadowed'
    | 'never_liftable'
    | 'duplicate'
    | 'redundant'
    | 'always_true'
    | 'approvers_are_requesters'
    | 'tag_always_masked'
    | 'tag_unknown'
    | 'access_role_unknown'
    | 'access_role_unused'
    | 'database_unknown'
    | 'odd'
  /** A problem is a policy that does nothing, proved; a warning is for a person to look at. */
  readonly severity: 'problem' | 'warning'
  /** The policy it is about; null where it is about none. */
  readonly policy: { readonly id: string; readonly file: string; readonly line: number } | null
  readonly message: string
  readonly remedy: string
}

/** What surrounds a policy set: null for what is not known, of which nothing is said then. */
export interface PolicySurroundings {
  readonly databases: Iterable<string> | null
  readonly accessRoles: Iterable<string> | null
  /** The tags of each database's classification file; null where one of them could not be read. */
  readonly tags: ReadonlyMap<string, ReadonlySet<string>> | null
  readonly nowMs: number
}

/** Looks at a valid set for what can be proved to do nothing, and for what does not fit what is around it. */
export function checkPolicySet(set: PolicySet, surroundings: PolicySurroundings): readonly PolicyFinding[] {
  const read = set.policies.map((policy): Read => {
    const tree = treeOf(policy.text)
    return { policy, tree, scope: scopeOf(tree), certainty: certaintyOf(tree, surroundings.nowMs) }
  })
  return [
    ...read.flatMap((each) => [...deadness(each, read), ...constancy(each), ...approverFindings(each, read)]),
    ...tagFindings(read, surroundings),
    ...accessRoleFindings(set, surroundings),
    ...databaseFindings(set, surroundings),
    ...set.warnings.map((message): PolicyFinding => {
      return { kind: 'odd', severity: 'warning', policy: null, message, remedy: 'Look at how it is written.' }
    }),
  ]
}

interface Read {
  readonly policy: Policy
  readonly tree: PolicyJson
  readonly scope: Scope
  readonly certainty: Certainty
}

function finding(
  kind: PolicyFinding['kind'],
  { policy }: Read,
  text: { readonly message: string; readonly remedy: string },
): PolicyFinding {
  const { id, file, line } = policy
  const isProblem = ['never_matches', 'shadowed', 'never_liftable'].includes(kind)
  return { kind, severity: isProblem ? 'problem' : 'warning', policy: { id, file, line }, ...text }
}

const isUnconditional = ({ certainty }: Read) => certainty.holds === 'always'
const isLiftable = ({ policy }: Read) => policy.approvers.length > 0

/** At most one finding: why the policy does nothing, or nothing that another does not do. */
function deadness(each: Read, all: readonly Read[]): readonly PolicyFinding[] {
  const { policy, scope, certainty } = each
  if (certainty.holds === 'never') {
    const message = `can never match: ${certainty.why}`
    return [finding('never_matches', each, { message, remedy: 'Remove it, or correct the condition.' })]
  }
  const walls = all.filter(
    (other) => other !== each && other.policy.effect === 'forbid' && isUnconditional(other) && !isLiftable(other),
  )
  if (policy.effect === 'permit') {
    const shadows = coveringAll(walls, scope)
    if (shadows !== null) {
      const message = `permits nothing: everything it names is forbidden without a condition by ${named(shadows)}`
      return [finding('shadowed', each, { message, remedy: 'Remove it, or narrow the forbid.' })]
    }
  } else if (isLiftable(each)) {
    const wall = walls.find((other) => coversScope(other.scope, scope))
    if (wall !== undefined) {
      const message = `can never be lifted by an approval: what it forbids, ${named([wall])} forbids for good`
      return [finding('never_liftable', each, { message, remedy: 'Remove it, or narrow the other forbid.' })]
    }
  }
  return repetition(each, all)
}

/** Those of `walls` that cover a scope action by action; null where one of its actions is not covered. */
function coveringAll(walls: readonly Read[], scope: Scope): readonly Read[] | null {
  const around = walls.filter((wall) => coversParts(wall.scope, scope))
  const needed = new Set<Read>()
  for (const action of scope.actions) {
    const wall = around.find((each) => each.scope.actions.has(action))
    if (wall === undefined) return null
    needed.add(wall)
  }
  return needed.size === 0 ? null : [...needed]
}

function repetition(each: Read, all: readonly Read[]): readonly PolicyFinding[] {
  const index = all.indexOf(each)
  const same = all.find((other, place) => place < index && meaningOf(other) === meaningOf(each))
  if (same !== undefined) {
    const message = `says the same as ${named([same])}`
    return [finding('duplicate', each, { message, remedy: 'Remove one of them.' })]
  }
  const wider = all.find((other, place) => {
    if (other === each || other.policy.effect !== each.policy.effect || !isUnconditional(other)) return false
    if (isLiftable(other) || isLiftable(each) || !coversScope(other.scope, each.scope)) return false
    // Of two that cover each other, the later one is told.
    return place < index || !(isUnconditional(each) && coversScope(each.scope, other.scope))
  })
  if (wider === undefined) return []
  const message = `adds nothing to ${named([wider])}, which ${each.policy.effect}s all of it without a condition`
  const remedy = 'Remove it, unless it is there for its name or its advice.'
  return [finding('redundant', each, { message, remedy })]
}

/** What a policy means, apart from its name and advice. */
function meaningOf({ policy, tree }: Read): string {
  const { effect, principal, action, resource, conditions } = tree
  const { approvers, approvals, approvalGoodForMs } = policy
  return JSON.stringify([effect, principal, action, resource, conditions, approvers, approvals, approvalGoodForMs])
}

function constancy(each: Read): readonly PolicyFinding[] {
  const { certainty } = each
  if (certainty.holds !== 'always' || !certainty.hasConditions) return []
  const message = 'has a condition that is always met'
  return [finding('always_true', each, { message, remedy: 'Leave the condition out, or correct it.' })]
}

/** Whether only those could ask for approval who are in the one group that may give it: nobody but their peers can say yes. */
function approverFindings(each: Read, all: readonly Read[]): readonly PolicyFinding[] {
  const { policy, scope } = each
  if (!isLiftable(each) || each.certainty.holds === 'never') return []
  const permits = all.filter(
    (other) =>
      other.policy.effect === 'permit' &&
      other.certainty.holds !== 'never' &&
      [...other.scope.actions].some((action) => scope.actions.has(action)),
  )
  const groups = new Set(permits.map((permit) => groupOf(permit.scope)))
  const [only] = groups
  if (groups.size !== 1 || typeof only !== 'string' || policy.approvers.some((group) => group !== only)) return []
  const message = `may be lifted by the group "${only}" alone, and only members of "${only}" are permitted what it holds back`
  const remedy = `Nobody approves what they ask for themselves: with fewer than ${String(policy.approvals + 1)} members nobody can approve. Name another group in @approvers.`
  return [finding('approvers_are_requesters', each, { message, remedy })]
}

function groupOf({ principal }: Scope): string | null {
  return principal?.entity?.type === 'Group' && !principal.isExact ? principal.entity.id : null
}

function tagFindings(read: readonly Read[], { tags }: PolicySurroundings): readonly PolicyFinding[] {
  if (tags === null) return []
  const known = new Set([...tags.values()].flatMap((names) => Array.from(names)))
  const unmasking = read.filter(
    ({ policy, scope, certainty }) =>
      policy.effect === 'permit' && certainty.holds !== 'never' && scope.actions.has('unmask'),
  )
  const masked = [...tags].flatMap(([database, names]) =>
    [...names].sort().flatMap((tag): readonly PolicyFinding[] => {
      if (unmasking.some(({ scope }) => mayShow(scope, { database, tag }))) return []
      const message = `the tag ${tag} of the database ${database} is shown to nobody: no policy permits unmask on it`
      const remedy = `If somebody should see it: permit (principal in Group::"...", action == Action::"unmask", resource in Tag::${JSON.stringify(tag)});`
      return [{ kind: 'tag_always_masked', severity: 'warning', policy: null, message, remedy }]
    }),
  )
  const unknown = read.flatMap((each) => {
    const asked = [...namedTags(each.tree), ...stringsAskedOf(each.tree, 'tags')]
    const names = new Set([...asked, ...stringsAskedOf(each.tree, 'predicateTags')])
    return [...names]
      .filter((tag) => !known.has(tag) && !tag.startsWith('postern.'))
      .map((tag) => {
        const message = `names the tag ${tag}, which no classification file has`
        const remedy = 'Correct the name, or define the tag; only the comment of a column could still carry it.'
        return finding('tag_unknown', each, { message, remedy })
      })
  })
  return [...masked, ...unknown]
}

/** Whether a permit of `unmask` may speak of a column with that tag alone, as far as its head says. */
function mayShow({ resource }: Scope, column: { readonly database: string; readonly tag: string }): boolean {
  const entity = resource?.entity ?? null
  if (entity === null) return true
  if (entity.type === 'Tag') return entity.id === column.tag
  return entity.type !== 'Database' || entity.id === column.database
}

function namedTags(tree: PolicyJson): readonly string[] {
  const found: string[] = []
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('type' in node && node.type === 'Tag' && 'id' in node && typeof node.id === 'string') found.push(node.id)
    for (const value of Object.values(node)) walk(value)
  }
  walk(tree)
  return found
}

function accessRoleFindings(set: PolicySet, { accessRoles }: PolicySurroundings): readonly PolicyFinding[] {
  if (accessRoles === null) return []
  const names = [...accessRoles]
  return [
    ...undeclaredAccessRoles(set, names).map((name): PolicyFinding => {
      const message = `policies name AccessRole::${JSON.stringify(name)}, which the configuration does not have: nobody can hold it`
      const remedy = `Add it under \`access_roles\` in postern.yaml, or correct the name.`
      return { kind: 'access_role_unknown', severity: 'warning', policy: null, message, remedy }
    }),
    ...unusedAccessRoles(set, names).map((name): PolicyFinding => {
      const message = `the access role ${name} is configured, and no policy names it: whoever is given it may do nothing more`
      const remedy = `Write a policy with principal in AccessRole::${JSON.stringify(name)}, or remove the role.`
      return { kind: 'access_role_unused', severity: 'warning', policy: null, message, remedy }
    }),
  ]
}

function databaseFindings(set: PolicySet, { databases }: PolicySurroundings): readonly PolicyFinding[] {
  if (databases === null) return []
  const known = new Set(databases)
  const named = new Set([...(set.vocabulary.entities.get('Database') ?? []), ...set.vocabulary.schemas.keys()])
  return [...named]
    .filter((name) => !known.has(name))
    .map((name): PolicyFinding => {
      const message = `policies name the database "${name}", which the configuration does not have`
      const remedy = 'A policy about a name that does not exist permits and forbids nothing.'
      return { kind: 'database_unknown', severity: 'warning', policy: null, message, remedy }
    })
}

function named(policies: readonly Read[]): string {
  return policies.map(({ policy }) => `"${policy.id}" (${policy.file} line ${String(policy.line)})`).join(' and ')
}
