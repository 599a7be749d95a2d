/** One of them. */
export function pick<T>(random: () => number, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** Random bytes, which more often than chance would have it begin like a message. */
export function garbage(random: () => number, bytesMax: number): Buffer {
  const bytes = Buffer.from(
    Array.from({ length: 1 + Math.floor(random() * bytesMax) }, () => Math.floor(random() * 256)),
  )
  if (random() < 0.5 && bytes.length > 5) {
    bytes[0] = pick(random, Array.from(Buffer.from('QPBEDCSHXFcdfpRTZ\0')))
    bytes.writeInt32BE(pick(random, [0, 3, 4, 5, 8, bytes.length - 1, 70_000, 0x7fff_ffff, -1]), 1)
  }
  return bytes
}

/** The same bytes with some of them changed, taken out, doubled or cut off. */
export function mutate(random: () => number, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes)
  for (let left = 1 + Math.floor(random() * 4); left > 0; left -= 1) {
    const at = Math.floor(random() * mutated.length)
    const [before, behind] = [mutated.subarray(0, at), mutated.subarray(at)]
    const changed = pick(random, [
      () => Buffer.concat([before, Buffer.from([Math.floor(random() * 256)]), behind.subarray(1)]),
      () => Buffer.concat([before, behind.subarray(1)]),
      () => Buffer.concat([before, behind.subarray(0, 3), behind]),
      () => before,
      () => Buffer.concat([before, garbage(random, 8), behind]),
    ])()
    if (changed.length > 0) mutated = changed
  }
  return mutated
}
