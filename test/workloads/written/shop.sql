-- ---
-- $ ["new@shop.example", "h", "Ann", "Lee"]
INSERT INTO customers (email, password_hash, first_name, last_name) VALUES ($1, $2, $3, $4) RETURNING id
-- ---
-- $ ["aaa7aaa@aaa.example"]
SELECT id, password_hash, is_admin, locale FROM customers WHERE email = $1
-- ---
-- $ ["aaa7aaa@aaa.example"]
SELECT EXISTS (SELECT 1 FROM customers WHERE lower(email) = lower($1)) AS taken
-- ---
-- $ ["7"]
SELECT id, first_name, last_name, email, locale, preferences ->> 'theme' AS theme FROM customers WHERE id = $1
-- ---
-- $ ["7"]
INSERT INTO orders (customer_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id, state, created_at
-- ---
-- $ ["5", "3", "2"]
INSERT INTO order_items (order_id, product_id, quantity, unit_price) SELECT $1::int, p.id, $3::int, p.price FROM products p WHERE p.id = $2::int ON CONFLICT (order_id, product_id) DO UPDATE SET quantity = order_items.quantity + excluded.quantity RETURNING quantity, unit_price
-- ---
-- $ ["6"]
SELECT o.id, i.product_id, p.name, i.quantity, i.unit_price, i.quantity * i.unit_price AS line_total FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id WHERE o.customer_id = $1 AND o.state = 'cart' ORDER BY p.name
-- ---
-- $ ["5"]
WITH priced AS (SELECT order_id, sum(quantity * unit_price) AS total FROM order_items WHERE order_id = $1 GROUP BY order_id)
UPDATE orders o SET state = 'paid', total = priced.total, placed_at = now() FROM priced WHERE o.id = priced.order_id RETURNING o.id, o.total, o.placed_at
-- ---
-- $ ["5"]
UPDATE products p SET stock = p.stock - i.quantity FROM order_items i WHERE i.order_id = $1 AND i.product_id = p.id RETURNING p.id, p.stock, old.stock AS before
-- ---
-- $ ["7"]
SELECT t.id, t.state, t.placed_at, t.total, t.lines FROM order_totals t WHERE t.customer_id = $1 ORDER BY t.placed_at DESC NULLS LAST LIMIT 20
-- ---
-- $ ["green thing"]
SELECT id, name, price, ts_rank(document, websearch_to_tsquery('english', $1)) AS rank, ts_headline('english', description, websearch_to_tsquery('english', $1)) AS snippet FROM products WHERE document @@ websearch_to_tsquery('english', $1) AND is_active ORDER BY rank DESC, id LIMIT 20
-- ---
SELECT c.id, c.first_name, c.last_name, c.email, c.created_at, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent, max(o.placed_at) AS last_order, count(*) OVER () AS of FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.created_at DESC, c.id LIMIT 25 OFFSET 0
-- ---
-- $ ["aaa3"]
SELECT id, email, first_name || ' ' || last_name AS name FROM customers WHERE email ILIKE '%' || $1 || '%' OR last_name ILIKE '%' || $1 || '%' ORDER BY last_name, first_name LIMIT 10
-- ---
SELECT date_trunc('month', placed_at) AS month, state, count(*) AS orders, sum(total) AS revenue, avg(total)::numeric(12, 2) AS average FROM orders WHERE placed_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
-- ---
SELECT a.country, count(DISTINCT c.id) AS customers, sum(o.total) AS revenue FROM customers c JOIN addresses a ON a.customer_id = c.id AND a.label = 'home' JOIN orders o ON o.customer_id = c.id GROUP BY ROLLUP (a.country) ORDER BY a.country NULLS LAST
-- ---
SELECT p.id, p.name, sum(i.quantity) AS sold, rank() OVER (ORDER BY sum(i.quantity) DESC) AS place, round(avg(r.stars), 2) AS stars FROM products p JOIN order_items i ON i.product_id = p.id LEFT JOIN reviews r ON r.product_id = p.id GROUP BY p.id ORDER BY sold DESC, p.id LIMIT 10
-- ---
SELECT * FROM best_sellers ORDER BY sold DESC, id LIMIT 10
-- ---
SELECT * FROM customer_contacts WHERE country = 'DE' ORDER BY id LIMIT 10
-- ---
SELECT full_name, country FROM customer_contacts ORDER BY id LIMIT 10
-- ---
SELECT id, country FROM customer_contacts ORDER BY id LIMIT 10
-- ---
SELECT o.id, o.total, json_build_object('id', c.id, 'locale', c.locale) AS customer, json_agg(json_build_object('sku', p.sku, 'quantity', i.quantity) ORDER BY p.sku) AS items FROM orders o JOIN customers c ON c.id = o.customer_id JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id GROUP BY o.id, c.id ORDER BY o.id LIMIT 5
-- ---
SELECT o.id, json_build_object('name', c.first_name, 'mail', c.email) AS customer FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id LIMIT 5
-- ---
WITH RECURSIVE tree AS (SELECT id, name, parent_id, name::text AS path FROM categories WHERE parent_id IS NULL UNION ALL SELECT c.id, c.name, c.parent_id, t.path || ' / ' || c.name FROM categories c JOIN tree t ON t.id = c.parent_id) SELECT id, path, (SELECT count(*) FROM products p WHERE p.category_id = tree.id) AS products FROM tree ORDER BY path
-- ---
SELECT r.stars, r.body, c.first_name FROM reviews r JOIN customers c ON c.id = r.customer_id WHERE r.product_id = 4 ORDER BY r.created_at DESC LIMIT 5
-- ---
SELECT m.brand, '**** ' || right(m.card_number, 4) AS card, m.expires_on FROM payment_methods m WHERE m.customer_id = 7
-- ---
SELECT m.brand, m.expires_on < current_date AS is_expired, count(*) FROM payment_methods m GROUP BY 1, 2 ORDER BY 1
-- ---
SELECT date_trunc('week', at) AS week, kind, count(*) AS n, count(DISTINCT customer_id) AS customers FROM events GROUP BY 1, 2 ORDER BY 1, 2
-- ---
SELECT payload ->> 'page' AS page, count(*) FROM events WHERE kind = 'view' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5
-- ---
SELECT id, kind, ip FROM events ORDER BY at DESC LIMIT 5
-- ---
COPY (SELECT o.id, o.state, o.total, o.placed_at FROM orders o WHERE o.placed_at >= '2024-01-01') TO STDOUT WITH (FORMAT csv, HEADER)
-- ---
COPY (SELECT c.id, c.email, c.locale, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id) TO STDOUT WITH (FORMAT csv, HEADER)
-- ---
COPY products (id, sku, name, price) TO STDOUT
-- ---
-- $ ["7", "x"]
UPDATE customers SET preferences = jsonb_set(preferences, '{theme}', to_jsonb($2::text)) WHERE id = $1 RETURNING preferences
-- ---
-- $ ["7", "+49 1"]
UPDATE customers SET phone = $2 WHERE id = $1
-- ---
-- $ ["7", "work", "Main 1", "Ulm", "89073", "DE"]
INSERT INTO addresses (customer_id, label, street, city, zip, country) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
-- ---
DELETE FROM orders WHERE state = 'cart' AND created_at < now() - interval '30 days' AND NOT EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = orders.id) RETURNING id
-- ---
SELECT order_count(7), (SELECT count(*) FROM orders WHERE customer_id = 7) AS same
-- ---
SELECT c.id, f.n FROM customers c CROSS JOIN LATERAL order_count(c.id) AS f (n) ORDER BY f.n DESC, c.id LIMIT 5
-- ---
SELECT c.locale, percentile_cont(0.5) WITHIN GROUP (ORDER BY o.total) AS median, count(*) FILTER (WHERE o.state = 'done') AS done FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.locale ORDER BY 1
-- ---
SELECT l.label, count(*) FROM products p CROSS JOIN unnest(p.labels) AS l (label) GROUP BY 1 ORDER BY 1
-- ---
SELECT c.id, last.state, last.total FROM customers c LEFT JOIN LATERAL (SELECT o.state, o.total FROM orders o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1) last ON true ORDER BY c.id LIMIT 10
-- ---
SELECT count(*) AS customers, count(*) FILTER (WHERE is_admin) AS admins, min(created_at) AS since FROM customers
-- ---
SELECT extract(year FROM birth_date) AS year, count(*) FROM customers GROUP BY 1 ORDER BY 1
-- ---
SELECT a.city, count(*) FROM addresses a GROUP BY a.city ORDER BY 2 DESC, 1
-- ---
MERGE INTO products p USING (VALUES ('SKU-3', 9.5), ('SKU-900', 1.0)) AS n (sku, price) ON p.sku = n.sku WHEN MATCHED THEN UPDATE SET price = n.price WHEN NOT MATCHED THEN INSERT (category_id, sku, name, price) VALUES (1, n.sku, n.sku, n.price) RETURNING merge_action(), p.id, p.price
-- ---
WITH gone AS (DELETE FROM reviews WHERE stars = 1 RETURNING product_id) SELECT product_id, count(*) FROM gone GROUP BY 1 ORDER BY 1
-- ---
EXPLAIN SELECT id FROM orders WHERE customer_id = 7
