import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AccessEvent } from '../core/access-events.ts'
import type { Delivery } from './outbox-files.ts'
import { isAbsent } from './outbox-files.ts'
import { closePatienceMs, endingWithin, type Attempt, type NotifyFault } from './outbox.ts'
import { asText, checkSlackUrl, objectOf, SlackApi, type SlackAnswer } from './slack-api.ts'
import { carryOut, parseInteraction, type Interaction, type SlackPeople } from './slack-interactions.ts'
import { grantMessage, requestMessage, type SlackMessage } from './slack-message.ts'
import { SlackSignatures } from './slack-signature.ts'

/** The Slack app that Postern speaks as. */
export interface SlackOptions extends SlackPeople {
  /** The bot token (`xoxb-…`); asked for at each call, so that it can be changed without a restart. */
  token(): string | Promise<string>
  /** What Slack signs interactions with. */
  signingSecret(): string | Promise<string>
  /** Id of the channel that messages go to. */
  readonly channel: string
  /** Where Slack's Web API is; `https://slack.com/api` unless told. */
  readonly baseUrl?: string
}

/** What an HTTP server answers to an interaction. */
export interface SlackReply {
  readonly status: number
  readonly body: string
  readonly contentType: string
}

interface SlackPlace {
  /** The folder that remembers which message is about which request. */
  readonly directory: string
  readonly deadlineMs: number
  readonly now: () => number
  /** Whether the message about a request is still to be posted. */
  isOpeningPending(request: string): boolean
  onFault(fault: NotifyFault): void
}

/** What is remembered of the message about a request. */
interface Shown {
  readonly channel: string
  readonly ts: string
  readonly atMs: number
}

const interactionBytesMax = 256 * 1024
const interactionsUnderWayMax = 50
const openingPauseMs = 15_000
const rememberedMsMax = 7 * 86_400_000

/** The types of event that Slack is told. */
export function isForSlack(event: AccessEvent): event is SlackEvent {
  return event.type !== 'grant_started' && event.type !== 'grant_ended'
}

type SlackEvent = Exclude<AccessEvent, { readonly type: 'grant_started' | 'grant_ended' }>

/** The name that an event has in Slack's outbox: a request is opened once, and its message is found by that. */
export function slackEventId(event: SlackEvent): string {
  return event.type === 'request_opened' ? openingOf(event.request.id) : event.id
}

/** The name that the opening of a request has in Slack's outbox. */
export function openingOf(request: string): string {
  return `opening of ${request}`
}

/** Posts to Slack, keeps messages up to date, and takes the answers that people give there. */
export class Slack {
  readonly #options: SlackOptions
  readonly #place: SlackPlace
  readonly #api: SlackApi
  readonly #signatures = new SlackSignatures()
  readonly #underWay = new Set<Promise<void>>()
  readonly #ending = new AbortController()
  #isClosing = false

  constructor(options: SlackOptions, place: SlackPlace) {
    this.#options = options
    this.#place = place
    const baseUrl = checkSlackUrl(options.baseUrl ?? 'https://slack.com/api')
    this.#api = new SlackApi({ baseUrl, token: () => options.token(), deadlineMs: place.deadlineMs })
  }

