import { isIP } from 'node:net'
import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
import { commandGroups } from '../core/commands.ts'
import type { ClassifiedColumn, Tag } from '../core/classification.ts'
import type { ConnectRequest, DatabaseResource, SessionFacts, StatementRequest } from '../core/decision.ts'
import type { Principal } from '../core/principal.ts'
import type { Command, RelationName, StatementAnalysis } from '../core/statement.ts'
import { columnId, parseId, quoteName, relationId, schemaId, unmentioned } from './names.ts'
import { usesFact } from './vocabulary.ts'
import type { Vocabulary } from './vocabulary.ts'

/*
 * What Cedar is asked holds only what some policy could look at. A relation that no policy names becomes `?` in its
 * schema or database, a group that no policy names is left out, a fact that no policy reads has a fixed value. Requests
 * that no policy can tell apart are then one question with one answer, whoever sends them and however the tables are
 * called, and the answer can be kept. It holds because resources have no attributes (see `schema.ts`) and Cedar has no
 * way to take an id apart. `questions.test.ts` compares it with the unreduced request.
 */

/** A thing a command is applied to, with its ancestors. */
export interface Resource {
  readonly uid: TypeAndId
  /** What a person is told the command was applied to. */
  readonly shown: string
  readonly entities: readonly EntityJson[]
  /** True where PostgreSQL may mean this relation but most probably does not: only a forbid counts. */
  readonly isForbidOnly: boolean
}

/** The principal as an entity, with its groups and the access roles it holds. */
export function principalEntity(
  { principal, accessRoles }: Pick<ConnectRequest, 'principal' | 'accessRoles'>,
  vocabulary: Vocabulary,
): EntityJson {
  const type = { human: 'Human', service: 'Service', agent: 'Agent' }[principal.kind]
  const mentioned = vocabulary.entities.get(type)
  const isNamed = mentioned?.has(principal.name) === true || mentioned?.has(unmentioned) === true
  const { name, issuer, subject, groups } = principal
  const parentsOf = (type: string, ids: readonly string[]) => {
    const mentionedIds = ids.filter((id) => vocabulary.entities.get(type)?.has(id))
    return [...new Set(mentionedIds)].sort().map((id) => ({ type, id }))
  }
  return {
    uid: { type, id: vocabulary.usesPrincipalAttributes || isNamed ? name : unmentioned },
    attrs: vocabulary.usesPrincipalAttributes ? { name, issuer, subject, groups: [...groups] } : {},
    parents: [...parentsOf('Group', groups), ...parentsOf('AccessRole', accessRoles)],
  }
}

/** The database as an entity; its labels are Cedar tags. */
export function databaseResource(database: DatabaseResource): Resource {
  const uid = { type: 'Database', id: database.name }
  return { uid, shown: database.name, entities: [entity(uid, [], database)], isForbidOnly: false }
}

/**
 * The schemas of a search path that policies tell apart: each that they name, and the first that they do not. A client
 * sets its search path, and a long one must not make every name a long question.
 */
export function distinctPath(
  searchPath: readonly string[],
  at: { database: string; vocabulary: Vocabulary },
): string[] {
  const mentioned = at.vocabulary.schemas.get(at.database)
  const unmentioned = searchPath.find((schema) => mentioned?.has(schema) !== true)
  return [...new Set(searchPath)].filter((schema) => schema === unmentioned || mentioned?.has(schema) === true)
}

/** Every relation that `relation` may mean, each of which has to be allowed. */
export function relationResources(
  relation: RelationName,
  place: { database: DatabaseResource; searchPath: readonly string[] | null; vocabulary: Vocabulary },
): readonly Resource[] {
  const { database, searchPath, vocabulary } = place
  const resource = (schema: string | null, options = { isForbidOnly: false }) =>
    oneRelation({ schema, name: relation.name }, { database, vocabulary, ...options })
  if (relation.schema !== null) return [resource(relation.schema)]
  const mentioned = vocabulary.schemas.get(database.name) ?? new Set<string>()
  if (searchPath === null) return [resource(null), ...Array.from(mentioned, (schema) => resource(schema))]
  // PostgreSQL looks into the temporary schema and pg_catalog first, on the path or not. No relation of pg_catalog lacks
  // the prefix unless a superuser put it there, so that asking for a permit on `pg_catalog.orders` would only refuse.
  const found = searchPath.length === 0 ? [resource(null)] : searchPath.map((schema) => resource(schema))
  for (const schema of ['pg_catalog', 'pg_temp']) {
    const isLikely = schema === 'pg_catalog' && relation.name.startsWith('pg_')
    if (searchPath.includes(schema) || !(isLikely || mentioned.has(schema))) continue
    found.push(isLikely ? resource(schema) : resource(schema, { isForbidOnly: true }))
  }
  return found
}

/**
 * What has to be allowed before the values of a column are shown: the column with all its tags, and with each of them
 * alone. A permit on one tag says nothing about another that the column carries too, so that the one alone decides; and
 * only with all of them can a forbid on two at once be seen.
 */
