import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import {
  freePort,
  prepareGateway,
  startGatewayProcess,
  stopGatewayProcess,
  writeSecret,
} from '../sandbox/gateway-process.ts'
import { sandboxIdentities, startIssuer, type SandboxIssuer } from '../sandbox/issuer.ts'
import { startPostgres, type SandboxPostgres } from '../sandbox/postgres.ts'

/** What the demo runs: a PostgreSQL with a shop in it, an identity provider, and Postern between the two. */
export interface World {
  readonly port: number
  /** Where people decide. */
  readonly apiUrl: string
  readonly issuer: SandboxIssuer
  readonly postgres: SandboxPostgres
  /** The PEM certificate that clients trust, and its file. */
  readonly authority: string
  readonly authorityFile: string
  readonly configFile: string
  readonly journalDirectory: string
  /** Writes a fresh token of an identity to a file of its own and returns both. */
  writeToken(identity: string): Promise<{ readonly token: string; readonly file: string }>
  stop(): Promise<void>
}

/** Everything the demo writes, anew at each start. */
const directory = join(import.meta.dirname, '..', '.demo')
const preferredPort = 6432
const preferredApiPort = 8432
const accessRoles = `access_roles:
  support-lead:
    description: Reads the e-mail addresses of customers, for one case.
    requestable_by: [support]
    approvers: [dba]
    max_duration: 4h
    databases: [shop]
`

/** The five identities of the demo, as the identity provider knows them. */
export const identities = sandboxIdentities

/** Starts it all on free ports of the loopback interface. */
export async function startWorld(): Promise<World> {
  rmSync(directory, { recursive: true, force: true })
  const [postgres, issuer] = await Promise.all([startPostgres(), startIssuer()])
  let gateway: ChildProcess | null = null
  const stop = async (): Promise<void> => {
    if (gateway !== null) await stopGatewayProcess(gateway)
    await Promise.all([issuer.stop(), postgres.stop()])
  }
  try {
    const port = await freePort(preferredPort)
    const apiPort = await freePort(preferredApiPort)
    const password = await createShop(postgres)
    const labels = { env: 'demo' }
    const classification = join(import.meta.dirname, 'classification.yaml')
    const prepared = await prepareGateway({
      directory,
      issuer,
      postgres,
      role: 'shop_owner',
      password,
      port,
      labels,
      classification,
      apiPort,
      more: accessRoles,
    })
    gateway = await startGatewayProcess(prepared.configFile, port)
    return {
      ...prepared,
      port,
      apiUrl: `http://127.0.0.1:${String(apiPort)}`,
      issuer,
      postgres,
      authorityFile: shown(prepared.authorityFile),
      configFile: shown(prepared.configFile),
      async writeToken(identity) {
        const token = await issuer.issueToken({ identity })
        const file = writeSecret(join(directory, `${identity.replace(/@.*/, '')}.token`), token)
        return { token, file: shown(file) }
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A role that owns the shop and nothing else, whose password only Postern has. */
async function createShop(postgres: SandboxPostgres): Promise<string> {
  const password = randomUUID()
  const shop = readFileSync(join(import.meta.dirname, 'shop.sql'), 'utf8')
  await postgres.query('postgres', `CREATE ROLE shop_owner LOGIN PASSWORD '${password}'`)
  await postgres.query('postgres', 'CREATE DATABASE shop OWNER shop_owner')
  await postgres.query('shop', `SET ROLE shop_owner;\n${shop}`)
  return password
}

function shown(file: string): string {
  return relative(process.cwd(), file)
}
