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
    description: 'check, test, explain and simulate policies before they are in force',
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
      const [{ tokensCommand }, deps] = await Promise.all([import('./access-token.ts'), accessDeps()])
      return tokensCommand(deps)
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
    name: 'requests',
    description: 'show the requests that wait for your answer and your own, or one of them in full',
    load: async () => (await import('./requests.ts')).requestsCommand(await accessDeps()),
  },
  {
    name: 'approve',
    description: 'say yes to a request, after showing what it is',
    load: async () => (await import('./requests.ts')).approveCommand(await accessDeps()),
  },
  {
    name: 'deny',
    description: 'say no to a request, for good, after showing what it is',
    load: async () => (await import('./requests.ts')).denyCommand(await accessDeps()),
  },
  {
    name: 'withdraw',
    description: 'take your own request back',
    load: async () => (await import('./requests.ts')).withdrawCommand(await accessDeps()),
  },
  {
    name: 'roles',
    description: 'show the access roles that you may ask for, take or approve',
    load: async () => (await import('./access-request.ts')).rolesCommand(await accessDeps()),
  },
  {
    name: 'request',
    description: 'ask for an access role for a while, or for more time with one',
    load: async () => (await import('./access-request.ts')).requestCommand(await accessDeps()),
  },
  {
    name: 'grants',
    description: 'show who holds which access role, or review one that was taken',
    load: async () => (await import('./access-grants.ts')).grantsCommand(await accessDeps()),
  },
  {
    name: 'revoke',
    description: 'end grants now, in open sessions too: one, or all of a principal or of an access role',
    load: async () => (await import('./access-grants.ts')).revokeCommand(await accessDeps()),
  },
  {
    name: 'sessions',
    description: 'show the open sessions that you may see',
    load: async () => (await import('./access-grants.ts')).sessionsCommand(await accessDeps()),
  },
  {
    name: 'audit',
    description: 'read, search and verify the journal, and check the control store against it',
    load: async () => {
      const [{ auditCommand }, { journalPlaces }] = await Promise.all([
        import('./audit.ts'),
        import('./client-deps.ts'),
      ])
      return auditCommand(journalPlaces())
    },
  },
]

async function accessDeps() {
  return (await import('./access-deps.ts')).accessDeps()
}
