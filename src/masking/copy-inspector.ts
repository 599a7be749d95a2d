import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { CopyIn } from '../core/lineage.ts'
import { findInCsv, findInText, type FieldPlan, type InspectedColumn } from './copy-fields.ts'
import { LineFinder } from './copy-lines.ts'
import { TupleFinder } from './copy-tuples.ts'
import { decoderOf } from './encodings.ts'

/** What of the data may go on, in order, and why nothing more may. */
export interface CopyPassage {
  readonly passes: readonly Buffer[]
  readonly refused: PosternError | null
}

/** Looks for placeholders in the data of one COPY FROM STDIN. */
export interface CopyInspector {
  /** A piece of the data, cut anywhere. What does not end a row is kept back; after a refusal nothing may be given. */
  take(data: Buffer): CopyPassage
  /** The data is over: what was kept back is looked at. */
  end(): CopyPassage
}

/** Why the data of a COPY FROM STDIN cannot be looked into, where this client_encoding is in force; null where it can. */
export function inspectionFault({ format, encoding }: CopyIn, clientEncoding: string): PosternError | null {
  if (format.isUncertain) {
    return new PosternError(
      'feature_refused',
      'COPY into masked columns is refused, because its options are not understood',
      {
        hint: 'Leave out what is unusual about its options, or leave the masked columns out of its list.',
      },
    )
  }
  const name = encoding ?? clientEncoding
  if (format.format === 'binary' || decoderOf(name) !== null) return null
  const why = name === '' ? 'the encoding of its data is not certain' : `data in ${name} cannot be taken apart`
  return new PosternError('feature_refused', `COPY into masked columns is refused, because ${why}`, {
    detail: 'Postern looks for placeholders in it.',
    hint:
      name === ''
        ? 'Send what may change settings before it, as a text of its own.'
        : "SET client_encoding = 'UTF8' and send it in that.",
  })
}

/** Looks into the columns given by position; `refuse` makes the error of a placeholder there. */
export function createCopyInspector(options: {
  readonly copyIn: CopyIn
  readonly columns: readonly (InspectedColumn | null)[]
  readonly refuse: (position: number, where: string) => PosternError
}): CopyInspector {
  return new Inspector(options.copyIn.format.format === 'binary' ? tupleReader(options) : lineReader(options))
}

interface Row {
  readonly end: number
  /** `last`: nothing counts behind it. `over`: there must be nothing behind it. */
  readonly kind: 'row' | 'last' | 'over'
  /** Why it, or what follows it, may not go on. A row that PostgreSQL itself refuses goes on, so that it says why. */
  readonly refused: PosternError | null
  readonly passes: boolean
}

interface RowReader {
  next(data: Buffer, at: { readonly start: number; readonly from: number }): Row | null
  /** What is left when the data is over. */
  finish(data: Buffer): Row
}

class Inspector implements CopyInspector {
  readonly #reader: RowReader
  #kept: Buffer = Buffer.alloc(0)
  #keptBytes = 0
  #state: 'rows' | 'last' | 'over' = 'rows'

  constructor(reader: RowReader) {
    this.#reader = reader
  }

