import {
  isBsn,
  isCodiceFiscale,
  isCpf,
  isFrenchNir,
  isGermanTaxId,
  isPersonnummer,
  isPesel,
  isSpanishId,
  isVerhoeff,
} from './checksums.ts'
import { matches } from './detection.ts'
import type { Certainty, Detection } from './detection.ts'

/** Ids that countries give their people, by form and check digits. */
export function* findNationalIds(text: string): Generator<Detection> {
  for (const { what, pattern, certainty, isValid } of nationalIds) {
    yield* matches(text, pattern, (match, start) => {
      if (!isValid(match.replaceAll(/[ ./-]/gu, '').toUpperCase())) return null
      const sure = typeof certainty === 'string' ? certainty : certainty(match)
      return { kind: 'national_id', end: start + match.length, certainty: sure, what }
    })
  }
}

interface NationalId {
  readonly what: string
  readonly pattern: RegExp
  readonly certainty: Certainty | ((match: string) => Certainty)
  /** Of the id without separators, in capitals. */
  readonly isValid: (id: string) => boolean
}

const bareIsPossible = (match: string): Certainty => (/^\d+$/u.test(match) ? 'possible' : 'likely')

/** `form` standing alone: no letter, digit or point-and-digit on either side. */
function alone(form: string): RegExp {
  return new RegExp(`(?<![A-Za-z0-9_]|\\d[.,:]|[A-Za-z0-9]-)(?:${form})(?![A-Za-z0-9_]|[.,:-]\\d|-[A-Za-z])`, 'gu')
}

const nationalIds: readonly NationalId[] = [
  {
    what: 'US social security number',
    pattern: alone(String.raw`(?!000|666|9)\d{3}([ -])(?!00)\d{2}\1(?!0000)\d{4}`),
    certainty: 'likely',
    // The one in advertisements of 1938, which many samples have.
    isValid: (id) => id !== '078051120',
  },
  {
    what: 'UK national insurance number',
    pattern: alone(
      '(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?\\d{2} ?\\d{2} ?\\d{2} ?[A-Da-d]',
    ),
    certainty: 'likely',
    isValid: () => true,
  },
  {
    what: 'German tax id',
    pattern: alone(String.raw`[1-9]\d ?\d{3} ?\d{3} ?\d{3}`),
    certainty: 'likely',
    isValid: (id) => id.length === 11 && isGermanTaxId(id),
  },
  {
    what: 'French social security number',
    pattern: alone(String.raw`[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[ABab]) ?\d{3} ?\d{3} ?\d{2}`),
    certainty: 'likely',
    isValid: isFrenchNir,
  },
  {
    what: 'Spanish DNI or NIE',
    pattern: alone(String.raw`(?:\d{8}|[XYZxyz]-?\d{7})-?[A-Za-z]`),
    certainty: 'likely',
    isValid: isSpanishId,
  },
  {
    what: 'Italian codice fiscale',
    pattern: alone(
      '[A-Za-z]{6}[0-9LMNP-Vlmnp-v]{2}[A-EHLMPR-Ta-ehlmpr-t][0-9LMNP-Vlmnp-v]{2}[A-Za-z][0-9LMNP-Vlmnp-v]{3}[A-Za-z]',
    ),
    certainty: 'certain',
    isValid: isCodiceFiscale,
  },
  {
    what: 'Dutch BSN',
    pattern: alone(String.raw`\d{9}|\d{4}[.]\d{2}[.]\d{3}`),
    certainty: 'possible',
    isValid: isBsn,
  },
  { what: 'Polish PESEL', pattern: alone(String.raw`\d{11}`), certainty: 'possible', isValid: isPesel },
  {
    what: 'Brazilian CPF',
    pattern: alone(String.raw`\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}`),
    certainty: (match) => (match.length > 11 ? 'certain' : 'likely'),
    isValid: isCpf,
  },
  {
    what: 'Indian Aadhaar number',
    pattern: alone(String.raw`[2-9]\d{3}([ -]?)\d{4}\1\d{4}`),
    certainty: bareIsPossible,
    isValid: isVerhoeff,
  },
  {
    what: 'Swedish personnummer',
    pattern: alone(String.raw`(?:19|20)?\d{6}[-+]?\d{4}`),
    certainty: bareIsPossible,
    isValid: (id) => isPersonnummer(id.replace('+', '').slice(-10)),
  },
]
