import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessEvent } from '../core/access-events.ts'
import { PosternError } from '../core/errors.ts'
import { isAbsent, OutboxFiles } from './outbox-files.ts'
import { Outbox, type NotifyFault, type RetrySchedule } from './outbox.ts'
import { isForSlack, openingOf, Slack, slackEventId, type SlackOptions, type SlackReply } from './slack.ts'
import { checkTarget, postWebhook, webhookBodyOf, type CheckedTarget, type WebhookTarget } from './webhook.ts'

export type { NotifyFault, RetrySchedule } from './outbox.ts'
export type { SlackOptions, SlackReply } from './slack.ts'
export type { WebhookTarget } from './webhook.ts'

/** Who is told, and where what is still to be told is kept. */
export interface NotifierOptions {
  /** A folder of this gateway's own; made where it is missing. */
  readonly directory: string
  readonly webhooks: readonly WebhookTarget[]
  readonly slack: SlackOptions | null
  /** Something was not told, or not yet. Called for every such case: nothing is dropped in silence. */
  onFault(fault: NotifyFault): void
  /** Eight attempts over about a day unless told. */
  readonly schedule?: RetrySchedule
  /** What may wait per receiver, given-up deliveries included; 10,000 deliveries and 64 MB unless told. */
  readonly bounds?: { readonly deliveriesMax: number; readonly bytesMax: number }
  /** How long one call may take in all; 10 s unless told. */
  readonly deadlineMs?: number
  readonly now?: () => number
}

/** Tells others of requests and grants, and takes answers from Slack. */
export interface Notifier {
  /** Tells everybody who is to know. Returns at once and never throws; what goes wrong is a fault. */
  notify(event: AccessEvent): void
  /** Settles once every event so far is on disk, or was refused by a fault: then even a kill loses none of them. */
  flushed(): Promise<void>
  /** Answers `POST /slack/interactions`, by the body as it came and the headers by their names in lower case. */
  handleSlack(rawBody: Buffer, headers: ReadonlyMap<string, string>): Promise<SlackReply>
  /** Stops; what was not taken by its receiver stays on disk for the next start. */
  close(): Promise<void>
}

/** Pauses of about 10 s, 1 min, 5 min, 30 min, 2 h, 6 h and 15 h. */
const usualSchedule: RetrySchedule = {
  pausesMs: [10_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000, 54_000_000],
  jitter: 0.2,
}
const usualBounds = { deliveriesMax: 10_000, bytesMax: 64 * 1024 * 1024 }
const usualDeadlineMs = 10_000
const webhooksInFlightMax = 4
const deliveryAgeMsMax = 48 * 3_600_000

/**
 * Starts telling, beginning with what an earlier run left. Fails with `config_invalid` where a receiver cannot be used;
 * a folder that cannot be written is a fault of every event.
 */
