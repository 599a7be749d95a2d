import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { createParser } from '../../src/sql/parser.ts'
import type { Parser } from '../../src/sql/parser.ts'
import { seeded } from '../support/transcript.ts'
import { attempt, Counts, described, hasAny, tracer } from './attempt.ts'
import { Choices, replayed, shrink } from './choices.ts'
import { makeDatabase } from './databases.ts'

/*
 * Random statements over random databases in which every classified value is known, run for real. What lineage calls
 * clean must show none of them, in whole or in part, and must stay the same when they change. POSTERN_FUZZ_S is how
 * long this may take (8 s by default) and POSTERN_FUZZ_SEED where it begins; a failure names the seed that repeats it.
 */

const budgetMs = Number(process.env['POSTERN_FUZZ_S'] ?? '8') * 1_000
const firstSeed = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
const statementsPerDatabase = 250
const shrinkTries = 300
const findingsShown = Number(process.env['POSTERN_FUZZ_FINDINGS'] ?? '1')

let postgres: SandboxPostgres
let parser: Parser
before(async () => {
  // Statistics that come in between would change plans and with them the order of rows.
  postgres = await startPostgres({ settings: { autovacuum: 'off' } })
  parser = await createParser({
    onFault(fault) {
      throw fault
    },
  })
})
after(async () => {
  await postgres.stop()
})

test('no output that lineage calls clean shows a classified value or changes with one', async (context) => {
  const endMs = Date.now() + budgetMs
  const counts = new Counts()
  const failures: string[] = []
  const cache = { system: null }
  for (let seed = firstSeed; Date.now() < endMs && failures.length < findingsShown; seed += 1) {
    const random = seeded(seed)
    const database = await makeDatabase(postgres, { name: `w${seed}`, choices: new Choices(random), random, cache })
    try {
      const trace = tracer(database, parser)
      for (let left = statementsPerDatabase; left > 0 && Date.now() < endMs; left -= 1) {
        const choices = new Choices(random)
        const tried = await attempt(choices, database, trace)
        counts.add(tried)
        const kinds = new Set(tried.verdict?.findings.map(({ kind }) => kind))
        // Which of several rows DISTINCT ON leaves is up to the plan, and so is what follows from it.
        if (tried.sql.includes('DISTINCT ON')) kinds.delete('dependence')
        if (kinds.size === 0) continue
        const least = await shrink(
          choices.made,
          async (numbers) => hasAny(await attempt(replayed(numbers), database, trace), kinds),
          shrinkTries,
        )
        const again = await attempt(replayed(least), database, trace)
        // What does not come back was the order of rows or the time.
        if (hasAny(again, kinds)) failures.push(described(again, database, seed))
        if (failures.length >= findingsShown) break
      }
    } finally {
      await database.drop()
    }
  }
  counts.report(context, firstSeed)
  assert.equal(failures.length, 0, failures.join('\n\n'))
  assert.ok(counts.discardRate < 0.2, 'most statements have to be valid')
  assert.ok(counts.overMaskedRate < 0.6, 'masking nearly everything is no lineage')
})
