-- A small shop with the kinds of data that a real one has: people, money, staff and free text.

CREATE TABLE customers (
  id         int PRIMARY KEY,
  name       text NOT NULL,
  email      text NOT NULL UNIQUE,
  phone      text NOT NULL,
  city       text NOT NULL,
  born       date NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE products (
  id       int PRIMARY KEY,
  title    text NOT NULL,
  category text NOT NULL,
  price    numeric(10, 2) NOT NULL CHECK (price > 0)
);

CREATE TABLE orders (
  id          int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  placed_at   timestamptz NOT NULL,
  status      text NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'returned', 'cancelled')),
  total       numeric(10, 2) NOT NULL DEFAULT 0
);

CREATE TABLE order_items (
  order_id   int NOT NULL REFERENCES orders,
  product_id int NOT NULL REFERENCES products,
  quantity   int NOT NULL CHECK (quantity > 0),
  price      numeric(10, 2) NOT NULL,
  PRIMARY KEY (order_id, product_id)
);

CREATE TABLE payments (
  id          int PRIMARY KEY,
  order_id    int NOT NULL REFERENCES orders,
  amount      numeric(10, 2) NOT NULL,
  method      text NOT NULL CHECK (method IN ('card', 'iban', 'voucher')),
  card_number text,
  iban        text,
  paid_at     timestamptz NOT NULL
);

CREATE TABLE tickets (
  id          int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  opened_at   timestamptz NOT NULL,
  subject     text NOT NULL,
  body        text NOT NULL,
  is_open     boolean NOT NULL
);

CREATE SCHEMA hr;

CREATE TABLE hr.employees (
  id        int PRIMARY KEY,
  name      text NOT NULL,
  email     text NOT NULL UNIQUE,
  team      text NOT NULL,
  salary    int NOT NULL,
  ssn       text NOT NULL,
  hired_on  date NOT NULL
);

CREATE VIEW open_tickets AS
  SELECT t.id, t.opened_at, t.subject, c.name AS customer, c.email
  FROM tickets t JOIN customers c ON c.id = t.customer_id
  WHERE t.is_open;

-- The data is made up, and the same at every start.
SELECT setseed(0.42);

INSERT INTO customers
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@' || (ARRAY['example.com', 'example.net', 'example.org'])[1 + n % 3],
       '+44 7700 9' || lpad((n * 7919 % 100000)::text, 5, '0'),
       (ARRAY['Bristol', 'Leeds', 'Porto', 'Graz', 'Ghent', 'Turku', 'Split', 'Brno'])[1 + n % 8],
       date '1950-01-01' + (random() * 19000)::int,
       timestamptz '2024-01-01 08:00+00' + n * interval '5 hours'
FROM (
  SELECT n,
         (ARRAY['Ada', 'Ben', 'Chiara', 'Dmitri', 'Elif', 'Femi', 'Greta', 'Hugo', 'Ines', 'Jonas'])[1 + n % 10] AS first,
         (ARRAY['Novak', 'Okafor', 'Lindgren', 'Marsh', 'Costa', 'Berger', 'Yilmaz', 'Duarte', 'Kos'])[1 + n % 9] AS last
  FROM generate_series(1, 2000) n
) people;

INSERT INTO products
SELECT n,
       (ARRAY['Oak', 'Steel', 'Linen', 'Walnut', 'Glass', 'Wool'])[1 + n % 6] || ' ' ||
         (ARRAY['desk', 'lamp', 'shelf', 'chair', 'rug', 'kettle', 'mirror'])[1 + n % 7],
       (ARRAY['furniture', 'lighting', 'kitchen', 'textiles'])[1 + n % 4],
       (5 + random() * 400)::numeric(10, 2)
FROM generate_series(1, 120) n;

INSERT INTO orders
SELECT n,
       1 + (random() * 1999)::int,
       timestamptz '2025-01-01 09:00+00' + n * interval '83 minutes',
       (ARRAY['placed', 'paid', 'shipped', 'shipped', 'shipped', 'returned', 'cancelled'])[1 + n % 7]
FROM generate_series(1, 8000) n;

INSERT INTO order_items
SELECT o.id, p.id, 1 + (random() * 3)::int, p.price
FROM orders o CROSS JOIN LATERAL generate_series(1, 1 + o.id % 3) line
JOIN products p ON p.id = 1 + (o.id * 31 + line * 17) % 120;

UPDATE orders SET total = sums.total
FROM (SELECT order_id, sum(quantity * price) AS total FROM order_items GROUP BY order_id) sums
WHERE sums.order_id = orders.id;

INSERT INTO payments
SELECT o.id, o.id, o.total, (ARRAY['card', 'card', 'iban', 'voucher'])[1 + o.id % 4],
       CASE WHEN o.id % 4 < 2 THEN '4000 0000 0000 ' || lpad((o.id % 10000)::text, 4, '0') END,
       CASE WHEN o.id % 4 = 2 THEN 'GB00 TEST ' || lpad(o.id::text, 10, '0') END,
       o.placed_at + interval '7 minutes'
FROM orders o WHERE o.status IN ('paid', 'shipped', 'returned');

INSERT INTO tickets
SELECT n, 1 + (random() * 1999)::int, timestamptz '2025-02-01 10:00+00' + n * interval '6 hours',
       (ARRAY['Parcel did not arrive', 'Wrong size', 'Invoice please', 'Broken in transit', 'Change of address'])[1 + n % 5],
       'Please call me back on +44 7700 9' || lpad((n * 104729 % 100000)::text, 5, '0') || ' about my order.',
       n % 4 = 0
FROM generate_series(1, 1500) n;

INSERT INTO hr.employees
SELECT n, 'Employee ' || n, 'employee' || n || '@shop.example', (ARRAY['support', 'warehouse', 'engineering', 'finance'])[1 + n % 4],
       28000 + (random() * 60000)::int, lpad((n * 6151 % 1000)::text, 3, '0') || '-00-' || lpad(n::text, 4, '0'),
       date '2015-01-01' + n * 11
FROM generate_series(1, 240) n;

ANALYZE;
