/**
 * The second guard: what a product carries in the shop itself, so that the app's cart script blocks what the rules forbid while
 * nobody of ours answers. The number in the shop and its close-out are the first guard there; somebody may take the close-out off,
 * and no number of a shop knows how much one buyer may have.
 */
import type { Configuration } from './configuration.ts'
import type { ShopId, Sku, Units } from './ids.ts'
import { packOf } from './pack.ts'
import type { Band } from './publication.ts'

/** What a product's fields say to the cart script. */
export type SecondGuard = {
  /** `stop`: no cart with this product is ordered. */
  readonly word: 'stop' | 'go'
  /** The most of it in one cart, in products; absent: as many as there are. */
  readonly mostInCart?: Units
}

/**
 * What the guard of a product ought to say.
 *
 * @param shownUnits what the shop shows after this pass, in products: where it stands above 0 by the merchant's own policy, nothing is stopped
 */
export function guardOf(
  rules: Configuration,
  shop: ShopId,
  product: Sku,
  { band, shownUnits }: { readonly band: Band; readonly shownUnits: number },
): SecondGuard {
  const mostInCart = mostInCartOf(rules, shop, product)
  const isOut = band.mostUnits <= 0 && shownUnits <= 0
  return { word: isOut || mostInCart === 0 ? 'stop' : 'go', ...(mostInCart === undefined ? {} : { mostInCart }) }
}

/** The tightest cap in units, in whole products. A share moves with the stock: only the lane knows it. */
function mostInCartOf(rules: Configuration, shop: ShopId, product: Sku): Units | undefined {
  const { sku, units } = packOf(rules, shop, product)
  const caps = rules.shops.get(shop)?.caps
  const inUnits = caps?.bySku.get(sku) ?? least(caps?.perCustomerUnits, caps?.perAddressUnits)
  return inUnits === undefined ? undefined : Math.floor(inUnits / units)
}

const least = (a: Units | undefined, b: Units | undefined): Units | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)

/** Whether two guards say the same. A product that was never guarded may go. */
export const saysTheSame = (seen: Partial<SecondGuard>, wanted: SecondGuard): boolean =>
  (seen.word ?? 'go') === wanted.word && seen.mostInCart === wanted.mostInCart
