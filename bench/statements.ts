/** What pgbench's select-only script sends in prepared mode. */
export const selectSql = 'SELECT abalance FROM pgbench_accounts WHERE aid = $1;'

/** One of the statements of its TPC-B-like script. */
export const updateSql = 'UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;'

/** A text of middling size with joins and aggregates: query 5 of TPC-H. */
export const analyticalSql = `select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from customer, orders, lineitem, supplier, nation, region
where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey and c_nationkey = s_nationkey
  and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'ASIA'
  and o_orderdate >= date '1994-01-01' and o_orderdate < date '1994-01-01' + interval '1' year
group by n_name order by revenue desc`

/** Ten columns of five tables of a web shop (those of test/workloads), a classified one among them. */
export const joinSql = `SELECT o.id, o.state, o.placed_at, o.total, c.email, c.locale, a.country, i.quantity, i.unit_price, p.name
FROM orders o JOIN customers c ON c.id = o.customer_id JOIN addresses a ON a.id = o.address_id
  JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id
WHERE o.id = $1 ORDER BY p.name`
