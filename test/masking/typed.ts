import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync } from '../../src/wire/frontend.ts'

/** Values that somebody who may see everything types, and that the journal has to show as pseudonyms. */
export interface TypedValues {
  readonly email: string
  readonly name: string
  readonly salary: string
}

/** Statements on classified columns with values in them, each as messages and the ReadyForQuery that they bring. */
export function typedStatements({
  email,
  name,
  salary,
}: TypedValues): readonly (readonly [string, readonly Buffer[], number])[] {
  const query = (sql: string): readonly [string, readonly Buffer[], number] => [sql.slice(0, 80), [encodeQuery(sql)], 1]
  const extended = (sql: string, parameters: readonly Buffer[], parameterFormats: readonly number[] = []) =>
    [sql, [encodeParse({ sql }), encodeBind({ parameters, parameterFormats }), encodeExecute('', 0), sync], 1] as const
  return [
    query(`SELECT * FROM customers WHERE email = '${email}'`),
    query(`SELECT * FROM customers WHERE full_name LIKE '${name}%' AND salary > ${salary}`),
    query(`SELECT id FROM customers WHERE email = E'${email}' OR full_name = $$${name}$$ OR full_name = U&'${name}'`),
    query(`SELECT id FROM customers /* ${name} */ WHERE tier = 1 -- ${email}`),
    query(`SELECT '${name}', email FROM customers`),
    query(`SELECT email FROM customers WHERE full_name = '${name}' ${' '.repeat(20_000)}`),
    query(
      `SELECT email FROM customers WHERE full_name IN ('${name}', '${email}') AND salary IN (${salary}, -${salary}, ${salary}.5)`,
    ),
    query(`SELECT email FROM customers WHERE full_name = '${name}' AND`),
    query(`SELEC email FROM customers WHERE full_name = '${name}'`),
    query(`SELECT email FROM customers WHERE full_name = '${name}`),
    query(`SELECT nothing FROM customers WHERE full_name = '${name}'`),
    query(`SELECT 1; SELECT email FROM customers WHERE full_name = '${name}'; SELECT 2`),
    query(`BEGIN; UPDATE customers SET full_name = '${name}', city = 'x' WHERE email = '${email}'; ROLLBACK`),
    query(
      `BEGIN; INSERT INTO customers (id, email, full_name, card) VALUES (50, 'x${email}', '${name}', '${name}y'); ROLLBACK`,
    ),
    query(
      `BEGIN; INSERT INTO customers (id, email, full_name, card) VALUES (1, '${email}', '${name}', '${name}'); ROLLBACK`,
    ),
    query(`ROLLBACK; BEGIN; DELETE FROM orders USING customers c WHERE c.full_name = '${name}'; ROLLBACK`),
    query(`PREPARE t AS SELECT email FROM customers WHERE full_name = $1; EXECUTE t ('${name}')`),
    query(`EXPLAIN SELECT email FROM customers WHERE full_name = '${name}'`),
    query(`COPY (SELECT email FROM customers WHERE full_name = '${name}') TO STDOUT`),
    query(
      `BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers WHERE full_name = '${name}'; FETCH ALL FROM c; ROLLBACK`,
    ),
    query(`SELECT customer_email(1), '${name}'`),
    query(`SELECT email::int FROM customers WHERE full_name = '${name}'`),
    query(`SELECT '${name}'::int FROM customers WHERE full_name <> ''`),
    extended('SELECT email FROM customers WHERE full_name = $1', [Buffer.from(name)]),
    extended('SELECT email FROM customers WHERE full_name = $1', [Buffer.from(name)], [1]),
    extended('SELECT email FROM customers WHERE email = $1 AND full_name = $2 AND $3::numeric < salary', [
      Buffer.from(email),
      Buffer.from(name),
      Buffer.from(salary),
    ]),
    extended('SELECT $1::text, email FROM customers', [Buffer.from(`${name}${' '.repeat(3_000)}`)]),
    extended('SELECT $1::int, email FROM customers', [Buffer.from(name)]),
    extended('UPDATE customers SET full_name = $1 WHERE id = -1 AND phone = $2', [
      Buffer.from(name),
      Buffer.from(email),
    ]),
  ]
}
