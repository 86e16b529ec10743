/**
 * Hoarding: the most units of one SKU that one buyer may have open (held to picked) in a shop. Who a buyer is comes as keyed digests of
 * his mail address and of his shipping address; nothing here knows either. Decided in the lane, under the lock of the SKU, so that
 * ten carts of one buyer at once get no more than one after the other.
 */
import type { ShopRules } from './configuration.ts'
import { isHeld } from './demand.ts'
import type { Draft } from './draft.ts'
import type { ShopId, Sku, Units } from './ids.ts'
import { availabilityOf } from './sellable.ts'
import { addBuyerUnits } from './stock.ts'

/** By what a buyer is known again; each a digest, unique within one shop. */
export type Buyer = { readonly customer?: string; readonly address?: string }

/** What a shop's caps are; absent: no cap of that kind. */
export type Caps = {
  readonly perCustomerUnits?: Units
  readonly perAddressUnits?: Units
  /** The largest part of what is there, in percent, that one buyer may have; one unit always. */
  readonly sharePercent?: number
  /** In place of both caps in units, for single SKUs. */
  readonly bySku: ReadonlyMap<Sku, Units>
}

/** A cap that was reached, with the numbers that decided: never thrown. */
export type ReachedCap = {
  readonly sku: Sku
  readonly by: 'customer' | 'address' | 'share'
  readonly capUnits: Units
  /** What this buyer may still have. */
  readonly leftUnits: Units
  /** Only his own attempts that no order has taken yet stand in the way. */
  readonly onlyOwnAttempts: boolean
}

/** Whether a shop caps anything at all: else buyers are neither looked at nor remembered. */
export const hasCaps = (rules: ShopRules | undefined): boolean =>
  rules?.caps !== undefined &&
  (rules.caps.perCustomerUnits !== undefined ||
    rules.caps.perAddressUnits !== undefined ||
    rules.caps.sharePercent !== undefined ||
    rules.caps.bySku.size > 0)

/** The keys under which a buyer's units are counted. */
export const keysOfBuyer = ({ customer, address }: Buyer): readonly string[] =>
  [customer, address].flatMap((key) => (key === undefined ? [] : [key]))

/** Whether asking for so many units more would pass a cap; the tightest one is told. */
export function reachedCap(
  draft: Draft,
  {
    shop,
    buyer,
    units,
    lineKeys,
  }: {
    readonly shop: ShopId
    readonly buyer: Buyer
    readonly units: Units
    /** Those of the very cart: its own open attempts are told apart from what the buyer has beside them. */
    readonly lineKeys: ReadonlySet<string>
  },
): ReachedCap | undefined {
  const { state, rules } = draft
  const caps = rules.shops.get(shop)?.caps
  if (!caps) return undefined
  const has = (key: string | undefined): Units => (key === undefined ? 0 : (state.buyers.get(key) ?? 0))
  const most = Math.max(has(buyer.customer), has(buyer.address))
  const forSku = caps.bySku.get(state.sku)
  const found = [
    {
      by: 'customer' as const,
      capUnits: forSku ?? caps.perCustomerUnits,
      openUnits: has(buyer.customer),
      is: buyer.customer,
    },
    {
      by: 'address' as const,
      capUnits: forSku ?? caps.perAddressUnits,
      openUnits: has(buyer.address),
      is: buyer.address,
    },
    {
      by: 'share' as const,
      capUnits: shareOf(draft, shop, caps, most),
      openUnits: most,
      is: buyer.customer ?? buyer.address,
    },
  ].flatMap(({ capUnits, is, ...each }) => (capUnits === undefined || is === undefined ? [] : [{ ...each, capUnits }]))
  const own = ownAttempts(draft, shop, lineKeys)
  const [tightest] = found
    .filter(({ capUnits, openUnits }) => openUnits + units > capUnits)
    .sort((a, b) => a.capUnits - a.openUnits - (b.capUnits - b.openUnits))
  if (!tightest) return undefined
  const { by, capUnits, openUnits } = tightest
  return {
    sku: state.sku,
    by,
    capUnits,
    leftUnits: Math.max(0, capUnits - openUnits),
    onlyOwnAttempts: found.every((each) => each.openUnits - Math.min(own, each.openUnits) + units <= each.capUnits),
  }
}

/** A part of what is there: what is sellable and what the buyer has of it already, so that his own units do not shrink his part. */
function shareOf(draft: Draft, shop: ShopId, { sharePercent }: Caps, openUnits: Units): Units | undefined {
  const { tracked, sellableUnits } = availabilityOf(draft.state, draft.rules, shop, draft.now)
  if (sharePercent === undefined || !tracked) return undefined
  return Math.max(1, Math.floor(((sellableUnits + openUnits) * sharePercent) / 100))
}

const ownAttempts = ({ state }: Draft, shop: ShopId, lineKeys: ReadonlySet<string>): Units =>
  [...state.demands.values()].reduce(
    (sum, demand) =>
      isHeld(demand) && demand.shop === shop && demand.lineKey !== undefined && lineKeys.has(demand.lineKey)
        ? sum + demand.units
        : sum,
    0,
  )

/** Counts what a buyer was granted, for whoever is decided next on the same state. */
export function countGranted(draft: Draft, buyer: Buyer, units: Units): void {
  for (const key of keysOfBuyer(buyer)) addBuyerUnits(draft.state, key, units)
}
