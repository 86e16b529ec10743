/** What one buyer has open of a SKU, by digests that tell nobody who he is. Asked and kept only where a shop caps it. */
import { keysOfBuyer } from '../../core/cap.ts'
import type { Command } from '../../core/decide.ts'
import type { HoldCommand } from '../../core/hold.ts'
import { addBuyerUnits, type SkuState } from '../../core/stock.ts'
import type { Queryable } from './database.ts'

const bytesOf = (key: string): Buffer => Buffer.from(key, 'hex')

/**
 * Open units of every buyer that the commands name, under the locks of their SKUs. Indexes: primary key of buyer_attempt,
 * demand_reservation_idx. Takes no lock.
 */
export async function fillBuyers(
  on: Queryable,
  byId: ReadonlyMap<number, SkuState>,
  commands: readonly Command[],
): Promise<void> {
  const keys = new Set(
    commands.flatMap((command) => (command.kind === 'hold' && command.buyer ? keysOfBuyer(command.buyer) : [])),
  )
  if (keys.size === 0) return
  const { rows } = await on.query<{ sku_id: number; key: string; units: number }>({
    name: 'buyers',
    text: `
      select sku_id, encode(key, 'hex') as key, sum(units)::int as units
      from buyer_attempt
      join demand using (reservation)
      where key = any($1)
        and sku_id = any($2)
        and ended is null
        and phase <> 'shipped'
      group by sku_id, key`,
    values: [[...keys].map(bytesOf), [...byId.keys()]],
  })
  for (const { sku_id, key, units } of rows) {
    const state = byId.get(sku_id)
    if (state) addBuyerUnits(state, key, units)
  }
}

/** Remembers whose the granted attempts are. */
export async function saveBuyers(
  on: Queryable,
  { reservations }: { readonly reservations: readonly Pick<HoldCommand, 'reservation' | 'buyer'>[] },
): Promise<void> {
  const rows = reservations.flatMap(({ reservation, buyer }) =>
    (buyer ? keysOfBuyer(buyer) : []).map((key) => ({ key: bytesOf(key), reservation })),
  )
  if (rows.length === 0) return
  await on.query({
    name: 'save_buyers',
    text: `
      insert into buyer_attempt (key, reservation)
      select key, reservation
      from unnest($1::bytea[], $2::text[]) as new (key, reservation)
      order by key, reservation
      on conflict do nothing`,
    values: [rows.map(({ key }) => key), rows.map(({ reservation }) => reservation)],
  })
}
