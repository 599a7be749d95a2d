import type { MaskingRule, Tag } from '../core/classification.ts'

/** Tags of Postern's own begin with this; a file cannot define them. */
export const builtinTagPrefix = 'postern.'

/** How many characters `partial` keeps where a tag does not say. */
export const partialKeepDefault = 4

/** Whether `text` can be the name of a tag. */
export function isTagName(text: string): boolean {
  return /^[A-Za-z][\w.-]{0,99}$/.test(text) && text !== 'none' && !text.startsWith(builtinTagPrefix)
}

const strictness: Readonly<Record<MaskingRule['function'], number>> = {
  null: 4,
  redact: 3,
  pseudonym: 2,
  year: 1,
  partial: 0,
}

/** What to do with a column whose tags say different things: the strictest, and of two `partial` the smaller keep. */
export function strictestMasking(tags: Iterable<Tag>, rules: ReadonlyMap<Tag, MaskingRule>): MaskingRule {
  let strictest: MaskingRule | null = null
  for (const tag of tags) {
    // A tag that no file defines, such as one of a comment, says nothing about what may be shown.
    const rule = rules.get(tag) ?? { function: 'redact' }
    if (strictest === null || isStricter(rule, strictest)) strictest = rule
  }
  return strictest ?? { function: 'redact' }
}

function isStricter(rule: MaskingRule, than: MaskingRule): boolean {
  if (rule.function === 'partial' && than.function === 'partial') return rule.keep < than.keep
  return strictness[rule.function] > strictness[than.function]
}

/** The tags that a comment gives: `@tag(pii.email)` or `@tag(pii.email, internal)`, any number of times. */
export function tagsOfComment(comment: string): { readonly tags: readonly Tag[]; readonly faults: readonly string[] } {
  const tags: Tag[] = []
  const faults: string[] = []
  if (!hasTagText(comment)) return { tags, faults }
  for (const [, list = ''] of comment.matchAll(/@tag\(([^()]{0,1000})\)/gu)) {
    for (const name of list.split(',').map((text) => text.trim())) {
      if (isTagName(name)) tags.push(name)
      else faults.push(name)
    }
  }
  if (/@tag\b/u.test(comment.replaceAll(/@tag\([^()]{0,1000}\)/gu, ''))) faults.push('@tag')
  return { tags, faults }
}

/** Whether a comment may give tags. */
export function hasTagText(comment: string | null): boolean {
  return comment !== null && comment.includes('@tag')
}
