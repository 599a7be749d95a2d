import { createServer } from 'node:net'
import { isLocked } from '../audit/lock.ts'
import { createCredentialSource } from '../backend/backend.ts'
import { isLoopback } from '../config.ts'
import type { Config } from '../config.ts'
import { toPosternError } from '../core/errors.ts'
import { loadPolicySet, undeclaredAccessRoles, unusedAccessRoles } from '../policy/policy.ts'
import type { PolicySet } from '../policy/policy.ts'
import { checkCertificate } from './check-local.ts'
import type { CheckResult } from './check.ts'

type ApiConfig = NonNullable<Config['api']>
type SecretSettings = Config['notifications']['webhooks'][number]['secret']

/** What policies and configuration say of approvals and access roles, held against each other. */
export async function checkApprovals(config: Config): Promise<readonly CheckResult[]> {
  let set: PolicySet
  try {
    set = await loadPolicySet(config.policies)
  } catch {
    // The check of the policies tells why.
    return []
  }
  return [...accessRoleResults(config, set), ...approverResults(config, set)]
}

function accessRoleResults({ accessRoles }: Config, set: PolicySet): readonly CheckResult[] {
  const what = 'access roles'
  const names = [...accessRoles.keys()]
  const undeclared = undeclaredAccessRoles(set, names)
  const unused = unusedAccessRoles(set, names)
  if (names.length + undeclared.length === 0) return []
  const odd = [
    ...undeclared.map((name) => `policies name "${name}", which \`access_roles\` does not have: nobody can ask for it`),
    ...unused.map((name) => `no policy names "${name}": whoever is given it may do nothing more`),
  ]
  if (odd.length === 0) return [{ what, status: 'ok', found: names.toSorted().join(', '), remedy: null }]
  const remedy = 'Write both names alike, or remove the one that has no counterpart.'
  return [{ what, status: 'warning', found: odd.join('\n'), remedy }]
}

function approverResults({ accessRoles, issuers, api }: Config, set: PolicySet): readonly CheckResult[] {
  const what = 'approvals'
  const liftable = set.policies.filter(({ approvers }) => approvers.length > 0)
  if (liftable.length + accessRoles.size === 0) return []
  if (api === null) {
    const ids = liftable.map(({ id }) => `"${id}"`).join(', ')
    const found = `without \`api\` nobody can approve anything: what needs approval by ${ids} is refused`
    const remedy = 'Add an `api` section: people approve on its pages, by `postern approve`, or in Slack.'
    return [{ what, status: 'warning', found, remedy }]
  }
  const roles = [...accessRoles.values()]
  const approvers = new Set([...liftable, ...roles].flatMap((each) => each.approvers))
  const groups = new Set([
    ...approvers,
    ...roles.flatMap(({ requestableBy, breakGlass }) => [requestableBy, breakGlass].flat()),
  ])
  const prefixes = issuers.map(({ prefix }) => prefix)
  const strange = [...groups].filter((group) => !prefixes.some((prefix) => group.startsWith(prefix))).toSorted()
  if (strange.length > 0) {
    const named = strange.map((group) => `"${group}"`).join(', ')
    const found = `nobody can be in ${named}: groups of each issuer begin with its \`prefix\` here`
    const remedy = `Write the prefix before the group: ${prefixes.map((prefix) => `${prefix}${strange[0] ?? ''}`).join(' or ')}.`
    return [{ what, status: 'warning', found, remedy }]
  }
  const count = `${String(liftable.length)} policies with @approvers, ${String(roles.length)} access role(s)`
  return [{ what, status: 'ok', found: `${count}; who decides: ${[...approvers].toSorted().join(', ')}`, remedy: null }]
}

/** The HTTP API: whether it can listen, whom its links reach, and whether people can log in to its pages. */
export async function checkApi({ api, journal, listen }: Config, nowMs: number): Promise<readonly CheckResult[]> {
  if (api === null) return []
  const certificate = api.tls === null ? [] : [checkCertificate({ tls: api.tls }, nowMs, 'certificate of the API')]
  return [await checkApiPort(api, isLocked(journal.directory)), checkApiLinks(api, listen), ...certificate]
}

async function checkApiPort({ address, port }: ApiConfig, isRunning: boolean): Promise<CheckResult> {
  const what = 'API'
  const place = `${address}, port ${String(port)}`
  const fault = await listenFault(address, port)
  if (fault === null) return { what, status: 'ok', found: `can listen on ${place}`, remedy: null }
  if (fault.code === 'EADDRINUSE' && isRunning) {
    return { what, status: 'ok', found: `${place} is in use, while a gateway runs`, remedy: null }
  }
  const why = fault.code === 'EADDRINUSE' ? 'another process does' : fault.message
  const remedy = 'Set `api.address` and `api.port` to an address of this machine and a port that is free.'
  return { what, status: 'failed', found: `cannot listen on ${place}: ${why}`, remedy }
}

/** Listens for a moment: nothing else tells for certain. */
function listenFault(address: string, port: number): Promise<NodeJS.ErrnoException | null> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error))
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

function checkApiLinks({ address, port, tls, publicUrl, login }: ApiConfig, listen: Config['listen']): CheckResult {
  const what = 'approval pages'
  const host = address.includes(':') ? `[${address}]` : address
  const own = `${tls === null ? 'http' : 'https'}://${host}:${String(port)}`
  const url = URL.parse(publicUrl ?? own)
  const isHere = url !== null && isLoopback(url.hostname.replace(/^\[|\]$/gu, ''))
  const at = publicUrl ?? own
  const warning = (found: string, remedy: string) => ({ what, status: 'warning', found, remedy }) as const
  if (url?.protocol !== 'https:' && !isHere) {
    const remedy = 'Put TLS in front of it, and let `api.public_url` begin with https.'
    return warning(`${at} is not https: whoever is on the way can take over an approver's log-in`, remedy)
  }
  if (isHere && !isLoopback(listen.address)) {
    const remedy = 'Set `api.public_url` to the address by which approvers reach it.'
    return warning(`links lead to ${at}, which only this machine can open`, remedy)
  }
  if (login === null) {
    const remedy = 'Set `api.login.client_id` for browsers, or leave it at the command line and Slack.'
    return warning(`nobody can log in at ${at}: links to requests open nothing`, remedy)
  }
  const found = `links lead to ${at}; the identity provider has to know ${at}/callback for client ${login.clientId}`
  return { what, status: 'ok', found, remedy: null }
}

/** What webhooks and Slack messages are signed with: whether it can be read. */
export async function checkSecrets({ notifications }: Config): Promise<readonly CheckResult[]> {
  const { webhooks, slack } = notifications
  return Promise.all([
    ...webhooks.map(({ url, secret }) => checkSecret(`secret of the webhook at ${URL.parse(url)?.host ?? ''}`, secret)),
    ...(slack === null
      ? []
      : [checkSecret('token of Slack', slack.token), checkSecret('signing secret of Slack', slack.signingSecret)]),
  ])
}

async function checkSecret(what: string, settings: SecretSettings): Promise<CheckResult> {
  const source = createCredentialSource(settings, process.env)
  const from = 'file' in settings ? settings.file : `the environment variable ${settings.environment}`
  try {
    await source.password()
    return { what, status: 'ok', found: from, remedy: null }
  } catch (thrown) {
    const { cause } = toPosternError(thrown)
    const why = cause instanceof Error ? cause.message : `${from} cannot be read`
    const remedy = 'Without it nothing is delivered there; nothing else is held up.'
    return { what, status: 'failed', found: why, remedy }
  } finally {
    source.close()
  }
}
