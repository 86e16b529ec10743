/** A schema to measure in: on a server of its own, or on the one of DATABASE_URL; plenty of a hot SKU and of 100,000 others. */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../src/adapters/postgres/embedded.ts'
import { createLane, type PostgresLane } from '../src/adapters/postgres/lane.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import { figure, origin, rules } from './commands.ts'
import { cpuOfServer, type ServerCpu, statOf } from './measure.ts'

export const HOT = 'HOT'
export const MANY_SKUS = 100_000
export const LINES = 3
export const PLENTY = 1_000_000_000

export type World = {
  readonly url: string
  readonly schema: string
  readonly database: Database
  readonly lane: PostgresLane
  readonly serverCpu: ServerCpu
  /** Machine, versions and load, in a line for people. */
  readonly about: string
  /** Gives every one of the many SKUs its first figure; once. */
  fill(): Promise<void>
  close(): Promise<void>
}

const SCHEMA = 'holdfast_bench'

export const skuAt = (n: number): string => `SKU-${String(n % MANY_SKUS).padStart(6, '0')}`

/** Different SKUs for one basket, any of them. */
export function basket(): readonly string[] {
  const skus = new Set<string>()
  while (skus.size < LINES) skus.add(skuAt(Math.floor(Math.random() * MANY_SKUS)))
  return [...skus]
}

/** Opens the world. The schema is new, and dropped at the end. */
export async function openWorld(databaseUrl: string | undefined): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const embedded = databaseUrl === undefined ? await startEmbeddedPostgres({ home }) : undefined
  const url = databaseUrl ?? embedded?.url ?? ''
  const database = openDatabase({ url, schema: SCHEMA })
  await database.pool.query(`drop schema if exists ${SCHEMA} cascade`)
  await migrate(database.pool, SCHEMA)
  const lane = createLane({ database, configuration: () => rules, onBug: (cause) => console.error(cause) })
  await lane.submit(figure(HOT, PLENTY, 1), origin)
  let isFilled = false
  const { rows } = await database.pool.query<{ version: string; fsync: string; pid: number }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync, pg_backend_pid() as pid`,
  )
  const { version, fsync, pid } = rows[0] ?? { version: '?', fsync: '?', pid: 0 }
  const serverPid = Number(statOf(pid)?.[1] ?? 0)
  const [processor] = cpus()
  return {
    url,
    schema: SCHEMA,
    database,
    lane,
    serverCpu: () => (serverPid > 0 ? cpuOfServer(serverPid) : undefined),
    about:
      `${cpus().length} × ${processor?.model.trim()}, Node ${process.version}, PostgreSQL ${version}, fsync ${fsync}, ` +
      `load ${loadavg()
        .map((load) => load.toFixed(1))
        .join(' ')} at the start`,
    async fill() {
      if (isFilled) return
      isFilled = true
      for (let from = 0; from < MANY_SKUS; from += 1_000) {
        const words = Array.from({ length: 1_000 }, (_, n) => figure(skuAt(from + n), PLENTY, 1))
        await Promise.all(words.map((word) => lane.submit(word, origin, 'bulk')))
      }
      // What the loading has left to write is not for whoever is measured next.
      await database.pool.query('checkpoint').catch(() => undefined)
    },
    async close() {
      await lane.stop()
      await database.pool.query(`drop schema if exists ${SCHEMA} cascade`).catch(() => undefined)
      await database.close()
      await embedded?.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
