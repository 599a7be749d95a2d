import type { CommandName, StatementAnalysis } from '../core/statement.ts'
import {
  alterFunction,
  alterNamed,
  alterTable,
  annotate,
  createDefined,
  createRule,
  createSchema,
  createView,
  define,
  defineOther,
  drop,
  moveAll,
  plain,
  rename,
} from './definitions.ts'
import type { Handler } from './definitions.ts'
import { Effects } from './effects.ts'
import { noteField } from './functions.ts'
import { identityFacts } from './identity-settings.ts'
import { tagged } from './parse-tree.ts'
import type { StatementTag } from './parse-tree.ts'
import {
  call,
  copy,
  createTableAs,
  declareCursor,
  doBlock,
  execute,
  explain,
  prepare,
  select,
  write,
} from './running-statements.ts'
import { fetch, lockTable, transaction, variableSet } from './session-statements.ts'
import type { Walk } from './walk.ts'

/** Analyses one statement of the parse tree; `sql` is its text. */
export function analyzeStatement(node: unknown, sql: string, rules: Walk['rules']): StatementAnalysis {
  const effects = new Effects()
  const kind = dispatch(node, { effects, rules }, sql)
  for (const name of effects.fieldsOfFunctions) noteField(effects, rules, name)
  return effects.toAnalysis(kind, sql, identityFacts(node, sql))
}

/** Notes what a statement does and gives its top-level command; one that is not known is opaque. */
function dispatch(node: unknown, walk: Walk, sql: string): CommandName {
  const found = tagged(node)
  const tag = found?.tag ?? ''
  if (!Object.hasOwn(handlers, tag)) return unknown(walk, tag)
  const handle = handlers[tag as StatementTag] as (statement: unknown, walk: Walk, sql: string) => CommandName
  return handle(found?.fields, walk, sql)
}

function unknown(walk: Walk, tag: string): CommandName {
  walk.effects.hide(`is a ${tag === '' ? 'statement' : tag} that Postern does not know`)
  return 'OPAQUE'
}

type Handlers = {
  readonly [Tag in StatementTag]: (...given: [...Parameters<Handler<Tag>>, sql: string]) => ReturnType<Handler<Tag>>
}

