import type { ColumnKey } from '../core/catalog.ts'
import { PosternError } from '../core/errors.ts'
import type { CopyIn } from '../core/lineage.ts'
import { decodeCopyResponse } from '../wire/backend.ts'
import type { Execution } from './operations.ts'
import type { Protected } from './protection.ts'
import type { CopyInspector, ProtectedSchema, Protects } from './services.ts'

/** What copies data in, and what of the session it depends on. */
export type InspectsCopies = Pick<Protects, 'copyInFault' | 'inspectCopy'>

/** Why a COPY FROM STDIN may not begin: its data would have to be looked into, and cannot be. */
export function copyInRefusal(
  protection: Pick<Protected, 'lineage' | 'isMasked'>,
  protects: InspectsCopies,
  clientEncoding: string,
): PosternError | null {
  const { copyIn } = protection.lineage
  if (copyIn === null || !hasMasked(copyIn, protection)) return null
  return protects.copyInFault(copyIn, clientEncoding)
}

/**
 * What looks for placeholders in the data that PostgreSQL has just asked for; null where it goes on as it is. What
 * PostgreSQL expects and the lineage does not is refused as soon as any comes.
 */
export function inspectorOf(
  { protection }: Execution,
  response: Buffer,
  by: { readonly protects: InspectsCopies; readonly clientEncoding: string },
): CopyInspector | null {
  if (protection === null) return null
  const { schema, lineage, isMasked } = protection
  const { copyIn } = lineage
  if (copyIn === null || !hasMasked(copyIn, protection)) return null
  const { format, columnFormats } = decodeCopyResponse(response)
  const isExpected = (format === 1) === (copyIn.format.format === 'binary')
  if (!isExpected || columnFormats.length !== copyIn.columns.length) return refusing(changedMeanwhile())
  return by.protects.inspectCopy({
    schema,
    copyIn,
    clientEncoding: by.clientEncoding,
    isMasked: (column) => isMasked(new Set([column])),
    refuse: (column, where) => placeholderWritten(shown(column, schema), where),
  })
}

/** The refusal of a value that is what masking put in the place of another; `where` it stands in the data of COPY. */
export function placeholderWritten(column: string, where: string | null): PosternError {
  const value = where === null ? `the value for ${column}` : `the value for ${column} in ${where}`
  return new PosternError('placeholder_written', `${value} is the placeholder of a value that you may not see`, {
    detail: 'Writing it back would destroy the real value.',
    hint:
      where === null
        ? 'Leave the column out of the statement, or give it a value of its own.'
        : 'Leave the column out of the list of COPY and of the data, or give it values of its own.',
  })
}

/** A classified column by its name. */
export function shown(key: ColumnKey, schema: ProtectedSchema): string {
  const column = schema.columns.get(key)
  return column === undefined ? 'a classified column' : `${column.schema}.${column.relation}.${column.column}`
}

function hasMasked({ columns }: CopyIn, { isMasked }: Pick<Protected, 'isMasked'>): boolean {
  return columns.some((column) => column !== null && isMasked(new Set([column.key])))
}

function refusing(refused: PosternError): CopyInspector {
  return { take: () => ({ passes: [], refused }), end: () => ({ passes: [], refused }) }
}

function changedMeanwhile(): PosternError {
  return new PosternError('masking_refused', 'the columns of COPY have changed since it was decided about', {
    hint: 'Send it again.',
  })
}
