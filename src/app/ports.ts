/** What the use cases need from the outside, declared here by the side that needs it; adapters and twins fill it. */
import type { Instant, Sku, Units } from '../core/ids.ts'
import type { SecondGuard } from '../core/second-guard.ts'
import type { ShopOrder } from '../core/shop-order.ts'

/** An order as read, with the shop's own time of change where it has one: equal orders with other times were touched between. */
export type ReadOrder = ShopOrder & { readonly changedAt?: Instant }

/** One page of orders with the highest running number that it held, `0` for an empty one. */
export type OrderPage = { readonly orders: readonly ReadOrder[]; readonly highestNumber: number }

/** What a shop shows for one product at the moment of reading. */
export type ShownProduct = {
  readonly productId: string
  readonly sku: Sku
  /** `product.stock`: what the shop would still sell. May be negative. */
  readonly units: number
  readonly closeOut: boolean
  /** What its guard says to the cart script; nothing where it was never guarded. */
  readonly guard?: Partial<SecondGuard>
  /** The revision that our last write left in `holdfast_revision`, if any. */
  readonly revision?: string
  /** What the merchant set, where the shop tells it apart: `null` where a variant takes its parent's. */
  readonly merchantSettings?: { readonly closeOut: boolean | null }
}

/** What to write of one product. */
export type StockWrite = {
  readonly productId: string
  readonly sku: Sku
  /** The absolute number. */
  readonly units: Units
  /** Else the number is right as it is, and is left out: written again, it would undo an order of the shop's own in between. */
  readonly setsUnits: boolean
  readonly closeOut: boolean
  readonly guard: SecondGuard
  /** Marks the write as ours; read back on the echo. */
  readonly revision: string
}

/** What became of one write: written, refused for a reason that will not go away by itself, or unknown (read before you go on). */
export type WriteOutcome =
  | { readonly sku: Sku; readonly outcome: 'written' }
  | { readonly sku: Sku; readonly outcome: 'refused'; readonly reason: string }
  | { readonly sku: Sku; readonly outcome: 'unknown'; readonly reason: string }

/**
 * One connected shop, as the readers and the publisher see it. Every call may throw a `Failure` with `retry: 'later' | 'never'`.
 * An association that is missing from an answer is a failure, never an empty list.
 */
export interface Shop {
  /** The highest running number of any order, 0 when there is none. */
  highestNumber(): Promise<number>
  /** Orders with a running number above `number`, in ascending order, one page; empty when there are none. Needs no clock. */
  ordersAfter(number: number): Promise<OrderPage>
  /** Orders of which anything (the order, its lines, payments or deliveries) changed at or after `since` on the shop's clock. */
  ordersChangedSince(since: Instant, page: number): Promise<OrderPage>
  /** Orders that are neither completed nor cancelled, one page, by ascending running number. */
  openOrdersAfter(number: number): Promise<OrderPage>
  /** The orders of these ids that still exist; one that does not is gone. At most 100 ids. */
  ordersById(orderIds: readonly string[]): Promise<readonly ReadOrder[]>
  /** What the shop shows for these SKUs; SKUs that it does not know are missing from the answer. At most 500. */
  shown(skus: readonly Sku[]): Promise<readonly ShownProduct[]>
  /** Sets absolute values in one request of at most 250 rows; one bad row is singled out, its neighbours are written. */
  write(rows: readonly StockWrite[]): Promise<readonly WriteOutcome[]>
  /** The shop's clock, from an answer's `Date` header. */
  clock(): Promise<Instant>
  /** Where the shop lets us act on its orders. */
  readonly acts?: ShopActs
  /** Where the shop lets us keep our place in it in order. */
  readonly care?: ShopCare
}

/** What became of an act on an order: done (or it was so already), or refused for a reason that will not go away by itself. */
export type ActOutcome = { readonly done: true } | { readonly done: false; readonly reason: string }

/** What we do to a shop's orders, each only where a policy of the merchant asks for it. Every call may throw a `Failure`. */
export interface ShopActs {
  /** Cancels an order. Never to be repeated blindly: a second cancel takes the shop's stock again (H31). */
  cancelOrder(orderId: string): Promise<ActOutcome>
}

/** A webhook of ours, as the shop has it. */
export type Hook = {
  readonly id: string
  readonly name: string
  readonly isActive: boolean
  /** Deliveries that the shop gave up since the last good one. */
  readonly failures: number
}

/** What deliveries that never arrived would have told. */
export type LostNews = {
  readonly deliveries: number
  readonly orders: number
  readonly productIds: readonly string[]
  /** Those whose stock was certainly not written by us. */
  readonly byOthers: readonly string[]
}

/** A product and the setting that its merchant gets back; `null`: as its parent. */
export type GiveBack = { readonly productId: string; readonly sku: Sku; readonly closeOut: boolean | null }

/** What keeps our place in a shop in order. Every call may throw a `Failure`. */
export interface ShopCare {
  /** The webhooks that lead to us. */
  webhooks(): Promise<readonly Hook[]>
  switchOn(webhookId: string): Promise<void>
  /** Deliveries since a moment on the shop's clock that failed or still wait; at most 500, the youngest. */
  lostSince(since: Instant): Promise<LostNews>
  /** Both addresses, where the shop's own differs from the one under which the app was installed. */
  movedUrl(): Promise<{ readonly was: string; readonly is: string } | undefined>
  /** Clears the cache of pages that were made without, or with, the app. */
  clearCache(): Promise<void>
  /** Gives merchants their own settings back and takes our mark away. At most 250 rows. */
  giveBack(rows: readonly GiveBack[]): Promise<readonly WriteOutcome[]>
}
