import { readFile } from 'node:fs/promises'
import createModule from 'libpg-query/wasm/libpg-query.js'
import type { PgQueryModule } from 'libpg-query/wasm/libpg-query.js'
import { atOriginal, blankComments } from './comments.ts'
import { isFields } from './parse-tree.ts'
import type { RawStatement } from './parse-tree.ts'

/** What came of parsing one text. */
export type ParseOutcome =
  | { readonly state: 'parsed'; readonly statements: readonly RawStatement[] }
  /** `position` counts characters from 1, as PostgreSQL's own error field P does. */
  | { readonly state: 'syntax_error'; readonly message: string; readonly position: number }
  /** The parser broke (its stack or memory ran out); the instance has been thrown away. */
  | { readonly state: 'crashed' }
  /** No instance is ready at this moment; one is being built. */
  | { readonly state: 'unavailable' }

/** PostgreSQL's own parser. Synchronous; never throws for bad SQL. The caller keeps NUL and lone surrogates out. */
export interface Parser {
  parse(sql: string): ParseOutcome
}

/** What a parser is told. */
export interface ParserOptions {
  /** Called with what broke an instance or kept one from being built, for the log. */
  readonly onFault: (fault: unknown) => void
}

/**
 * Builds a parser that survives its own crashes. Its C code has no stack guard and leaks its stack when it overflows,
 * so an instance that threw is never used again: a spare takes over at once and the next spare is built in the
 * background (2 ms).
 */
export async function createParser(options: ParserOptions): Promise<Parser> {
  const build = await prepareInstances()
  return new RecyclingParser(await build(), build, options)
}

/**
 * Texts as large as are parsed on the event loop fit into the memory an instance starts with, however many there are.
 * One that has grown keeps what it took for ever, so it is replaced.
 */
const instanceBytesMax = 144 * 1024 * 1024

class RecyclingParser implements Parser {
  readonly #build: () => Promise<Instance>
  readonly #options: ParserOptions
  #current: Instance | null
  #spare: Instance | null = null
  #isBuilding = false

  constructor(first: Instance, build: () => Promise<Instance>, options: ParserOptions) {
    this.#current = first
    this.#build = build
    this.#options = options
    this.#refill()
  }

  parse(sql: string): ParseOutcome {
    const instance = this.#current
    if (instance === null) {
      this.#refill()
      return { state: 'unavailable' }
    }
    try {
      const outcome = instance.parse(sql)
      if (outcome.state === 'crashed' || instance.memoryBytes > instanceBytesMax) this.#discard()
      return outcome
    } catch (fault) {
      this.#discard()
      this.#options.onFault(fault)
      return { state: 'crashed' }
    }
  }

  #discard(): void {
    this.#current = this.#spare
    this.#spare = null
    this.#refill()
  }

  #refill(): void {
    if (this.#isBuilding || (this.#current !== null && this.#spare !== null)) return
    this.#isBuilding = true
    this.#build().then(
      (instance) => {
        this.#isBuilding = false
        if (this.#current === null) this.#current = instance
        else this.#spare = instance
        this.#refill()
      },
      (fault: unknown) => {
        // The next text that finds no instance tries again; until then all of them go the worker's way.
        this.#isBuilding = false
        this.#options.onFault(fault)
      },
    )
  }
}

/** One instance of the WebAssembly module and its memory. */
class Instance {
  readonly #module: PgQueryModule
  #bytes: Buffer

  constructor(module: PgQueryModule) {
    this.#module = module
    this.#bytes = Buffer.from(module.HEAPU8.buffer)
  }

  get memoryBytes(): number {
    return this.#module.HEAPU8.length
  }

  parse(sql: string): ParseOutcome {
    const outcome = this.#parse(sql)
    if (outcome.state !== 'syntax_error' || !/--|\/\*/.test(sql)) return outcome
    const blanked = this.#withoutComments(sql)
    return blanked === null ? outcome : atOriginal(this.#parse(blanked), sql, blanked)
  }

  #parse(sql: string): ParseOutcome {
    const module = this.#module
    const input = this.#write(sql)
    if (input === 0) return { state: 'crashed' }
    const result = module._wasm_parse_query_raw(input)
    module._free(input)
    if (result === 0) return { state: 'crashed' }
    try {
      return this.#outcome(result)
    } finally {
      module._wasm_free_parse_result(result)
    }
  }

  /**
   * The text with spaces for comments, byte for byte, or null where it cannot be scanned. libpg_query's scanner hands
   * comments to the grammar's look-ahead, which PostgreSQL's does not: `NOT /* x *\/ IN`, `WITH /* x *\/ ORDINALITY`,
   * UESCAPE and string constants continued behind a comment are then refused although they are valid. (They are only
   * refused: no text is valid for both and means different things.)
   */
  #withoutComments(sql: string): string | null {
    const module = this.#module
    const input = this.#write(sql)
    if (input === 0) return null
    const result = module._wasm_scan(input)
    module._free(input)
    if (result === 0) return null
    const scanned = this.#text(result)
    module._wasm_free_string(result)
    // Anything else is an error message.
    return scanned.startsWith('{') ? blankComments(sql, scanned) : null
  }

  /** Copies a text into the instance's memory; the caller frees it. 0 where there is no memory left. */
  #write(sql: string): number {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    const input = this.#module._malloc(sql.length * 3 + 1)
    if (input === 0) return 0
    const view = this.#view()
    view[input + view.write(sql, input)] = 0
    return input
  }

  #outcome(result: number): ParseOutcome {
    const error = this.#word(result + 8)
    if (error !== 0) {
      const message = this.#text(this.#word(error))
      // Not a verdict on the text: PostgreSQL, with more memory, may well accept it.
      if (message === 'out of memory') return { state: 'crashed' }
      return { state: 'syntax_error', message, position: this.#word(error + 16) }
    }
    const tree = this.#word(result)
    if (tree === 0) return { state: 'crashed' }
    const parsed: unknown = JSON.parse(this.#text(tree))
    if (!isFields(parsed) || !Array.isArray(parsed['stmts'])) return { state: 'crashed' }
    return { state: 'parsed', statements: parsed['stmts'] as RawStatement[] }
  }

  #word(pointer: number): number {
    return this.#view().readUInt32LE(pointer)
  }

  #text(pointer: number): string {
    const bytes = this.#view()
    return bytes.toString('utf8', pointer, bytes.indexOf(0, pointer))
  }

  /** The memory as it is now: growing it detaches every earlier view. */
  #view(): Buffer {
    const { buffer } = this.#module.HEAPU8
    if (this.#bytes.buffer !== buffer) this.#bytes = Buffer.from(buffer)
    return this.#bytes
  }
}

async function prepareInstances(): Promise<() => Promise<Instance>> {
  const file = new URL(import.meta.resolve('libpg-query/wasm/libpg-query.wasm'))
  const compiled = await WebAssembly.compile(await readFile(file))
  return async () => {
    const module = await createModule({
      instantiateWasm(imports, receive) {
        const instance = new WebAssembly.Instance(compiled, imports)
        receive(instance)
        return instance.exports
      },
      // What the parser's C code prints may quote the text it was given, so it goes nowhere.
      print: () => {},
      printErr: () => {},
    })
    return new Instance(module)
  }
}
