/** What a shop's own attempts and orders may still do to its numbers (L6). */
import type { OwnUnits } from '../../app/shop-ports.ts'
import type { Instant, ShopId } from '../../core/ids.ts'
import type { Database } from './database.ts'

/**
 * What may not be subtracted yet, and what may not be added again yet, by SKU.
 *
 * Index: demand_live_idx for what they take, ledger_entry_kind_idx for what orders gave back within the last moments: the ledger is
 * where an end has its moment. Takes no lock.
 */
export async function ownUnits(
  { pool }: Pick<Database, 'pool'>,
  shop: ShopId,
  skuIds: readonly number[],
  withinMs: number,
): Promise<ReadonlyMap<number, OwnUnits>> {
  const { rows } = await pool.query<OwnRow>(
    `with taken as (
     select demand.sku_id,
            sum(demand.units)::int as units,
            max(demand.placed_at) as recent
     from demand
     left join reservation on reservation.id = demand.reservation
     where demand.sku_id = any($2)
       and demand.ended is null
       and demand.shop = $1
       and ((demand.phase = 'held' and reservation.via = 'gateway')
         or demand.placed_at > clock_timestamp() - make_interval(secs => $3))
     group by demand.sku_id
   ), returned as (
     select sku.id as sku_id,
            sum((change -> 'demand' ->> 'units')::int)::int as units,
            max(ledger_entry.at) as recent
     from ledger_entry
     join sku on 'sku:' || sku.sku = ledger_entry.stream
     cross join json_array_elements(ledger_entry.body -> 'changes') as change
     where ledger_entry.kind = 'order'
       and ledger_entry.at > clock_timestamp() - make_interval(secs => $3)
       and sku.id = any($2)
       and change -> 'demand' ->> 'shop' = $1
       and change -> 'demand' ->> 'end' in ('cancelled', 'released')
     group by sku.id
   )
   select sku_id,
          coalesce(taken.units, 0) as taken_units,
          coalesce(returned.units, 0) as returned_units,
          greatest(taken.recent, returned.recent) as recent
   from taken
   full join returned using (sku_id)`,
    [shop, skuIds, withinMs / 1000],
  )
  return new Map(
    rows.map((row) => [
      row.sku_id,
      { takenUnits: row.taken_units, returnedUnits: row.returned_units, recentOrderAt: row.recent ?? undefined },
    ]),
  )
}

type OwnRow = { sku_id: number; taken_units: number; returned_units: number; recent: Instant | null }
