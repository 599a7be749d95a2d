import type { MaskingRule } from '../core/classification.ts'
import { canonicalNumber, numericShape, readNumeric, writeNumeric } from './numbers.ts'
import { integerSpaces, numberPseudonym, textPseudonym, uuidPseudonym } from './pseudonym.ts'
import type { NumberSpace, Pseudonyms } from './pseudonym.ts'
import { temporalMask } from './temporal-rules.ts'
import { redactedText, textMask } from './text-rules.ts'

/** What replaces one value; null is NULL. */
export type ScalarMask = (value: Buffer) => Buffer | null

/** Everything a scalar's mask depends on. The rule is not `null`, which needs no type. */
export interface ScalarColumn {
  readonly typeModifier: number
  readonly format: 0 | 1
  readonly rule: MaskingRule
  readonly pseudonyms: Pseudonyms
}

/** The mask of a type of PostgreSQL's own; undefined for types that are not scalar or have no valid value but NULL. */
export function scalarMask(type: number, column: ScalarColumn): ScalarMask | undefined {
  return makers.get(type)?.(column)
}

/**
 * What stands for every value that an expression made, as `scalarMask` for `redact`; undefined where that is. The mask of
 * a column as it is follows the style that the session has, which it tells from the value: there is none here to look at.
 */
export function scalarPlaceholder(type: number, column: ScalarColumn): Buffer | null | undefined {
  return scalarMask(type, column)?.(type === moneyType ? dollar : nothing)
}

/** The mask of an extension's string type, such as citext. */
export function stringMask({ rule, pseudonyms }: ScalarColumn): ScalarMask {
  return textMask(rule, { charsMax: Infinity, isPadded: false }, pseudonyms)
}

type Maker = (column: ScalarColumn) => ScalarMask

const json = `"${redactedText}"`
const moneyType = 790
const dollar = Buffer.from('$')
const nothing = Buffer.alloc(0)

function constant(text: string, binary: Buffer): Maker {
  const asText = Buffer.from(text)
  return ({ format }) => {
    const value = format === 0 ? asText : binary
    return () => value
  }
}

function zeros(text: string, byteCount: number): Maker {
  return constant(text, Buffer.alloc(byteCount))
}

function varying(isPadded: boolean): Maker {
  return ({ rule, typeModifier, pseudonyms }) => {
    const hasLength = typeModifier > 4
    const shape = { charsMax: hasLength ? typeModifier - 4 : Infinity, isPadded: isPadded && hasLength }
    return textMask(rule, shape, pseudonyms)
  }
}

function integer(byteCount: 2 | 4 | 8, isSigned: boolean): Maker {
  return ({ rule, format, pseudonyms }) => {
    const zero = format === 0 ? Buffer.from('0') : Buffer.alloc(byteCount)
    if (rule.function !== 'pseudonym') return () => zero
    const read = (value: Buffer) => {
      if (format === 0) return canonicalNumber(value.toString('latin1'))
      if (value.length !== byteCount) return null
      if (byteCount === 8) return String(isSigned ? value.readBigInt64BE(0) : value.readBigUInt64BE(0))
      return String(isSigned ? value.readIntBE(0, byteCount) : value.readUIntBE(0, byteCount))
    }
    return (value) => {
      const number = read(value)
      if (number === null) return null
      const pseudonym = numberPseudonym(pseudonyms.digest('number', number), integerSpaces[byteCount])
      if (format === 0) return Buffer.from(String(pseudonym))
      const bytes = Buffer.alloc(byteCount)
      if (byteCount === 8) bytes.writeBigInt64BE(BigInt(pseudonym))
      else bytes.writeUIntBE(pseudonym, 0, byteCount)
      return bytes
    }
  }
}

const numeric: Maker = ({ rule, format, typeModifier, pseudonyms }) => {
  const shape = numericShape(typeModifier)
  const scale = Math.max(shape?.scale ?? 0, 0)
  const write = (value: number) => {
    if (format === 1) return writeNumeric(value, scale)
    return Buffer.from(scale === 0 ? String(value) : `${value}.${'0'.repeat(scale)}`)
  }
  const zero = write(0)
  const space = numericSpace(typeModifier)
  if (rule.function !== 'pseudonym' || space === null) return () => zero
  return (value) => {
    const number = format === 0 ? canonicalNumber(value.toString('latin1')) : readNumeric(value)
    return number === null ? null : write(numberPseudonym(pseudonyms.digest('number', number), space))
  }
}

