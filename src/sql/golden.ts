import assert from 'node:assert/strict'
import { commandGroups } from '../core/commands.ts'
import type { Command, RelationName, StatementAnalysis, TextAnalysis } from '../core/statement.ts'
import { classify, unparsableText } from './classify.ts'
import { createParser } from './parser.ts'

// Helpers of this folder's tests.

const parser = await createParser({
  onFault: (fault) => {
    throw fault
  },
})

/** Parses and classifies on the spot; fails where the parser crashes. */
export function analyzeText(sql: string, safeFunctions: readonly string[] = []): TextAnalysis {
  const outcome = parser.parse(sql)
  if (outcome.state === 'syntax_error') return unparsableText(sql, outcome)
  assert.ok(outcome.state === 'parsed', `the parser broke on ${sql}`)
  return classify(sql, outcome.statements, { safeFunctions: new Set(safeFunctions) })
}

/** The one statement of a text that must be valid. */
export function analyzeOne(sql: string, safeFunctions: readonly string[] = []): StatementAnalysis {
  const { statements, syntaxError } = analyzeText(sql, safeFunctions)
  assert.equal(syntaxError, null, `${sql}: ${syntaxError?.message}`)
  const [statement] = statements
  assert.ok(statement !== undefined && statements.length === 1, `${sql} is not one statement`)
  return statement
}

/** `SELECT a s.b; DELETE! t` for commands on relations; `!` where no condition picks rows. */
export function describeCommands(commands: readonly Command[]): string {
  return commands
    .map((command) => [`${command.name}${command.hasWhere ? '' : '!'}`, ...command.relations.map(describe)].join(' '))
    .join('; ')
}

/** Tests each text of a table against the description of its commands; the kind must be the first of them. */
export function assertGolden(table: readonly (readonly [sql: string, commands: string])[]): void {
  for (const [sql, commands] of table) {
    const statement = analyzeOne(sql)
    assert.equal(describeCommands(statement.commands), commands, sql)
    assert.equal(statement.kind, statement.commands[0]?.name, sql)
    for (const { name } of statement.commands) assert.ok(commandGroups.has(name), `${name} has no group`)
  }
}

function describe({ schema, name }: RelationName): string {
  return schema === null ? name : `${schema}.${name}`
}
