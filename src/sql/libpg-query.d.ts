/** The bare module of libpg-query: its own `index.js` keeps one instance for ever, which `parser.ts` must not. */
declare module 'libpg-query/wasm/libpg-query.js' {
  interface Imports {
    readonly [module: string]: { readonly [name: string]: unknown }
  }
  interface PgQueryModule {
    /** Replaced whenever the memory grows. */
    readonly HEAPU8: Uint8Array<ArrayBuffer>
    readonly HEAPU32: Uint32Array<ArrayBuffer>
    _malloc(bytes: number): number
    _free(pointer: number): void
    /** Returns a pointer to `{ char *tree; char *stderr; Error *error }`. */
    _wasm_parse_query_raw(text: number): number
    _wasm_free_parse_result(result: number): void
    /** Returns a pointer to the tokens as JSON text, or to an error message. */
    _wasm_scan(text: number): number
    _wasm_free_string(text: number): void
  }
  interface Options {
    instantiateWasm(imports: Imports, receive: (instance: unknown) => void): unknown
    print(text: string): void
    printErr(text: string): void
  }
  export default function createModule(options: Options): Promise<PgQueryModule>
}

/** The part of WebAssembly that is used here; Node's own types leave it out and those of browsers bring too much. */
declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module'
  }
  class Instance {
    constructor(module: Module, imports: unknown)
    readonly exports: unknown
  }
  function compile(bytes: Uint8Array): Promise<Module>
}
