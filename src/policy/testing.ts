import { columnKey } from '../core/catalog.ts'
import type { ConnectRequest, StatementRequest, UnmaskRequest } from '../core/decision.ts'
import type { Principal } from '../core/principal.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { parsePolicies } from './load.ts'
import type { PolicySet } from './load.ts'

/** For tests: the set of one file `p.cedar` with `text`, parsed in this thread, which is faster than the real way. */
export function policySetOf(text: string): PolicySet {
  return parsePolicies({ directory: 'policies', files: [{ name: 'p.cedar', text }], hash: text })
}

/** For tests: a principal with believable facts. */
export function principalNamed(name: string, facts: Partial<Principal> = {}): Principal {
  return {
    issuer: 'https://idp.example.com',
    subject: `sub-${name}`,
    name,
    kind: 'human',
    groups: [],
    actors: [],
    authenticationMethods: ['pwd'],
    tokenId: undefined,
    expiresAtMs: 4_102_444_800_000,
    ...facts,
  }
}

/** For tests: a statement of one command on relations written as `schema.name` or `name`. */
export function statementOf(
  command: string,
  relations: readonly string[],
  facts: { hasWhere?: boolean; opaque?: string | null; functions?: readonly string[] } = {},
): StatementAnalysis {
  const { hasWhere = true, opaque = null, functions = [] } = facts
  const named = relations.map((relation) => {
    const [name = '', schema = null] = relation.split('.').toReversed()
    return { schema, name }
  })
  return {
    sql: command,
    kind: command,
    commands: [{ name: command, relations: named, hasWhere }],
    opaque,
    functions,
    names: { prepares: null, executes: null, declares: null, fetches: null },
    copy: null,
    mayChangeSettings: false,
    forgesIdentity: false,
    setsApplicationName: null,
  }
}

/** For tests: a question about a session on the database `shop`. */
export function connectRequest(facts: Partial<ConnectRequest> = {}): ConnectRequest {
  return {
    principal: principalNamed('alice', { groups: ['engineering'] }),
    accessRoles: [],
    database: { name: 'shop', labels: new Map([['env', 'production']]) },
    session: { clientAddress: '10.1.2.3', applicationName: 'psql', isTls: true },
    nowMs: Date.UTC(2026, 10, 23, 12),
    ...facts,
  }
}

/** For tests: a question about a statement on the database `shop`, with the search path `public`. */
export function statementRequest(
  statement: StatementAnalysis,
  facts: Partial<StatementRequest> = {},
): StatementRequest {
  return {
    ...connectRequest(),
    statement,
    statementCount: 1,
    searchPath: ['public'],
    tags: [],
    predicateTags: [],
    ...facts,
  }
}

/** For tests: a question about a column of the database `shop`; its name is given in its parts. */
export function unmaskRequest(
  name: readonly [schema: string, relation: string, column: string],
  tags: readonly string[],
  facts: Partial<UnmaskRequest> = {},
): UnmaskRequest {
  const [schema, relation, column] = name
  const masking = { function: 'redact' } as const
  const classified = { key: columnKey(1, 1), schema, relation, column, tags, masking, origin: 'file' } as const
  return { ...connectRequest(), column: classified, ...facts }
}
