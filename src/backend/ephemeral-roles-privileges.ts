import type { CatalogRelation, Oid } from '../core/catalog.ts'
import type { CommandName, RelationName } from '../core/statement.ts'

/** PostgreSQL's privileges on relations; USAGE is for sequences, MAINTAIN exists since PostgreSQL 17. */
export type RelationPrivilege =
  | 'SELECT'
  | 'INSERT'
  | 'UPDATE'
  | 'DELETE'
  | 'TRUNCATE'
  | 'REFERENCES'
  | 'TRIGGER'
  | 'MAINTAIN'
  | 'USAGE'

/** What a database role may do with one object. */
export type Privilege =
  | {
      readonly kind: 'relation'
      readonly oid: Oid
      readonly schema: string
      readonly name: string
      readonly isSequence: boolean
      readonly privileges: readonly RelationPrivilege[]
    }
  | { readonly kind: 'schema'; readonly name: string; readonly privileges: readonly ('USAGE' | 'CREATE')[] }

/** What of a relation decides about privileges. */
export type GrantedRelation = Pick<CatalogRelation, 'oid' | 'schema' | 'name' | 'kind' | 'isTemporary' | 'columns'>

/** What privileges are worked out from. */
export interface PrivilegeQuestion {
  /** All relations of the database, as the catalog lists them. */
  readonly relations: readonly GrantedRelation[]
  /** Whether policy lets a command run on a relation, or would if somebody approved. */
  readonly mayRun: (command: CommandName, relation: RelationName) => boolean
  /** Schemas that may hold no relation yet. */
  readonly schemas?: readonly string[]
  /** Whether policy lets new tables be made in a schema; nowhere by default. */
  readonly mayCreateIn?: (schema: string) => boolean
}

/**
 * The privileges by which PostgreSQL lets through what policy lets through, and nothing else. The analysis takes reading a
 * row's own columns (in a condition, in RETURNING) for a SELECT of its own, as PostgreSQL does, so that none is added
 * here. What only owners may do, such as ALTER TABLE, no privilege can give. Pure.
 */
export function privilegesFor({ relations, schemas, mayRun, mayCreateIn }: PrivilegeQuestion): readonly Privilege[] {
  const listed = relations.filter((each) => !each.isTemporary && each.kind !== 'composite' && !isSystem(each.schema))
  const filling = sequencesOfDefaults(listed, mayRun)
  const granted = listed.flatMap((relation): Privilege[] => {
    const { oid, schema, name } = relation
    const isSequence = relation.kind === 'sequence'
    const privileges = isSequence ? ofSequence(relation, mayRun, filling) : ofTable(relation, mayRun)
    return privileges.length === 0 ? [] : [{ kind: 'relation', oid, schema, name, isSequence, privileges }]
  })
  const used = new Set(granted.map((each) => (each.kind === 'relation' ? each.schema : each.name)))
  const all = new Set([...used, ...listed.map(({ schema }) => schema), ...(schemas ?? [])])
  const ofSchemas = [...all].flatMap((name): Privilege[] => {
    if (mayCreateIn?.(name) === true) return [{ kind: 'schema', name, privileges: ['USAGE', 'CREATE'] }]
    return used.has(name) ? [{ kind: 'schema', name, privileges: ['USAGE'] }] : []
  })
  return [...ofSchemas, ...granted]
}

/** The commands of which one is enough for a privilege. */
const commandsFor: readonly (readonly [RelationPrivilege, readonly CommandName[]])[] = [
  ['SELECT', ['SELECT', 'COPY TO']],
  ['INSERT', ['INSERT', 'COPY FROM']],
  ['UPDATE', ['UPDATE']],
  ['DELETE', ['DELETE']],
  ['TRUNCATE', ['TRUNCATE TABLE']],
  // To refer to a table is to name it in the definition of another.
  ['REFERENCES', ['CREATE TABLE', 'ALTER TABLE']],
  ['TRIGGER', ['CREATE TRIGGER']],
  // One privilege for all of them: the gateway tells them apart.
  ['MAINTAIN', ['VACUUM', 'ANALYZE', 'CLUSTER', 'REINDEX', 'REFRESH MATERIALIZED VIEW']],
]

function ofTable({ schema, name }: GrantedRelation, mayRun: PrivilegeQuestion['mayRun']): RelationPrivilege[] {
  return commandsFor
    .filter(([, commands]) => commands.some((command) => mayRun(command, { schema, name })))
    .map(([privilege]) => privilege)
}

function ofSequence(
  { oid, schema, name }: GrantedRelation,
  mayRun: PrivilegeQuestion['mayRun'],
  filling: ReadonlySet<Oid>,
): RelationPrivilege[] {
  const may = (command: CommandName): boolean => mayRun(command, { schema, name })
  const privileges: RelationPrivilege[] = []
  if (may('SELECT')) privileges.push('SELECT')
  if (may('UPDATE')) privileges.push('UPDATE')
  // nextval() takes a number and cannot choose one, as setval() can.
  if (filling.has(oid) || may('INSERT') || may('UPDATE')) privileges.push('USAGE')
  return privileges
}

/** Sequences that the defaults of tables which may be written to take their numbers of. */
function sequencesOfDefaults(
  relations: readonly GrantedRelation[],
  mayRun: PrivilegeQuestion['mayRun'],
): ReadonlySet<Oid> {
  const named = new Map<string, Oid[]>()
  for (const { kind, schema, name, oid } of relations) {
    if (kind !== 'sequence') continue
    // Where the search path made the schema needless to print, any of the name may be meant.
    for (const key of [JSON.stringify([name]), JSON.stringify([schema, name])]) {
      named.set(key, [...(named.get(key) ?? []), oid])
    }
  }
  const filling = new Set<Oid>()
  for (const { schema, name, columns } of relations) {
    const isWritten = ['INSERT', 'COPY FROM', 'UPDATE'].some((command) => mayRun(command, { schema, name }))
    if (!isWritten) continue
    for (const { expression } of columns) {
      for (const [, sequence = ''] of (expression ?? '').matchAll(/\bnextval\('((?:[^']|'')+)'::regclass\)/g)) {
        for (const oid of named.get(JSON.stringify(partsOf(sequence.replaceAll("''", "'")))) ?? []) filling.add(oid)
      }
    }
  }
  return filling
}

/** The parts of a name as PostgreSQL prints it: bare, or in double quotes. */
function partsOf(name: string): string[] {
  return [...name.matchAll(/"((?:[^"]|"")*)"|([^".]+)/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
  )
}

/** Of PostgreSQL's own relations everybody may read what PUBLIC may. */
function isSystem(schema: string): boolean {
  return schema === 'information_schema' || schema.startsWith('pg_')
}
