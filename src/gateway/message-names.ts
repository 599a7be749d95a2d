import { frontend } from '../wire/frontend.ts'
import type { Lookup } from './names.ts'

/** What is known under a name, if anything is. */
export function foundOf<T>(lookup: Lookup<T>): T | null {
  return typeof lookup === 'object' ? lookup.found : null
}

/** The header of an Execute with that body. */
export function executeHeader(body: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.writeUInt8(frontend.Execute)
  header.writeUInt32BE(body.length + 4, 1)
  return header
}

/** Whether a name is the same in every encoding. */
export function isPlain(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) > 0x7f) return false
  return true
}
