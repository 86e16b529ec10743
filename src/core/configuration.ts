/** What people decide, as data: one value, versioned as a whole; every decision names the version that it used. */
import type { Caps } from './cap.ts'
import type { ForeignPolicy } from './foreign-write.ts'
import type { Instant, ShopId, Sku, SourceId, Units, WarehouseId } from './ids.ts'
import type { Pack } from './pack.ts'
import type { PromiseRules } from './promise-rule.ts'
import type { PaymentFailed } from './unpaid.ts'

/** How one source speaks. See design, "figure". */
export type SourceRules = {
  readonly source: SourceId
  /** `net` falls already when the warehouse allocates, `gross` when goods leave. */
  readonly semantics: 'net' | 'gross'
  /** The source allocates in the same act in which it acknowledges, so that an acknowledgement is a mark. */
  readonly allocatesOnAcknowledge: boolean
  /** For a source without order words: it knows an order at most this long after we do (proof 5 of L1, "by margin"). */
  readonly knowsOrdersWithinMs?: number
  /** We ask it, one pull after another, and its sequence is the number of the pull. */
  readonly isPulled?: boolean
  /** It tells of goods that came at most this long after its figure has risen by them; a rise without a word is none from then on. */
  readonly tellsReceiptsWithinMs?: number
}

export type WarehouseRules = {
  readonly warehouse: WarehouseId
  readonly source: SourceId
  /** IANA zone in which its days are counted. */
  readonly zone: string
  /** Units kept from sale, for every SKU unless `safetyBySku` names it. */
  readonly safetyUnits: Units
  readonly safetyBySku: ReadonlyMap<Sku, Units>
}

export type ShopRules = {
  readonly shop: ShopId
  /** `shopware`: lowers its own stock and is read; `channel`: a marketplace, till or ERP that speaks our HTTP API only. */
  readonly kind: 'shopware' | 'channel'
  /** Warehouses that may serve it, first choice first. */
  readonly warehouses: readonly WarehouseId[]
  readonly zone: string
  readonly safetyUnits: Units
  readonly safetyBySku: ReadonlyMap<Sku, Units>
  /** Largest number of open units (held to picked) of one SKU; absent: no quota. */
  readonly quotaUnits?: Units
  readonly quotaBySku: ReadonlyMap<Sku, Units>
  /** How long an order may be under way between our yes and its becoming readable. */
  readonly orderInFlightMs: number
  readonly doubleSubmitWindowMs: number
  /** The answer of the gateway when it cannot decide in time: `block` for SKUs last shown with fewer than `undecidedBelowUnits`. */
  readonly whenUndecided: 'block' | 'allow'
  readonly undecidedBelowUnits: Units
  /** What several shops over one pool show: all of it (`shared`), or parts that add up to no more than it (`split`). */
  readonly whenSilent: 'shared' | 'split'
  /** What follows when somebody else writes a number in the shop; `restore` if absent. */
  readonly foreignWrites?: ForeignPolicy
  /** Whether the shop registers once it is listed, or for the first time only by an operator's invitation; listed if absent. */
  readonly admission?: 'listed' | 'invited'
  /** Products that are not what their number says, by that number. */
  readonly skuMapping?: ReadonlyMap<Sku, Pack>
  /** Whether units are held at the order call alone, or from the confirm page on for so long; at the order if absent. */
  readonly confirmHoldMs?: number
  /** Orders that people place in the administration: decided as any other, or let through as facts; decided if absent. */
  readonly adminOrders?: 'hold' | 'allow'
  /** The most that one buyer may have open; absent: as much as there is. */
  readonly caps?: Caps
  /** What follows when every payment of an order has failed; `cancel` if absent. */
  readonly paymentFailed?: PaymentFailed
  /** How long after that; half an hour if absent. */
  readonly paymentFailedAfterMs?: number
  /** Orders that the shop already had when it was connected: the warehouse knows those from before this moment. */
  readonly warehouseKnowsOrdersBefore?: Instant
}

export type Configuration = {
  readonly version: number
  readonly sources: ReadonlyMap<SourceId, SourceRules>
  readonly warehouses: ReadonlyMap<WarehouseId, WarehouseRules>
  readonly shops: ReadonlyMap<ShopId, ShopRules>
  /** What may be promised beyond what is on hand; absent: nothing. */
  readonly promises?: PromiseRules
}

/** Units that nobody may promise from this warehouse. */
export const safetyOfWarehouse = (rules: Configuration, warehouse: WarehouseId, sku: Sku): Units => {
  const found = rules.warehouses.get(warehouse)
  return found?.safetyBySku.get(sku) ?? found?.safetyUnits ?? 0
}

/** Units that this shop may not promise. */
export const safetyOfShop = (rules: Configuration, shop: ShopId, sku: Sku): Units => {
  const found = rules.shops.get(shop)
  return found?.safetyBySku.get(sku) ?? found?.safetyUnits ?? 0
}

/** The quota of a shop for a SKU, or `undefined` for none. */
export const quotaOf = (rules: Configuration, shop: ShopId, sku: Sku): Units | undefined => {
  const found = rules.shops.get(shop)
  return found?.quotaBySku.get(sku) ?? found?.quotaUnits
}

/** The warehouses that may serve a shop, first choice first; none for a shop that is not configured. */
export const warehousesOf = (rules: Configuration, shop: ShopId): readonly WarehouseId[] =>
  rules.shops.get(shop)?.warehouses ?? []

/** The rules of the source that a warehouse belongs to. */
export function sourceOfWarehouse(rules: Configuration, warehouse: WarehouseId): SourceRules | undefined {
  const found = rules.warehouses.get(warehouse)
  return found && rules.sources.get(found.source)
}
