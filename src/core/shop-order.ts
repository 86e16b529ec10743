/** An order as its shop tells it, reduced to what units need: no price, no person, no address. */
import type { Instant, Sku, Units } from './ids.ts'

/** Where an order stands in its shop. Only `cancelled` frees units; what was shipped is the warehouse's word, not the shop's. */
export type OrderState = 'open' | 'in-progress' | 'completed' | 'cancelled' | 'deleted'

export type ShopOrderLine = {
  /** The shop's own id of the line. */
  readonly lineId: string
  /** The stamp that the cart script put into the line, if it came through a cart that we saw. */
  readonly lineKey?: string
  readonly sku: Sku
  readonly units: Units
}

export type ShopOrder = {
  /** The shop's own id of the order. */
  readonly orderId: string
  /** The number that people and the warehouse use. */
  readonly orderNumber: string
  readonly state: OrderState
  /** When the shop says that it was ordered: shown to people, never compared with our clock. */
  readonly orderedAt?: Instant
  /** Every payment that it ever had failed or was cancelled. */
  readonly paymentFailed?: true
  /** Some of its goods have left, as its deliveries say. */
  readonly goodsLeft?: true
  readonly lines: readonly ShopOrderLine[]
}
