import pc from 'picocolors'
import type { JudgedColumn } from './classify.ts'
import { visible } from './failure.ts'

/** What `--check` found. */
export interface CheckFindings {
  readonly database: string
  readonly file: string
  /** How many columns there are. */
  readonly count: number
  /** Columns that nobody classified. */
  readonly missing: readonly string[]
  readonly faults: readonly string[]
  /** What may copy values to where nobody can say. */
  readonly warnings: readonly string[]
}

/** What `postern classify --check` prints. */
export function checkText(findings: CheckFindings, isColoured: boolean): string {
  const { database, file, count, missing, faults, warnings } = findings
  const { bold, dim, green, yellow } = pc.createColors(isColoured)
  const parts: string[] = []
  if (missing.length > 0) {
    const head = bold(
      `${amount(missing.length, 'column')} of ${database} ${missing.length === 1 ? 'is' : 'are'} not classified:`,
    )
    const remedy = `Give each a tag in ${file}, or \`none\`. \`postern classify ${database}\` proposes which, and --write adds them.`
    parts.push([head, ...missing.map((name) => `  ${visible(name)}`), `${dim('→')} ${visible(remedy)}`].join('\n'))
  }
  if (faults.length > 0) {
    const head = bold(`${visible(file)} does not fit the database in ${amount(faults.length, 'place')}:`)
    parts.push([head, ...faults.map((fault) => `  ${visible(fault)}`)].join('\n'))
  }
  if (parts.length === 0)
    parts.push(`${green('ok')}  ${amount(count, 'column')} of ${database}, all of them classified.`)
  // Nobody can mend these in the file, so that they do not fail the check.
  parts.push(...warnings.map((warning) => `${yellow('!')}  ${visible(warning)}`))
  return `${parts.join('\n\n')}\n`
}

/** What sampling found. */
export interface Findings {
  readonly database: string
  readonly file: string | null
  readonly columns: readonly JudgedColumn[]
  readonly unread: readonly string[]
  /** How many columns were written; null where nothing was to be. */
  readonly written: number | null
}

/** What `postern classify` prints: a line for each column that needs a decision, then what to do. */
export function proposalsText(findings: Findings, isColoured: boolean): string {
  const { bold, dim, yellow } = pc.createColors(isColoured)
  const parts: string[] = []
  for (const [relation, columns] of Map.groupBy(findings.columns, (column) => column.relation)) {
    const rows = columns.flatMap(rowOf)
    if (rows.length === 0) continue
    const widths = [0, 1].map((place) => Math.max(...rows.map((row) => row[place]?.length ?? 0)))
    const lines = rows.map(([name = '', tag = '', evidence = '', shapes = '']) => {
      const label = tag.padEnd(widths[1] ?? 0)
      const shown = tag === 'none' ? dim(label) : tag === '?' ? yellow(label) : label
      return `  ${name.padEnd(widths[0] ?? 0)}  ${shown}  ${evidence}${shapes === '' ? '' : dim(`  ${shapes}`)}`
    })
    parts.push([bold(visible(`${relation.schema}.${relation.name}`)), ...lines].join('\n'))
  }
  if (findings.unread.length > 0) {
    const names = findings.unread.map((name) => `  ${visible(name)}`).join('\n')
    parts.push(`${yellow('Not read')}, for want of rights or time, and judged by names alone:\n${names}`)
  }
  return `${[...parts, summary(findings)].join('\n\n')}\n`
}

function rowOf({ column, isDecided, proposal }: JudgedColumn): readonly (readonly string[])[] {
  if (proposal === null) return []
  const { tag, isUndecided, evidence, shapes } = proposal
  const name = visible(column.name)
  if (!isDecided) return [[name, tag ?? (isUndecided ? '?' : 'none'), visible(evidence), visible(shapes.join('  '))]]
  if (tag === null) return []
  return [[name, tag, `${visible(evidence)}; the file says \`none\``, visible(shapes.join('  '))]]
}

function summary({ database, file, columns, written }: Findings): string {
  const open = columns.filter(({ isDecided, proposal }) => !isDecided && proposal !== null)
  const tagged = open.filter(({ proposal }) => proposal?.tag !== null).length
  const undecided = open.filter(({ proposal }) => proposal?.isUndecided === true).length
  const decided = columns.length - open.length
  const counts = [
    `${amount(tagged, 'column')} to tag`,
    `${String(open.length - tagged - undecided)} with nothing found`,
    `${String(undecided)} to decide by hand (?)`,
    `${String(decided)} classified already`,
  ]
  return [`${counts.join(', ')}.`, advice({ database, file, written, undecided, open: open.length })].join('\n')
}

function advice(at: {
  readonly database: string
  readonly file: string | null
  readonly written: number | null
  readonly undecided: number
  readonly open: number
}): string {
  const { database, file, written, undecided, open } = at
  if (file === null) {
    return `Nothing of ${database} is masked: name a file as \`databases.${database}.classification\`, then run this again with --write.`
  }
  if (written !== null) {
    const rest = undecided === 0 ? '' : ` Add ${amount(undecided, 'column')} marked with ? yourself.`
    return `Wrote ${amount(written, 'column')} to ${visible(file)}. Review every line: a sample proves nothing about the rest.${rest}`
  }
  return open === 0
    ? `Nothing is left to decide in ${visible(file)}.`
    : `--write adds them to ${visible(file)} for you to review.`
}

function amount(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`
}
