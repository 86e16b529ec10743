/**
 * The merchant's existing connector, as small as it can be: it looks at the shops' orders from time to time and hands new ones
 * and cancellations to the warehouse. Holdfast does not do this, and must live with its delay.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SimulatedShop } from './shopware.ts'
import type { SimulatedWarehouse } from './warehouse.ts'

/** What one look found. */
export type Handed = { readonly what: 'order' | 'cancellation'; readonly shop: string; readonly orderNumber: string }

/** A connector between shops and one warehouse. */
export interface Connector {
  /** Looks once and hands over what is new, acknowledging each order. */
  step(): readonly Handed[]
  /** Looks every so many ms until the signal; never rejects because of it. */
  run(everyMs: number, stop: AbortSignal): Promise<void>
}

/** Knows what it has handed over; a new connector begins anew, and the warehouse takes an order only once. */
export function connector(shops: readonly SimulatedShop[], warehouse: SimulatedWarehouse): Connector {
  const handed = new Map<string, 'order' | 'cancellation'>()
  const step = (): readonly Handed[] =>
    shops.flatMap((shop) =>
      shop.orders().flatMap((order): Handed[] => {
        const key = `${shop.name}/${order.orderNumber}`
        const before = handed.get(key)
        const { orderNumber } = order
        if (order.state === 'cancelled') {
          handed.set(key, 'cancellation')
          if (before !== 'order') return []
          warehouse.cancel(shop.name, orderNumber)
          return [{ what: 'cancellation', shop: shop.name, orderNumber }]
        }
        if (before !== undefined) return []
        handed.set(key, 'order')
        warehouse.importOrder({
          shop: shop.name,
          orderNumber,
          lines: order.lines.map(({ id, productId, payload, units }) => ({
            line: id,
            sku: typeof payload.productNumber === 'string' ? payload.productNumber : productId,
            units,
          })),
        })
        warehouse.acknowledge(shop.name, orderNumber)
        return [{ what: 'order', shop: shop.name, orderNumber }]
      }),
    )
  return {
    step,
    async run(everyMs, stop) {
      while (!stop.aborted) {
        step()
        await delay(everyMs, undefined, { signal: stop }).catch(() => undefined)
      }
    },
  }
}
