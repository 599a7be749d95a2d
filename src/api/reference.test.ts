import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { apiReference, apiReferenceFiles, openApiText } from './reference.ts'

test('the reference of the HTTP API is up to date (else run: node src/api/reference.ts)', () => {
  assert.equal(readFileSync(apiReferenceFiles.page, 'utf8'), apiReference())
  assert.equal(readFileSync(apiReferenceFiles.document, 'utf8'), openApiText())
})
