-- Rules that hold whatever program writes, as triggers: the same as in 0002-rules.sqlite.sql, in PostgreSQL's words.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0];
END
$body$;

-- A trigger's condition cannot look into tables, so these two look for themselves. The tables are those of the schema
-- that the trigger is in, whatever the search path of the session.
CREATE FUNCTION check_change_number() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
  last bigint;
BEGIN
  EXECUTE format('SELECT coalesce(max(seq), 0) FROM %I.changes', TG_TABLE_SCHEMA) INTO last;
  IF NEW.is_journalled <> 0 OR NEW.seq <= last THEN
    RAISE EXCEPTION 'changes are numbered in order';
  END IF;
  RETURN NEW;
END
$body$;

CREATE FUNCTION check_approver() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
  is_own boolean;
BEGIN
  EXECUTE format(
    'SELECT EXISTS (SELECT 1 FROM %I.requests'
    ' WHERE id = $1 AND requester_issuer = $2 AND requester_subject = $3)', TG_TABLE_SCHEMA)
    INTO is_own USING NEW.request, NEW.approver_issuer, NEW.approver_subject;
  IF is_own THEN
    RAISE EXCEPTION 'nobody answers an own request';
  END IF;
  RETURN NEW;
END
$body$;

CREATE TRIGGER changes_insert BEFORE INSERT ON changes
FOR EACH ROW EXECUTE FUNCTION check_change_number();

CREATE TRIGGER changes_update BEFORE UPDATE ON changes
FOR EACH ROW WHEN (
  (NEW.seq, NEW.at_ms, NEW.gateway, NEW.type, NEW.facts)
    IS DISTINCT FROM (OLD.seq, OLD.at_ms, OLD.gateway, OLD.type, OLD.facts)
  OR NEW.is_journalled <> 1
)
EXECUTE FUNCTION refuse_change('changes are only added');

CREATE TRIGGER changes_delete BEFORE DELETE ON changes
FOR EACH ROW EXECUTE FUNCTION refuse_change('changes are only added');

CREATE TRIGGER changes_truncate BEFORE TRUNCATE ON changes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('changes are only added');

CREATE TRIGGER approvals_insert BEFORE INSERT ON approvals
FOR EACH ROW EXECUTE FUNCTION check_approver();

CREATE TRIGGER approvals_update BEFORE UPDATE ON approvals
FOR EACH ROW EXECUTE FUNCTION refuse_change('approvals are only added');

CREATE TRIGGER approvals_delete BEFORE DELETE ON approvals
FOR EACH ROW EXECUTE FUNCTION refuse_change('approvals are only added');

CREATE TRIGGER approvals_truncate BEFORE TRUNCATE ON approvals
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('approvals are only added');

CREATE TRIGGER requests_update BEFORE UPDATE ON requests
FOR EACH ROW WHEN (OLD.state NOT IN ('pending', 'approved') AND NEW.state <> OLD.state)
EXECUTE FUNCTION refuse_change('a closed request stays as it is');

CREATE TRIGGER grants_update BEFORE UPDATE ON grants
FOR EACH ROW WHEN (
  OLD.ended_at_ms IS NOT NULL
  AND (NEW.ended_at_ms, NEW.until_ms) IS DISTINCT FROM (OLD.ended_at_ms, OLD.until_ms)
)
EXECUTE FUNCTION refuse_change('an ended grant stays ended');

CREATE TRIGGER tokens_update BEFORE UPDATE ON tokens
FOR EACH ROW WHEN (
  (OLD.ended_at_ms IS NOT NULL AND NEW.ended_at_ms IS DISTINCT FROM OLD.ended_at_ms)
  OR (OLD.session IS NOT NULL AND NEW.session IS DISTINCT FROM OLD.session)
)
EXECUTE FUNCTION refuse_change('a token that is used or ended stays so');
