import { tokensOf, Unreadable } from './plpgsql-tokens.ts'
import type { Token } from './plpgsql-tokens.ts'
import type { PlTarget } from './plpgsql-tree.ts'

/** Goes through the tokens of a PL/pgSQL text. Its methods throw `Unreadable` where something else comes. */
export class TokenReader {
  /** The position among the tokens. */
  at = 0
  readonly #text: string
  readonly #tokens: readonly Token[]

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  /** Whether all tokens have been read. */
  get isAtEnd(): boolean {
    return this.at >= this.#tokens.length
  }

  /** Whether one of these bare words is at a position. */
  isWordAt(position: number, ...words: readonly string[]): boolean {
    const token = this.#tokens[position]
    return token?.kind === 'word' && words.includes(token.text)
  }

  /** The text of the token at a position. */
  textAt(position: number): string | undefined {
    return this.#tokens[position]?.text
  }

  /** What stands between commas in INTO or FOR. */
  targets(): readonly PlTarget[] {
    const targets = [this.target()]
    while (this.isSign(',')) {
      this.at += 1
      targets.push(this.target())
    }
    return targets
  }

  /** A variable, field or element that something is assigned to. */
  target(): PlTarget {
    const { text: name, kind } = this.next()
    if (kind !== 'word' && kind !== 'name' && !/^\$\d/.test(name)) throw new Unreadable('a variable is missing')
    const path: string[] = []
    let isElement = false
    for (;;) {
      if (this.isSign('.')) {
        this.at += 1
        path.push(this.next().text)
      } else if (this.isSign('[')) {
        this.at += 1
        this.until([']'], 'past')
        isElement = true
      } else return { name, path, isElement }
    }
  }

  /** The target of an assignment if this is one; the position is then behind its sign. */
  assigned(): PlTarget | null {
    const start = this.at
    const kind = this.peek()?.kind
    if (kind !== 'word' && kind !== 'name' && !/^\$\d/.test(this.peek()?.text ?? '')) return null
    const behind = this.#tokens[start + 1]?.text ?? ''
    if (![':=', '=', '.', '['].includes(behind)) return null
    const target = this.target()
    if (this.isSign(':=', '=')) {
      this.at += 1
      return target
    }
    this.at = start
    return null
  }

  /** Expressions between commas. */
  list(ends: readonly string[]): readonly string[] {
    const expressions: string[] = []
    for (;;) {
      expressions.push(this.until([',', ...ends], 'before'))
      if (ends.includes(this.next().text)) return expressions
    }
  }

  /** The text up to a token outside of all brackets, and the position before or past it. */
  until(ends: readonly string[], where: 'before' | 'past'): string {
    const start = this.at
    let depth = 0
    for (; ; this.at += 1) {
      const token = this.peek()
      if (token === null) throw new Unreadable('a statement does not end')
      if (depth === 0 && token.kind !== 'name' && token.kind !== 'string' && ends.includes(token.text)) break
      if (token.kind !== 'sign') continue
      if (token.text === '(' || token.text === '[') depth += 1
      else if (token.text === ')' || token.text === ']') depth -= 1
    }
    const text = this.slice(start, this.at)
    if (where === 'past') this.at += 1
    return text
  }

  /** The text from one token to before another. */
  slice(from: number, to: number): string {
    const first = this.#tokens[from]
    const last = this.#tokens[to - 1]
    return first === undefined || last === undefined || to <= from ? '' : this.#text.slice(first.start, last.end)
  }

  /** The next token, or null at the end. */
  peek(): Token | null {
    return this.#tokens[this.at] ?? null
  }

  /** The next token, which it passes over. */
  next(): Token {
    const token = this.peek()
    if (token === null) throw new Unreadable('it ends too early')
    this.at += 1
    return token
  }

  /** Whether one of these bare words comes next. */
  isWord(...words: readonly string[]): boolean {
    const token = this.peek()
    return token?.kind === 'word' && words.includes(token.text)
  }

  /** Whether one of these signs comes next. */
  isSign(...signs: readonly string[]): boolean {
    const token = this.peek()
    return token?.kind === 'sign' && signs.includes(token.text)
  }

  /** Passes over this word. */
  word(word: string): void {
    if (!this.isWord(word)) throw new Unreadable(`${word} is missing`)
    this.at += 1
  }

  /** Passes over this sign. */
  sign(sign: string): void {
    if (!this.isSign(sign)) throw new Unreadable(`${sign} is missing`)
    this.at += 1
  }
}
