import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { lineBytesMax } from './entry.ts'

const chunkBytes = 64 * 1024
const lineFeed = 0x0a

/** One line of a segment. `bytes` includes the line feed where there is one and is good until the next step. */
export interface Line {
  readonly bytes: Buffer
  readonly offset: number
  /** False for what follows the last line feed, and for a line beyond `lineBytesMax`, which ends the reading. */
  readonly isWhole: boolean
}

/** Reads lines forward from `start` in bounded memory; what was appended meanwhile is read too. */
export function* readLines(descriptor: number, start = 0): Generator<Line, void, undefined> {
  let buffer = Buffer.allocUnsafeSlow(chunkBytes)
  let filled = 0
  let offset = start
  for (;;) {
    if (filled === buffer.length) {
      if (filled >= lineBytesMax) {
        yield { bytes: buffer.subarray(0, filled), offset, isWhole: false }
        return
      }
      const larger = Buffer.allocUnsafeSlow(buffer.length * 2)
      larger.set(buffer, 0)
      buffer = larger
    }
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, offset + filled)
    if (count === 0) break
    let searchFrom = filled
    filled += count
    let taken = 0
    for (;;) {
      const end = buffer.subarray(0, filled).indexOf(lineFeed, searchFrom)
      if (end === -1) break
      yield { bytes: buffer.subarray(taken, end + 1), offset: offset + taken, isWhole: true }
      taken = end + 1
      searchFrom = taken
    }
    buffer.copyWithin(0, taken, filled)
    filled -= taken
    offset += taken
  }
  if (filled > 0) yield { bytes: buffer.subarray(0, filled), offset, isWhole: false }
}

/** Reads whole lines backward from the end in bounded memory; what follows the last line feed is left out. */
export function* readLinesBackward(descriptor: number): Generator<Line, void, undefined> {
  let position = fstatSync(descriptor).size
  // `held` starts somewhere in a line and ends with the last line feed not given out yet.
  let held = Buffer.alloc(0)
  let sawEnd = false
  while (position > 0) {
    const size = Math.min(Math.max(chunkBytes, held.length), position)
    const chunk = readExactly(descriptor, { position: position - size, size })
    position -= size
    held = Buffer.concat([chunk, held])
    if (held.length > 2 * lineBytesMax) return
    if (!sawEnd) {
      const end = held.lastIndexOf(lineFeed)
      if (end === -1) {
        held = Buffer.alloc(0)
        continue
      }
      held = held.subarray(0, end + 1)
      sawEnd = true
    }
    let end = held.length
    while (end > 1) {
      const before = held.lastIndexOf(lineFeed, end - 2)
      if (before === -1) break
      yield { bytes: held.subarray(before + 1, end), offset: position + before + 1, isWhole: true }
      end = before + 1
    }
    held = held.subarray(0, end)
  }
  if (held.length > 0) yield { bytes: held, offset: 0, isWhole: true }
}

/** Opens `path` for reading, runs `use` and closes it whatever happens. */
export function withFile<T>(path: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(path, 'r')
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The last whole line of a file, or null where it has none. */
export function lastLine(path: string): Buffer | null {
  return withFile(path, (descriptor) => {
    for (const line of readLinesBackward(descriptor)) return Buffer.from(line.bytes)
    return null
  })
}

function readExactly(descriptor: number, range: { position: number; size: number }): Buffer {
  const chunk = Buffer.allocUnsafeSlow(range.size)
  let filled = 0
  while (filled < range.size) {
    const count = readSync(descriptor, chunk, filled, range.size - filled, range.position + filled)
    if (count === 0) break
    filled += count
  }
  return chunk.subarray(0, filled)
}
