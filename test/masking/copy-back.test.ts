import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { copyIn, copyOut, type CopyStand, isMaskedText, run, startCopyStand } from './copy-stand.ts'

/*
 * A dump that a masked principal took holds placeholders. Loaded back, it would put them over the values that they stand
 * for. Each attack is first made directly, where it destroys, and then through the gateway, where it must not.
 */

let stand: CopyStand

before(async () => {
  stand = await startCopyStand()
})

after(async () => {
  await stand.sandbox.stop()
})

/** How to dump, and how to load that where it differs. */
const formats: readonly (readonly [dump: string, load?: string])[] = [
  ['FORMAT text'],
  ['FORMAT text, HEADER'],
  ["FORMAT text, DELIMITER '|', NULL ''"],
  ['FORMAT csv'],
  ['FORMAT csv, HEADER', 'FORMAT csv, HEADER match'],
  [String.raw`FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\', NULL 'none'`],
  ['FORMAT csv, FORCE_QUOTE *', 'FORMAT csv, FORCE_NULL *'],
  ['FORMAT csv', "FORMAT csv, DEFAULT 'dflt'"],
  ['FORMAT csv', 'FORMAT csv, ON_ERROR ignore'],
  ['FORMAT text', "FORMAT text, ENCODING 'latin1'"],
  ['FORMAT text', 'FORMAT text) WHERE (id > 0'],
  ['FORMAT binary'],
]

const maskedColumns = ['email', 'name', 'phone', 'nick', 'tags', 'doc', 'home', 'pay']

for (const [dump, load = dump] of formats) {
  test(`a masked dump is not loaded back: ${load}`, async () => {
    const before = await stand.values()
    const sam = await stand.logIn('sam@example.com')
    for (const list of ['', '(pay, id, email)', ...maskedColumns.map((column) => `(${column}, id)`)]) {
      const data = await copyOut(sam, `COPY customers ${list} TO STDOUT (${dump})`)
      const copy = `COPY customers ${list} FROM STDIN (${load})`
      const column = /\((\w+), id/.exec(list)?.[1] ?? 'email'
      assert.equal(await stand.destroyed(copy, data, isMaskedText(column)), 4, copy)
      const whole = Buffer.concat(data)
      const bytes = Array.from(whole, (byte) => Buffer.of(byte))
      for (const pieces of [data, [whole], bytes, [whole.subarray(0, 40), whole.subarray(40)]]) {
        for (const way of ['simple', 'extended'] as const) {
          const answer = await copyIn(sam, copy, pieces, { way })
          assert.match(
            answer.said,
            /^22000 the value for public\.customers\.\w+ in (line|row) \d+ is the placeholder/,
            `${way} ${copy}`,
          )
          assert.equal(answer.status, 'I')
        }
      }
    }
    assert.equal((await run(sam, 'SELECT 1')).said, 'SELECT 1')
    sam.close()
    assert.equal(await stand.values(), before)
  })
}
