import type { ApprovalRequirement } from '../core/access.ts'
import type { FiledRequest } from '../core/access-service.ts'
import type { Decision, DeterminingPolicy } from '../core/decision.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { resourceAsWritten } from './refusal.ts'

/** What has to be agreed to before a statement may run. */
export interface Needs {
  readonly requirements: readonly ApprovalRequirement[]
  readonly policies: readonly DeterminingPolicy[]
  /** The command that asks for it and what it applies to, as a person is told. */
  readonly command: string
  readonly resource: string
}

/** What a denial that approvers may lift asks for. */
export function needsOf(
  denial: Extract<Decision, { effect: 'deny' }>,
  statement: Pick<StatementAnalysis, 'commands'>,
): Needs {
  const { command } = denial
  // In an order of their own, since policy has none: people are told the same each time.
  const requirements = denial.requirements.toSorted((a, b) => (a.by < b.by ? -1 : 1))
  const policies = denial.policies.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return { requirements, policies, command, resource: resourceAsWritten(denial, statement) }
}

/** What several statements of one text ask for together; null where none asks for anything. */
export function combineNeeds(all: readonly (Needs | null)[]): Needs | null {
  const asking = all.filter((needs) => needs !== null)
  const [first, ...others] = asking
  if (first === undefined || others.length === 0) return first ?? null
  const distinct = <T>(items: readonly T[], key: (item: T) => string): readonly T[] => [
    ...new Map(items.map((item) => [key(item), item])).values(),
  ]
  return {
    ...first,
    requirements: distinct(
      asking.flatMap(({ requirements }) => requirements),
      ({ by }) => by,
    ),
    policies: distinct(
      asking.flatMap(({ policies }) => policies),
      ({ id }) => id,
    ),
  }
}

/** Whether what was agreed to is all that is asked for now, by policies that may have changed since. */
export function covers(agreed: readonly ApprovalRequirement[], asked: readonly ApprovalRequirement[]): boolean {
  const known = new Map(agreed.map((requirement) => [requirement.by, requirement]))
  return asked.every(({ by, approvers, count }) => {
    const found = known.get(by)
    return (
      found !== undefined &&
      found.count >= count &&
      found.approvers.length === approvers.length &&
      found.approvers.every((group) => approvers.includes(group))
    )
  })
}

/** An approval that was used up for a run, as its entries name it. */
export interface UsedApproval {
  readonly request: string
  readonly approvers: readonly string[]
}

/** An approved request whose statement has not run yet, or is what `used` says. */
export interface Ticket {
  readonly filed: FiledRequest
  readonly binding: string
  /** What the run depended on beside its own bytes. */
  readonly situation: string
  readonly requirements: readonly ApprovalRequirement[]
  readonly approvers: readonly string[]
  used: UsedApproval | null
  /** Whether something is going to use it. */
  isTaken: boolean
}

/** The ticket of what waits to be executed. */
export function taken(ticket: Ticket): Ticket {
  ticket.isTaken = true
  return ticket
}