export function columnResources(
  column: ClassifiedColumn,
  place: { database: DatabaseResource; vocabulary: Vocabulary },
): readonly ColumnResource[] {
  const { database, vocabulary } = place
  const relation = oneRelation({ schema: column.schema, name: column.relation }, { ...place, isForbidOnly: false })
  const exact = columnId(database.name, column.schema, column.relation, column.column)
  const isNamed = vocabulary.entities.get('Column')?.has(exact) === true
  const uid = { type: 'Column', id: isNamed ? exact : `${relation.uid.id}.${unmentioned}` }
  const resource = (tags: readonly Tag[]): ColumnResource => {
    const mentioned = [...new Set(tags)].filter((tag) => vocabulary.entities.get('Tag')?.has(tag)).sort()
    const parents = [relation.uid, ...mentioned.map((id) => ({ type: 'Tag', id }))]
    const entities = [...relation.entities, entity(uid, parents, database)]
    return {
      uid,
      shown: `${relation.shown}.${quoteName(column.column)}`,
      entities,
      isForbidOnly: false,
      tags: mentioned,
    }
  }
  const alone = column.tags.map((tag) => resource([tag]))
  return alone.length === 1 ? alone : [resource(column.tags), ...alone]
}

/** A column as a resource; its tags are as many of those it carries as policies name. */
export interface ColumnResource extends Resource {
  readonly tags: readonly Tag[]
}

/** The session's facts as `context.session`. */
export function sessionContext(
  vocabulary: Vocabulary,
  from: { principal: Principal; session: SessionFacts; nowMs: number },
): Record<string, CedarValueJson> {
  const { principal, session } = from
  const fact = <Value>(name: string, value: Value, neutral: Value) =>
    usesFact(vocabulary, `session.${name}`) ? value : neutral
  const now = new Date(from.nowMs)
  const actors = principal.actors.map(({ issuer, subject }) => ({ issuer, subject }))
  return {
    clientAddress: { __extn: { fn: 'ip', arg: fact('clientAddress', plainAddress(session.clientAddress), '0.0.0.0') } },
    applicationName: fact('applicationName', session.applicationName, ''),
    tls: fact('tls', session.isTls, true),
    authenticationMethods: fact('authenticationMethods', [...principal.authenticationMethods], []),
    actors: fact('actors', actors, []),
    time: { __extn: { fn: 'datetime', arg: fact('time', now, new Date(0)).toISOString() } },
    hour: fact('hour', now.getUTCHours(), 0),
    weekday: fact('weekday', now.getUTCDay() === 0 ? 7 : now.getUTCDay(), 1),
  }
}

/** The facts of one command of a statement as `context.statement`. */
export function statementContext(
  vocabulary: Vocabulary,
  from: { request: Omit<StatementRequest, keyof ConnectRequest>; command: Command },
): Record<string, CedarValueJson> {
  const { request, command } = from
  const { statement, statementCount, tags, predicateTags } = request
  const fact = <Value>(name: string, value: Value, neutral: Value) =>
    usesFact(vocabulary, `statement.${name}`) ? value : neutral
  return {
    kind: fact('kind', statement.kind, ''),
    hasWhere: fact('hasWhere', command.hasWhere, true),
    count: fact('count', statementCount, 1),
    functions: usesFact(vocabulary, 'statement.functions') ? functionNames(statement) : [],
    opaque: fact('opaque', statement.opaque !== null, false),
    tags: fact('tags', [...tags], []),
    predicateTags: fact('predicateTags', [...predicateTags], []),
  }
}

/** What has to be allowed: the statement's commands, and `OPAQUE` where part of it is not understood. */
export function commandsOf(statement: StatementAnalysis): readonly Command[] {
  const known = statement.commands.map((command) =>
    commandGroups.has(command.name)
      ? command
      : { name: 'OPAQUE', relations: command.relations, hasWhere: command.hasWhere },
  )
  const isOpaqueAsked = known.some(({ name }) => commandGroups.get(name) === 'opaque')
  if ((statement.opaque === null && known.length > 0) || isOpaqueAsked) return known
  return [...known, { name: 'OPAQUE', relations: [], hasWhere: true }]
}

function oneRelation(
  relation: RelationName,
  place: { database: DatabaseResource; vocabulary: Vocabulary; isForbidOnly: boolean },
): Resource {
  const { database, vocabulary, isForbidOnly } = place
  const home = databaseResource(database)
  const quoted = quoteName(database.name)
  const shown = `${quoted}.${relation.schema === null ? unmentioned : quoteName(relation.schema)}.${quoteName(relation.name)}`
  if (relation.schema === null || vocabulary.schemas.get(database.name)?.has(relation.schema) !== true) {
    const uid = { type: 'Relation', id: `${quoted}.${unmentioned}.${unmentioned}` }
    return { uid, shown, entities: [...home.entities, entity(uid, [home.uid], database)], isForbidOnly }
  }
  const schema = { type: 'Schema', id: schemaId(database.name, relation.schema) }
  const exact = relationId(database.name, relation.schema, relation.name)
  const isNamed = vocabulary.entities.get('Relation')?.has(exact) === true
  const uid = { type: 'Relation', id: isNamed ? exact : `${schema.id}.${unmentioned}` }
  const entities = [...home.entities, entity(schema, [home.uid], database), entity(uid, [schema], database)]
  return { uid, shown, entities, isForbidOnly }
}

function entity(uid: TypeAndId, parents: readonly TypeAndId[], database: DatabaseResource): EntityJson {
  return { uid, attrs: {}, parents: [...parents], tags: Object.fromEntries(database.labels) }
}

/** Names as written and, so that a schema in front hides nothing, also without it. */
function functionNames(statement: StatementAnalysis): string[] {
  return [...new Set(statement.functions.flatMap((name) => [name, parseId(name)?.at(-1) ?? name]))].sort()
}

/** The address as Cedar reads it: no zone, and an IPv4 client of an IPv6 socket by its IPv4 address. */
function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/u, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/iu, '')
  return isIP(plain) === 0 ? address : plain
}
