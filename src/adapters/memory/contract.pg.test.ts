/** The store in memory and PostgreSQL, side by side: random commands through both, the same answers, states, entries and marks. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { main, nord, rules as oneRules, till, wms } from '../../../test/postgres-world.ts'
import type { Origin } from '../../app/lane.ts'
import { type Answer, type Command, skusOf } from '../../core/decide.ts'
import type { Demand } from '../../core/demand.ts'
import { type Instant, instantOf, skuOf } from '../../core/ids.ts'
import type { SkuState } from '../../core/stock.ts'
import { fileDelivery, inboxOn as postgresInbox, wakeParked as wakeInPostgres } from '../postgres/inbox-store.ts'
import { createLane, type PostgresLane } from '../postgres/lane.ts'
import { loadStates as postgresStates } from '../postgres/load.ts'
import { publicationBookOn as postgresPublications } from '../postgres/publication-store.ts'
import { shopBookOn as postgresBook } from '../postgres/shop-store.ts'
import { inboxOn, wakeParked } from './inbox.ts'
import { memoryLane } from './lane.ts'
import { loadStates } from './load.ts'
import { publicationBookOn } from './publication-book.ts'
import { shopBookOn } from './shop-book.ts'
import { memoryStore } from './store.ts'

let fresh: FreshDatabase
let lane: PostgresLane
let stories = 0
/** PostgreSQL names processes by UUID. */
const ME = '7b0c1a52-0000-4000-8000-000000000001'

beforeEach(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules })
})
afterEach(async () => {
  await lane.stop()
  await fresh.drop()
})

/** A quota, caps and safety stock, so that every kind of refusal comes. */
const rules = {
  ...oneRules,
  shops: new Map(
    [...oneRules.shops].map(([shop, each]) => [
      shop,
      { ...each, quotaUnits: 9, caps: { perCustomerUnits: 5, perAddressUnits: 7, bySku: new Map() } },
    ]),
  ),
}

// ── the commands of a story ──

type Step = { readonly what: (typeof WHAT)[number]; readonly a: number; readonly b: number; readonly units: number }
const WHAT = [
  'hold',
  'hold',
  'hold-two',
  'page',
  'page-order',
  'api',
  'release',
  'order',
  'order',
  'order-two',
  'unheld',
  'cancel',
  'edit',
  'gone',
  'figure',
  'figure',
  'acknowledged',
  'allocated',
  'deallocated',
  'shipped',
  'short',
  'cancelled',
  'open-orders',
  'receipt',
  'expire',
  'settle',
  'trust',
  'yes',
] as const

