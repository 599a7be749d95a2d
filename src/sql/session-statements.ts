import type { CommandName } from '../core/statement.ts'
import { settingCommand } from './functions.ts'
import { relationOf } from './walk.ts'
import { tagged } from './parse-tree.ts'
import type { NodeOf } from './parse-tree.ts'
import type { Walk } from './walk.ts'

/** BEGIN to ROLLBACK PREPARED. */
export function transaction(statement: NodeOf<'TransactionStmt'>, walk: Walk): CommandName {
  const kind = statement.kind
  const command = kind !== undefined && Object.hasOwn(transactionCommands, kind) ? transactionCommands[kind] : null
  if (command === null) {
    walk.effects.hide('is a transaction statement that Postern does not know')
    return 'OPAQUE'
  }
  walk.effects.add(command)
  return command
}

const transactionCommands: Readonly<Record<NonNullable<NodeOf<'TransactionStmt'>['kind']>, CommandName>> = {
  TRANS_STMT_BEGIN: 'BEGIN',
  TRANS_STMT_START: 'START TRANSACTION',
  TRANS_STMT_COMMIT: 'COMMIT',
  TRANS_STMT_ROLLBACK: 'ROLLBACK',
  TRANS_STMT_SAVEPOINT: 'SAVEPOINT',
  TRANS_STMT_RELEASE: 'RELEASE',
  TRANS_STMT_ROLLBACK_TO: 'ROLLBACK TO SAVEPOINT',
  TRANS_STMT_PREPARE: 'PREPARE TRANSACTION',
  TRANS_STMT_COMMIT_PREPARED: 'COMMIT PREPARED',
  TRANS_STMT_ROLLBACK_PREPARED: 'ROLLBACK PREPARED',
}

/** SET and RESET in all their forms. Going back to the first role by RESET ROLE is a change of role as well. */
export function variableSet(statement: NodeOf<'VariableSetStmt'>, walk: Walk): CommandName {
  const command = variableCommand(statement)
  walk.effects.add(command)
  return command
}

function variableCommand({ kind, name }: NodeOf<'VariableSetStmt'>): CommandName {
  if (kind === 'VAR_RESET_ALL') return 'RESET'
  // SET TRANSACTION, SET TRANSACTION SNAPSHOT and SET SESSION CHARACTERISTICS AS TRANSACTION.
  if (kind === 'VAR_SET_MULTI') return 'SET TRANSACTION'
  const command = settingCommand(name ?? '')
  return command === 'SET' && kind === 'VAR_RESET' ? 'RESET' : command
}

/** FETCH and MOVE, which run the query of a cursor that was declared before. */
export function fetch(statement: NodeOf<'FetchStmt'>, walk: Walk): CommandName {
  const command = statement.ismove === true ? 'MOVE' : 'FETCH'
  walk.effects.add(command)
  walk.effects.fetches = statement.portalname ?? null
  return command
}

/** ACCESS SHARE, the lock that reading takes and that hinders nobody but DROP and its like. */
const accessShareLock = 1

/**
 * LOCK TABLE. A lock that keeps others from writing or even from reading asks for what PostgreSQL asks for: the right to
 * change the table.
 */
export function lockTable(statement: NodeOf<'LockStmt'>, walk: Walk): CommandName {
  const relations = (statement.relations ?? []).map((relation) => relationOf(tagged(relation)?.fields))
  walk.effects.add('LOCK TABLE', relations)
  if (statement.mode !== accessShareLock) walk.effects.add('UPDATE', relations)
  return 'LOCK TABLE'
}
