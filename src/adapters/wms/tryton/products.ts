/** Products by SKU: a SKU is the code of a product. */
import { canonicalSku } from '../../../core/ids.ts'
import { readAtOnce } from './reader.ts'
import type { Row } from './row.ts'
import type { TrytonSession } from './session.ts'

export type Product = { readonly id: number; readonly sku: string }

/** A product that is switched off still lies in the warehouse. */
export const WHETHER_ACTIVE_OR_NOT = ['active', 'in', [true, false]] as const

/** The SKU of a product; `undefined` for one that has none. */
export function skuIn(row: Row): string | undefined {
  const code = row.optionalText('code')
  const read = code === undefined ? undefined : canonicalSku(code)
  return read && 'sku' in read ? read.sku : undefined
}

/** The products of some SKUs; of several with one code the active one, for Tryton lets no second one be active. */
export async function productsOf(session: TrytonSession, skus: readonly string[]): Promise<readonly Product[]> {
  const rows = await readAtOnce(session, 'product.product', {
    domain: [['code', 'in', skus], WHETHER_ACTIVE_OR_NOT],
    fields: ['code', 'active'],
  })
  const bySku = new Map<string, Row>()
  for (const row of rows) {
    const sku = skuIn(row)
    if (sku !== undefined && (!bySku.has(sku) || isActive(row))) bySku.set(sku, row)
  }
  return [...bySku].map(([sku, { id }]) => ({ id, sku }))
}

/** SQLite says 1 for true. */
const isActive = (row: Row): boolean => /"active":(true|1)[,}]/.test(row.asText)
