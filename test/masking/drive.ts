import { backend, decodeDataRow, decodeErrorResponse } from '../../src/wire/backend.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeCopyFail,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  sync,
} from '../../src/wire/frontend.ts'
import { type RawClient, sendCancel } from '../support/raw-client.ts'
import type { Attack, Protocol, Step } from './attack.ts'
import { type Haystack, nullCell } from './canaries.ts'

/** What came of one attack. */
export interface Answer extends Haystack {
  /** SQLSTATE and message of every error, in order. */
  readonly errors: readonly string[]
  readonly rowCount: number
  /** Set where the answer did not come in time or the connection was lost. */
  readonly broken: string | null
}

const answerDeadlineMs = 8_000
const slices = 40

/** Sends the attack's steps and takes down every byte that comes back. */
export async function runAttack(client: RawClient, attack: Attack, at: AttackSite): Promise<Answer> {
  const taken = new Taken(client.greeting.map(({ body }) => body))
  let broken: string | null = null
  const deadline = new Promise<string>((resolve) => {
    setTimeout(() => resolve('no answer in time'), answerDeadlineMs).unref()
  })
  const work = async (): Promise<null> => {
    if (attack.protocol === 'pipeline') {
      const messages = attack.steps.flatMap((step) => extended(step, 'text').slice(0, -1))
      await answerTo(client, { messages: [...messages, sync], readyCount: 1, taken, at })
      return null
    }
    const last = attack.steps.findLastIndex(({ sql, messages }) => sql !== undefined || messages !== undefined)
    for (const [index, step] of attack.steps.entries()) {
      const protocol = index === last ? attack.protocol : 'simple'
      for (const { messages, readyCount } of encode(step, protocol)) {
        await answerTo(client, { messages, readyCount, taken, at, step })
      }
    }
    // What arrives by itself, such as a notification, comes before the answer to one more statement.
    await answerTo(client, { messages: [encodeQuery('')], readyCount: 1, taken, at })
    return null
  }
  try {
    broken = await Promise.race([work(), deadline])
  } catch (error) {
    broken = String(error)
  }
  return taken.answer(attack, broken)
}

/** Where the attacker is: the port for a cancel request, and somebody who works past the gateway. */
export interface AttackSite {
  readonly port: number
  query(sql: string): Promise<unknown>
}

interface Asked {
  readonly messages: readonly Buffer[]
  readonly readyCount: number
  readonly taken: Taken
  readonly at: AttackSite
  readonly step?: Step
}

async function answerTo(client: RawClient, { messages, readyCount, taken, at, step }: Asked): Promise<void> {
  if (step?.meanwhile !== undefined) await at.query(step.meanwhile)
  if (messages.length === 0) return
  client.send(...messages)
  let left = readyCount
  let isCancelling = step?.isCancelled === true
  while (left > 0) {
    const frame = await client.next()
    if (frame === null) throw new Error('the connection was closed')
    const body = Buffer.from(frame.body)
    taken.take(frame.type, body)
    if (isCancelling && frame.type === backend.DataRow) {
      isCancelling = false
      await sendCancel(at.port, client.cancelKey)
    }
    if (frame.type === backend.CopyInResponse) {
      const data = step?.copyData
      client.send(...(data === undefined ? [encodeCopyFail('no data')] : [encodeCopyData(Buffer.from(data)), copyDone]))
    }
    if (frame.type === backend.ReadyForQuery) left -= 1
  }
}

interface Encoded {
  readonly messages: readonly Buffer[]
  readonly readyCount: number
}

