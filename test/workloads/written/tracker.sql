-- ---
SELECT i.id, p.key || '-' || i.number AS ref, i.title, i.state, i.priority, i.labels, a.login AS assignee, count(c.id) AS comments FROM issues i JOIN projects p ON p.id = i.project_id LEFT JOIN accounts a ON a.id = i.assignee_id LEFT JOIN comments c ON c.issue_id = i.id WHERE p.key = 'P2' AND i.state <> 'closed' GROUP BY i.id, p.id, a.id ORDER BY i.priority, i.id LIMIT 25
-- ---
SELECT i.*, r.login, r.display_name, r.avatar_url FROM issues i JOIN accounts r ON r.id = i.reporter_id WHERE i.project_id = 2 AND i.number = 6
-- ---
SELECT c.id, c.body, c.created_at, a.login, a.display_name FROM comments c JOIN accounts a ON a.id = c.author_id WHERE c.issue_id = 6 ORDER BY c.created_at
-- ---
SELECT DISTINCT label FROM issues, unnest(labels) label ORDER BY label
-- ---
SELECT * FROM issues WHERE labels @> ARRAY['bug'] AND (title ILIKE '%sue 1%' OR body ILIKE '%sue 1%') ORDER BY created_at DESC LIMIT 10
-- ---
SELECT date_trunc('week', d)::date AS week, count(*) FILTER (WHERE i.created_at < d) - count(*) FILTER (WHERE i.closed_at < d) AS open FROM generate_series('2024-01-01'::timestamptz, '2024-02-20', '1 week') d CROSS JOIN issues i GROUP BY 1 ORDER BY 1
-- ---
SELECT a.login, count(*) FILTER (WHERE i.state = 'open') AS open, count(*) FILTER (WHERE i.state = 'closed') AS closed, percentile_disc(0.9) WITHIN GROUP (ORDER BY i.closed_at - i.created_at) AS p90 FROM accounts a JOIN issues i ON i.assignee_id = a.id WHERE NOT a.is_bot GROUP BY a.id ORDER BY open DESC, a.login
-- ---
SELECT login, display_name, email FROM accounts WHERE api_token = 'aaa3aaa'
-- ---
SELECT id, login FROM accounts WHERE login LIKE 'user1%' ORDER BY login LIMIT 5
-- ---
SELECT a.email FROM watchers w JOIN accounts a ON a.id = w.account_id WHERE w.issue_id = 6 ORDER BY a.id
-- ---
INSERT INTO comments (id, issue_id, author_id, body) VALUES (9000, 6, 3, 'Seen too') RETURNING id, created_at
-- ---
WITH moved AS (UPDATE issues SET state = 'closed', closed_at = now() WHERE id = 6 RETURNING id, old.state AS before, new.state AS after) INSERT INTO changes (issue_id, account_id, field, before, after) SELECT id, 3, 'state', to_jsonb(before), to_jsonb(after) FROM moved RETURNING id
-- ---
INSERT INTO watchers SELECT 6, id FROM accounts WHERE login IN ('user1', 'user2') ON CONFLICT DO NOTHING
-- ---
SELECT i.id, ARRAY(SELECT a.login FROM watchers w JOIN accounts a ON a.id = w.account_id WHERE w.issue_id = i.id ORDER BY a.login) AS watchers FROM issues i ORDER BY i.id LIMIT 5
-- ---
SELECT p.key, p.name, l.login AS lead, s.open, s.latest FROM projects p LEFT JOIN accounts l ON l.id = p.lead_id LEFT JOIN (SELECT project_id, count(*) AS open, max(created_at) AS latest FROM issues WHERE state = 'open' GROUP BY project_id) s ON s.project_id = p.id WHERE p.archived_at IS NULL ORDER BY p.key
-- ---
(SELECT 'comment' AS kind, id, created_at FROM comments WHERE author_id = 3 ORDER BY created_at DESC LIMIT 3) UNION ALL (SELECT 'issue', id, created_at FROM issues WHERE reporter_id = 3 LIMIT 3) ORDER BY created_at DESC
-- ---
SELECT h.field, h.before #>> '{}' AS before, h.after #>> '{}' AS after, a.login, h.at FROM changes h JOIN accounts a ON a.id = h.account_id WHERE h.issue_id = 7 ORDER BY h.id
-- ---
SELECT row_to_json(t) FROM (SELECT i.id, i.title, (SELECT json_agg(row_to_json(k)) FROM (SELECT c.id, c.body FROM comments c WHERE c.issue_id = i.id ORDER BY c.id) k) AS comments FROM issues i WHERE i.id = 6) t
-- ---
SELECT regexp_matches(body, '@(\w+)', 'g') AS mention FROM issues WHERE id = 6
