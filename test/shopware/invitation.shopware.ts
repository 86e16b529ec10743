import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRealShop } from './shop-environment.ts'
import { openStory, SHOP, type StoryWorld } from './story-world.ts'

/** Registering again without proof, as a real 6.6 shop does: only an operator's word lets it in. */
describe.skipIf(!hasRealShop(process.env))('an invitation', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure({ admission: 'invited' })
  })
  afterAll(async () => {
    await world?.end()
  })

  const invite = () => world.request('POST', `/v1/shops/${SHOP}/invite`)

  test('lets a shop come for the first time, and again after an uninstallation that never reached us; nothing else does', async () => {
    await expect(world.install()).rejects.toThrow()
    await invite()
    await world.install()
    const sku = await world.stocked('invited', 5)
    await world.holdfast.stop()
    await world.uninstall()
    await world.holdfast.start()
    await expect(world.install()).rejects.toThrow()
    await invite()
    await world.install()
    await world.net.say({ type: 'stock.level.reported', sku, net: 3 })
    await world.shows(sku, 3)
    expect(await world.bugs()).toBe(0)
  })
})