function encode(step: Step, protocol: Protocol): readonly Encoded[] {
  if (step.messages !== undefined) return [{ messages: step.messages, readyCount: step.readyCount ?? 1 }]
  const { sql } = step
  if (sql === undefined) return [{ messages: [], readyCount: 0 }]
  const query = (...texts: readonly string[]): Encoded[] =>
    texts.map((text) => ({ messages: [encodeQuery(text)], readyCount: 1 }))
  switch (protocol) {
    case 'simple':
    case 'pipeline':
      if (step.parameters !== undefined) return [{ messages: extended(step, 'text'), readyCount: 1 }]
      return [{ messages: [encodeQuery(sql)], readyCount: 1 }]
    case 'prepare':
      return query(`PREPARE attack AS ${sql.toString()}`, 'EXECUTE attack')
    case 'cursor':
      return query(
        'BEGIN',
        `DECLARE attack SCROLL CURSOR FOR ${sql.toString()}`,
        'FETCH 2 FROM attack',
        'FETCH ALL FROM attack',
      )
    case 'binary cursor':
      return query('BEGIN', `DECLARE attack BINARY CURSOR FOR ${sql.toString()}`, 'FETCH ALL FROM attack')
    case 'copy text':
      return query(`COPY (${sql.toString()}) TO STDOUT`)
    case 'copy csv':
      return query(`COPY (${sql.toString()}) TO STDOUT (FORMAT csv, HEADER)`)
    case 'copy binary':
      return query(`COPY (${sql.toString()}) TO STDOUT (FORMAT binary)`)
    default:
      return [{ messages: extended(step, protocol), readyCount: 1 }]
  }
}

function extended(step: Step, protocol: Protocol): Buffer[] {
  if (step.messages !== undefined) return [...step.messages, sync]
  const { sql = '', parameters = [], parameterFormats = [] } = step
  const resultFormats = step.resultFormats ?? (protocol === 'binary' ? [1] : [])
  const values = parameters.map((value) => (value === null ? null : Buffer.from(value)))
  const begin = [encodeParse({ sql }), encodeBind({ parameters: values, parameterFormats, resultFormats })]
  if (protocol === 'sliced') return [...begin, ...Array.from({ length: slices }, () => encodeExecute('', 1)), sync]
  if (protocol === 'undescribed') return [...begin, encodeExecute('', 0), sync]
  return [...begin, encodeDescribe('P', ''), encodeExecute('', 0), sync]
}

/** Everything received so far. */
class Taken {
  readonly #bodies: Buffer[]
  readonly #results: Buffer[][][] = []
  readonly #reports: string[] = []
  readonly #errors: string[] = []
  #rows: Buffer[][] | null = null

  constructor(greeting: readonly Buffer[]) {
    this.#bodies = greeting.map((body) => Buffer.from(body))
  }

  take(type: number, body: Buffer): void {
    this.#bodies.push(body)
    switch (type) {
      case backend.DataRow:
        this.#row(decodeDataRow(body).map((value) => value ?? nullCell))
        break
      case backend.CopyData:
        this.#row(
          body
            .toString('latin1')
            .replace(/\n$/, '')
            .split(/[\t,]/)
            .map((cell) => Buffer.from(cell, 'latin1')),
        )
        break
      case backend.ErrorResponse:
      case backend.NoticeResponse: {
        const fields = decodeErrorResponse(body)
        this.#reports.push(['M', 'D'].map((name) => fields.get(name) ?? '').join(' '))
        if (type === backend.ErrorResponse) this.#errors.push(`${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`)
        break
      }
      case backend.PortalSuspended:
      case backend.NotificationResponse:
        break
      default:
        this.#rows = null
    }
  }

  #row(row: Buffer[]): void {
    if (this.#rows === null) this.#results.push((this.#rows = []))
    this.#rows.push(row)
  }

  answer(attack: Attack, broken: string | null): Answer {
    const results = this.#results
    const rows = results.flat()
    const decoded = decodeWith(
      attack,
      rows.map((row) => row.map((cell) => cell.toString('latin1'))),
    )
    return {
      bytes: Buffer.concat(this.#bodies.flatMap((body) => [body, Buffer.from('\n')])),
      results,
      reports: this.#reports,
      errors: this.#errors,
      rowCount: rows.length,
      decoded,
      broken,
    }
  }
}

/** What was masked need not be what the attacker's rule is for. */
function decodeWith({ decode }: Attack, rows: readonly (readonly string[])[]): string {
  try {
    return decode?.(rows) ?? ''
  } catch (error) {
    return `not decoded: ${String(error)}`
  }
}
