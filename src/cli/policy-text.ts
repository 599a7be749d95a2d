import type { Decision } from '../core/decision.ts'

/** A decision in one word. */
export type Effect = 'allow' | 'deny' | 'needs_approval'

/** Whether something may happen, may not, or may once somebody approves. */
export function effectOf(decision: Decision): Effect {
  if (decision.effect === 'allow') return 'allow'
  return decision.reason === 'needs_approval' ? 'needs_approval' : 'deny'
}

/** A decision in one line: what is not allowed, and by which policy. */
export function decisionText(decision: Decision): string {
  const by = decision.policies.map(({ id }) => id).join(', ')
  if (decision.effect === 'allow') return `allowed by ${by}`
  const what = `${decision.command} on ${decision.resource}`
  switch (decision.reason) {
    case 'not_permitted':
      return `${what}: no policy permits it`
    case 'forbidden':
      return `${what}: forbidden by ${by}`
    case 'policy_error':
      return `${what}: a policy fails (${by})`
    case 'needs_approval':
      return `${what}: needs approval for ${by}`
    default:
      return decision.reason satisfies never
  }
}