  take(data: Buffer): CopyPassage {
    if (this.#state === 'last' || data.length === 0) return nothing
    if (this.#state === 'over') return { passes: [data.subarray(0, 1)], refused: unreadable() }
    const from = this.#keptBytes
    const input = from === 0 ? data : this.#join(data)
    let start = 0
    let seen = from
    while (start < input.length && this.#state === 'rows') {
      const row = this.#reader.next(input, { start, from: seen })
      if (row === null) break
      if (row.refused !== null) return passage(input, row.passes ? row.end : start, row.refused)
      start = row.end
      seen = start
      if (row.kind !== 'row') this.#state = row.kind
    }
    if (this.#state === 'over' && start < input.length) return passage(input, start + 1, unreadable())
    if (this.#state === 'rows') this.#keep(input, start)
    else this.#keptBytes = 0
    return passage(input, start, this.#keptBytes > limits.copyRowBytesMax ? tooLong() : null)
  }

  end(): CopyPassage {
    if (this.#keptBytes === 0 || this.#state !== 'rows') return nothing
    const input = this.#kept.subarray(0, this.#keptBytes)
    const row = this.#reader.finish(input)
    return passage(input, row.passes ? row.end : 0, row.refused)
  }

  /** Puts a piece behind what was kept. The room doubles, so that a long row is not copied for each piece. */
  #join(data: Buffer): Buffer {
    const size = this.#keptBytes + data.length
    if (size > this.#kept.length) {
      const larger = Buffer.allocUnsafe(this.#keptBytes < data.length ? size : size * 2)
      this.#kept.copy(larger, 0, 0, this.#keptBytes)
      this.#kept = larger
    }
    data.copy(this.#kept, this.#keptBytes)
    return this.#kept.subarray(0, size)
  }

  /** Keeps what follows `start`. Of what went on nothing may change, so it moves elsewhere. */
  #keep(input: Buffer, start: number): void {
    const size = input.length - start
    if (size > 0 && (start > 0 || this.#keptBytes === 0)) {
      this.#kept = Buffer.allocUnsafe(size)
      input.copy(this.#kept, 0, start)
    }
    if (size === 0) this.#kept = Buffer.alloc(0)
    this.#keptBytes = size
  }
}

function lineReader({ copyIn, columns, refuse }: Parameters<typeof createCopyInspector>[0]): RowReader {
  const { format } = copyIn
  const plan: FieldPlan = {
    delimiter: format.delimiter.charCodeAt(0),
    quote: format.quote.charCodeAt(0),
    escape: format.escape.charCodeAt(0),
    null: Buffer.from(format.null),
    default: copyIn.default === null ? null : Buffer.from(copyIn.default),
    columns,
  }
  const lines = new LineFinder({ csv: format.format === 'csv' ? plan : null })
  const find = format.format === 'csv' ? findInCsv(plan) : findInText(plan)
  let isHeader = format.hasHeader
  const rowOf = (data: Buffer, line: NonNullable<ReturnType<LineFinder['next']>>, start: number): Row => {
    if (line.kind === 'broken') return { end: line.end, kind: 'row', passes: true, refused: unreadable() }
    // Nothing before an end marker is no row.
    const isRow = !isHeader && (line.kind === 'line' || line.contentEnd > start)
    const position = isRow ? find(data, { start, end: line.contentEnd }) : -1
    isHeader = false
    const refused = position < 0 ? null : refuse(position, `line ${String(lines.lineNumber)}`)
    return { end: line.end, kind: line.kind === 'last' ? 'last' : 'row', passes: position < 0, refused }
  }
  return {
    next(data, at) {
      const line = lines.next(data, at)
      return line === null ? null : rowOf(data, line, at.start)
    },
    finish: (data) => rowOf(data, lines.finish(data), 0),
  }
}

function tupleReader({ columns, refuse }: Parameters<typeof createCopyInspector>[0]): RowReader {
  const tuples = new TupleFinder(columns)
  return {
    next(data, { start }) {
      const found = tuples.next(data, start)
      if (found === null) return null
      const { end, kind, position } = found
      switch (kind) {
        case 'placeholder':
          return { end, kind: 'row', passes: false, refused: refuse(position, `row ${String(tuples.rowNumber)}`) }
        case 'long':
          return { end, kind: 'row', passes: false, refused: tooLong() }
        case 'broken':
          return { end, kind: 'row', passes: true, refused: unreadable() }
        case 'last':
          return { end, kind: 'over', passes: true, refused: null }
        case 'row':
          return { end, kind: 'row', passes: true, refused: null }
      }
    },
    // A tuple that has not come whole is PostgreSQL's to refuse.
    finish: (data) => ({ end: data.length, kind: 'row', passes: true, refused: null }),
  }
}

const nothing: CopyPassage = { passes: [], refused: null }

function passage(input: Buffer, end: number, refused: PosternError | null): CopyPassage {
  return end === 0 && refused === null ? nothing : { passes: end === 0 ? [] : [input.subarray(0, end)], refused }
}

/** PostgreSQL is given what it refuses, and says so itself; this is heard where it does not. */
function unreadable(): PosternError {
  return new PosternError('protocol_violation', 'COPY data is not what the statement says')
}

function tooLong(): PosternError {
  return new PosternError(
    'limit_exceeded',
    `a row of COPY into masked columns is longer than ${String(limits.copyRowBytesMax)} bytes`,
    { hint: 'Leave the masked columns out of the list of COPY, or send the large values by statements of their own.' },
  )
}
