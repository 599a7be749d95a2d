import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnalysisCache } from './analysis-cache.ts'
import { analyzeText } from './golden.ts'

void test('the cache stays within its bytes and keeps what is used', () => {
  const cache = new AnalysisCache(100_000)
  const used = analyzeText('SELECT * FROM used')
  cache.set('SELECT * FROM used', used)
  for (let i = 0; i < 1_000; i += 1) {
    const sql = `SELECT * FROM t WHERE i = ${i}`
    cache.set(sql, analyzeText(sql))
    assert.equal(cache.get('SELECT * FROM used'), used)
  }
  assert.ok(cache.size > 50 && cache.size < 250, `${cache.size} texts`)
  assert.equal(cache.get('SELECT * FROM t WHERE i = 1'), undefined)
  assert.notEqual(cache.get('SELECT * FROM t WHERE i = 999'), undefined)
})

void test('what an analysis takes counts, not its text alone, and one that is too large is not kept', () => {
  const cache = new AnalysisCache(100_000)
  const sql = 'END;'.repeat(1_000)
  cache.set(sql, analyzeText(sql))
  assert.equal(cache.get(sql), undefined)
})
