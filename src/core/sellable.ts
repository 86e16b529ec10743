/** L3, Sellable: what may still be promised of a SKU in a shop. The only place where these sums are made. */
import { type Configuration, quotaOf, safetyOfShop, safetyOfWarehouse, warehousesOf } from './configuration.ts'
import type { Instant, ShopId, Units, WarehouseId } from './ids.ts'
import { backOrderable, type LineOffer } from './offer.ts'
import type { SkuState } from './stock.ts'

/** One warehouse's part of what a shop may sell. The three subtrahends add up to what `termUnits` lacks of the figure. */
export type WarehouseTerm = {
  readonly warehouse: WarehouseId
  readonly figureUnits: number
  /** Ours, and not yet in the figure. */
  readonly peggedUnits: Units
  /** An unexplained rise, not believed yet. */
  readonly chargedUnits: Units
  readonly safetyUnits: Units
  /** May be negative: those very units may be leaving. */
  readonly termUnits: number
}

/** Every quantity by its own name; `tracked` is false while no allowed warehouse has said a word. */
export type Availability = {
  readonly tracked: boolean
  readonly terms: readonly WarehouseTerm[]
  /** Open shortages, of any shop, that the same warehouses could serve. */
  readonly shortageUnits: Units
  readonly shopSafetyUnits: Units
  /** What other shops over these warehouses last showed and may have sold in silence: they have not been read since (L2). */
  readonly unreadUnits: Units
  /** May be negative; shown to shops as at least 0. */
  readonly availableUnits: number
  /** What may be sold beyond it, against inbound lines. */
  readonly backOrderableUnits: Units
  /** Each inbound line of its warehouses, the earliest arrival first, with what it offers or why not; none where nothing is sold ahead. */
  readonly lines: readonly LineOffer[]
  readonly openUnits: Units
  readonly quotaUnits: Units | undefined
  /** What a hold may take. */
  readonly sellableUnits: Units
}

/** Units of a shelf that no demand has taken, safety included: what a fact may take (L5). Negative while units leave. */
export function freeOn(state: SkuState, warehouse: WarehouseId): number {
  const shelf = state.shelves.get(warehouse)
  if (!shelf) return 0
  return shelf.figure.units - (state.shelfCounts.get(warehouse)?.pegged ?? 0) - shelf.chargedUnits
}

/** L3 for one shop, with all its parts. */
export function availabilityOf(state: SkuState, rules: Configuration, shop: ShopId, now: Instant): Availability {
  const terms = warehousesOf(rules, shop).flatMap((warehouse) => termOf(state, rules, warehouse))
  const shortage = servableShortage(state, rules, shop)
  const shopSafetyUnits = safetyOfShop(rules, shop, state.sku)
  const unreadUnits = shownByUnread(state, rules, shop)
  const availableUnits =
    terms.reduce((sum, { termUnits }) => sum + termUnits, 0) - shortage - shopSafetyUnits - unreadUnits
  const ahead = backOrderable(state, rules, shop, now, availableUnits)
  const openUnits = state.shopCounts.get(shop)?.open ?? 0
  const quotaUnits = quotaOf(rules, shop, state.sku)
  const withinQuota = quotaUnits === undefined ? Number.POSITIVE_INFINITY : quotaUnits - openUnits
  const tracked = terms.length > 0
  return {
    tracked,
    terms,
    shortageUnits: shortage,
    shopSafetyUnits,
    unreadUnits,
    availableUnits,
    backOrderableUnits: ahead.units,
    lines: ahead.lines,
    openUnits,
    quotaUnits,
    sellableUnits: tracked ? Math.max(0, Math.min(Math.max(0, availableUnits) + ahead.units, withinQuota)) : 0,
  }
}

function termOf(state: SkuState, rules: Configuration, warehouse: WarehouseId): readonly WarehouseTerm[] {
  const shelf = state.shelves.get(warehouse)
  if (!shelf) return []
  const safetyUnits = safetyOfWarehouse(rules, warehouse, state.sku)
  return [
    {
      warehouse,
      figureUnits: shelf.figure.units,
      peggedUnits: state.shelfCounts.get(warehouse)?.pegged ?? 0,
      chargedUnits: shelf.chargedUnits,
      safetyUnits,
      termUnits: freeOn(state, warehouse) - safetyUnits,
    },
  ]
}

/**
 * Shortages that any warehouse of this shop could serve: they come first, so they are not for sale (H1). So do units that wait for
 * a figure although a warehouse of theirs has spoken: another one of it may still have them, or the rules have just changed.
 */
function servableShortage(state: SkuState, rules: Configuration, shop: ShopId): Units {
  let units = 0
  for (const [owner, { shortage, untracked }] of state.shopCounts) {
    const waiting = shortage + (untracked > 0 && isTracked(state, rules, owner) ? untracked : 0)
    if (waiting > 0 && (owner === shop || shareWarehouses(rules, owner, shop))) units += waiting
  }
  return units
}

const isTracked = (state: SkuState, rules: Configuration, shop: ShopId): boolean =>
  warehousesOf(rules, shop).some((warehouse) => state.shelves.has(warehouse))

/**
 * What other shops over the same warehouses last showed before a silence, as long as they have not been read (L2). One that
 * cannot be read for too long binds its share only where the shares were split: else it would bind all there is.
 */
function shownByUnread(state: SkuState, rules: Configuration, shop: ShopId): Units {
  let units = 0
  for (const [owner, shown] of state.unread) {
    if (owner === shop || !shareWarehouses(rules, owner, shop)) continue
    if (shown.isOverdue && rules.shops.get(owner)?.whenSilent !== 'split') continue
    units += shown.units
  }
  return units
}

const shareWarehouses = (rules: Configuration, a: ShopId, b: ShopId): boolean =>
  warehousesOf(rules, a).some((warehouse) => warehousesOf(rules, b).includes(warehouse))
