import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { backend } from '../src/wire/backend.ts'
import { encodeQuery, sync } from '../src/wire/frontend.ts'
import {
  encodeCancelRequest,
  encodeStartupMessage,
  gssencRequest,
  protocol30,
  sslRequest,
} from '../src/wire/startup.ts'
import { type Conversation, converse } from './support/conversation.ts'
import { garbage, mutate, pick } from './support/garbage.ts'
import { RawClient } from './support/raw-client.ts'
import { entriesOfApplication, type Entry, type Sandbox, startSandbox } from './support/sandbox.ts'
import { inRandomPieces, Recorder, seeded, type Way } from './support/transcript.ts'
import { schema } from './transparency/case.ts'

/*
 * Random bytes and random conversations. POSTERN_FUZZ_S is how long each part may take (3 s by default) and
 * POSTERN_FUZZ_SEED where it begins; a failure names the seed that repeats it.
 */

const budgetMs = Number(process.env['POSTERN_FUZZ_S'] ?? '3') * 1_000
const firstSeed = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
const name = 'alice@example.com'

const reader = 'sam@example.com'
const policies = `
permit (principal in Group::"engineering", action, resource);
permit (principal in Group::"support", action in [Action::"connect", Action::"session", Action::"read"], resource);
`
/** What a conversation writes to. */
const written = 'SELECT (SELECT count(*) FROM inbox)::int AS inbox, (SELECT count(*) FROM child)::int AS child'

let sandbox: Sandbox
let token: string

before(async () => {
  sandbox = await startSandbox({
    allowPlaintextOnLoopback: true,
    policies,
    postgres: { hba: ['local all all trust', 'host all all 127.0.0.1/32 trust'] },
    setUp: schema,
  })
  token = await sandbox.issuer.issueToken({ identity: name })
})

after(async () => {
  await sandbox.stop()
})

/** Runs until the time is up, with a new seed each time; says which seed it was that failed. */
async function withSeeds(run: (random: () => number, seed: number) => Promise<void>): Promise<void> {
  const endMs = Date.now() + budgetMs
  let seed = firstSeed
  for (; Date.now() < endMs; seed += 1) {
    try {
      await run(seeded(seed), seed)
    } catch (error) {
      throw new Error(`POSTERN_FUZZ_SEED=${String(seed)} repeats this`, { cause: error })
    }
  }
  assert.ok(seed > firstSeed)
}

/** Another session, begun before and used after, goes on whatever happens beside it. */
async function withBystander(run: () => Promise<void>): Promise<void> {
  const bystander = await Recorder.open(throughPostern())
  try {
    await bystander.query('SELECT 1')
    await run()
    const frames = await bystander.query('SELECT 1')
    assert.equal(frames.at(-1)?.type, backend.ReadyForQuery)
    const fresh = await Recorder.open(throughPostern())
    fresh.close()
  } finally {
    bystander.close()
  }
}

describe('garbage', () => {
  test('before the log-in ends that connection only', () =>
    withBystander(() =>
      withSeeds(async (random) => {
        const startup = encodeStartupMessage(protocol30, [
          ['user', name],
          ['database', 'shop'],
        ])
        const cancel = encodeCancelRequest(1, Buffer.alloc(4))
        const sound = pick(random, [startup, sslRequest, gssencRequest, cancel])
        const bytes = pick(random, [
          () => garbage(random, 200),
          () => mutate(random, sound),
          () => Buffer.concat([sound, garbage(random, 50)]),
          () => Buffer.concat([sslRequest, sound]),
          () => Buffer.concat([startup, mutate(random, Buffer.from('p\0\0\0\x0asecret\0', 'latin1'))]),
        ])()
        await sendAndLeave(await RawClient.open({ port: sandbox.postern.port }), bytes)
      }),
    ))

  test('after the log-in ends that session only', () =>
    withBystander(() =>
      withSeeds(async (random) => {
        const { parameters, options } = throughPostern()
        const client = await RawClient.logIn({ ...options, parameters })
        const { messages } = converse(random)
        const bytes = pick(random, [
          () => garbage(random, 400),
          () => mutate(random, Buffer.concat(messages)),
          () => Buffer.concat(messages.map((message) => (random() < 0.2 ? mutate(random, message) : message))),
          () => Buffer.concat(messages.toSorted(() => random() - 0.5)),
        ])()
        await sendAndLeave(client, bytes)
      }),
    ))
})

