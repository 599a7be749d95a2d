/**
 * Postern as a process of its own, so that its processor time can be told from everything else's. Argument:
 * postern.yaml. The parent may have a part of its life profiled: `start`, then a file to write to.
 */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { loadConfig } from '../src/config.ts'
import { serve } from '../src/main.ts'

const postern = await serve(loadConfig(process.argv[2] ?? 'postern.yaml'))
process.once('SIGTERM', () => {
  void postern.stop({ deadlineMs: 1_000 }).then(() => process.exit(0))
})
// A benchmark that was cut off leaves nothing behind.
process.once('disconnect', () => process.exit(1))

const inspector = new Session()
inspector.connect()
process.on(
  'message',
  (message: { readonly profile: 'start' } | { readonly profile: 'stop'; readonly file: string }) => {
    void profile(message)
  },
)
process.send?.('ready')

async function profile(message: { readonly profile: 'start' | 'stop'; readonly file?: string }): Promise<void> {
  if (message.profile === 'start') {
    await inspector.post('Profiler.enable')
    await inspector.post('Profiler.setSamplingInterval', { interval: 200 })
    await inspector.post('Profiler.start')
  } else {
    const { profile } = await inspector.post('Profiler.stop')
    writeFileSync(message.file ?? 'postern.cpuprofile', JSON.stringify(profile))
  }
  process.send?.('done')
}
