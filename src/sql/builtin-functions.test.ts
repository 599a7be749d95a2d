import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'

// `node src/sql/builtin-functions.test.ts --write` brings the list up to date with a new PostgreSQL.
const listFile = new URL('./builtin-functions.ts', import.meta.url)

let postgres: SandboxPostgres
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres.stop())

void test('the lists of builtin functions and operators are what PostgreSQL 18 has', async () => {
  const version = await postgres.query('postgres', 'SHOW server_version_num')
  assert.match(String(version[0]?.['server_version_num']), /^18/)
  const functions = await names(
    "SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
  )
  const operators = await names(
    "SELECT DISTINCT oprname AS name FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace",
  )
  const text = render(functions, operators)
  if (process.argv.includes('--write')) writeFileSync(listFile, text)
  assert.equal(readFileSync(listFile, 'utf8'), text)
})

void test('pg_settings is the only system relation whose rules turn a write into a change of settings', async () => {
  const rows = await postgres.query(
    'postgres',
    "SELECT DISTINCT ev_class::regclass::text AS name FROM pg_rewrite WHERE ev_type <> '1'",
  )
  assert.deepEqual(rows, [{ name: 'pg_settings' }])
})

async function names(query: string): Promise<string[]> {
  const rows = await postgres.query('postgres', query)
  return rows.map((row) => String(row['name'])).sort()
}

function render(functions: readonly string[], operators: readonly string[]): string {
  return `// Generated from a PostgreSQL 18 by builtin-functions.test.ts; do not edit.

/** The names of all functions in \`pg_catalog\`; \`dangerous-functions.ts\` says which of them are not harmless. */
export const builtinFunctions: ReadonlySet<string> = new Set(
  \`
${wrap(functions)}
\`
    .trim()
    .split(/\\s+/),
)

/** The names of all operators in \`pg_catalog\`. */
export const builtinOperators: ReadonlySet<string> = new Set(
  \`
${wrap(operators)}
\`
    .trim()
    .split(/\\s+/),
)
`
}

function wrap(words: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    // Inside a template literal these two would mean something else.
    const escaped = word.replaceAll('`', '\\`').replaceAll('$', '\\$')
    if (line.length + escaped.length >= 119) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? escaped : `${line} ${escaped}`
  }
  return [...lines, line].join('\n')
}
