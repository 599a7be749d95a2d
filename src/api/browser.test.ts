import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { StatementRequestRecord } from '../core/access.ts'
import { startTestApi, type TestApi } from './testing.ts'

let on: TestApi
let browser: Browser
before(async () => {
  on = await startTestApi()
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
})
after(async () => {
  await browser.close()
  await on.stop()
})

const phone = { width: 360, height: 740 }
const desk = { width: 1280, height: 800 }

/** Opens a path as that person, through the log-in; the browser runs scripts, so that one that got in would run. */
async function open(who: string, path: string, viewport = phone): Promise<Page> {
  const page = await (await browser.newContext({ viewport })).newPage()
  page.setDefaultTimeout(15_000)
  await page.goto(on.api.url + path)
  await page.getByText(who).click()
  await page.waitForURL(on.api.url + path)
  return page
}

async function file(what: Partial<StatementRequestRecord> = {}): Promise<StatementRequestRecord> {
  return on.access.fileStatement(await on.principal('alice@example.com'), what)
}

async function isWiderThanScreen(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
}

test('an approver approves on a phone, after one look at what matters', async () => {
  const { id } = await file()
  on.rawFor.add('dana@example.com')
  const page = await open('dana@example.com', `/r/${id}`)
  on.rawFor.delete('dana@example.com')
  assert.equal(await isWiderThanScreen(page), false)
  for (const text of [
    'alice@example.com',
    'DELETE',
    'public.orders',
    'about 12,400',
    'INC-1234',
    'minutes left',
    'a yes from dba',
  ]) {
    const box = await page.getByText(text).first().boundingBox()
    assert.ok(box !== null && box.y + box.height < phone.height, `${text} is on the first screen`)
  }
  await page.getByRole('link', { name: 'Go to your answer' }).click()
  await page.getByLabel('Comment').fill('go ahead')
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByRole('heading', { name: 'You said yes' }).waitFor()
  const entry = on.access.filed.get(id)
  assert.equal(entry?.request.state.state, 'approved')
  assert.deepEqual([entry.approvals[0]?.comment, entry.approvals[0]?.via], ['go ahead', 'page'])
  await page.goto(`${on.api.url}/r/${id}`)
  assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0)
  await page.context().close()
})

test('an approver denies on a desktop with a comment, from the list', async () => {
  const { id } = await file({ reason: 'the one to deny' })
  const page = await open('dana@example.com', '/', desk)
  await page.getByRole('listitem').filter({ hasText: 'the one to deny' }).getByRole('link').click()
  await page.waitForURL(`**/r/${id}`)
  await page.getByLabel('Comment').fill('add a WHERE\nplease')
  await page.getByRole('button', { name: 'Deny' }).click()
  await page.getByRole('heading', { name: 'You said no' }).waitFor()
  const state = on.access.filed.get(id)?.request.state
  assert.equal(state?.state === 'denied' ? state.comment : '', 'add a WHERE\nplease')
  await page.context().close()
})

test('who may not answer is told why, and sees no buttons', async () => {
  const { id } = await file()
  const page = await open('alice@example.com', `/r/${id}`)
  await page.getByText('Nobody answers their own request.').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0)
  await page.getByRole('button', { name: 'Take back my request' }).click()
  await page.getByText('took the request back').waitFor()
  await page.goto(`${on.api.url}/logout`)
  await page.getByRole('main').getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('heading', { name: 'You are logged out' }).waitFor()
  await page.goto(`${on.api.url}/r/${id}`)
  assert.notEqual(new URL(page.url()).origin, on.api.url)
  await page.context().close()
})

test('a page of another site cannot answer with the cookies of an approver', async () => {
  const { id } = await file()
  const page = await open('dana@example.com', `/r/${id}`)
  const csrf = await page.locator('form[action^="/r/"] input[name=csrf]').getAttribute('value')
  const form = `<form method="post" action="${on.api.url}/r/${id}"><input name="csrf" value="${csrf ?? ''}"><input name="answer" value="approve"></form>`
  const { url, server } = await serve(`<!doctype html>${form}<script>document.forms[0].submit()</script>`)
  try {
    // Another port is another origin on the same site, so that the cookie is sent along and the origin has to decide.
    await page.goto(url)
    await page.getByRole('heading', { name: 'Nothing was changed' }).waitFor()
    await page.goto(`${url}/?frame`)
    assert.equal(on.access.filed.get(id)?.request.state.state, 'pending')
  } finally {
    server.close()
  }
  await page.context().close()
})

