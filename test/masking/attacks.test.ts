import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { backend } from '../../src/wire/backend.ts'
import type { Attack } from './attack.ts'
import { allAttacks } from './attacks/all.ts'
import { isLeak, type Outcome, reproduction, runCampaign, selectAttacks, summarise } from './campaign.ts'
import { CanarySearch } from './canaries.ts'
import { startStand, type Stand } from './stand.ts'
import { typedStatements } from './typed.ts'

/*
 * Attempts to get classified values out, each made past the gateway first, where it has to succeed, and then through it
 * by somebody who may not unmask anything. POSTERN_ATTACKS=all makes every one in every protocol with and without the
 * rights that policy could hold back; POSTERN_ATTACKS='cursors: ' makes those of one family.
 */

const attacks: readonly Attack[] = selectAttacks(allAttacks, process.env['POSTERN_ATTACKS'])
let stand: Stand
let outcomes: readonly Outcome[] = []

before(async () => {
  stand = await startStand()
})

after(async () => {
  await stand.stop()
})

test('past the gateway every attack shows a canary, or says why not', { timeout: 600_000 }, async (t) => {
  const tried = [
    ...new Map(attacks.map((attack) => [`${attack.family}${attack.name}${attack.protocol}`, attack])).values(),
  ]
  const direct = await runCampaign(stand, tried, 'direct')
  t.diagnostic(
    `${String(direct.length)} attacks, ${String(direct.filter(isLeak).length)} of them work without a gateway`,
  )
  const idle = direct.filter((outcome) => !isLeak(outcome) && outcome.attack.harmless === undefined)
  assert.deepEqual(idle.map(reproduction), [])
})

test('through the gateway no attack shows a canary', { timeout: 600_000 }, async (t) => {
  outcomes = await runCampaign(stand, attacks, 'gateway')
  for (const line of summarise(outcomes).split('\n')) t.diagnostic(line)
  const stated = outcomes.filter(({ attack }) => attack.expectation !== 'no canary' && attack.family !== 'inference')
  for (const outcome of stated)
    t.diagnostic(`stated: ${outcome.attack.name}: ${isLeak(outcome) ? 'shown' : 'not shown'}`)
  const leaks = outcomes.filter((outcome) => isLeak(outcome) && outcome.attack.expectation === 'no canary')
  assert.deepEqual(leaks.map(reproduction), [])
  const broken = outcomes.filter(({ answer }) => answer.broken !== null)
  assert.deepEqual(broken.map(reproduction), [])
})

test('questions about values are answered, and each says what it tells', () => {
  const asked = outcomes.filter(({ attack }) => attack.family === 'inference')
  assert.ok(asked.every(({ attack }) => attack.expectation !== 'no canary'))
  assert.deepEqual(asked.filter(isLeak).map(reproduction), [])
})

test('the journal shows no canary, neither of the attacks nor of what somebody typed who may see it all', async () => {
  const [row] = await stand.query('SELECT email, full_name, balance::text FROM customers WHERE id = 2')
  const values = { email: String(row?.['email']), name: String(row?.['full_name']), salary: String(row?.['balance']) }
  const client = await stand.logIn('dana@example.com')
  for (const [, messages, readyCount] of typedStatements(values)) {
    client.send(...messages)
    await client.until(backend.ReadyForQuery, readyCount)
  }
  client.close()
  const journal = await stand.journal()
  const search = new CanarySearch(stand.world.canaries)
  const lines = journal.toString('latin1').split('\n')
  // A hundred at a time is faster; where there is something it is looked at line by line.
  const parts = Array.from({ length: Math.ceil(lines.length / 100) }, (_, at) => lines.slice(at * 100, at * 100 + 100))
  const shown = parts
    .filter((part) => search.find(oneText(part.join('\n'))).length > 0)
    .flatMap((part) => part.filter((line) => search.find(oneText(line)).length > 0))
  assert.deepEqual(
    shown.map((line) => line.slice(-600)),
    [],
  )
})

const oneText = (text: string) => ({ bytes: Buffer.from(text, 'latin1'), results: [], reports: [], decoded: '' })
const oneColumn = (values: readonly string[]) => ({
  bytes: Buffer.alloc(0),
  results: [values.map((value) => [Buffer.from(value, 'latin1')])],
  reports: [],
  decoded: '',
})

const word = 'q7hmz2kd9xwpt4vc'
const letters = word.split('')
const bits = letters.flatMap((letter) => letter.charCodeAt(0).toString(2).padStart(8, '0').split(''))
const number = (value: number, size: number): string => {
  const bytes = Buffer.alloc(size)
  bytes.writeUIntBE(value, Math.max(0, size - 6), Math.min(6, size))
  return bytes.toString('latin1')
}

const planted: readonly (readonly [name: string, haystack: Parameters<CanarySearch['find']>[0]])[] = [
  ['as it is', oneText(`abc ${word} def`)],
  ['in part', oneText(`abc ${word.slice(3, 12)} def`)],
  ['in capitals', oneText(word.toUpperCase())],
  ['backwards', oneText(letters.toReversed().join(''))],
  ['in hexadecimal', oneText(`\\x${Buffer.from(word).toString('hex')}`)],
  ['in base64', oneText(`x ${Buffer.from(`a${word}`).toString('base64')}`)],
  ['in a URL', oneText(letters.map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''))],
  ['in escapes', oneText(letters.map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join(''))],
  ['in octal', oneText(letters.map((letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`).join(''))],
  ['in UTF-16', oneText(Buffer.from(word, 'utf16le').toString('latin1'))],
  ['with something between', oneText(letters.join(', '))],
  ['over rows', oneColumn(letters)],
  ['over rows backwards', oneColumn(letters.toReversed())],
  ['as numbers over rows', oneColumn(letters.map((letter) => String(letter.charCodeAt(0))))],
  ['as numbers in binary', oneColumn(letters.map((letter) => number(letter.charCodeAt(0), 4)))],
  ['as hexadecimal numbers over rows', oneColumn(letters.map((letter) => letter.charCodeAt(0).toString(16)))],
  ['bit by bit', oneColumn(bits)],
  ['bit by bit in binary', oneColumn(bits.map((bit) => number(Number(bit), 8)))],
  ['as truths', oneColumn(bits.map((bit) => (bit === '1' ? 't' : 'f')))],
  ['in an array of numbers', oneText(`{${letters.map((letter) => letter.charCodeAt(0)).join(',')}}`)],
  ['letter by letter in errors', { ...oneText(''), reports: letters.map((letter) => `invalid input: "${letter}"`) }],
  ['as the attacker decodes it', { ...oneText(''), decoded: word }],
]

for (const [name, haystack] of planted) {
  test(`a canary is found ${name}`, () => {
    const search = new CanarySearch([{ column: 'a.b', word }])
    assert.deepEqual(
      search.find(haystack).map(({ column }) => column),
      ['a.b'],
    )
  })
}

test('what is no canary is not found', () => {
  const search = new CanarySearch([{ column: 'a.b', word, digits: '12345678901234', texts: ['1954-04-16'] }])
  const harmless = ['[masked]', 'q***@***.example', '1954-01-01', word.slice(0, 7), '123456789', '', '\0\0\0\x01']
  for (const text of harmless) assert.deepEqual(search.find(oneText(text)), [], text)
})
