/** Redaction: takes values out of texts before they are recorded. */
import { createRedactorWith } from './redactor.ts'
import type { Redactor } from './redactor.ts'

export { deriveKeys, loadOrCreateMaskingKey } from './key.ts'
export { redactParameters } from './redactor.ts'
export type { Redactor, StringReading } from './redactor.ts'

/** Makes a redactor; `key` decides the pseudonyms. */
export function createRedactor({ key }: { readonly key: Buffer }): Redactor {
  // No detectors are at hand, so that what should be screened is redacted.
  return createRedactorWith({ key, detect: null })
}
