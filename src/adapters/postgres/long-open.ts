/** Orders that stay open for too long without the goods having left: a lost word, or a warehouse that never answered (L1, H21, H27). */
import type { Queryable } from './database.ts'

/** An order whose units are still counted after so many days is told to people. */
export const LONGEST_OPEN_DAYS = 14
const INCIDENT = { code: 'ORDER_LONG_OPEN' } as const
/** Orders told in one round; the next round tells the next. */
const ORDERS_AT_ONCE = 500

/** Opens an incident for each order that has been open for too long, and closes those of orders that are done. Harmless to repeat. */
export async function tellLongOpen(on: Queryable): Promise<void> {
  // Reads the live demands once a round. Incidents that are open stay as they are.
  await on.query(
    `insert into incident (code, key, shop, order_number, units, cause)
     select $3, shop || '/' || order_id, shop, min(order_number), sum(units)::int,
            'the order is open for more than ' || $1::int || ' days, and no word or figure shows that its goods have left'
     from demand
     where ended is null
       and phase in ('placed', 'acknowledged', 'allocated', 'picked')
       and placed_at < clock_timestamp() - make_interval(days => $1::int)
     group by shop, order_id
     order by shop, order_id
     limit $2
     on conflict (code, key) where closed_at is null do nothing`,
    [LONGEST_OPEN_DAYS, ORDERS_AT_ONCE, INCIDENT.code],
  )
  // Indexes: incident_open_once, demand_order_idx.
  await on.query(
    `update incident set closed_at = clock_timestamp()
     where code = $1
       and closed_at is null
       and not exists (
         select
         from demand
         where demand.shop = incident.shop
           and demand.shop || '/' || demand.order_id = incident.key
           and demand.order_number = incident.order_number
           and demand.ended is null
           and demand.phase in ('placed', 'acknowledged', 'allocated', 'picked')
       )`,
    [INCIDENT.code],
  )
}
