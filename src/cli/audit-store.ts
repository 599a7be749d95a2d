import { Command } from 'commander'
import { terminalSafe, terminalSafeJson } from '../audit/record-text.ts'
import { loadConfig } from '../config.ts'
import { limits } from '../core/limits.ts'
import type { StoreReport } from '../store-audit.ts'
import { configFile } from './config-file.ts'

interface AuditStoreOptions {
  readonly journal?: readonly string[]
  readonly config?: string
  readonly json?: true
}

type Difference = StoreReport['differences'][number]

/** `postern audit store`: whether the control store holds what the journals tell, and nothing else. */
export function auditStoreCommand(): Command {
  return new Command('store')
    .description('check that the control store holds what the journal tells and nothing else; ends with 1 where not')
    .option('--journal <dir...>', 'journals of all gateways of the store, instead of the configured one')
    .option(
      '--config <file>',
      'the postern.yaml that names store and journal (default: $POSTERN_CONFIG or postern.yaml)',
    )
    .option('--json', 'print JSON')
    .action(async (options: AuditStoreOptions) => {
      const { auditStore } = await import('../store-audit.ts')
      const config = loadConfig(configFile(options.config))
      const report = await auditStore(config.controlStore, {
        journals: options.journal ?? [config.journal.directory],
        environment: process.env,
        nowMs: Date.now(),
      })
      process.stdout.write(options.json === true ? `${terminalSafeJson(report)}\n` : formatStoreReport(report))
      if (report.differences.length > 0) process.exitCode = 1
    })
}

/** What `postern audit store` says to a person: the verdict, what it rests on, and what to do. */
export function formatStoreReport(report: StoreReport): string {
  const { differences, change } = report
  const lines =
    differences.length === 0
      ? [
          `The control store holds what ${journalsOf(report)} tells, and nothing else, up to change ${String(change)}.`,
          ...beginningOf(report),
          'That the journal itself is as it was written, `postern audit verify` proves.',
        ]
      : [
          `The control store does NOT hold what ${journalsOf(report)} tells: ${countOf(differences.length)}.`,
          ...differences.map((difference) => `  ${textOf(difference)}`),
          ...beginningOf(report),
          ...new Set(differences.flatMap(adviceOn)),
        ]
  return `${lines.map(terminalSafe).join('\n')}\n`
}

function countOf(count: number): string {
  if (count >= limits.differencesMax) return `${String(count)} differences or more`
  return count === 1 ? '1 difference' : `${String(count)} differences`
}

function journalsOf({ journals }: StoreReport): string {
  return `the journal in ${journals.join(' and ')}`
}

function beginningOf({ beginsAt }: StoreReport): readonly string[] {
  if (beginsAt === null) return []
  return [`The check begins where the journal does: changes from before ${beginsAt} were taken at the store's word.`]
}

function textOf(difference: Difference): string {
  const { change, members } = { members: [], ...difference }
  const where = change === null ? '' : ` (change ${String(change)})`
  if (difference.of === 'change') {
    const { type, what } = difference
    return `change ${String(change)}${type === '' ? '' : `, ${type}`}: ${ofChange[what]}`
  }
  const subject = { approval: 'approval of request', revocation: 'revocation of' }
  const { of, id, what } = difference
  const name = of === 'approval' || of === 'revocation' ? subject[of] : of
  return `${name} ${id}${where}: ${ofRow[what]}${members.length === 0 ? '' : `: ${members.join(', ')}`}`
}

const ofChange: Readonly<Record<Extract<Difference, { of: 'change' }>['what'], string>> = {
  not_in_journal: 'the store says that it is on record, and no journal has it',
  not_in_store: 'the store does not have it (any more)',
  journalled_differently: 'it is on record several times, and not always the same',
  differs: 'the journal and the store tell it differently',
  not_marked: 'it is on record, and the store does not know that yet',
  not_journalled_yet: 'no journal has it yet',
}

const ofRow: Readonly<Record<Exclude<Difference, { of: 'change' }>['what'], string>> = {
  missing: 'it is on record, and not in the store',
  without_entry: 'it is in the store, and nothing on record tells of it',
  differs: 'the store does not have it as it is on record',
  unreadable: 'the store holds something in its place that Postern never wrote',
  not_approved: 'it was given without the approvals that it needed',
}

function adviceOn(difference: Difference): readonly string[] {
  if (difference.of !== 'change') {
    return [
      'Who can write to the store gives themselves access: find out who did, or whether an old copy was restored.',
      ...adviceOnRow(difference),
    ]
  }
  switch (difference.what) {
    case 'not_in_journal':
      return [
        'Run `postern audit verify` on each journal: it says whether entries were removed. Where several gateways share the store, give the journal of each with --journal.',
      ]
    case 'not_journalled_yet':
    case 'not_marked':
      return ['What its gateway did not finish is done at its next start, or by another gateway; check again then.']
    case 'not_in_store':
    case 'differs':
    case 'journalled_differently':
      return [
        'The list of changes was written to, or an old copy of the store was restored; the journal is what counts.',
      ]
  }
}

function adviceOnRow({ of, what }: Exclude<Difference, { of: 'change' }>): readonly string[] {
  if (what === 'missing') return []
  switch (of) {
    case 'grant':
      return ['End a grant that nobody gave: `postern revoke ID --reason TEXT`.']
    case 'token':
      return ['End what a token gives: `postern revoke --principal NAME --kill-sessions --reason TEXT`.']
    case 'request':
    case 'approval':
      return ['A statement may run by it: `postern deny ID` while it waits, and search the record for what ran.']
    case 'revocation':
      return []
  }
}