test('whatever requesters write stays text', async () => {
  const payloads = [
    '<script>document.title="owned"</script>',
    '"><img src=x onerror=document.title="owned">',
    "'><svg/onload=document.title='owned'>",
    '</code></pre><iframe srcdoc="<script>parent.document.title=1</script>"></iframe>',
    '<a href="javascript:document.title=1" id=evil>x</a>',
    '</title><meta http-equiv=refresh content="0;url=//evil.example">',
    '{{constructor.constructor("alert(1)")()}} ${alert(1)} &lt;b&gt; <style>*{display:none}</style>',
  ]
  const all = payloads.join('\n')
  const base = await file()
  const { id } = await file({
    requester: { ...base.requester, name: payloads[0] ?? '', actors: [{ issuer: all, subject: all }] },
    reason: all,
    database: payloads[1] ?? '',
    clientAddress: all,
    applicationName: all,
    requirements: [{ by: all, approvers: ['dba', all], count: 2, goodForMs: 60_000 }],
    about: {
      ...base.about,
      command: payloads[5] ?? '',
      sql: null,
      redacted: all,
      redactedParameters: [all, null],
      relations: [all],
      tags: [all],
      transaction: { isOpen: true, locks: [all] },
      policies: [{ id: all, advice: all }],
    },
  })
  const page = await open('dana@example.com', `/r/${id}`)
  const violations: string[] = []
  page.on('console', (message) => violations.push(message.text()))
  for (const path of [`/r/${id}`, '/', '/grants']) {
    await page.goto(on.api.url + path)
    assert.equal(
      await page.locator('main script, main img, main svg, main iframe, main style, #evil, meta[http-equiv]').count(),
      0,
      path,
    )
    assert.match(await page.title(), /Postern$/)
  }
  await page.goto(`${on.api.url}/r/${id}`)
  assert.equal(await isWiderThanScreen(page), false)
  assert.ok((await page.locator('pre').first().innerText()).includes(payloads[0] ?? ''))
  await page.getByLabel('Comment').fill(all)
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.getByRole('heading', { name: 'You said yes' }).waitFor()
  assert.equal(await page.locator('main script, main img, main svg, main iframe').count(), 0)
  assert.deepEqual(violations, [], 'not even the content security policy had anything to stop')
  await page.context().close()
})

test('a very long statement is cut with a note, and all of it is a download', async () => {
  const sql = `DELETE FROM orders WHERE id IN (${Array.from({ length: 150_000 }, (_, index) => String(index)).join(',')}) -- the end`
  const base = await file()
  const { id } = await file({ about: { ...base.about, sql: null, redacted: sql } })
  const page = await open('dana@example.com', `/r/${id}`)
  assert.ok((await page.content()).length < 60_000)
  await page.getByText('characters between them are left out').waitFor()
  await page.getByText('-- the end').waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download all of it as text' }).click(),
  ])
  const chunks: Buffer[] = []
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer)
  assert.equal(Buffer.concat(chunks).toString('utf8'), sql)
  await page.context().close()
})

test('access that was taken in an emergency is reviewed, and ended, on the pages', async () => {
  const alice = await on.principal('alice@example.com')
  const grant = await on.access.breakGlass(alice, { role: 'support-lead', durationMs: 3_600_000, reason: 'pager' })
  const page = await open('dana@example.com', '/grants')
  assert.equal(await isWiderThanScreen(page), false)
  await page.getByText('End this access now').click()
  await page.getByLabel('Why').fill('the incident is over')
  await page.getByRole('button', { name: 'End it' }).click()
  await page.getByText('That access is ended.').waitFor()
  await page.getByText('Say whether it was right').click()
  await page.getByLabel('Yes, it was needed').check()
  await page.getByLabel('What you found').fill('all in order')
  await page.getByRole('button', { name: 'Keep this on record' }).click()
  await page.getByText('Your review is on record.').waitFor()
  const now = on.access.given.find(({ id }) => id === grant.id)
  assert.deepEqual(
    [now?.ended?.why, now?.review?.outcome, now?.review?.comment],
    ['revoked', 'justified', 'all in order'],
  )
  await page.context().close()
})

test('everything that can be filled in or pressed has a name, and the colours can be read', async () => {
  await file()
  for (const colorScheme of ['light', 'dark'] as const) {
    const { id } = await file()
    const page = await open('dana@example.com', `/r/${id}`)
    await page.emulateMedia({ colorScheme })
    const faults = (await page.evaluate(auditScript)) as string[]
    assert.deepEqual(faults, [], colorScheme)
    await page.context().close()
  }
})

/** Runs in the page: labels, headings in order, language, and the contrast of WCAG 2.2 (4.5 to 1). */
const auditScript = `(() => {
  const faults = []
  if (document.documentElement.lang !== 'en') faults.push('lang')
  if (document.querySelectorAll('h1').length !== 1) faults.push('h1')
  let level = 0
  for (const heading of document.querySelectorAll('h1,h2,h3')) {
    const next = Number(heading.tagName[1])
    if (next > level + 1) faults.push('heading ' + heading.textContent)
    level = next
  }
  for (const field of document.querySelectorAll('input:not([type=hidden]), textarea')) {
    if (field.labels.length === 0) faults.push('label ' + field.name)
  }
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const ground = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor)
      if (colour.length === 3 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
  }
  for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!hasText) continue
    const one = light(rgb(getComputedStyle(element).color)), other = light(ground(element))
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(2) + ' ' + element.textContent.trim().slice(0, 40))
  }
  return faults
})()`

async function serve(body: string): Promise<{ url: string; server: Server }> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, server }
}
