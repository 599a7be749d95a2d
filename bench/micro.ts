import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openJournal } from '../src/audit/journal.ts'
import { loadOrCreateSigningKey } from '../src/audit/key.ts'
import type { StatementRequest } from '../src/core/decision.ts'
import { newGatewayId } from '../src/core/ids.ts'
import type { Principal } from '../src/core/principal.ts'
import type { TextAnalysis } from '../src/core/statement.ts'
import { createStatementEncoder, sessionMembers } from '../src/gateway/record.ts'
import { createDecider, type Decider, loadPolicySet } from '../src/policy/policy.ts'
import { createAnalyzer } from '../src/sql/analyze.ts'
import type { SandboxPostgres } from '../sandbox/postgres.ts'
import { median, shown, table } from './figures.ts'
import { openProtection } from './micro-database.ts'
import { benchLineage } from './micro-lineage.ts'
import { benchMasking } from './micro-masking.ts'
import { benchStreams, type StreamFigures } from './micro-streams.ts'
import { ownTimeUs } from './processor-time.ts'
import { analyticalSql, selectSql, updateSql } from './statements.ts'
import { time, timeCold, timeOnce } from './timing.ts'

/** Times the parts of the path one by one, in this process and without the sockets of clients. */
export async function benchMicro(postgres: SandboxPostgres): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-micro-'))
  const analyzer = await createAnalyzer()
  const policySet = await loadPolicySet(join(import.meta.dirname, '..', 'deploy', 'starter', 'policies'))
  const decider = createDecider(policySet)
  const analyze = (sql: string): TextAnalysis => {
    const analysis = analyzer.analyze(sql)
    if (analysis instanceof Promise) throw new Error('the text went to a worker')
    return analysis
  }
  const journal = await openJournal({
    directory: join(directory, 'journal'),
    durability: 'process',
    signingKey: loadOrCreateSigningKey(join(directory, 'key.pem')),
    gatewayId: newGatewayId(),
  })
  const protection = await openProtection(postgres, directory)
  const rows: string[][] = []
  const add = (what: string, us: number): number => rows.push([what, shown(us)])
  try {
    const members = sessionMembers({
      session: randomUUID(),
      principal,
      client: { address: '127.0.0.1', port: 50_000, application: 'pgbench', tls: null },
      database: 'bench',
    })
    const statement = createStatementEncoder(null)(firstOf(analyze(selectSql)), 'full', 'none')
    const how = '"policies":["engineering-reads-and-writes"],"protocol":"extended","parameters":["12345"]'
    for (const entries of [1, 8, 64]) {
      const us = await timeTurns(() => {
        for (let entry = 0; entry < entries; entry += 1) journal.append('cancel', how, members, statement)
        return new Promise<void>((resolve, reject) => {
          journal.commit((error) => (error === null ? resolve() : reject(error)))
        })
      })
      add(`journal: append ${String(entries)} and commit, by entry`, us / entries)
    }
    add(
      'analyze: pgbench select, cached',
      time(20_000, () => analyze(selectSql)),
    )
    add(
      'analyze: pgbench select, cold',
      timeCold((number) => analyze(`${selectSql} -- ${String(number)}`)),
    )
    add(
      'analyze: pgbench update, cold',
      timeCold((number) => analyze(`${updateSql} -- ${String(number)}`)),
    )
    add(
      'analyze: TPC-H Q5, cold',
      timeCold((number) => analyze(`${analyticalSql} -- ${String(number)}`)),
    )
    addDecisions(add, { decider, policySet, analyze })
    const streams = await benchStreams({ analyzer, decider, journal, principal, protection: protection.protects })
    addStreams(add, streams)
    const lineage = await benchLineage(postgres, analyze)
    return [
      table(['one by one, in this process', 'processor µs'], rows),
      table(
        ['synthetic data, without sockets', 'MB/s'],
        streams.bulk.map(({ what, mbPerS }) => [what, shown(mbPerS)]),
      ),
      lineage,
      benchMasking(),
    ].join('\n\n')
  } finally {
    await protection.close()
    await journal.close()
    await analyzer.close()
    await rm(directory, { recursive: true, force: true })
  }
}

const principal: Principal = {
  issuer: 'https://issuer.example',
  subject: 'u-1001',
  name: 'alice@example.com',
  kind: 'human',
  groups: ['engineering'],
  actors: [],
  authenticationMethods: [],
  tokenId: undefined,
  expiresAtMs: Number.MAX_SAFE_INTEGER,
}

interface Deciding {
  readonly decider: Decider
  readonly policySet: Awaited<ReturnType<typeof loadPolicySet>>
  readonly analyze: (sql: string) => TextAnalysis
}

function addDecisions(add: (what: string, us: number) => unknown, { decider, policySet, analyze }: Deciding): void {
  const request = (analysis: TextAnalysis): StatementRequest => ({
    principal,
    accessRoles: [],
    database,
    session,
    statement: firstOf(analysis),
    statementCount: 1,
    tags: [],
    predicateTags: [],
    searchPath: ['public'],
    nowMs: 0,
  })
  const select = request(analyze(selectSql))
  add(
    'decide: pgbench select, same text before',
    time(20_000, () => decider.decideStatement(select)),
  )
  let count = 0
  const others = Array.from({ length: 300 }, () => request(analyze(`${selectSql} -- other ${String((count += 1))}`)))
  add(
    'decide: pgbench select, same question before',
    timeCold((number) => decider.decideStatement(others[number] ?? select)),
  )
  for (const [what, sql] of [
    ['pgbench select', selectSql],
    ['TPC-H Q5', analyticalSql],
  ] as const) {
    const asked = request(analyze(sql))
    const times = Array.from({ length: 50 }, () => {
      decider.replace(policySet)
      return timeOnce(() => decider.decideStatement(asked))
    })
    add(`decide: ${what}, cold`, median(times))
  }
}

const database = { name: 'bench', labels: new Map([['env', 'bench']]) }
const session = { clientAddress: '127.0.0.1', applicationName: 'pgbench', isTls: false }

function addStreams(add: (what: string, us: number) => unknown, streams: StreamFigures): void {
  for (const { what, us } of streams.transactions) add(what, us)
}

function firstOf(analysis: TextAnalysis): StatementRequest['statement'] {
  const [statement] = analysis.statements
  if (statement === undefined) throw new Error('the text holds no statement')
  return statement
}

async function timeTurns(turn: () => Promise<void>): Promise<number> {
  const batches: number[] = []
  for (let batch = 0; batch < 6; batch += 1) {
    const startUs = ownTimeUs()
    for (let index = 0; index < 500; index += 1) await turn()
    batches.push((ownTimeUs() - startUs) / 500)
  }
  return median(batches.slice(1))
}
