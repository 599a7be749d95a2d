import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sandboxClaims, type SandboxIssuer } from '../sandbox/issuer.ts'
import type { SandboxPostgres } from '../sandbox/postgres.ts'
import type { Contender } from './contenders.ts'
import { classifications, databaseName } from './fill.ts'
import { end, freePort, processIdOf } from './processes.ts'

/** How a Postern differs from the one without a classification. */
export interface OtherPostern {
  readonly nodeOptions?: readonly string[]
  /** The folder of a checkout whose code runs; this one unless told. */
  readonly checkout?: string
  /** What is classified in its database; nothing unless told. */
  readonly classification?: keyof typeof classifications
}

/** A Postern in a process of its own. */
export interface StartedPostern {
  readonly contender: Contender
  /** Writes a profile of what it does until `load` has settled. */
  profile(file: string, load: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

/** Somebody who may do everything here and unmask nothing. */
const principal = 'alice@example.com'

const contenderNames = {
  nothing: 'Postern',
  elsewhere: 'Postern, classified',
  'one text of ten': 'Postern, masking',
} as const

/** Starts a Postern and waits until it takes connections. */
export async function startPostern(options: {
  readonly directory: string
  readonly postgres: SandboxPostgres
  readonly issuer: SandboxIssuer
  readonly other: OtherPostern
  /** Of its files. */
  readonly name: string
}): Promise<StartedPostern> {
  const { directory, postgres, issuer, other, name } = options
  const port = await freePort()
  const file = join(directory, `${name}.yaml`)
  const classificationFile = join(directory, `${name}-classification.yaml`)
  const { classification } = other
  // JSON is YAML.
  const config = {
    listen: { address: '127.0.0.1', port, allow_plaintext_on_loopback: true },
    issuers: [{ url: issuer.url, audience: issuer.audience, allow_insecure: true, claims: sandboxClaims }],
    databases: {
      [databaseName]: {
        host: postgres.host,
        port: postgres.port,
        role: postgres.superuser,
        credential: { password: postgres.password },
        tls: { mode: 'disable' },
        labels: { env: 'bench' },
        ...(classification === undefined ? {} : { classification: classificationFile }),
      },
    },
    policies: new URL('../deploy/starter/policies', import.meta.url).pathname,
    journal: { directory: join(directory, `${name}-journal`), signing_key: join(directory, `${name}-key.pem`) },
    masking: { key: join(directory, `${name}-masking-key`), state: join(directory, `${name}-masking-state`) },
    log: { level: 'error' },
  }
  if (classification !== undefined) {
    await writeFile(classificationFile, JSON.stringify(classifications[classification]), { mode: 0o600 })
  }
  await writeFile(file, JSON.stringify(config), { mode: 0o600 })
  const checkout = other.checkout ?? join(import.meta.dirname, '..')
  const child = fork(join(checkout, 'bench', 'gateway-process.ts'), [file], {
    execArgv: [...(other.nodeOptions ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown]
  if (message !== 'ready') throw new Error('Postern did not start; its log above says why')
  const password = await issuer.issueToken({ identity: principal, expiresInS: 7_200 })
  return {
    contender: {
      name: contenderNames[classification ?? 'nothing'],
      port,
      user: principal,
      password,
      processId: processIdOf(child),
    },
    async profile(path, load) {
      const ask = async (question: object) => {
        const answered = Promise.race([once(child, 'message'), once(child, 'exit')])
        child.send(question)
        await answered
        if (child.exitCode !== null) throw new Error('Postern ended while it was profiled')
      }
      await ask({ profile: 'start' })
      await load()
      await ask({ profile: 'stop', file: path })
    },
    stop: () => end(child),
  }
}
