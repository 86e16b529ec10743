/**
 * What a year of ledger costs: a moment of the past beside the present, searching, exporting, verifying; with the memory it takes.
 *
 *   node bench/history.ts [entries a day]      with Node 24 or newer; DATABASE_URL to measure a server of your own
 *
 * One hot SKU gets most of the entries, a thousand others the rest. Everything is decided by the real rules; only the clock is made up.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { countsOf } from '../src/adapters/postgres/counts.ts'
import { type Database, openDatabase, type Queryable } from '../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../src/adapters/postgres/embedded.ts'
import { stateAtMoment } from '../src/adapters/postgres/history.ts'
import { takeSnapshots } from '../src/adapters/postgres/history-snapshots.ts'
import { appendEntries } from '../src/adapters/postgres/ledger.ts'
import { exportLedger } from '../src/adapters/postgres/ledger-export.ts'
import { type LedgerFilter, ledgerSearch } from '../src/adapters/postgres/ledger-search.ts'
import { loadStates } from '../src/adapters/postgres/load.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import { rowOfDemand, rowOfShelf } from '../src/adapters/postgres/rows.ts'
import { sealBlock } from '../src/adapters/postgres/seal.ts'
import { verify } from '../src/adapters/postgres/verify.ts'
import { type Command, decide, draftsOf } from '../src/core/decide.ts'
import { isLive } from '../src/core/demand.ts'
import { riseDueAt } from '../src/core/figure.ts'
import { type Instant, instantOf, skuOf } from '../src/core/ids.ts'
import { type LedgerEntry, streamOfSku } from '../src/core/ledger.ts'
import { emptyState, type SkuState } from '../src/core/stock.ts'
import { figure, order, orderCall, orderWord, rules } from '../test/postgres-world.ts'

const PER_DAY = Number(process.argv[2] ?? 3_000)
const DAYS = 365
const OTHERS = 1_000
const HOT = 'HOT'
const START = Date.UTC(2025, 10, 1)
const SAMPLES = 300
const SCHEMA = 'bench'
const WRITE_AT_ONCE = 2_000

/** One SKU as it is traded, by the rules, and what has to be written of it. */
function trade(sku: string, id: number) {
  const state: SkuState = emptyState(skuOf(sku))
  let sequence = 0
  const act = (command: Command, now: Instant, out: Out): void => {
    const drafts = draftsOf([state], rules, now)
    decide(drafts, command)
    for (const draft of drafts.values()) {
      if (draft.changes.length === 0) continue
      state.version += 1
      out.entries.push({
        stream: streamOfSku(sku),
        version: state.version,
        at: new Date(now).toISOString(),
        kind: command.kind,
        actor: command.kind === 'word' ? 'source:wms' : 'shop:nord',
        cause: command.kind === 'hold' ? 'checkout' : `message:${sku}-${state.version}`,
        configuration: 1,
        body: { changes: draft.changes },
      })
    }
    for (const demand of [...state.demands.values()].filter((each) => !isLive(each))) {
      out.demands.push(rowOfDemand(id, demand))
      state.demands.delete(demand.no)
    }
  }
  return {
    state,
    id,
    /** A figure, then buyers one after another; each order leaves and is found in the next figure. */
    day(at: number, orders: number, out: Out): void {
      const step = 86_400_000 / (orders * 3 + 2)
      let now = at
      const next = (): Instant => {
        now += step
        return instantOf(Math.floor(now))
      }
      sequence += 1
      act(figure(sku, 10_000, sequence), next(), out)
      for (let n = 0; n < orders; n += 1) {
        const name = `${sku}-${sequence}-${n}`
        act(orderCall(name, [[sku, 1]]), next(), out)
        act(order(name, [{ sku, units: 1, lineKey: `${name}-${sku}` }]), next(), out)
        sequence += 1
        act(orderWord('shipped', name, sku, 1, sequence), next(), out)
        if (n % 20 === 19) {
          sequence += 1
          act(figure(sku, 10_000, sequence), instantOf(now), out)
        }
      }
    },
  }
}

