import { sqlstateOf } from '../core/errors.ts'
import type { PosternError } from '../core/errors.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/** Type bytes of the two messages that carry error fields. */
export const reportTypes = { ErrorResponse: 0x45, NoticeResponse: 0x4e } as const

/** How grave an ErrorResponse (first three) or NoticeResponse is. */
export type Severity = 'ERROR' | 'FATAL' | 'PANIC' | 'WARNING' | 'NOTICE' | 'DEBUG' | 'INFO' | 'LOG'

/** An error or notice by the manual's field names (Error and Notice Message Fields). */
export interface Report {
  readonly severity: Severity
  /** The SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
  /** Where in the statement, in characters from 1. */
  readonly position?: number | undefined
  readonly where?: string | undefined
  readonly schema?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  readonly dataType?: string | undefined
  readonly constraint?: string | undefined
  readonly file?: string | undefined
  readonly line?: string | undefined
  readonly routine?: string | undefined
}

/** Error fields by their one-letter codes, in the order of the message. */
export type ReportFields = ReadonlyMap<string, string>

/** Encodes ErrorResponse. Severity goes out both localised (S) and not (V). */
export function encodeErrorResponse(report: Report): Buffer {
  return encodeReportFields(reportTypes.ErrorResponse, fieldsOf(report))
}

/** Encodes NoticeResponse. Severity goes out both localised (S) and not (V). */
export function encodeNoticeResponse(report: Report): Buffer {
  return encodeReportFields(reportTypes.NoticeResponse, fieldsOf(report))
}

/** Encodes either from fields by letter. A NUL in a text becomes a space: a report must always be able to go out. */
export function encodeReportFields(type: number, fields: ReportFields): Buffer {
  const writer = new Writer(type, 256)
  for (const [letter, text] of fields) {
    writer.int8(letter.charCodeAt(0)).cstring(text.replaceAll('\0', ' '))
  }
  return writer.int8(0).finish()
}

/** Decodes ErrorResponse. Texts are for people: bytes that are not UTF-8 become U+FFFD. */
export function decodeErrorResponse(body: Buffer): ReportFields {
  return decodeReportFields(body, 'ErrorResponse')
}

/** Decodes NoticeResponse; see `decodeErrorResponse`. */
export function decodeNoticeResponse(body: Buffer): ReportFields {
  return decodeReportFields(body, 'NoticeResponse')
}

/** The report that tells a client about a PosternError. */
export function reportOf(error: PosternError, severity: Severity): Report {
  return {
    severity,
    code: sqlstateOf(error.code),
    message: error.message,
    detail: error.detail,
    hint: error.hint,
  }
}

const letters: readonly (readonly [string, Exclude<keyof Report, 'severity'>])[] = [
  ['C', 'code'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['P', 'position'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
]

function fieldsOf(report: Report): ReportFields {
  const fields = new Map([
    ['S', report.severity as string],
    ['V', report.severity],
  ])
  for (const [letter, field] of letters) {
    const value = report[field]
    if (value !== undefined) fields.set(letter, String(value))
  }
  return fields
}

function decodeReportFields(body: Buffer, message: string): ReportFields {
  const reader = new Reader(body, message)
  const fields = new Map<string, string>()
  for (let letter = reader.uint8(); letter !== 0; letter = reader.uint8()) {
    fields.set(String.fromCharCode(letter), reader.cstringLossy())
  }
  reader.end()
  return fields
}
