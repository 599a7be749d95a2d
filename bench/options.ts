import { parseArgs } from 'node:util'

export type Part = 'pgbench' | 'untouched' | 'latency' | 'bulk' | 'sessions' | 'micro' | 'profile'
export type Script = 'select-only' | 'tpcb-like'
export type Mode = 'simple' | 'extended' | 'prepared'

/** What to measure, and how long. */
export interface BenchOptions {
  readonly parts: readonly Part[]
  readonly scripts: readonly Script[]
  readonly modes: readonly Mode[]
  readonly clients: readonly number[]
  readonly rounds: number
  /** Length of one pgbench run; whole seconds, since pgbench takes no others. */
  readonly runS: number
  /** Size of one bulk result. */
  readonly bulkMb: number
  readonly isWritten: boolean
  /** The command as it was given, for the report. */
  readonly command: string
}

const allParts: readonly Part[] = ['pgbench', 'untouched', 'latency', 'bulk', 'sessions', 'micro', 'profile']
const allScripts: readonly Script[] = ['select-only', 'tpcb-like']
const allModes: readonly Mode[] = ['prepared', 'simple', 'extended']

export const usage = `npm run bench -- [options]

  --quick            fewer shapes of load and smaller results: about four minutes
  --only PARTS       ${allParts.join(',')}; all but profile unless told
  --scripts NAMES    ${allScripts.join(',')}
  --modes NAMES      ${allModes.join(',')}
  --clients COUNTS   1,8,64
  --rounds COUNT     3
  --seconds COUNT    2, the length of one pgbench run
  --bulk-mb COUNT    200, the size of one bulk result
  --write            also into bench/results/<date>.md
`

/** Reads the command line; throws an Error that says what is wrong with it. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
      scripts: { type: 'string' },
      modes: { type: 'string' },
      clients: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'bulk-mb': { type: 'string' },
    },
  })
  if (values.help) return 'help'
  const { quick } = values
  return {
    parts: chosen('only', values.only, { from: allParts, unlessTold: allParts.filter((part) => part !== 'profile') }),
    scripts: chosen('scripts', values.scripts, { from: allScripts, unlessTold: quick ? ['select-only'] : allScripts }),
    modes: chosen('modes', values.modes, { from: allModes, unlessTold: quick ? ['prepared'] : allModes }),
    clients: counts('clients', values.clients ?? '1,8,64'),
    rounds: count('rounds', values.rounds ?? '3'),
    runS: count('seconds', values.seconds ?? '2'),
    bulkMb: count('bulk-mb', values['bulk-mb'] ?? (quick ? '50' : '200')),
    isWritten: values.write,
    command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
  }
}

function chosen<Name extends string>(
  option: string,
  text: string | undefined,
  names: { readonly from: readonly Name[]; readonly unlessTold: readonly Name[] },
): readonly Name[] {
  if (text === undefined) return names.unlessTold
  return text.split(',').map((word) => {
    const name = names.from.find((each) => each === word)
    if (name === undefined) throw new Error(`--${option} knows ${names.from.join(', ')}, and not "${word}"`)
    return name
  })
}

function counts(option: string, text: string): readonly number[] {
  return text.split(',').map((word) => count(option, word))
}

function count(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${option} takes whole numbers from 1, and not "${text}"`)
  return value
}
