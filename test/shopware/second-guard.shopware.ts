import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { hasRealShop } from './shop-environment.ts'
import { openStory, type StoryWorld } from './story-world.ts'

/** What the app's cart script refuses in a real shop, with a Holdfast that answers no more. */
describe.skipIf(!hasRealShop(process.env))('the second guard in a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure({ capPerCustomer: 3 })
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const said = async (sku: string, word: 'stop' | 'go', most: number): Promise<void> => {
    const fields = async () => {
      const { body } = await world.shop.admin.call({
        method: 'POST',
        path: '/api/search/product',
        body: { filter: [{ type: 'equals', field: 'productNumber', value: sku }], fields: ['customFields'] },
      })
      return JSON.stringify(body)
    }
    await eventually(
      fields,
      (text) => text.includes(`"holdfast_guard":"${word}"`) && text.includes(`"holdfast_most":${most}`),
      `the product says ${word}, ${most}`,
    )
  }

  test('too much for one buyer, over all lines of a cart, and what is sold out although its close-out was taken off', async () => {
    const { shop } = world
    const [capped, out] = [await world.stocked('capped', 10), await world.stocked('out', 2)]
    await said(capped, 'go', 3)
    await world.net.say({ type: 'stock.level.reported', sku: out, net: 0 })
    await said(out, 'stop', 3)
    await world.holdfast.kill()
    const { productId } = await shop.productOf(out)
    await shop.admin.write(
      { method: 'PATCH', path: `/api/product/${productId}`, body: { isCloseout: false } },
      'the close-out, taken off',
    )
    const two = await shop.prepareCart({ sku: capped, units: 2 })
    await shop.addToCart(two, capped, 2)
    expect(await shop.order(two)).toMatchObject({ refused: true, messages: [expect.stringContaining('holdfast-most')] })
    expect(await shop.order(await shop.prepareCart({ sku: capped, units: 3 }))).toMatchObject({ refused: false })
    expect(await shop.order(await shop.prepareCart({ sku: out, units: 1 }))).toMatchObject({
      refused: true,
      messages: [expect.stringContaining('holdfast-guard')],
    })
  })
})
