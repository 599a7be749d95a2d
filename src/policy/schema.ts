import type { SchemaJson, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs'
import { actionGroups, commandGroups } from '../core/commands.ts'

const principalTypes = ['Human', 'Service', 'Agent']

type Attributes = Record<string, TypeOfAttribute<string>>

const text = { type: 'String' } as const
const whole = { type: 'Long' } as const
const truth = { type: 'Boolean' } as const
const texts = { type: 'Set', element: text } as const
const record = (attributes: Attributes) => ({ type: 'Record', attributes }) as const

const principal = {
  memberOfTypes: ['Group', 'AccessRole'],
  shape: record({ name: text, issuer: text, subject: text, groups: texts }),
}

/** What policies may ask of the session, as `context.session`. */
const session = record({
  clientAddress: { type: 'Extension', name: 'ipaddr' },
  applicationName: text,
  tls: truth,
  authenticationMethods: texts,
  actors: { type: 'Set', element: record({ issuer: text, subject: text }) },
  time: { type: 'Extension', name: 'datetime' },
  hour: whole,
  weekday: whole,
})

/** What policies may ask of the statement, as `context.statement`. */
const statement = record({
  kind: text,
  hasWhere: truth,
  count: whole,
  functions: texts,
  opaque: truth,
  tags: texts,
  predicateTags: texts,
})

/**
 * The Cedar schema that every policy is validated against: one action per SQL command in its group, all groups in
 * `statement`, so that a policy about `context.statement` can leave `connect` and `unmask` out, which have none. The
 * resources have no attributes on purpose: two relations that no policy names are then the same to every policy, and
 * one answer serves both (see `questions.ts`).
 */
export function policySchema(): SchemaJson<string> {
  const labels = { tags: text }
  // Named types, for Cedar reads a schema with hundreds of copies of them four times as long.
  const about = { session: { type: 'Session' }, statement: { type: 'Statement' } }
  return {
    '': {
      commonTypes: { Session: session, Statement: statement, StatementContext: record(about) },
      entityTypes: {
        Group: {},
        AccessRole: {},
        Human: principal,
        Service: principal,
        Agent: principal,
        Tag: {},
        Database: labels,
        Schema: { memberOfTypes: ['Database'], ...labels },
        Relation: { memberOfTypes: ['Schema', 'Database'], ...labels },
        Column: { memberOfTypes: ['Relation', 'Tag'], ...labels },
      },
      actions: {
        statement: {},
        ...Object.fromEntries(actionGroups.map((group) => [group, { memberOf: [{ id: 'statement' }] }])),
        connect: {
          appliesTo: { principalTypes, resourceTypes: ['Database'], context: record({ session: about.session }) },
        },
        unmask: {
          appliesTo: { principalTypes, resourceTypes: ['Column'], context: record({ session: about.session }) },
        },
        ...Object.fromEntries(
          Array.from(commandGroups, ([command, group]) => [
            command,
            {
              memberOf: [{ id: group }],
              appliesTo: {
                principalTypes,
                resourceTypes: ['Database', 'Relation'],
                context: { type: 'StatementContext' },
              },
            },
          ]),
        ),
      },
    },
  }
}
