/** A real Holdfast beside a real shop: `holdfast serve` as a process with a database of its own, configured and asked over HTTP. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { type Client, clientOf } from '../../src/cli/command.ts'
import { freshDatabase } from '../postgres.ts'
import { eventually } from './eventually.ts'

const HOLDFAST = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url))
/** Under which name the sources find their secret. */
export const SOURCE_SECRET = 'STORY_SOURCE_SECRET'
/** Longest start and longest orderly end of the process, in milliseconds. */
const START_WITHIN_MS = 120_000
const END_WITHIN_MS = 60_000
/** How much of the log a failed start shows, in characters. */
const LOG_TAIL = 4_000

export type HoldfastProcess = {
  /** Where shops, warehouses and people reach it; the same after each start. */
  readonly url: string
  readonly secret: string
  readonly database: Database
  readonly client: Client
  start(): Promise<void>
  /** Ends in order: what is under way is finished. */
  stop(): Promise<void>
  /** Ends at once, without a word, as a power cut does. */
  kill(): Promise<void>
  /** Stands still, with its connections open, until `resume`. */
  freeze(): void
  resume(): void
  /** `holdfast shopware-app build`; gives the folder of the app. */
  buildApp(): Promise<string>
  /** The last lines of the log: for a test that fails. */
  logTail(): Promise<string>
  /** Stops it and removes what it leaves. */
  end(): Promise<void>
}

/**
 * Makes a database and a home, and starts Holdfast on them. `STORY_LOG` names a file for its log, which is else removed at the end.
 *
 * @param publicUrl what the shop is told as its address; its own if absent
 */
export async function openHoldfast(publicUrl?: string): Promise<HoldfastProcess> {
  const fresh = await freshDatabase()
  const home = await mkdtemp(join(tmpdir(), 'holdfast-story-'))
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const logFile = process.env.STORY_LOG ?? join(home, 'serve.log')
  const tokenFile = join(home, 'admin-token')
  const env = {
    ...process.env,
    DATABASE_URL: fresh.url,
    HOLDFAST_HOME: home,
    HOLDFAST_URL: url,
    HOLDFAST_PUBLIC_URL: publicUrl ?? url,
    HOST: '127.0.0.1',
    PORT: String(port),
    LOG_LEVEL: process.env.STORY_LOG_LEVEL ?? 'info',
    [SOURCE_SECRET]: secret,
  }
  let child: ChildProcess | undefined

  const logTail = async (): Promise<string> => (await readFile(logFile, 'utf8').catch(() => '')).slice(-LOG_TAIL)

  const isReady = async (): Promise<boolean> => {
    if (child?.exitCode !== null) throw new Error(`HOLDFAST_ENDED: it did not start. Read its log: ${await logTail()}`)
    return (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true
  }

  const start = async (): Promise<void> => {
    const log = await open(logFile, 'a')
    // A group of its own, so that a kill takes the launcher and the service together and nothing else.
    child = spawn(process.execPath, [HOLDFAST, 'serve'], { env, detached: true, stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    await eventually(isReady, (ready) => ready, 'Holdfast is ready', START_WITHIN_MS)
  }

  const endBy = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child
    child = undefined
    if (ending?.pid === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = once(ending, 'exit', { signal: AbortSignal.timeout(END_WITHIN_MS) })
    process.kill(-ending.pid, signal)
    await ended
    await eventually(
      () =>
        fetch(`${url}/healthz`).then(
          () => true,
          () => false,
        ),
      (answers) => !answers,
      'Holdfast is gone',
      END_WITHIN_MS,
    )
  }

  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (child?.pid !== undefined) process.kill(-child.pid, name)
  }
  const stop = (): Promise<void> => endBy('SIGTERM')
  const end = async (): Promise<void> => {
    await stop().catch(() => endBy('SIGKILL'))
    await fresh.drop()
    await rm(home, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (cause) {
    await end()
    throw cause
  }
  return {
    url,
    secret,
    database: fresh.database,
    client: clientOf({ url, token: undefined, tokenFile }),
    start,
    stop,
    kill: () => endBy('SIGKILL'),
    freeze: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async buildApp() {
      await promisify(execFile)(process.execPath, [HOLDFAST, 'shopware-app', 'build', home], { env })
      return join(home, 'Holdfast')
    },
    logTail,
    end,
  }
}

/** A port that was free a moment ago; the service keeps it over its restarts, because the app in the shop names it. */
async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('NO_PORT: the system gave no port. Try again.')
  return address.port
}
