import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../sim/random.ts'
import { openDatabase } from '../../src/adapters/postgres/database.ts'
import { type RunningHoldfast, runHoldfast } from '../crash/running-holdfast.ts'
import { account } from '../torture/account.ts'
import { configure, stockUp } from '../torture/beginning.ts'
import { Book } from '../torture/book.ts'
import { startClients } from '../torture/clients.ts'

// A primary with a synchronous replica; the primary dies under load, the replica is promoted, and Holdfast finds it.

const SCRIPT = fileURLToPath(new URL('../postgres-15.sh', import.meta.url))
const isThere = existsSync(join(process.env.POSTGRES_15_BIN ?? '/usr/lib/postgresql/15/bin', 'pg_basebackup'))
const script = (...args: readonly string[]): string =>
  execFileSync('bash', [SCRIPT, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()

const SEED = 20261125

describe.skipIf(!isThere)('failover (needs Debian’s postgresql-15; skipped where it is not installed)', () => {
  let folder: string
  let holdfast: RunningHoldfast | undefined
  const at = (name: string): string => join(folder, name)

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-failover-'))
    // The server runs as another user than root, and has to reach its folder.
    execFileSync('chmod', ['755', folder])
    mkdirSync(at('home'))
  })
  afterEach(async () => {
    await holdfast?.kill()
    for (const name of ['primary', 'replica']) if (existsSync(at(name))) script('stop', at(name))
    rmSync(folder, { recursive: true, force: true })
  })

  test('the primary is killed under load: nothing that was acknowledged is lost, and Holdfast goes on by itself', {
    timeout: 240_000,
  }, async () => {
    const primary = script('start', at('primary'), String(await freePort()))
    const replica = script('replica', at('replica'), String(await freePort()), at('primary'))
    const both = primary.replace(/@([^/]*)\//, `@$1,${new URL(replica).host}/`)
    const running = await runHoldfast(at('home'), { env: { DATABASE_URL: both } })
    holdfast = running
    const database = openDatabase({ url: replica, schema: 'holdfast', connections: 2 })
    const asked = {
      database,
      token: () => running.token,
      holdfasts: [{ name: 'H1', url: running.url, running: () => running }],
    }
    const book = new Book()
    await configure(asked)
    await stockUp(asked, book)
    const random = seededRandom(SEED)
    const randoms = Array.from({ length: 6 }, () => seededRandom(random.whole(2 ** 31)))
    const clients = startClients(book, { urls: [running.url], token: asked.token }, 'failover', randoms)
    await clients.after(150, 'answered')

    process.kill(Number(readFileSync(at('primary/data/postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL')
    const since = performance.now()
    script('promote', at('replica'))
    await clients.after(1, 'answered')
    console.info(`The primary was killed: answered again after ${Math.round(performance.now() - since)} ms.`)
    await clients.after(150, 'answered')
    await clients.stop()

    expect(await account(asked, book), `seed ${SEED}`).toEqual([])
    expect(running.process.exitCode).toBeNull()
    // A process that starts now finds the first server of its list gone, and takes the second.
    await running.stop()
    holdfast = await runHoldfast(at('home'), { env: { DATABASE_URL: both } })
    expect((await fetch(`${holdfast.url}/readyz`)).status).toBe(200)
    await database.close()
  })
})

const freePort = (): Promise<number> =>
  new Promise((found, failed) => {
    const probe = createServer()
    probe.once('error', failed)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => found(typeof address === 'object' && address ? address.port : 0))
    })
  })