const steps = fc.array(
  fc.record({
    what: fc.constantFrom(...WHAT),
    a: fc.nat(3),
    b: fc.nat(3),
    units: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 5, maxLength: 30, size: 'max' },
)

/** Digests as the checkout makes them. */
const buyerOf = (customer: string, address: string) => ({
  customer: Buffer.from(`customer ${customer}`).toString('hex'),
  address: Buffer.from(`address ${address}`).toString('hex'),
})

/** A command of the story. Names carry its number: all stories share one database. */
function commandOf({ what, a, b, units }: Step, story: number, nth: number, now: Instant): Command {
  const sku = skuOf(`S${story}-${a % 2}`)
  const other = skuOf(`S${story}-${(a + 1) % 2}`)
  const order = `o${story}-${b}`
  const key = `key-${story}-${b}`
  const line = (lineSku = sku, lineUnits = units) => ({ sku: lineSku, units: lineUnits, lineKey: `${key}-${lineSku}` })
  const orderOf = (lines: readonly ReturnType<typeof line>[], state: 'open' | 'cancelled' | 'completed' = 'open') =>
    ({
      kind: 'order',
      shop: nord,
      order: {
        orderId: order,
        orderNumber: `N-${order}`,
        state,
        lines: lines.map((each) => ({ ...each, lineId: `${order}-${each.sku}` })),
      },
    }) as const
  const hold = { kind: 'hold', shop: nord, reservation: `call-${story}-${nth}`, via: 'gateway', mode: 'all' } as const
  const word = { kind: 'word', source: wms, sku, messageId: `m-${story}-${nth}`, receivedAt: now } as const
  const about = {
    sku,
    warehouse: main,
    stamp: { epoch: nth > 30 && a === 3 ? 1 : 0, sequence: nth + (b === 3 ? -6 : 0) },
  }
  switch (what) {
    case 'hold':
      return { ...hold, lines: [line()], buyer: buyerOf(`${story}-${b % 2}`, `${story}`) }
    case 'hold-two':
      return { ...hold, mode: b % 2 === 0 ? 'all' : 'partial', lines: [line(), line(other, 1)] }
    case 'yes':
      return { ...hold, saidYes: true, lines: [line()] }
    case 'page':
      return { ...hold, reservation: `page-${story}-${b % 2}`, pageForMs: 60_000, lines: [line(), line(other, 1)] }
    case 'page-order':
      return { ...hold, takesOver: `page-${story}-${b % 2}`, lines: [line()], buyer: buyerOf(`${story}-1`, `${story}`) }
    case 'api':
      return {
        kind: 'hold',
        shop: till,
        reservation: `api-${story}-${b}`,
        via: 'api',
        mode: 'all',
        lines: [{ sku, units }],
        until: instantOf(now + 3_600_000),
      }
    case 'release':
      return { kind: 'release', shop: till, reservation: `api-${story}-${b}` }
    case 'order':
      return orderOf([line()])
    case 'order-two':
      return orderOf([line(), line(other, 1)])
    case 'unheld': {
      const { lineKey: _, ...bare } = line()
      return { ...orderOf([]), order: { ...orderOf([]).order, lines: [{ ...bare, lineId: `${order}-x` }] } }
    }
    case 'cancel':
      return orderOf([line()], 'cancelled')
    case 'edit':
      return orderOf([line(sku, units + 2)], b % 2 === 0 ? 'open' : 'completed')
    case 'gone':
      return { kind: 'order', shop: nord, order: { orderId: order, orderNumber: order, state: 'deleted', lines: [] } }
    case 'figure':
      return { ...word, answersOurPull: a === 2, word: { ...about, kind: 'figure', net: units * 3 } }
    case 'receipt':
      return { ...word, answersOurPull: false, word: { ...about, kind: 'movement', why: 'receipt', change: units } }
    case 'open-orders':
      return {
        ...word,
        answersOurPull: false,
        word: {
          ...about,
          kind: 'open-orders',
          skus: [sku],
          orders: [{ shop: nord, order: `N-${order}`, sku, units, allocated: Math.min(units, a) }],
        },
      }
    case 'expire':
      return { kind: 'expire', shop: nord, sku, ...(b % 2 === 0 ? { watermark: instantOf(now + b) } : {}) }
    case 'settle':
      return { kind: 'settle', sku }
    case 'trust':
      return { kind: 'trust', sku, warehouse: main }
    default:
      return {
        ...word,
        answersOurPull: false,
        word: { ...about, kind: 'order-line', says: what, shop: nord, order: `N-${order}`, units },
      }
  }
}

// ── what is compared ──

const sorted = (demands: Iterable<Demand>): readonly Demand[] => [...demands].sort((a, b) => a.no - b.no)

/** JSON has no order and no undefined: two values are the same when their sorted texts are. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, each) => asPlain(each)))
const asPlain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)))
    : value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value

/** A state without its ended demands, which only some loads bring, and without counters that count nothing. */
const comparable = (states: readonly SkuState[]): unknown =>
  plain(
    [...states]
      .sort((a, b) => (a.sku < b.sku ? -1 : 1))
      .map(({ demands, shelfCounts, shopCounts, lineCounts, ...state }) => ({
        ...state,
        demands: sorted(demands.values()),
        shelfCounts: new Map([...shelfCounts].filter(([, { pegged, contained }]) => pegged + contained > 0)),
        shopCounts: new Map(
          [...shopCounts].filter(([, { open, shortage, untracked }]) => open + shortage + untracked > 0),
        ),
        lineCounts: new Map([...lineCounts].filter(([, { pegged }]) => pegged > 0)),
      })),
  )

test('random commands are answered alike, and leave the same states, entries, marks and incidents', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      stories += 1
      const name = stories
      let now = instantOf(Date.now())
      const store = memoryStore(() => now)
      const twin = memoryLane({ store, configuration: () => rules })
      const skus = [skuOf(`S${name}-0`), skuOf(`S${name}-1`)]
      const seen = new Map(skus.map((sku) => [sku, 0]))
      for (const [nth, step] of story.entries()) {
        const command = commandOf(step, name, nth, now)
        const origin: Origin = { actor: 'test', cause: `step:${nth}` }
        const answer: Answer | Error = await lane.submit(command, origin).catch((cause: unknown) => asError(cause))
        // What PostgreSQL decided, it decided at a moment of its own: the twin decides at the same.
        const entries = await entriesOf(skus, seen)
        now = entries[0]?.at ?? (await clockOf())
        const twins: Answer | Error = await twin.submit(command, origin).catch((cause: unknown) => asError(cause))
        expect(timeless(twins), `${nth} ${step.what}`).toEqual(timeless(answer))
        const mine = store.ledger.splice(0).sort((a, b) => (a.stream < b.stream ? -1 : 1))
        expect(
          plain(mine.map(({ stream, version, kind, cause, body }) => ({ stream, version, kind, cause, body }))),
        ).toEqual(plain(entries.map(({ at: _, ...entry }) => entry)))
        expect(comparable(loadStates(store, skus)), `${nth} ${step.what}`).toEqual(
          comparable(await postgresStates(fresh.database.pool, skus)),
        )
      }
      const { rows } = await fresh.database.pool.query<{ code: string; key: string; units: number | null }>(
        `select code, key, units from incident where closed_at is null and sku = any($1) order by code, key`,
        [skus],
      )
      const open = [...store.incidents.values()].map(({ code, key, units }) => ({ code, key, units: units ?? null }))
      expect(open.sort((a, b) => (`${a.code}${a.key}` < `${b.code}${b.key}` ? -1 : 1))).toEqual(rows)
    }),
    { numRuns: 12, endOnFailure: true },
  )
})

