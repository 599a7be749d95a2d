import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadOrCreateSigningKey, publicKeyFileOf } from '../audit/key.ts'
import { segmentName } from '../audit/segments.ts'
import { withDirectory, writeJournal } from '../audit/testing.ts'

interface Run {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** Runs `postern audit ...` in a process of its own, with a configuration that names `directory`. */
function audit(directory: string, args: readonly string[]): Run {
  const program = `
    import { auditCommand } from './audit.ts'
    const command = auditCommand({
      resolveJournalDirectory: () => ${JSON.stringify(directory)},
      resolvePublicKeyFile: () => ${JSON.stringify(publicKeyFileOf(keyFileOf(directory)))},
    })
    try { await command.parseAsync(process.argv.slice(1), { from: 'user' }) }
    catch (error) { console.error(error.message); console.error(error.hint); process.exitCode = 2 }
  `
  const result = spawnSync(process.execPath, ['--input-type=module', '--eval', program, '--', ...args], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  return { status: result.status, out: result.stdout, err: result.stderr }
}

const keyFileOf = (directory: string): string => `${directory}.key`

async function withExample(use: (directory: string) => void): Promise<void> {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 5, { signingKey: loadOrCreateSigningKey(keyFileOf(directory)) })
    use(directory)
  })
}

void test('verify says what it proved and ends with 0; a changed entry is named and ends with 1', async () => {
  await withExample((directory) => {
    const intact = audit(directory, ['verify'])
    assert.equal(intact.status, 0, intact.err)
    assert.match(intact.out, /intact: 11 entries in 1 segment, up to entry 11\.\n1 signature is valid\./)
    const anchor = /--anchor (\S+)/.exec(intact.out)?.[1] ?? ''
    assert.equal(audit(directory, ['verify', '--anchor', anchor]).status, 0)
    const unchecked = audit(directory, ['verify', '--journal', directory])
    assert.match(unchecked.out, /1 signature was NOT checked/)

    const path = join(directory, segmentName(1))
    writeFileSync(path, readFileSync(path, 'utf8').replace('SELECT 2', 'SELECT 7'))
    const altered = audit(directory, ['verify'])
    assert.equal(altered.status, 1)
    assert.match(altered.out, /NOT intact \(altered\): journal-0000000000000001\.jsonl, line 5, entry 5:/)
    assert.match(altered.out, /Everything up to entry 4 fits the chain/)
    const report = JSON.parse(audit(directory, ['verify', '--json']).out) as { problem: { kind: string } }
    assert.equal(report.problem.kind, 'altered')
  })
})

void test('search prints aligned lines for people and entries for programs', async () => {
  await withExample((directory) => {
    const { out } = audit(directory, ['search', '--text', 'select 3'])
    assert.match(out, /^time .*statement\n\S+Z .*SELECT +completed +1 +SELECT 3\n$/)
    const json = audit(directory, ['search', '--type', 'intent', '--limit', '2', '--oldest-first', '--json']).out
    const entries = json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number })
    assert.deepEqual(
      entries.map(({ seq }) => seq),
      [1, 2, 3, 4],
    )
    assert.match(
      audit(directory, ['search', '--since', '1h', '--principal', 'nobody']).err,
      /Nothing in the journal matches/,
    )
  })
})

void test('a reader that has seen enough may close the pipe', async () => {
  await withDirectory(async (directory) => {
    await writeJournal(directory, 3_000, { signingKey: loadOrCreateSigningKey(keyFileOf(directory)) })
    const program =
      "import { auditCommand } from './audit.ts'; await auditCommand({ resolveJournalDirectory: () => '' }).parseAsync(process.argv.slice(1), { from: 'user' })"
    const command = '"$0" --input-type=module --eval "$1" -- search --limit 6000 --json --journal "$2" | head -n 1'
    const result = spawnSync('sh', ['-c', command, process.execPath, program, directory], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    assert.equal(result.stderr, '')
    assert.equal(result.stdout.split('\n').length, 2)
  })
})

void test('tail without following prints the latest in the order they happened', async () => {
  await withExample((directory) => {
    const { out } = audit(directory, ['tail', '--no-follow', '-n', '2', '--type', 'intent'])
    assert.match(out, /SELECT 3\n.*SELECT 4\n$/)
  })
})

void test('what cannot be read is said with what to give instead', async () => {
  await withExample((directory) => {
    const wrong = [
      ['search', '--since', 'yesterday'],
      ['search', '--limit', 'many'],
      ['verify', '--anchor', '12'],
      ['verify', '--public-key', join(directory, segmentName(1))],
      ['verify', '--journal', `${directory}-absent`],
      ['tail', '--no-follow', '--journal', `${directory}-absent`],
    ]
    for (const args of wrong) {
      const { status, err } = audit(directory, args)
      assert.equal(status, 2, args.join(' '))
      assert.doesNotMatch(err, /undefined/, args.join(' '))
    }
  })
})
