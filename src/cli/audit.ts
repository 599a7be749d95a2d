import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { readPublicKey } from '../audit/key.ts'
import { formatHeading, formatShown, terminalSafeJson } from '../audit/record-text.ts'
import { searchJournal } from '../audit/search.ts'
import type { SearchFilter, Shown } from '../audit/statement-record.ts'
import { tailJournal } from '../audit/tail.ts'
import { formatReport } from '../audit/verify-text.ts'
import { verifyJournal } from '../audit/verify.ts'
import { PosternError } from '../core/errors.ts'
import { auditStoreCommand } from './audit-store.ts'
import { timeOf } from './option-times.ts'

/** How the command finds what the configuration names; both take the path of a postern.yaml. */
export interface AuditCommandOptions {
  readonly resolveJournalDirectory: (configPath: string) => string
  /** The public key that checkpoints are signed with; null where the configuration names none. */
  readonly resolvePublicKeyFile?: (configPath: string) => string | null
}

interface PlaceOptions {
  readonly journal?: string
  readonly config: string
  readonly json?: true
}

interface FilterOptions {
  readonly principal?: string
  readonly kind?: string
  readonly database?: string
  readonly relation?: string
  readonly session?: string
  readonly text?: string
  readonly type?: string
  readonly outcome?: string
  readonly sqlstate?: string
  readonly since?: string
  readonly until?: string
}

/** `postern audit tail | search | verify | store`. Actions fail with PosternErrors, which whoever runs the command prints. */
export function auditCommand(options: AuditCommandOptions): Command {
  const audit = new Command('audit').description(
    'read, search and verify the journal, and check the control store against it',
  )
  audit.addCommand(tailCommand(options)).addCommand(searchCommand(options)).addCommand(verifyCommand(options))
  return audit.addCommand(auditStoreCommand())
}

function tailCommand(resolvers: AuditCommandOptions): Command {
  const command = new Command('tail')
    .description('show the latest records and follow new ones')
    .option('-n, --lines <count>', 'how many of the latest to show first', '10')
    .option('--no-follow', 'end after them')
  return withFilters(withPlace(command)).action(
    async (options: PlaceOptions & FilterOptions & { lines: string; follow: boolean }) => {
      const ending = new AbortController()
      const end = (): void => ending.abort()
      process.once('SIGINT', end).once('SIGTERM', end)
      try {
        const records = tailJournal(directoryOf(options, resolvers), {
          filter: filterOf(options, Date.now()),
          lines: countOf('--lines', options.lines),
          isFollowing: options.follow,
          signal: ending.signal,
        })
        await printAll(records, options.json === true)
      } finally {
        process.off('SIGINT', end).off('SIGTERM', end)
      }
    },
  )
}

function searchCommand(resolvers: AuditCommandOptions): Command {
  const command = new Command('search')
    .description('find statements, refusals, sessions and failed log-ins')
    .option('--limit <count>', 'stop after so many', '100')
    .option('--oldest-first', 'begin with the oldest instead of the newest')
  return withFilters(withPlace(command)).action(
    async (options: PlaceOptions & FilterOptions & { limit: string; oldestFirst?: true }) => {
      const records = searchJournal(directoryOf(options, resolvers), {
        filter: filterOf(options, Date.now()),
        order: options.oldestFirst === true ? 'oldest-first' : 'newest-first',
        limit: countOf('--limit', options.limit),
      })
      const found = await printAll(records, options.json === true)
      if (found === 0 && options.json !== true) console.error('Nothing in the journal matches.')
    },
  )
}

function verifyCommand(resolvers: AuditCommandOptions): Command {
  const command = new Command('verify')
    .description('prove that nothing in the journal was changed or removed; ends with 1 where something was')
    .option('--public-key <file...>', 'the .pub file of a key that checkpoints are signed with')
    .option('--anchor <seq:hash>', 'an entry and its hash as an earlier run printed them')
    .option('--may-begin-later', 'older segments were moved away: accept a journal that begins after entry 1')
  return withPlace(command).action(
    (options: PlaceOptions & { publicKey?: string[]; anchor?: string; mayBeginLater?: true }) => {
      const report = verifyJournal(directoryOf(options, resolvers), {
        publicKeys: keyFilesOf(options, resolvers).map(readPublicKey),
        anchor: options.anchor === undefined ? undefined : anchorOf(options.anchor),
        mayBeginLater: options.mayBeginLater,
      })
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : formatReport(report))
      if (report.problem !== null) process.exitCode = 1
    },
  )
}

