import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Cart } from './shop-carts.ts'
import { hasRealShop, isFullDose } from './shop-environment.ts'
import { inParallel } from './shop-http.ts'
import { type RaceResult, refusalsOf } from './shop-race.ts'
import { ORDER_IN_FLIGHT_MS, openStory, type StoryWorld, tell } from './story-world.ts'

const CARTS = 60
const UNITS = 10
/** Pairs of races, one with Holdfast and one of the shop alone, by turns one of them first: what else the machine does falls on both. */
const PAIRS = isFullDose(process.env) ? 10 : 1
/** Buyers who register or fill their carts at a time; more only queue before the shop's workers. */
const FILL_CONCURRENCY = 8
/** Order calls under way: as many as the shop may have workers. */
const CONCURRENCY = 24
/** Finished carts per second beside the shop alone, as the median of all pairs: what fails a measurement. We aim at 0.9. */
const LEAST_RATIO = 0.8
/**
 * How long the refused try again: an attempt that Shopware itself broke off is over after `orderInFlight` and a read, and each try
 * may be broken off anew. Far above what that takes, so that a slow machine fails no test.
 */
const RETRY_FOR_MS = 12 * ORDER_IN_FLIGHT_MS

/** The race for the last units, on a shop with real concurrency: never one too many, and never one too few. */
describe.skipIf(!hasRealShop(process.env))('sixty prepared carts race for the last ten units', () => {
  let world: StoryWorld
  /** The same sixty buyers race each time; a registration costs twice what a cart line does. */
  let carts: readonly Cart[] = []
  const ratios: number[] = []
  const surpluses: number[] = []
  beforeAll(async () => {
    world = await openStory()
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
  })

  test.each(Array.from({ length: PAIRS }, (_, pair) => pair + 1))('g. pair %i', async (pair) => {
    let bare: RaceResult
    let ours: RaceResult
    if (pair % 2 === 0) {
      bare = await raceAlone(pair)
      ours = await raceWithUs(pair)
    } else {
      ours = await raceWithUs(pair)
      bare = await raceAlone(pair)
    }
    surpluses.push(bare.placed.length - UNITS)
    ratios.push(ours.finishedPerSecond / bare.finishedPerSecond)
    tell(
      `pair ${pair}`,
      `${rate(ours)} with Holdfast, ${rate(bare)} alone: ${ratios.at(-1)?.toFixed(2)}; alone ${bare.placed.length} orders for ${UNITS} units`,
    )
  })

  test('a cart takes about as long as without us, and everything that is known follows from the ledger', async () => {
    const { count, meanMs } = await world.answers()
    tell('gateway', `${count} calls answered in ${meanMs.toFixed(1)} ms each since the last start`)
    const sorted = ratios.toSorted((one, other) => one - other)
    const median = ((sorted[(PAIRS - 1) >> 1] ?? 0) + (sorted[PAIRS >> 1] ?? 0)) / 2
    tell(
      'ratio',
      `${median.toFixed(2)} in the median of ${PAIRS} pairs, from ${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)}; alone the shop oversold ${surpluses.join(', ')}`,
    )
    if (isFullDose(process.env)) expect(median).toBeGreaterThanOrEqual(LEAST_RATIO)
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
    expect((await world.incidents()).filter(({ sku }) => sku?.includes('-race-'))).toEqual([])
  })

  const rate = ({ finishedPerSecond }: RaceResult): string => `${finishedPerSecond.toFixed(1)} carts/s`
  const shopConsole = async (...words: string[]): Promise<void> => {
    if (world.shop.commands.console === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_CONSOLE.')
    await world.shop.commands.console(...words)
  }
  /** One unit into each cart. What is left in it of an earlier race is sold out, so Shopware throws it out. */
  const fill = async (sku: string): Promise<void> => {
    await inParallel(carts, FILL_CONCURRENCY, (cart) => world.shop.addToCart(cart, sku, 1))
  }
  const isOrder = ({ outcome }: { readonly outcome: object }): boolean =>
    'refused' in outcome && outcome.refused === false

  /** The shop as it is, with the app switched off. */
  async function raceAlone(pair: number): Promise<RaceResult> {
    await shopConsole('app:deactivate', 'Holdfast')
    try {
      const sku = world.shop.sku(`alone-${pair}`)
      await world.shop.createProduct({ sku, stock: UNITS, closeOut: true })
      await fill(sku)
      return await world.shop.race(carts, CONCURRENCY)
    } finally {
      await shopConsole('app:activate', 'Holdfast')
      await eventually(world.shopState, (state) => state === 'connected', 'the shop is connected again')
    }
  }

  async function raceWithUs(pair: number): Promise<RaceResult> {
    const { shop } = world
    const sku = await world.stocked(`race-${pair}`, UNITS)
    await fill(sku)
    const result = await shop.race(carts, CONCURRENCY)
    expect(result.unanswered).toBe(0)
    const first = (await shop.orders({ sku })).length
    const placed = new Set(result.racers.filter(({ attempts }) => attempts.some(isOrder)).map(({ cart }) => cart))
    const retried = await tryAgain(
      sku,
      carts.filter((cart) => !placed.has(cart)),
    )
    const orders = await shop.orders({ sku })
    tell(
      `race ${pair}`,
      `${first} orders, ${orders.length} after ${retried.tries} more tries in ${Math.round(retried.tookMs)} ms`,
    )
    for (const [message, count] of refusalsOf(result)) tell(`race ${pair}`, `${count} × ${message}`)
    expect(first).toBeLessThanOrEqual(UNITS)
    expect(orders).toHaveLength(UNITS)
    await world.sees(sku, { sellable: 0, reserved: UNITS, shortage: 0 })
    await world.shows(sku, 0)
    return result
  }

  /** The refused fill their carts again and order, until all units are sold or the time is over; then as many as there are workers once more. */
  async function tryAgain(sku: string, refused: readonly Cart[]) {
    const beganMs = performance.now()
    const waiting = new Set(refused)
    let tries = 0
    const passOnce = async (many = CARTS): Promise<void> => {
      await inParallel([...waiting].slice(0, many), CONCURRENCY, async (cart) => {
        tries++
        if ((await world.shop.readCart(cart)).lines.length === 0) await world.shop.addToCart(cart, sku, 1)
        if (!(await world.shop.order(cart)).refused) waiting.delete(cart)
      })
    }
    while (CARTS - waiting.size < UNITS && performance.now() - beganMs < RETRY_FOR_MS) await passOnce()
    const tookMs = performance.now() - beganMs
    await passOnce(CONCURRENCY)
    return { tries, tookMs }
  }
})
