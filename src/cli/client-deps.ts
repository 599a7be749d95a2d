import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { publicKeyFileOf } from '../audit/key.ts'
import { loadSections } from '../config.ts'
import type { AuditCommandOptions } from './audit.ts'
import { configFile, configFileIfAny } from './config-file.ts'
import type { ConnectDeps, GatewayLocation } from './connect.ts'
import type { LoginConfig } from './token.ts'

/** What `postern token` and `postern connect` take from this process and from the configuration, if there is one. */
export function clientDeps(): ConnectDeps {
  return {
    env: process.env,
    loadLogins: (path) => Promise.resolve(loginsOf(path)),
    loadGateway: (path) => Promise.resolve(gatewayOf(path)),
    writeOut: (text) => {
      process.stdout.write(text)
    },
    writeErr: (text) => {
      process.stderr.write(text)
    },
    nowMs: () => Date.now(),
    untilStopped: async () => {
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
    },
    setExitCode: (code) => {
      process.exitCode = code
    },
  }
}

/** Where `postern audit` finds the journal. It may run under an account that can read nothing else. */
export function journalPlaces(): AuditCommandOptions {
  const journal = (path: string) => {
    // The command's own default is the name without a folder; then the environment may name another.
    const file = path === 'postern.yaml' ? configFile(undefined) : path
    const { directory, signing_key: signingKey } = loadSections(file, ['journal']).journal
    const folder = dirname(resolve(file))
    return { directory: resolve(folder, directory), signingKey: resolve(folder, signingKey) }
  }
  return {
    resolveJournalDirectory: (path) => journal(path).directory,
    resolvePublicKeyFile: (path) => publicKeyFileOf(journal(path).signingKey),
  }
}

function loginsOf(path: string | undefined): readonly LoginConfig[] {
  const file = configFileIfAny(path)
  if (file === null) return []
  return loadSections(file, ['issuers']).issuers.map((issuer) => ({
    issuer: issuer.url,
    clientId: issuer.client_id ?? null,
    audiences: typeof issuer.audience === 'string' ? [issuer.audience] : issuer.audience,
    nameClaim: issuer.claims.name,
    prefix: issuer.prefix,
  }))
}

function gatewayOf(path: string | undefined): GatewayLocation | null {
  const file = configFileIfAny(path)
  if (file === null) return null
  const { listen } = loadSections(file, ['listen'])
  const host = anyAddress.get(listen.address) ?? listen.address
  if (listen.tls === undefined) return { host, port: listen.port, tlsMode: 'disable' }
  return { host, port: listen.port, caFile: selfSigned(resolve(dirname(resolve(file)), listen.tls.certificate)) }
}

/** Listening on every address, the gateway is on this machine too. */
export const anyAddress: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** The certificate file where it is its own authority, so that trying things out needs no second file. */
export function selfSigned(file: string): string | undefined {
  try {
    const certificate = new X509Certificate(readFileSync(file))
    return certificate.checkIssued(certificate) ? file : undefined
  } catch (error) {
    // The file may be another account's or another machine's: the system's authorities decide then.
    if (error instanceof Error) return undefined
    throw error
  }
}
