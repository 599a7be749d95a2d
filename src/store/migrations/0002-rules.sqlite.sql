-- Rules that hold whatever program writes, as triggers: the same as in 0002-rules.postgres.sql, in SQLite's words.

CREATE TRIGGER changes_insert BEFORE INSERT ON changes
WHEN NEW.is_journalled <> 0 OR NEW.seq <= (SELECT coalesce(max(seq), 0) FROM changes)
BEGIN SELECT RAISE(ABORT, 'changes are numbered in order'); END;

CREATE TRIGGER changes_update BEFORE UPDATE ON changes
WHEN NEW.seq IS NOT OLD.seq OR NEW.at_ms IS NOT OLD.at_ms OR NEW.gateway IS NOT OLD.gateway OR NEW.type IS NOT OLD.type
  OR NEW.facts IS NOT OLD.facts OR NEW.is_journalled <> 1
BEGIN SELECT RAISE(ABORT, 'changes are only added'); END;

CREATE TRIGGER changes_delete BEFORE DELETE ON changes
BEGIN SELECT RAISE(ABORT, 'changes are only added'); END;

CREATE TRIGGER approvals_insert BEFORE INSERT ON approvals
WHEN EXISTS (
  SELECT 1 FROM requests
  WHERE id = NEW.request AND requester_issuer = NEW.approver_issuer AND requester_subject = NEW.approver_subject
)
BEGIN SELECT RAISE(ABORT, 'nobody answers an own request'); END;

CREATE TRIGGER approvals_update BEFORE UPDATE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are only added'); END;

CREATE TRIGGER approvals_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are only added'); END;

CREATE TRIGGER requests_update BEFORE UPDATE ON requests
WHEN OLD.state NOT IN ('pending', 'approved') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'a closed request stays as it is'); END;

CREATE TRIGGER grants_update BEFORE UPDATE ON grants
WHEN OLD.ended_at_ms IS NOT NULL AND (NEW.ended_at_ms IS NOT OLD.ended_at_ms OR NEW.until_ms IS NOT OLD.until_ms)
BEGIN SELECT RAISE(ABORT, 'an ended grant stays ended'); END;

CREATE TRIGGER tokens_update BEFORE UPDATE ON tokens
WHEN (OLD.ended_at_ms IS NOT NULL AND NEW.ended_at_ms IS NOT OLD.ended_at_ms)
  OR (OLD.session IS NOT NULL AND NEW.session IS NOT OLD.session)
BEGIN SELECT RAISE(ABORT, 'a token that is used or ended stays so'); END;
