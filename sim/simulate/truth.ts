/**
 * What is true outside, and what follows from it: how many units lie on shelves for our customers, how many customers hold by an
 * order, and so what every shop ought to show. It knows nothing of how Holdfast counts.
 */

import type { ChannelOrder } from './channel.ts'
import type { Shape } from './shape.ts'
import type { SimulatedShop } from './shop.ts'
import type { SimulatedSource } from './supply.ts'

export type Outside = {
  readonly shape: Shape
  readonly shops: readonly SimulatedShop[]
  readonly sources: readonly SimulatedSource[]
  readonly channelOrders: () => Iterable<ChannelOrder>
}

/** Units of an order line that have truly left. */
export const shippedOf = ({ sources }: Pick<Outside, 'sources'>, line: string): number =>
  sources.reduce((sum, source) => sum + source.shipped(line), 0)

/** Units that customers hold by an order and that have not left yet. */
export function owed(outside: Outside, sku: string): number {
  let units = 0
  for (const { world } of outside.shops) {
    for (const { state, lines } of world.orders.values()) {
      if (state === 'cancelled') continue
      for (const line of lines) {
        if (line.payload.productNumber !== sku) continue
        units += Math.max(0, line.units - shippedOf(outside, line.id))
      }
    }
  }
  for (const { state, lines } of outside.channelOrders()) {
    if (state === 'cancelled') continue
    for (const line of lines) if (line.sku === sku) units += Math.max(0, line.units - shippedOf(outside, line.line))
  }
  return units
}

/** Units on shelves that our customers may have. */
export const onShelves = ({ sources }: Pick<Outside, 'sources'>, sku: string): number =>
  sources.reduce((sum, source) => sum + source.sellable(sku), 0)

/** What a shop ought to show when everything is known and nothing is under way. */
export function oughtToShow(outside: Outside, shop: SimulatedShop, sku: string): number {
  const { rules } = outside.shape
  const mine = rules.shops.get(shop.id)
  if (!mine) return 0
  const warehouses = [...rules.warehouses.values()]
  const safety = warehouses.reduce((sum, { safetyUnits }) => sum + safetyUnits, 0) + mine.safetyUnits
  const free = onShelves(outside, sku) - owed(outside, sku) - safety
  const quota = mine.quotaUnits === undefined ? Number.POSITIVE_INFINITY : mine.quotaUnits - owedBy(outside, shop, sku)
  const sellable = Math.max(0, Math.min(free, quota))
  if (mine.whenSilent === 'shared') return sellable
  const sharing = [...rules.shops.values()].filter(({ kind }) => kind === 'shopware')
  const place = sharing.findIndex((each) => each.shop === shop.id)
  return Math.floor(sellable / sharing.length) + (place < sellable % sharing.length ? 1 : 0)
}

/** Units of a shop's orders that are not known to be gone: where nobody says "shipped", an order is open until it is completed. */
function owedBy(outside: Outside, shop: SimulatedShop, sku: string): number {
  const mine = { ...outside, shops: [shop], channelOrders: () => [] }
  if (outside.shape.sources.every(({ dialect }) => dialect !== 'flat')) return owed(mine, sku)
  let units = 0
  for (const { state, lines } of shop.world.orders.values()) {
    if (state === 'cancelled' || state === 'completed') continue
    for (const line of lines) if (line.payload.productNumber === sku) units += line.units
  }
  return units
}
