import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { once } from 'node:events'
import { createCertificateAuthority, issueCertificate } from '../sandbox/certificate.ts'
import { sandboxIdentities, type SandboxIssuer, startIssuer } from '../sandbox/issuer.ts'
import { type SandboxPostgres, startPostgres } from '../sandbox/postgres.ts'

/** What the demo runs: a PostgreSQL with a shop in it, an identity provider, and Postern between the two. */
export interface World {
  readonly port: number
  readonly issuer: SandboxIssuer
  readonly postgres: SandboxPostgres
  /** The PEM file that clients trust. */
  readonly authorityFile: string
  readonly authority: string
  readonly configFile: string
  readonly journalDirectory: string
  /** Writes a fresh token of an identity to a file of its own and returns both. */
  writeToken(identity: string): Promise<{ readonly token: string; readonly file: string }>
  stop(): Promise<void>
}

const top = join(import.meta.dirname, '..')
/** Everything the demo writes, anew at each start. */
const directory = join(top, '.demo')
const preferredPort = 6432

/** The five identities of the demo, as the identity provider knows them. */
export const identities = sandboxIdentities

/** Starts it all on free ports of the loopback interface. */
export async function startWorld(): Promise<World> {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { mode: 0o700 })
  const [postgres, issuer, authority] = await Promise.all([
    startPostgres(),
    startIssuer(),
    createCertificateAuthority('Postern demo'),
  ])
  const stopAll = async (gateway?: ChildProcess): Promise<void> => {
    if (gateway !== undefined && gateway.exitCode === null) {
      gateway.kill('SIGTERM')
      await once(gateway, 'exit')
    }
    await Promise.all([issuer.stop(), postgres.stop()])
  }
  try {
    const rolePassword = await createShop(postgres)
    const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
    const port = await freePort()
    write('ca.crt', authority.certificate)
    write('gateway.crt', certificate)
    write('gateway.key', key)
    write('shop-password', rolePassword)
    cpSync(join(top, 'deploy/starter/policies'), join(directory, 'policies'), { recursive: true })
    const configFile = write('postern.yaml', configText({ port, issuer, postgres }))
    const gateway = await startGateway(configFile, port)
    return {
      port,
      issuer,
      postgres,
      authorityFile: relative(process.cwd(), join(directory, 'ca.crt')),
      authority: authority.certificate,
      configFile: relative(process.cwd(), configFile),
      journalDirectory: join(directory, 'journal'),
      async writeToken(identity) {
        const token = await issuer.issueToken({ identity })
        const file = write(`${identity.replace(/@.*/, '')}.token`, token)
        return { token, file: relative(process.cwd(), file) }
      },
      stop: () => stopAll(gateway),
    }
  } catch (error) {
    await stopAll()
    throw error
  }
}

function write(name: string, text: string): string {
  const file = join(directory, name)
  writeFileSync(file, text, { mode: 0o600 })
  chmodSync(file, 0o600)
  return file
}

/** A role that owns the shop and nothing else, whose password only Postern has. */
async function createShop(postgres: SandboxPostgres): Promise<string> {
  const password = crypto.randomUUID()
  await postgres.query('postgres', `CREATE ROLE shop_owner LOGIN PASSWORD '${password}'`)
  await postgres.query('postgres', 'CREATE DATABASE shop OWNER shop_owner')
  await postgres.query('shop', `SET ROLE shop_owner; ${readFileSync(join(import.meta.dirname, 'shop.sql'), 'utf8')}`)
  return password
}

function configText(parts: { port: number; issuer: SandboxIssuer; postgres: SandboxPostgres }): string {
  const { port, issuer, postgres } = parts
  return `# Written by the demo at each start. \`postern init\` writes one for your own databases.
listen:
  address: 127.0.0.1
  port: ${String(port)}
  tls: { certificate: gateway.crt, key: gateway.key }
issuers:
  - url: ${issuer.url}
    audience: ${issuer.audience}
    client_id: ${issuer.clientId}
    claims:
      name: preferred_username
      groups: groups
      kind: { claim: kind, values: { human: human, service: service, agent: agent } }
    allow_insecure: true # http, which is accepted on loopback only
databases:
  shop:
    host: ${postgres.host}
    port: ${String(postgres.port)}
    role: shop_owner
    tls: { mode: disable } # on this machine only
    credential: { file: shop-password }
    labels: { env: demo }
policies: policies
journal: { directory: journal, signing_key: journal-key.pem }
log: { level: warn }
`
}

/** `postern serve`, as an operator would start it; settles when it accepts connections. */
async function startGateway(configFile: string, port: number): Promise<ChildProcess> {
  const gateway = spawn(process.execPath, [join(top, 'src/cli/main.ts'), 'serve', '--config', configFile], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (gateway.exitCode !== null) throw new Error('postern serve ended; see above')
    if (await accepts(port)) return gateway
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  gateway.kill()
  throw new Error('postern serve did not start to listen within ten seconds')
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  for (const port of [preferredPort, 0]) {
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      if (address !== null && typeof address === 'object') return address.port
    } catch (error) {
      if (port === 0) throw error
    } finally {
      server.close()
    }
  }
  throw new Error('no free port on the loopback interface')
}
