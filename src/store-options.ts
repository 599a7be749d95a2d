import type { ConnectionOptions } from 'node:tls'
import { createCredentialSource } from './backend/backend.ts'
import type { AccessSettings } from './config.ts'
import type { ControlStoreOptions } from './store/store.ts'

/** Where the control store of a configuration is, with a password that is read again at each connect. */
export function storeOptions(
  settings: AccessSettings['controlStore'],
  {
    environment,
    atStop,
  }: {
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly atStop: (step: () => void) => void
  },
): ControlStoreOptions {
  if (settings.kind === 'sqlite') return { kind: 'sqlite', file: settings.file }
  const { host, port, database, role, schema, tls } = settings
  const credential = createCredentialSource(settings.credential ?? { password: '' }, environment)
  atStop(() => credential.close())
  const ssl = tlsOptions(host, tls)
  const connection = { host, port, database, user: role, password: () => credential.password() }
  return { kind: 'postgres', connection: ssl === null ? connection : { ...connection, ssl }, schema }
}

/** TLS as `sslmode` says it; one that would do without is held to it, since grants are at stake. */
function tlsOptions(
  host: string,
  { mode, ca, serverName }: Extract<AccessSettings['controlStore'], { kind: 'postgres' }>['tls'],
): ConnectionOptions | null {
  switch (mode) {
    case 'disable':
      return null
    case 'prefer':
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-ca':
      return { ca, checkServerIdentity: () => undefined }
    case 'verify-full':
      return { ca, servername: serverName ?? host }
  }
}
