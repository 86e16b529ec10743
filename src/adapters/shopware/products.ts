/** What a shop shows for products. */
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ShownProduct } from '../../app/ports.ts'
import { canonicalSku, isUnits, type Sku } from '../../core/ids.ts'
import type { SecondGuard } from '../../core/second-guard.ts'
import { Failure } from '../../errors.ts'
import type { AdminApi } from './admin-api.ts'
import { fieldOf, textOf } from './pick.ts'

/** The most SKUs in one question. */
export const MAX_SHOWN = 500
/** The custom field in which each write of ours leaves its revision. */
export const REVISION_FIELD = 'holdfast_revision'

/** The custom fields that the cart script reads: whether a product may be ordered, and how many of it in one cart. */
export const GUARD_FIELD = 'holdfast_guard'
export const MOST_FIELD = 'holdfast_most'

/** What a shop shows, with what the merchant had set before us. */
export type ShopwareProduct = ShownProduct & {
  readonly merchantSettings: {
    /** The product's own close-out; `null` where a variant takes its parent's. Given back when we leave. */
    readonly closeOut: boolean | null
  }
}

const productRow = Type.Object({
  id: Type.String(),
  productNumber: Type.String(),
  stock: Type.Integer(),
  isCloseout: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  childCount: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  parentId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  customFields: Type.Optional(Type.Unknown()),
})
type ProductRow = Static<typeof productRow>
const PRODUCT_FIELDS = ['productNumber', 'stock', 'isCloseout', 'childCount', 'parentId', 'customFields']
const productAnswer = Compile(Type.Object({ data: Type.Array(productRow) }))

/** Reads what a shop shows for SKUs. The container of variants is not sold itself and left out. */
export async function readShown(api: AdminApi, url: string, skus: readonly Sku[]): Promise<ShopwareProduct[]> {
  if (skus.length === 0) return []
  const asked = new Set<Sku>(skus)
  const rows = await searchProducts(api, { filter: [{ type: 'equalsAny', field: 'productNumber', value: skus }] })
  const sold = rows.flatMap((row) => {
    const named = canonicalSku(row.productNumber)
    // The shop's database compares without case and accents; we do not.
    return 'sku' in named && asked.has(named.sku) && (row.childCount ?? 0) === 0 ? [{ ...row, sku: named.sku }] : []
  })
  const parentIds = sold.flatMap((row) => (ownCloseOut(row) === null && row.parentId ? [row.parentId] : []))
  const parents = await closeOutOf(api, [...new Set(parentIds)])
  return sold.map((row) => {
    const own = ownCloseOut(row)
    const inherited = row.parentId ? parents.get(row.parentId) : false
    if (own === null && inherited === undefined) {
      throw new Failure('SHOP_ANSWER_INCOMPLETE', `${url} told variant ${row.sku} without its parent.`, {
        retry: 'later',
      })
    }
    const revision = textOf(fieldOf(row.customFields, REVISION_FIELD))
    return {
      productId: row.id,
      sku: row.sku,
      units: row.stock,
      closeOut: own ?? inherited === true,
      ...(revision === undefined ? {} : { revision }),
      guard: seenGuard(row.customFields),
      merchantSettings: { closeOut: own },
    }
  })
}

function seenGuard(fields: unknown): Partial<SecondGuard> {
  const [word, most] = [fieldOf(fields, GUARD_FIELD), fieldOf(fields, MOST_FIELD)]
  return {
    ...(word === 'stop' || word === 'go' ? { word } : {}),
    ...(isUnits(most) ? { mostInCart: most } : {}),
  }
}

const ownCloseOut = (row: ProductRow): boolean | null => row.isCloseout ?? null

/** The close-out of parents, by id. Shopware does not read a parent along with its variant. */
async function closeOutOf(api: AdminApi, ids: readonly string[]): Promise<Map<string, boolean>> {
  const rows = ids.length === 0 ? [] : await searchProducts(api, { ids })
  return new Map(rows.map((row) => [row.id, ownCloseOut(row) === true]))
}

async function searchProducts(api: AdminApi, criteria: Readonly<Record<string, unknown>>): Promise<ProductRow[]> {
  const request = {
    method: 'POST' as const,
    path: '/api/search/product',
    body: { ...criteria, limit: MAX_SHOWN, fields: PRODUCT_FIELDS },
  }
  return (await api.read(request, productAnswer)).data
}
