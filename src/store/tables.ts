import type { ColumnType } from 'kysely'

/*
 * The tables of `migrations/`, as the query builder knows them. What is read is `unknown` until a decoder has looked at
 * it: a bigint comes as text from PostgreSQL and as a number from SQLite, and neither is trusted.
 */

type Kept<T> = ColumnType<unknown, T, T>
type Text = Kept<string>
type TextOrNull = Kept<string | null>
type Whole = Kept<number>
type WholeOrNull = Kept<number | null>

interface GatewaysTable {
  id: Text
  seen_at_ms: Whole
}

interface RequestsTable {
  id: Text
  kind: Text
  state: Text
  requester_issuer: Text
  requester_subject: Text
  requester_name: Text
  created_at_ms: Whole
  expires_at_ms: Whole
  gateway: TextOrNull
  session: TextOrNull
  database: TextOrNull
  binding: TextOrNull
  role: TextOrNull
  rest: Text
  state_rest: Text
  about: TextOrNull
}

interface ApprovalsTable {
  request: Text
  ordinal: Whole
  approver_issuer: Text
  approver_subject: Text
  approver_name: Text
  answer: Text
  at_ms: Whole
  rest: Text
}

interface GrantsTable {
  id: Text
  kind: Text
  principal_issuer: Text
  principal_subject: Text
  principal_name: Text
  role: Text
  request: TextOrNull
  from_ms: Whole
  until_ms: Whole
  ended_at_ms: WholeOrNull
  ended_why: TextOrNull
  reviewed_at_ms: WholeOrNull
  rest: Text
  ended_by: TextOrNull
  review: TextOrNull
}

interface TokensTable {
  id: Text
  principal_issuer: Text
  principal_subject: Text
  principal_name: Text
  role: TextOrNull
  grant_id: TextOrNull
  database: Text
  secret_hash: Text
  issued_at_ms: Whole
  expires_at_ms: Whole
  is_single_session: Whole
  session: TextOrNull
  ended_at_ms: WholeOrNull
  ended_why: TextOrNull
  rest: Text
}

interface SessionsTable {
  id: Text
  gateway: Text
  principal_issuer: Text
  principal_subject: Text
  principal_name: Text
  database: Text
  token: TextOrNull
  started_at_ms: Whole
  ended_at_ms: WholeOrNull
  rest: Text
}

interface RevocationsTable {
  ordinal: Whole
  issuer: Text
  subject: Text
  name: Text
  not_before_ms: Whole
  rest: Text
}

interface ChangesTable {
  seq: Whole
  at_ms: Whole
  gateway: Text
  type: Text
  facts: Text
  is_journalled: Whole
}

/** All tables by their names. */
export interface Tables {
  gateways: GatewaysTable
  requests: RequestsTable
  approvals: ApprovalsTable
  grants: GrantsTable
  tokens: TokensTable
  sessions: SessionsTable
  revocations: RevocationsTable
  changes: ChangesTable
}
