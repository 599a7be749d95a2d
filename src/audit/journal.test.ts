import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { newGatewayId } from '../core/ids.ts'
import { openJournal, type Journal, type JournalOptions } from './journal.ts'

const { privateKey } = generateKeyPairSync('ed25519')

async function withJournal(
  options: Partial<JournalOptions>,
  use: (journal: Journal, directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-journal-'))
  try {
    const journal = await openJournal({
      directory,
      durability: 'process',
      signingKey: privateKey,
      gatewayId: newGatewayId(),
      ...options,
    })
    await use(journal, directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const recorded = (journal: Journal) => new Promise((resolve) => journal.commit(resolve))

for (const durability of ['process', 'disk'] as const) {
  void test(`every line carries the hash of the line before it (${durability})`, async () => {
    await withJournal({ durability }, async (journal, directory) => {
      for (let i = 0; i < 50; i += 1) {
        journal.append('intent', `"sql":"é${i}"`, Buffer.from('"session":"s_1"'))
        if (i % 3 === 0) assert.equal(await recorded(journal), null)
      }
      await journal.close()
      const [name] = readdirSync(directory)
      assert.equal(name, 'journal-0000000000000001.jsonl')
      const lines = readFileSync(join(directory, name ?? ''), 'utf8')
        .split('\n')
        .slice(0, -1)
      assert.equal(lines.length, 51)
      let prev = 'A'.repeat(43)
      for (const [index, line] of lines.entries()) {
        const entry = JSON.parse(line) as { seq: number; prev: string; type: string }
        assert.equal(entry.seq, index + 1)
        assert.equal(entry.prev, prev)
        prev = createHash('sha256').update(`${line}\n`).digest('base64url')
      }
    })
  })
}
