import type { Answers } from './init-answers.ts'

/** The commented postern.yaml that `postern init` writes. */
export function configText(answers: Answers): string {
  const { tls } = answers
  return `# Postern's configuration. docs/reference/config.md describes every key, and \`postern check\` checks this file.
# \${NAME} in a value stands for an environment variable. Paths are relative to the folder of this file.

# Where clients connect. Tokens travel as passwords, so TLS is not a choice: the exception is this machine itself.
listen:
  address: ${scalar(answers.address)}
  port: ${String(answers.port)}
${
  tls === null
    ? `  # For trying things out. For anything else give it a certificate:
  # tls: { certificate: server.crt, key: server.key }
  allow_plaintext_on_loopback: true`
    : `  tls:
    certificate: ${scalar(tls.certificate)} # the gateway's, then its intermediates
    key: ${scalar(tls.key)} # chmod 600`
}

# Whose tokens are accepted. Clients present one as the password.
issuers:
  - url: ${scalar(answers.issuer)}
    audience: ${scalar(answers.audience)} # what \`aud\` of a token has to contain
    client_id: ${scalar(answers.clientId)} # for \`postern token\` and \`postern connect\`
${answers.isIssuerInsecure ? '    allow_insecure: true # http, on this machine only\n' : ''}    claims:
      name: email # the name in policies and in the record
      groups: groups
      # Programs and AI agents are told from people by a claim, if your provider has one:
      # kind: { claim: kind, values: { human: human, service: service, agent: agent } }

# What clients connect to. They never see the password.
databases:
  ${scalar(answers.database)}:
    host: ${scalar(answers.databaseHost)}
    port: ${String(answers.databasePort)}
    role: ${scalar(answers.databaseRole)}
    tls: { mode: ${answers.databaseTls} } # as sslmode of PostgreSQL; add \`ca: file\` for an authority of your own
    credential: { environment: ${answers.passwordVariable} } # or { file: ... } or { command: [...] }
    labels: { env: production } # for policies: resource.getTag("env")
    # Which columns hold personal data and secrets, and what is shown instead. Take the # away, then let
    # \`postern classify\` with --write propose it: see docs/guide/masking.md.
    # classification: ${scalar(`${answers.database}.classification.yaml`)}

# What they may do. Changes take effect at once, for running sessions too.
policies: policies

# The record: every statement, before it runs. Nothing runs unrecorded.
journal:
  directory: journal
  durability: process # or disk: survives a power cut, and each statement waits for it
  signing_key: journal-key.pem # made at the first start; keep a copy of its .pub file elsewhere

# What masking needs, for databases with a classification. Both are made at the first start; keep a backup of both.
# masking:
#   key: masking-key # pseudonyms are made with it
#   state: masking-state # remembers what was classified, so that a renamed column keeps its tags

# Where people decide, on pages, by \`postern approve\` and \`postern request\`: see docs/guide/approvals.md. Without it
# whatever needs approval is refused.
api:
  address: 127.0.0.1
  port: 8432
  # Approvers elsewhere, or on a phone, need an address of their own and TLS:
  # public_url: https://postern.example.com # what links begin with
  # tls: { certificate: server.crt, key: server.key } # or https by something in front of it
  login:
    # For browsers, by authorization code and PKCE; the identity provider has to know the address above with /callback
    # behind it. A client with a secret: client_secret: \${NAME}
    client_id: ${scalar(answers.clientId)}

# For how long people are waited for. Who decides is said by policies (@approvers) and access roles.
approvals:
  statement_wait: 10m # a statement waits on its connection, and keeps the locks of its transaction
  access_wait: 1d
  # auditors: [auditors] # groups that see all requests and grants
  # admins: [platform] # groups that may also end all access

# Access that is asked for and ends by itself: see docs/guide/access.md. Policies name it as AccessRole::"support-lead".
access_roles:
  support-lead:
    description: See customers' e-mail addresses while a case is open
    requestable_by: [support]
    approvers: [dba]
    max_duration: 8h
    # break_glass: [on-call] # groups that may take it at once, to be reviewed afterwards

# Requests, approvals and grants. Keep it with the journal. Several gateways share one in PostgreSQL instead:
# see docs/guide/control-store.md.
control_store:
  file: control.db
  # postgres: { host: db.example.com, database: postern, role: postern_control, credential: { file: control-password } }

# Who is told that something waits: see docs/guide/notifications.md.
# notifications:
#   webhooks:
#     - { url: https://hooks.example.com/postern, secret: { file: webhook-secret } }

session:
  expiry_grace_s: 30 # how long a statement may run on after its token, or the access it began with, is over

log:
  level: info
`
}

/** An example of a systemd unit for the configuration in `folder`. */
export function unitText(folder: string, answers: Answers): string {
  return `# An example: copy it to /etc/systemd/system/postern.service, correct the paths, then
#   systemctl daemon-reload && systemctl enable --now postern
[Unit]
Description=Postern, an identity-aware gateway for PostgreSQL
After=network-online.target
Wants=network-online.target

[Service]
# An account of its own, which alone may read the key, the password and the journal.
User=postern
WorkingDirectory=${unitValue(folder)}
# ${answers.passwordVariable}=... ; chmod 600, owned by root
EnvironmentFile=/etc/postern/environment
ExecStartPre=/usr/bin/env postern check --offline
ExecStart=/usr/bin/env postern serve
# Sessions are ended in good order and the journal is sealed before it stops. One process is told, which tells the other:
# a second SIGTERM would end it at once.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure
LimitNOFILE=65536

NoNewPrivileges=true
PrivateTmp=true
PrivateDevices=true
ProtectSystem=strict
ProtectHome=true
ReadWritePaths=${unitValue(folder)}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
`
}

/** Text as YAML reads it back: bare where that is plainly a string, quoted as in JSON otherwise. */
function scalar(text: string): string {
  const isWord = /^[A-Za-z/][\w./-]*(?::\/\/[\w./:-]+)?$/u.test(text)
  const isPlain = isWord && !/^(?:true|false|null|yes|no|on|off|y|n)$/iu.test(text)
  // An address such as 127.0.0.1 is no number to YAML.
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/u.test(text)
  return isPlain || isAddress ? text : JSON.stringify(text).replaceAll('${', () => '$${')
}

/** A path as systemd reads it back: percent signs would start a specifier. */
function unitValue(text: string): string {
  return text.replaceAll('%', '%%')
}
