/**
 * What a warehouse says, once it has been parsed: facts in the core's own words, free of any dialect.
 * Each word carries its stamp, because only the order in which the warehouse itself says things can prove inclusion (law L1).
 */
import type { Day, Instant, ShopId, Sku, Units, WarehouseId } from './ids.ts'

/**
 * Where a word stands in its source's own order. Words of one source compare by epoch, then sequence, then `asOf`;
 * a word with neither sequence nor `asOf` comes from an unordered source and proves nothing about order.
 */
export type Stamp = {
  /** Counts the restarts of the WMS: 0 unless the source says otherwise. Nothing is proved across epochs. */
  readonly epoch: number
  /** One ascending counter of the WMS over figures and order words. */
  readonly sequence?: number
  /** The WMS's own clock. */
  readonly asOf?: Instant
}

/** One statement about one SKU in one warehouse; all its parts come from one message. */
export type FigureWord = {
  readonly kind: 'figure'
  readonly sku: Sku
  readonly warehouse: WarehouseId
  readonly stamp: Stamp
  /** Net units: already without what the warehouse has allocated. Given by net sources. */
  readonly net?: Units
  /** Physical units, blocked ones included. Given by gross sources. */
  readonly onHand?: Units
  readonly blocked?: Units
  /** Net source: what the warehouse has allocated. Gross source: what it has allocated to orders that are not ours. */
  readonly allocated?: Units
  /** Announced units without a day: shown, never a supply. */
  readonly incoming?: Units
  /** `false` is a veto; `true` only the absence of one. */
  readonly backorderAllowed?: boolean
}

/** What the warehouse says about units of one order line. */
export type OrderLineWord = {
  readonly kind: 'order-line'
  readonly says: 'acknowledged' | 'allocated' | 'deallocated' | 'picked' | 'shipped' | 'short' | 'cancelled'
  /** The shop, where the WMS names it; otherwise the order number must be unique over all shops. */
  readonly shop?: ShopId
  /** The shop's order number, as the merchant's connector hands it to the WMS. */
  readonly order: string
  /** The shop's order line id, where the WMS keeps it; otherwise the lines of that SKU are meant, oldest first. */
  readonly line?: string
  readonly sku: Sku
  readonly units: Units
  readonly warehouse: WarehouseId
  readonly stamp: Stamp
}

/** Why a figure moves, told beside the figure. It changes no balance; it explains a rise (L1, L4). */
export type MovementWord = {
  readonly kind: 'movement'
  readonly why: 'receipt' | 'return' | 'transfer-out' | 'transfer-in' | 'count' | 'adjustment'
  readonly sku: Sku
  readonly warehouse: WarehouseId
  /** Signed: units that the figure of this warehouse gains (+) or loses (−). */
  readonly change: number
  readonly stamp: Stamp
  /** For a receipt: the purchase-order line that it serves; for a transfer: its number. */
  readonly purchaseOrder?: string
  readonly line?: string
}

/** One line of a purchase order, or a transfer under way, as the warehouse expects it. Absolute: the newest statement counts. */
export type InboundWord = {
  readonly kind: 'inbound'
  readonly purchaseOrder: string
  readonly line: string
  readonly sku: Sku
  readonly warehouse: WarehouseId
  readonly supplier?: string
  readonly ordered: Units
  readonly received: Units
  /** Of what was received, units that are not sellable. */
  readonly blocked?: Units
  /** Units that came and were not taken in: they will never be on hand, and nobody waits for them any more. */
  readonly rejected?: Units
  readonly confirmed: boolean
  /** The expected day; absent when unknown. */
  readonly eta?: Day
  readonly cancelled: boolean
  readonly stamp: Stamp
}

/** One of our orders that the warehouse holds open at the moment of a snapshot. */
export type OpenOrder = {
  readonly shop?: ShopId
  readonly order: string
  readonly line?: string
  readonly sku: Sku
  /** Units of it that the warehouse still has to ship. */
  readonly units: Units
  /** Of these, units that it has allocated. */
  readonly allocated: Units
  /** Units of it that have left the warehouse so far; in a list that tells what has left. */
  readonly shipped?: Units
}

/** The orders that a warehouse holds open; the figures beside it in the same message are as old as this list (proof 2 of L1). */
export type OpenOrdersWord = {
  readonly kind: 'open-orders'
  readonly warehouse: WarehouseId
  /** The list speaks for these SKUs only; absent: for every SKU of the warehouse. */
  readonly skus?: readonly Sku[]
  readonly orders: readonly OpenOrder[]
  /**
   * The list names each order that the warehouse knows, what has left of it too. Then nothing is concluded from absence: what is
   * neither open nor shipped was given up.
   */
  readonly tellsShipped?: boolean
  readonly stamp: Stamp
}

export type Word = FigureWord | OrderLineWord | MovementWord | InboundWord | OpenOrdersWord

/** The orders of which a word must be compared with everything that is known, what has ended too. */
export function ordersToldWhole(word: Word): readonly string[] {
  if (word.kind === 'order-line') return [word.order]
  return word.kind === 'open-orders' && word.tellsShipped ? word.orders.map(({ order }) => order) : []
}
