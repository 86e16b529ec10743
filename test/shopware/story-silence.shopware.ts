import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { hasRealShop } from './shop-environment.ts'
import { openStory, promised, SHOP, SHOWN_AFTER_SILENCE_MS, type StoryWorld, tell } from './story-world.ts'

/** What a shop does by itself while nobody answers it, and that it is read before any number is raised (L2, H8). */
describe.skipIf(!hasRealShop(process.env))('a shop that was alone for a while', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const shopConsole = async (...words: string[]): Promise<void> => {
    if (world.shop.commands.console === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_CONSOLE.')
    await world.shop.commands.console(...words)
  }
  const silence = async (): Promise<string | undefined> => {
    const { body } = await world.request('GET', '/v1/shops')
    return (body as { shop: string; silentFrom?: string }[]).find((each) => each.shop === SHOP)?.silentFrom
  }
  const isOver = (): Promise<unknown> => eventually(silence, (from) => from === undefined, 'the silence is over')
  /** What stands in the registration: every installation gives new credentials and a new secret. */
  const registration = async (): Promise<string> => {
    const { rows } = await world.holdfast.database.pool.query<{ record: unknown }>(
      'select record from registration where live',
    )
    return JSON.stringify(rows.map(({ record }) => record))
  }

  test.each([
    { how: 'Holdfast ends in order', leave: () => world.holdfast.stop(), back: () => world.holdfast.start() },
    { how: 'Holdfast is killed', leave: () => world.holdfast.kill(), back: () => world.holdfast.start() },
    {
      how: 'the app is deactivated',
      leave: () => shopConsole('app:deactivate', 'Holdfast'),
      back: () => shopConsole('app:activate', 'Holdfast'),
    },
    { how: 'the app is uninstalled', leave: () => world.uninstall(), back: () => world.install() },
  ])(
    'h, k. $how: what the shop sold and changed meanwhile is found and counted once, and nothing is raised before',
    async ({ how, leave, back }) => {
      const { shop, net } = world
      const name = how.replaceAll(/[^a-z]+/gi, '-').toLowerCase()
      const sold = await world.stocked(`${name}-sold`, 10)
      const edited = await world.stocked(`${name}-edited`, 10)
      const risen = await world.stocked(`${name}-risen`, 10)
      const known = await world.ordered(edited, 2)
      await world.sees(edited, { sellable: 8, reserved: 2 })
      await world.ordersRead()
      const credentials = await registration()

      await leave()
      const alone = await world.ordered(sold, 8)
      tell(how, `the line of the order meanwhile carries ${alone.lines[0]?.payload.holdfastKey ?? 'no stamp'}`)
      await shop.editLine(known.lines[0]?.lineId ?? '', 5)
      expect([await shop.stockOf(sold), await shop.stockOf(edited)]).toEqual([2, 5])
      // Where only the shop is away, the warehouse goes on talking: its numbers wait for the return.
      if (how.startsWith('the app'))
        for (const sku of [sold, edited]) await net.say({ type: 'stock.level.reported', sku, net: 10 })

      const watch = shop.watchStock([sold, edited])
      await back()
      const backMs = performance.now()
      // The warehouse is the first to speak, and knows nothing of what the shop did.
      for (const sku of [sold, edited]) await net.say({ type: 'stock.level.reported', sku, net: 10 })
      await net.say({ type: 'stock.level.reported', sku: risen, net: 20 })
      await world.shows(risen, 20)
      promised(`${how}: a rise is shown after the return in`, performance.now() - backMs, SHOWN_AFTER_SILENCE_MS)
      await world.sees(sold, { sellable: 2, reserved: 8, shortage: 0 })
      await world.sees(edited, { sellable: 5, reserved: 5, shortage: 0 })
      await isOver()
      for (const sku of [sold, edited]) await world.quiet(sku)
      const samples = await watch.stop()
      const shown = (sku: string): readonly unknown[] => [...new Set(samples.map((sample) => sample.stock.get(sku)))]
      tell(how, `shown ${JSON.stringify([shown(sold), shown(edited)])} in ${samples.length} looks`)
      expect([shown(sold), shown(edited)]).toEqual([[2], [5]])

      // In ordinary running again: the shop asks, the last units can be had, and not one more.
      await world.ordered(sold, 2)
      await world.sees(sold, { sellable: 0, reserved: 10, shortage: 0 })
      if (how.includes('uninstalled')) expect(await registration()).not.toBe(credentials)
      else expect(await registration()).toBe(credentials)
      expect((await world.verify()).problems).toEqual([])
      expect(await world.bugs()).toBe(0)
    },
  )
})
