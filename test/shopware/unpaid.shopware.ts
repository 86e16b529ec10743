import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { Placed } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { openStory, type StoryWorld } from './story-world.ts'

/** Payments that fail, and come late, in a real shop; each followed from the step to the units. */
describe.skipIf(!hasRealShop(process.env))('a payment that fails in a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure({ paymentFailed: 'cancel', paymentFailedAfter: '0s' })
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const pay = async ({ orderId }: Placed, ...actions: readonly string[]): Promise<void> => {
    for (const action of actions) {
      const id = (await world.shop.orderOf(orderId)).transactions[0]?.id ?? ''
      expect((await world.shop.transition('order_transaction', id, action)).http).toBe(200)
    }
  }
  const stateOf = async ({ orderId }: Placed): Promise<string> => (await world.shop.orderOf(orderId)).state
  const unpaid = async (): Promise<number> =>
    (await world.holdfast.database.pool.query('select from unpaid_order')).rowCount ?? 0

  test('by cancel its order is cancelled in the shop, once, and the units come back on both sides', async () => {
    const sku = await world.stocked('unpaid-cancel', 10)
    const placed = await world.ordered(sku, 4)
    await world.sees(sku, { sellable: 6, reserved: 4 })
    await pay(placed, 'fail')
    await eventually(
      () => stateOf(placed),
      (state) => state === 'cancelled',
      'the order is cancelled',
    )
    await world.sees(sku, { sellable: 10, reserved: 0 })
    await world.shows(sku, 10)
    await world.quiet(sku)
    expect(await world.shop.stockOf(sku)).toBe(10)
    const { rows } = await world.holdfast.database.pool.query(`select from incident where code = 'ORDER_NOT_CANCELLED'`)
    expect(rows).toEqual([])
    // The shop takes the late payment of a cancelled order, and no unit with it.
    await pay(placed, 'paid')
    await world.ordersRead()
    expect(await world.view(sku)).toMatchObject({ sellable: 10, reserved: 0 })
    expect(await stateOf(placed)).toBe('cancelled')
  })

  test('by cancel an order whose goods have left, and one that was paid another way, are left alone', async () => {
    const sku = await world.stocked('unpaid-left', 10)
    const placed = await world.ordered(sku, 1)
    const delivery = (await world.shop.orderOf(placed.orderId)).deliveries[0]?.id ?? ''
    expect((await world.shop.transition('order_delivery', delivery, 'ship')).http).toBe(200)
    await world.ordersRead()
    await pay(placed, 'fail')
    const delayed = await world.ordered(sku, 2)
    await world.sees(sku, { sellable: 7, reserved: 3 })
    await pay(delayed, 'remind')
    await world.watermarkPassed()
    expect([await stateOf(placed), await stateOf(delayed)]).toEqual(['open', 'open'])
    expect(await world.view(sku)).toMatchObject({ sellable: 7, reserved: 3 })
  })

  test('by soft the units come back and the order stays; paid late it takes what is left, and tells the rest', async () => {
    await world.configure({ paymentFailed: 'soft', paymentFailedAfter: '0s' })
    const sku = await world.stocked('unpaid-soft', 10)
    const placed = await world.ordered(sku, 4)
    await world.sees(sku, { sellable: 6, reserved: 4 })
    await pay(placed, 'fail')
    await world.sees(sku, { sellable: 10, reserved: 0 })
    await world.shows(sku, 10)
    expect(await stateOf(placed)).toBe('open')
    expect(await unpaid()).toBe(1)
    await world.ordered(sku, 8)
    await world.sees(sku, { sellable: 2, reserved: 8 })
    await pay(placed, 'reopen', 'paid')
    await world.sees(sku, { sellable: 0, reserved: 12, shortage: 2 })
    const told = (await world.incidents()).find((each) => each.sku === sku && each.code === 'SHORTAGE')
    expect(told).toMatchObject({ orderNumber: placed.orderNumber, units: 2 })
    // Like an order that has just been read, for some seconds it may be one that the shop has still to subtract.
    await world.shows(sku, 0)
    expect(await unpaid()).toBe(0)
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
