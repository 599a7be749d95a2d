/** How the last step of an attack reaches PostgreSQL; the steps before it go as plain queries. */
export type Protocol =
  | 'simple'
  | 'text'
  | 'binary'
  | 'undescribed'
  | 'sliced'
  | 'pipeline'
  | 'prepare'
  | 'cursor'
  | 'binary cursor'
  | 'copy text'
  | 'copy csv'
  | 'copy binary'

/** One statement or one string of messages that is answered up to ReadyForQuery. */
export interface Step {
  readonly sql?: string | Buffer
  /** Parameters of the extended protocol; a step that has some never goes as a plain query. */
  readonly parameters?: readonly (string | Buffer | null)[]
  readonly parameterFormats?: readonly number[]
  readonly resultFormats?: readonly number[]
  /** What COPY FROM STDIN is sent. */
  readonly copyData?: string | Buffer
  /** Messages as they are, instead of `sql`, and how many ReadyForQuery answer them. */
  readonly messages?: readonly Buffer[]
  readonly readyCount?: number
  /** SQL that somebody else runs past the gateway before this step. */
  readonly meanwhile?: string
  /** Asks for a cancel as soon as the first rows have come. */
  readonly isCancelled?: boolean
}

/** What the attacker may do in general; no one of them may unmask anything. */
export type Rights = 'write' | 'ddl' | 'all'

/** What is to come of it: nothing of a canary; or, of what is open by design, a stated outcome. */
export type Expectation = 'no canary' | { readonly stated: string }

/** One attempt to get a canary out, as data. */
export interface Attack {
  readonly family: string
  readonly name: string
  readonly protocol: Protocol
  readonly needs: Rights
  readonly steps: readonly Step[]
  /** Statements of another session, which stays open and past the gateway while the attack runs. */
  readonly beside?: readonly string[]
  /** What takes back what the attack committed; without it nothing may be committed. */
  readonly undo?: readonly string[]
  /** Start-up parameters of the attacker's connection. */
  readonly startUp?: Readonly<Record<string, string>>
  /** Puts a value together from the results, as the attacker would who hid it by a rule of his own. */
  readonly decode?: (rows: readonly (readonly string[])[]) => string
  /** Set where it also counts if only this weak canary comes out. */
  readonly weak?: string
  readonly expectation: Expectation
  /** Why it shows no canary even without a gateway, where that is so by design. */
  readonly harmless?: string
}

/** An attack as its family writes it down. */
export type Draft = Partial<Omit<Attack, 'family' | 'steps' | 'name'>> & { readonly on?: readonly Protocol[] }

/** A step, or the SQL of one. */
export type StepDraft = string | Step

/** Collects the attacks of one family. */
export class Family {
  readonly attacks: Attack[] = []
  readonly #name: string
  readonly #defaults: Draft

  constructor(name: string, defaults: Draft = {}) {
    this.#name = name
    this.#defaults = defaults
  }

  /** One attack per protocol in `on`. Where there is no name, the last statement is it. */
  try(steps: StepDraft | readonly StepDraft[], draft: Draft & { readonly name?: string } = {}): this {
    const list = (Array.isArray(steps) ? (steps as readonly StepDraft[]) : [steps as StepDraft]).map((step) =>
      typeof step === 'string' ? { sql: step } : step,
    )
    const { on, name, ...rest } = { ...this.#defaults, ...draft }
    const last = list.findLast(({ sql }) => sql !== undefined)?.sql?.toString() ?? 'messages'
    for (const protocol of on ?? [rest.protocol ?? 'simple']) {
      this.attacks.push({
        needs: 'write',
        expectation: 'no canary',
        ...rest,
        family: this.#name,
        name: (name ?? last).replaceAll(/\s+/g, ' ').slice(0, 160),
        protocol,
        steps: list,
      })
    }
    return this
  }

  /** Each statement an attack of its own. */
  each(statements: readonly string[], draft: Draft = {}): this {
    for (const sql of statements) this.try(sql, draft)
    return this
  }

  /** Steps in a transaction that is never committed. */
  inside(steps: readonly StepDraft[], draft: Draft & { readonly name?: string } = {}): this {
    return this.try(['BEGIN', ...steps], draft)
  }
}

/** Every way in which rows come. */
export const everyWay: readonly Protocol[] = [
  'simple',
  'text',
  'binary',
  'undescribed',
  'sliced',
  'prepare',
  'cursor',
  'binary cursor',
  'copy text',
  'copy csv',
  'copy binary',
]

/** The ways that differ most from each other. */
export const someWays: readonly Protocol[] = ['simple', 'binary', 'copy text']
