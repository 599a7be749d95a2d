-- ---
SELECT NOW()
-- ---
-- $ ["hi"]
SELECT $1::text AS message
-- ---
-- $ ["aaa7aaa@aaa.example"]
SELECT id, email, password_hash FROM customers WHERE lower(email) = lower($1) LIMIT 1
-- ---
-- $ ["z@x.example", "h", "a", "b"]
INSERT INTO customers (email, password_hash, first_name, last_name) VALUES ($1, $2, $3, $4) RETURNING *
-- ---
-- $ ["1", "7"]
UPDATE customers SET phone = $1, updated_at = now() WHERE id = $2
-- ---
-- $ ["{1,2,3}"]
SELECT * FROM products WHERE id = ANY($1::int[])
-- ---
-- $ ["3"]
SELECT o.*, row_to_json(c) AS customer FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = $1
-- ---
-- $ ["2", "5", "0"]
SELECT COUNT(*) OVER() AS full_count, p.* FROM products p WHERE p.category_id = $1 ORDER BY p.price LIMIT $2 OFFSET $3