function withPlace(command: Command): Command {
  return command
    .option('--journal <dir>', "the journal's directory")
    .option('--config <file>', 'the postern.yaml that names it', 'postern.yaml')
    .option('--json', 'print JSON, one object a line')
}

function withFilters(command: Command): Command {
  return command
    .option('--principal <name>', 'who, by name or subject')
    .option('--kind <command>', 'the kind of statement, such as DELETE or "DROP TABLE"')
    .option('--database <name>', 'in which database')
    .option('--relation <name>', 'which table or view, with or without its schema')
    .option('--session <id>', 'in which session')
    .option('--text <part>', "a part of the statement's text")
    .option('--type <type>', 'the type of entry, such as intent, refusal or login_failed')
    .option('--outcome <name>', 'completed, failed, suspended, skipped, refused, abandoned or unknown')
    .option('--sqlstate <code>', 'the error that it ended with')
    .option('--since <time>', 'a time such as 2026-11-23T16:00:00Z, or how long ago: 30s, 15m, 2h, 7d')
    .option('--until <time>', 'the same, not included')
}

function directoryOf(options: PlaceOptions, resolvers: AuditCommandOptions): string {
  return options.journal ?? resolvers.resolveJournalDirectory(options.config)
}

function keyFilesOf(options: PlaceOptions & { publicKey?: string[] }, resolvers: AuditCommandOptions): string[] {
  if (options.publicKey !== undefined) return options.publicKey
  // With only a directory given, a configuration that happens to lie here may speak of another journal.
  if (options.journal !== undefined) return []
  const file = resolvers.resolvePublicKeyFile?.(options.config) ?? null
  return file !== null && existsSync(file) ? [file] : []
}

function filterOf(options: FilterOptions, nowMs: number): SearchFilter {
  const { principal, kind, database, relation, session, text, type, outcome, sqlstate, since, until } = options
  return {
    principal,
    kind,
    database,
    relation,
    session,
    text,
    type,
    outcome,
    sqlstate,
    sinceMs: since === undefined ? undefined : timeOf('--since', since, nowMs),
    untilMs: until === undefined ? undefined : timeOf('--until', until, nowMs),
  }
}

function countOf(option: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value)
  throw new PosternError('input_invalid', `${option} is not a whole number: ${value}`, { hint: `Try ${option} 100.` })
}

function anchorOf(value: string): { seq: number; hash: string } {
  const parts = /^(\d{1,15}):([\w-]{43})$/.exec(value)
  if (parts?.[1] !== undefined && parts[2] !== undefined) return { seq: Number(parts[1]), hash: parts[2] }
  throw new PosternError('input_invalid', `--anchor is not an entry's number and hash: ${value}`, {
    hint: 'Give what an earlier `postern audit verify` printed after --anchor.',
  })
}

/** Prints records as they come and returns how many there were; waits where the reader of our output is slower. */
async function printAll(records: AsyncIterable<Shown>, asJson: boolean): Promise<number> {
  const output = process.stdout
  const widthMax = output.isTTY ? output.columns : Number.POSITIVE_INFINITY
  let printed = 0
  // A reader such as `head` that has seen enough closes the pipe; that is no failure of ours.
  output.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
  for await (const shown of records) {
    if (!output.writable) break
    const lines = asJson
      ? jsonLines(shown)
      : `${printed === 0 ? `${formatHeading()}\n` : ''}${formatShown(shown, widthMax)}\n`
    printed += 1
    if (!output.write(lines)) await once(output, 'drain')
  }
  return printed
}

function jsonLines(shown: Shown): string {
  const entry = `${terminalSafeJson(shown.entry)}\n`
  return shown.outcome === null ? entry : `${entry}${terminalSafeJson(shown.outcome)}\n`
}
