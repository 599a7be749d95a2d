import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanLineage, type CopyIn } from '../core/lineage.ts'
import { inspectorOf } from './copy-in.ts'
import type { Execution } from './operations.ts'
import type { CopyInspector } from './services.ts'

const copyIn: CopyIn = {
  relation: 1,
  columns: [null, { key: '1.2', forcesNull: false, forcesNotNull: false }],
  format: {
    format: 'text',
    hasHeader: false,
    delimiter: '\t',
    quote: '"',
    escape: '"',
    null: '\\N',
    isUncertain: false,
  },
  default: null,
  encoding: null,
}
const looking: CopyInspector = {
  take: () => ({ passes: [], refused: null }),
  end: () => ({ passes: [], refused: null }),
}

function begun(response: readonly number[], isMasked = true): CopyInspector | null {
  const protection = { lineage: { ...cleanLineage, copyIn }, isMasked: () => isMasked, schema: { columns: new Map() } }
  return inspectorOf({ protection } as unknown as Execution, Buffer.from(response), {
    protects: { copyInFault: () => null, inspectCopy: () => looking },
    clientEncoding: 'UTF8',
  })
}

const text = (columns: number): number[] => [0, 0, columns, ...Array.from({ length: columns * 2 }, () => 0)]

test('the data of a COPY is looked into where a column of it is masked', () => {
  assert.equal(begun(text(2)), looking)
  assert.equal(begun(text(2), false), null)
})

test('columns or a format that the statement was not decided by are refused before any data goes on', () => {
  for (const response of [text(3), text(1), [1, 0, 2, 0, 1, 0, 1]]) {
    const inspector = begun(response)
    assert.equal(inspector?.take(Buffer.from('1\ta\n')).refused?.code, 'masking_refused')
    assert.equal(inspector.end().refused?.code, 'masking_refused')
  }
})
