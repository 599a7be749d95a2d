import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { PosternError } from '../core/errors.ts'
import { visible } from './failure.ts'
import { answersOf, askForMissing } from './init-answers.ts'
import type { Flags } from './init-answers.ts'
import { configText, unitText } from './init-files.ts'

const starterFolder = fileURLToPath(new URL('../../deploy/starter/policies', import.meta.url))

/** `postern init`: writes postern.yaml, the starter policies and a systemd unit. Replaces nothing unless told. */
export function initCommand(): Command {
  return new Command('init')
    .description('write a configuration, starter policies and a systemd unit to begin with')
    .option('--dir <folder>', 'where to write', '.')
    .option('--issuer <url>', 'the identity provider, as its tokens state it in `iss`')
    .option('--audience <text>', 'what its tokens for Postern state in `aud`')
    .option('--client-id <id>', 'the client id for logging people in with `postern token`')
    .option('--database <name>', 'the name that clients connect to')
    .option('--database-host <host>', 'where PostgreSQL is')
    .option('--database-port <port>', 'its port')
    .option('--database-role <role>', 'the database role to log in as')
    .option('--database-tls <mode>', 'disable, prefer, require, verify-ca or verify-full')
    .option('--address <address>', 'address to listen on')
    .option('--port <port>', 'port to listen on')
    .option('--certificate <file>', "PEM file of the gateway's certificate")
    .option('--key <file>', 'PEM file of its private key')
    .option('--plaintext-on-loopback', 'no TLS, for clients on this machine only: to try things out')
    .option('-y, --yes', 'ask nothing: take the defaults for what no option says')
    .option('--force', 'replace files that are there')
    .option('--json', 'print the files written as an object; asks nothing')
    .action(async (flags: InitFlags) => {
      const isAsking = flags.yes !== true && flags.json !== true && process.stdin.isTTY && process.stdout.isTTY
      const answers = answersOf(isAsking ? await askForMissing(flags) : flags)
      const folder = resolve(flags.dir)
      const files = new Map([
        ['postern.yaml', configText(answers)],
        ...(await starterPolicies()),
        ['postern.service', unitText(folder, answers)],
      ])
      await writeAll(folder, files, flags.force === true ? 'replace' : 'keep')
      const written = [...files.keys()].map((name) => join(flags.dir, name))
      process.stdout.write(flags.json === true ? `${JSON.stringify({ written })}\n` : nextSteps(written, answers))
    })
}

interface InitFlags extends Flags {
  readonly dir: string
  readonly yes?: true
  readonly force?: true
  readonly json?: true
}

async function starterPolicies(): Promise<[string, string][]> {
  const names = (await readdir(starterFolder)).filter((name) => name.endsWith('.cedar')).sort()
  return Promise.all(
    names.map(async (name): Promise<[string, string]> => [
      join('policies', name),
      await readFile(join(starterFolder, name), 'utf8'),
    ]),
  )
}

async function writeAll(
  folder: string,
  files: ReadonlyMap<string, string>,
  existing: 'keep' | 'replace',
): Promise<void> {
  const present = [...files.keys()].filter((name) => existsSync(join(folder, name)))
  if (existing === 'keep' && present.length > 0) throw wouldReplace(folder, present)
  try {
    for (const [name, text] of files) {
      const path = join(folder, name)
      await mkdir(dirname(path), { recursive: true })
      // Exclusive, should another process have written it since it was looked for.
      await writeFile(path, text, { flag: existing === 'keep' ? 'wx' : 'w' })
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw wouldReplace(folder, [])
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new PosternError('input_invalid', `the files cannot be written to ${folder}: ${why}`, {
      cause,
      hint: 'Name a folder that this account may write to with --dir.',
    })
  }
}

function wouldReplace(folder: string, present: readonly string[]): PosternError {
  return new PosternError('input_invalid', `${folder} has files that would be replaced, so nothing was written`, {
    detail: present.length === 0 ? undefined : present.join('\n'),
    hint: 'Name another folder with --dir, or replace them with --force.',
  })
}

function nextSteps(written: readonly string[], answers: ReturnType<typeof answersOf>): string {
  const { tls, passwordVariable, database, issuer, clientId } = answers
  const config = written[0] ?? 'postern.yaml'
  const steps = [
    ...(tls === null
      ? []
      : [`Put the gateway's certificate and key where ${basename(config)} says: ${tls.certificate}, ${tls.key}.`]),
    `Set ${passwordVariable} to the password of the database role, in the environment of the gateway.`,
    'Read policies/, and `access_roles`: groups are those of your identity provider.',
    `At ${issuer}, let client ${clientId} return to http://127.0.0.1:8432/callback: people approve there.`,
    `Run: postern check --config ${config}`,
    `Run: postern serve --config ${config}`,
    `Then, as a person who may log in at ${issuer}: postern connect ${database}`,
  ]
  const numbered = steps.map((step, index) => `  ${String(index + 1)}. ${step}`)
  return visible(`Written:\n${written.map((file) => `  ${file}`).join('\n')}\n\nNext:\n${numbered.join('\n')}\n`)
}