/** The space of a numeric's pseudonyms, or null where its modifier leaves too few whole digits, or rounds them. */
export function numericSpace(typeModifier: number): NumberSpace | null {
  const shape = numericShape(typeModifier)
  if (shape === null) return integerSpaces[8]
  const wholeDigits = shape.precision - shape.scale
  if (shape.scale < 0 || wholeDigits < 4) return null
  if (wholeDigits > 15) return integerSpaces[8]
  return { max: 10 ** wholeDigits - 1, check: wholeDigits >= 13 ? 10_007 : wholeDigits >= 9 ? 61 : 7 }
}

const bytea: Maker = ({ rule, format, pseudonyms }) => {
  const write = (text: string) =>
    format === 1 ? Buffer.from(text) : Buffer.from(`\\x${Buffer.from(text).toString('hex')}`)
  const redacted = write(redactedText)
  if (rule.function !== 'pseudonym') return () => redacted
  return (value) => {
    const bytes = format === 1 ? value : byteaBytes(value)
    return bytes === null ? null : write(textPseudonym(pseudonyms.digest('bytea', bytes)))
  }
}

/** The bytes of a bytea's text in either bytea_output; null where it is malformed. */
function byteaBytes(value: Buffer): Buffer | null {
  const text = value.toString('latin1')
  if (text.startsWith('\\x')) return /^\\x(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : null
  if (!/^(?:[^\\]|\\\\|\\[0-3][0-7]{2})*$/.test(text)) return null
  const raw = text.replaceAll(/\\(\\|[0-7]{3})/g, (_, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  )
  return Buffer.from(raw, 'latin1')
}

const uuid: Maker = ({ rule, format, pseudonyms }) => {
  const write = (bytes: Buffer) => (format === 1 ? bytes : Buffer.from(uuidText(bytes)))
  const redacted = write(Buffer.alloc(16))
  if (rule.function !== 'pseudonym') return () => redacted
  return (value) => {
    const hex = format === 1 ? value.toString('hex') : value.toString('latin1').replaceAll('-', '').toLowerCase()
    return /^[0-9a-f]{32}$/.test(hex) ? write(uuidPseudonym(pseudonyms.digest('uuid', hex))) : null
  }
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function jsonLike(version: number | null): Maker {
  return ({ rule, format, pseudonyms }) => {
    const lead = format === 1 && version !== null ? Buffer.of(version) : Buffer.alloc(0)
    const redacted = Buffer.concat([lead, Buffer.from(json)])
    if (rule.function !== 'pseudonym') return () => redacted
    return (value) => {
      const text = value.subarray(lead.length)
      return Buffer.concat([lead, Buffer.from(`"${textPseudonym(pseudonyms.digest('json', text))}"`)])
    }
  }
}

const money: Maker = ({ format }) => {
  // Its text depends on lc_monetary; a client that expects the dollar sign gets it, `0` is valid in all of them.
  const dollars = Buffer.from('$0.00')
  const plain = Buffer.from('0')
  const binary = Buffer.alloc(8)
  if (format === 1) return () => binary
  return (value) => (value[0] === 0x24 || (value[0] === 0x2d && value[1] === 0x24) ? dollars : plain)
}

const interval: Maker = ({ format }) => {
  // As in IntervalStyle iso_8601, postgres_verbose and the others.
  const iso = Buffer.from('PT0S')
  const verbose = Buffer.from('@ 0')
  const plain = Buffer.from('00:00:00')
  const binary = Buffer.alloc(16)
  if (format === 1) return () => binary
  return (value) => (value[0] === 0x50 ? iso : value[0] === 0x40 ? verbose : plain)
}

const bit: Maker = ({ format, typeModifier }) => bits(typeModifier > 0 ? typeModifier : 1, format)
const varbit: Maker = ({ format }) => bits(1, format)

function bits(bitCount: number, format: 0 | 1): ScalarMask {
  const binary = Buffer.alloc(4 + Math.ceil(bitCount / 8))
  binary.writeInt32BE(bitCount)
  const value = format === 1 ? binary : Buffer.from('0'.repeat(bitCount))
  return () => value
}

function zeroVector(element: number, byteCount: number): Maker {
  // One dimension without NULLs, one element from index 0: the recv functions take no other shape.
  const head = Buffer.alloc(24)
  for (const [index, field] of [1, 0, element, 1, 0, byteCount].entries()) head.writeInt32BE(field, index * 4)
  return constant('0', Buffer.concat([head, Buffer.alloc(byteCount)]))
}

function lexeme(before: Buffer, after: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, 0, 0, 1), before, Buffer.from('masked\0'), after])
}

