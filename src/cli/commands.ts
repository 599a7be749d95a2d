import type { Command } from 'commander'

interface CommandEntry {
  readonly name: string
  readonly description: string
  load(): Promise<Command>
}

/** Every command of `postern`. Each is imported when it is asked for, so that a short one starts quickly. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: 'init',
    description: 'write a configuration, starter policies and a systemd unit to begin with',
    load: async () => (await import('./init.ts')).initCommand(),
  },
  {
    name: 'check',
    description: 'check configuration, policies, issuers, databases and journal, and explain what is wrong',
    load: async () => (await import('./check.ts')).checkCommand(),
  },
  {
    name: 'classify',
    description:
      'look at names and samples of values and propose which columns to mask, or check that all are classified',
    load: async () => (await import('./classify.ts')).classifyCommand(),
  },
  {
    name: 'policy',
    description: 'check, test and explain policies before they are in force',
    load: async () => (await import('./policy.ts')).policyCommand(),
  },
  {
    name: 'serve',
    description: 'run the gateway',
    load: async () => (await import('./serve.ts')).serveCommand(),
  },
  {
    name: 'token',
    description: 'print a token to present as the password, logging in if need be',
    load: async () => {
      const [{ tokenCommand }, { clientDeps }] = await Promise.all([import('./token.ts'), import('./client-deps.ts')])
      return tokenCommand(clientDeps())
    },
  },
  {
    name: 'connect',
    description: 'open psql through the gateway, or a local port for tools that cannot present a token',
    load: async () => {
      const [{ connectCommand }, { clientDeps }] = await Promise.all([
        import('./connect.ts'),
        import('./client-deps.ts'),
      ])
      return connectCommand(clientDeps())
    },
  },
  {
    name: 'audit',
    description: 'read, search and verify the journal',
    load: async () => {
      const [{ auditCommand }, { journalPlaces }] = await Promise.all([
        import('./audit.ts'),
        import('./client-deps.ts'),
      ])
      return auditCommand(journalPlaces())
    },
  },
]
