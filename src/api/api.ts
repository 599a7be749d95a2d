import { getRequestListener } from '@hono/node-server'
import { PosternError } from '../core/errors.ts'
import { createApp } from './app.ts'
import { close, createServer, door, listen } from './server.ts'
import type { ApiOptions, ApiServices } from './services.ts'
import { createSite } from './site.ts'

export { defaultRates } from './services.ts'
export type { ApiOptions, ApiServices } from './services.ts'

/** An HTTP API that listens. */
export interface Api {
  readonly port: number
  /** What links to its pages begin with; no slash at the end. */
  readonly url: string
  /** Lets answers under way end, then closes. */
  stop(): Promise<void>
}

/** Serves the HTTP API and the pages for people. Rejects if it cannot listen, or with `config_invalid`. */
export async function startApi(options: ApiOptions, services: ApiServices): Promise<Api> {
  const { address, publicUrl } = options
  createSite({ address, port: 1, isTls: false, publicUrl })
  const server = createServer(options.tls)
  const port = await listen(server, options).catch((cause: unknown) => {
    throw new PosternError('config_invalid', `the HTTP API cannot listen on ${address}:${String(options.port)}`, {
      cause,
      hint: 'Is another process there already, and is the address one of this machine?',
    })
  })
  const site = createSite({ address, port, isTls: 'setSecureContext' in server, publicUrl })
  const app = createApp({ options, services, site })
  const handle = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  server.on(
    'request',
    door(site, (request, response) => void handle(request, response)),
  )
  return { port, url: site.url, stop: () => close(server) }
}
