import type { RefusalError } from './refusal.ts'

/** How an execution ended, for its outcome entry. */
export type Ending =
  | { readonly outcome: 'completed'; readonly tag: string }
  | { readonly outcome: 'suspended' }
  | { readonly outcome: 'skipped' | 'abandoned' }
  | { readonly outcome: 'failed'; readonly sqlstate: string }
  | { readonly outcome: 'refused'; readonly error: RefusalError }

/** What an outcome entry says of it: members, each preceded by a comma. */
export function endingMembers(ending: Ending): string {
  switch (ending.outcome) {
    case 'completed':
      return `,"tag":${JSON.stringify(ending.tag)}`
    case 'failed':
      return `,"sqlstate":${JSON.stringify(ending.sqlstate)}`
    case 'refused': {
      const { code, message, detail } = ending.error
      return `,"sqlstate":${JSON.stringify(code)},"refused":${JSON.stringify({ message, detail })}`
    }
    default:
      return ''
  }
}
