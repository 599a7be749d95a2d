import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { loadPolicySet, parsePolicies } from './load.ts'
import { sourceLimits } from './source.ts'
import { policySetOf } from './testing.ts'

/** What parsing the files says: message, detail and hint in one text. */
function refusal(files: Record<string, string>): string {
  try {
    const named = Object.entries(files).map(([name, text]) => ({ name, text }))
    parsePolicies({ directory: 'policies', files: named, hash: '' })
  } catch (error) {
    assert.ok(error instanceof PosternError, String(error))
    assert.equal(error.code, 'policy_invalid')
    return [error.message, error.detail, error.hint].filter((text) => text !== undefined).join('\n')
  }
  return assert.fail('this set should have been refused')
}

const good = 'permit (principal, action == Action::"connect", resource);\n'

describe('a policy set that cannot be used is refused as a whole and', () => {
  const cases: readonly (readonly [what: string, text: string, expected: RegExp])[] = [
    [
      'names the line and column of a syntax error',
      `${good}// é: two bytes\npermit (principal, action == Action::"connect" resource);`,
      /a\.cedar line 3 column 48: unexpected token `resource`/u,
    ],
    [
      'names a misspelled action and the one that was meant',
      `@id("x")\nforbid (principal, action == Action::"DROP DATABSE", resource);`,
      /line 2 column 30: policy "x": unrecognized action.*\nDid you mean `Action::"DROP DATABASE"`\?/u,
    ],
    [
      'names a misspelled fact',
      `@id("x") forbid (principal, action == Action::"DELETE", resource)\nwhen { "é" == "é" && context.statement.hasWere };`,
      /line 2 column 22: policy "x": attribute `statement\.hasWere`.*\nDid you mean `hasWhere`\?/u,
    ],
    [
      'refuses a label that may be absent',
      'permit (principal, action, resource) when { resource.getTag("env") == "test" };',
      /unable to guarantee safety of access to tag[^]*hasTag/u,
    ],
    [
      'refuses a policy that can never match',
      '@id("x") forbid (principal, action == Action::"connect", resource in Schema::"shop.public");',
      /line 1 column 1: policy "x": unable to find an applicable action/u,
    ],
    [
      'refuses a relation whose id can match nothing',
      `${good}@id("x") forbid (principal, action, resource == Relation::"orders");`,
      /line 2 column 1: policy "x": Relation::"orders" can match nothing\nWrite Relation::"database\.schema\.relation"/u,
    ],
    [
      'refuses an id with needless or missing quotes',
      '@id("x") forbid (principal, action, resource in Schema::"shop.a b");',
      /Schema::"shop\.a b" can match nothing/u,
    ],
    [
      'wants an @id on a forbid',
      `${good}\n\nforbid (principal, action, resource);`,
      /line 4 column 1: a forbid needs an @id/u,
    ],
    ['refuses an empty @id', '@id(" ") permit (principal, action, resource);', /needs an @id of 1 to 200/u],
    [
      'names both places of one @id',
      `@id("x") ${good}@id("x")\n${good}`,
      /a\.cedar line 2 column 1: the @id "x" is taken by a\.cedar line 1/u,
    ],
    ['refuses @approvers on a permit', `@approvers("dba") ${good}`, /@approvers of policy "a\.cedar:1" says nothing/u],
    [
      'refuses @approvers that name nobody',
      '@id("x") @approvers("dba,") forbid (principal, action, resource);',
      /@approvers of policy "x" says nothing/u,
    ],
    [
      'refuses a number of approvals that is none, or more than nine',
      '@id("x") @approvers("dba") @approvals("0") forbid (principal, action, resource);',
      /@approvals of policy "x" says nothing\n.*1 to 9/u,
    ],
    [
      'refuses a number of approvals in words',
      '@id("x") @approvers("dba") @approvals("two") forbid (principal, action, resource);',
      /@approvals of policy "x" says nothing/u,
    ],
    [
      'refuses a number of approvals where nobody may approve',
      '@id("x") @approvals("2") forbid (principal, action, resource);',
      /@approvals of policy "x" says nothing\nIt stands beside @approvers/u,
    ],
    ['refuses approvals of a permit', `@approvals("2") ${good}`, /@approvals of policy "a\.cedar:1" says nothing/u],
    [
      'refuses a validity that is no duration',
      '@id("x") @approvers("dba") @approval_good_for("soon") forbid (principal, action, resource);',
      /@approval_good_for of policy "x" says nothing/u,
    ],
    [
      'refuses a validity of nothing',
      '@id("x") @approvers("dba") @approval_good_for("0s") forbid (principal, action, resource);',
      /@approval_good_for of policy "x" says nothing/u,
    ],
    [
      'refuses a validity of more than a day',
      '@id("x") @approvers("dba") @approval_good_for("1d1s") forbid (principal, action, resource);',
      /@approval_good_for of policy "x" says nothing\n.*1s to 1d/u,
    ],
    [
      'refuses a validity where nobody may approve',
      '@id("x") @approval_good_for("5m") forbid (principal, action, resource);',
      /@approval_good_for of policy "x" says nothing\nIt stands beside @approvers/u,
    ],
    [
      'refuses a misspelled number of approvals',
      '@id("x") @approvers("dba") @aprovals("2") forbid (principal, action, resource);',
      /@aprovals is no annotation[^]*Did you mean @approvals\?/u,
    ],
    ['refuses a misspelled annotation', `@advise("x") ${good}`, /@advise is no annotation[^]*Did you mean @advice\?/u],
    ['refuses a template', 'permit (principal in ?principal, action, resource);', /template/u],
    ['refuses what follows the last semicolon', `${good}permit (principal, action`, /line 2/u],
    [
      'refuses nesting that would break the parser, before parsing it',
      `${good}permit (principal, action, resource) when { ${'('.repeat(5_000)}true${')'.repeat(5_000)} };`,
      /line 2 column 76: a policy is refused before it is parsed: brackets are nested more than 32 deep/u,
    ],
    [
      'refuses a chain that would break the parser, before parsing it',
      `permit (principal, action, resource) when { ${Array(5_000).fill('true').join(' && ')} };`,
      /more than 1000 operators/u,
    ],
    [
      'refuses nested conditions that would break the parser, before parsing them',
      `permit (principal, action, resource) when { ${'if true then true else '.repeat(1_000)} true };`,
      /more than 32 if-then-else/u,
    ],
    [
      'refuses a policy of unreasonable length',
      `permit (principal, action, resource) when { "${'x'.repeat(70_000)}" == "" };`,
      /longer than/u,
    ],
    ['refuses a set without policies', '// none yet\n', /it holds no policy/u],
  ]
  for (const [what, text, expected] of cases) {
    test(what, () => {
      assert.match(refusal({ 'a.cedar': text }), expected)
    })
  }

  test('tells every error, by file', () => {
    const said = refusal({
      'a.cedar': 'permit (principal, oops);',
      'b.cedar': good,
      'c.cedar': '\nforbid (principal, action, resource);',
    })
    assert.match(said, /cannot be used: a\.cedar line 1 [^]*Also:\nc\.cedar line 2 column 1/u)
  })

  test('says which folder cannot be read', async () => {
    await assert.rejects(
      loadPolicySet('/nonexistent/policies'),
      /the policies in \/nonexistent\/policies cannot be read/u,
    )
  })

  test('leaves the module that decides whole', () => {
    const deep = `permit (principal, action, resource) when { ${'['.repeat(31)}${']'.repeat(31)} == [] };`
    assert.throws(() => policySetOf(deep), PosternError)
    assert.equal(policySetOf(good).policies.length, 1)
  })
})

