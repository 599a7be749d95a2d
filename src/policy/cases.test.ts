import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { parseCases } from './cases.ts'
import { policyReferenceFile } from './reference.ts'

const guide = new URL('../../docs/guide/policy.md', import.meta.url)

describe('a file of cases', () => {
  test('may be as the pages show it', () => {
    const pages = readFileSync(policyReferenceFile, 'utf8') + readFileSync(guide, 'utf8')
    const examples = [...pages.matchAll(/```yml\n([^]*?)```/gu)].map(([, text]) => text ?? '')
    assert.equal(examples.length, 2)
    for (const text of examples) {
      const whole = text.startsWith('  - ') ? `cases:\n${text}` : text
      assert.equal(parseCases(whole, 'page').cases.length, 1)
    }
  })

  test('is read with what it leaves out', () => {
    const text = 'cases: [{ name: n, principal: { name: a }, database: d, expect: deny }]'
    const [only] = parseCases(text, 'f').cases
    assert.deepEqual(only?.principal, {
      name: 'a',
      kind: 'human',
      issuer: '',
      subject: 'a',
      groups: [],
      accessRoles: [],
      actors: [],
      authenticationMethods: [],
    })
    assert.deepEqual(only.expected, { decision: 'deny', policies: null, approvers: null, masked: null })
    assert.deepEqual([only.statement, only.timeMs, only.searchPath, only.session.isTls], [null, null, null, true])
  })

  test('is refused with every fault and its line', () => {
    const text = 'cases:\n  - name: n\n    expct: deny\n  - { name: 3, principal: [], expect: perhaps }\n'
    assert.throws(
      () => parseCases(text, 'f.yaml'),
      (error) =>
        error instanceof PosternError &&
        error.code === 'input_invalid' &&
        error.message === 'f.yaml cannot be used: line 3: a case has the key `expct`, which is not known' &&
        error.hint === 'Did you mean `expect`?' &&
        /line 4: `name` must be a text\n[^]*line 4: `principal` must be a group of keys/u.test(error.detail ?? ''),
    )
    assert.throws(() => parseCases('cases: []', 'f'), /line 1: `cases` is empty/u)
    assert.throws(() => parseCases('- 1', 'f'), /line 1: the file must be a group of keys/u)
    assert.throws(() => parseCases('', 'f'), /`cases` is empty/u)
  })
})
