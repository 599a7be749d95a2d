INSERT INTO customers (id, email, password_hash, first_name, last_name, phone, birth_date, locale, is_admin, preferences, created_at, updated_at)
  SELECT n, '{m}' || n || '{m}@{m}.example', '{m}' || md5(n::text) || '{m}', '{m}' || n || '{m}', '{m}' || n % 7 || '{m}', '{m}' || 5550000 + n || '{m}', date '{d}' + n * 100, (ARRAY['en', 'de', 'fr'])[n % 3 + 1], n = 1, jsonb_build_object('theme', 'dark', 'size', n), timestamptz '2023-06-01' + n * interval '30 hours', timestamptz '2024-01-01'
  FROM generate_series(1, 40) n;
INSERT INTO addresses (id, customer_id, label, street, city, zip, country)
  SELECT n, (n - 1) % 40 + 1, CASE WHEN n <= 40 THEN 'home' ELSE 'work' END, '{m}' || n || '{m}', '{m}' || n % 5 || '{m}', '{z}' || n, (ARRAY['DE', 'FR', 'US'])[n % 3 + 1]
  FROM generate_series(1, 60) n;
INSERT INTO payment_methods (id, customer_id, brand, card_number, expires_on)
  SELECT n, n, (ARRAY['visa', 'amex'])[n % 2 + 1], '{m}' || 4111 + n || '{m}', date '2027-01-31' + n FROM generate_series(1, 40) n;
INSERT INTO categories (id, name, parent_id) VALUES (1, 'Books', NULL), (2, 'Novels', 1), (3, 'Toys', NULL), (4, 'Trains', 3);
INSERT INTO products (id, category_id, sku, name, description, price, stock, labels, attributes, created_at)
  SELECT n, n % 4 + 1, 'SKU-' || n, 'Product ' || n, 'A fine green thing number ' || n, n * 3.5, n % 9, ARRAY['new', 'sale'], jsonb_build_object('color', 'green', 'weight', n), timestamptz '2023-01-01' + n * interval '1 day'
  FROM generate_series(1, 30) n;
INSERT INTO orders (id, customer_id, address_id, payment_method_id, state, total, placed_at, created_at)
  SELECT n, n % 40 + 1, n % 40 + 1, n % 40 + 1, (ARRAY['cart', 'paid', 'shipped', 'done', 'cancelled'])[n % 5 + 1]::order_state, n * 10, timestamptz '2024-01-01' + n * interval '1 day', timestamptz '2024-01-01' + n * interval '1 day'
  FROM generate_series(1, 80) n;
INSERT INTO order_items SELECT o, p, (o + p) % 4 + 1, p * 3.5 FROM generate_series(1, 80) o, generate_series(1, 30) p WHERE (o * 7 + p) % 11 = 0;
INSERT INTO reviews (id, product_id, customer_id, stars, body, created_at) SELECT n, n % 30 + 1, n % 40 + 1, n % 5 + 1, 'Good ' || n, timestamptz '2024-02-01' + n * interval '1 hour' FROM generate_series(1, 60) n;
INSERT INTO events (kind, customer_id, payload, ip, at) SELECT (ARRAY['login', 'view', 'buy'])[n % 3 + 1], n % 40 + 1, jsonb_build_object('page', '/' || n), ('{i}' || n)::inet, timestamptz '2023-12-01' + n * interval '1 day' FROM generate_series(1, 60) n;
REFRESH MATERIALIZED VIEW best_sellers;
SELECT setval('customers_id_seq', 1000), setval('addresses_id_seq', 1000), setval('payment_methods_id_seq', 1000), setval('categories_id_seq', 1000), setval('products_id_seq', 1000), setval('orders_id_seq', 1000), setval('reviews_id_seq', 1000);

