import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, DatabaseError, type QueryResult } from 'pg'
import pc from 'picocolors'
import { readEntries } from './record.ts'
import { identities, startWorld, type World } from './world.ts'

/** The demo: Postern does its main job in front of your eyes, and stays up for you to try. `--once` ends it at once. */
async function main(): Promise<void> {
  const isOnce = process.argv.includes('--once')
  say(pc.dim('Starting PostgreSQL 18 with a shop database, an identity provider and Postern …'))
  const world = await startWorld()
  const stop = async (): Promise<void> => {
    await world.stop()
  }
  try {
    await tell(world)
    if (isOnce) return
    await inviteToTry(world)
    await new Promise<void>((resolve) => {
      process.once('SIGINT', resolve)
      process.once('SIGTERM', resolve)
    })
    say('')
  } finally {
    await stop()
  }
}

async function tell(world: World): Promise<void> {
  heading('1. A log-in by name: the password is a token of the identity provider')
  const { token } = await world.writeToken('alice@example.com')
  const alice = await connect(world, { user: 'alice@example.com', password: token })
  say('   alice@example.com is connected over TLS. She holds no database password; only Postern does.')

  heading('2. A query')
  await show(
    alice,
    "SELECT status, count(*), sum(total) FROM orders WHERE placed_at >= '2025-06-01' GROUP BY status ORDER BY 2 DESC",
  )

  heading('3. Its record')
  await showRecord(world)

  heading('4. What she may not see')
  say(pc.dim('   In the database:'))
  const sql = 'SELECT name, email, phone, born, city FROM customers ORDER BY id LIMIT 2'
  await showDirect(world, sql)
  say(pc.dim('   Through Postern, as Alice, who may not unmask these columns, whichever way she asks:'))
  await show(alice, sql)
  await show(alice, 'SELECT upper(email) AS shouted, row_to_json(c) AS whole FROM customers c WHERE id = 1')
  await show(alice, 'UPDATE tickets SET subject = c.email FROM customers c WHERE c.id = customer_id')
  await show(
    alice,
    'SELECT city, count(*), count(DISTINCT email) AS people FROM customers GROUP BY city ORDER BY 1 LIMIT 2',
  )

  heading('5. What policy forbids')
  await show(alice, 'DROP DATABASE shop')
  say(pc.dim('   … and the session is alive after it:'))
  await show(alice, 'SELECT count(*) AS customers FROM customers')

  heading('6. What a second person has to agree to')
  await showApproval(world, alice)
  await alice.end()

  heading('7. Access for a while')
  await showGrant(world)

  heading('8. The shared password of old')
  try {
    const intruder = await connect(world, { user: 'alice@example.com', password: 'shop-2019!' })
    await intruder.end()
    throw new Error('the shared password was accepted')
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    say(
      `$ psql "host=127.0.0.1 port=${String(world.port)} dbname=shop user=alice@example.com"   ${pc.dim('(password: shop-2019!)')}`,
    )
    sayError(error)
  }
  say('')
}

/** What of a notice is shown. */
type Notice = Pick<DatabaseError, 'severity' | 'detail' | 'hint'> & { readonly message: string | undefined }

/** A statement waits on its connection until a DBA, who sees all of it, lets it run. */
async function showApproval(world: World, alice: Client): Promise<void> {
  const notices: Notice[] = []
  alice.on('notice', (notice) => notices.push(notice))
  const running = show(alice, 'DELETE FROM order_items')
  const notice = await until(() => notices[0])
  sayNotice(notice)
  say(pc.dim('   The statement waits on her connection. Dana, a DBA, looks at it and agrees:'))
  const id = /r_\w+/u.exec(notice.detail ?? '')?.[0] ?? ''
  await runPostern(world, 'dana@example.com', ['approve', id, '--yes', '--comment', 'agreed, it is a copy'])
  say(pc.dim('   … and it runs, the moment she does:'))
  await running
  const entries = await readEntries(world.journalDirectory)
  const intent = entries.findLast((entry) => entry.type === 'intent')
  if (intent?.approval === undefined) throw new Error('the approval is not on record')
  const { principal, approval } = intent
  say(`   ${pc.cyan('record'.padEnd(8))} asked by ${principal.name}, agreed to by ${approval.approvers.join(', ')}`)
}

