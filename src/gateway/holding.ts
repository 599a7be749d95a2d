import { type Holding, noHolding } from '../core/access.ts'
import type { AccessOnPath } from '../core/access-service.ts'
import type { Principal } from '../core/principal.ts'

/**
 * The access roles that a session's principal holds. Asked for again only after something changed or their end has
 * come, so that a statement pays for comparing two numbers.
 */
export class SessionHolding {
  readonly #access: Pick<AccessOnPath, 'holdingOf'> | null
  readonly #principal: Principal
  readonly #database: string
  #holding: Holding = noHolding
  #isStale = true

  constructor(
    access: Pick<AccessOnPath, 'holdingOf'> | null,
    { principal, database }: { readonly principal: Principal; readonly database: string },
  ) {
    this.#access = access
    this.#principal = principal
    this.#database = database
  }

  /** What is held at that moment: the same object for as long as nothing has changed. */
  at(nowMs: number): Holding {
    if (!this.#isStale && nowMs < this.#holding.untilMs) return this.#holding
    const holding = this.#access?.holdingOf(this.#principal, this.#database, nowMs) ?? noHolding
    this.#isStale = false
    this.#holding = holding
    return holding
  }

  /** What is held may have changed. */
  changed(): void {
    this.#isStale = true
  }
}
