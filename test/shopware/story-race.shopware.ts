import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Cart } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { inParallel } from './shop-http.ts'
import { type RaceResult, refusalsOf } from './shop-race.ts'
import { ORDER_IN_FLIGHT_MS, openStory, type StoryWorld, tell } from './story-world.ts'

const CARTS = 60
const UNITS = 5
const ROUNDS = 10
/** Buyers who register or fill their carts at a time; more only queue before the shop's workers. */
const FILL_CONCURRENCY = 8
/** Order calls under way: as many as the shop may have workers. */
const CONCURRENCY = 24
/** Races of the shop alone, before the app is installed: the figures to stand beside. */
const BARE_ROUNDS = 3
/**
 * How long the refused try again: an attempt that Shopware itself broke off is over after `orderInFlight` and a read, and each try
 * may be broken off anew. Far above what that takes, so that a slow machine fails no test.
 */
const RETRY_FOR_MS = 12 * ORDER_IN_FLIGHT_MS

/** The race for the last units, on a shop with real concurrency: never one too many, and never one too few. */
describe.skipIf(!hasRealShop(process.env))('sixty prepared carts race for the last five units', () => {
  let world: StoryWorld
  const bare: RaceResult[] = []
  /** The same sixty buyers race each time; a registration costs twice what a cart line does. */
  let carts: readonly Cart[] = []
  beforeAll(async () => {
    world = await openStory()
    carts = await inParallel(Array.from({ length: CARTS }), FILL_CONCURRENCY, async () => {
      const cart = await world.shop.newCart()
      await world.shop.registerGuest(cart)
      return cart
    })
    for (let round = 1; round <= BARE_ROUNDS; round++) {
      const sku = world.shop.sku(`bare-${round}`)
      await world.shop.createProduct({ sku, stock: UNITS, closeOut: true })
      await fill(sku)
      bare.push(await world.shop.race(carts, CONCURRENCY))
    }
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  test.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))('g. round %i', async (round) => {
    const { shop } = world
    const sku = await world.stocked(`race-${round}`, UNITS)
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
    const alone = bare[(round - 1) % BARE_ROUNDS]
    tell(
      `race ${round}`,
      `${first} orders, ${orders.length} after ${retried.tries} more tries in ${Math.round(retried.tookMs)} ms; ` +
        `${result.finishedPerSecond.toFixed(1)} carts/s` +
        (alone ? `; the shop alone: ${alone.placed.length} orders, ${alone.finishedPerSecond.toFixed(1)} carts/s` : ''),
    )
    for (const [message, count] of refusalsOf(result)) tell(`race ${round}`, `${count} × ${message}`)
    expect(first).toBeLessThanOrEqual(UNITS)
    expect(orders).toHaveLength(UNITS)
    await world.sees(sku, { sellable: 0, reserved: UNITS, shortage: 0 })
    await world.shows(sku, 0)
  })

  test('everything that is known follows from the ledger, and nobody was alarmed', async () => {
    const { count, meanMs } = await world.answers()
    tell('gateway', `${count} calls answered in ${meanMs.toFixed(1)} ms each`)
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
    expect(await world.incidents()).toEqual([])
  })

  /** One unit into each cart. What is left in it of an earlier race is sold out, so Shopware throws it out. */
  const fill = async (sku: string): Promise<void> => {
    await inParallel(carts, FILL_CONCURRENCY, (cart) => world.shop.addToCart(cart, sku, 1))
  }
  const isOrder = ({ outcome }: { readonly outcome: object }): boolean =>
    'refused' in outcome && outcome.refused === false

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
