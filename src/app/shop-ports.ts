/** What the shop side keeps between its rounds. Filled by `adapters/postgres/shop-store.ts` and `publication-store.ts`. */
import type { ForeignPolicy, ForeignWrite, Guard } from '../core/foreign-write.ts'
import type { Instant, ShopId, Sku, Units } from '../core/ids.ts'
import type { OnItsWay } from '../core/publication.ts'
import type { GiveBack } from './ports.ts'

export type ShopState = 'awaited' | 'registered' | 'connected' | 'inactive' | 'releasing' | 'gone' | 'retired'

/** A shop as the readers, the gateway and the publisher see it. Absent silence: ordinary running. */
export type ShopStatus = {
  readonly shop: ShopId
  readonly state: ShopState
  /** When it last came: the app was installed, installed again or activated. */
  readonly registeredAt?: Instant | undefined
  readonly baselineAt: Instant | undefined
  /** Since when we may have missed something (L2). */
  readonly silentFrom: Instant | undefined
  /** Since when we are back; absent while an order is known to have passed us by and no call has come since. */
  readonly returnedAt: Instant | undefined
  readonly readSinceReturn: boolean
  readonly watermark: Instant | undefined
  /** Pages are cached there from before the app was installed. */
  readonly pagesAreOld?: boolean
}

/** The first stage of a silence: no complete read of the shop has begun since we are back. */
export const isUnread = (status: ShopStatus): boolean => status.silentFrom !== undefined && !status.readSinceReturn

/** How far the reader of orders has come. */
export type OrderTrail = {
  /** When the baseline of the shop was complete; absent before. Kept with the shop, not with the trail. */
  readonly baselineAt?: Instant | undefined
  /** Highest order numbers known at earlier reads, oldest first: a read goes back by `orderInFlight`. */
  readonly known: readonly { readonly at: Instant; readonly number: number }[]
  /** The shop's own clock when the last complete read began. */
  readonly shopClock: Instant | undefined
}

export interface ShopBook {
  now(): Promise<Instant>
  all(): Promise<readonly ShopStatus[]>
  setState(shop: ShopId, state: ShopState): Promise<unknown>
  pagesCleared(shop: ShopId): Promise<unknown>
  /** Every product has its own setting back: the shop is gone, and the ledger tells of it. Only a shop that is being released. */
  released(shop: ShopId): Promise<void>
  /** A confirmed registration: the shop waits for its baseline, unless it had one and only came back. */
  registered(shop: ShopId): Promise<unknown>
  /** The baseline is read: from now on the shop is published, and every known SKU is due. */
  connected(shop: ShopId): Promise<void>
  trail(shop: ShopId): Promise<OrderTrail>
  /** Moves the watermark on; it never goes back. `moment` absent: only the trail is kept. */
  moveWatermark(shop: ShopId, trail: OrderTrail, moment: Instant | undefined): Promise<unknown>
  silence(shop: ShopId, from: Instant): Promise<unknown>
  /** An order came through a cart and found no hold: the shop sells without us, unless a silence that we know of explains it. */
  silenceByOrder(shop: ShopId): Promise<unknown>
  returned(shop: ShopId): Promise<unknown>
  /** A complete read that began then is done: ends the first stage of a silence, and both once the watermark has passed. */
  readDone(shop: ShopId, startedAt: Instant): Promise<unknown>
  /** Counts a shop as back that has not called since its silence was noticed so long ago. */
  assumeReturned(afterMs: number): Promise<unknown>
  /** Gives a sign of life. Returns the last one of any process if it was too long ago: since then shops went on by themselves. */
  heartbeat(me: string): Promise<Instant | undefined>
  /** The last sign of life of any process. */
  lastHeartbeat(): Promise<Instant | undefined>
  /** The process ends in order. */
  farewell(me: string): Promise<unknown>
  dueHolds(
    limit: number,
  ): Promise<readonly { readonly shop: ShopId; readonly sku: string; readonly watermark: Instant | undefined }[]>
  dueRises(limit: number): Promise<readonly string[]>
  /** Since when these orders are unpaid; from now on where that is news. */
  unpaidSince(shop: ShopId, orderIds: readonly string[]): Promise<ReadonlyMap<string, Instant>>
  /** They are unpaid no more: paid after all, cancelled or gone. */
  notUnpaid(shop: ShopId, orderIds: readonly string[]): Promise<unknown>
  /** Unpaid orders whose grace is over and that have not been dealt with, oldest first. */
  dueUnpaid(shop: ShopId, afterMs: number, limit: number): Promise<readonly string[]>
  /** What follows from their failed payment is done: they are looked at no more, as long as they stay unpaid. */
  dealtWith(shop: ShopId, orderIds: readonly string[]): Promise<unknown>
  /** Ids of open orders that we count, in order, after one of them. */
  openOrderIds(shop: ShopId, after: string, limit: number): Promise<readonly string[]>
}

