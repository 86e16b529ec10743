import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Outcome } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { openStory, type StoryWorld } from './story-world.ts'

/** Hoarding at a real checkout: one buyer with many carts at once. Every guest of these tests has one and the same address. */
describe.skipIf(!hasRealShop(process.env))('caps in a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure({ capPerCustomer: 3 })
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const placed = (outcomes: readonly Outcome[]) => outcomes.filter(({ refused }) => !refused).length
  const told = (outcomes: readonly Outcome[]) =>
    outcomes.flatMap((outcome) => (outcome.refused ? outcome.messages : [])).join('\n')
  const carts = (sku: string, how: number, email?: string) =>
    Promise.all(
      Array.from({ length: how }, () =>
        world.shop.prepareCart({ sku, units: 1, ...(email === undefined ? {} : { email }) }),
      ),
    )

  test('per customer: eight carts of one mail address at once, however it is written, become three orders', async () => {
    const sku = await world.stocked('hoard', 40)
    const [a, b] = [`${world.shop.run}.hoarder@example.org`, `${world.shop.run}.Hoarder+2@example.org`]
    const outcomes = await Promise.all(
      [...(await carts(sku, 4, a)), ...(await carts(sku, 4, b))].map((cart) => world.shop.order(cart)),
    )
    expect(placed(outcomes)).toBe(3)
    expect(told(outcomes)).toContain('at most 3 of')
    expect(placed(await Promise.all((await carts(sku, 4)).map((cart) => world.shop.order(cart))))).toBe(4)
    await world.sees(sku, { sellable: 33, reserved: 7 })
  })

  test('per address: buyers of one house together; what was cancelled counts no more', async () => {
    await world.configure({ capPerAddress: 2 })
    const sku = await world.stocked('house', 40)
    const outcomes = await Promise.all((await carts(sku, 5)).map((cart) => world.shop.order(cart)))
    expect(placed(outcomes)).toBe(2)
    await world.sees(sku, { sellable: 38, reserved: 2 })
    for (const { orderId } of await world.shop.orders({ sku })) await world.shop.cancelOrder(orderId)
    await world.sees(sku, { sellable: 40, reserved: 0 })
    const [cart] = await carts(sku, 1)
    if (cart) await world.place(cart)
    await world.sees(sku, { reserved: 1 })
  })

  test('by share: one buyer takes no more than a quarter of what is there', async () => {
    await world.configure({ capShare: '25%' })
    const sku = await world.stocked('share', 8)
    const all = await world.shop.order(await world.shop.prepareCart({ sku, units: 8 }))
    expect(told([all])).toContain('at most 2 of')
    await world.place(await world.shop.prepareCart({ sku, units: 2 }))
    await world.sees(sku, { sellable: 6, reserved: 2 })
  })

  test('nothing that could be read as a person is kept', async () => {
    const { rows } = await world.holdfast.database.pool.query<{ found: number }>(
      `select (select count(*) from ledger_entry where body::text ~ '@|Test Road')::int
            + (select count(*) from buyer_attempt where length(key) <> 32)::int as found`,
    )
    expect(rows).toEqual([{ found: 0 }])
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
