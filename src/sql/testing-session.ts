import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'

// A helper of this folder's tests.

/** What PostgreSQL answers to one Query: its command tags, and the error that ended it. */
export interface Answer {
  readonly tags: readonly string[]
  readonly error: { readonly sqlstate: string; readonly message: string; readonly position: number } | null
}

/** One session with a real PostgreSQL. */
export interface Session {
  readonly socket: Socket
  query(sql: string): Promise<Answer>
}

/** A session over the unix socket that keeps what no driver shows: whole command tags. */
export async function openSession({ socketDirectory, port }: SandboxPostgres): Promise<Session> {
  const socket = connect(`${socketDirectory}/.s.PGSQL.${port}`)
  const messages = readMessages(socket)
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0client_encoding\0UTF8\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(parameters.length + 8, 0)
  head.writeInt32BE(196_608, 4)
  socket.write(Buffer.concat([head, parameters]))
  await readAnswer(messages)
  return {
    socket,
    query: async (sql) => {
      const text = Buffer.from(`${sql}\0`)
      const query = Buffer.alloc(5)
      query.write('Q')
      query.writeInt32BE(text.length + 4, 1)
      socket.write(Buffer.concat([query, text]))
      return await readAnswer(messages)
    },
  }
}

async function readAnswer(messages: AsyncGenerator<Buffer>): Promise<Answer> {
  const tags: string[] = []
  let error: Answer['error'] = null
  for (;;) {
    const { value: message } = await messages.next()
    if (!(message instanceof Buffer)) throw new Error('the server closed the session')
    const type = String.fromCharCode(message[0] ?? 0)
    const fields = message.toString('utf8', 5).split('\0')
    if (type === 'C') tags.push(fields[0] ?? '')
    if (type === 'E') {
      const field = (code: string): string => fields.find((each) => each.startsWith(code))?.slice(1) ?? ''
      error = { sqlstate: field('C'), message: field('M'), position: Number(field('P')) }
    }
    if (type === 'Z') return { tags, error }
  }
}

async function* readMessages(socket: Socket): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 5 && pending.length >= pending.readInt32BE(1) + 1) {
      const end = pending.readInt32BE(1) + 1
      yield pending.subarray(0, end)
      pending = pending.subarray(end)
    }
  }
}
