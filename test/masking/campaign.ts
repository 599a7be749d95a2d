import { DatabaseError } from 'pg'
import type { Attack } from './attack.ts'
import { CanarySearch, type Finding } from './canaries.ts'
import { type Answer, runAttack } from './drive.ts'
import { attackers, type Stand } from './stand.ts'

/** What came of one attack on one way. */
export interface Outcome {
  readonly attack: Attack
  readonly findings: readonly Finding[]
  readonly answer: Answer
  /** Set where the attack left the database another than it was. */
  readonly isChanged: boolean
}

/** Through the gateway as the attacker, or past it to see that there is something to guard. */
export type Way = 'direct' | 'gateway'

const connectionsAtOnce = 4

/**
 * Runs all attacks one way; those that write one after the other, the others several at once. Fails where one leaves
 * something behind, since every attack has to find the same canaries.
 */
export async function runCampaign(stand: Stand, attacks: readonly Attack[], way: Way): Promise<Outcome[]> {
  const search = new CanarySearch(stand.world.canaries)
  const outcomes: Outcome[] = []
  const readers = attacks.filter((attack) => !isWriting(attack))
  const queue = readers[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (const attack of queue) outcomes.push(await attempt(stand, search, { attack, way, isChanged: false }))
  }
  await Promise.all(Array.from({ length: connectionsAtOnce }, worker))
  const before = await stand.fingerprint()
  for (const attack of attacks.filter(isWriting)) {
    const outcome = await attempt(stand, search, { attack, way, isChanged: false })
    for (const sql of attack.undo ?? []) await takeBack(stand, sql)
    const isChanged = (await settled(stand, before)) !== before
    outcomes.push({ ...outcome, isChanged })
    if (isChanged) throw new Error(`${attack.family}: ${attack.name} (${attack.protocol}) left something behind`)
  }
  return outcomes
}

/** An attack that was refused has left nothing to take back; whether all is as before is looked at afterwards. */
async function takeBack(stand: Stand, sql: string): Promise<void> {
  try {
    await stand.query(sql)
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
  }
}

/** A connection that was cut ends its transaction a moment later. */
async function settled(stand: Stand, before: string): Promise<string> {
  let after = await stand.fingerprint()
  for (let attempts = 0; after !== before && attempts < 20; attempts += 1) {
    await new Promise((resolve) => setTimeout(resolve, 25))
    after = await stand.fingerprint()
  }
  return after
}

