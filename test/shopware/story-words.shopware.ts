import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRealShop } from './shop-environment.ts'
import type { Message } from './story-warehouse.ts'
import { openStory, SHOP, type StoryWorld, tell } from './story-world.ts'

/** The words of a warehouse about two orders of one unit each, with its figures, in the order in which it says them. */
const WORDS = {
  // Falls already when the warehouse allocates.
  net: (sku: string, orders: readonly string[]): Message[] => [
    ...orders.flatMap((order, nth) => [
      said('allocated', sku, order),
      { type: 'stock.level.reported', sku, net: 9 - nth },
    ]),
    ...orders.flatMap((order) => [said('shipped', sku, order), { type: 'stock.level.reported', sku, net: 8 }]),
  ],
  // Falls when goods leave; what is allocated to our own orders is no part of it.
  gross: (sku: string, orders: readonly string[]): Message[] => [
    ...orders.map((order) => said('allocated', sku, order)),
    { type: 'stock.level.reported', sku, onHand: 10, allocated: 0 },
    ...orders.flatMap((order, nth) => [
      said('shipped', sku, order),
      { type: 'stock.level.reported', sku, onHand: 9 - nth, allocated: 0 },
    ]),
  ],
}

const said = (says: string, sku: string, order: string): Message => ({
  type: `order.${says}`,
  shop: SHOP,
  order,
  lines: [{ sku, units: 1 }],
})

/** L1 and L6 on a real shop: a unit is counted once, in whatever order the warehouse's words come, and no number is ever too high. */
describe.skipIf(!hasRealShop(process.env))('the words of a warehouse about two orders', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  test.each([
    { semantics: 'net', order: 'in order' },
    { semantics: 'net', order: 'reversed' },
    { semantics: 'gross', order: 'in order' },
    { semantics: 'gross', order: 'reversed' },
  ] as const)('d. from a $semantics source, $order, count each unit once', async ({ semantics, order }) => {
    const { shop } = world
    const source = world[semantics]
    const sku = shop.sku(`${semantics}-${order.replace(' ', '-')}`)
    await shop.createProduct({ sku, stock: 0, closeOut: true })
    const ten = semantics === 'net' ? { net: 10 } : { onHand: 10, allocated: 0 }
    await source.say({ type: 'stock.level.reported', sku, ...ten })
    await world.shows(sku, 10)
    const orders = [await world.ordered(sku, 1), await world.ordered(sku, 1)]
    await world.ordersRead()
    await world.sees(sku, { sellable: 8, reserved: 2 })
    const words = WORDS[semantics](
      sku,
      orders.map(({ orderNumber }) => orderNumber),
    ).map(source.stamped)

    const watch = shop.watchStock([sku], 50)
    const sellable = watchSellable(sku)
    for (const word of order === 'reversed' ? words.toReversed() : words) {
      await source.send(word)
      // Whatever follows from a word is done before the next one: a number that was too high in between would be seen.
      await world.quiet(sku)
    }
    await world.sees(sku, { sellable: 8, reserved: 0, shortage: 0 })
    await world.quiet(sku)
    const [shown, promised] = [(await watch.stop()).map((sample) => sample.stock.get(sku)), await sellable.stop()]
    tell(
      `${semantics}, ${order}`,
      `sellable ${[...new Set(promised)].join(', ')}; shown ${[...new Set(shown)].join(', ')}`,
    )
    expect(Math.max(...promised)).toBe(8)
    expect(Math.max(...shown.map((units) => units ?? Number.NaN))).toBe(8)
    expect([promised.at(-1), shown.at(-1)]).toEqual([8, 8])
  })

  test('everything that is known follows from the ledger, and nobody was alarmed', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
    expect(await world.incidents()).toEqual([])
  })

  /** What Holdfast calls sellable, again and again. */
  function watchSellable(sku: string): { readonly stop: () => Promise<readonly number[]> } {
    const seen: number[] = []
    let stopped = false
    const look = async (): Promise<void> => {
      const { sellable } = await world.view(sku)
      seen.push(sellable ?? Number.NaN)
    }
    const running = (async () => {
      while (!stopped) {
        await look()
        await new Promise((again) => setTimeout(again, 50))
      }
    })()
    running.catch(() => undefined) // Thrown again by `stop`.
    return {
      async stop() {
        stopped = true
        await running
        await look()
        return seen
      },
    }
  }
})
