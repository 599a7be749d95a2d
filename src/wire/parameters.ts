import { isUtf8 } from 'node:buffer'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { readArray, readMultirange, readRange } from './binary-container.ts'
import type { BinaryReader } from './binary-container.ts'
import { readDate, readInterval, readTime, readTimestamp, readTimestamptz, readTimetz } from './binary-datetime.ts'
import { readCidr, readInet, readMacaddr } from './binary-network.ts'
import { readFloat4, readFloat8, readNumeric } from './binary-number.ts'
import { Reader } from './reader.ts'

/**
 * The text that the record shows of one Bind parameter, or null for NULL. Text format is the text itself; binary becomes
 * what PostgreSQL's output function writes under default settings (times in UTC, money as its integer, names of the
 * `reg*` types as oids). What is of an unknown type, malformed or not UTF-8 is `\x` and hexadecimal digits. Arrays and bit
 * strings may be cut anywhere beyond `limits.recordedParameterCharsMax`. Never throws.
 */
export function decodeParameter(bytes: Buffer | null, format: number, typeOid: number): string | null {
  if (bytes === null) return null
  if (format === 0) return isText(bytes) ? bytes.toString('utf8') : hexText(bytes)
  const read = format === 1 ? binaryReader(typeOid) : undefined
  if (read === undefined) return hexText(bytes)
  try {
    const reader = new Reader(bytes, 'parameter')
    const text = read(reader)
    reader.end()
    return text
  } catch (error) {
    // PostgreSQL will refuse the value; the record shows what was sent.
    if (error instanceof PosternError) return hexText(bytes)
    throw error
  }
}

const readOid: BinaryReader = (reader) => String(reader.uint32())
const readInt64: BinaryReader = (reader) => String(reader.int64())
const readPoint: BinaryReader = (reader) => `(${readFloat8(reader)},${readFloat8(reader)})`

const scalars: ReadonlyMap<number, BinaryReader> = new Map([
  [16, (reader) => (reader.uint8() === 0 ? 'f' : 't')],
  [17, (reader) => hexText(reader.rest())],
  [18, readChar],
  [19, readText], // name
  [20, readInt64],
  [21, (reader) => String(reader.int16())],
  [23, (reader) => String(reader.int32())],
  [24, readOid], // regproc
  [25, readText],
  [26, readOid],
  [27, (reader) => `(${reader.uint32()},${reader.uint16()})`], // tid
  [28, readOid], // xid
  [29, readOid], // cid
  [114, readText], // json
  [142, readText], // xml
  [600, readPoint],
  [650, readCidr],
  [700, readFloat4],
  [701, readFloat8],
  [705, readText], // unknown
  [774, readMacaddr(8)],
  [790, readInt64], // money
  [829, readMacaddr(6)],
  [869, readInet],
  [1042, readText], // bpchar
  [1043, readText], // varchar
  [1082, readDate],
  [1083, readTime],
  [1114, readTimestamp],
  [1184, readTimestamptz],
  [1186, readInterval],
  [1266, readTimetz],
  [1560, readBits],
  [1562, readBits],
  [1700, readNumeric],
  [2202, readOid], // regprocedure
  [2203, readOid], // regoper
  [2204, readOid], // regoperator
  [2205, readOid], // regclass
  [2206, readOid], // regtype
  [2275, readText], // cstring
  [2950, readUuid],
  [3220, readLsn],
  [3734, readOid], // regconfig
  [3769, readOid], // regdictionary
  [3802, readVersionedText], // jsonb
  [4072, readVersionedText], // jsonpath
  [4089, readOid], // regnamespace
  [4096, readOid], // regrole
  [4191, readOid], // regcollation
  [5069, (reader) => String(BigInt.asUintN(64, reader.int64()))], // xid8
])

