import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { limits } from '../core/limits.ts'
import { createCredentialSource } from './credential.ts'
import { BackendFault } from './failure.ts'

let directory = ''
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-credential-'))
})
after(async () => rm(directory, { recursive: true, force: true }))

function fails(reason: RegExp): (error: Error) => boolean {
  return (error) => {
    assert.equal('code' in error && error.code, 'backend_login_failed')
    assert.ok(error.cause instanceof BackendFault)
    assert.match(error.cause.message, reason)
    // Clients see the message: it must not tell where the password is kept.
    assert.doesNotMatch(error.message, /file|command|variable/)
    return true
  }
}

void test('a file is read again at each log-in, without its trailing newline', async () => {
  const file = join(directory, 'rotated')
  await writeFile(file, 'first\n', { mode: 0o600 })
  const credential = createCredentialSource({ file }, {})
  assert.equal(await credential.password(), 'first')
  assert.equal(await credential.renew('first'), false)
  await writeFile(file, ' second \r\n')
  assert.equal(await credential.renew('first'), true)
  assert.equal(await credential.password(), ' second ')
})

void test('a file that others may read is refused with the remedy, unless it is a secret mount', async () => {
  const file = join(directory, 'open')
  await writeFile(file, 'secret')
  await chmod(file, 0o644)
  await assert.rejects(createCredentialSource({ file }, {}).password(), fails(/chmod 600 .*open$/))
  await chmod(file, 0o640)
  assert.equal(await createCredentialSource({ file }, {}).password(), 'secret')
  const mount = join(directory, 'mount')
  await mkdir(join(directory, '..data'))
  await writeFile(join(directory, '..data', 'password'), 'mounted', { mode: 0o644 })
  await symlink(join('..data', 'password'), mount)
  assert.equal(await createCredentialSource({ file: mount }, {}).password(), 'mounted')
})

void test('a file that is no password is refused with the reason', async () => {
  const file = join(directory, 'odd')
  const read = async (content: string | Buffer): Promise<string> => {
    await writeFile(file, content, { mode: 0o600 })
    return createCredentialSource({ file }, {}).password()
  }
  await assert.rejects(read(''), fails(/is empty/))
  await assert.rejects(read('\n'), fails(/is empty/))
  await assert.rejects(read('a\nb\n'), fails(/more than one line/))
  await assert.rejects(read('a\0b'), fails(/zero byte/))
  await assert.rejects(read(Buffer.from([0x61, 0xff])), fails(/not UTF-8/))
  await assert.rejects(read('x'.repeat(limits.credentialBytesMax + 1)), fails(/longer than/))
  await assert.rejects(
    createCredentialSource({ file: join(directory, 'absent') }, {}).password(),
    fails(/ENOENT.*path/),
  )
  await assert.rejects(createCredentialSource({ file: directory }, {}).password(), fails(/regular file/))
})

void test('a variable of the environment is looked up by name', async () => {
  const credential = createCredentialSource({ environment: 'SHOP_PASSWORD' }, { SHOP_PASSWORD: 'secret' })
  assert.equal(await credential.password(), 'secret')
  await assert.rejects(createCredentialSource({ environment: 'ABSENT' }, {}).password(), fails(/ABSENT is not set/))
})

const counting = (script: string): [string, ...string[]] => [
  process.execPath,
  '-e',
  `const fs = require('fs'); fs.appendFileSync(process.argv[1], 'x'); const n = fs.readFileSync(process.argv[1], 'utf8').length; ${script}`,
]

void test('a command runs once for log-ins that come together and again when its output is too old', async () => {
  const runs = join(directory, 'runs')
  const command: [string, ...string[]] = [...counting('console.log(`password ${n}`)'), runs]
  const lasting = createCredentialSource({ command }, process.env)
  assert.deepEqual(await Promise.all([lasting.password(), lasting.password()]), ['password 1', 'password 1'])
  assert.equal(await lasting.password(), 'password 1')
  // Refused at once after it was read: it is wrong and not old, and the program is spared.
  assert.equal(await lasting.renew('password 1'), false)
  assert.equal(await lasting.renew('password 0'), true)
  lasting.close()
  await assert.rejects(lasting.password(), { name: 'AbortError' })

  const shortLived = createCredentialSource({ command, refreshAfterS: 0 }, process.env)
  assert.equal(await shortLived.password(), 'password 2')
  assert.equal(await shortLived.password(), 'password 3')
})

void test('a command that fails, hangs or floods is ended and said so, without its output', async () => {
  const run = async (script: string, deadlineMs = 5_000): Promise<string> =>
    createCredentialSource({ command: [process.execPath, '-e', script], deadlineMs }, process.env).password()
  await assert.rejects(run('console.log("secret"); process.exit(3)'), fails(/exit status 3/))
  await assert.rejects(run('setInterval(() => {}, 1000)', 200), fails(/did not end within 200 ms/))
  await assert.rejects(run('for (;;) require("fs").writeSync(1, "x".repeat(4096))'), fails(/prints more than/))
  await assert.rejects(run('0'), fails(/is empty/))
  await assert.rejects(createCredentialSource({ command: [join(directory, 'absent')] }, {}).password(), fails(/ENOENT/))
  await assert.rejects(run('console.log("secret"); process.exit(3)'), (error: Error) => {
    assert.doesNotMatch(String(error.cause), /secret/)
    return true
  })
})

void test('closing ends a command that still runs', async () => {
  const credential = createCredentialSource({ command: [process.execPath, '-e', 'setInterval(() => {}, 1000)'] }, {})
  const waiting = assert.rejects(credential.password(), fails(/no longer needed/))
  credential.close()
  await waiting
})