describe('a policy set that can be used', () => {
  test('may go as deep as the limits say', () => {
    const { nesting, ifs, operators } = sourceLimits
    const brackets = `${'('.repeat(nesting - 1)}true${')'.repeat(nesting - 1)}`
    const chain = Array(operators - 10)
      .fill('true')
      .join(' && ')
    const text = `permit (principal, action == Action::"connect", resource) when { ${'if true then true else '.repeat(ifs)}${brackets} };
      permit (principal, action == Action::"connect", resource) when { ${chain} };`
    assert.equal(policySetOf(text).policies.length, 2)
  })

  test('keeps what strings and comments hold apart from the end of a policy', () => {
    const text = `// a; comment with "quotes
      @id("a;b") @advice("say \\"please; really\\" // not a comment")
      forbid (principal, action == Action::"connect", resource) when { context.session.applicationName == ";" };`
    const { policies } = policySetOf(text)
    assert.deepEqual(
      policies.map(({ id, advice, line }) => ({ id, advice, line })),
      [{ id: 'a;b', advice: 'say "please; really" // not a comment', line: 2 }],
    )
  })

  test('reads the approvers of a forbid', () => {
    const text = '@id("x") @approvers("dba, security") forbid (principal, action, resource);'
    assert.deepEqual(policySetOf(text).policies[0]?.approvers, ['dba', 'security'])
  })

  test('asks for one approval that counts for a quarter of an hour, unless it says more', () => {
    const text = `@id("x") @approvers("dba, dba") forbid (principal, action, resource);
      @id("y") @approvers("dba") @approvals("9") @approval_good_for("1h30m") forbid (principal, action, resource);
      @id("z") forbid (principal, action, resource);`
    assert.deepEqual(
      policySetOf(text).policies.map(({ approvers, approvals, approvalGoodForMs }) => [
        approvers,
        approvals,
        approvalGoodForMs,
      ]),
      [
        [['dba'], 1, 900_000],
        [['dba'], 9, 5_400_000],
        [[], 1, 900_000],
      ],
    )
  })

  test('may say odd things, which are passed on as warnings', () => {
    const text = 'permit (principal in Group::"dbа", action, resource);'
    assert.match(policySetOf(text).warnings.join(), /mixed scripts/u)
  })

  test('is larger than its bounds in no way', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-policy-'))
    try {
      await writeFile(join(directory, 'a.cedar'), good + ' '.repeat(5 * 1024 * 1024))
      await assert.rejects(loadPolicySet(directory), /more than 4194304/u)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
