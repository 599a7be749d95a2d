import { commandGroups } from '../core/commands.ts'
import type { Command, CommandName, RelationName, StatementAnalysis, StatementNames } from '../core/statement.ts'
import { noNames } from '../core/statement.ts'
import { limits } from '../core/limits.ts'
import { type IdentityFacts, noIdentityFacts } from './identity-settings.ts'

/** Collects what one statement does while its tree is walked. */
export class Effects {
  /** True while the tree only defines what will run later, as a view's query or a column's default. */
  isDefinition = false
  copy: 'in' | 'out' | null = null
  /** Whether there is a query at all: `SELECT 1` reads no relation and still is a SELECT. */
  hasQuery = false
  prepares: StatementNames['prepares'] = null
  executes: string | null = null
  declares: string | null = null
  fetches: string | null = null
  readonly #commands = new Map<string, Command>()
  readonly #reads = new Map<string, RelationName>()
  readonly #functions = new Set<string>()
  readonly #fields = new Map<string, Field>()
  /** What functions in FROM are called, with the columns they certainly have; null is a name nobody can tell. */
  readonly #functionAliases = new Map<string | null, Set<string>>()
  #opaque: string | null = null

  /** Notes a command; the first one noted is the top-level one, unless that is a SELECT. */
  add(
    name: CommandName,
    relations: readonly RelationName[] = [],
    row: { hasWhere: boolean } = { hasWhere: true },
  ): void {
    const distinct = distinctRelations(relations)
    const key = `${name}${row.hasWhere ? '+' : '-'}${distinct.map(relationKey).join(',')}`
    if (this.#commands.has(key)) return
    if (this.#isFull(this.#commands)) return
    this.#commands.set(key, { name, relations: distinct, hasWhere: row.hasWhere })
  }

  /** Notes a relation that is read. */
  read(relation: RelationName): void {
    if (!this.#isFull(this.#reads)) this.#reads.set(relationKey(relation), relation)
  }

  /** Notes a function by the name it is called by. */
  call(name: string): void {
    if (!this.#isFull(this.#functions)) this.#functions.add(name)
  }

  /** Notes `qualifier.name`. */
  selectField(qualifier: string, name: string): void {
    if (!this.#isFull(this.#fields)) this.#fields.set(`${qualifier}\0${name}`, { qualifier, name })
  }

  /** Notes what a function in FROM is called there, and the columns it has under that name. */
  nameFunction(alias: string | null, columns: ReadonlySet<string>): void {
    if (this.#isFull(this.#functionAliases)) return
    // Where one name stands for two functions in different places, only what both have is certain.
    const others = this.#functionAliases.get(alias)
    const certain = others === undefined ? columns : [...columns].filter((column) => others.has(column))
    this.#functionAliases.set(alias, new Set(certain))
  }

  /**
   * The fields that are not certainly columns: those of a name under which a function stands in FROM, anywhere in the
   * statement. Where such a function returns a single value, `name.field` is the call field(value).
   */
  get fieldsOfFunctions(): string[] {
    if (this.#functionAliases.size === 0) return []
    const isUncertain = ({ qualifier, name }: Field): boolean => {
      const columns = this.#functionAliases.get(qualifier) ?? this.#functionAliases.get(null)
      return columns !== undefined && !columns.has(name)
    }
    return [...this.#fields.values()].filter(isUncertain).map(({ name }) => name)
  }

  /** Notes that some of it cannot be analysed, and why. The first reason is kept. */
  hide(reason: string): void {
    this.#opaque ??= reason
  }

  /** The relations read so far. */
  get reads(): RelationName[] {
    return [...this.#reads.values()]
  }

  get commands(): Command[] {
    return [...this.#commands.values()]
  }

  /** Takes over all that `inner` does: it runs as part of this statement. */
  include(inner: Effects): void {
    for (const command of inner.commands) this.add(command.name, command.relations, command)
    this.includeReads(inner)
  }

  /** Takes over what `inner` reads and calls and what is opaque in it, but not what it changes: it is not run now. */
  includeReads(inner: Effects): void {
    for (const relation of inner.reads) this.read(relation)
    for (const name of inner.#functions) this.call(name)
    for (const { qualifier, name } of inner.#fields.values()) this.selectField(qualifier, name)
    for (const [alias, columns] of inner.#functionAliases) this.nameFunction(alias, columns)
    if (inner.#opaque !== null) this.hide(inner.#opaque)
    this.executes ??= inner.executes
    this.hasQuery ||= inner.hasQuery
  }

  /** The finished analysis. */
  toAnalysis(kind: CommandName, sql: string, identity: IdentityFacts = noIdentityFacts): StatementAnalysis {
    const commands = this.#inOrder(kind)
    const opaque = this.#opaque
    // DO and CALL are of that group themselves.
    const isSaid = commands.some((command) => commandGroups.get(command.name) === 'opaque')
    if (opaque !== null && !isSaid) commands.push(opaqueCommand)
    return {
      sql,
      kind,
      commands,
      opaque,
      functions: [...this.#functions],
      names: this.#names(),
      copy: this.copy,
      mayChangeSettings: opaque !== null || commands.some((command) => !quietCommands.has(command.name)),
      ...identity,
    }
  }

  /** A list that is full makes the statement opaque: what it leaves out can then not slip through. */
  #isFull(list: { readonly size: number }): boolean {
    if (list.size < limits.statementsPerTextMax) return false
    this.hide('does more than can be listed')
    return true
  }

  #inOrder(kind: CommandName): Command[] {
    // What stands in a WITH is noted before the INTO of the SELECT behind it.
    const commands = this.commands.toSorted((a, b) => Number(b.name === kind) - Number(a.name === kind))
    if (!this.hasQuery && this.#reads.size === 0) return commands
    const select = this.#reads.size === 0 ? bareSelect : { name: 'SELECT', relations: this.reads, hasWhere: true }
    if (kind === 'SELECT') return [select, ...commands]
    return [...commands.slice(0, 1), select, ...commands.slice(1)]
  }

  #names(): StatementNames {
    const { prepares, executes, declares, fetches } = this
    if (prepares === null && executes === null && declares === null && fetches === null) return noNames
    return { prepares, executes, declares, fetches }
  }
}

interface Field {
  readonly qualifier: string
  readonly name: string
}

const opaqueCommand: Command = { name: 'OPAQUE', relations: [], hasWhere: true }
const bareSelect: Command = { name: 'SELECT', relations: [], hasWhere: true }

/**
 * Commands that leave every setting as it is, so that texts sent behind them are read as those before. All others may
 * change one, if only by an event trigger or the end of a transaction that had changed one. Writes are among the quiet
 * ones: a trigger could change a setting, but whoever could make such a trigger could hide anything in it, and taking
 * every write for a change would make opaque what follows it in a pipeline.
 */
const quietCommands: ReadonlySet<CommandName> = new Set([
  'EMPTY',
  'BEGIN',
  'START TRANSACTION',
  'SAVEPOINT',
  'RELEASE',
  'COMMIT PREPARED',
  'ROLLBACK PREPARED',
  'SHOW',
  'PREPARE',
  'DEALLOCATE',
  'DECLARE CURSOR',
  'CLOSE CURSOR',
  'LISTEN',
  'UNLISTEN',
  'NOTIFY',
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'TRUNCATE TABLE',
  'COPY FROM',
  'EXPLAIN',
  'COPY TO',
  'LOCK TABLE',
  'VACUUM',
  'ANALYZE',
  'CHECKPOINT',
  'ALTER SYSTEM',
  'ALTER ROLE',
  'ALTER DATABASE',
])

function relationKey(relation: RelationName): string {
  // A name cannot hold NUL, so the two parts cannot run into each other.
  return relation.schema === null ? relation.name : `${relation.schema}\0${relation.name}`
}

function distinctRelations(relations: readonly RelationName[]): readonly RelationName[] {
  if (relations.length < 2) return relations
  return [...new Map(relations.map((relation) => [relationKey(relation), relation])).values()]
}
