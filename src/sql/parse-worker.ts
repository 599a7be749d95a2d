import { parentPort, workerData } from 'node:worker_threads'
import type { TextAnalysis } from '../core/statement.ts'
import { classify, opaqueText, unparsableText } from './classify.ts'
import { createParser } from './parser.ts'

/** What a worker is started with. */
export interface WorkerSettings {
  readonly safeFunctions: readonly string[]
  readonly safeFields: readonly string[]
}

/** What a worker answers: first that it is ready, then one analysis for each text it is sent. */
export type WorkerAnswer = { readonly state: 'ready' } | { readonly state: 'done'; readonly analysis: TextAnalysis }

// Runs with a larger stack than the event loop has, and is ended from outside when it takes too long. It parses one
// text and asks for a new instance at once if that one has broken or grown, so nothing here needs to be undone.
const port = parentPort
if (port === null) throw new Error('this module runs as a worker only')
const { safeFunctions, safeFields } = workerData as WorkerSettings
const rules = { safeFunctions: new Set(safeFunctions), safeFields: new Set(safeFields) }
const parser = await createParser({ onFault: () => {} })

port.on('message', (sql: string) => {
  port.postMessage({ state: 'done', analysis: analyze(sql) } satisfies WorkerAnswer, [])
})
port.postMessage({ state: 'ready' } satisfies WorkerAnswer, [])

function analyze(sql: string): TextAnalysis {
  const outcome = parser.parse(sql)
  if (outcome.state === 'syntax_error') return unparsableText(sql, outcome)
  if (outcome.state !== 'parsed') return opaqueText(sql, 'the parser could not read it; it is nested too deeply')
  try {
    return classify(sql, outcome.statements, rules)
  } catch (error) {
    if (error instanceof RangeError) return opaqueText(sql, 'it is nested too deeply')
    throw error
  }
}
