#!/usr/bin/env node
// Starts the command with Node 24 or newer: with this Node if it is one, else with the one that npm installed beside
// Postern. Plain JavaScript of the oldest kind that still works, since old Nodes have to understand it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const versionMin = 24
const root = dirname(dirname(fileURLToPath(import.meta.url)))

if (Number(process.versions.node.split('.')[0]) >= versionMin) await run()
else restart()

async function run() {
  // The sources where there are any, so that a change needs no build; a published package has only what was built.
  const entry = ['src/cli/main.ts', 'dist/cli/main.js'].map((path) => join(root, path)).find((path) => existsSync(path))
  if (entry === undefined) fail('its program files are missing', 'Install the package again.')
  else await (await import(pathToFileURL(entry).href)).main(process.argv.slice(2))
}

function restart() {
  const node = installedNode()
  if (node === null) {
    fail(
      `it needs Node.js ${versionMin} or newer, and this is ${process.versions.node}`,
      `Install Node.js ${versionMin} (https://nodejs.org), or put it beside Postern: npm install node@${versionMin}`,
    )
    return
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  // Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`${node} cannot be started: ${error.message}`, 'Install the package again.'))
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1
      return
    }
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** The binary of the npm package `node`, where it is installed and new enough. */
function installedNode() {
  const require = createRequire(import.meta.url)
  try {
    const manifest = require.resolve('node/package.json')
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    const isRecent = Number(require(manifest).version.split('.')[0]) >= versionMin
    return isRecent && existsSync(binary) ? binary : null
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null
    throw error
  }
}

function fail(why, remedy) {
  console.error(`postern: Postern cannot start: ${why}\n  hint: ${remedy}`)
  process.exitCode = 1
}
