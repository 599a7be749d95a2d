import { existsSync } from 'node:fs'

/** The configuration that a command uses unless told: POSTERN_CONFIG, else postern.yaml in this folder. */
export function configFile(named: string | undefined): string {
  return named ?? process.env['POSTERN_CONFIG'] ?? 'postern.yaml'
}

/** The same for commands that can do without: null where none is named and none is there. */
export function configFileIfAny(named: string | undefined): string | null {
  const file = configFile(named)
  return named !== undefined || process.env['POSTERN_CONFIG'] !== undefined || existsSync(file) ? file : null
}