INSERT INTO tpch.region SELECT n, (ARRAY['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'])[n + 1], 'region ' || n FROM generate_series(0, 4) n;
INSERT INTO tpch.nation SELECT n, (ARRAY['ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', 'GERMANY', 'INDIA', 'INDONESIA', 'IRAN', 'IRAQ', 'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', 'CHINA', 'ROMANIA', 'SAUDI ARABIA', 'VIETNAM', 'RUSSIA', 'UNITED KINGDOM', 'UNITED STATES'])[n + 1], (ARRAY[0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1])[n + 1], 'nation ' || n FROM generate_series(0, 24) n;
INSERT INTO tpch.supplier SELECT n, 'Supplier#' || n, 'street ' || n, n % 25, (10 + n % 25) || '-555-' || n, 100 * n, CASE n % 9 WHEN 0 THEN 'has Customer bad Complaints' ELSE 'fine' END FROM generate_series(1, 50) n;
INSERT INTO tpch.customer SELECT n, '{m}' || n || '{m}', '{m}' || n || '{m}', n % 25, (10 + n % 25) || '-' || '{m}' || n, 1000 * (n % 11) + 500 + {n}, (ARRAY['BUILDING', 'AUTOMOBILE', 'MACHINERY', 'HOUSEHOLD', 'FURNITURE'])[n % 5 + 1], 'comment ' || n FROM generate_series(1, 150) n;
INSERT INTO tpch.part SELECT n, (ARRAY['forest', 'green', 'blue'])[n % 3 + 1] || ' part ' || n, 'Manufacturer#' || n % 5 + 1, 'Brand#' || 10 * (n % 5 + 1) + n % 5 + 1, (ARRAY['STANDARD', 'SMALL', 'PROMO', 'ECONOMY', 'MEDIUM'])[n % 5 + 1] || ' ' || (ARRAY['ANODIZED', 'POLISHED', 'BURNISHED'])[n % 3 + 1] || ' ' || (ARRAY['BRASS', 'STEEL', 'TIN', 'COPPER'])[n % 4 + 1], n % 50 + 1, (ARRAY['SM CASE', 'MED BOX', 'LG BOX', 'MED BAG'])[n % 4 + 1], 900 + n, 'comment' FROM generate_series(1, 200) n;
INSERT INTO tpch.partsupp SELECT p, (p * 7 + s * 13) % 50 + 1, (p * s) % 1000 + 1, p % 100 + s, 'comment' FROM generate_series(1, 200) p, generate_series(1, 4) s ON CONFLICT DO NOTHING;
INSERT INTO tpch.orders SELECT n, n % 100 + 1, (ARRAY['F', 'O', 'P'])[n % 3 + 1], 1000 + n * 100, date '1993-01-01' + n * 3, (ARRAY['1-URGENT', '2-HIGH', '3-MEDIUM', '5-LOW'])[n % 4 + 1], 'Clerk#' || n % 10, 0, 'comment ' || n FROM generate_series(1, 600) n;
INSERT INTO tpch.lineitem SELECT o, (o * 3 + l * 17) % 200 + 1, (o * 11 + l * 5) % 50 + 1, l, (o * l) % 50 + 60 * (o % 2), 1000 + (o * l) % 900, ((o + l) % 11) / 100.0, 0.02, (ARRAY['R', 'A', 'N'])[o % 3 + 1], (ARRAY['F', 'O'])[l % 2 + 1], date '1993-01-01' + o * 3 + l * 5, date '1993-01-01' + o * 3 + 20, date '1993-01-01' + o * 3 + l * 8, (ARRAY['DELIVER IN PERSON', 'COLLECT COD'])[l % 2 + 1], (ARRAY['AIR', 'MAIL', 'SHIP', 'AIR REG'])[(o + l) % 4 + 1], 'comment' FROM generate_series(1, 600) o, generate_series(1, 4) l;

INSERT INTO hr.departments VALUES (1, 'Company', NULL, 1000000), (2, 'Engineering', 1, 500000), (3, 'Sales', 1, 300000), (4, 'Platform', 2, 200000);
INSERT INTO hr.employees SELECT n, n % 4 + 1, CASE WHEN n > 1 THEN n / 3 + 1 - CASE WHEN n / 3 + 1 = n THEN 1 ELSE 0 END END, '{m}' || n || '{m}', '{m}' || n || '{m}@corp.example', '{m}' || n || '{m}', date '{d}' + n * 50, '{m}' || n || '{m}', (ARRAY['Engineer', 'Manager', 'Clerk'])[n % 3 + 1], date '2015-01-01' + n * 40, CASE WHEN n % 10 = 0 THEN date '2024-01-01' + n END FROM generate_series(1, 60) n;
INSERT INTO hr.salaries SELECT n, date '2020-01-01' + y * 365, 1000 * (n % 13) + 100 * y + {n}, 'EUR' FROM generate_series(1, 60) n, generate_series(0, 3) y;
INSERT INTO hr.absences SELECT n, n % 60 + 1, (ARRAY['sick', 'holiday'])[n % 2 + 1], '{m}' || n || '{m}', date '2024-01-01' + n, date '2024-01-03' + n FROM generate_series(1, 90) n;

INSERT INTO tracker.accounts SELECT n, 'user' || n, '{m}' || n || '{m}', '{m}' || n || '{m}@x.example', '{m}' || n || '{m}', 'https://img.example/' || n, n % 9 = 0, timestamptz '2024-05-01' + n * interval '1 hour' FROM generate_series(1, 30) n;
INSERT INTO tracker.projects SELECT n, 'P' || n, 'Project ' || n, n, NULL FROM generate_series(1, 5) n;
INSERT INTO tracker.issues SELECT n, n % 5 + 1, n, 'Issue ' || n, 'It is broken, see @user' || n % 30 + 1, (ARRAY['open', 'closed', 'waiting'])[n % 3 + 1], n % 5, n % 30 + 1, CASE WHEN n % 4 > 0 THEN n % 30 + 1 END, ARRAY['bug', 'p' || n % 3], timestamptz '2024-01-01' + n * interval '5 hours', CASE WHEN n % 3 = 1 THEN timestamptz '2024-03-01' + n * interval '6 hours' END FROM generate_series(1, 120) n;
INSERT INTO tracker.comments SELECT n, n % 120 + 1, n % 30 + 1, 'Comment ' || n, timestamptz '2024-02-01' + n * interval '1 hour' FROM generate_series(1, 200) n;
INSERT INTO tracker.watchers SELECT i, a FROM generate_series(1, 120) i, generate_series(1, 30) a WHERE (i + a) % 13 = 0;
INSERT INTO tracker.changes (issue_id, account_id, field, before, after, at) SELECT n % 120 + 1, n % 30 + 1, (ARRAY['state', 'priority'])[n % 2 + 1], '"open"', '"closed"', timestamptz '2024-02-01' + n * interval '1 hour' FROM generate_series(1, 100) n;
ANALYZE;
