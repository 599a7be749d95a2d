import type { MaskingRule, Tag } from '../core/classification.ts'
import type { ColumnConcept } from '../detection/names.ts'

/** What is proposed for: a kind of value, or a text in which several kinds occur. */
export type ProposedConcept = ColumnConcept | 'text'

/** How a concept is tagged, what is shown instead, and what its values are called. */
export interface ConceptTag {
  readonly tag: Tag
  readonly masking: MaskingRule
  readonly plural: string
}

/** The tags that `postern classify` proposes. */
export const conceptTags: Readonly<Record<ProposedConcept, ConceptTag>> = {
  email: { tag: 'pii.email', masking: { function: 'partial', keep: 4 }, plural: 'e-mail addresses' },
  phone: { tag: 'pii.phone', masking: { function: 'partial', keep: 4 }, plural: 'telephone numbers' },
  card: { tag: 'pii.card', masking: { function: 'partial', keep: 4 }, plural: 'payment card numbers' },
  iban: { tag: 'pii.bank_account', masking: { function: 'partial', keep: 4 }, plural: 'bank accounts' },
  national_id: { tag: 'pii.national_id', masking: { function: 'redact' }, plural: 'national ids' },
  ip: { tag: 'pii.ip', masking: { function: 'pseudonym' }, plural: 'IP addresses' },
  mac: { tag: 'pii.device', masking: { function: 'pseudonym' }, plural: 'device addresses' },
  secret: { tag: 'secret', masking: { function: 'null' }, plural: 'secrets' },
  name: { tag: 'pii.name', masking: { function: 'redact' }, plural: 'names of people' },
  address: { tag: 'pii.address', masking: { function: 'redact' }, plural: 'addresses' },
  birth_date: { tag: 'pii.birth_date', masking: { function: 'year' }, plural: 'dates of birth' },
  text: { tag: 'pii.text', masking: { function: 'redact' }, plural: 'personal data' },
}
