import { Command, CommanderError } from 'commander'
import { PosternError } from '../core/errors.ts'
import { version } from '../version.ts'
import { commandTable } from './commands.ts'
import { describeFailure, isColouredFor } from './failure.ts'

/** 0: done. 1: it failed, or what was checked is not in order. 2: the command line is wrong. 70: a bug in Postern. */
export const exitCodes = { done: 0, failed: 1, usage: 2, bug: 70 } as const

/** Runs the command line `argv` (without the program's own name) and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const isJson = argv.includes('--json')
  process.stdout.on('error', endQuietly)
  try {
    const program = await buildProgram(argv)
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
      return
    }
    const options = { isJson, isColoured: isColouredFor(process.stderr) }
    const { out, err } = describeFailure(error, options)
    process.stdout.write(out)
    process.stderr.write(err)
    process.exitCode = error instanceof PosternError ? exitCodes.failed : exitCodes.bug
  }
}

/** A reader such as `head` that has seen enough closes the pipe; that is no failure of ours. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}

/** Builds the program with the one command that `argv` asks for loaded, and the others by name alone. */
async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('postern')
    .description('Postern, an identity-aware gateway for PostgreSQL')
    .version(version)
    .showHelpAfterError('Run it with --help to see what there is.')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed or not in order, 2 wrong command line, 70 a bug in Postern.')
  const words = new Set(argv.slice(0, argv[0] === 'help' ? 2 : 1))
  for (const entry of commandTable) {
    if (words.has(entry.name)) program.addCommand(await entry.load())
    else program.command(entry.name).description(entry.description)
  }
  forEachCommand(program, (command) => {
    command.exitOverride()
  })
  return program
}

function forEachCommand(command: Command, use: (command: Command) => void): void {
  use(command)
  for (const inner of command.commands) forEachCommand(inner, use)
}

if (import.meta.main) await main(process.argv.slice(2))
