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
  /** Connections that have not logged in yet. */
  halfOpenConnectionsMax: 1_000,
  /** Sessions in all. */
  sessionsMax: 10_000,
  /** One message of a client after log-in. COPY data is streamed and not bound by this. */
  clientMessageBytesMax: 64 * 1024 * 1024,
  /** One message of the backend that has to be held whole: errors, notices, row descriptions, command tags. */
  backendHeldMessageBytesMax: 16 * 1024 * 1024,
  /** Messages of one session that PostgreSQL has not answered yet; beyond it the client is not read. */
  inFlightMessagesMax: 20_000,
  /** Prepared statements that one session may hold. */
  preparedStatementsMax: 20_000,
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
  /** A statement's text as recorded; longer ones are cut and marked with their length and hash. */
  recordedSqlCharsMax: 1024 * 1024,
  /** Journal bytes waiting for the disk before statements are refused. */
  journalBacklogBytesMax: 64 * 1024 * 1024,
  /** A journal segment is sealed at this size. */
  journalSegmentBytes: 64 * 1024 * 1024,
  /** Connecting to PostgreSQL and logging in there. */
  backendConnectDeadlineMs: 15_000,
} as const
