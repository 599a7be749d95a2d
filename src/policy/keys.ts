import type { Tag } from '../core/classification.ts'
import type { ConnectRequest, StatementRequest } from '../core/decision.ts'
import { distinctPath, principalEntity, sessionContext } from './questions.ts'
import { usesFact } from './vocabulary.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Names requests by what policies can tell apart, cheaply for objects that come back (a session's facts, a principal). */
export interface Keys {
  /** Principal, database, session facts and, where policies look at it, the time in seconds. */
  session(request: ConnectRequest): string
  /** The same and what else decides about a given analysis: search path, statement count and tags. */
  statement(request: StatementRequest): string
}

/** The keys for one policy set. */
export function keysOf(vocabulary: Vocabulary): Keys {
  const numbers = new Map<string, number>()
  let last = 0
  const number = (text: string) => {
    const known = numbers.get(text)
    if (known !== undefined) return known
    // Numbers are never given twice, so that forgetting them costs a cache miss and nothing else.
    if (numbers.size >= textsMax) numbers.clear()
    numbers.set(text, ++last)
    return last
  }
  const remembered = <Thing extends object>(describe: (thing: Thing) => string) => {
    const byObject = new WeakMap<Thing, number>()
    return (thing: Thing) => {
      const known = byObject.get(thing)
      if (known !== undefined) return known
      const found = number(describe(thing))
      byObject.set(thing, found)
      return found
    }
  }
  const usesTime = ['time', 'hour', 'weekday'].some((name) => usesFact(vocabulary, `session.${name}`))
  const ofDatabase = remembered<ConnectRequest['database']>(({ name, labels }) => JSON.stringify([name, ...labels]))
  const neutral = { session: { clientAddress: '', applicationName: '', isTls: true }, nowMs: 0 }
  const ofPrincipal = remembered<ConnectRequest['principal']>((principal) => {
    const entity = principalEntity({ principal, accessRoles: [] }, vocabulary)
    return JSON.stringify([entity, sessionContext(vocabulary, { principal, ...neutral })])
  })
  const namedRoles = vocabulary.entities.get('AccessRole')
  const ofRoles = remembered<readonly string[]>((roles) =>
    JSON.stringify(roles.filter((role) => namedRoles?.has(role))),
  )
  const ofSession = remembered<ConnectRequest['session']>(({ clientAddress, applicationName, isTls }) =>
    JSON.stringify([
      usesFact(vocabulary, 'session.clientAddress') && clientAddress,
      usesFact(vocabulary, 'session.applicationName') && applicationName,
      usesFact(vocabulary, 'session.tls') && isTls,
    ]),
  )
  // As much of it as policies tell apart: a client can set a long one, and another each time.
  const pathsOf = new Map<string, (path: readonly string[]) => number>()
  const ofPath = (path: readonly string[], database: string) => {
    const known = pathsOf.get(database)
    if (known !== undefined) return known(path)
    const describe = remembered<readonly string[]>((path) =>
      JSON.stringify(distinctPath(path, { database, vocabulary })),
    )
    pathsOf.set(database, describe)
    return describe(path)
  }
  const ofTags = remembered<readonly Tag[]>((tags) => JSON.stringify(tags))
  const tagsKey = (fact: string) => {
    const isUsed = usesFact(vocabulary, fact)
    return (tags: readonly Tag[]) => (isUsed && tags.length > 0 ? ofTags(tags) : 0)
  }
  const ofTouched = tagsKey('statement.tags')
  const ofPredicates = tagsKey('statement.predicateTags')
  const session = ({ principal, accessRoles, database, session, nowMs }: ConnectRequest) =>
    `${ofPrincipal(principal)}.${ofRoles(accessRoles)}.${ofDatabase(database)}.${ofSession(session)}.${usesTime ? Math.floor(nowMs / 1_000) : 0}`
  return {
    session,
    statement: (request) => {
      const path = request.searchPath === null ? 'any' : ofPath(request.searchPath, request.database.name)
      const tags = `${ofTouched(request.tags)}.${ofPredicates(request.predicateTags)}`
      return `${session(request)}.${request.statementCount}.${path}.${tags}`
    },
  }
}

const textsMax = 50_000
