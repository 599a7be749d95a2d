CREATE TYPE order_state AS ENUM ('cart', 'paid', 'shipped', 'done', 'cancelled');
CREATE DOMAIN email_address AS text CHECK (VALUE ~ '@');
CREATE TABLE customers (
  id serial PRIMARY KEY,
  email email_address NOT NULL UNIQUE,
  password_hash varchar(255) NOT NULL,
  first_name varchar(80) NOT NULL,
  last_name varchar(80) NOT NULL,
  phone varchar(40),
  birth_date date,
  locale varchar(8) NOT NULL DEFAULT 'en',
  is_admin boolean NOT NULL DEFAULT false,
  preferences jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN customers.locale IS 'BCP 47';
CREATE TABLE addresses (
  id serial PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE,
  label text NOT NULL DEFAULT 'home',
  street text NOT NULL,
  city text NOT NULL,
  zip varchar(12) NOT NULL,
  country char(2) NOT NULL
);
CREATE INDEX addresses_by_customer ON addresses (customer_id);
CREATE TABLE payment_methods (
  id serial PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE,
  brand text NOT NULL,
  card_number text NOT NULL,
  expires_on date NOT NULL
);
CREATE TABLE categories (id serial PRIMARY KEY, name text NOT NULL, parent_id int REFERENCES categories);
CREATE TABLE products (
  id serial PRIMARY KEY,
  category_id int NOT NULL REFERENCES categories,
  sku text NOT NULL UNIQUE,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  price numeric(10, 2) NOT NULL CHECK (price >= 0),
  stock int NOT NULL DEFAULT 0,
  labels text[] NOT NULL DEFAULT '{}',
  attributes jsonb NOT NULL DEFAULT '{}',
  document tsvector GENERATED ALWAYS AS (to_tsvector('english', name || ' ' || description)) STORED,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX products_document ON products USING gin (document);
CREATE TABLE orders (
  id serial PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  address_id int REFERENCES addresses,
  payment_method_id int REFERENCES payment_methods,
  state order_state NOT NULL DEFAULT 'cart',
  total numeric(12, 2) NOT NULL DEFAULT 0,
  placed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE order_items (
  order_id int NOT NULL REFERENCES orders ON DELETE CASCADE,
  product_id int NOT NULL REFERENCES products,
  quantity int NOT NULL CHECK (quantity > 0),
  unit_price numeric(10, 2) NOT NULL,
  PRIMARY KEY (order_id, product_id)
);
CREATE TABLE reviews (
  id serial PRIMARY KEY,
  product_id int NOT NULL REFERENCES products,
  customer_id int NOT NULL REFERENCES customers,
  stars smallint NOT NULL,
  body text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE events (id bigserial, kind text NOT NULL, customer_id int, payload jsonb, ip inet, at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE VIEW order_totals AS
  SELECT o.id, o.customer_id, o.state, o.placed_at, sum(i.quantity * i.unit_price) AS total, count(*) AS lines
  FROM orders o JOIN order_items i ON i.order_id = o.id GROUP BY o.id;
CREATE VIEW customer_contacts AS
  SELECT c.id, c.first_name || ' ' || c.last_name AS full_name, c.email, a.city, a.country
  FROM customers c LEFT JOIN addresses a ON a.customer_id = c.id AND a.label = 'home';
CREATE MATERIALIZED VIEW best_sellers AS
  SELECT p.id, p.name, sum(i.quantity) AS sold FROM products p JOIN order_items i ON i.product_id = p.id GROUP BY p.id;
CREATE FUNCTION order_count(customer int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM orders WHERE customer_id = $1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();

CREATE SCHEMA tpch;
CREATE TABLE tpch.region (r_regionkey int PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE tpch.nation (n_nationkey int PRIMARY KEY, n_name char(25) NOT NULL, n_regionkey int NOT NULL REFERENCES tpch.region, n_comment varchar(152));
CREATE TABLE tpch.supplier (s_suppkey int PRIMARY KEY, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, s_nationkey int NOT NULL REFERENCES tpch.nation, s_phone char(15) NOT NULL, s_acctbal numeric(15, 2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE tpch.customer (c_custkey int PRIMARY KEY, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, c_nationkey int NOT NULL REFERENCES tpch.nation, c_phone varchar(19) NOT NULL, c_acctbal numeric(15, 2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);
CREATE TABLE tpch.part (p_partkey int PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice numeric(15, 2) NOT NULL, p_comment varchar(23) NOT NULL);
CREATE TABLE tpch.partsupp (ps_partkey int NOT NULL REFERENCES tpch.part, ps_suppkey int NOT NULL REFERENCES tpch.supplier, ps_availqty int NOT NULL, ps_supplycost numeric(15, 2) NOT NULL, ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE tpch.orders (o_orderkey int PRIMARY KEY, o_custkey int NOT NULL REFERENCES tpch.customer, o_orderstatus char(1) NOT NULL, o_totalprice numeric(15, 2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL);
CREATE TABLE tpch.lineitem (l_orderkey int NOT NULL REFERENCES tpch.orders, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL, l_quantity numeric(15, 2) NOT NULL, l_extendedprice numeric(15, 2) NOT NULL, l_discount numeric(15, 2) NOT NULL, l_tax numeric(15, 2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber));

CREATE SCHEMA hr;
CREATE TABLE hr.departments (id int PRIMARY KEY, name text NOT NULL, parent_id int REFERENCES hr.departments, budget numeric(14, 2) NOT NULL);
CREATE TABLE hr.employees (
  id int PRIMARY KEY,
  department_id int NOT NULL REFERENCES hr.departments,
  manager_id int REFERENCES hr.employees,
  name text NOT NULL,
  work_email text NOT NULL,
  national_id text NOT NULL,
  born_on date NOT NULL,
  iban text NOT NULL,
  job_title text NOT NULL,
  hired_on date NOT NULL,
  left_on date
);
CREATE TABLE hr.salaries (employee_id int NOT NULL REFERENCES hr.employees, valid_from date NOT NULL, amount numeric(10, 2) NOT NULL, currency char(3) NOT NULL DEFAULT 'EUR', PRIMARY KEY (employee_id, valid_from));
CREATE TABLE hr.absences (id int PRIMARY KEY, employee_id int NOT NULL REFERENCES hr.employees, kind text NOT NULL, reason text, starts_on date NOT NULL, ends_on date NOT NULL);
CREATE VIEW hr.org_chart AS
  WITH RECURSIVE chain AS (
    SELECT e.id, e.manager_id, e.job_title, 1 AS level, ARRAY[e.id] AS path FROM hr.employees e WHERE e.manager_id IS NULL
    UNION ALL
    SELECT e.id, e.manager_id, e.job_title, c.level + 1, c.path || e.id FROM hr.employees e JOIN chain c ON e.manager_id = c.id
  ) SELECT id, manager_id, job_title, level, path FROM chain;
CREATE VIEW hr.headcount AS SELECT d.id, d.name, count(e.id) AS people, min(e.hired_on) AS first_hire FROM hr.departments d LEFT JOIN hr.employees e ON e.department_id = d.id AND e.left_on IS NULL GROUP BY d.id, d.name;

CREATE SCHEMA tracker;
CREATE TABLE tracker.accounts (id int PRIMARY KEY, login text NOT NULL UNIQUE, display_name text NOT NULL, email text NOT NULL, api_token text, avatar_url text, is_bot boolean NOT NULL DEFAULT false, last_seen_at timestamptz);
CREATE TABLE tracker.projects (id int PRIMARY KEY, key text NOT NULL UNIQUE, name text NOT NULL, lead_id int REFERENCES tracker.accounts, archived_at timestamptz);
CREATE TABLE tracker.issues (id int PRIMARY KEY, project_id int NOT NULL REFERENCES tracker.projects, number int NOT NULL, title text NOT NULL, body text, state text NOT NULL DEFAULT 'open', priority int NOT NULL DEFAULT 3, reporter_id int NOT NULL REFERENCES tracker.accounts, assignee_id int REFERENCES tracker.accounts, labels text[] NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(), closed_at timestamptz, UNIQUE (project_id, number));
CREATE TABLE tracker.comments (id int PRIMARY KEY, issue_id int NOT NULL REFERENCES tracker.issues, author_id int NOT NULL REFERENCES tracker.accounts, body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE tracker.watchers (issue_id int REFERENCES tracker.issues, account_id int REFERENCES tracker.accounts, PRIMARY KEY (issue_id, account_id));
CREATE TABLE tracker.changes (id bigserial PRIMARY KEY, issue_id int NOT NULL REFERENCES tracker.issues, account_id int NOT NULL REFERENCES tracker.accounts, field text NOT NULL, before jsonb, after jsonb, at timestamptz NOT NULL DEFAULT now());
