/** Policy: may they? Loads Cedar policies from a folder, decides by them, and puts changed ones in force. */
export { undeclaredAccessRoles, unusedAccessRoles } from './access-roles.ts'
export { createDecider } from './decide.ts'
export type { Decider, ResourceDecision } from './decide.ts'
export { loadPolicySet } from './load.ts'
export type { PolicySet } from './load.ts'
export { watchPolicies } from './watch.ts'
