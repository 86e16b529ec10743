/** What became of a reservation that an order took. */
import type { ShopId, Units } from '../../core/ids.ts'
import type { Queryable } from './database.ts'

/** The order that took a reservation and the units that it took; `undefined` when none did. Index: demand_reservation_idx. */
export async function orderOfReservation(
  on: Queryable,
  shop: ShopId,
  reservation: string,
): Promise<{ readonly order: string; readonly units: Units } | undefined> {
  const { rows } = await on.query<{ order: string; units: Units }>(
    `select order_number as "order", sum(units)::int as units
     from demand
     where reservation = $1
       and shop = $2
       and order_id is not null
       and ended is null
     group by order_number
     order by min(placed_at)
     limit 1`,
    [reservation, shop],
  )
  return rows[0]
}