describe('a random conversation', () => {
  test('goes the same way directly and through Postern, and all of it is on record', async () => {
    const transcripts = new Map<string, readonly string[]>()
    await withSeeds(async (random, seed) => {
      const conversation = converse(random)
      const expected = await transcriptOf(conversation, direct())
      const application = `fuzz ${String(seed)}`
      const way = throughPostern(application)
      const chunked = random() < 0.7 ? { ...way, chunking: inRandomPieces(random) } : way
      assert.deepEqual(await transcriptOf(conversation, chunked), expected)
      transcripts.set(application, expected)
    })
    // A session is over when its last entry is on record.
    while (sandbox.postern.sessionCount > 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const entries = await sandbox.entries()
    for (const [application, transcript] of transcripts) assertOnRecord(entries, application, transcript)
  })

  test('of somebody who may only read writes nothing, and always comes to its end', async () => {
    const password = await sandbox.issuer.issueToken({ identity: reader })
    // The garbage before this was sent by somebody who may write.
    await sandbox.postgres.query('shop', 'TRUNCATE inbox, child')
    await withSeeds(async (random) => {
      const conversation = converse(random)
      const { options, parameters } = throughPostern()
      const way = {
        name: 'through Postern',
        options: { ...options, password },
        parameters: { ...parameters, user: reader },
        processIds: [],
      }
      const chunked = random() < 0.5 ? { ...way, chunking: inRandomPieces(random) } : way
      await transcriptOf(conversation, chunked, 'SELECT 1')
      assert.deepEqual(await sandbox.postgres.query('shop', written), [{ inbox: 0, child: 0 }])
    })
  })
})

async function transcriptOf(
  { messages, sentinel }: Conversation,
  way: Way,
  first = 'CREATE TEMP TABLE inbox (id int, note text)',
): Promise<readonly string[]> {
  const session = await Recorder.open(way)
  session.lines.length = 0
  try {
    await session.query(first)
    // Nothing waits for an answer: that is what makes a pipeline.
    await session.send(...messages, sync, encodeQuery('ROLLBACK'), encodeQuery(`SELECT '${sentinel}'`))
    for (;;) {
      const frames = await session.ready()
      if (frames.some(({ type, body }) => type === backend.DataRow && body.includes(sentinel))) return session.lines
      if (session.lines.at(-1) === '(closed)') throw new Error(`closed after:\n${session.lines.join('\n')}`)
    }
  } finally {
    session.close()
  }
}

/** Every statement that ran has its intent before it, and each intent has an outcome, in the order of the answers. */
function assertOnRecord(entries: readonly Entry[], application: string, transcript: readonly string[]): void {
  const own = entriesOfApplication(entries, application)
  const intents = new Set(own.filter((entry) => entry.type === 'intent').map((entry) => entry.seq))
  const outcomes = own.filter((entry) => entry.type === 'outcome')
  for (const outcome of outcomes) assert.ok(intents.has(Number(outcome['intent'])), JSON.stringify(outcome))
  assert.equal(
    new Set(outcomes.map((outcome) => outcome['intent'])).size,
    intents.size,
    `an intent of ${application} has no outcome`,
  )
  const tags = transcript.flatMap((line) => {
    const tag = /^CommandComplete (.*)␀$/.exec(line)?.[1]
    return tag === undefined ? [] : [tag]
  })
  // A text that could not be read is one opaque statement, whatever PostgreSQL found in it.
  if (own.some((entry) => entry.type === 'intent' && entry['kind'] === 'OPAQUE')) return
  const recorded = outcomes.filter((outcome) => outcome['outcome'] === 'completed' && outcome['tag'] !== '')
  assert.deepEqual(
    recorded.map((outcome) => outcome['tag']),
    tags,
    application,
  )
}

/** Sends, and waits until the other side has closed or shows that it waits for more. */
async function sendAndLeave({ socket }: RawClient, bytes: Buffer): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve).once('end', resolve))
  socket.end(bytes)
  const patience = setTimeout(() => socket.destroy(), 300)
  await closed
  clearTimeout(patience)
  socket.destroy()
}

function direct(): Way {
  const { port, superuser } = sandbox.postgres
  return { name: 'directly', options: { port }, parameters: { user: superuser, database: 'shop' }, processIds: [] }
}

function throughPostern(application = 'bystander'): Way {
  return {
    name: 'through Postern',
    options: { port: sandbox.postern.port, password: token },
    parameters: { user: name, database: 'shop', application_name: application },
    processIds: [],
  }
}