/** An answer without the seconds to wait: a refusal writes no entry that would tell the twin the very moment of the decision. */
const timeless = (answer: Answer | Error): unknown =>
  JSON.parse(JSON.stringify(plain(answer)), (key, value) => (key === 'secondsLeft' ? 'some' : value))

const asError = (cause: unknown): Error => new Error(cause instanceof Error ? 'refused by the store' : String(cause))

type Entry = { stream: string; version: number; kind: string; cause: string; body: unknown; at: Instant }

async function entriesOf(skus: readonly string[], seen: Map<string, number>): Promise<readonly Entry[]> {
  const { rows } = await fresh.database.pool.query<Entry>(
    `select stream, version, kind, cause, body, at
     from ledger_entry
     join unnest($1::text[], $2::bigint[]) as known (name, last) on stream = 'sku:' || name and version > last
     order by stream, version`,
    [skus, skus.map((sku) => seen.get(sku) ?? 0)],
  )
  for (const { stream, version } of rows) seen.set(stream.slice('sku:'.length), version)
  return rows
}

async function clockOf(): Promise<Instant> {
  const { rows } = await fresh.database.pool.query<{ now: Instant }>('select clock_timestamp() as now')
  return rows[0]?.now ?? instantOf(0)
}

test('messages are filed, claimed, parked, woken and closed alike', async () => {
  const store = memoryStore(() => instantOf(Date.now()))
  const [mine, theirs] = [inboxOn(store), postgresInbox(fresh.database)]
  const both = async <T>(ask: (inbox: typeof mine) => Promise<T>): Promise<T> => {
    const [a, b] = [await ask(mine), await ask(theirs)]
    expect(plain(comparableMessages(a))).toEqual(plain(comparableMessages(b)))
    return b
  }
  const message = (messageId: string, raw = messageId, words = 1) => ({ messageId, raw, words, notes: [] })
  await both((inbox) => inbox.file(wms, [message('a'), message('b', 'b', 2), message('c', 'c', 30)], []))
  await both((inbox) => inbox.file(wms, [message('a'), message('b', 'other'), message('d')], []))
  await both((inbox) => inbox.claim(2, 'ordinary'))
  await both((inbox) => inbox.claim(9, 'bulk'))
  await both((inbox) => inbox.claim(9, 'ordinary'))
  await both((inbox) => inbox.claim(9, 'ordinary'))
  await both(async (inbox) => void (await inbox.close(1, 'done', 'applied')))
  await both(async (inbox) => void (await inbox.giveUp(2, 'tired')))
  await both(async (inbox) => inbox.bury())

  // A word about an unknown order parks its message; the order wakes it.
  const parked = skusOf(commandOf({ what: 'allocated', a: 0, b: 0, units: 1 }, 9_000, 1, instantOf(0)))[0] ?? skuOf('x')
  await fileDelivery(
    fresh.database,
    'wms',
    [{ messageId: 'p', contentHash: Buffer.from('p'), raw: 'p', words: 1, notes: [] }],
    [],
  )
  await mine.file(wms, [message('p')], [])
  const command = commandOf({ what: 'allocated', a: 0, b: 0, units: 1 }, 9_000, 1, instantOf(Date.now()))
  const { rows } = await fresh.database.pool.query<{ id: number }>(`select id from inbox where message_id = 'p'`)
  const postgresId = rows[0]?.id ?? 0
  const memoryId = store.inbox.find(({ messageId }) => messageId === 'p')?.id ?? 0
  const twin = memoryLane({ store, configuration: () => rules })
  const receiptOf = (inboxId: number): Origin => ({ actor: 'test', cause: 'parked', receipt: { inboxId, word: 0 } })
  expect(await twin.submit(command, receiptOf(memoryId))).toEqual(await lane.submit(command, receiptOf(postgresId)))
  const stateOf = async () =>
    (await fresh.database.pool.query<{ state: string }>('select state from inbox where id = $1', [postgresId])).rows[0]
      ?.state
  expect(store.inbox[memoryId - 1]?.state).toBe(await stateOf())
  expect(await stateOf()).toBe('parked')
  expect(wakeParked(store, ['N-o9000-0'])).toBe((await wakeInPostgres(fresh.database.pool, ['N-o9000-0'])).rowCount)
  expect(store.inbox[memoryId - 1]?.state).toBe(await stateOf())
  expect(store.skus.has(parked)).toBe(true)
})

