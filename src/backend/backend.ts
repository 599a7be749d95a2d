/** PostgreSQL upstream: the front door of this folder. */
export { connectBackend } from './connect.ts'
export type { BackendConnection } from './connect.ts'
export { createCredentialSource } from './credential.ts'
export type { Credential } from './credential.ts'
export { BackendFault, BackendRefusal } from './failure.ts'
export type { BackendTarget } from './target.ts'
