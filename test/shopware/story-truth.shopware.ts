import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Placed } from './shop-carts.ts'
import { hasRealShop } from './shop-environment.ts'
import { openStory, type StoryWorld, tell } from './story-world.ts'
import { watchTruth } from './truth-watch.ts'

/** How long the shop itself waits between the commit of an order's change and the step of its stock, in seconds. */
const SLOW_STEP_S = 2

/** Acts that move units, followed from the act to the number, looked at every 50 ms: a shop never shows a unit that does not exist. */
describe.skipIf(!hasRealShop(process.env))('what a real shop shows while its orders change', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const lineOf = (placed: Placed): string => placed.lines[0]?.lineId ?? ''

  test('an order that is edited, cut, cancelled twice, reopened and deleted', async () => {
    const { shop } = world
    const sku = await world.stocked('life', 20)
    const watch = await watchTruth(shop, sku, 20)
    const [first, second] = [
      await watch.act(15, () => world.ordered(sku, 5)),
      await watch.act(12, () => world.ordered(sku, 3)),
    ]
    await world.sees(sku, { sellable: 12, reserved: 8 })
    await watch.act(15, () => shop.editLine(lineOf(first), 2))
    await world.sees(sku, { sellable: 15, reserved: 5 })
    await watch.act(9, () => shop.editLine(lineOf(first), 8))
    await world.sees(sku, { sellable: 9, reserved: 11 })
    await watch.act(17, () => shop.deleteLine(lineOf(first)))
    await world.sees(sku, { sellable: 17, reserved: 3 })
    await watch.act(20, () => shop.cancelOrder(second.orderId))
    await world.sees(sku, { sellable: 20, reserved: 0 })
    // Shopware takes the units once more, and they are put back.
    await watch.act(20, () => shop.cancelOrder(second.orderId))
    await world.shows(sku, 20)
    await watch.act(17, () => shop.transition('order', second.orderId, 'reopen'))
    await world.sees(sku, { sellable: 17, reserved: 3 })
    await watch.act(20, () => shop.deleteOrder(second.orderId))
    await world.sees(sku, { sellable: 20, reserved: 0 })
    await world.shows(sku, 20)
    await world.settled(sku)
    const { looks, shown, tooMuch } = await watch.stop()
    tell('an order’s life', `shown ${shown.join(', ')} in ${looks} looks`)
    expect(tooMuch).toEqual([])
    expect(shown.at(-1)).toBe(20)
    expect(await world.view(sku)).toMatchObject({ sellable: 20, reserved: 0, shortage: 0 })
  })

  test('a cancellation that is read before the shop has given its units back (H41)', async () => {
    const { shop } = world
    const { sql } = shop.commands
    if (sql === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_SQL. Set it for this test.')
    const sku = await world.stocked('slow-step', 10)
    const placed = await world.ordered(sku, 2)
    await world.sees(sku, { sellable: 8, reserved: 2 })
    await world.settled(sku)
    // Shopware commits the order, tells its webhooks, and steps its stock last: what it waits for in between, it waits for here.
    const slow = `IF(NEW.event_name = 'order.written' AND SLEEP(${SLOW_STEP_S}) = 1, NULL, NEW.created_at)`
    await sql(`CREATE TRIGGER slow_step BEFORE INSERT ON webhook_event_log FOR EACH ROW SET NEW.created_at = ${slow}`)
    const watch = await watchTruth(shop, sku, 8)
    try {
      const order = await shop.orderOf(placed.orderId)
      expect(order.state).toBe('open')
      await watch.act(10, async () => {
        const cancelling = shop.cancelOrder(placed.orderId)
        // Read as cancelled, and looked at, while the shop still waits.
        await world.sees(sku, { sellable: 10, reserved: 0 })
        await world.quiet(sku)
        tell('a slow step', `read as cancelled while the shop shows ${await shop.stockOf(sku)}`)
        await cancelling
      })
    } finally {
      await sql('DROP TRIGGER slow_step')
    }
    await world.shows(sku, 10)
    await world.settled(sku)
    const { looks, shown, tooMuch } = await watch.stop()
    tell('a slow step', `shown ${shown.join(', ')} in ${looks} looks`)
    expect(tooMuch).toEqual([])
    expect(shown).toEqual([8, 10])
  })

  test('a stock that somebody writes in the administration is above the truth only until it is noticed', async () => {
    const { shop } = world
    const sku = await world.stocked('administration', 10)
    await world.settled(sku)
    const watch = await watchTruth(shop, sku, 10)
    await watch.act(10, async () => {
      await shop.setStock(sku, 99)
      await world.shows(sku, 10)
    })
    await world.quiet(sku)
    const { shown, tooMuch } = await watch.stop()
    const lastMs = Math.max(0, ...tooMuch.map(({ atMs }) => atMs))
    const firstMs = Math.min(lastMs, ...tooMuch.map(({ atMs }) => atMs))
    tell('administration', `shown ${shown.join(', ')}; 99 was seen for ${Math.round(lastMs - firstMs)} ms`)
    expect(tooMuch.every(({ shownUnits }) => shownUnits === 99)).toBe(true)
    expect(shown.at(-1)).toBe(10)
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
    expect((await world.incidents()).filter(({ code }) => code === 'SHORTAGE')).toEqual([])
  })
})
