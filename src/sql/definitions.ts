import type { ObjectType } from '@pgsql/types'
import type { CommandName, RelationName } from '../core/statement.ts'
import { Effects } from './effects.ts'
import type { NodeOf, StatementTag } from './parse-tree.ts'
import { objectCommand, objectRelation } from './objects.ts'
import { walkTree } from './walk.ts'
import type { Walk } from './walk.ts'

/** Notes what the statement does and gives its top-level command. */
export type Handler<Tag extends StatementTag> = (statement: NodeOf<Tag>, walk: Walk) => CommandName

/**
 * A statement that defines something: the relations it names are what it applies to, queries and expressions in it
 * are walked as what will run later.
 */
export function define(command: CommandName): (statement: object, walk: Walk) => CommandName {
  return (statement, walk) => noteDefinition(command, statement, walk)
}

/** As `define`, for a statement whose names of relations are none, such as those of types and constraints. */
export function defineOther(command: CommandName): (statement: object, walk: Walk) => CommandName {
  return (statement, walk) => {
    walk.effects.add(command)
    walkDefinition(statement, walk)
    return command
  }
}

/** A statement whose inside is never walked: nothing in it runs, or it is not readable anyhow. */
export function plain(command: CommandName): (statement: object, walk: Walk) => CommandName {
  return (_statement, walk) => {
    walk.effects.add(command)
    return command
  }
}

/** CREATE VIEW reads what its query reads: whoever may not read that must not be able to look at it from behind. */
export function createView(statement: NodeOf<'ViewStmt'>, walk: Walk): CommandName {
  const inner = new Effects()
  const relations = walkDefinition(statement, { ...walk, effects: inner })
  noteOverSettings(inner)
  walk.effects.add('CREATE VIEW', relations)
  walk.effects.include(inner)
  return 'CREATE VIEW'
}

/**
 * CREATE RULE: what the actions read is listed as for a view. What they write is not, since it runs with later
 * statements; like a trigger's function, it stays out of sight, which is why rules are a command of their own.
 */
export function createRule(statement: NodeOf<'RuleStmt'>, walk: Walk): CommandName {
  const inner = new Effects()
  const { actions, ...rest } = statement
  const relations = walkDefinition(rest, { ...walk, effects: inner })
  // An action can be NOTIFY too, which the walk would not expect.
  for (const action of actions ?? []) if (!('NotifyStmt' in action)) walkDefinition(action, { ...walk, effects: inner })
  noteOverSettings(inner)
  walk.effects.add('CREATE RULE', relations)
  walk.effects.includeReads(inner)
  return 'CREATE RULE'
}

/** DROP of anything that has no statement of its own. */
export function drop(statement: NodeOf<'DropStmt'>, walk: Walk): CommandName {
  const type = statement.removeType
  const relations = (statement.objects ?? []).map((object) => objectRelation(type, object))
  return noteObject('DROP', type, relations, walk)
}

/** RENAME: altering the object, or for a column what it belongs to. */
export function rename(statement: NodeOf<'RenameStmt'>, walk: Walk): CommandName {
  const type = statement.renameType === 'OBJECT_COLUMN' ? statement.relationType : statement.renameType
  return alterObject({ type, ...statement }, walk)
}

/** OWNER TO, SET SCHEMA and DEPENDS ON EXTENSION. */
export function alterNamed(
  statement: NodeOf<'AlterOwnerStmt'> | NodeOf<'AlterObjectSchemaStmt'> | NodeOf<'AlterObjectDependsStmt'>,
  walk: Walk,
): CommandName {
  return alterObject({ type: statement.objectType, ...statement }, walk)
}

/** ALTER TABLE and its like for indexes, views, sequences, foreign tables and composite types. */
export function alterTable(statement: NodeOf<'AlterTableStmt'>, walk: Walk): CommandName {
  if (statement.objtype === 'OBJECT_TYPE') return defineOther('ALTER TYPE')(statement, walk)
  const object = objectCommand(statement.objtype)
  if (object === null) return unknownObject(walk)
  return noteDefinition(`ALTER ${object}`, statement, walk)
}

/** ALTER TABLE ALL IN TABLESPACE: no relation is named, so it applies to the database as a whole. */
export function moveAll(statement: NodeOf<'AlterTableMoveAllStmt'>, walk: Walk): CommandName {
  return noteObject('ALTER', statement.objtype, [], walk)
}

/** ALTER FUNCTION, PROCEDURE and ROUTINE. */
export function alterFunction(statement: NodeOf<'AlterFunctionStmt'>, walk: Walk): CommandName {
  return noteObject('ALTER', statement.objtype, [], walk)
}

/** CREATE of what is defined by a list of options: aggregates, operators, types, collations, text search. */
export function createDefined(statement: NodeOf<'DefineStmt'>, walk: Walk): CommandName {
  return noteObject('CREATE', statement.kind, [], walk)
}

/** COMMENT and SECURITY LABEL, with the relation they are about. */
export function annotate(
  command: CommandName,
): (statement: NodeOf<'CommentStmt'> | NodeOf<'SecLabelStmt'>, walk: Walk) => CommandName {
  return (statement, walk) => {
    const relation = objectRelation(statement.objtype, statement.object)
    walk.effects.add(command, relation === null ? [] : [relation])
    return command
  }
}

/** CREATE SCHEMA, which can bring statements of its own. */
export function createSchema(
  statement: NodeOf<'CreateSchemaStmt'>,
  walk: Walk,
  dispatch: (node: unknown, walk: Walk) => CommandName,
): CommandName {
  walk.effects.add('CREATE SCHEMA')
  for (const element of statement.schemaElts ?? []) dispatch(element, walk)
  return 'CREATE SCHEMA'
}

function alterObject(
  change: { type: ObjectType | undefined; relation?: unknown; object?: unknown },
  walk: Walk,
): CommandName {
  const { type, relation, object } = change
  const isType = type === 'OBJECT_TYPE' || type === 'OBJECT_ATTRIBUTE'
  if (relation === undefined || isType) return noteObject('ALTER', type, [objectRelation(type, object)], walk)
  const relations: RelationName[] = []
  walkTree(relation, walk, null, (each) => relations.push(each))
  return noteObject('ALTER', type, relations, walk)
}

function noteObject(
  verb: 'CREATE' | 'ALTER' | 'DROP',
  type: ObjectType | undefined,
  relations: readonly (RelationName | null)[],
  walk: Walk,
): CommandName {
  const object = objectCommand(type)
  if (object === null) return unknownObject(walk)
  const command = `${verb} ${object}`
  walk.effects.add(
    command,
    relations.filter((relation) => relation !== null),
  )
  return command
}

function unknownObject(walk: Walk): CommandName {
  walk.effects.hide('names a kind of object that Postern does not know')
  return 'OPAQUE'
}

function noteDefinition(command: CommandName, statement: object, walk: Walk): CommandName {
  const inner = new Effects()
  const relations = walkDefinition(statement, { effects: inner, rules: walk.rules })
  walk.effects.add(command, relations)
  walk.effects.include(inner)
  return command
}

function noteOverSettings(inner: Effects): void {
  const isSettings = ({ schema, name }: RelationName): boolean =>
    name === 'pg_settings' && (schema === null || schema === 'pg_catalog')
  if (inner.reads.some(isSettings)) {
    inner.hide('is defined over pg_settings, through which settings could be changed')
  }
}

function walkDefinition(statement: object, walk: Walk): RelationName[] {
  const relations: RelationName[] = []
  walk.effects.isDefinition = true
  walkTree(statement, walk, null, (relation) => relations.push(relation))
  walk.effects.isDefinition = false
  return relations
}