type Out = { entries: LedgerEntry[]; demands: object[] }

async function writeOut(database: Database, out: Out, everything = false): Promise<void> {
  if (out.entries.length < WRITE_AT_ONCE && !everything) return
  await database.transaction((client) => appendEntries(client, out.entries.splice(0)))
  await insert(database.pool, 'demand', out.demands.splice(0))
}

async function insert(on: Queryable, table: string, rows: readonly object[]): Promise<void> {
  const [first] = rows
  if (!first) return
  const columns = Object.keys(first).join(', ')
  await on.query(
    `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(rows)],
  )
}

async function build(database: Database): Promise<void> {
  const { pool } = database
  for (let month = 0; month < 13; month += 1) {
    const first = new Date(START)
    first.setUTCMonth(first.getUTCMonth() + month)
    await pool.query('select ledger_partition($1::date)', [first.toISOString().slice(0, 10)])
  }
  const names = [HOT, ...Array.from({ length: OTHERS }, (_, n) => `SKU-${String(n).padStart(4, '0')}`)]
  await pool.query('insert into sku (sku, sent_as) select sku, sku from unnest($1::text[]) as sku', [names])
  const traded = names.map((name, index) => trade(name, index + 1))
  const out: Out = { entries: [], demands: [] }
  const hotOrders = Math.round((PER_DAY * 0.9) / 3)
  const others = Math.max(1, Math.round((PER_DAY * 0.1) / 5))
  for (let day = 0; day < DAYS; day += 1) {
    const at = START + day * 86_400_000
    traded[0]?.day(at, hotOrders, out)
    for (let n = 0; n < others; n += 1) traded[1 + ((day * others + n) % OTHERS)]?.day(at, 1, out)
    await writeOut(database, out)
  }
  await writeOut(database, out, true)
  for (const { state, id } of traded) {
    await insert(
      pool,
      'demand',
      [...state.demands.values()].map((demand) => rowOfDemand(id, demand)),
    )
    await insert(
      pool,
      'figure',
      [...state.shelves.values()].map((shelf) => rowOfShelf(id, shelf, riseDueAt(shelf))),
    )
    await pool.query('update sku set version = $2, next_demand = $3, counts = $4 where id = $1', [
      id,
      state.version,
      state.nextDemand,
      JSON.stringify(countsOf(state)),
    ])
  }
}

const seconds = (since: number): number => (performance.now() - since) / 1_000
const rate = (count: number, took: number): string => `${Math.round(count / took)}/s`
const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

/** Runs work and tells the most memory that the process took meanwhile. */
async function withMemory<T>(work: () => Promise<T>): Promise<{ result: T; peak: number; before: number }> {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let peak = before
  const look = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 50)
  try {
    return { result: await work(), peak, before }
  } finally {
    clearInterval(look)
    peak = Math.max(peak, process.memoryUsage().rss)
  }
}

async function latencies(name: string, samples: number, ask: (n: number) => Promise<unknown>): Promise<void> {
  const took: number[] = []
  for (let n = 0; n < samples; n += 1) {
    const since = performance.now()
    await ask(n)
    took.push(performance.now() - since)
  }
  took.sort((a, b) => a - b)
  const at = (share: number): string => (took[Math.floor(took.length * share)] ?? 0).toFixed(1).padStart(8)
  console.info(`${name.padEnd(52)} p50 ${at(0.5)} ms   p99 ${at(0.99)} ms   (${samples} times)`)
}

async function bench(database: Database): Promise<void> {
  const { pool } = database
  let since = performance.now()
  await build(database)
  const { rows } = await pool.query<{ entries: number; hot: number }>(
    `select count(*) as entries, count(*) filter (where stream = 'sku:HOT') as hot from ledger_entry`,
  )
  const { entries = 0, hot = 0 } = rows[0] ?? {}
  console.info(`${entries} entries of ${DAYS} days, ${hot} of them of one SKU; made in ${seconds(since).toFixed(0)} s`)
  await pool.query('vacuum analyze')
  since = performance.now()
  while ((await sealBlock(database)) > 0);
  console.info(`sealed: ${rate(entries, seconds(since))}`)

  const moments = Array.from({ length: SAMPLES }, () =>
    instantOf(START + Math.floor(Math.random() * DAYS * 86_400_000)),
  )
  const past = (n: number) => stateAtMoment(pool, skuOf(HOT), moments[n] ?? instantOf(START))
  await latencies('the past of the hot SKU, without snapshots', 5, past)
  since = performance.now()
  for (let round = await takeSnapshots(database); round.more; ) round = await takeSnapshots(database, round.place)
  const took = seconds(since)
  const kept = await pool.query<{ snapshots: number; bytes: number }>(
    `select count(*) as snapshots, pg_total_relation_size('ledger_snapshot') as bytes from ledger_snapshot`,
  )
  const { snapshots = 0, bytes = 0 } = kept.rows[0] ?? {}
  console.info(`${snapshots} snapshots, ${megabytes(bytes)}, taken at ${rate(entries, took)} entries`)
  await latencies('the present of the hot SKU', SAMPLES, () => loadStates(pool, [skuOf(HOT)]))
  await latencies('the past of the hot SKU, any moment of the year', SAMPLES, past)
  await latencies('the past of another SKU', SAMPLES, (n) =>
    stateAtMoment(pool, skuOf(`SKU-${String(n).padStart(4, '0')}`), moments[n] ?? instantOf(START)),
  )

  const searches: Record<string, (n: number) => LedgerFilter> = {
    'an actor from a moment on': (n) => ({ actor: 'shop:nord', from: moments[n] ?? instantOf(START) }),
    'a cause': (n) => ({ cause: `message:HOT-${n * 1_000 + 5}` }),
    'an hour': (n) => ({ from: moments[n] ?? instantOf(START), to: instantOf((moments[n] ?? 0) + 3_600_000) }),
    'a SKU and a kind': (n) => ({ sku: skuOf(`SKU-${String(n).padStart(4, '0')}`), kind: 'order' }),
  }
  for (const [name, filter] of Object.entries(searches)) {
    await latencies(`a page of 100: ${name}`, SAMPLES, (n) =>
      ledgerSearch(pool, filter(n), { after: undefined, limit: 100 }),
    )
  }

  for (const format of ['ndjson', 'csv'] as const) {
    since = performance.now()
    const { result, peak, before } = await withMemory(async () => {
      let size = 0
      for await (const piece of exportLedger(database, {}, format)) size += piece.length
      return size
    })
    const speed = rate(entries, seconds(since))
    console.info(
      `export as ${format}: ${megabytes(result)} at ${speed} entries; process ${megabytes(before)} → at most ${megabytes(peak)}`,
    )
  }
  since = performance.now()
  const { result, peak, before } = await withMemory(() => verify(database))
  console.info(
    `verify: ${rate(entries, seconds(since))} entries, ${result.problems.length} problems, ${result.snapshots} snapshots; process ${megabytes(before)} → at most ${megabytes(peak)}`,
  )
  for (const problem of result.problems) console.info(`  ${problem}`)
}

const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const embedded = process.env.DATABASE_URL === undefined ? await startEmbeddedPostgres({ home }) : undefined
const database = openDatabase({ url: process.env.DATABASE_URL ?? embedded?.url ?? '', schema: SCHEMA })
try {
  await migrate(database.pool, SCHEMA)
  const { rows } = await database.pool.query<{ version: string }>(`select current_setting('server_version') as version`)
  const [processor] = cpus()
  console.info(`${cpus().length} × ${processor?.model.trim()}, Node ${process.version}, PostgreSQL ${rows[0]?.version}`)
  await bench(database)
} finally {
  await database.pool.query(`drop schema if exists ${SCHEMA} cascade`).catch(() => undefined)
  await database.close()
  await embedded?.stop()
  rmSync(home, { recursive: true, force: true })
}
