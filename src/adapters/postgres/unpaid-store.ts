/** Orders whose payment failed, and since when (H12). Every statement reads or writes the primary key, the due ones their own index. */
import type { ShopBook } from '../../app/shop-ports.ts'
import type { Instant } from '../../core/ids.ts'
import type { Queryable } from './database.ts'

type UnpaidBook = Pick<ShopBook, 'unpaidSince' | 'notUnpaid' | 'dueUnpaid' | 'dealtWith'>

/** The part of the shop side's memory that knows unpaid orders. */
export const unpaidOrdersOn = (on: Queryable): UnpaidBook => ({
  async unpaidSince(shop, orderIds) {
    if (orderIds.length === 0) return new Map()
    await on.query(
      `insert into unpaid_order (shop, order_id)
       select $1, order_id
       from unnest($2::text[]) as order_id
       order by order_id
       on conflict do nothing`,
      [shop, orderIds],
    )
    const { rows } = await on.query<{ order_id: string; since: Instant }>(
      'select order_id, since from unpaid_order where shop = $1 and order_id = any($2)',
      [shop, orderIds],
    )
    return new Map(rows.map(({ order_id, since }) => [order_id, since]))
  },

  notUnpaid: async (shop, orderIds) =>
    orderIds.length === 0
      ? undefined
      : on.query('delete from unpaid_order where shop = $1 and order_id = any($2)', [shop, orderIds]),

  async dueUnpaid(shop, afterMs, limit) {
    const { rows } = await on.query<{ order_id: string }>(
      `select order_id
       from unpaid_order
       where shop = $1
         and not dealt_with
         and since <= clock_timestamp() - make_interval(secs => $2)
       order by since
       limit $3`,
      [shop, afterMs / 1000, limit],
    )
    return rows.map(({ order_id }) => order_id)
  },

  dealtWith: (shop, orderIds) =>
    on.query('update unpaid_order set dealt_with = true where shop = $1 and order_id = any($2)', [shop, orderIds]),
})
