import type { ConfigFile } from './schema.ts'
import { credentialFaults, isLoopback } from './validate.ts'
import type { Fault } from './yaml-file.ts'

/** What is wrong with the sections about access, one with another. */
export function accessFaults(values: ConfigFile): readonly Fault[] {
  const { postgres } = values.control_store
  const faults = [...roleFaults(values), ...apiFaults(values), ...notificationFaults(values)]
  const path = ['control_store', 'postgres', 'credential']
  return [...faults, ...(postgres === undefined ? [] : credentialFaults(postgres.credential, path))]
}

function roleFaults({ access_roles: roles, databases, api }: ConfigFile): readonly Fault[] {
  return Object.entries(roles).flatMap(([name, role]) => {
    const path = ['access_roles', name]
    const faults: Fault[] = []
    if (role.requestable_by.length === 0 && role.break_glass.length === 0) {
      const remedy = 'Name groups in `requestable_by`, or in `break_glass`.'
      faults.push({ path, what: 'can be asked for by nobody', remedy })
    }
    if (role.approvers.length === 0) {
      const remedy = 'Name groups in `approvers`; they also review what was taken by break-glass.'
      faults.push({ path, what: 'can be given by nobody', remedy })
    }
    for (const [index, database] of (role.databases ?? []).entries()) {
      if (databases[database] !== undefined) continue
      const remedy = `Known databases: ${Object.keys(databases).join(', ')}.`
      faults.push({ path: [...path, 'databases', index], what: 'names no database of this file', remedy })
    }
    if (api === undefined) {
      const remedy = 'Add an `api` section: people ask, approve and revoke there.'
      faults.push({ path, what: 'can be neither asked for nor given without `api`', remedy })
    }
    return faults
  })
}

function apiFaults({ api }: ConfigFile): readonly Fault[] {
  if (api === undefined || api.tls !== undefined || isLoopback(api.address)) return []
  const remedy = 'Give `api.tls` a certificate and a key, or listen on 127.0.0.1.'
  return [{ path: ['api', 'address'], what: 'is open to other machines while `api.tls` is missing', remedy }]
}

function notificationFaults({ notifications, issuers }: ConfigFile): readonly Fault[] {
  const faults: Fault[] = []
  const checkSecret = (
    secret: { file?: string | undefined; environment?: string | undefined },
    path: Fault['path'],
  ) => {
    if ((secret.file === undefined) !== (secret.environment === undefined)) return
    faults.push({ path, what: 'has to come from exactly one place', remedy: 'Give either `file` or `environment`.' })
  }
  for (const [index, webhook] of notifications.webhooks.entries()) {
    const path = ['notifications', 'webhooks', index]
    checkSecret(webhook.secret, [...path, 'secret'])
    const url = URL.parse(webhook.url)
    const isLocal = url !== null && isLoopback(url.hostname.replace(/^\[|\]$/gu, ''))
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && webhook.allow_insecure && isLocal)) continue
    const remedy = 'Only a receiver on a loopback address may use http, with `allow_insecure: true`.'
    faults.push({ path: [...path, 'url'], what: 'is not https', remedy })
  }
  const { slack } = notifications
  if (slack !== undefined) {
    const [issuer] = issuers
    // Who pressed a button is known by e-mail alone; names of another kind could not be compared with the requester's.
    const isByEmail = issuers.length === 1 && issuer?.claims.name === 'email' && issuer.prefix === ''
    if ((slack.trust_email || Object.keys(slack.users).length > 0) && !isByEmail) {
      const remedy = 'Leave `trust_email` and `users` out: the buttons then open the approval page.'
      const what = 'lets people approve by their e-mail, while principals are not named by `email` of one issuer'
      faults.push({ path: ['notifications', 'slack'], what, remedy })
    }
    checkSecret(slack.token, ['notifications', 'slack', 'token'])
    checkSecret(slack.signing_secret, ['notifications', 'slack', 'signing_secret'])
  }
  return faults
}
