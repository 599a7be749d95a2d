import { isAbsolute, join } from 'node:path'
import { isIPv6 } from 'node:net'

/** How far TLS goes towards PostgreSQL; the names and meanings are libpq's `sslmode`. */
type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** A PostgreSQL database and the role to log in as. */
export interface BackendTarget {
  /** A name, an address, or the absolute path of the directory that holds a unix socket. */
  readonly host: string
  readonly port: number
  /** The database's name in PostgreSQL. */
  readonly database: string
  readonly role: string
  readonly tls: {
    /**
     * `prefer` takes plaintext only where the server says that it has no TLS; a handshake that fails is a failure.
     * `require` encrypts without asking who the server is, but checks the chain where `ca` is given, as libpq does.
     */
    readonly mode: TlsMode
    /** PEM certificates to trust; without them the runtime's own list. */
    readonly ca?: string | undefined
    /** The name to ask for (SNI) and to check, where it is not `host`. */
    readonly serverName?: string | undefined
  }
}

/** The path of the unix socket where the target is one, else null. */
export function socketPath(target: BackendTarget): string | null {
  return isAbsolute(target.host) ? join(target.host, `.s.PGSQL.${target.port}`) : null
}

/** The target's address as an operator would write it. */
export function addressOf(target: BackendTarget): string {
  return socketPath(target) ?? `${isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`
}
