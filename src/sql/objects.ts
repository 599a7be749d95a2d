import type { ObjectType } from '@pgsql/types'
import type { RelationName } from '../core/statement.ts'
import { namesOf } from './parse-tree.ts'
import { relationOfNames } from './walk.ts'

/** How the names that a statement gives for an object lead to a relation, if they do. */
type Naming =
  /** They name a relation. */
  | 'relation'
  /** They name a relation and then something of it: a column, a trigger. */
  | 'part'
  /** They name something else. */
  | 'other'

interface ObjectKind {
  /** As it stands in CREATE, ALTER and DROP; a part is altered by altering what it is a part of. */
  readonly command: string
  readonly naming: Naming
}

const kinds: Readonly<Record<ObjectType, ObjectKind>> = {
  OBJECT_ACCESS_METHOD: { command: 'ACCESS METHOD', naming: 'other' },
  OBJECT_AGGREGATE: { command: 'AGGREGATE', naming: 'other' },
  OBJECT_AMOP: { command: 'OPERATOR FAMILY', naming: 'other' },
  OBJECT_AMPROC: { command: 'OPERATOR FAMILY', naming: 'other' },
  OBJECT_ATTRIBUTE: { command: 'TYPE', naming: 'other' },
  OBJECT_CAST: { command: 'CAST', naming: 'other' },
  OBJECT_COLUMN: { command: 'TABLE', naming: 'part' },
  OBJECT_COLLATION: { command: 'COLLATION', naming: 'other' },
  OBJECT_CONVERSION: { command: 'CONVERSION', naming: 'other' },
  OBJECT_DATABASE: { command: 'DATABASE', naming: 'other' },
  OBJECT_DEFAULT: { command: 'TABLE', naming: 'part' },
  OBJECT_DEFACL: { command: 'TABLE', naming: 'other' },
  OBJECT_DOMAIN: { command: 'DOMAIN', naming: 'other' },
  OBJECT_DOMCONSTRAINT: { command: 'DOMAIN', naming: 'other' },
  OBJECT_EVENT_TRIGGER: { command: 'EVENT TRIGGER', naming: 'other' },
  OBJECT_EXTENSION: { command: 'EXTENSION', naming: 'other' },
  OBJECT_FDW: { command: 'FOREIGN DATA WRAPPER', naming: 'other' },
  OBJECT_FOREIGN_SERVER: { command: 'SERVER', naming: 'other' },
  OBJECT_FOREIGN_TABLE: { command: 'FOREIGN TABLE', naming: 'relation' },
  OBJECT_FUNCTION: { command: 'FUNCTION', naming: 'other' },
  OBJECT_INDEX: { command: 'INDEX', naming: 'relation' },
  OBJECT_LANGUAGE: { command: 'LANGUAGE', naming: 'other' },
  OBJECT_LARGEOBJECT: { command: 'LARGE OBJECT', naming: 'other' },
  OBJECT_MATVIEW: { command: 'MATERIALIZED VIEW', naming: 'relation' },
  OBJECT_OPCLASS: { command: 'OPERATOR CLASS', naming: 'other' },
  OBJECT_OPERATOR: { command: 'OPERATOR', naming: 'other' },
  OBJECT_OPFAMILY: { command: 'OPERATOR FAMILY', naming: 'other' },
  OBJECT_PARAMETER_ACL: { command: 'SYSTEM', naming: 'other' },
  OBJECT_POLICY: { command: 'POLICY', naming: 'part' },
  OBJECT_PROCEDURE: { command: 'PROCEDURE', naming: 'other' },
  OBJECT_PUBLICATION: { command: 'PUBLICATION', naming: 'other' },
  OBJECT_PUBLICATION_NAMESPACE: { command: 'PUBLICATION', naming: 'other' },
  OBJECT_PUBLICATION_REL: { command: 'PUBLICATION', naming: 'other' },
  OBJECT_ROLE: { command: 'ROLE', naming: 'other' },
  OBJECT_ROUTINE: { command: 'ROUTINE', naming: 'other' },
  OBJECT_RULE: { command: 'RULE', naming: 'part' },
  OBJECT_SCHEMA: { command: 'SCHEMA', naming: 'other' },
  OBJECT_SEQUENCE: { command: 'SEQUENCE', naming: 'relation' },
  OBJECT_SUBSCRIPTION: { command: 'SUBSCRIPTION', naming: 'other' },
  OBJECT_STATISTIC_EXT: { command: 'STATISTICS', naming: 'other' },
  OBJECT_TABCONSTRAINT: { command: 'TABLE', naming: 'part' },
  OBJECT_TABLE: { command: 'TABLE', naming: 'relation' },
  OBJECT_TABLESPACE: { command: 'TABLESPACE', naming: 'other' },
  OBJECT_TRANSFORM: { command: 'TRANSFORM', naming: 'other' },
  OBJECT_TRIGGER: { command: 'TRIGGER', naming: 'part' },
  OBJECT_TSCONFIGURATION: { command: 'TEXT SEARCH CONFIGURATION', naming: 'other' },
  OBJECT_TSDICTIONARY: { command: 'TEXT SEARCH DICTIONARY', naming: 'other' },
  OBJECT_TSPARSER: { command: 'TEXT SEARCH PARSER', naming: 'other' },
  OBJECT_TSTEMPLATE: { command: 'TEXT SEARCH TEMPLATE', naming: 'other' },
  OBJECT_TYPE: { command: 'TYPE', naming: 'other' },
  OBJECT_USER_MAPPING: { command: 'USER MAPPING', naming: 'other' },
  OBJECT_VIEW: { command: 'VIEW', naming: 'relation' },
}

/** What stands behind CREATE, ALTER or DROP for this kind of object; null for a kind that is not known. */
export function objectCommand(type: ObjectType | undefined): string | null {
  return type !== undefined && Object.hasOwn(kinds, type) ? kinds[type].command : null
}

/** The relation that an object (as DROP and COMMENT hold it) is or is a part of, or null. */
export function objectRelation(type: ObjectType | undefined, object: unknown): RelationName | null {
  if (type === undefined || !Object.hasOwn(kinds, type)) return null
  const { naming } = kinds[type]
  if (naming === 'other') return null
  const names = namesOf(object)
  return relationOfNames(naming === 'part' ? names.slice(0, -1) : names)
}
