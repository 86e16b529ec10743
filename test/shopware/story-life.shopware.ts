import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Placed } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { ORDER_IN_FLIGHT_MS, openStory, promised, SHOWN_WITHIN_MS, type StoryWorld } from './story-world.ts'

/** An edited or deleted line sends nothing: every open order is read again in turn, every five seconds. */
const FOUND_WITHIN_MS = 8_000
/** A deleted order is believed gone only when it was missing for `orderInFlight`. */
const GONE_WITHIN_MS = ORDER_IN_FLIGHT_MS + FOUND_WITHIN_MS

/** What happens to numbers and orders in the shop itself, by its own hand and by others. */
describe.skipIf(!hasRealShop(process.env))('the daily life of a shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  /** How long after our last write of a SKU we looked at it for the last time: not only at once, because of its echo (H34). */
  const lastLookMs = async (sku: string): Promise<number> => {
    const { rows } = await world.holdfast.database.pool.query<{ ms: number }>(
      `select floor(extract(epoch from seen_at - written_at) * 1000)::int as ms
       from publication join sku on sku.id = publication.sku_id where sku.sku = $1`,
      [sku],
    )
    return rows[0]?.ms ?? Number.NaN
  }
  const lineOf = (placed: Placed): string => placed.lines[0]?.lineId ?? ''
  const transactionOf = async ({ orderId }: Placed): Promise<string> =>
    (await world.shop.orderOf(orderId)).transactions[0]?.id ?? ''

  test('i. our own writes come back as echoes and cause no other, and what somebody else writes is put right', async () => {
    const { shop } = world
    const sku = await world.stocked('echo', 10)
    // One by whoever made the product, one by us.
    await eventually(
      () => world.writesTold(sku),
      (writes) => writes === 2,
      'the echo of our write has come',
    )
    await world.settled(sku)
    expect(await world.writesTold(sku)).toBe(2)
    expect(await lastLookMs(sku)).toBeGreaterThanOrEqual(ORDER_IN_FLIGHT_MS)

    for (const wrong of [99, 3]) {
      await shop.setStock(sku, wrong)
      promised(`a foreign ${wrong} is put right in`, await world.shows(sku, 10), SHOWN_WITHIN_MS)
    }
    await shop.setStock(sku, 10)
    await eventually(
      () => world.writesTold(sku),
      (writes) => writes === 7,
      'three foreign writes, and two of ours',
    )
    await world.settled(sku)
    expect(await world.writesTold(sku)).toBe(7)
    expect(await shop.stockOf(sku)).toBe(10)
  })

  test('j. an order that is cancelled three times gives its units back once (H31)', async () => {
    const { shop } = world
    const sku = await world.stocked('cancelled', 10)
    const cart = await shop.prepareCart({ sku, units: 2 })
    const placed = await world.place(cart)
    await world.sees(sku, { sellable: 8, reserved: 2 })
    await shop.cancelOrder(placed.orderId)
    await world.sees(sku, { sellable: 10, reserved: 0 })
    await world.shows(sku, 10)
    // Shopware lowers its number again inside each further cancel, so what it shows afterwards is a write of ours.
    await shop.cancelOrder(placed.orderId)
    promised('after a second cancel the shop is put right in', await world.shows(sku, 10), FOUND_WITHIN_MS)
    expect((await shop.cancelAsBuyer(cart, placed.orderId)).http).toBe(200)
    promised('after a third one, by the buyer, in', await world.shows(sku, 10), FOUND_WITHIN_MS)
    await world.settled(sku)
    expect(await shop.stockOf(sku)).toBe(10)
    expect(await world.view(sku)).toMatchObject({ sellable: 10, reserved: 0, shortage: 0 })
  })

  test('j. two cancels at once make no unit that does not exist (H31)', async () => {
    const { shop } = world
    const sku = await world.stocked('cancelled-twice', 10)
    const orders = [await world.ordered(sku, 1), await world.ordered(sku, 1), await world.ordered(sku, 1)]
    await world.sees(sku, { sellable: 7, reserved: 3 })
    for (const { orderId } of orders)
      await Promise.all([shop.cancelOrder(orderId), shop.transition('order', orderId, 'cancel')])
    await world.sees(sku, { sellable: 10, reserved: 0 })
    await world.shows(sku, 10)
    await world.settled(sku)
    expect(await shop.stockOf(sku)).toBe(10)
  })

  test('j. an edited line, a deleted line and a deleted order are found, although the shop says nothing of them (H13)', async () => {
    const { shop } = world
    const sku = await world.stocked('edited', 20)
    const [placed, other] = [await world.ordered(sku, 2), await world.ordered(sku, 3)]
    await world.sees(sku, { sellable: 15, reserved: 5 })
    // Reading what is new goes back by some seconds: only then is each of them found by its own reader.
    await world.watermarkPassed()
    let beganMs = performance.now()
    await shop.editLine(lineOf(placed), 5)
    await world.sees(sku, { sellable: 12, reserved: 8 })
    promised('an edited line is found in', performance.now() - beganMs, FOUND_WITHIN_MS)
    await world.watermarkPassed()
    beganMs = performance.now()
    await shop.deleteLine(lineOf(placed))
    await world.sees(sku, { sellable: 17, reserved: 3 })
    promised('a deleted line is found in', performance.now() - beganMs, FOUND_WITHIN_MS)
    beganMs = performance.now()
    await shop.deleteOrder(other.orderId)
    await world.sees(sku, { sellable: 20, reserved: 0 })
    promised('a deleted order is found in', performance.now() - beganMs, GONE_WITHIN_MS)
    // What an order gave back is waited for before it is raised (H41): the shop may be about to add it by itself.
    await world.shows(sku, 20)
    await world.settled(sku)
    expect(await shop.stockOf(sku)).toBe(20)
  })

  test('j. an order whose payment failed keeps its units, and one that is cancelled gets none by being paid', async () => {
    const { shop } = world
    const sku = await world.stocked('unpaid', 10)
    const placed = await world.ordered(sku, 2)
    await world.sees(sku, { sellable: 8, reserved: 2 })
    for (const action of ['fail', 'reopen', 'paid']) {
      expect((await shop.transition('order_transaction', await transactionOf(placed), action)).http).toBe(200)
      await world.ordersRead()
      expect(await world.view(sku)).toMatchObject({ sellable: 8, reserved: 2, shortage: 0 })
    }
    const other = await world.ordered(sku, 1)
    await shop.cancelOrder(other.orderId)
    await world.sees(sku, { sellable: 8, reserved: 2 })
    expect((await shop.transition('order_transaction', await transactionOf(other), 'paid')).http).toBe(200)
    await world.ordersRead()
    expect(await world.view(sku)).toMatchObject({ sellable: 8, reserved: 2, shortage: 0 })
    await world.quiet(sku)
    expect(await shop.stockOf(sku)).toBe(8)
  })

  test('an order that nobody could refuse is a shortage, and is served first when goods come (H1)', async () => {
    const { shop, net } = world
    const sku = await world.stocked('imported', 1)
    const { orderNumber } = await shop.createOrderByAdminApi({ sku, units: 3 })
    await world.sees(sku, { sellable: 0, reserved: 3, shortage: 2 })
    const told = async () => (await world.incidents()).filter((each) => each.sku === sku && each.code === 'SHORTAGE')
    expect(await told()).toMatchObject([{ orderNumber, units: 2 }])
    await net.say({ type: 'stock.level.reported', sku, net: 5 })
    await world.sees(sku, { sellable: 2, reserved: 3, shortage: 0 })
    await world.shows(sku, 2)
    expect(await told()).toMatchObject([{ orderNumber, closedAt: expect.any(String) }])
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
