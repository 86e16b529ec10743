import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Cart } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { openHttp } from './shop-http.ts'
import { openStory, type StoryWorld } from './story-world.ts'

/** What a shop's policies do at a real checkout. */
describe.skipIf(!hasRealShop(process.env))('policies at the checkout of a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure({ holdFrom: 'confirm' })
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  /** What a confirm page of a headless shop does: it asks the gateway, and orders nothing. */
  const confirmPage = async (cart: Cart): Promise<readonly string[]> => {
    const http = openHttp(world.shop.url)
    try {
      const answer = await http.call({
        method: 'GET',
        path: '/store-api/checkout/gateway',
        headers: { 'sw-access-key': process.env.SHOPWARE_STORE_API_KEY ?? '', 'sw-context-token': cart.token },
      })
      expect(answer.http).toBe(200)
      const { errors } = answer.body as { errors: Readonly<Record<string, { message?: string }>> | readonly [] }
      return Object.values(errors).map(({ message = '' }: { message?: string }) => message)
    } finally {
      http.close()
    }
  }

  test('by policy the confirm page holds, once, and the order takes it over', async () => {
    const sku = await world.stocked('confirm', 3)
    const cart = await world.shop.prepareCart({ sku, units: 3 })
    expect(await world.view(sku)).toMatchObject({ sellable: 3, reserved: 0 })
    for (let view = 0; view < 3; view += 1) expect(await confirmPage(cart)).toEqual([])
    expect(await world.view(sku)).toMatchObject({ sellable: 0, reserved: 3 })
    const late = await world.shop.prepareCart({ sku, units: 1 })
    expect((await confirmPage(late)).join()).toContain('sold out')
    expect((await world.shop.order(late)).refused).toBe(true)
    await world.place(cart)
    await confirmPage(cart)
    await world.ordersRead()
    expect(await world.view(sku)).toMatchObject({ sellable: 0, reserved: 3, shortage: 0 })
    await world.shows(sku, 0)
  })

  test('without that policy it only looks', async () => {
    await world.configure()
    const sku = await world.stocked('looked-at', 3)
    const cart = await world.shop.prepareCart({ sku, units: 3 })
    expect(await confirmPage(cart)).toEqual([])
    expect(await world.view(sku)).toMatchObject({ sellable: 3, reserved: 0 })
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