/** A person of support sees more for as long as a case takes, in the session that is open all along. */
async function showGrant(world: World): Promise<void> {
  const { token } = await world.writeToken('sam@example.com')
  const sam = await connect(world, { user: 'sam@example.com', password: token })
  const sql = 'SELECT name, email FROM customers ORDER BY id LIMIT 1'
  await show(sam, sql)
  const asked = await runPostern(world, 'sam@example.com', [
    'request',
    'support-lead',
    '--for',
    '30m',
    '--reason',
    'INC-1234: refund went to the wrong address',
  ])
  const id = /r_\w+/u.exec(asked)?.[0] ?? ''
  await runPostern(world, 'dana@example.com', ['approve', id, '--yes'])
  say(pc.dim('   It is the same session; what it may see is not:'))
  await show(sam, sql)
  await runPostern(world, 'dana@example.com', [
    'revoke',
    '--role',
    'support-lead',
    '--reason',
    'INC-1234 is closed',
    '--yes',
  ])
  await show(sam, sql)
  await sam.end()
}

const top = join(import.meta.dirname, '..')

/** Runs a command of Postern as somebody, and shows what it prints. */
async function runPostern(world: World, identity: string, args: readonly string[]): Promise<string> {
  const { token } = await world.writeToken(identity)
  const shown = args.filter((arg) => arg !== '--yes').map((arg) => (/^[\w.:@-]+$/u.test(arg) ? arg : `'${arg}'`))
  say(`${pc.green(`${identity.replace(/@.*/u, '')}$`)} postern ${shown.join(' ')}`)
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(top, 'src/cli/main.ts'), ...args], {
    env: { ...process.env, POSTERN_API: world.apiUrl, POSTERN_TOKEN: token },
  })
  const output = (stdout + stderr).trimEnd()
  say(output)
  return output
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const found = look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('what the demo waits for did not come')
}

/** Values as PostgreSQL prints them, as psql shows them. */
const asText = { getTypeParser: () => (value: string | Buffer) => value.toString() }

async function connect(world: World, who: { user: string; password: string }): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: world.port,
    database: 'shop',
    application_name: 'demo',
    types: asText,
    ssl: { ca: world.authority },
    ...who,
  })
  await client.connect()
  return client
}

/** Runs a statement and shows what psql would. */
async function show(client: Client, sql: string): Promise<void> {
  say(`${pc.green('shop=>')} ${sql};`)
  try {
    sayTable(await client.query(sql))
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    sayError(error)
  }
}

/** Shows what the database itself holds, as its superuser sees it. */
async function showDirect({ postgres }: World, sql: string): Promise<void> {
  const { host, port, superuser: user, password } = postgres
  const direct = new Client({ host, port, user, password, database: 'shop', types: asText })
  await direct.connect()
  try {
    sayTable(await direct.query(sql))
  } finally {
    await direct.end()
  }
}

async function showRecord(world: World): Promise<void> {
  const entries = await readEntries(world.journalDirectory)
  const intent = entries.findLast((entry) => entry.type === 'intent')
  const outcome = entries.findLast((entry) => entry.type === 'outcome')
  if (intent === undefined || outcome === undefined) throw new Error('the statement is not on record')
  const { principal, client } = intent
  const rows: readonly (readonly [string, string])[] = [
    [
      'who',
      `${principal.name} (${principal.kind}, ${principal.groups.join(', ')}), subject ${principal.subject} of ${principal.issuer}`,
    ],
    ['from', `${client.address}:${String(client.port)}, ${client.application}, ${client.tls?.version ?? 'no TLS'}`],
    ['what', `${intent.kind} on ${intent.relations.join(', ')}`],
    ['by', intent.policies.join(', ')],
    ['outcome', `${outcome.outcome}, ${String(outcome.rows)} rows, ${(outcome.durationUs / 1000).toFixed(1)} ms`],
    ['entries', `${String(intent.seq)} and ${String(outcome.seq)}, each holding the hash of the one before`],
  ]
  for (const [name, value] of rows) say(`   ${pc.cyan(name.padEnd(8))} ${value}`)
}

