import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStatementText, unsettledReason } from './lexing.ts'

const settled = { clientEncoding: 'UTF8', serverEncoding: 'UTF8', areStringsStandard: true, isSettled: true }

test('plain ASCII without a backslash is certain under every setting', () => {
  const text = Buffer.from("SELECT 'it''s' /* fine */")
  for (const clientEncoding of ['UTF8', 'SJIS', 'SQL_ASCII', 'LATIN1']) {
    for (const areStringsStandard of [true, false]) {
      for (const isSettled of [true, false]) {
        const read = readStatementText(text, { ...settled, clientEncoding, areStringsStandard, isSettled })
        assert.deepEqual(read, { sql: text.toString(), uncertain: null })
      }
    }
  }
})

test('UTF-8 is read as such while client_encoding is UTF8, however the name is written', () => {
  for (const clientEncoding of ['UTF8', 'utf-8', 'Unicode']) {
    const read = readStatementText(Buffer.from("SELECT 'Zürich'"), { ...settled, clientEncoding })
    assert.deepEqual(read, { sql: "SELECT 'Zürich'", uncertain: null })
  }
})

test('a backslash that may hide a quote makes a text uncertain', () => {
  const text = Buffer.from(String.raw`SELECT '\'; DROP TABLE t; --'`)
  assert.equal(readStatementText(text, settled).uncertain, null)
  assert.match(
    readStatementText(text, { ...settled, areStringsStandard: false }).uncertain ?? '',
    /standard_conforming/,
  )
  assert.equal(readStatementText(text, { ...settled, isSettled: false }).uncertain, unsettledReason)
})

test('a character that may swallow a quote makes a text uncertain', () => {
  const text = Buffer.from("SELECT 'ア'", 'utf8')
  for (const clientEncoding of ['SJIS', 'GBK', 'BIG5', 'LATIN1', 'SQL_ASCII']) {
    assert.match(readStatementText(text, { ...settled, clientEncoding }).uncertain ?? '', /client_encoding/)
  }
  assert.equal(readStatementText(text, { ...settled, isSettled: false }).uncertain, unsettledReason)
})

test('a text that may hold a name beyond ASCII is uncertain where the database is not UTF8', () => {
  const latin = { ...settled, serverEncoding: 'LATIN1' }
  for (const sql of ['EXECUTE "é"', "SELECT U&'!00e9' UESCAPE '!'", 'EXECUTE u&"!00e9" UESCAPE \'!\'']) {
    assert.match(readStatementText(Buffer.from(sql), latin).uncertain ?? '', /LATIN1/, sql)
  }
  assert.equal(readStatementText(Buffer.from("SELECT 'plain'"), latin).uncertain, null)
})

test('bytes that are not UTF-8 are never read as if they were: two texts must not look the same', () => {
  const read = readStatementText(Buffer.from([0x53, 0x45, 0xff, 0xfe]), settled)
  assert.match(read.uncertain ?? '', /not valid UTF-8/)
  assert.equal(read.sql, 'SEÿþ')
})
