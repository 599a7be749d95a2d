import { writeSync } from 'node:fs'
import { loadOrCreateSigningKey } from './key.ts'
import { appendStatement, openForTest } from './testing.ts'

// A process of its own that writes until it is killed and says on stdout which intents were acknowledged to it.
const [directory = '', durability = '', keyFile = ''] = process.argv.slice(2)
const journal = await openForTest(directory, {
  durability: durability === 'disk' ? 'disk' : 'process',
  signingKey: loadOrCreateSigningKey(keyFile),
  segmentBytes: 300_000,
  checkpointEntries: 500,
})

function writeSome(round: number): void {
  for (let session = 0; session < 8; session += 1) {
    const intent = appendStatement(journal, `SELECT ${'x'.repeat((round * 37) % 900)}`)
    journal.commit((error) => {
      if (error !== null) throw error
      writeSync(1, `${intent}\n`)
      if (session === 7) setImmediate(writeSome, round + 1)
    })
  }
}
writeSome(0)
