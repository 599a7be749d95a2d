-- What pruning looks for, and what each removal has to look up in the tables that refer to it. For both engines.

CREATE INDEX sessions_ended ON sessions (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX sessions_by_gateway ON sessions (gateway, ended_at_ms);
CREATE INDEX sessions_by_token ON sessions (token) WHERE token IS NOT NULL;
CREATE INDEX tokens_ended ON tokens (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX requests_by_gateway ON requests (gateway) WHERE gateway IS NOT NULL;
CREATE INDEX changes_by_gateway ON changes (gateway);
