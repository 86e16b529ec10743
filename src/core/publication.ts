/**
 * L6: a shop shows a number inside a band. We cannot know which of the shop's own open attempts it has already subtracted, nor
 * which of the units that its orders just gave back it has already added, so every number between "all subtracted, none added"
 * and "none subtracted, all added" is right, and only what lies outside is corrected.
 */
import type { Configuration, ShopRules } from './configuration.ts'
import type { Instant, ShopId, Units } from './ids.ts'
import { availabilityOf } from './sellable.ts'
import type { SkuState } from './stock.ts'

/** Both ends are right; `least` is what is sellable less what the shop may not have added yet, `most` adds what it may not have subtracted. */
export type Band = { readonly leastUnits: Units; readonly mostUnits: Units }

/**
 * An order first read less than this ago may not have lowered the shop's number yet (H40), and one that was read as cancelled,
 * edited or gone may not have raised it: Shopware commits the order first and moves its stock afterwards.
 */
export const DECREMENT_WITHIN_MS = 5_000

/** What the shop's own orders may still do to its number. */
export type OnItsWay = {
  /** Units of attempts that it may not have subtracted. */
  readonly takenUnits: Units
  /** Units that orders gave back and that it may not have added: it adds, so whoever raised the number before would raise it twice. */
  readonly returnedUnits: Units
}

export const NOTHING_ON_ITS_WAY: OnItsWay = { takenUnits: 0, returnedUnits: 0 }

/** Why a rise has to wait although the number is outside its band: a silence (L2), or somebody who writes against us. */
export type RaiseHold = 'none' | 'silence' | 'fight'

/** What a shop ought to show, or `undefined` while no warehouse has said a word: then we do not write. */
export function bandOf(
  state: SkuState,
  rules: Configuration,
  shop: ShopId,
  now: Instant,
  onItsWay: OnItsWay = NOTHING_ON_ITS_WAY,
): Band | undefined {
  const { tracked, sellableUnits } = availabilityOf(state, rules, shop, now)
  if (!tracked) return undefined
  const shareUnits = shareOf(sellableUnits, rules, shop)
  const movesItself = rules.shops.get(shop)?.kind === 'shopware'
  const { takenUnits, returnedUnits } = movesItself ? onItsWay : NOTHING_ON_ITS_WAY
  return { leastUnits: Math.max(0, shareUnits - returnedUnits), mostUnits: shareUnits + takenUnits }
}

/** With `split`, shops over one pool show parts that add up to no more than it; the earlier named get what does not divide. */
function shareOf(sellableUnits: Units, rules: Configuration, shop: ShopId): Units {
  const mine = rules.shops.get(shop)
  if (!mine || mine.whenSilent === 'shared') return sellableUnits
  const sharing = [...rules.shops.values()].filter((each) => each.kind === 'shopware' && overlaps(each, mine))
  const place = sharing.findIndex((each) => each.shop === shop)
  if (place < 0) return sellableUnits
  const whole = Math.floor(sellableUnits / sharing.length)
  return whole + (place < sellableUnits % sharing.length ? 1 : 0)
}

const overlaps = (a: ShopRules, b: ShopRules): boolean => a.warehouses.some((each) => b.warehouses.includes(each))

/**
 * The absolute value to write, or `undefined` when the shown number is right or must not be raised now.
 * Above the band it falls to `most`, below it rises to `least`.
 */
export function correction(shownUnits: number, band: Band, raise: RaiseHold): Units | undefined {
  if (shownUnits > band.mostUnits) return band.mostUnits
  if (shownUnits < band.leastUnits && raise === 'none') return band.leastUnits
  return undefined
}

/** Whether an order read at `placedAt` may still be on its way to the shop's own stock figure. */
export const mayStillLower = (placedAt: Instant, now: Instant): boolean => now - placedAt < DECREMENT_WITHIN_MS
