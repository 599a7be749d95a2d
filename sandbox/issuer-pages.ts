import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Configuration, Provider } from 'oidc-provider'

/** Where the sandbox issuer asks who one would like to be. */
export const choosePath = '/choose'

interface Choice {
  readonly name: string
  readonly sub: string
}

type Features = NonNullable<Configuration['features']>

/** The pages of a device log-in: the code, its confirmation, the end. */
export const devicePages: NonNullable<Features['deviceFlow']> = {
  userCodeInputSource(context, form, _out, error) {
    const text = error === undefined ? 'Enter the code that your terminal shows.' : 'That code is not known. Try again.'
    context.body = page(`<p>${text}</p>${form}<button type="submit" form="op.deviceInputForm">Continue</button>`)
  },
  userCodeConfirmSource(context, form, _client, _deviceInfo, userCode) {
    const text = `Log in to Postern in the terminal that shows <b>${escape(userCode)}</b>?`
    context.body = page(`<p>${text}</p>${form}<button type="submit" form="op.deviceConfirmForm">Log in</button>`)
  },
  successSource(context) {
    context.body = page('<p>You are logged in. Go back to your terminal; this page can be closed.</p>')
  },
}

/** Asks who one would like to be (no password: this is a sandbox), and hands the answer to the provider. */
export async function choosePage(
  provider: Provider,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  choices: readonly Choice[],
): Promise<void> {
  const { request, response } = exchange
  const chosen = new URL(request.url ?? '/', 'http://sandbox').searchParams.get('as')
  const choice = choices.find(({ sub }) => sub === chosen)
  if (choice !== undefined) {
    const login = { accountId: choice.sub, amr: ['pwd', 'otp'] }
    // Native clients are asked for consent at every log-in unless it is given along.
    await provider.interactionFinished(request, response, { login, consent: {} })
    return
  }
  await provider.interactionDetails(request, response)
  const buttons = choices.map(
    ({ name, sub }) => `<p><button name="as" value="${escape(sub)}">${escape(name)}</button></p>`,
  )
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.end(page(`<p>Who would you like to be?</p><form>${buttons.join('')}</form>`))
}

function page(body: string): string {
  return `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sandbox identity provider</title>
<style>body{font:16px/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}button,input{font:inherit;padding:.4rem 1rem}</style>
<h1>Sandbox identity provider</h1>${body}`
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
