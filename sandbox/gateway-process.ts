import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { createCertificateAuthority, issueCertificate } from './certificate.ts'
import type { SandboxIssuer } from './issuer.ts'
import type { SandboxPostgres } from './postgres.ts'

const top = join(import.meta.dirname, '..')

/** What `postern serve` is to find in its folder. */
export interface GatewayFolder {
  /** Created if absent; everything is written below it. */
  readonly directory: string
  readonly issuer: SandboxIssuer
  readonly postgres: SandboxPostgres
  /** The database role and its password. */
  readonly role: string
  readonly password: string
  readonly port: number
  /** A folder of policies to copy; the starter set unless told. */
  readonly policies?: string
  /** A classification file to copy; nothing is classified unless told. */
  readonly classification?: string
  readonly durability?: 'process' | 'disk'
  readonly allowPlaintextOnLoopback?: boolean
  readonly labels?: Readonly<Record<string, string>>
  /** Where people decide; what needs approval is refused unless told. */
  readonly apiPort?: number
  /** More sections of postern.yaml. */
  readonly more?: string
}

/** What was written for a gateway: its configuration, and what its clients and auditors need to know. */
export interface PreparedGateway {
  readonly configFile: string
  readonly journalDirectory: string
  /** The PEM certificate that clients trust, and its file. */
  readonly authority: string
  readonly authorityFile: string
}

/** Writes a postern.yaml for one database `shop`, with certificates and policies beside it. */
export async function prepareGateway(folder: GatewayFolder): Promise<PreparedGateway> {
  const { directory } = folder
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const write = (name: string, text: string): string => writeSecret(join(directory, name), text)
  const authority = await createCertificateAuthority('Sandbox authority')
  const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
  const authorityFile = write('ca.crt', authority.certificate)
  write('gateway.crt', certificate)
  write('gateway.key', key)
  write('shop-password', folder.password)
  cpSync(folder.policies ?? join(top, 'deploy/starter/policies'), join(directory, 'policies'), { recursive: true })
  if (folder.classification !== undefined) cpSync(folder.classification, join(directory, 'classification.yaml'))
  const configFile = write('postern.yaml', configText(folder))
  return { configFile, journalDirectory: join(directory, 'journal'), authority: authority.certificate, authorityFile }
}

/** Writes a file that only its owner can read, and returns its path. */
export function writeSecret(file: string, text: string): string {
  writeFileSync(file, text, { mode: 0o600 })
  chmodSync(file, 0o600)
  return file
}

/** `postern serve` as an operator would start it; settles when it accepts connections, and throws if it ends before. */
export async function startGatewayProcess(
  configFile: string,
  port: number,
  { nodeOptions = [] }: { readonly nodeOptions?: readonly string[] } = {},
): Promise<ChildProcess> {
  const command = [...nodeOptions, join(top, 'src/cli/main.ts'), 'serve', '--config', configFile]
  const gateway = spawn(process.execPath, command, { stdio: ['ignore', 'inherit', 'inherit'] })
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (gateway.exitCode !== null) throw new Error('postern serve ended before it listened')
    if (await accepts(port)) return gateway
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  gateway.kill()
  throw new Error('postern serve did not listen within twenty seconds')
}

/** Asks a gateway process to stop and waits until it has. */
export async function stopGatewayProcess(gateway: ChildProcess): Promise<void> {
  if (gateway.exitCode !== null || gateway.signalCode !== null) return
  gateway.kill('SIGTERM')
  await once(gateway, 'exit')
}

/** A port of the loopback interface that was free a moment ago; `preferred` if it was. */
export async function freePort(preferred = 0): Promise<number> {
  for (const port of [preferred, 0]) {
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

function configText(folder: GatewayFolder): string {
  const { issuer, postgres, port, role, apiPort } = folder
  return `# Written anew at each start. \`postern init\` writes one for your own databases.
listen:
  address: 127.0.0.1
  port: ${String(port)}
  tls: { certificate: gateway.crt, key: gateway.key }
  allow_plaintext_on_loopback: ${String(folder.allowPlaintextOnLoopback ?? false)}
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
    role: ${role}
    tls: { mode: disable } # on this machine only
    credential: { file: shop-password }
    labels: ${JSON.stringify(folder.labels ?? {})}
${folder.classification === undefined ? '' : '    classification: classification.yaml\n'}policies: policies
journal: { directory: journal, signing_key: journal-key.pem, durability: ${folder.durability ?? 'process'} }
log: { level: warn }
${apiPort === undefined ? '' : `api: { port: ${String(apiPort)}, login: { client_id: ${issuer.clientId} } }\n`}${folder.more ?? ''}`
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
