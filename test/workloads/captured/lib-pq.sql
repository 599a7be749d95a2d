-- ---
-- $ ["aaa7aaa@aaa.example"]
SELECT id FROM customers WHERE email = $1
-- ---
-- $ ["1", "2", "3"]
INSERT INTO reviews (product_id, customer_id, stars) VALUES ($1, $2, $3)