  /** Makes one attempt to show an event. */
  async attempt(delivery: Delivery, signal: AbortSignal): Promise<Attempt> {
    const event = JSON.parse(delivery.body) as SlackEvent
    if (event.type === 'break_glass_taken' || event.type === 'grant_reviewed') {
      return attemptOf(await this.#post(grantMessage(event), signal))
    }
    const { id } = event.request
    const shown = await this.#shown(id)
    const message = requestMessage(event, { canAnswer: this.#canAnswer(), nowMs: this.#place.now() })
    if (event.type === 'request_opened') {
      if (shown !== null) return { outcome: 'delivered' }
      const answer = await this.#post(message, signal)
      if (answer.outcome === 'ok') {
        const [channel, ts] = [asText(answer.value['channel']), asText(answer.value['ts'])]
        await this.#remember(id, { channel, ts, atMs: event.atMs })
      }
      return attemptOf(answer)
    }
    if (shown === null) {
      if (!this.#place.isOpeningPending(id)) return { outcome: 'delivered' }
      return { outcome: 'postponed', why: 'the message about its request comes first', forMs: openingPauseMs }
    }
    return this.#update({ event, shown, message, signal })
  }

  /** Answers an interaction. Slack waits 3 seconds for that, so what was asked for goes on behind the answer. */
  async handle(body: Buffer, headers: ReadonlyMap<string, string>): Promise<SlackReply> {
    if (body.length > interactionBytesMax) return reply(413, 'too large')
    const secret = await this.#options.signingSecret()
    const refusal = this.#signatures.refusalOf(body, { headers, secret, nowMs: this.#place.now() })
    if (refusal !== null) return reply(401, `The interaction is refused: ${refusal}.`)
    const interaction = parseInteraction(body)
    if (interaction === null) return reply(400, 'The interaction cannot be read.')
    if (interaction.kind === 'nothing') return reply(200, '')
    if (this.#isClosing || this.#underWay.size >= interactionsUnderWayMax) return reply(503, 'Try again.')
    const { signal } = this.#ending
    const running = this.#notice(interaction)
      .then(() => carryOut(interaction, { api: this.#api, people: this.#options, signal }))
      .catch((cause: unknown) => {
        const why = `an answer to ${interaction.request} failed`
        this.#place.onFault({ kind: 'attempt_failed', target: 'Slack', delivery: null, eventType: null, why, cause })
      })
      .finally(() => this.#underWay.delete(running))
    this.#underWay.add(running)
    return reply(200, '')
  }

  /** Lets answers that are under way come to their end, for a moment. */
  async close(): Promise<void> {
    this.#isClosing = true
    await endingWithin(closePatienceMs, this.#underWay, this.#ending)
  }

  /** Forgets messages of requests whose end was never told. */
  async sweep(): Promise<void> {
    await mkdir(this.#place.directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#place.directory)) {
      const path = join(this.#place.directory, name)
      const { mtimeMs } = await stat(path)
      if (this.#place.now() - mtimeMs > rememberedMsMax) await rm(path, { force: true })
    }
  }

  /** Another gateway may have posted the message that was clicked on; from now on it is known here as well. */
  async #notice(interaction: Interaction): Promise<void> {
    if (interaction.kind !== 'approve' && interaction.kind !== 'ask_why') return
    const { request, message: ts, by } = interaction
    if (ts !== '' && (await this.#shown(request)) === null) {
      await this.#remember(request, { channel: by.channel, ts, atMs: 0 })
    }
  }

  /** Buttons that can never count are not shown. */
  #canAnswer(): boolean {
    return this.#options.trustEmail || (this.#options.users?.size ?? 0) > 0
  }

  #post(message: SlackMessage, signal: AbortSignal): Promise<SlackAnswer> {
    const { channel } = this.#options
    return this.#api.call('chat.postMessage', { channel, ...message, ...inertOptions, ...noPreviews }, signal)
  }

  async #update(of: {
    event: Extract<SlackEvent, { type: 'request_answered' | 'request_closed' }>
    shown: Shown
    message: SlackMessage
    signal: AbortSignal
  }): Promise<Attempt> {
    const { event, shown, message, signal } = of
    const { id } = event.request
    // Deliveries overtake each other: what is shown already is never taken back by something older.
    if (event.atMs < shown.atMs) return { outcome: 'delivered' }
    const { channel, ts } = shown
    const answer = await this.#api.call('chat.update', { channel, ts, ...message, ...inertOptions }, signal)
    if (answer.outcome === 'ok') {
      if (event.type === 'request_closed') await rm(this.#pathOf(id), { force: true })
      else await this.#remember(id, { ...shown, atMs: event.atMs })
    }
    return attemptOf(answer)
  }

  async #shown(request: string): Promise<Shown | null> {
    try {
      const value = objectOf(await readFile(this.#pathOf(request), 'utf8'))
      const [channel, ts] = [asText(value?.['channel']), asText(value?.['ts'])]
      const atMs = value?.['atMs']
      return channel !== '' && ts !== '' && typeof atMs === 'number' ? { channel, ts, atMs } : null
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
  }

  async #remember(request: string, shown: Shown): Promise<void> {
    const path = this.#pathOf(request)
    await writeFile(`${path}.new`, JSON.stringify(shown), { mode: 0o600, flush: true })
    await rename(`${path}.new`, path)
  }

  #pathOf(request: string): string {
    if (!/^r_\w{1,40}$/u.test(request)) throw new Error('not the id of a request')
    return join(this.#place.directory, request)
  }
}

/** Slack is to take the text as it is: no names turned into mentions, no addresses fetched or shown as links. */
const inertOptions = { parse: 'none', link_names: false } as const
const noPreviews = { unfurl_links: false, unfurl_media: false, mrkdwn: false } as const

function attemptOf(answer: SlackAnswer): Attempt {
  if (answer.outcome === 'ok') return { outcome: 'delivered' }
  if (answer.outcome === 'failed') return { outcome: 'failed', why: answer.why }
  return { outcome: 'postponed', why: 'Slack asks for a pause', forMs: answer.forMs }
}

function reply(status: number, body: string): SlackReply {
  return { status, body, contentType: 'text/plain; charset=utf-8' }
}
