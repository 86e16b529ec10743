/** A reservation as it stands now: its live holds, line by line. */
import type { Promised } from '../../core/demand.ts'
import type { Instant, ShopId } from '../../core/ids.ts'
import type { Queryable } from './database.ts'

/** The live holds of a reservation; `undefined` when none is left. Indexes: demand_reservation_idx, primary key of reservation. */
export async function heldReservation(on: Queryable, shop: ShopId, reservation: string) {
  const { rows } = await on.query<{
    sku: string
    units: number
    supply: string
    warehouse: string | null
    promise: Promised | null
    until: Instant | null
  }>(
    `select sku.sku, demand.units, demand.supply, demand.warehouse, demand.promise, reservation.until
     from demand
     join sku on sku.id = demand.sku_id
     left join reservation on reservation.id = demand.reservation
     where demand.reservation = $1
       and demand.shop = $2
       and demand.phase = 'held'
       and demand.ended is null
     order by sku.sku, demand.no`,
    [reservation, shop],
  )
  if (rows.length === 0) return undefined
  const skus = [...new Set(rows.map(({ sku }) => sku))]
  const until = rows[0]?.until
  return {
    ...(until ? { until: new Date(until).toISOString() } : {}),
    lines: skus.map((sku) => {
      const parts = rows.filter((row) => row.sku === sku)
      const units = parts.reduce((sum, part) => sum + part.units, 0)
      return {
        sku,
        askedUnits: units,
        grantedUnits: units,
        untracked: parts.some(({ supply }) => supply === 'untracked'),
        supplies: parts.map((part) => ({
          kind: part.supply,
          units: part.units,
          ...(part.warehouse === null ? {} : { warehouse: part.warehouse }),
          ...(part.promise === null ? {} : { day: part.promise.day }),
        })),
      }
    }),
  }
}
