import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { PAGE_ROWS, type ShopAdmin } from './shop-admin.ts'
import { emailPrefix } from './shop-orders.ts'

/** Pages that are cleared of one kind of thing, 500 rows each; more than any test makes. */
const MAX_PAGES = 20

/** What was deleted. An unordered cart stays: nobody but its buyer can delete it, and Shopware itself does so after some days. */
export type Cleared = { readonly orders: number; readonly products: number; readonly customers: number }

const idRows = Compile(Type.Object({ data: Type.Array(Type.Object({ id: Type.String() })) }))

/** Deletes all orders, products and buyers of one run: SKUs begin with `<run>-`, e-mail addresses with `<run>.`. */
export async function clearRun(admin: ShopAdmin, run: string): Promise<Cleared> {
  // Orders first: deleting an open one gives its units back, which needs its product.
  const orders = await deleteAll(admin, 'order', 'orderCustomer.email', emailPrefix(run))
  const products = await deleteAll(admin, 'product', 'productNumber', `${run}-`)
  const customers = await deleteAll(admin, 'customer', 'email', emailPrefix(run))
  return { orders, products, customers }
}

async function deleteAll(admin: ShopAdmin, entity: string, field: string, prefix: string): Promise<number> {
  let deleted = 0
  for (let page = 0; page < MAX_PAGES; page++) {
    const { data } = await admin.search(
      entity,
      { filter: [{ type: 'prefix', field, value: prefix }], includes: { [entity]: ['id'] }, limit: PAGE_ROWS },
      idRows,
    )
    if (data.length === 0) return deleted
    const payload = data.map((row) => ({ id: row.id }))
    await admin.write(
      { method: 'POST', path: '/api/_action/sync', body: [{ key: 'clear', entity, action: 'delete', payload }] },
      `the deletion of ${data.length} rows of ${entity}`,
    )
    deleted += data.length
  }
  throw new Error(`CLEARING_UNFINISHED: rows of ${entity} beginning with "${prefix}" are left. Clear again.`)
}
