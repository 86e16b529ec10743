/**
 * What a product of a shop is in the warehouse's units: mostly one unit of the SKU that is its number; by the shop's mapping another
 * SKU, and several units of it (a pack of six). Everything behind the checkout and the order reader counts the warehouse's units;
 * only what a shop shows counts products.
 */
import type { Configuration } from './configuration.ts'
import { MAX_UNITS, type ShopId, type Sku, type Units } from './ids.ts'
import type { Band } from './publication.ts'
import type { ShopOrderLine } from './shop-order.ts'

/** One product: so many units of a SKU. */
export type Pack = { readonly sku: Sku; readonly units: Units }

/** What the product with this number is. */
export const packOf = (rules: Configuration, shop: ShopId, product: Sku): Pack =>
  rules.shops.get(shop)?.skuMapping?.get(product) ?? { sku: product, units: 1 }

/** The other products of a shop that are made of a SKU: their numbers move with its units. */
export const productsOf = (rules: Configuration, shop: ShopId, sku: Sku): readonly Sku[] =>
  [...(rules.shops.get(shop)?.skuMapping ?? [])].flatMap(([product, pack]) =>
    pack.sku === sku && product !== sku ? [product] : [],
  )

/** A line in the warehouse's units; its product is kept where it is another one. More than can be counted stays refusable. */
export function lineInUnits<Line extends { readonly sku: Sku; readonly units: Units }>(
  rules: Configuration,
  shop: ShopId,
  line: Line,
): Line & { readonly product?: Pack } {
  const pack = packOf(rules, shop, line.sku)
  if (pack.sku === line.sku && pack.units === 1) return line
  const units = Math.min(MAX_UNITS, line.units * pack.units)
  return { ...line, sku: pack.sku, units, product: { sku: line.sku, units: pack.units } }
}

/** An order in the warehouse's units. */
export const orderInUnits = <Order extends { readonly lines: readonly ShopOrderLine[] }>(
  rules: Configuration,
  shop: ShopId,
  order: Order,
): Order => ({
  ...order,
  lines: order.lines.map((line) => {
    const { product: _, ...inUnits } = lineInUnits(rules, shop, line)
    return inUnits
  }),
})

/** How many whole products a band of units is. A pack is shown only while all of it is there. */
export const bandOfProduct = ({ leastUnits, mostUnits }: Band, packUnits: Units): Band => ({
  leastUnits: Math.floor(leastUnits / packUnits),
  mostUnits: Math.floor(mostUnits / packUnits),
})