const comparableMessages = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value ?? null, (key, each) =>
      key === 'id' || key === 'receivedAt' || key === 'deadLetterIds' ? 0 : each,
    ),
  )

test('silence begins, goes through its stages and ends alike', async () => {
  let skewMs = 0
  const store = memoryStore(() => instantOf(Date.now() + skewMs))
  const [mine, theirs] = [shopBookOn(store), postgresBook(fresh.database)]
  const shop = nord
  const statuses = async () => {
    const of = async (book: typeof mine) => {
      const [status] = await book.all()
      return {
        state: status?.state,
        isSilent: status?.silentFrom !== undefined,
        isBack: status?.returnedAt !== undefined,
        isRead: status?.readSinceReturn,
        hasWatermark: status?.watermark !== undefined,
      }
    }
    expect(await of(mine)).toEqual(await of(theirs))
    return await of(theirs)
  }
  const both = async (ask: (book: typeof mine) => Promise<unknown>) => {
    await ask(mine)
    await ask(theirs)
    return await statuses()
  }
  const later = async (ms: number) => instantOf((await theirs.now()) + ms)
  await both((book) => book.registered(shop))
  await both((book) => book.silenceByOrder(shop))
  await both((book) => book.connected(shop))
  await both((book) => book.moveWatermark(shop, { known: [], shopClock: undefined }, instantOf(1_000)))
  expect(await both((book) => book.silenceByOrder(shop))).toMatchObject({ isSilent: true, isBack: false })
  await both(async (book) => book.readDone(shop, await later(1_000)))
  await both((book) => book.returned(shop))
  await both(async (book) => book.readDone(shop, instantOf(1_000)))
  expect(await both(async (book) => book.readDone(shop, await later(1_000)))).toMatchObject({ isRead: true })
  await both(async (book) => book.moveWatermark(shop, { known: [], shopClock: undefined }, await later(60_000)))
  expect(await both(async (book) => book.readDone(shop, await later(1_000)))).toMatchObject({ isSilent: false })
  await both((book) => book.silence(shop, instantOf(5)))
  await both((book) => book.moveWatermark(shop, { known: [], shopClock: undefined }, instantOf(7)))
  await both((book) => book.assumeReturned(0))
  skewMs = 0
  expect(plain(await mine.trail(shop))).toMatchObject({ known: [] })
  expect(await mine.heartbeat(ME)).toBe(await theirs.heartbeat(ME))
  await both((book) => book.farewell(ME))
})

test('marks are claimed, renewed, put off and settled alike', async () => {
  let skewMs = 0
  const store = memoryStore(() => instantOf(Date.now() + skewMs))
  const [mine, theirs] = [publicationBookOn(store), postgresPublications(fresh.database)]
  const twin = memoryLane({ store, configuration: () => rules })
  const told = commandOf({ what: 'figure', a: 0, b: 0, units: 1 }, 8_000, 1, instantOf(Date.now()))
  const shop = nord
  await fresh.database.pool.query('delete from dirty')
  await lane.submit(told, { actor: 'test', cause: 'mark' })
  await twin.submit(told, { actor: 'test', cause: 'mark' })
  const claim = async (book: typeof mine) => (await book.claim(shop, 9)).map(({ skuId: _, ...mark }) => mark)
  const settle = async (outcome: { failed: boolean; again?: number }) => {
    for (const book of [mine, theirs]) {
      const marks = await book.claim(shop, 9)
      await book.settle(
        shop,
        marks.map((mark) => ({
          mark,
          failed: outcome.failed,
          lookAgainAt: outcome.again === undefined ? undefined : instantOf(Date.now() + outcome.again),
        })),
      )
    }
  }
  expect(await claim(mine)).toEqual(await claim(theirs))
  expect(await claim(mine)).toEqual(await claim(theirs))
  for (const book of [mine, theirs]) await book.markAll([shop])
  // Still claimed, although renewed.
  expect(await claim(mine)).toEqual(await claim(theirs))
  skewMs = 31_000
  await fresh.database.pool.query(`update dirty set claimed_until = now() - interval '1 second'`)
  await settle({ failed: true })
  expect(await claim(mine)).toEqual(await claim(theirs))
  await fresh.database.pool.query(`update dirty set due_at = now() - interval '1 second'`)
  skewMs = 120_000
  await settle({ failed: false, again: 600_000 })
  expect(await claim(mine)).toEqual(await claim(theirs))
  for (const book of [mine, theirs]) await book.markSkus(shop, [...store.skus.keys()])
  await settle({ failed: false })
  expect([...(store.dirty.get(shop)?.keys() ?? [])]).toHaveLength(
    (await fresh.database.pool.query('select from dirty where shop = $1', [shop])).rowCount ?? -1,
  )
})

