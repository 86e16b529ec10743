/** What is tortured: a PostgreSQL on a small disk of its own, Holdfasts over it, and a network that obeys us between all of them. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, openDatabase } from '../../src/adapters/postgres/database.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/adapters/postgres/embedded.ts'
import { type RunningHoldfast, runHoldfast } from '../crash/running-holdfast.ts'
import { type TcpProxy, tcpProxyFor } from '../tcp-proxy.ts'

/** One Holdfast, started anew after each kill, always behind the same two proxies. */
export type Tortured = {
  readonly name: string
  /** Where clients call it. */
  readonly url: string
  readonly beforeClients: TcpProxy
  readonly beforeDatabase: TcpProxy
  running(): RunningHoldfast | undefined
  kill(): Promise<void>
  /** Starts it; again, where it ends at once because its database is away. */
  start(): Promise<void>
  /** Shifts the clock of its machine, at once and at its next start. */
  shiftClock(ms: number): void
}

export type House = {
  readonly holdfasts: readonly Tortured[]
  readonly postgres: EmbeddedPostgres
  /** Looks into the database past every proxy. */
  readonly database: Database
  token(): string
  /** Fills the disk of the database, or empties it again. Absent where no disk could be mounted. */
  readonly disk: { fill(): void; free(): void } | undefined
  close(): Promise<void>
}

export type HouseOptions = {
  /** Folders of checkouts, one for each Holdfast; more than one version may be among them. */
  readonly checkouts: readonly string[]
  /** Where the folder of the torture is made. */
  readonly below?: string
}

/** Larger than what all rounds write, smaller than what a machine would miss. */
const DISK_MIB = 1_536
const CLOCK = fileURLToPath(new URL('shifted-clock.js', import.meta.url))
/** A process whose database is away ends at its start, and whoever runs it starts it again. */
const STARTS_WITHIN_MS = 60_000

export async function openHouse({ checkouts, below = tmpdir() }: HouseOptions): Promise<House> {
  const folder = mkdtempSync(join(below, 'holdfast-torture-'))
  const mounted = mountDisk(join(folder, 'disk'))
  const postgres = await startEmbeddedPostgres({ home: join(folder, 'disk') }).catch((cause: unknown) => {
    sweepUp(folder, mounted)
    throw cause
  })
  const database = openDatabase({ url: postgres.url, schema: 'holdfast', connections: 2 })
  const home = join(folder, 'home')
  mkdirSync(home)
  const holdfasts: Tortured[] = []
  for (const [index, checkout] of checkouts.entries())
    holdfasts.push(await openHoldfast({ name: `H${index + 1}`, checkout, home, folder, databaseUrl: postgres.url }))
  return {
    holdfasts,
    postgres,
    database,
    token: () => holdfasts.find((each) => each.running())?.running()?.token ?? '',
    disk: mounted ? diskOf(join(folder, 'disk')) : undefined,
    async close() {
      await Promise.all(holdfasts.map((each) => each.kill()))
      await Promise.all(
        holdfasts.flatMap(({ beforeClients, beforeDatabase }) => [beforeClients.close(), beforeDatabase.close()]),
      )
      await database.close()
      await postgres.stop()
      sweepUp(folder, mounted)
    },
  }
}

/** A disk of its own, so that it can be full without anybody else's being so: only root can have one. */
function mountDisk(path: string): boolean {
  mkdirSync(path)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'holdfast-torture', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function sweepUp(folder: string, mounted: boolean): void {
  if (mounted) execFileSync('umount', [join(folder, 'disk')])
  rmSync(folder, { recursive: true, force: true })
}

function diskOf(path: string): NonNullable<House['disk']> {
  const ballast = join(path, 'ballast')
  return {
    fill() {
      const file = openSync(ballast, 'w')
      const block = Buffer.alloc(1024 * 1024)
      try {
        // Until nothing is free; what the server frees meanwhile, it may have.
        for (let { bavail } = statfsSync(path); bavail > 0; { bavail } = statfsSync(path)) writeSync(file, block)
      } catch (cause) {
        if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC')) throw cause
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast, { force: true }),
  }
}

type Place = {
  readonly name: string
  readonly checkout: string
  readonly home: string
  readonly folder: string
  readonly databaseUrl: string
}

async function openHoldfast({ name, checkout, home, folder, databaseUrl }: Place): Promise<Tortured> {
  const port = await freePort()
  const beforeDatabase = await tcpProxyFor(databaseUrl)
  const beforeClients = await tcpProxyFor(`http://127.0.0.1:${port}`)
  const clock = join(folder, `clock-${name}`)
  writeFileSync(clock, '0')
  let running: RunningHoldfast | undefined
  const env = {
    DATABASE_URL: beforeDatabase.url,
    PORT: String(port),
    NODE_OPTIONS: `--import=${CLOCK}`,
    SHIFTED_CLOCK: clock,
  }
  return {
    name,
    url: beforeClients.url,
    beforeClients,
    beforeDatabase,
    running: () => running,
    async kill() {
      await running?.kill()
      running = undefined
    },
    async start() {
      for (const giveUpAt = performance.now() + STARTS_WITHIN_MS; ; ) {
        try {
          running = await runHoldfast(home, { env, checkout })
          return
        } catch (cause) {
          if (performance.now() > giveUpAt) throw cause
        }
      }
    },
    shiftClock: (ms) => writeFileSync(clock, String(ms)),
  }
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
