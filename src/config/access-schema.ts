import { z } from 'zod'
import { accessEventTypes } from '../core/access-events.ts'
import { claim, credential, databaseTls, duration, filePath, name, text, whole } from './scalars.ts'

const minute = 60_000
const day = 86_400_000
const group = z.string().min(1).max(255)

/** Where requests, approvals, grants and sessions are kept. */
export const controlStore = z
  .strictObject({
    file: filePath.default('control.db').describe('File of the embedded store. Not used with `postgres`.'),
    postgres: z
      .strictObject({
        host: text.describe('Host of PostgreSQL; a path that starts with `/` is the folder of its Unix socket.'),
        port: whole(1, 65_535).default(5432).describe('Its port.'),
        database: name.describe('A database of its own, or one shared with other things.'),
        schema: name.default('postern').describe('The schema, made at the first start.'),
        role: name.describe('The database role to log in as; owner of the schema.'),
        tls: databaseTls,
        credential: credential
          .describe('Where the password comes from: exactly one of the keys. Absent for `trust`.')
          .optional(),
      })
      .optional()
      .describe('A PostgreSQL that several gateways share. Absent: the embedded store, for one gateway.'),
    staleness: duration(1_000, 10 * minute)
      .default('30s')
      .describe('How long grants read before still count while the store cannot be reached. After that they do not.'),
  })
  .prefault({})
  .describe('The working state of requests, approvals, grants and sessions.')

/** How statements and access requests wait for people. */
export const approvals = z
  .strictObject({
    statement_wait: duration(1_000, day).default('10m').describe('How long a statement waits for its approval.'),
    access_wait: duration(minute, 30 * day)
      .default('1d')
      .describe('How long a request for an access role waits.'),
    auditors: z.array(group).max(100).default([]).describe('Groups whose members see all requests and grants.'),
    admins: z.array(group).max(100).default([]).describe('Groups whose members may also revoke everything.'),
  })
  .prefault({})
  .describe(
    'Who decides is said by policies (`@approvers`) and access roles; here is for how long they are waited for.',
  )

const accessRole = z
  .strictObject({
    description: z.string().max(500).default('').describe('What it is for, in a sentence.'),
    requestable_by: z.array(group).max(100).default([]).describe('Groups whose members may ask for it.'),
    approvers: z.array(group).max(100).default([]).describe('Groups whose members may give it.'),
    approvals: whole(1, 9).default(1).describe('How many of them have to agree.'),
    max_duration: duration(minute, 90 * day)
      .default('8h')
      .describe('The longest that may be asked for at once.'),
    needs_reason: z.boolean().default(true).describe('Whether a reason has to be given.'),
    databases: z.array(name).max(1_000).optional().describe('The databases it holds in; absent for all.'),
    break_glass: z
      .array(group)
      .max(100)
      .default([])
      .describe('Groups whose members may take it at once, to be reviewed afterwards.'),
  })
  .describe('One access role.')

/** What can be asked for. */
export const accessRoles = z
  .record(claim, accessRole)
  .default({})
  .describe('Access roles that are given for a while. Policies name them as `AccessRole::"name"`.')

/** The HTTP API and the pages on which people decide. */
export const api = z
  .strictObject({
    address: text.default('127.0.0.1').describe('Address to listen on.'),
    port: whole(1, 65_535).default(8432).describe('Port to listen on.'),
    public_url: z
      .url()
      .optional()
      .describe('Where people reach it, as links say; `https://…` where something in front of it terminates TLS.'),
    tls: z
      .strictObject({
        certificate: filePath.describe('PEM file: the certificate, then its intermediates.'),
        key: filePath.describe('PEM file: its private key, not open to every account.'),
      })
      .optional()
      .describe('Without it the API may listen on a loopback address only.'),
    login: z
      .strictObject({
        client_id: text.describe('The client id for browsers at the first issuer (authorization code with PKCE).'),
        client_secret: text
          .optional()
          .describe('Its secret, better as `${NAME}` than written out; absent for a public client.'),
        scope: text
          .optional()
          .describe(
            'Scopes to ask for, separated by blanks. Absent: `openid profile email`, and `groups` where the issuer lists it.',
          ),
      })
      .optional()
      .describe('How people log in to the pages. Absent: only bearer tokens, so no pages.'),
    console_session: duration(minute, day).default('8h').describe('How long a browser stays logged in, at most.'),
  })
  .optional()
  .describe('The HTTP API and the pages for approvers. Absent: nobody can approve, and what needs approval is refused.')

const secret = z.strictObject({
  file: filePath.optional().describe('File that holds it, not open to every account.'),
  environment: claim.optional().describe('Environment variable that holds it.'),
})

/** Who is told. */
export const notifications = z
  .strictObject({
    state: filePath.default('notifications').describe('Folder of what is still to be delivered.'),
    webhooks: z
      .array(
        z
          .strictObject({
            url: z.url().describe('Where events are posted to.'),
            secret: secret.describe('What they are signed with; `file` or `environment`.'),
            events: z.array(z.enum(accessEventTypes)).optional().describe('Events to post; absent for all.'),
            allow_insecure: z.boolean().default(false).describe('Permits http, on a loopback address only.'),
          })
          .describe('One receiver.'),
      )
      .max(20)
      .default([])
      .describe('Receivers of signed JSON.'),
    slack: z
      .strictObject({
        channel: text.describe('Channel id to post requests to.'),
        token: secret.describe('Bot token; `file` or `environment`.'),
        signing_secret: secret.describe('What Slack signs interactions with; `file` or `environment`.'),
        base_url: z.url().default('https://slack.com/api').describe('Slack’s Web API.'),
        trust_email: z
          .boolean()
          .default(false)
          .describe('Whether the buttons count for whom Slack’s e-mail names. Off: they open the approval page.'),
        users: z
          .record(claim, text)
          .default({})
          .describe('E-mail by Slack user id, for people whose buttons count without `trust_email`.'),
        groups: z
          .record(group, z.array(text).max(1_000))
          .default({})
          .describe('Members of groups by e-mail, for buttons: Slack does not know the groups of the issuer.'),
      })
      .optional()
      .describe('Slack messages with buttons.'),
  })
  .prefault({})
  .describe('Who is told of requests, answers and grants.')
