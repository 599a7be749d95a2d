import { isDeepStrictEqual } from 'node:util'
import { limits } from '../core/limits.ts'
import type { TextAnalysis } from '../core/statement.ts'
import { AnalysisCache } from './analysis-cache.ts'
import { classify, opaqueText, unparsableText } from './classify.ts'
import type { FunctionRules } from './functions.ts'
import { createParseWorkers } from './parse-workers.ts'
import type { ParseWorkers } from './parse-workers.ts'
import { createParser } from './parser.ts'
import type { Parser } from './parser.ts'

/** What an analyser is told. */
export interface AnalyzerOptions {
  /** Functions and operators outside PostgreSQL's own that an operator has classified safe; see `FunctionRules`. */
  readonly safeFunctions?: ReadonlySet<string>
  /** Called when a parser or a worker broke or could not be built, for the log; never with SQL in it. */
  readonly onFault?: (fault: unknown) => void
  /** How long a worker may take for one text; `limits.parseDeadlineMs` by default. */
  readonly parseDeadlineMs?: number
}

/** Says what a text is and does. */
export interface Analyzer {
  /**
   * Never throws and never rejects: a text that is no SQL or cannot be read is one opaque statement. A promise comes
   * only for texts that a worker has to parse. While a text is cached its analysis is always the same object.
   */
  analyze(sql: string): TextAnalysis | Promise<TextAnalysis>
  /** Puts other rules about functions in force: what was analysed under those before is analysed again. */
  replaceRules(rules: FunctionRules): void
  /** Ends the workers. */
  close(): Promise<void>
}

/** Loads PostgreSQL's parser, once, which takes some milliseconds; rejects where its WebAssembly cannot be loaded. */
export async function createAnalyzer(options: AnalyzerOptions = {}): Promise<Analyzer> {
  const onFault = options.onFault ?? (() => {})
  const safeFunctions = options.safeFunctions ?? new Set()
  const parser = await createParser({ onFault })
  const workers = createParseWorkers({
    safeFunctions,
    onFault,
    deadlineMs: options.parseDeadlineMs ?? limits.parseDeadlineMs,
  })
  return new CachingAnalyzer({ parser, workers, onFault }, { safeFunctions })
}

/**
 * PostgreSQL's scanner takes quadratic time over a run of operator characters (`/*` repeated opens comments): 256 of
 * them cost 0.2 ms, 16,000 half a second. Banners in comments are rarely that long.
 */
const operatorRun = /[-+*/<>=~!@#%^&|`?]{256}/

/**
 * A text that overflows the stack costs the event loop some 30 ms, most of it to unwind; 2 KB cannot. So after one that
 * did, the next thousand texts larger than that go to a worker: whoever sends such texts on purpose gains nothing.
 */
const cautiousBytesMax = 2_048
const cautiousTexts = 1_000

interface Parts {
  readonly parser: Parser
  readonly workers: ParseWorkers
  readonly onFault: (fault: unknown) => void
}

class CachingAnalyzer implements Analyzer {
  readonly #parts: Parts
  #rules: FunctionRules
  #cache = new AnalysisCache(limits.analysisCacheBytesMax)
  #cautiousTextsLeft = 0
  #underWay = new Map<string, Promise<TextAnalysis>>()

  constructor(parts: Parts, rules: FunctionRules) {
    this.#parts = parts
    this.#rules = rules
  }

  analyze(sql: string): TextAnalysis | Promise<TextAnalysis> {
    return this.#cache.get(sql) ?? this.#analyzeNew(sql)
  }

  replaceRules(rules: FunctionRules): void {
    if (isDeepStrictEqual(rules, this.#rules)) return
    this.#rules = rules
    this.#cache = new AnalysisCache(limits.analysisCacheBytesMax)
    this.#underWay = new Map()
    this.#parts.workers.replaceRules(rules)
  }

  close(): Promise<void> {
    return this.#parts.workers.close()
  }

  #analyzeNew(sql: string): TextAnalysis | Promise<TextAnalysis> {
    // The parser would stop at a NUL and not see what follows.
    if (sql.includes('\0')) return opaqueText(sql, 'the text holds a NUL character')
    if (!sql.isWellFormed()) return opaqueText(sql, 'the text is not valid Unicode')
    const bytes = Buffer.byteLength(sql)
    if (bytes > limits.parseBytesMax) return opaqueText(sql, `the text is larger than ${limits.parseBytesMax} bytes`)
    const analysis = this.#isForWorker(sql, bytes) ? null : this.#inline(sql)
    if (analysis === null) return this.#apart(sql)
    this.#cache.set(sql, analysis)
    return analysis
  }

  #isForWorker(sql: string, bytes: number): boolean {
    if (bytes > limits.parseInlineBytesMax) return true
    if (this.#cautiousTextsLeft > 0 && bytes > cautiousBytesMax) {
      this.#cautiousTextsLeft -= 1
      return true
    }
    return operatorRun.test(sql)
  }

  /** The analysis, or null where the event loop's small stack is not enough for it. */
  #inline(sql: string): TextAnalysis | null {
    const outcome = this.#parts.parser.parse(sql)
    if (outcome.state === 'syntax_error') return unparsableText(sql, outcome)
    if (outcome.state !== 'parsed') return this.#overflowed()
    try {
      return classify(sql, outcome.statements, this.#rules)
    } catch (fault) {
      // Out of stack means too deep for here; the worker has more. Anything else is a bug, and the text opaque.
      if (fault instanceof RangeError) return this.#overflowed()
      this.#parts.onFault(fault)
      return opaqueText(sql, 'Postern failed to analyse it')
    }
  }

  #overflowed(): null {
    this.#cautiousTextsLeft = cautiousTexts
    return null
  }

  /** Analyses in a worker; those who send the same text meanwhile share the answer. */
  #apart(sql: string): Promise<TextAnalysis> {
    const underWay = this.#underWay
    const waiting = underWay.get(sql)
    if (waiting !== undefined) return waiting
    const cache = this.#cache
    const answer = this.#parts.workers.analyze(sql).then((analysis) => {
      underWay.delete(sql)
      cache.set(sql, analysis)
      return analysis
    })
    underWay.set(sql, answer)
    return answer
  }
}
