/**
 * Every bound in one place. Units are in the names. A limit that is passed gives a clear error to the one who passed
 * it and to nobody else.
 */
export const limits = {
  /** Log-in: from accept to ReadyForQuery; PostgreSQL's own authentication_timeout is 60 s. */
  startupDeadlineMs: 30_000,
  /** A start-up packet, as PostgreSQL's MAX_STARTUP_PACKET_LENGTH. */
  startupPacketBytesMax: 10_000,
  /** A password message or SASL response before the client is known; tokens with many groups reach 10 KB. */
  passwordMessageBytesMax: 65_536,
  /** A token before any of it is parsed. */
  tokenCharsMax: 32_768,
  /** A principal's name, its issuer's prefix included. */
  principalNameCharsMax: 255,
  /** Groups of one principal; a token that has more is refused, since a group left out may be one that a policy forbids. */
  groupsMax: 1_000,
  /** One group's name, its issuer's prefix included. */
  groupNameCharsMax: 255,
  /** Actors in one delegation chain (RFC 8693 section 4.1). */
  actorsMax: 8,
  /** Authentication methods (`amr`) of one token. */
  authenticationMethodsMax: 32,
  /** Verified tokens remembered, so that a second log-in does no cryptography. */
  verifiedTokensMax: 10_000,
  /** How long a verified token is remembered: as long as an issuer's keys are, so that a withdrawn key stops both. */
  verifiedTokenAgeMsMax: 600_000,
  /** One request to an issuer, from connect to the last byte. */
  issuerDeadlineMs: 5_000,
  /** One answer of an issuer: the discovery document or its keys. */
  issuerResponseBytesMax: 1024 * 1024,
  /** The longest pause before an issuer that failed is asked again; the first is 250 ms and each doubles. */
  issuerRetryPauseMsMax: 10_000,
  /** Connections that have not logged in yet. */
  halfOpenConnectionsMax: 1_000,
  /** Sessions in all. */
  sessionsMax: 10_000,
  /** One message of a client after log-in. COPY data is streamed and not bound by this. */
  clientMessageBytesMax: 64 * 1024 * 1024,
  /** One message of the backend that has to be held whole: errors, notices, row descriptions, command tags. */
  backendHeldMessageBytesMax: 16 * 1024 * 1024,
  /** One row that has to be masked: it is held whole. */
  maskedRowBytesMax: 64 * 1024 * 1024,
  /** Messages of one session that PostgreSQL has not answered yet; beyond it the client is not read. */
  inFlightMessagesMax: 20_000,
  /** Prepared statements that one session may hold. */
  preparedStatementsMax: 20_000,
  /** Texts and parameters that one session's prepared statements may keep in memory, and as much again for its portals. */
  sessionNamesBytesMax: 16 * 1024 * 1024,
  /** A search_path as reported by PostgreSQL; a longer one counts as not known. */
  searchPathCharsMax: 4_096,
  /** What a refused log-in claims to be, as recorded. */
  recordedClaimCharsMax: 255,
  /** Portals and cursors that one session may hold. */
  portalsMax: 20_000,
  /** Statements in one Query. */
  statementsPerTextMax: 20_000,
  /** A text that is parsed on the event loop; larger ones go to a worker. */
  parseInlineBytesMax: 16 * 1024,
  /** A text that is parsed at all; larger ones are opaque. */
  parseBytesMax: 4 * 1024 * 1024,
  /** How long a worker may parse one text before it is ended and the text is opaque. */
  parseDeadlineMs: 5_000,
  /** Analyses kept, by bytes of text. */
  analysisCacheBytesMax: 32 * 1024 * 1024,
  /** One parameter value as recorded; longer ones are cut and marked. */
  recordedParameterCharsMax: 1_024,
  /** All parameters of one statement as recorded. */
  recordedParametersCharsMax: 16_384,
  /** A text up to which every entry of a session repeats it; a longer one is in one entry, which the others name. */
  repeatedSqlCharsMax: 4_096,
  /** A statement's text as recorded; longer ones are cut and marked with their length and hash. */
  recordedSqlCharsMax: 1024 * 1024,
  /** What of a text that has to be redacted is redacted and recorded; 1 MB of it would take the event loop tenths of a second. */
  redactedSqlCharsMax: 128 * 1024,
  /** Journal bytes waiting for the disk before statements are refused. */
  journalBacklogBytesMax: 64 * 1024 * 1024,
  /** A journal segment is sealed at this size. */
  journalSegmentBytes: 64 * 1024 * 1024,
  /** How long sessions may go on when the gateway stops, before their statements are cancelled. */
  drainDeadlineMs: 30_000,
  /** How long a refused log-in may take to read why. */
  refusalPatienceMs: 2_000,
  /** Of what PostgreSQL still sends after a session's end, how much is read and thrown away before it is cut off. */
  discardedBytesMax: 1024 * 1024,
  /** Characters of a statement with its parameters that an approver can be asked to look at. */
  approvalTextCharsMax: 1_000_000,
  /** What a client may send behind a statement that waits for approval before it is read no further. */
  waitingInputBytesMax: 1024 * 1024,
  /** How often database roles are looked for that sessions have left behind. */
  sessionRoleSweepMs: 60_000,
  /** Requests that wait for an answer at a time: of one principal, and of all. */
  requestsPerPrincipalMax: 100,
  pendingRequestsMax: 10_000,
  /** Connections that ask PostgreSQL about waiting statements, those that wait for one, and how long an answer may take. */
  explainsAtOnceMax: 2,
  explainsWaitingMax: 20,
  explainMsMax: 3_000,
  /** How often a connection whose statement waits for approval carries something. */
  keepAliveMs: 15_000,
  /** How long a closing connection may take to accept its last bytes. */
  closePatienceMs: 30_000,
  /** Connecting to PostgreSQL and logging in there. */
  backendConnectDeadlineMs: 15_000,
  /** One message of the backend before it is ready for queries. */
  backendLoginMessageBytesMax: 64 * 1024,
  /** Messages of the backend before it is ready for queries; PostgreSQL 18 sends about twenty. */
  backendLoginMessagesMax: 1_000,
  /** Passing a cancel request on to the backend. */
  backendCancelDeadlineMs: 10_000,
  /** SCRAM iterations that a server may ask for; about 0.15 s of one thread. PostgreSQL's default is 4,096. */
  scramIterationsMax: 1_000_000,
  /** Derived SCRAM keys that one credential keeps. */
  scramKeysMax: 1_000,
  /** A database password, from whatever source. Cloud providers issue tokens of a few KB as passwords. */
  credentialBytesMax: 16 * 1024,
  /** How long a command that prints a database password may run. */
  credentialCommandDeadlineMs: 10_000,
  /** All policy files together. */
  policySetBytesMax: 4 * 1024 * 1024,
  /** Parsing and validating a policy set, which takes tenths of a second. */
  policyCheckDeadlineMs: 60_000,
  /** Answers of policies kept; one is a few hundred bytes. */
  policyAnswersMax: 20_000,
  /** A classification file before any of it is parsed; a column takes about 50 bytes. */
  classificationFileBytesMax: 8 * 1024 * 1024,
  /** What is remembered of the classification of one database, as a file. */
  classificationMemoryBytesMax: 64 * 1024 * 1024,
  /** Snapshots of the catalog in which a remembered attribute may be missing before it is forgotten. */
  classificationAbsencesMax: 20,
  /** How long `postern classify` may take in all. */
  classifyDeadlineMs: 3_600_000,
  /** One value that detectors look at; of a longer one the beginning. */
  detectedCharsMax: 65_536,
  /**
   * How long reading the catalog waits for a lock that some session's ALTER or DROP holds. Far below deadlock_timeout
   * (1 s by default), so that where the two wait for each other it is never the session that is ended.
   */
  catalogLockWaitMsMax: 50,
  /** One query of the catalog. */
  catalogQueryMsMax: 30_000,
  /** One snapshot of the catalog, connecting included; then it counts as failed. */
  catalogLoadMsMax: 120_000,
  /** The rows of one query that the gateway asks for itself; of 2,000 tables' columns they are about 3 MB. */
  ownQueryRowsBytesMax: 512 * 1024 * 1024,
  /** A row of a masked COPY that is spread over messages; PostgreSQL sends each in one. */
  copyRowBytesMax: 64 * 1024 * 1024,
  /** How long one approval may count, as `@approval_good_for` says: no statement waits longer for its last one. */
  approvalGoodForMsMax: 86_400_000,
  /** A file of policy test cases. */
  policyCasesBytesMax: 4 * 1024 * 1024,
  /** Groups, access roles and schemas of a policy set that explaining tries out. */
  explainTrialsMax: 2_000,
  /** Distinct statements that replaying the journal remembers the decisions on. */
  replayedQuestionsMax: 100_000,
  /** Values of what the journal does not hold, tried for one statement; of one with more the decision is not known. */
  replayedVariantsMax: 512,
  /** Groups of differences that replaying the journal tells; more are counted. */
  replayedDifferencesMax: 10_000,
  /** One body of a request to the HTTP API. */
  httpBodyBytesMax: 64 * 1024,
  /** Request line and headers; a bearer token with many groups is the largest of them. */
  httpHeaderBytesMax: 48 * 1024,
  /** Path and query of a request to the HTTP API. */
  httpUrlCharsMax: 2_048,
  /** From the first byte of a request to the HTTP API to its last header, and to its last byte. */
  httpHeadersDeadlineMs: 10_000,
  httpReceiveDeadlineMs: 20_000,
  /** What handling one request may take; then its caller is told that the outcome is not known. */
  httpHandleDeadlineMs: 30_000,
  /** A connection on which nothing moves. */
  httpIdleMsMax: 60_000,
  /** Connections to the HTTP API, in all and from one address. */
  httpConnectionsMax: 1_000,
  httpConnectionsPerAddressMax: 200,
  /** How long answers under way may take when the gateway stops. */
  httpDrainDeadlineMs: 3_000,
  /** Console sessions, in all and of one principal; the oldest of a principal makes room. */
  consoleSessionsMax: 10_000,
  consoleSessionsPerPrincipalMax: 20,
  /** How long a browser may take from the log-in's start to its return. */
  consoleLoginMsMax: 600_000,
  /** Callers whose rate is counted one by one; further ones share one count. */
  rateBucketsMax: 10_000,
  /** A comment or a reason, as somebody types it. */
  commentCharsMax: 2_000,
  /** Of the reason that a client gives when it connects. */
  reasonCharsMax: 1_000,
  /** What the approval page shows of a statement's beginning and end; the rest is a download. */
  shownSqlHeadCharsMax: 12_000,
  shownSqlTailCharsMax: 2_000,
  /** Parameters that the approval page shows, and characters of each. */
  shownParametersMax: 100,
  shownParameterCharsMax: 1_000,
  /** Empty lines, and spaces, in a row that the approval page shows; more are counted instead, so that nothing hides behind them. */
  shownEmptyLinesMax: 2,
  shownSpacesMax: 60,
  /** One record of the control store as text: a statement with its parameters is by far the largest. */
  storeRecordCharsMax: 4 * 1024 * 1024,
  /** Rows that one question to the control store may give; where there are more it is refused, never cut. */
  storeRowsMax: 100_000,
  /** Transactions of one process that wait for the control store; a thousand statements may ask at once. */
  storeQueueMax: 10_000,
  /** How long a transaction may wait for those before it, of this process. */
  storeQueueWaitMsMax: 20_000,
  /** How long a transaction waits for one of another process. */
  storeLockWaitMsMax: 5_000,
  /** What is done within one transaction of the control store, all of it. */
  storeWorkMsMax: 10_000,
  /** One statement of the control store, on the server's side; the client gives it a moment more. */
  storeStatementMsMax: 10_000,
  /** Connecting to the control store. */
  storeConnectMsMax: 5_000,
  /** How often commits of other processes to an embedded store are looked for, and whether a listening connection lives. */
  storePollMs: 1_000,
  storeHeartbeatMs: 10_000,
  /** The longest pause before listening for changes is tried again; the first is 100 ms and each doubles. */
  storeRetryPauseMsMax: 5_000,
  /** By how much the clocks of gateways may differ; more of it, and what is from the future does not count. */
  clockSkewMsMax: 60_000,
  /** A reason or a comment to do with access. */
  accessTextCharsMax: 1_000,
  /** Who may say yes to one statement: requirements, and groups of each. */
  requirementsMax: 100,
  /** How long a session token may be good for. */
  sessionTokenMsMax: 24 * 3_600_000,
  /** Session tokens that one principal may have at a time. */
  sessionTokensPerPrincipalMax: 100,
  /** A sign of life of a gateway in the control store, and after how long without one it counts as lost. */
  gatewayTouchMs: 10_000,
  gatewayLostMs: 60_000,
  /** How often what has ended is looked for and written down, and changes of other gateways that nobody told of. */
  accessSweepMs: 3_000,
  /** How often an approval that its own gateway has not put on record yet is looked at again. */
  accessUnrecordedPollMs: 200,
  /** Changes of access that are not on record yet, beyond which nothing new is begun. */
  unrecordedChangesMax: 10_000,
  /** How long the control store keeps ended sessions and tokens, and gateways without a sign of life. */
  endedKeptMs: 30 * 86_400_000,
  gatewayKeptMs: 86_400_000,
  /** How often what is kept no longer is removed, how soon after the start, and how many rows at a time. */
  pruneIntervalMs: 3_600_000,
  pruneFirstMs: 600_000,
  prunedRowsMax: 500,
  /** Requests that are closed within one transaction. */
  closingsPerChangeMax: 50,
  /** How long stopping waits for what is still to be written. */
  accessCloseMsMax: 2_000,
  /** How long checking the store waits for changes to be put on record that were just made. */
  auditSettleMsMax: 5_000,
  /** Differences between store and journal that one comparison tells of. */
  differencesMax: 1_000,
  /** Connections over which database roles are made and dropped at a time, and how many more may wait for one. */
  roleConnectionsMax: 4,
  roleChangesWaitingMax: 1_000,
  /** Objects that one GRANT names. */
  grantObjectsMax: 200,
  /** Objects that one database role may have privileges on. */
  rolePrivilegesMax: 50_000,
  /** One statement that makes or drops a database role, and how long it waits for a lock. */
  roleStatementMsMax: 30_000,
  roleLockWaitMsMax: 5_000,
  /** How long the last statement of a database role may take to end before the role is left to the next sweep. */
  roleSessionEndMsMax: 5_000,
  /** How long after its end a database role of another gateway counts as left behind. */
  roleGraceMs: 300_000,
  /** How long a set of privileges that no database role has is kept for the next one. */
  rolePrivilegesKeptMs: 3_600_000,
  /** Roles that one sweep looks at, those that end first coming first. */
  rolesPerSweepMax: 100_000,
} as const
