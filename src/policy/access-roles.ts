import type { PolicySet } from './load.ts'

/** The access roles that a set names and that are none of `names`: what such a policy says holds for nobody. Sorted. */
export function undeclaredAccessRoles(set: PolicySet, names: Iterable<string>): readonly string[] {
  const declared = new Set(names)
  return [...(set.vocabulary.entities.get('AccessRole') ?? [])].filter((name) => !declared.has(name)).sort()
}

/** Those of `names` that no policy of a set names: whoever is given one may do nothing more. Sorted. */
export function unusedAccessRoles(set: PolicySet, names: Iterable<string>): readonly string[] {
  const named = set.vocabulary.entities.get('AccessRole')
  return [...names].filter((name) => named?.has(name) !== true).sort()
}
