/** What is measured. Each scenario prints what it finds as it goes and returns it for the report. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inboxOn } from '../src/adapters/postgres/inbox-store.ts'
import { figure, orderCall, origin, wms } from './commands.ts'
import { gateway } from './gateway.ts'
import { type Contender, compare, type Measured, measure, type Pace } from './measure.ts'
import { dropNaive, type Naive, openNaive } from './naive.ts'
import { basket, HOT, LINES, MANY_SKUS, skuAt, type World } from './world.ts'

export type Row = Measured & { readonly note?: string }
export type Scenario = {
  readonly title: string
  readonly run: (world: World, pace: BenchPace) => Promise<readonly Row[]>
}
export type BenchPace = Pace & { readonly rounds: number }

const NAIVE_POOLS = [4, 8, 16, 32]
const LANE_CALLERS = [1, 8, 64, 256, 1_000]

/** Measurements so far, of all scenarios of this run: no name of a reservation comes twice. */
let measurements = 0

/** The naive transaction at pools of several sizes, one statement for each reservation, and the lane, in alternated rounds. */
async function sideBySide(world: World, pace: BenchPace, skus: () => readonly string[]): Promise<readonly Row[]> {
  const name = (caller: number, n: number): string => `${process.pid}-${measurements}-${caller}-${n}`
  const pools: { readonly size: number; readonly naive: Naive }[] = []
  // One after another: the first makes the tables.
  for (const size of NAIVE_POOLS) pools.push({ size, naive: await openNaive(world.url, size) })
  const naives = pools.map(({ size, naive }) => ({
    name: `naive transaction, 64 callers, pool of ${size}`,
    callers: 64,
    call: (caller: number, n: number) => naive.reserve(name(caller, n), skus()),
  }))
  const statements = pools.slice(0, 2).map(({ size, naive }) => ({
    name: `one statement each, 64 callers, pool of ${size}`,
    callers: 64,
    call: (caller: number, n: number) => naive.reserveAtOnce(name(caller, n), skus()),
  }))
  const lanes = LANE_CALLERS.map((callers) => ({
    name: `lane, ${callers} callers`,
    callers,
    call: (caller: number, n: number) =>
      world.lane.submit(orderCall(`b${name(caller, n)}`, skus()), origin, 'checkout'),
  }))
  const contenders = [...naives, ...statements, ...lanes].map(
    (contender): Contender => ({
      ...contender,
      call: (caller, n) => {
        // Each measurement gives its reservations names of their own.
        if (caller === 0 && n === 0) measurements += 1
        return contender.call(caller, n)
      },
    }),
  )
  const measured = await compare(contenders, pace, world.serverCpu)
  for (const { naive } of pools) await naive.close()
  await dropNaive(world.database.pool)
  const best = bestOf(measured.slice(0, naives.length))
  const statement = bestOf(measured.slice(naives.length, naives.length + statements.length))
  return [best, statement, ...measured.slice(-lanes.length)].map((row) => ({ ...row, note: ratioTo(best, row) }))
}

/** The best of several sizes of one pool. */
function bestOf(rows: readonly Measured[]): Measured {
  const [best] = rows.toSorted((a, b) => b.perSecond - a.perSecond)
  if (!best) throw new Error('Nothing was measured')
  return best
}

const cpuOf = ({ ownCpuUs, serverCpuUs = 0 }: Measured): number => ownCpuUs + serverCpuUs

/** How many times the answers of the first row, and how many times as many for the same processor time. */
const ratioTo = (base: Measured, row: Measured): string =>
  `${(row.perSecond / base.perSecond).toFixed(1)} × naive; by processor time ${(cpuOf(base) / cpuOf(row)).toFixed(1)} ×`

/** Five hundred buyers, a hundred units. */
async function buyers(world: World): Promise<readonly Row[]> {
  await world.lane.submit(figure('DROP', 100, 1), origin)
  const since = performance.now()
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => world.lane.submit(orderCall(`drop-${n}`, ['DROP']), origin, 'checkout')),
  )
  const tookMs = performance.now() - since
  const granted = answers.filter((answer) => answer.granted).length
  return [
    {
      name: '500 buyers, 100 units',
      callers: 500,
      perSecond: 500_000 / tookMs,
      p50Ms: tookMs,
      p99Ms: tookMs,
      ownCpuUs: 0,
      serverCpuUs: undefined,
      note: `${granted} granted`,
    },
  ]
}

const MESSAGES_AT_ONCE = 1_000

/** Messages filed, durable: one by one, and as pieces of a snapshot. */
async function messages(world: World, pace: BenchPace): Promise<readonly Row[]> {
  let count = 0
  const inbox = inboxOn(world.database)
  const message = () => {
    count += 1
    const raw = JSON.stringify({ sku: skuAt(count), available_stock: 42, reserved_stock: 5, incoming_stock: 20 })
    return { messageId: `bench-${process.pid}-${count}`, raw, words: 1, notes: [] }
  }
  return await compare(
    [
      {
        name: 'messages, one each',
        callers: 64,
        call: () => inbox.file(wms, [message()], []),
      },
      {
        name: `rows of a snapshot, ${MESSAGES_AT_ONCE} a delivery`,
        callers: 4,
        perCall: MESSAGES_AT_ONCE,
        call: () => inbox.file(wms, Array.from({ length: MESSAGES_AT_ONCE }, message), []),
      },
    ],
    pace,
    world.serverCpu,
  )
}

