-- The tables of the control store, for both engines. Times are milliseconds since the epoch. What is filtered, joined or
-- constrained is a column; the rest of a record is JSON text, which is validated when it is read.

CREATE TABLE gateways (
  id text NOT NULL PRIMARY KEY,
  seen_at_ms bigint NOT NULL
);

CREATE TABLE requests (
  id text NOT NULL PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('statement', 'access')),
  state text NOT NULL
    CHECK (state IN ('pending', 'approved', 'used', 'granted', 'denied', 'expired', 'withdrawn')),
  requester_issuer text NOT NULL,
  requester_subject text NOT NULL,
  requester_name text NOT NULL,
  created_at_ms bigint NOT NULL,
  expires_at_ms bigint NOT NULL,
  -- Of a statement that waits.
  gateway text REFERENCES gateways (id),
  session text,
  database text,
  binding text,
  -- Of somebody who asks for an access role.
  role text,
  -- JSON: what never changes, what goes with the state, and what approvers are shown of a statement.
  rest text NOT NULL,
  state_rest text NOT NULL,
  about text,
  CHECK (
    (
      kind = 'statement' AND state <> 'granted' AND role IS NULL
      AND gateway IS NOT NULL AND session IS NOT NULL AND database IS NOT NULL
      AND binding IS NOT NULL AND about IS NOT NULL
    )
    OR (
      kind = 'access' AND state <> 'used' AND role IS NOT NULL
      AND gateway IS NULL AND session IS NULL AND database IS NULL
      AND binding IS NULL AND about IS NULL
    )
  )
);

CREATE INDEX requests_by_state ON requests (state, created_at_ms);
CREATE INDEX requests_by_age ON requests (created_at_ms);
CREATE INDEX requests_by_requester ON requests (requester_subject, created_at_ms);
CREATE INDEX requests_by_session ON requests (session);
CREATE INDEX requests_pending_by_expiry ON requests (expires_at_ms) WHERE state IN ('pending', 'approved');

CREATE TABLE approvals (
  request text NOT NULL REFERENCES requests (id),
  -- The order in which they were given.
  ordinal integer NOT NULL,
  approver_issuer text NOT NULL,
  approver_subject text NOT NULL,
  approver_name text NOT NULL,
  answer text NOT NULL CHECK (answer IN ('approve', 'deny')),
  at_ms bigint NOT NULL,
  rest text NOT NULL,
  PRIMARY KEY (request, ordinal),
  -- Nobody counts twice, however many answers arrive at once.
  UNIQUE (request, approver_issuer, approver_subject)
);

CREATE TABLE grants (
  id text NOT NULL PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('approved', 'break_glass')),
  principal_issuer text NOT NULL,
  principal_subject text NOT NULL,
  principal_name text NOT NULL,
  role text NOT NULL,
  request text REFERENCES requests (id),
  from_ms bigint NOT NULL,
  until_ms bigint NOT NULL,
  ended_at_ms bigint,
  ended_why text CHECK (ended_why IN ('expired', 'revoked')),
  reviewed_at_ms bigint,
  -- JSON: what never changes, who ended it, and what the reviewer said.
  rest text NOT NULL,
  ended_by text,
  review text,
  CHECK ((ended_at_ms IS NULL) = (ended_why IS NULL)),
  CHECK (ended_by IS NULL OR ended_at_ms IS NOT NULL),
  CHECK ((reviewed_at_ms IS NULL) = (review IS NULL))
);

CREATE INDEX grants_active ON grants (principal_subject, principal_issuer) WHERE ended_at_ms IS NULL;
CREATE INDEX grants_by_principal ON grants (principal_name, from_ms);
CREATE INDEX grants_by_age ON grants (from_ms);
CREATE INDEX grants_to_review ON grants (from_ms) WHERE kind = 'break_glass' AND reviewed_at_ms IS NULL;

CREATE TABLE tokens (
  id text NOT NULL PRIMARY KEY,
  principal_issuer text NOT NULL,
  principal_subject text NOT NULL,
  principal_name text NOT NULL,
  role text,
  grant_id text REFERENCES grants (id),
  database text NOT NULL,
  secret_hash text NOT NULL UNIQUE,
  issued_at_ms bigint NOT NULL,
  expires_at_ms bigint NOT NULL,
  is_single_session integer NOT NULL CHECK (is_single_session IN (0, 1)),
  -- Of a single-session token only, and never two tokens for one session.
  session text UNIQUE,
  ended_at_ms bigint,
  ended_why text CHECK (ended_why IN ('expired', 'revoked', 'session_ended')),
  rest text NOT NULL,
  CHECK (session IS NULL OR is_single_session = 1),
  CHECK ((ended_at_ms IS NULL) = (ended_why IS NULL))
);

CREATE INDEX tokens_by_principal ON tokens (principal_subject, principal_issuer);
CREATE INDEX tokens_active ON tokens (expires_at_ms) WHERE ended_at_ms IS NULL;

CREATE TABLE sessions (
  id text NOT NULL PRIMARY KEY,
  gateway text NOT NULL REFERENCES gateways (id),
  principal_issuer text NOT NULL,
  principal_subject text NOT NULL,
  principal_name text NOT NULL,
  database text NOT NULL,
  token text REFERENCES tokens (id),
  started_at_ms bigint NOT NULL,
  ended_at_ms bigint,
  rest text NOT NULL
);

CREATE INDEX sessions_active ON sessions (gateway) WHERE ended_at_ms IS NULL;

CREATE TABLE revocations (
  ordinal integer NOT NULL PRIMARY KEY,
  issuer text NOT NULL,
  subject text NOT NULL,
  name text NOT NULL,
  not_before_ms bigint NOT NULL,
  rest text NOT NULL
);

-- What happened, until and after a journal has it. Numbers grow by commit, since changes are serialised.
CREATE TABLE changes (
  seq bigint NOT NULL PRIMARY KEY,
  at_ms bigint NOT NULL,
  gateway text NOT NULL REFERENCES gateways (id),
  type text NOT NULL,
  facts text NOT NULL,
  is_journalled integer NOT NULL CHECK (is_journalled IN (0, 1))
);

CREATE INDEX changes_unjournalled ON changes (gateway, seq) WHERE is_journalled = 0;