async function inviteToTry(world: World): Promise<void> {
  const port = String(world.port)
  say(pc.bold('It stays up. Try it (each token is good for an hour):'))
  for (const { name, kind, groups } of identities) {
    const { file } = await world.writeToken(name)
    say('')
    say(pc.dim(`# ${name}: ${kind}, ${groups.join(', ')}`))
    say(
      `PGPASSWORD=$(cat ${file}) psql "host=127.0.0.1 port=${port} dbname=shop user=${name} sslmode=verify-full sslrootcert=${world.authorityFile}"`,
    )
  }
  const [first] = identities
  const { file } = await world.writeToken(first?.name ?? '')
  say('')
  say(pc.dim('# any driver'))
  say(
    `echo "postgresql://${encodeURIComponent(first?.name ?? '')}:$(cat ${file})@127.0.0.1:${port}/shop?sslmode=verify-full&sslrootcert=${world.authorityFile}"`,
  )
  say('')
  say(pc.dim('# where people decide: log in as dana@example.com, or on the command line'))
  say(world.apiUrl)
  const dana = await world.writeToken('dana@example.com')
  say(`POSTERN_API=${world.apiUrl} POSTERN_TOKEN=$(cat ${dana.file}) npm run -s postern -- requests`)
  say('')
  say(pc.dim('# the record: follow it, search it, prove that nothing was changed'))
  for (const verb of ['tail', 'search --principal alice@example.com', 'verify']) {
    say(`npm run -s postern -- audit ${verb} --config ${world.configFile}`)
  }
  say('')
  say(pc.dim('Ctrl-C ends it.'))
}

function heading(text: string): void {
  say('')
  say(pc.bold(text))
}

function sayNotice({ severity, message, detail, hint }: Notice): void {
  say(pc.yellow(`${severity ?? 'NOTICE'}:  ${message ?? ''}`))
  if (detail !== undefined) say(`DETAIL:  ${detail}`)
  if (hint !== undefined) say(`HINT:  ${hint}`)
}

function sayError(error: DatabaseError): void {
  say(pc.red(`${error.severity ?? 'ERROR'}:  ${error.message}`) + pc.dim(`   (SQLSTATE ${error.code ?? ''})`))
  if (error.detail !== undefined) say(`DETAIL:  ${error.detail}`)
  if (error.hint !== undefined) say(`HINT:  ${error.hint}`)
}

/** Type oids whose values psql sets to the right: int8, int2, int4, oid, float4, float8, numeric. */
const numberTypes: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700])

function sayTable({ fields, rows, command, rowCount }: QueryResult<Record<string, unknown>>): void {
  if (fields.length === 0) return say(`${command} ${String(rowCount ?? 0)}`)
  const columns = fields.map(({ name, dataTypeID }) => {
    const cells = rows.map((row) => String(row[name]))
    return { name, cells, isNumber: numberTypes.has(dataTypeID), width: Math.max(...[name, ...cells].map(lengthOf)) }
  })
  say(columns.map(({ name, width }) => ` ${centred(name, width)} `).join('|'))
  say(columns.map(({ width }) => '-'.repeat(width + 2)).join('+'))
  for (const index of rows.keys()) {
    const cells = columns.map(({ cells, isNumber, width }) => {
      const cell = cells[index] ?? ''
      return ` ${isNumber ? cell.padStart(width) : cell.padEnd(width)} `
    })
    say(cells.join('|').trimEnd())
  }
  say(`(${String(rows.length)} row${rows.length === 1 ? '' : 's'})`)
}

function lengthOf(text: string): number {
  return text.length
}

function centred(text: string, width: number): string {
  return text.padStart(Math.floor((width + text.length) / 2)).padEnd(width)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

await main()
