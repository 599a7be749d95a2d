import { z } from 'zod'
import { limits } from '../core/limits.ts'
import { tokenAlgorithms } from '../core/token-algorithms.ts'
import { accessRoles, api, approvals, controlStore, notifications } from './access-schema.ts'
import { claim, credential, databaseTls, filePath, name, text, whole } from './scalars.ts'

const listen = z.strictObject({
  address: text.default('127.0.0.1').describe('Address to listen on; `0.0.0.0` or `::` for all.'),
  port: whole(1, 65_535).default(6432).describe('Port to listen on.'),
  tls: z
    .strictObject({
      certificate: filePath.describe('PEM file: the certificate of the gateway, then its intermediates.'),
      key: filePath.describe('PEM file: its private key, not open to every account.'),
    })
    .optional()
    .describe(
      'Without it clients could only send tokens in the clear, so it may be left out on a loopback address only.',
    ),
  login: z
    .enum(['password', 'oauth'])
    .default('password')
    .describe(
      'How clients are asked for their token: as a cleartext password, which every driver can, or by OAUTHBEARER of PostgreSQL 18. A client can ask for the other with `options=-c postern.login=oauth`.',
    ),
  oauth_scope: text
    .default('openid email profile')
    .describe('Scopes that clients of OAUTHBEARER ask the first issuer for, separated by blanks.'),
  allow_plaintext_on_loopback: z
    .boolean()
    .default(false)
    .describe('Accepts tokens without TLS from clients on this machine. For trying things out.'),
})

const claims = z.strictObject({
  name: claim.default('email').describe('Claim that names the principal; a path such as `a.b` reaches into objects.'),
  groups: claim.default('groups').describe('Claim that lists the groups of the principal.'),
  kind: z
    .strictObject({
      claim: claim.describe('Claim that tells the kinds apart.'),
      values: z
        .record(z.string(), z.enum(['human', 'service', 'agent']))
        .describe('Kind (`human`, `service`, `agent`) by value of the claim; another value is refused.'),
    })
    .optional()
    .describe('How to tell people, services and agents apart; a token without the claim is human.'),
  require_verified_email: z
    .boolean()
    .optional()
    .describe('Refuses a token whose `email_verified` is not true. On unless told, where the name comes from `email`.'),
})

const issuer = z.strictObject({
  url: z.url().describe('The issuer exactly as its tokens state it in `iss`; its discovery document is below it.'),
  audience: z
    .union([text, z.array(text).min(1)])
    .describe(
      'What `aud` of a token has to contain, so that tokens made for other services are refused. One or a list.',
    ),
  client_id: text.optional().describe('The client id that `postern token` uses to log people in (device flow).'),
  algorithms: z
    .array(z.enum(tokenAlgorithms))
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])
    .describe('Signature algorithms that are accepted.'),
  leeway_s: whole(0, 120).default(30).describe('How far the clocks of issuer and gateway may differ.'),
  claims: claims.prefault({}).describe('Which claims say who someone is.'),
  prefix: z
    .string()
    .max(100)
    .regex(/^[^\s\p{Cc}]*$/u, 'must not hold spaces or control characters')
    .default('')
    .describe('Put before names and groups of this issuer. With several issuers all but one need one of their own.'),
  ca: filePath.optional().describe('PEM file of the authorities to trust for this issuer instead of the system’s.'),
  allow_insecure: z
    .boolean()
    .default(false)
    .describe('Permits http, on a loopback address only. For trying things out.'),
})

const database = z
  .strictObject({
    host: text.describe('Host of PostgreSQL; a path that starts with `/` is the folder of its Unix socket.'),
    port: whole(1, 65_535).default(5432).describe('Its port.'),
    database: name.optional().describe('Its name in PostgreSQL; the same as the key unless told.'),
    role: name.describe('The database role to log in as.'),
    tls: databaseTls,
    credential: credential
      .describe('Where the password comes from: exactly one of the keys. Absent for `trust`.')
      .optional(),
    labels: z
      .record(claim, z.string().max(200))
      .default({})
      .describe('What policies may ask for with `resource.getTag("env")`.'),
    safe_functions: z
      .array(text)
      .default([])
      .describe('Functions outside `pg_catalog`, as `schema.name`, that do nothing a policy would want to know.'),
    classification: filePath
      .optional()
      .describe(
        'YAML file that says which columns carry which tags; `postern classify` writes it. Absent: no masking.',
      ),
    show_identity: z
      .boolean()
      .default(false)
      .describe(
        'Puts the principal before `application_name`, for pg_stat_activity and PostgreSQL’s log. `postern.principal` says it always.',
      ),
    ephemeral_roles: z
      .boolean()
      .default(false)
      .describe(
        'Makes a database role for each session, with the privileges that policy and grants allow, and drops it after. `role` needs CREATEROLE and the right to grant them.',
      ),
    catalog_refresh_s: whole(1, 86_400)
      .default(60)
      .describe('How often the catalog is read again, for changes made past the gateway. Only with `classification`.'),
  })
  .describe('One database.')

/** The shape of postern.yaml. The reference page is generated from the descriptions. */
export const configSchema = z.strictObject({
  listen: listen.prefault({}).describe('Where clients connect.'),
  issuers: z.array(issuer).min(1).max(50).describe('The identity providers whose tokens are accepted.'),
  databases: z.record(name, database).describe('The databases by the name that clients connect to.'),
  policies: filePath.default('policies').describe('Folder of the policies (`*.cedar`).'),
  journal: z
    .strictObject({
      directory: filePath.default('journal').describe('Folder of the journal; one gateway process only.'),
      durability: z
        .enum(['process', 'disk'])
        .default('process')
        .describe('What has the intent before PostgreSQL has the statement: the operating system, or the disk.'),
      signing_key: filePath
        .default('journal-key.pem')
        .describe('PEM file of the Ed25519 key that signs checkpoints; made at the first start.'),
      segment_bytes: whole(1_048_576, 1_073_741_824)
        .default(limits.journalSegmentBytes)
        .describe('Size at which a journal file is sealed and a new one begun.'),
    })
    .prefault({})
    .describe('The record.'),
  masking: z
    .strictObject({
      key: filePath
        .default('masking-key')
        .describe('File of the key that pseudonyms are made with, 32 bytes in base64; made at the first start.'),
      state: filePath
        .default('masking-state')
        .describe(
          'Folder in which the gateway remembers what was classified, so that a renamed column keeps its tags.',
        ),
    })
    .prefault({})
    .describe('What is shown instead of values that a principal may not see.'),
  control_store: controlStore,
  approvals,
  access_roles: accessRoles,
  api,
  notifications,
  session: z
    .strictObject({
      expiry_grace_s: whole(0, 3_600)
        .default(30)
        .describe('How long a statement may run on after the token, or the access that it was begun with, is over.'),
    })
    .prefault({})
    .describe('Sessions.'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('The least severe line that is written.'),
    })
    .prefault({})
    .describe('The log of the process, on standard output as JSON lines. It is not the record.'),
})

/** postern.yaml as validated, keys and all still as written. */
export type ConfigFile = z.output<typeof configSchema>