export function createNotifier(options: NotifierOptions): Notifier {
  const { directory, deadlineMs = usualDeadlineMs, now = Date.now } = options
  const targets = checkTargets(options.webhooks)
  const onFault = guarded((fault) => options.onFault(fault))
  const common = {
    schedule: options.schedule ?? usualSchedule,
    ...(options.bounds ?? usualBounds),
    ageMsMax: deliveryAgeMsMax,
    now,
    onFault,
  }
  const webhooks = targets.map((target) => ({
    target,
    outbox: new Outbox({
      ...common,
      directory: join(directory, target.key),
      target: target.label,
      inFlightMax: webhooksInFlightMax,
      attempt: (delivery, signal) => postWebhook(target, delivery, { signal, deadlineMs, now }),
    }),
  }))
  const slack = options.slack === null ? null : startSlack(options.slack, { common, directory, deadlineMs })
  const known = new Set([...targets.map(({ key }) => key), 'slack', 'slack-messages'])
  const orphans = findOrphans(directory, known, onFault).catch((cause: unknown) => {
    const why = 'its folder cannot be read'
    onFault({ kind: 'storage_failed', target: 'all', delivery: null, eventType: null, why, cause })
  })
  const outboxes = [...webhooks.map(({ outbox }) => outbox), ...(slack === null ? [] : [slack.outbox])]
  return {
    notify(event) {
      try {
        for (const { target, outbox } of webhooks) {
          if (isWanted(target, event)) outbox.add({ id: event.id, type: event.type, body: webhookBodyOf(event) })
        }
        if (slack !== null && isForSlack(event)) {
          slack.outbox.add({ id: slackEventId(event), type: event.type, body: JSON.stringify(event) })
        }
      } catch (cause) {
        const why = 'the event cannot be written down'
        onFault({ kind: 'refused', target: 'all', delivery: null, eventType: event.type, why, cause })
      }
    },
    async flushed() {
      await Promise.all(outboxes.map((outbox) => outbox.flushed()))
    },
    async handleSlack(rawBody, headers) {
      const nowhere = { status: 404, body: 'Slack is not configured.', contentType: 'text/plain; charset=utf-8' }
      return slack === null ? nowhere : slack.face.handle(rawBody, headers)
    },
    async close() {
      await Promise.all([...outboxes.map((outbox) => outbox.close()), slack?.face.close(), orphans])
    },
  }
}

type Common = Pick<
  ConstructorParameters<typeof Outbox>[0],
  'schedule' | 'deliveriesMax' | 'bytesMax' | 'ageMsMax' | 'now' | 'onFault'
>

function startSlack(
  options: SlackOptions,
  { common, directory, deadlineMs }: { common: Common; directory: string; deadlineMs: number },
): { readonly face: Slack; readonly outbox: Outbox } {
  const { now, onFault } = common
  const face = new Slack(options, {
    directory: join(directory, 'slack-messages'),
    deadlineMs,
    now,
    onFault,
    isOpeningPending: (request) => outbox.isWaiting(openingOf(request)),
  })
  const swept = face.sweep().catch((cause: unknown) => {
    const why = 'the folder of its messages cannot be used'
    onFault({ kind: 'storage_failed', target: 'Slack', delivery: null, eventType: null, why, cause })
  })
  const outbox = new Outbox({
    ...common,
    directory: join(directory, 'slack'),
    target: 'Slack',
    // Slack takes one message a second per channel, and updates of one message are not to overtake each other.
    inFlightMax: 1,
    async attempt(delivery, signal) {
      await swept
      return face.attempt(delivery, signal)
    },
  })
  return { face, outbox }
}

/** What an earlier configuration left: receivers that are gone are told nothing, and somebody has to know. */
async function findOrphans(directory: string, known: ReadonlySet<string>, onFault: NotifierOptions['onFault']) {
  for (const name of await foldersIn(directory)) {
    if (known.has(name)) continue
    const waiting = await new OutboxFiles(join(directory, name)).waiting()
    if (waiting.length === 0) continue
    const why = `${String(waiting.length)} deliveries wait for a receiver that is not configured any more`
    onFault({ kind: 'orphaned', target: name, delivery: null, eventType: null, why })
  }
}

async function foldersIn(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

function checkTargets(webhooks: readonly WebhookTarget[]): readonly CheckedTarget[] {
  const targets = webhooks.map(checkTarget)
  if (new Set(targets.map(({ key }) => key)).size === targets.length) return targets
  throw new PosternError('config_invalid', 'two webhooks have the same URL', {
    hint: 'Name each receiver once, with all the events that it is to be told.',
  })
}

function isWanted({ events }: CheckedTarget, event: AccessEvent): boolean {
  return events === null || events.includes(event.type)
}

/** Who is told of faults may not add one: a bug there must not stop what is still to be told. */
function guarded(onFault: (fault: NotifyFault) => void): (fault: NotifyFault) => void {
  return (fault) => {
    try {
      onFault(fault)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }
}
