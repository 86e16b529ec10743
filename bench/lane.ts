/**
 * How many decisions the lane makes in a second, side by side with the transaction that everybody writes first.
 *
 *   node bench/lane.ts [seconds]      with Node 24 or newer; DATABASE_URL to measure a server of your own
 *
 * Everything is durable: fsync on, answered means committed. Compare figures of one run only: they share one machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type Database, openDatabase } from '../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../src/adapters/postgres/embedded.ts'
import { createLane } from '../src/adapters/postgres/lane.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import { figure, orderCall, origin, rules } from '../test/postgres-world.ts'

const SECONDS = Number(process.argv[2] ?? 5)
const CALLERS = 64
const MANY_SKUS = 100_000
const LINES = 3
const PLENTY = 1_000_000_000
const NAIVE_POOL = 8
const SCHEMA = 'bench'

type Result = { readonly name: string; readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number }

/** Callers that ask, wait for the answer, and ask again, for some seconds. */
async function measure(name: string, callers: number, decide: (caller: number, n: number) => Promise<unknown>) {
  const latenciesMs: number[] = []
  const warmUpUntil = performance.now() + 1_000
  const until = warmUpUntil + SECONDS * 1_000
  const call = async (caller: number): Promise<void> => {
    for (let n = 0; performance.now() < until; n += 1) {
      const since = performance.now()
      await decide(caller, n)
      if (since >= warmUpUntil) latenciesMs.push(performance.now() - since)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0
  const result = { name, perSecond: latenciesMs.length / SECONDS, p50Ms: at(0.5), p99Ms: at(0.99) }
  print(result)
  return result
}

const print = ({ name, perSecond, p50Ms, p99Ms }: Result): void =>
  console.info(
    `${name.padEnd(58)} ${String(Math.round(perSecond)).padStart(7)}/s   p50 ${p50Ms.toFixed(1).padStart(6)} ms   p99 ${p99Ms.toFixed(1).padStart(6)} ms`,
  )

const skuAt = (n: number): string => `SKU-${String(n % MANY_SKUS).padStart(6, '0')}`
const someSku = (): string => skuAt(Math.floor(Math.random() * MANY_SKUS))
const basket = (): readonly string[] => {
  const skus = new Set<string>()
  while (skus.size < LINES) skus.add(someSku())
  return [...skus]
}

async function benchLane(database: Database): Promise<readonly Result[]> {
  const lane = createLane({ database, configuration: () => rules, onBug: (cause) => console.error(cause) })
  await lane.submit(figure('HOT', PLENTY, 1), origin)
  const since = performance.now()
  for (let from = 0; from < MANY_SKUS; from += 1_000) {
    const slice = Array.from({ length: 1_000 }, (_, n) =>
      lane.submit(figure(skuAt(from + n), PLENTY, 1), origin, 'bulk'),
    )
    await Promise.all(slice)
  }
  console.info(
    `${MANY_SKUS} first figures, as bulk: ${Math.round((MANY_SKUS * 1_000) / (performance.now() - since))}/s`,
  )
  const hot = await measure(`lane, one hot SKU, ${CALLERS} callers`, CALLERS, (caller, n) =>
    lane.submit(orderCall(`hot-${caller}-${n}`, [['HOT', 1]]), origin, 'checkout'),
  )
  const many = await measure(`lane, ${LINES} lines over ${MANY_SKUS} SKUs, ${CALLERS} callers`, CALLERS, (caller, n) =>
    lane.submit(
      orderCall(
        `many-${caller}-${n}`,
        basket().map((sku) => [sku, 1] as const),
      ),
      origin,
      'checkout',
    ),
  )
  await measure('lane, one caller alone', 1, (_, n) =>
    lane.submit(orderCall(`alone-${n}`, [['HOT', 1]]), origin, 'checkout'),
  )
  await lane.stop()
  return [hot, many]
}

/** What a plug-in does when it is careful: lock the rows in order, compare, write, commit; prepared, over a pool. */
async function benchNaive(url: string): Promise<readonly Result[]> {
  const pool = new pg.Pool({ connectionString: url, max: NAIVE_POOL })
  await pool.query(`create schema naive`)
  await pool.query(`create table naive.stock (sku text primary key, on_hand int not null, reserved int not null)`)
  await pool.query(`create table naive.reservation (id text, sku text, units int, primary key (id, sku))`)
  await pool.query(
    `insert into naive.stock select 'SKU-' || lpad(n::text, 6, '0'), $1, 0 from generate_series(0, $2 - 1) as n`,
    [PLENTY, MANY_SKUS],
  )
  await pool.query(`insert into naive.stock values ('HOT', $1, 0)`, [PLENTY])
  const reserve = async (id: string, skus: readonly string[]): Promise<void> => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      for (const sku of [...skus].sort()) {
        const { rows } = await client.query<{ free: number }>({
          name: 'lock',
          text: 'select on_hand - reserved as free from naive.stock where sku = $1 for update',
          values: [sku],
        })
        if ((rows[0]?.free ?? 0) < 1) throw new Error('Sold out')
        await client.query({
          name: 'reserve',
          text: 'update naive.stock set reserved = reserved + 1 where sku = $1',
          values: [sku],
        })
        await client.query({
          name: 'note',
          text: 'insert into naive.reservation values ($1, $2, 1)',
          values: [id, sku],
        })
      }
      await client.query('commit')
    } finally {
      client.release()
    }
  }
  const hot = await measure(`naive, one hot SKU, ${CALLERS} callers, pool of ${NAIVE_POOL}`, CALLERS, (caller, n) =>
    reserve(`hot-${caller}-${n}`, ['HOT']),
  )
  const many = await measure(
    `naive, ${LINES} lines over ${MANY_SKUS} SKUs, pool of ${NAIVE_POOL}`,
    CALLERS,
    (caller, n) => reserve(`many-${caller}-${n}`, basket()),
  )
  await pool.query('drop schema naive cascade')
  await pool.end()
  return [hot, many]
}

const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const embedded = process.env.DATABASE_URL === undefined ? await startEmbeddedPostgres({ home }) : undefined
const url = process.env.DATABASE_URL ?? embedded?.url ?? ''
const database = openDatabase({ url, schema: SCHEMA })
try {
  await migrate(database.pool, SCHEMA)
  const { rows } = await database.pool.query(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync`,
  )
  const [processor] = cpus()
  console.info(
    `${cpus().length} × ${processor?.model.trim()}, Node ${process.version}, PostgreSQL ${rows[0].version}, fsync ${rows[0].fsync}, ${SECONDS} s each`,
  )
  const naive = await benchNaive(url)
  const lane = await benchLane(database)
  for (const [index, name] of ['one hot SKU', `${LINES} lines over ${MANY_SKUS} SKUs`].entries()) {
    const times = (lane[index]?.perSecond ?? 0) / (naive[index]?.perSecond ?? 1)
    console.info(`${name}: ${times.toFixed(1)} × the naive transaction`)
  }
} finally {
  await database.pool.query(`drop schema if exists ${SCHEMA} cascade`).catch(() => undefined)
  await database.close()
  await embedded?.stop()
  rmSync(home, { recursive: true, force: true })
}
