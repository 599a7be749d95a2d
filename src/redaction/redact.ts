/** Redaction: takes values out of texts before they are recorded. */
import { redactDetected } from '../detection/detect.ts'
import { createRedactorWith } from './redactor.ts'
import type { Redactor } from './redactor.ts'

export { deriveKeys, loadOrCreateMaskingKey } from './key.ts'
export { redactParameters } from './redactor.ts'
export type { Redactor } from './redactor.ts'

/** Makes a redactor; `key` decides the pseudonyms. */
export function createRedactor({ key }: { readonly key: Buffer }): Redactor {
  return createRedactorWith({ key, detect: redactDetected })
}
