import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))

/** What one run of the command line said. */
export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs the real command line in a process of its own, with nobody at a terminal. */
export function postern(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [entry, ...args],
      // A folder without a postern.yaml.
      { cwd: import.meta.dirname, env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 60_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
    child.stdin?.end()
  })
}