// [range, its array, multirange, its array, bounds]
const rangeTypes: readonly (readonly [number, number, number, number, BinaryReader])[] = [
  [3904, 3905, 4451, 6150, (reader) => String(reader.int32())],
  [3906, 3907, 4532, 6151, readNumeric],
  [3908, 3909, 4533, 6152, readTimestamp],
  [3910, 3911, 4534, 6153, readTimestamptz],
  [3912, 3913, 4535, 6155, readDate],
  [3926, 3927, 4536, 6157, readInt64],
]

const values: ReadonlyMap<number, BinaryReader> = new Map([
  ...scalars,
  ...rangeTypes.flatMap(([range, , multirange, , readBound]) => [
    [range, readRange(readBound)] as const,
    [multirange, readMultirange(readBound)] as const,
  ]),
])

const elementOfArray: ReadonlyMap<number, number> = new Map([
  [143, 142],
  [199, 114],
  [271, 5069],
  [651, 650],
  [775, 774],
  [791, 790],
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1008, 24],
  [1009, 25],
  [1010, 27],
  [1011, 28],
  [1012, 29],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1017, 600],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1040, 829],
  [1041, 869],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1263, 2275],
  [1270, 1266],
  [1561, 1560],
  [1563, 1562],
  [2207, 2202],
  [2208, 2203],
  [2209, 2204],
  [2210, 2205],
  [2211, 2206],
  [2951, 2950],
  [3221, 3220],
  [3735, 3734],
  [3770, 3769],
  [3807, 3802],
  [4073, 4072],
  [4090, 4089],
  [4097, 4096],
  [4192, 4191],
  ...rangeTypes.flatMap(([range, rangeArray, multirange, multirangeArray]) => [
    [rangeArray, range] as const,
    [multirangeArray, multirange] as const,
  ]),
])

function binaryReader(typeOid: number): BinaryReader | undefined {
  const readValue = values.get(typeOid)
  if (readValue !== undefined) return readValue
  const elementOid = elementOfArray.get(typeOid)
  if (elementOid === undefined) return undefined
  return (reader) =>
    readArray(reader, (oid) => {
      const readElement = oid === elementOid ? values.get(oid) : undefined
      if (readElement === undefined) throw reader.violation('its elements are of another type')
      return readElement
    })
}

/** UTF-8, but for a last character that is cut short: the record may hand in the beginning of a long text. */
function isText(bytes: Buffer): boolean {
  if (isUtf8(bytes)) return true
  for (let lost = 1; lost <= 3 && lost <= bytes.length; lost++) {
    const lead = bytes.readUInt8(bytes.length - lost)
    if (lead < 0x80) return false
    if (lead < 0xc0) continue
    const expected = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
    return lost < expected && isUtf8(bytes.subarray(0, bytes.length - lost))
  }
  return false
}

function readText(reader: Reader): string {
  const bytes = reader.rest()
  if (!isText(bytes)) throw reader.violation('a text in it is not UTF-8')
  return bytes.toString('utf8')
}

/** `"char"`: one byte, in octal where it is not ASCII. */
function readChar(reader: Reader): string {
  const byte = reader.uint8()
  if (byte === 0) return ''
  return byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`
}

function readVersionedText(reader: Reader): string {
  if (reader.uint8() !== 1) throw reader.violation('it has an unknown version')
  return readText(reader)
}

function readUuid(reader: Reader): string {
  return reader
    .take(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function readBits(reader: Reader): string {
  const bitCount = reader.int32()
  if (bitCount < 0) throw reader.violation('a bit string has a negative length')
  const bytes = reader.take(Math.ceil(bitCount / 8))
  const shownBits = Math.min(bitCount, limits.recordedParameterCharsMax + 1)
  let text = ''
  for (const byte of bytes.subarray(0, Math.ceil(shownBits / 8))) text += byte.toString(2).padStart(8, '0')
  return text.slice(0, shownBits)
}

function readLsn(reader: Reader): string {
  const high = reader.uint32().toString(16).toUpperCase()
  return `${high}/${reader.uint32().toString(16).toUpperCase()}`
}

function hexText(bytes: Buffer): string {
  return `\\x${bytes.toString('hex')}`
}
