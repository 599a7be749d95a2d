import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { configReference, configReferenceFile } from './reference.ts'

test('the reference page of postern.yaml is up to date (else run: node src/config/reference.ts)', () => {
  const page = readFileSync(configReferenceFile, 'utf8')
  assert.equal(page, configReference())
})

test('the reference page describes every key', () => {
  for (const line of configReference().split('\n')) assert.doesNotMatch(line, /^\| `.*\|\s*\|$/u, line)
})
