import { createHmac } from 'node:crypto'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const characters = 14

/** What every value stands for once a statement has used up its pseudonyms. */
export const anyPseudonym = '‹…›'

/**
 * Makes pseudonyms such as `‹k3f9x2mzq7abcd›`: equal for equal values under the same key, and without the key nothing that
 * a value can be told or guessed by.
 */
export function createPseudonyms(key: Buffer): (value: string) => string {
  return (value) => {
    // The prefix keeps them apart from other uses of the key, should it have any.
    const digest = createHmac('sha256', key).update('postern record\0').update(value, 'utf8').digest()
    let text = ''
    // Five bits of each byte: 70 bits in all, so that among ten million values two seldom have the same.
    for (let index = 0; index < characters; index += 1) text += alphabet[(digest[index] ?? 0) & 31] ?? ''
    return `‹${text}›`
  }
}

/** Whether a value is a pseudonym of the record already, as it is where somebody looks for one. */
export function isPseudonym(value: string): boolean {
  return /^-?‹(?:[a-z2-7]{14}|…)›$/u.test(value)
}
