import { Command } from 'commander'
import type { ListenConfig } from '../config.ts'
import { PosternError } from '../core/errors.ts'
import { configFile } from './config-file.ts'

/** `postern serve`: runs the gateway until SIGTERM or SIGINT. A second signal ends it at once. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway')
    .option('--config <file>', 'the postern.yaml to run with')
    .action(async ({ config: named }: { config?: string }) => {
      const [{ loadConfig }, { serve }] = await Promise.all([import('../config.ts'), import('../main.ts')])
      const stop = untilSignal()
      const config = loadConfig(configFile(named))
      const running = await serve(config).catch((error: unknown) => {
        throw cannotListen(error, config.listen) ?? error
      })
      await stop
      await running.stop()
    })
}

/** What keeps the gateway from listening is seldom a bug: a port that is taken, privileged, or of another machine. */
function cannotListen(error: unknown, { address, port }: ListenConfig): PosternError | null {
  if (!(error instanceof Error) || !('syscall' in error) || error.syscall !== 'listen' || !('code' in error))
    return null
  const [why, hint] = listenFailures.get(String(error.code)) ?? [String(error.code), 'Check `listen` in postern.yaml.']
  const message = `the gateway cannot listen on ${address}, port ${String(port)}: ${why}`
  return new PosternError('config_invalid', message, { cause: error, hint })
}

const listenFailures: ReadonlyMap<string, readonly [why: string, hint: string]> = new Map([
  ['EADDRINUSE', ['another process does', 'Stop that process, or set another `listen.port` in postern.yaml.']],
  ['EADDRNOTAVAIL', ['this machine has no such address', 'Correct `listen.address` in postern.yaml.']],
  [
    'EACCES',
    [
      'this account may not use that port',
      'Set a `listen.port` of 1024 or more in postern.yaml, or let the account bind lower ones (CAP_NET_BIND_SERVICE).',
    ],
  ],
])

/** Resolves at the first signal; at the second, Node's own answer is in force again, which ends the process. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGTERM', stop).off('SIGINT', stop)
      resolve()
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
}
