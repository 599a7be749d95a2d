import { PosternError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { identityName } from './identity-parameters.ts'

/**
 * Why statements would have PostgreSQL take the session for somebody else's; null where they would not. `renames` says
 * whether the one that sets `application_name` is sent with the identity in front.
 */
export function forgery(
  statements: readonly StatementAnalysis[],
  how: { readonly showsIdentity: boolean; readonly renames: () => boolean },
): PosternError | null {
  if (statements.some(({ forgesIdentity }) => forgesIdentity)) {
    return new PosternError(
      'statement_refused',
      'this may set a setting named postern.*, which the gateway alone sets',
      {
        detail: 'By these settings PostgreSQL knows who is asking.',
        hint: 'Name other settings; give set_config() the name of the setting as a constant.',
      },
    )
  }
  if (!how.showsIdentity || statements.every(({ setsApplicationName }) => setsApplicationName === null)) return null
  if (how.renames()) return null
  return new PosternError(
    'statement_refused',
    'application_name says who is asking here, so that this may not set it',
    {
      hint: "Send SET application_name = '...' as a text of its own, or give the name when connecting.",
    },
  )
}

/** A plain SET of a plain text: what is sent instead means the same with the identity in front. */
const plainSet = /^\s*SET\s+(LOCAL\s+|SESSION\s+)?application_name\s*(?:=|\s+TO\s)\s*(?:'[^'\\]*'|[A-Za-z_]\w*)\s*$/iu

/** The statement with the identity before the name that it sets; null where it is not a plain SET of one. */
export function renamedStatement(
  { sql, kind, setsApplicationName }: StatementAnalysis,
  at: { readonly principal: Pick<Principal, 'name'>; readonly settings: { readonly clientEncoding: string } },
): string | null {
  const to = setsApplicationName?.to ?? null
  const scope = plainSet.exec(sql)
  if (to === null || scope === null || kind !== 'SET') return null
  const name = identityName(at.principal, to)
  // The text goes out in the client's encoding.
  if (at.settings.clientEncoding !== 'UTF8' && !/^[\x20-\x7e]*$/u.test(name)) return null
  // E'' reads the same whatever standard_conforming_strings says.
  const literal = name.replaceAll('\\', '\\\\').replaceAll("'", "''")
  return `SET ${(scope[1] ?? '').trim()} application_name = E'${literal}'`
}
