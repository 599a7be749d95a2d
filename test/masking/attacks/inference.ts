import { Family } from '../attack.ts'

/*
 * One bit at a time: what a masked principal may learn by asking about a value instead of for it. None of these shows a
 * canary; each says what it does show, so that nobody takes masking for more than it is.
 */
const open = (stated: string) => ({ expectation: { stated }, harmless: 'it asks about a value, not for it' }) as const

const inference = new Family('inference')
inference.each(
  [
    "SELECT id FROM customers WHERE email LIKE 'a%'",
    "SELECT count(*) FROM customers WHERE full_name < 'm'",
    "SELECT EXISTS (SELECT FROM customers WHERE card LIKE '4%')",
    "SELECT id FROM customers WHERE birth_date < '1960-01-01'",
    'SELECT id FROM customers WHERE salary > 500000000000',
    "SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE email ~ '^[a-m]')",
  ],
  open('a condition on a classified column is answered: one bit per question, in the rows that come'),
)
inference.each(
  [
    'SELECT id FROM customers ORDER BY email',
    'SELECT id, row_number() OVER (ORDER BY salary) FROM customers',
    'SELECT id, rank() OVER (ORDER BY birth_date) FROM customers',
    'SELECT id FROM customers ORDER BY salary DESC LIMIT 1',
  ],
  open('the order of rows by a classified column'),
)
inference.each(
  [
    'SELECT count(DISTINCT email) FROM customers',
    'SELECT count(email) FROM customers',
    'SELECT count(*) FROM customers GROUP BY email',
    'SELECT tier, count(*) FROM customers GROUP BY tier, full_name',
  ],
  open('how many values there are and how often each'),
)
inference.each(
  [
    "SELECT id, email = 'x' FROM customers",
    'SELECT id, email IS NULL FROM customers',
    'SELECT length(email) FROM customers',
    'SELECT pg_column_size(profile) FROM customers',
    'SELECT id, ascii(email) FROM customers',
    "SELECT id, full_name LIKE '%a%' FROM customers",
    'SELECT hashtext(email) FROM customers',
    "SELECT levenshtein(full_name, 'abc') FROM customers",
    "SELECT similarity(full_name, 'abc') FROM customers",
    'SELECT soundex(full_name) FROM customers',
    'SELECT sign(salary), log(salary) FROM customers',
    'SELECT extract(month FROM birth_date) FROM customers',
    'SELECT age(birth_date) FROM customers',
    'SELECT email < full_name FROM customers',
    'SELECT corr(salary, id) FROM customers',
  ],
  open('an expression of a classified column is an output that derives from it: masked'),
)
inference.each(
  [
    "SELECT CASE WHEN email LIKE 'a%' THEN pg_sleep(0.01) END FROM customers",
    "SELECT id FROM customers WHERE email LIKE 'a%' AND pg_sleep(0.01) IS NOT NULL",
  ],
  open('how long a statement takes'),
)
inference.each(
  [
    "SELECT 1 / (CASE WHEN email LIKE 'a%' THEN 0 ELSE 1 END) FROM customers",
    'SELECT id FROM customers WHERE 1 / (length(email) - 29) = 1',
    'SELECT exp(salary) FROM customers',
    "SELECT ('9' || length(email))::int2 FROM customers",
  ],
  open('whether a statement fails: one bit per question'),
)
inference.try(
  [
    'BEGIN',
    "INSERT INTO customers (id, email, full_name, card) VALUES (99, 'x', 'x', 'x') ON CONFLICT (email) DO NOTHING",
  ],
  open('whether a value is there already, by a unique constraint'),
)
inference.try(['BEGIN', "UPDATE customers SET tier = 9 WHERE email LIKE 'a%'"], open('how many rows a condition hits'))
inference.try(
  ['BEGIN', "DELETE FROM orders USING customers c WHERE c.id = customer_id AND c.email LIKE 'a%' RETURNING orders.id"],
  open('which rows a condition hits'),
)
inference.each(
  [
    "SELECT pg_table_size('customers')",
    "SELECT n_distinct, null_frac, avg_width FROM pg_stats WHERE tablename = 'customers' AND attname = 'email'",
    "SELECT pg_relation_size('customers_email_key')",
  ],
  open('sizes and counts'),
)
inference.try("EXPLAIN SELECT id FROM customers WHERE email > 'm'", open('what the planner estimates'))

/** Questions about values. */
export const inferenceAttacks = inference.attacks