/** Several processes on one PostgreSQL, 64 callers each. Their warm-up counts, so their figures are a little low. */
async function processes(world: World, { seconds }: BenchPace): Promise<readonly Row[]> {
  const script = fileURLToPath(new URL('./other-process.ts', import.meta.url))
  const rows: Row[] = []
  for (const what of ['hot', 'baskets']) {
    for (const count of [1, 2, 4]) {
      const args = [script, world.url, world.schema, what, '64', String(seconds)]
      const runs = await Promise.all(Array.from({ length: count }, () => promisify(execFile)(process.execPath, args)))
      const decided = runs.reduce((sum, { stdout }) => sum + Number(stdout.trim()), 0)
      rows.push({
        name: `${count} ${count === 1 ? 'process' : 'processes'}, ${what}`,
        callers: 64 * count,
        perSecond: decided / seconds,
        p50Ms: 0,
        p99Ms: 0,
        ownCpuUs: 0,
        serverCpuUs: undefined,
      })
    }
  }
  return rows
}

const GROWTH = [1_000, 10_000, 100_000]

/** The cost of a decision while its SKU gathers live demands, and the ledger entries with them. */
async function growth(world: World, pace: BenchPace): Promise<readonly Row[]> {
  const sku = 'GROWING'
  await world.lane.submit(figure(sku, 1_000_000_000, 1), origin)
  let held = 0
  const hold = () => {
    held += 1
    return world.lane.submit(orderCall(`grow-${process.pid}-${held}`, [sku]), origin, 'checkout')
  }
  const rows: Row[] = []
  for (const level of GROWTH) {
    while (held < level) await Promise.all(Array.from({ length: Math.min(1_000, level - held) }, hold))
    const row = await measure(
      { name: `a hold beside ${level} live demands`, callers: 64, call: hold },
      pace,
      world.serverCpu,
    )
    const first = rows[0] ?? row
    rows.push({ ...row, note: `${(cpuOf(row) / cpuOf(first)).toFixed(2)} × the processor time of the first` })
  }
  return rows
}

const FLOOD = 100_000

/** A hundred thousand requests at once: what waits is bounded, the rest is told to come back. */
async function waiting(world: World): Promise<readonly Row[]> {
  const before = process.memoryUsage().rss
  let peak = before
  let busy = 0
  const since = performance.now()
  const asked = Array.from({ length: FLOOD }, (_, n) =>
    world.lane.submit(orderCall(`flood-${process.pid}-${n}`, [HOT]), origin, 'checkout').catch(() => {
      busy += 1
    }),
  )
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 20)
  await Promise.all(asked)
  clearInterval(watch)
  const tookMs = performance.now() - since
  return [
    {
      name: `${FLOOD} requests at once`,
      callers: FLOOD,
      perSecond: ((FLOOD - busy) * 1_000) / tookMs,
      p50Ms: tookMs,
      p99Ms: tookMs,
      ownCpuUs: 0,
      serverCpuUs: undefined,
      note: `${FLOOD - busy} decided, ${busy} told to come back; memory +${Math.round((peak - before) / 1_048_576)} MB at most`,
    },
  ]
}

/** A buyer's wait, alone and while a snapshot of a hundred thousand rows is decided. */
async function besideBulk(world: World, pace: BenchPace): Promise<readonly Row[]> {
  await world.fill()
  let run = 0
  const buyer: Contender = {
    name: 'a buyer, alone',
    callers: 4,
    call: async (caller, n) => {
      run += 1
      await world.lane.submit(orderCall(`buyer-${run}-${caller}-${n}`, [HOT]), origin, 'checkout')
      await new Promise((pass) => setTimeout(pass, 30))
    },
  }
  const alone = await measure(buyer, pace, world.serverCpu)
  let isLoading = true
  let loaded = 0
  const loading = (async () => {
    for (let from = 0; isLoading; from += 1_000) {
      const words = Array.from({ length: 1_000 }, (_, n) => figure(skuAt(from + n), 1_000_000_000 - from, from + 2))
      await Promise.all(words.map((word) => world.lane.submit(word, origin, 'bulk')))
      loaded += words.length
    }
  })()
  const since = performance.now()
  const beside = await measure({ ...buyer, name: 'a buyer, beside a snapshot' }, pace, world.serverCpu)
  const perSecond = (loaded * 1_000) / (performance.now() - since)
  isLoading = false
  await loading
  const waited = ({ p50Ms, p99Ms }: Measured): string =>
    `waits ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, rest of 30 ms included`
  return [
    { ...alone, note: waited(alone) },
    { ...beside, note: `${waited(beside)}; ${Math.round(perSecond)} rows/s decided meanwhile` },
  ]
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  hot: { title: 'Reservations on one hot SKU', run: (world, pace) => sideBySide(world, pace, () => [HOT]) },
  baskets: {
    title: `Baskets of ${LINES} lines over ${MANY_SKUS} SKUs`,
    async run(world, pace) {
      await world.fill()
      return await sideBySide(world, pace, basket)
    },
  },
  gateway: { title: 'Signed calls of the checkout gateway over HTTP', run: gateway },
  buyers: { title: '500 buyers for 100 units', run: buyers },
  messages: { title: 'Messages accepted, durable', run: messages },
  processes: {
    title: 'Several processes on one PostgreSQL',
    async run(world, pace) {
      await world.fill()
      return await processes(world, pace)
    },
  },
  growth: { title: 'The cost of a decision over live demands', run: growth },
  waiting: { title: 'Memory while 100,000 requests wait', run: waiting },
  'beside-bulk': { title: 'A buyer while a snapshot is loaded', run: besideBulk },
}
