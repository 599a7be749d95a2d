import type { Reader } from './reader.ts'

const families: ReadonlyMap<number, { bits: number; text: (address: Buffer) => string }> = new Map([
  [2, { bits: 32, text: ipv4Text }],
  [3, { bits: 128, text: ipv6Text }],
])

/** A binary inet: the prefix length is shown where it is not the whole address. */
export function readInet(reader: Reader): string {
  const { address, bits, bitsMax } = readAddress(reader)
  return bits === bitsMax ? address : `${address}/${bits}`
}

/** A binary cidr: the prefix length is always shown. */
export function readCidr(reader: Reader): string {
  const { address, bits } = readAddress(reader)
  return `${address}/${bits}`
}

/** A binary macaddr or macaddr8, which differ in length alone. */
export function readMacaddr(byteCount: 6 | 8): (reader: Reader) => string {
  return (reader) =>
    reader
      .take(byteCount)
      .toString('hex')
      .replaceAll(/..(?!$)/g, '$&:')
}

function readAddress(reader: Reader): { address: string; bits: number; bitsMax: number } {
  const family = families.get(reader.uint8())
  if (family === undefined) throw reader.violation('an address has an unknown family')
  const bits = reader.uint8()
  // Whether it is a cidr: the type says so already.
  reader.uint8()
  const byteCount = reader.uint8()
  if (bits > family.bits || byteCount * 8 !== family.bits) throw reader.violation('an address has an invalid length')
  return { address: family.text(reader.take(byteCount)), bits, bitsMax: family.bits }
}

function ipv4Text(address: Buffer): string {
  return address.join('.')
}

/** As inet_ntop: the longest run of two or more zero groups is `::`, and an IPv4 address inside is written as one. */
function ipv6Text(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2))
  const { start, length } = longestZeroRun(groups)
  const tail =
    start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff)) ? ipv4Text(address.subarray(12)) : null
  const hex = groups.slice(0, tail === null ? 8 : 6).map((group) => group.toString(16))
  const text = length < 2 ? hex.join(':') : `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
  if (tail === null) return text
  return text.endsWith(':') ? text + tail : `${text}:${tail}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 0 }
  let runStart = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) runStart = index + 1
    else if (index + 1 - runStart > best.length) best = { start: runStart, length: index + 1 - runStart }
  }
  return best
}
