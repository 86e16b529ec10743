import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { type GoBetween, openGoBetween, type Spoiling } from './go-between.ts'
import type { Cart } from './shop-carts.ts'
import { hasRealShop, isFullDose } from './shop-environment.ts'
import { inParallel } from './shop-http.ts'
import { ORDER_IN_FLIGHT_MS, openStory, promised, type StoryWorld, tell } from './story-world.ts'

const isFull = isFullDose(process.env)
const CARTS = isFull ? 60 : 36
const UNITS = isFull ? 10 : 6
const ROUNDS = isFull ? 5 : 1
/** Order calls under way: as many as the shop may have workers. */
const WORKERS = 24
const FILL_CONCURRENCY = 8
/** What a shop does by itself is bounded by its own check, which each of its workers may have passed before the others wrote. */
const MOST_ORDERS = UNITS + WORKERS - 1
/** A surplus is an incident so long after our return. */
const TOLD_WITHIN_MS = ORDER_IN_FLIGHT_MS + 30_000

type Disturbance = {
  readonly what: string
  /** Whether a short dose plays it too. */
  readonly always: boolean
  /** What happens to the answers from the beginning of the race. */
  readonly spoil: Spoiling
  /** What is done to the process after some checkouts, and how it comes back. */
  readonly strike?: (world: StoryWorld) => Promise<void>
  readonly back?: (world: StoryWorld) => Promise<void>
}

const DISTURBANCES: readonly Disturbance[] = [
  {
    what: 'Holdfast is killed',
    always: true,
    spoil: 'nothing',
    strike: ({ holdfast }) => holdfast.kill(),
    back: ({ holdfast }) => holdfast.start(),
  },
  {
    what: 'Holdfast hangs',
    always: false,
    spoil: 'nothing',
    strike: async ({ holdfast }) => holdfast.freeze(),
    back: async ({ holdfast }) => holdfast.resume(),
  },
  { what: 'its answers come after 7 s', always: false, spoil: 'late' },
  { what: 'its answers are a 500', always: false, spoil: 'fails' },
  { what: 'its answers are not signed', always: true, spoil: 'unsigned' },
  { what: 'its answers are signed with another secret', always: false, spoil: 'wrong-secret' },
  { what: 'its connections are cut', always: false, spoil: 'cut' },
]

/** A race while nobody answers, or nobody who is believed: what Shopware sells by itself is bounded, and each surplus is told. */
describe.skipIf(!hasRealShop(process.env))('a race in a real shop that is left alone', () => {
  let world: StoryWorld
  let between: GoBetween
  let carts: readonly Cart[] = []
  beforeAll(async () => {
    between = await openGoBetween()
    world = await openStory(between)
    carts = await inParallel(Array.from({ length: CARTS }), FILL_CONCURRENCY, async () => {
      const cart = await world.shop.newCart()
      await world.shop.registerGuest(cart)
      return cart
    })
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
    await between?.close()
  })

  const cases = DISTURBANCES.filter(({ always }) => always || isFull).flatMap((each) =>
    Array.from({ length: ROUNDS }, (_, round) => ({ ...each, round: round + 1 })),
  )

  test.each(cases)('$what, round $round', async ({ what, round, spoil, strike, back }) => {
    const { shop } = world
    const sku = await world.stocked(`${what.replaceAll(/[^a-z]+/gi, '-')}-${round}`, UNITS)
    await inParallel(carts, FILL_CONCURRENCY, (cart) => shop.addToCart(cart, sku, 1))
    await world.settled(sku)
    // At any moment of the race, from before its first answer to after its last grant.
    const after = Math.floor(Math.random() * WORKERS)
    const watch = shop.watchStock([sku], 50, 3)
    await watch.begun
    between.spoil = spoil
    const struck = (async () => {
      if (!strike) return 0
      if (after > 0) await between.moreCheckouts(after)
      await strike(world)
      return shop.stockOf(sku)
    })()
    // A connection that is cut while the shop waits for its answer is no answer to the buyer either way: the shop goes on.
    const result = await shop.race(carts, WORKERS)
    const unsoldAtStrike = await struck
    between.spoil = 'nothing'
    const backMs = performance.now()
    await back?.(world)
    const samples = await watch.stop()
    const orders = (await shop.orders({ sku })).length
    const surplus = Math.max(0, orders - UNITS)
    const shortage = async (): Promise<number> =>
      (await world.incidents())
        .filter((each) => each.sku === sku && each.code === 'SHORTAGE' && each.closedAt === undefined)
        .reduce((sum, each) => sum + (each.units ?? 0), 0)
    await eventually(shortage, (units) => units === surplus, `${surplus} units are told as a shortage`)
    const toldMs = performance.now() - backMs
    tell(
      what,
      `${orders} orders for ${UNITS} units after ${after} checkouts; ${result.finishedPerSecond.toFixed(1)} carts/s`,
    )
    promised(`${what}: ${surplus} too many, told after`, toldMs, TOLD_WITHIN_MS)
    expect(result.unanswered).toBe(0)
    expect(orders).toBeLessThanOrEqual(MOST_ORDERS)
    // A race only takes: no look shows more than an earlier one, or more than was unsold when Holdfast went.
    const seen = samples.map(({ stock }) => Math.max(0, stock.get(sku) ?? 0))
    expect(Math.max(...seen)).toBeLessThanOrEqual(UNITS)
    if (strike) expect(seen.at(-1)).toBeLessThanOrEqual(Math.max(0, unsoldAtStrike))
    await world.ordersRead()
    await world.sees(sku, { reserved: orders, shortage: surplus })
    // An order without a hold says that we were not asked. The next call of the shop ends that silence; until then nothing is raised.
    const [cart] = carts
    if (cart) expect((await shop.askGateway(cart)).http).toBe(200)
    const left = Math.max(0, UNITS - orders)
    // Attempts that were held and became no order give their units back once the orders of their time are read.
    await world.sees(sku, { sellable: left })
    await world.shows(sku, left)
    await world.settled(sku)
    expect(await shop.stockOf(sku)).toBe(left)
  })

  test('afterwards it answers again, and everything that is known follows from the ledger', async () => {
    const sku = await world.stocked('afterwards', 1)
    const [first, second] = [
      await world.shop.prepareCart({ sku, units: 1 }),
      await world.shop.prepareCart({ sku, units: 1 }),
    ]
    await world.place(first)
    expect((await world.shop.order(second)).refused).toBe(true)
    await world.sees(sku, { sellable: 0, reserved: 1, shortage: 0 })
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