/** One entry for every statement of PostgreSQL's grammar: one that is forgotten does not compile. */
const handlers: Handlers = {
  // Queries.
  SelectStmt: select,
  InsertStmt: write('InsertStmt', 'INSERT'),
  UpdateStmt: write('UpdateStmt', 'UPDATE'),
  DeleteStmt: write('DeleteStmt', 'DELETE'),
  MergeStmt: write('MergeStmt', 'MERGE'),

  // Statements that run, prepare or explain others.
  CopyStmt: (statement, walk, sql) => copy(statement, walk, nested(sql)),
  ExplainStmt: (statement, walk, sql) => explain(statement, walk, nested(sql)),
  CreateTableAsStmt: (statement, walk, sql) => createTableAs(statement, walk, nested(sql)),
  PrepareStmt: (statement, walk, sql) => prepare(statement, walk, (node) => analyzeStatement(node, sql, walk.rules)),
  ExecuteStmt: execute,
  DeclareCursorStmt: (statement, walk, sql) => declareCursor(statement, walk, nested(sql)),
  DoStmt: doBlock,
  CallStmt: call,

  // The session.
  TransactionStmt: transaction,
  VariableSetStmt: variableSet,
  VariableShowStmt: plain('SHOW'),
  ConstraintsSetStmt: plain('SET CONSTRAINTS'),
  DiscardStmt: plain('DISCARD'),
  DeallocateStmt: plain('DEALLOCATE'),
  FetchStmt: fetch,
  ClosePortalStmt: plain('CLOSE CURSOR'),
  ListenStmt: plain('LISTEN'),
  UnlistenStmt: plain('UNLISTEN'),
  NotifyStmt: plain('NOTIFY'),
  LockStmt: lockTable,

  // Tables and what belongs to them.
  CreateStmt: define('CREATE TABLE'),
  CreateForeignTableStmt: define('CREATE FOREIGN TABLE'),
  AlterTableStmt: alterTable,
  AlterTableMoveAllStmt: moveAll,
  TruncateStmt: define('TRUNCATE TABLE'),
  IndexStmt: define('CREATE INDEX'),
  ReindexStmt: define('REINDEX'),
  ClusterStmt: define('CLUSTER'),
  VacuumStmt: (statement, walk) => define(statement.is_vacuumcmd === true ? 'VACUUM' : 'ANALYZE')(statement, walk),
  CreateStatsStmt: define('CREATE STATISTICS'),
  AlterStatsStmt: plain('ALTER STATISTICS'),
  CreateSeqStmt: define('CREATE SEQUENCE'),
  AlterSeqStmt: define('ALTER SEQUENCE'),
  ViewStmt: createView,
  RefreshMatViewStmt: define('REFRESH MATERIALIZED VIEW'),
  RuleStmt: createRule,
  CreateTrigStmt: define('CREATE TRIGGER'),
  CreatePolicyStmt: define('CREATE POLICY'),
  AlterPolicyStmt: define('ALTER POLICY'),

  // Schemas, types, functions and other objects.
  CreateSchemaStmt: (statement, walk, sql) => createSchema(statement, walk, nested(sql)),
  CreateExtensionStmt: plain('CREATE EXTENSION'),
  AlterExtensionStmt: plain('ALTER EXTENSION'),
  AlterExtensionContentsStmt: plain('ALTER EXTENSION'),
  CompositeTypeStmt: defineOther('CREATE TYPE'),
  CreateEnumStmt: plain('CREATE TYPE'),
  CreateRangeStmt: plain('CREATE TYPE'),
  AlterEnumStmt: plain('ALTER TYPE'),
  AlterTypeStmt: plain('ALTER TYPE'),
  CreateDomainStmt: defineOther('CREATE DOMAIN'),
  AlterDomainStmt: defineOther('ALTER DOMAIN'),
  DefineStmt: createDefined,
  AlterCollationStmt: plain('ALTER COLLATION'),
  CreateConversionStmt: plain('CREATE CONVERSION'),
  CreateCastStmt: plain('CREATE CAST'),
  CreateTransformStmt: plain('CREATE TRANSFORM'),
  AlterOperatorStmt: plain('ALTER OPERATOR'),
  CreateOpClassStmt: plain('CREATE OPERATOR CLASS'),
  CreateOpFamilyStmt: plain('CREATE OPERATOR FAMILY'),
  AlterOpFamilyStmt: plain('ALTER OPERATOR FAMILY'),
  AlterTSDictionaryStmt: plain('ALTER TEXT SEARCH DICTIONARY'),
  AlterTSConfigurationStmt: plain('ALTER TEXT SEARCH CONFIGURATION'),
  // A body is not walked: it runs when the function is called, and a call of a function that is not known is opaque.
  CreateFunctionStmt: (statement, walk) =>
    plain(statement.is_procedure === true ? 'CREATE PROCEDURE' : 'CREATE FUNCTION')(statement, walk),
  AlterFunctionStmt: alterFunction,

  // What works on objects of any kind.
  DropStmt: drop,
  RenameStmt: rename,
  AlterOwnerStmt: alterNamed,
  AlterObjectSchemaStmt: alterNamed,
  AlterObjectDependsStmt: alterNamed,
  CommentStmt: annotate('COMMENT'),
  SecLabelStmt: annotate('SECURITY LABEL'),
  GrantStmt: (statement, walk) => define(statement.is_grant === true ? 'GRANT' : 'REVOKE')(statement, walk),
  AlterDefaultPrivilegesStmt: plain('ALTER DEFAULT PRIVILEGES'),
  DropOwnedStmt: plain('DROP OWNED'),
  ReassignOwnedStmt: plain('REASSIGN OWNED'),
  ImportForeignSchemaStmt: plain('IMPORT FOREIGN SCHEMA'),

  // Administration.
  CreatedbStmt: plain('CREATE DATABASE'),
  AlterDatabaseStmt: plain('ALTER DATABASE'),
  AlterDatabaseRefreshCollStmt: plain('ALTER DATABASE'),
  AlterDatabaseSetStmt: plain('ALTER DATABASE'),
  DropdbStmt: plain('DROP DATABASE'),
  CreateTableSpaceStmt: plain('CREATE TABLESPACE'),
  AlterTableSpaceOptionsStmt: plain('ALTER TABLESPACE'),
  DropTableSpaceStmt: plain('DROP TABLESPACE'),
  CreateRoleStmt: plain('CREATE ROLE'),
  AlterRoleStmt: plain('ALTER ROLE'),
  AlterRoleSetStmt: plain('ALTER ROLE'),
  DropRoleStmt: plain('DROP ROLE'),
  GrantRoleStmt: (statement, walk) =>
    plain(statement.is_grant === true ? 'GRANT ROLE' : 'REVOKE ROLE')(statement, walk),
  CreateFdwStmt: plain('CREATE FOREIGN DATA WRAPPER'),
  AlterFdwStmt: plain('ALTER FOREIGN DATA WRAPPER'),
  CreateForeignServerStmt: plain('CREATE SERVER'),
  AlterForeignServerStmt: plain('ALTER SERVER'),
  CreateUserMappingStmt: plain('CREATE USER MAPPING'),
  AlterUserMappingStmt: plain('ALTER USER MAPPING'),
  DropUserMappingStmt: plain('DROP USER MAPPING'),
  CreateAmStmt: plain('CREATE ACCESS METHOD'),
  CreateEventTrigStmt: plain('CREATE EVENT TRIGGER'),
  AlterEventTrigStmt: plain('ALTER EVENT TRIGGER'),
  CreatePLangStmt: plain('CREATE LANGUAGE'),
  CreatePublicationStmt: define('CREATE PUBLICATION'),
  AlterPublicationStmt: define('ALTER PUBLICATION'),
  CreateSubscriptionStmt: plain('CREATE SUBSCRIPTION'),
  AlterSubscriptionStmt: plain('ALTER SUBSCRIPTION'),
  DropSubscriptionStmt: plain('DROP SUBSCRIPTION'),
  AlterSystemStmt: plain('ALTER SYSTEM'),
  CheckPointStmt: plain('CHECKPOINT'),
  LoadStmt: plain('LOAD'),

  // Parts of other statements, which no text can hold by themselves.
  RawStmt: (_statement, walk) => unknown(walk, 'RawStmt'),
  SetOperationStmt: (_statement, walk) => unknown(walk, 'SetOperationStmt'),
  ReturnStmt: (_statement, walk) => unknown(walk, 'ReturnStmt'),
  PLAssignStmt: (_statement, walk) => unknown(walk, 'PLAssignStmt'),
  ReplicaIdentityStmt: (_statement, walk) => unknown(walk, 'ReplicaIdentityStmt'),
}

function nested(sql: string): (node: unknown, walk: Walk) => CommandName {
  return (node, walk) => dispatch(node, walk, sql)
}
