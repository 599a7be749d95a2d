/** The few DER forms (ITU-T X.690) that an X.509 certificate is made of. */
export const der = {
  sequence: (...items: readonly Buffer[]): Buffer => tagged(0x30, ...items),
  set: (...items: readonly Buffer[]): Buffer => tagged(0x31, ...items),
  /** A non-negative integer, big-endian; a leading zero keeps the sign bit clear. */
  integer: (bytes: Buffer): Buffer =>
    tagged(0x02, ((bytes[0] ?? 0) & 0x80) === 0 ? bytes : Buffer.concat([zero, bytes])),
  boolean: (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0])),
  octets: (...items: readonly Buffer[]): Buffer => tagged(0x04, ...items),
  bits: (bytes: Buffer, unusedBits = 0): Buffer => tagged(0x03, Buffer.from([unusedBits]), bytes),
  utf8: (text: string): Buffer => tagged(0x0c, Buffer.from(text)),
  /** UTCTime, which RFC 5280 section 4.1.2.5 asks for through the year 2049. */
  time: (date: Date): Buffer =>
    tagged(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`, 'latin1')),
  /** A context-specific tag around other values, as `[3] EXPLICIT`. */
  explicit: (number: number, ...items: readonly Buffer[]): Buffer => tagged(0xa0 | number, ...items),
  /** A context-specific tag in place of a primitive's own, as `[2] IMPLICIT`. */
  implicit: (number: number, bytes: Buffer): Buffer => tagged(0x80 | number, bytes),
  objectIdentifier,
}

const zero = Buffer.from([0])

function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tagged(0x06, Buffer.from(bytes))
}

function tagged(tag: number, ...items: readonly Buffer[]): Buffer {
  const body = Buffer.concat(items)
  const length: number[] = []
  if (body.length < 0x80) length.push(body.length)
  else {
    for (let left = body.length; left > 0; left >>>= 8) length.unshift(left & 0xff)
    length.unshift(0x80 | length.length)
  }
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