/** A claimed mark. `renewed` tells at the end whether it was renewed meanwhile. */
export type DirtyMark = {
  readonly sku: Sku
  readonly skuId: number
  readonly renewed: number
  readonly attempts: number
  /** When we last wrote this number, if ever: each write is looked at once more. */
  readonly writtenAt?: Instant
  /** What the shop showed after the last look; absent before the first one. */
  readonly before?: {
    readonly units: number
    readonly seenAt: Instant
    readonly revision?: string
    /** When an order with this SKU was last read as new, changed or gone. */
    readonly touchedAt?: Instant
  }
  readonly guard?: Guard
  /** The shop refused this number then. */
  readonly refused?: Refused
  /** What the merchant had set is kept already. */
  readonly settingsKept?: boolean
}

/** A number that a shop refused. */
export type Refused = {
  readonly units: Units
  /** When; absent once the product was written since, which may have mended it. */
  readonly at?: Instant
}

/** What became of a claimed mark: nothing more to do, look again at a moment, or tried in vain. */
export type MarkOutcome = {
  readonly mark: DirtyMark
  readonly lookAgainAt: Instant | undefined
  readonly failed: boolean
}

/** What was seen, and perhaps written, of one SKU in one shop. */
export type SeenRow = {
  readonly skuId: number
  readonly productId: string | null
  readonly seenUnits: number | null
  /** What it shows after the pass, as far as we know. */
  readonly shownUnits: number | null
  readonly written?: { readonly units: number; readonly version: number; readonly revision: string }
  /** The shop refused it now, or did before and was not asked again. Absent: nothing is refused any more. */
  readonly refused?: { readonly units: Units; readonly reason: string } | 'as before'
}

/** What a merchant had set for a product before our first write; `null` where a variant takes its parent's. */
export type MerchantSettings = { readonly skuId: number; readonly productId: string; readonly closeOut: boolean | null }

/** What is remembered about others' writes of one number, and one of them to be recorded. */
export type GuardRow = {
  readonly skuId: number
  readonly sku: Sku
  /** The webhook that was taken into account: a later one stays. */
  readonly toldAt: Instant | undefined
  readonly guard: Guard | undefined
  readonly found?: ForeignWrite & { readonly policy: ForeignPolicy; readonly configuration: number }
}

/** What people are told about a shop: once while it lasts. */
export type ShopIncident = {
  readonly code:
    | 'SHOP_UNREAD'
    | 'ORDER_UNUSABLE'
    | 'FOREIGN_WRITE'
    | 'FIGHT'
    | 'PUBLICATION_REFUSED'
    | 'WEBHOOK_SWITCHED_OFF'
    | 'APP_URL_CHANGED'
    | 'ORDER_NOT_CANCELLED'
  readonly key: string
  readonly shop: ShopId
  readonly sku?: Sku
  readonly cause: string
}

/** What the shop may have moved itself, or not yet, and when the youngest order that takes or gives back was read. */
export type OwnUnits = OnItsWay & { readonly recentOrderAt: Instant | undefined }

/** A number that is about to be raised to so many units. */
export type Announced = { readonly skuId: number; readonly units: Units }

export interface PublicationBook {
  claim(shop: ShopId, limit: number): Promise<readonly DirtyMark[]>
  settle(shop: ShopId, outcomes: readonly MarkOutcome[]): Promise<void>
  /** What the shop's own attempts and orders may still do to its numbers (L6); a SKU without any is absent. */
  own(shop: ShopId, skuIds: readonly number[], withinMs: number): Promise<ReadonlyMap<number, OwnUnits>>
  remember(shop: ShopId, rows: readonly SeenRow[]): Promise<void>
  /**
   * Before numbers are raised: from now on the shop may show as much, whether or not we live to see it written. What an unread shop
   * may sell is counted by it.
   */
  announce(shop: ShopId, rows: readonly Announced[]): Promise<unknown>
  /** Keeps what the merchant had set, before we write for the first time. */
  keepSettings(shop: ShopId, rows: readonly MerchantSettings[]): Promise<unknown>
  /** Products whose merchants get their setting back. */
  toGiveBack(shop: ShopId, limit: number): Promise<readonly (GiveBack & { readonly skuId: number })[]>
  /** They have it: what was kept and written of them is forgotten, so that a later installation begins anew. */
  gaveBack(shop: ShopId, skuIds: readonly number[]): Promise<unknown>
  leftToGiveBack(shop: ShopId): Promise<number>
  /** Keeps what is remembered about others' writes, and records those that were found, in one act. */
  keepGuards(shop: ShopId, rows: readonly GuardRow[]): Promise<unknown>
  /** Marks products that somebody wrote; `byOthers` are those whose stock was certainly not written by us. */
  markProducts(shop: ShopId, productIds: readonly string[], byOthers?: readonly string[]): Promise<unknown>
  /** Marks SKUs of which the shop may have moved its own number. */
  markSkus(shop: ShopId, skus: readonly Sku[]): Promise<unknown>
  /** Marks products that the mapping makes of other SKUs; known from now on where they were not. */
  markProductsOf(shop: ShopId, products: readonly Sku[]): Promise<unknown>
  idsOf(skus: readonly Sku[]): Promise<ReadonlyMap<Sku, number>>
  markAll(shops: readonly ShopId[]): Promise<unknown>
  markStale(shop: ShopId, olderThanSeconds: number, limit: number): Promise<unknown>
  /** What the shop showed when it was last looked at or written, by SKU; only what was looked at since then, where a moment is given. */
  lastShown(shop: ShopId, lookedAtSince?: Instant): Promise<ReadonlyMap<Sku, number>>
}
