import { Command } from 'commander'
import { configFile } from './config-file.ts'

/** `postern serve`: runs the gateway until SIGTERM or SIGINT. A second signal ends it at once. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway')
    .option('--config <file>', 'the postern.yaml to run with')
    .action(async ({ config }: { config?: string }) => {
      const [{ loadConfig }, { serve }] = await Promise.all([import('../config.ts'), import('../main.ts')])
      const stop = untilSignal()
      const running = await serve(loadConfig(configFile(config)))
      await stop
      await running.stop()
    })
}

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
