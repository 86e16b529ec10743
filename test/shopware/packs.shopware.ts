import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRealShop } from './shop-environment.ts'
import { openStory, type StoryWorld } from './story-world.ts'

/** What of a cart is units, and how many, in a real shop: packs, numbers of the shop's own, least and stepped purchases. */
describe.skipIf(!hasRealShop(process.env))('packs and purchase steps in a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    const [beer, six, old] = ['beer', 'beer-six', 'old-number'].map(world.shop.sku)
    if (!beer || !six || !old) throw new Error('no SKUs')
    await world.configure({ skuMapping: { [six]: { sku: beer, units: 6 }, [old]: { sku: beer } } })
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  test('single units, packs and a product with another number are sold out of the same units, to the last one', async () => {
    const { shop } = world
    const [six, old] = ['beer-six', 'old-number'].map(shop.sku)
    if (!six || !old) throw new Error('no SKUs')
    for (const sku of [six, old]) await shop.createProduct({ sku, stock: 0, closeOut: true })
    const beer = await world.stocked('beer', 20)
    await world.shows(six, 3)
    await world.shows(old, 20)
    const cart = await shop.prepareCart({ sku: six, units: 2 })
    await shop.addToCart(cart, beer, 1)
    await world.place(cart)
    await world.sees(beer, { sellable: 7, reserved: 13 })
    await world.shows(beer, 7)
    await world.shows(six, 1)
    await world.shows(old, 7)
    // One pack and two single ones are eight units of seven: the shop itself would sell them.
    const greedy = await shop.prepareCart({ sku: six, units: 1 })
    await shop.addToCart(greedy, beer, 2)
    expect((await shop.order(greedy)).refused).toBe(true)
    const placed = await world.place(await shop.prepareCart({ sku: six, units: 1 }))
    await world.sees(beer, { sellable: 1, reserved: 19 })
    await world.shows(six, 0)
    await world.shows(old, 1)
    await shop.cancelOrder(placed.orderId)
    await world.sees(beer, { sellable: 7, reserved: 13 })
    await world.shows(six, 1)
  })

  test('a product with a least purchase above what is left is not sold, and one with steps in its steps only', async () => {
    const { shop } = world
    const sku = await world.stocked('least', 5)
    const { productId } = await shop.productOf(sku)
    await shop.admin.write(
      { method: 'PATCH', path: `/api/product/${productId}`, body: { minPurchase: 2, purchaseSteps: 2 } },
      'the least purchase',
    )
    // Three are brought down to two by the shop itself: the first try tells so, and the second orders two.
    const three = await shop.prepareCart({ sku, units: 3 })
    const first = await shop.order(three)
    if (first.refused) expect((await shop.order(three)).refused).toBe(false)
    await world.sees(sku, { sellable: 3, reserved: 2 })
    await world.place(await shop.prepareCart({ sku, units: 2 }))
    await world.sees(sku, { sellable: 1, reserved: 4 })
    await world.shows(sku, 1)
    const last = await shop.prepareCart({ sku, units: 2 })
    expect((await shop.order(last)).refused).toBe(true)
    expect((await shop.order(last)).refused).toBe(true)
    await world.watermarkPassed()
    await world.sees(sku, { sellable: 1, reserved: 4 })
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
