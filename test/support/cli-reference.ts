import type { Argument, Command, Option } from 'commander'
import { commandTable } from '../../src/cli/commands.ts'
import { exitCodes } from '../../src/cli/main.ts'

/** The page docs/reference/cli.md, from what the commands themselves declare. */
export async function cliReference(): Promise<string> {
  const commands = await Promise.all(commandTable.map((entry) => entry.load()))
  return `${[head(commands), ...commands.flatMap((command) => section(command, ['postern'])), tail].join('\n\n')}\n`
}

function head(commands: readonly Command[]): string {
  const rows = commands.map(
    (command) => `| [\`postern ${command.name()}\`](#postern-${command.name()}) | ${cell(command.description())} |`,
  )
  return `# The command \`postern\`

This page is generated from the commands themselves: \`UPDATE_DOCS=1 npm test\` rewrites it. \`postern COMMAND --help\` says the
same on a terminal.

| command | what it does |
|---|---|
${rows.join('\n')}

Exit codes: ${String(exitCodes.done)} done; ${String(exitCodes.failed)} it failed, or what was checked is not in order; ${String(exitCodes.usage)} the command line is wrong; ${String(exitCodes.bug)} a bug in Postern.
\`postern connect\` without \`--port\` ends with the exit code of psql. A failure is told on standard error, or with \`--json\` as
\`{"error":{"code","message","detail","hint"}}\` on standard output; [errors.md](errors.md) lists the codes.`
}

/** One command and those below it. */
function section(command: Command, parents: readonly string[]): string[] {
  const path = [...parents, command.name()]
  const usage = [...path, command.options.length > 0 ? '[options]' : '', ...command.registeredArguments.map(placeOf)]
  const title = `${'#'.repeat(path.length)} ${path.join(' ')}`
  const parts = [title, sentence(command.description())]
  if (command.commands.length === 0) {
    parts.push(`\`\`\`\n${usage.filter((word) => word !== '').join(' ')}\n\`\`\``)
    const rows = [...command.registeredArguments.map(argumentRow), ...command.options.filter(isShown).map(optionRow)]
    if (rows.length > 0) parts.push(['| | |', '|---|---|', ...rows].join('\n'))
  }
  return [...parts, ...command.commands.flatMap((inner) => section(inner, path))]
}

const tail = `## Environment

| variable | used by | meaning |
|---|---|---|
| \`POSTERN_CONFIG\` | all | The postern.yaml to use where \`--config\` does not name one. |
| \`POSTERN_TOKEN\` | token, connect, access | A token to present; wins over the cache and over a log-in. |
| \`POSTERN_API\` | access | As \`--api\`, which wins over it. |
| \`POSTERN_ISSUER\`, \`POSTERN_CLIENT_ID\` | token, connect, access | As \`--issuer\` and \`--client-id\`, which win over them. |
| \`POSTERN_GATEWAY\` | connect | As \`--gateway\`, which wins over it. |
| \`PGSSLROOTCERT\` | connect | As \`--ca\`, where neither that nor the configuration says more. |
| \`XDG_CACHE_HOME\` | token, connect, access | The folder in which tokens are kept (\`postern/\` in it, mode 0700), \`~/.cache\` unless set. |
| \`NO_COLOR\` | all | Set to anything: no colours. |
| \`NODE_EXTRA_CA_CERTS\` | token, connect, access | PEM file of further authorities to trust for the identity provider. |

*access* are the commands that talk to the API: requests, approve, deny, withdraw, roles, request, grants, revoke, sessions, and token with
\`--database\`.`

function placeOf(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name()
  return argument.required ? `<${name}>` : `[${name}]`
}

function argumentRow(argument: Argument): string {
  return `| \`${placeOf(argument)}\` | ${cell(argument.description)} |`
}

function optionRow(option: Option): string {
  const isTold = typeof option.defaultValue === 'string'
  return `| \`${option.flags}\` | ${cell(option.description)}${isTold ? ` (default: \`${String(option.defaultValue)}\`)` : ''} |`
}

function isShown(option: Option): boolean {
  return !option.hidden
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