test('what was seen, refused, kept and told about a number is remembered alike', async () => {
  const store = memoryStore(() => instantOf(Date.now()))
  const twin = memoryLane({ store, configuration: () => rules })
  const told = commandOf({ what: 'figure', a: 0, b: 0, units: 1 }, 8_500, 1, instantOf(Date.now()))
  await fresh.database.pool.query('truncate dirty, publication, foreign_write')
  await lane.submit(told, { actor: 'test', cause: 'mark' })
  await twin.submit(told, { actor: 'test', cause: 'mark' })
  const shop = nord
  /** Whatever is a moment is only there or not: the clocks differ. */
  const timeless = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, each) => (/At$|Since$|^at$/.test(key) && key !== 'restoredAt' ? 'then' : each)),
    )
  const looks = async (
    act: (book: ReturnType<typeof publicationBookOn>, skuId: number) => Promise<unknown>,
  ): Promise<unknown> => {
    const seen = []
    for (const book of [publicationBookOn(store), postgresPublications(fresh.database)]) {
      const [sku] = store.skus.keys()
      if (sku === undefined) throw new Error('no SKU')
      await book.markSkus(shop, [sku])
      const marks = await book.claim(shop, 9)
      const skuId = marks[0]?.skuId ?? 0
      await act(book, skuId)
      await book.settle(
        shop,
        marks.map((mark) => ({ mark, lookAgainAt: undefined, failed: false })),
      )
      await book.markSkus(shop, [sku])
      const again = await book.claim(shop, 9)
      await book.settle(
        shop,
        again.map((mark) => ({ mark, lookAgainAt: undefined, failed: false })),
      )
      const strip = ({ skuId: _, renewed: __, ...rest }: { skuId: number; renewed?: number }) => rest
      seen.push(
        timeless([again.map(strip), (await book.toGiveBack(shop, 9)).map(strip), await book.leftToGiveBack(shop)]),
      )
    }
    expect(seen[0]).toEqual(seen[1])
    return seen[1]
  }
  const row = { productId: 'p1', seenUnits: 7, shownUnits: 5 }
  const at = instantOf(1_700_000_000_000)
  await looks((book, skuId) => book.keepSettings(shop, [{ skuId, productId: 'p1', closeOut: null }]))
  await looks((book, skuId) => book.announce(shop, [{ skuId, units: 12 }]))
  await looks((book, skuId) =>
    book.remember(shop, [{ ...row, skuId, written: { units: 5, version: 1, revision: 'r1' } }]),
  )
  await looks((book, skuId) => book.remember(shop, [{ ...row, skuId, refused: { units: 6, reason: 'no' } }]))
  await looks((book, skuId) => book.remember(shop, [{ ...row, skuId, refused: 'as before' }]))
  expect(JSON.stringify(await looks((book) => book.markProducts(shop, ['p1'], ['p1'])))).toContain('toldAt')
  const guard = { restoredAt: [at], left: { units: 9, leastUnits: 5 }, fightingSince: at }
  await looks((book, skuId) => {
    const [sku] = store.skus.keys()
    return sku === undefined ? Promise.resolve() : book.keepGuards(shop, [{ skuId, sku, toldAt: undefined, guard }])
  })
  expect(JSON.stringify(await looks((book, skuId) => book.gaveBack(shop, [skuId])))).not.toContain('settingsKept')
  const own = async (book: ReturnType<typeof publicationBookOn>) =>
    timeless(
      [
        ...(await book.own(
          shop,
          [...store.skusById.keys()].map((place) => place + 1),
          60_000,
        )),
      ].toSorted(),
    )
  expect(await own(publicationBookOn(store))).toEqual(await own(postgresPublications(fresh.database)))
})
