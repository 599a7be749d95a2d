import { startRoles } from './ephemeral-roles-testing.ts'

// A gateway that makes a role and is killed before it drops it; a process of its own for the tests.

const [socketDirectory = '', port = '', gateway = ''] = process.argv.slice(2)
const roles = startRoles({ socketDirectory, port: Number(port) }, { gateway })
const { role } = await roles.create({ privileges: [], validUntilMs: Date.now() + 3_600_000, principalName: 'crash' })
process.stdout.write(`${role}\n`)
setInterval(() => undefined, 1_000)
