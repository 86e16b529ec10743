/** What only the passing of time changes about promises: a line becomes overdue, or comes into the window, at a midnight. */
import { type ShopId, type Sku, skuOf } from '../../core/ids.ts'
import type { Database } from './database.ts'

/** SKUs looked at in one round; the rest has its turn in the next. */
const MAX_SKUS = 5_000

/** SKUs of which units wait for inbound lines. Reads through the rows of `sku`, once an hour. Takes no lock. */
export async function skusThatWait({ pool }: Pick<Database, 'pool'>): Promise<readonly Sku[]> {
  const { rows } = await pool.query<{ sku: string }>(
    `select sku from sku where counts ? 'lines' order by id limit $1`,
    [MAX_SKUS],
  )
  return rows.map(({ sku }) => skuOf(sku))
}

/**
 * Marks the SKUs of open inbound lines dirty, so that the publisher compares what is shown with what may be sold today. A mark that
 * is there says it already. Rows go in by SKU, then shop, as the lane's own.
 */
export async function markAhead({ pool }: Pick<Database, 'pool'>, shops: readonly ShopId[]): Promise<void> {
  if (shops.length === 0) return
  await pool.query(
    `insert into dirty (shop, sku_id)
     select shop, sku_id
     from unnest($1::text[]) as shop
     cross join (select distinct sku_id from inbound_line where not cancelled and received < ordered) as open
     order by sku_id, shop
     on conflict (shop, sku_id) do nothing`,
    [shops],
  )
}
