import { readFileSync, writeFileSync } from 'node:fs'
import { actionGroups, commandGroups } from '../core/commands.ts'

/** The page that describes policies; its table of actions is made from the commands. */
export const policyReferenceFile: URL = new URL('../../docs/reference/policy.md', import.meta.url)

/** The text of the page with the table of actions as it should be. */
export function withActionTable(page: string): string {
  const rows = actionGroups.map((group) => {
    const names = [...commandGroups].flatMap(([name, its]) => (its === group ? [`\`${name}\``] : []))
    return `| \`${group}\` | ${names.join(', ')} |`
  })
  const table = ['<!-- actions: run node src/policy/reference.ts -->', '', '| group | commands |', '|---|---|', ...rows]
  return page.replace(/<!-- actions: [^]*?\n(?=\n[^|\n])/u, `${table.join('\n')}\n`)
}

if (import.meta.main) {
  writeFileSync(policyReferenceFile, withActionTable(readFileSync(policyReferenceFile, 'utf8')))
}
