import type { TextAnalysis } from '../core/statement.ts'

/**
 * Analyses by text, the least recently used ones forgotten. Two generations stand in for a list of uses: a text that
 * is found in the older one moves to the younger one, and when the younger one is full the older one is dropped. So
 * a hit costs one Map lookup, and nothing is written.
 */
export class AnalysisCache {
  readonly #generationBytesMax: number
  #young = new Map<string, TextAnalysis>()
  #old = new Map<string, TextAnalysis>()
  #youngBytes = 0

  constructor(bytesMax: number) {
    this.#generationBytesMax = bytesMax / 2
  }

  /** The analysis kept for this text, always the same object, or undefined. */
  get(sql: string): TextAnalysis | undefined {
    const young = this.#young.get(sql)
    if (young !== undefined) return young
    const old = this.#old.get(sql)
    if (old !== undefined) {
      this.#old.delete(sql)
      this.set(sql, old)
    }
    return old
  }

  /** Keeps the analysis of a text, unless it alone would fill a generation. */
  set(sql: string, analysis: TextAnalysis): void {
    const bytes = weigh(sql, analysis)
    if (bytes > this.#generationBytesMax) return
    if (this.#youngBytes + bytes > this.#generationBytesMax) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(sql, analysis)
    this.#youngBytes += bytes
  }

  /** How many texts are kept. */
  get size(): number {
    return this.#young.size + this.#old.size
  }
}

/** Roughly what an entry takes: a text of many tiny statements is small, and its analysis is not. */
function weigh(sql: string, analysis: TextAnalysis): number {
  let bytes = sql.length * 2 + 200
  for (const statement of analysis.statements) {
    bytes += 200 + statement.sql.length
    for (const command of statement.commands) bytes += 80 + command.relations.length * 60
    for (const name of statement.functions) bytes += 40 + name.length
  }
  return bytes
}
