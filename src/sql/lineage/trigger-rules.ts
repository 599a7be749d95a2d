import type { CatalogRelation } from '../../core/catalog.ts'
import type { Trace } from './context.ts'
import { tagged } from '../parse-tree.ts'
import type { TriggerObserver } from './trigger-observer.ts'
import { variablesOf } from './trigger-functions.ts'
import { fieldsOf, listOf } from './tree.ts'
import { queryTags } from '../queries.ts'
import { traceQueryNode } from './select.ts'
import { traceUtility } from './statements.ts'

/** Notes with the observer what the actions of a rule write; NEW and OLD stand for rows as in a trigger. */
export function followRule(rule: string, relation: CatalogRelation, observer: TriggerObserver, trace: Trace): void {
  const [statement] = trace.schema.parse(rule) ?? []
  const found = fieldsOf(statement?.stmt, 'RuleStmt')
  if (found === null) {
    observer.isUnfollowed = true
    return
  }
  const variables = variablesOf(relation, trace)
  const place = { searchPath: ['pg_catalog'], positional: [], labels: [], tables: new Map() }
  const scope = variables.scope(place, trace)
  for (const action of listOf(found['actions'])) {
    observer.within(
      () => variables.tellsOf(),
      () => {
        if (queryTags.has(tagged(action)?.tag ?? '')) traceQueryNode(action, scope, trace)
        else traceUtility(action, scope, trace)
      },
    )
  }
}
