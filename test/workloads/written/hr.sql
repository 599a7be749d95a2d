-- ---
SELECT id, name, people, first_hire FROM headcount ORDER BY name
-- ---
SELECT level, job_title, count(*) FROM org_chart GROUP BY level, job_title ORDER BY 1, 2
-- ---
SELECT e.id, e.name, e.work_email, e.job_title, d.name AS department, m.name AS manager FROM employees e JOIN departments d ON d.id = e.department_id LEFT JOIN employees m ON m.id = e.manager_id WHERE e.left_on IS NULL ORDER BY e.id LIMIT 20
-- ---
SELECT d.name, count(*) AS people, sum(s.amount) AS payroll, avg(s.amount) AS average, d.budget FROM employees e JOIN departments d ON d.id = e.department_id JOIN LATERAL (SELECT amount FROM salaries WHERE employee_id = e.id ORDER BY valid_from DESC LIMIT 1) s ON true GROUP BY d.id ORDER BY d.name
-- ---
-- carries 3
SELECT e.id, s.valid_from, s.amount - lag(s.amount) OVER (PARTITION BY e.id ORDER BY s.valid_from) AS raise, s.currency FROM employees e JOIN salaries s ON s.employee_id = e.id WHERE e.id = 5 ORDER BY s.valid_from
-- ---
SELECT kind, date_trunc('month', starts_on)::date AS month, sum(ends_on - starts_on + 1) AS days FROM absences GROUP BY 1, 2 ORDER BY 1, 2
-- ---
SELECT a.employee_id, a.kind, a.reason, a.starts_on FROM absences a WHERE a.starts_on BETWEEN '2024-01-01' AND '2024-01-20' ORDER BY a.id
-- ---
SELECT id, name FROM employees WHERE extract(month FROM born_on) = 5 ORDER BY id
-- ---
SELECT e.department_id, avg(age(e.hired_on, '2014-01-01')) AS tenure FROM employees e GROUP BY 1 ORDER BY 1
-- ---
SELECT x.job_title, ntile(4) OVER (ORDER BY x.n) AS quartile FROM (SELECT job_title, count(*) AS n FROM employees GROUP BY 1) x ORDER BY 1
-- ---
UPDATE employees SET left_on = current_date WHERE id = 9 RETURNING id, left_on
-- ---
INSERT INTO absences (id, employee_id, kind, reason, starts_on, ends_on) VALUES (5000, 3, 'sick', 'flu', '2024-05-01', '2024-05-02') RETURNING id, ends_on - starts_on AS days
-- ---
SELECT e.id, (SELECT count(*) FROM employees r WHERE r.manager_id = e.id) AS reports, EXISTS (SELECT 1 FROM absences a WHERE a.employee_id = e.id AND a.kind = 'sick') AS was_sick FROM employees e ORDER BY e.id LIMIT 10
-- ---
SELECT to_char(hired_on, 'YYYY-"Q"Q') AS quarter, count(*) AS hires, count(left_on) AS left_since FROM employees GROUP BY 1 ORDER BY 1
-- ---
-- carries 1
SELECT width_bucket(s.amount, 0, 20000, 5) AS bucket, count(*) FROM salaries s GROUP BY 1 ORDER BY 1
