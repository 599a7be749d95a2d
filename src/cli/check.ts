import { Command } from 'commander'
import pc from 'picocolors'
import type { Config } from '../config.ts'
import { loadConfig } from '../config.ts'
import { toPosternError } from '../core/errors.ts'
import { checkApi, checkApprovals, checkSecrets } from './check-access.ts'
import { checkDatabases, checkIssuers } from './check-network.ts'
import { checkCertificate, checkClassifications, checkJournal, checkPolicies } from './check-local.ts'
import { checkStoreLocally, checkStoreRemotely } from './check-store.ts'
import { configFile } from './config-file.ts'
import { isColouredFor, visible } from './failure.ts'

/** What one check found. A warning does not keep the gateway from working, today. */
export interface CheckResult {
  readonly what: string
  readonly status: 'ok' | 'warning' | 'failed'
  /** What was found, as a sentence without its full stop. */
  readonly found: string
  readonly remedy: string | null
}

/** `postern check`: checks everything a gateway needs, prints each finding, and exits with 1 if anything failed. */
export function checkCommand(): Command {
  return new Command('check')
    .description(
      'check all that a gateway needs: configuration, policies, issuers, databases, journal, approvals; explain what is wrong',
    )
    .option('--config <file>', 'the postern.yaml to check')
    .option('--offline', 'contact neither issuers nor databases')
    .option('--json', 'print an object with all results')
    .action(async (options: { config?: string; offline?: true; json?: true }) => {
      const results = await checkAll(configFile(options.config), options.offline === true ? 'offline' : 'online')
      const isOk = results.every(({ status }) => status !== 'failed')
      const isColoured = isColouredFor(process.stdout)
      const text =
        options.json === true ? `${JSON.stringify({ ok: isOk, checks: results })}\n` : asText(results, isColoured)
      process.stdout.write(text)
      if (!isOk) process.exitCode = 1
    })
}

/** Runs all checks; offline, those that need no network. What cannot be checked for want of a configuration is left out. */
export async function checkAll(file: string, reach: 'online' | 'offline'): Promise<readonly CheckResult[]> {
  let config: Config
  try {
    config = loadConfig(file)
  } catch (thrown) {
    const { message, detail, hint } = toPosternError(thrown)
    const found = detail === undefined ? message : `${message}\n${detail}`
    return [{ what: 'configuration', status: 'failed', found, remedy: hint ?? null }]
  }
  const count = `${String(config.databases.size)} database(s), ${String(config.issuers.length)} issuer(s)`
  const local = [
    { what: 'configuration', status: 'ok', found: `${file}: ${count}`, remedy: null } as const,
    checkCertificate(config.listen, Date.now()),
    await checkPolicies(config),
    ...(await checkApprovals(config)),
    ...checkClassifications(config),
    ...(await checkJournal(config.journal)),
    ...(await checkStoreLocally(config)),
    ...(await checkApi(config, Date.now())),
    ...(await checkSecrets(config)),
  ]
  if (reach === 'offline') return local
  const remote = await Promise.all([checkIssuers(config), checkDatabases(config), checkStoreRemotely(config)])
  return [...local, ...remote.flat()]
}

function asText(results: readonly CheckResult[], isColoured: boolean): string {
  const { green, yellow, red, dim } = pc.createColors(isColoured)
  const marks = { ok: green('ok'), warning: yellow('warning'), failed: red('FAILED') }
  const lines = results.map(({ what, status, found, remedy }) => {
    const indented = (text: string) => visible(text).replaceAll('\n', '\n    ')
    const hint = remedy === null ? '' : `\n    ${dim('→')} ${indented(remedy)}`
    return `${marks[status].padEnd(status.length)}  ${visible(what)}: ${indented(found)}${hint}`
  })
  const failed = results.filter(({ status }) => status === 'failed').length
  const summary =
    failed === 0
      ? 'Everything that was checked is in order.'
      : `${String(failed)} of ${String(results.length)} checks failed.`
  return `${lines.join('\n')}\n\n${summary}\n`
}
