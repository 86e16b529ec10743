/** What goes on after the demo's story, gently and without end: people buy, parcels leave, goods come, and now and then one cancels. */
import type { Connector } from './connector.ts'
import type { Random } from './random.ts'
import type { SimulatedShop } from './shopware.ts'
import { basket, outcome, type Scene } from './story.ts'
import type { SimulatedWarehouse } from './warehouse.ts'

/** Everybody who takes part, and how they look at Holdfast. */
export type Everyday = {
  readonly warehouse: SimulatedWarehouse
  readonly shops: readonly SimulatedShop[]
  readonly connector: Connector
  readonly skus: readonly string[]
  readonly random: Random
  /** The quantities of a SKU, each by its own name. */
  readonly stock: (sku: string) => Promise<Readonly<Record<string, number>>>
  /** Waits so many ms, or rejects when the demo is stopped. */
  readonly pause: (ms: number) => Promise<void>
}

/** The pause between two scenes, in ms: slow enough to read along. */
const BREATH_MS = 4_000
/** Units that come at once when a shelf is nearly bare. */
const DELIVERY_UNITS = 8
const BARE_UNITS = 2
const MOST_UNITS_OF_A_BUYER = 3

/** One scene after another; ends only when `pause` rejects, or when nobody asks for the next. */
export async function* goOn({
  warehouse,
  shops,
  connector,
  skus,
  random,
  stock,
  pause,
}: Everyday): AsyncGenerator<Scene> {
  for (;;) {
    const sku = random.pick(skus)
    const shop = random.pick(shops)
    const scene = await sceneOf()
    await warehouse.settled()
    await pause(BREATH_MS)
    if (scene !== undefined) yield { ...scene, numbers: await stock(sku) }

    async function sceneOf(): Promise<Scene | undefined> {
      if (warehouse.truth(sku) <= BARE_UNITS) {
        warehouse.receive(sku, DELIVERY_UNITS)
        return { who: warehouse.name, what: `${DELIVERY_UNITS} ${sku} arrive`, tone: 'calm' }
      }
      if (random.chance(0.35)) return parcels()
      const open = shop.orders().findLast(({ state }) => state === 'open')
      if (open !== undefined && random.chance(0.1)) {
        shop.cancelOrder(open.id)
        connector.step()
        return { who: shop.name, what: `order ${open.orderNumber} is cancelled`, tone: 'odd' }
      }
      if (shop.stockOf(sku) < 1) return { who: shop.name, what: `${sku} is shown as sold out`, tone: 'refused' }
      const units = 1 + random.whole(MOST_UNITS_OF_A_BUYER)
      const answer = await shop.order(basket(shop, sku, units))
      const tone = 'refused' in answer ? 'refused' : 'good'
      return { who: shop.name, what: `a buyer wants ${units} ${sku}: ${outcome(answer)}`, tone }
    }
  }

  /** Everything that is open is bound and sent; a shipped order is completed in its shop, so that no look finds it again. */
  function parcels(): Scene | undefined {
    connector.step()
    let sent = 0
    for (const shop of shops) {
      for (const { id, orderNumber, state, lines } of shop.orders()) {
        if (state !== 'open') continue
        // An order whose goods are not all there waits, as a whole.
        if (lines.some(({ payload, units }) => warehouse.truth(String(payload.productNumber)) < units)) continue
        warehouse.allocate(shop.name, orderNumber)
        warehouse.ship(shop.name, orderNumber)
        shop.shipDelivery(id)
        shop.advanceOrder(id, 'completed')
        sent++
      }
    }
    return sent === 0 ? undefined : { who: warehouse.name, what: `parcels leave: ${sent}`, tone: 'calm' }
  }
}
