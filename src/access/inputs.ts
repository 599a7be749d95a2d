import type { ApprovalRequirement } from '../core/access.ts'
import { formatDuration } from '../core/duration.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

/** A reason or a comment as it is kept; rejects with `input_invalid` where it is too long or would not show as it is. */
export function checkedText(text: string, what: string): string {
  if (text.length > limits.accessTextCharsMax) {
    throw invalid(`the ${what} is longer than ${String(limits.accessTextCharsMax)} characters`, `Shorten the ${what}.`)
  }
  // Control characters, line separators and what turns the direction of writing could make it read as something else.
  if (!text.isWellFormed() || /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text)) {
    throw invalid(`the ${what} has characters in it that do not show`, 'Write it as one line of plain text.')
  }
  return text.trim()
}

/** A reason; null where there is none but spaces. */
export function checkedReason(reason: string | null): string | null {
  return reason === null ? null : checkedText(reason, 'reason') || null
}

/** A duration that somebody wishes for; rejects with `input_invalid` where it is none or longer than `mostMs`. */
export function checkedDuration(durationMs: number, mostMs: number, what: string): number {
  if (!Number.isSafeInteger(durationMs) || durationMs <= 0) {
    throw invalid(`the duration for ${what} is not a time`, 'Give one such as 2h or 30m.')
  }
  if (durationMs > mostMs) {
    throw invalid(`the duration for ${what} is too long`, `The most is ${formatDuration(mostMs)}.`)
  }
  return durationMs
}

/** Requirements that can be met at all; what is not is a bug of whoever asks, and must not be taken for met. */
export function checkRequirements(requirements: readonly ApprovalRequirement[]): void {
  const isFit = ({ approvers, count, goodForMs }: ApprovalRequirement): boolean =>
    approvers.length > 0 &&
    approvers.length <= limits.requirementsMax &&
    Number.isSafeInteger(count) &&
    count >= 1 &&
    Number.isSafeInteger(goodForMs) &&
    goodForMs > 0
  if (requirements.length === 0 || requirements.length > limits.requirementsMax || !requirements.every(isFit)) {
    throw invalid('what has to be approved cannot be approved by anybody', 'Please tell whoever wrote the policy.')
  }
}

/** What cannot be taken as it was given. */
export function invalid(message: string, hint: string): PosternError {
  return new PosternError('input_invalid', message, { hint })
}

/** Not there, or not to be seen by whoever asks: both are the same answer. */
export function unknownRequest(): PosternError {
  return new PosternError('request_unknown', 'there is nothing of that id that you may see', {
    hint: 'Look at the id again; `postern requests` and `postern grants` list what you may see.',
  })
}

/** What the caller may not do, and why. */
export function refused(what: string, why: string): PosternError {
  return new PosternError('access_refused', `you may not ${what}`, { detail: why })
}

/** Somebody was faster, or time was. */
export function closed(state: string): PosternError {
  return new PosternError('request_closed', `this request is ${state} already, so it can no longer be answered`, {
    hint: 'Whoever still needs it has to ask again.',
  })
}