const name: Maker = ({ rule, pseudonyms }) => textMask(rule, { charsMax: 63, isPadded: false }, pseudonyms)
const anonymousMac = '00:00:00:00:00:00'
const oidAlias = zeros('-', 4)
const operatorAlias = zeros('0', 4)
const snapshot = constant('1:1:', Buffer.from('0000000000000000000000010000000000000001', 'hex'))
const onePoint = Buffer.concat([Buffer.of(0, 0, 0, 1), Buffer.alloc(16)])
// y = 0: a line needs one coefficient that is not zero.
const line = Buffer.alloc(24)
line.writeDoubleBE(1, 8)

const makers: ReadonlyMap<number, Maker> = new Map<number, Maker>([
  [16, constant('f', Buffer.of(0))],
  [17, bytea],
  [18, constant('*', Buffer.from('*'))],
  [19, name],
  [20, integer(8, true)],
  [21, integer(2, true)],
  [22, zeroVector(21, 2)],
  [23, integer(4, true)],
  [24, oidAlias], // regproc
  [25, varying(false)],
  [26, integer(4, false)],
  [27, zeros('(0,0)', 6)], // tid
  [28, zeros('0', 4)], // xid
  [29, zeros('0', 4)], // cid
  [30, zeroVector(26, 4)],
  [114, jsonLike(null)],
  [142, constant('<masked/>', Buffer.from('<masked/>'))],
  [600, zeros('(0,0)', 16)], // point
  [601, zeros('[(0,0),(0,0)]', 32)], // lseg
  [602, constant('((0,0))', Buffer.concat([Buffer.of(1), onePoint]))], // path
  [603, zeros('(0,0),(0,0)', 32)], // box
  [604, constant('((0,0))', onePoint)], // polygon
  [628, constant('{0,1,0}', line)],
  [650, constant('0.0.0.0/32', Buffer.of(2, 32, 1, 4, 0, 0, 0, 0))], // cidr
  [700, zeros('0', 4)],
  [701, zeros('0', 8)],
  [705, varying(false)], // unknown
  [718, zeros('<(0,0),0>', 24)], // circle
  [774, zeros(`${anonymousMac}:00:00`, 8)],
  [790, money],
  [829, zeros(anonymousMac, 6)],
  [869, constant('0.0.0.0', Buffer.of(2, 32, 0, 4, 0, 0, 0, 0))], // inet
  [1042, varying(true)],
  [1043, varying(false)],
  [1082, temporalMask('date')],
  [1083, zeros('00:00:00', 8)],
  [1114, temporalMask('timestamp')],
  [1184, temporalMask('timestamptz')],
  [1186, interval],
  [1266, zeros('00:00:00+00', 12)],
  [1560, bit],
  [1562, varbit],
  [1700, numeric],
  [1790, varying(false)], // refcursor
  [2202, oidAlias], // regprocedure
  [2203, operatorAlias],
  [2204, operatorAlias],
  [2205, oidAlias], // regclass
  [2206, oidAlias], // regtype
  [2275, varying(false)], // cstring
  [2950, uuid],
  [2970, snapshot], // txid_snapshot
  [3220, zeros('0/0', 8)], // pg_lsn
  [3614, constant(`'masked'`, lexeme(Buffer.alloc(0), Buffer.alloc(2)))], // tsvector, no positions
  [3615, constant(`'masked'`, lexeme(Buffer.of(1, 0, 0), Buffer.alloc(0)))], // tsquery: one operand
  [3734, oidAlias], // regconfig
  [3769, oidAlias], // regdictionary
  [3802, jsonLike(1)],
  [4072, constant(json, Buffer.concat([Buffer.of(1), Buffer.from(json)]))], // jsonpath
  [4089, oidAlias], // regnamespace
  [4096, oidAlias], // regrole
  [4191, oidAlias], // regcollation
  [5038, snapshot],
  [5069, zeros('0', 8)], // xid8
])