function isWriting({ steps, undo, beside, protocol }: Attack): boolean {
  if (undo !== undefined || beside !== undefined || protocol.includes('cursor')) return true
  return steps.some((step) => {
    const text = step.sql?.toString() ?? step.messages?.map(String).join(' ') ?? ''
    return (
      step.meanwhile !== undefined ||
      /^\s*(BEGIN|CREATE|DO|CALL|LISTEN|CHECKPOINT|EXPLAIN \(?ANALYZE|.*pg_notify)/.test(text) ||
      text.includes('BEGIN')
    )
  })
}

interface Attempt {
  readonly attack: Attack
  readonly way: Way
  readonly isChanged: boolean
}

async function attempt(stand: Stand, search: CanarySearch, { attack, way, isChanged }: Attempt): Promise<Outcome> {
  const others = await stand.beside(await besideOf(stand, attack))
  const filled = await fill(stand, attack)
  const client =
    way === 'direct'
      ? await stand.logInDirectly(attack.startUp)
      : await stand.logIn(attackers[attack.needs], attack.startUp)
  try {
    const port = way === 'direct' ? stand.postgres.port : stand.postern.port
    const answer = await runAttack(client, filled, { port, query: (sql) => stand.query(sql) })
    const findings = search.find(answer, attack.weak)
    return { attack, findings, answer, isChanged }
  } finally {
    client.close()
    await others.end()
  }
}

/** Attacks are data: where the server is and what another session types is only known when they run. */
async function fill(stand: Stand, attack: Attack): Promise<Attack> {
  const steps = attack.steps.map((step) =>
    typeof step.sql === 'string'
      ? {
          ...step,
          sql: step.sql
            .replaceAll("'PORT'", `'${String(stand.postgres.port)}'`)
            .replaceAll("'SOCKET'", `'${stand.postgres.socketDirectory}'`),
        }
      : step,
  )
  return { ...attack, steps }
}

async function besideOf(stand: Stand, { beside = [] }: Attack): Promise<string[]> {
  if (beside.length === 0) return []
  const [row] = await stand.query('SELECT full_name FROM customers WHERE id = 1')
  const value = String(row?.['full_name'])
  return beside.map((sql) => {
    switch (sql) {
      case 'LITERAL':
        return `SELECT count(*) FROM customers WHERE full_name = '${value}'`
      case 'UTILITY':
        return `DO $$ BEGIN PERFORM '${value}'; END $$`
      case 'NAMED':
        return `SET application_name = '${value}'`
      case 'XACT':
        return 'SELECT 1'
      default:
        return sql
    }
  })
}

/**
 * Which attacks to make: of each one the first protocol with all rights but to unmask, so that nothing but masking
 * stands in the way, and another protocol in turn with no more rights than it needs. `all` makes every one both ways;
 * any other text those whose family and name hold it.
 */
export function selectAttacks(attacks: readonly Attack[], wanted: string | undefined): Attack[] {
  if (wanted !== undefined && wanted !== 'all') {
    return bothWays(attacks.filter(({ family, name }) => `${family}: ${name}`.includes(wanted)))
  }
  if (wanted === 'all') return bothWays(attacks)
  const alike = [...Map.groupBy(attacks, ({ family, name }) => `${family}: ${name}`).values()]
  const selected: Attack[] = []
  for (const [index, [first, ...others]] of alike.entries()) {
    if (first !== undefined) selected.push({ ...first, needs: 'all' })
    // Every second one, since there are many.
    const other = index % 2 === 0 ? others[(index / 2) % Math.max(1, others.length)] : undefined
    if (other !== undefined) selected.push(other)
  }
  return selected
}

function bothWays(attacks: readonly Attack[]): Attack[] {
  return attacks.flatMap((attack) =>
    attack.needs === 'all' ? [attack] : [attack, { ...attack, needs: 'all' as const }],
  )
}

/** A table of families: how many attempts, leaks and refusals. */
export function summarise(outcomes: readonly Outcome[]): string {
  const families = Map.groupBy(outcomes, ({ attack }) => attack.family)
  const lines = [...families].map(([family, list]) => {
    const leaks = list.filter(isLeak).length
    const refused = list.filter(({ answer }) => answer.errors.some((error) => error.startsWith('42501'))).length
    return `${family.padEnd(34)} ${String(list.length).padStart(5)} ${String(leaks).padStart(6)} ${String(refused).padStart(8)}`
  })
  return [`${'family'.padEnd(34)} tries  leaks  refused`, ...lines].join('\n')
}

/** Whether it showed a canary. */
export function isLeak({ findings }: Outcome): boolean {
  return findings.length > 0
}

/** One attack that leaked, as somebody would repeat it. */
export function reproduction({ attack, findings, answer }: Outcome): string {
  const steps = attack.steps.map(({ sql, meanwhile }) =>
    meanwhile === undefined
      ? `  ${sql?.toString().slice(0, 400) ?? '(messages)'}`
      : `  (past the gateway) ${meanwhile}`,
  )
  const found = findings
    .slice(0, 3)
    .map(({ column, how, evidence }) => `${column}${how === '' ? '' : ` as ${how}`} ${evidence}`)
  const errors = answer.errors.length === 0 ? '' : `\n  errors: ${answer.errors.slice(0, 3).join(' | ').slice(0, 300)}`
  return `${attack.family}, ${attack.protocol}, ${attack.needs}: ${attack.name}\n${steps.join('\n')}\n  => ${found.join('; ') || answer.broken || 'nothing'}${errors}`
}
