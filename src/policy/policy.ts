/** Policy: may they? Loads Cedar policies from a folder, decides by them, and puts changed ones in force. */
export { createDecider } from './decide.ts'
export type { Decider } from './decide.ts'
export { loadPolicySet } from './load.ts'
export type { PolicySet } from './load.ts'
export { watchPolicies } from './watch.ts'
