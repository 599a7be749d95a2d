import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The members of a journal entry that the demo shows. */
export interface ShownEntry {
  readonly seq: number
  readonly type: string
  readonly kind: string
  readonly relations: readonly string[]
  readonly policies: readonly string[]
  readonly principal: {
    readonly name: string
    readonly kind: string
    readonly groups: readonly string[]
    readonly issuer: string
    readonly subject: string
  }
  readonly client: {
    readonly address: string
    readonly port: number
    readonly application: string
    readonly tls: { readonly version: string } | null
  }
  /** Of a statement that somebody agreed to. */
  readonly approval?: { readonly request: string; readonly approvers: readonly string[] }
  readonly outcome: string
  readonly rows: number
  readonly durationUs: number
}

/** Reads the journal as it stands on disk, once the outcome of the last statement has had time to get there. */
export async function readEntries(directory: string): Promise<ShownEntry[]> {
  await new Promise((resolve) => setTimeout(resolve, 50))
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ShownEntry)
}
