import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { cartsOf } from './shop-carts.ts'
import { openChannel } from './shop-channel.ts'
import { environmentOf, hasRealShop } from './shop-environment.ts'
import { inParallel } from './shop-http.ts'
import { ORDER_IN_FLIGHT_MS, openStory, type StoryWorld, tell } from './story-world.ts'

const UNITS = 4
/** Buyers in each of the two channels. */
const BUYERS = 8

/** What a buyer meets in front: pages from the cache, and a second sales channel over the same stock. */
describe.skipIf(!hasRealShop(process.env))('in front of a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const envFile = process.env.SHOPWARE_ENV_FILE ?? ''
  test.skipIf(envFile === '')(
    'with the page cache on, a page shows that the last unit is gone, and that goods have come',
    async () => {
      const { shop, net } = world
      const before = readFileSync(envFile, 'utf8')
      try {
        writeFileSync(envFile, before.replace(/^SHOPWARE_HTTP_CACHE_ENABLED=.*$/m, 'SHOPWARE_HTTP_CACHE_ENABLED=1'))
        const sku = await world.stocked('cached', 3)
        const { productId } = await shop.productOf(sku)
        const isSoldOut = async (): Promise<boolean> =>
          (await (await fetch(`${shop.url}/detail/${productId}`)).text()).includes('delivery-soldout')
        expect([await isSoldOut(), await isSoldOut()]).toEqual([false, false])
        for (const [units, soldOut] of [
          [0, true],
          [5, false],
        ] as const) {
          await net.say({ type: 'stock.level.reported', sku, net: units })
          await world.shows(sku, units)
          const beganMs = performance.now()
          await eventually(isSoldOut, (is) => is === soldOut, `the page says that ${units} are left`)
          tell('page cache', `the page shows ${units} ${Math.round(performance.now() - beganMs)} ms after the number`)
        }
      } finally {
        writeFileSync(envFile, before)
      }
    },
  )

  test('two sales channels over one stock sell the last units once', async () => {
    const { shop } = world
    const channel = await openChannel(shop.admin, environmentOf(process.env).salesChannelId)
    try {
      const sku = await world.stocked('channels', UNITS)
      const { productId } = await shop.productOf(sku)
      await channel.show(productId)
      const other = cartsOf({
        environment: { ...environmentOf(process.env), storeApiKey: channel.storeApiKey },
        guests: { ...shop.guests, storefrontUrl: channel.url },
        productIdOf: async () => productId,
        newEmail: shop.newEmail,
      })
      const sides = await Promise.all(
        [shop, other].map(async (side) => ({ side, carts: await side.prepareCarts({ sku, units: 1, count: BUYERS }) })),
      )
      const buyers = sides.flatMap(({ side, carts }) => carts.map((cart) => ({ side, cart })))
      // By turns from one channel and from the other, all at once.
      const mixed = buyers.toSorted((one, two) => (one.cart.token < two.cart.token ? -1 : 1))
      const outcomes = await inParallel(mixed, mixed.length, async ({ side, cart }) => ({
        side,
        isPlaced: !(await side.order(cart)).refused,
      }))
      const placed = outcomes.filter(({ isPlaced }) => isPlaced)
      const inOther = placed.filter(({ side }) => side === other).length
      tell('two channels', `${placed.length - inOther} and ${inOther} orders for ${UNITS} units`)
      expect(placed.length).toBeLessThanOrEqual(UNITS)
      // Attempts that Shopware itself broke off give their units back; then the rest is sold, in the other channel if it likes.
      let left = UNITS - placed.length
      await world.sees(sku, { reserved: placed.length, sellable: left })
      for (const beganMs = performance.now(); left > 0 && performance.now() - beganMs < 12 * ORDER_IN_FLIGHT_MS; )
        if (!(await other.order(await other.prepareCart({ sku, units: 1 }))).refused) left -= 1
      expect(left).toBe(0)
      await world.sees(sku, { sellable: 0, reserved: UNITS, shortage: 0 })
      expect(await shop.orders({ sku })).toHaveLength(UNITS)
      other.close()
    } finally {
      await shop.removeEverythingOf()
      await channel.remove()
    }
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
