/** What is remembered about numbers that somebody else wrote, as rows: read along with a claim, kept with the records of what was found. */
import type { GuardRow } from '../../app/shop-ports.ts'
import type { Guard } from '../../core/foreign-write.ts'
import { type Instant, instantOf, type ShopId } from '../../core/ids.ts'
import type { Queryable } from './database.ts'
import { timestamp } from './database.ts'
import { appendEntry } from './ledger.ts'

/** The columns of `foreign_write`, each with the table's name before it, for a claim that joins it. */
export const GUARD_COLUMNS = `foreign_write.sku_id as guarded, foreign_write.told_at, foreign_write.old_units,
  foreign_write.new_units, foreign_write.seen_at as sighted_at, foreign_write.since, foreign_write.left_units,
  foreign_write.left_least_units, foreign_write.fighting_since,
  array(select extract(epoch from moment) * 1000 from unnest(foreign_write.restored_at) as moment)::float8[] as restored_at`

/** Those columns as read; all null where nothing is remembered. */
export type GuardColumns = {
  guarded: number | null
  told_at: Instant | null
  old_units: number | null
  new_units: number | null
  sighted_at: Instant | null
  since: Instant | null
  left_units: number | null
  left_least_units: number | null
  fighting_since: Instant | null
  restored_at: readonly number[]
}

/** What is remembered, or `undefined` for nothing. */
export function guardOf(row: GuardColumns): Guard | undefined {
  if (row.guarded === null) return undefined
  const { old_units: oldUnits, new_units: newUnits, sighted_at: at, since, left_units, left_least_units } = row
  return {
    ...(row.told_at === null ? {} : { toldAt: row.told_at }),
    ...(oldUnits === null || newUnits === null || at === null || since === null
      ? {}
      : { sighting: { oldUnits, newUnits, at, since } }),
    ...(left_units === null || left_least_units === null
      ? {}
      : { left: { units: left_units, leastUnits: left_least_units } }),
    restoredAt: row.restored_at.map(instantOf),
    ...(row.fighting_since === null ? {} : { fightingSince: row.fighting_since }),
  }
}

/** Keeps what is remembered and appends what was found to the shop's stream. Inside the caller's transaction. */
export async function keepGuardRows(on: Queryable, shop: ShopId, rows: readonly GuardRow[]): Promise<void> {
  for (const { skuId, sku, toldAt, guard, found } of rows) {
    // A webhook that came while we worked is a new one: it stays.
    await on.query(
      `insert into foreign_write as known (
         shop, sku_id, old_units, new_units, seen_at, since, left_units, left_least_units, restored_at, fighting_since)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz[], $10)
       on conflict (shop, sku_id) do update set
         told_at = case when known.told_at is not distinct from $11::timestamptz then null else known.told_at end,
         old_units = excluded.old_units,
         new_units = excluded.new_units,
         seen_at = excluded.seen_at,
         since = excluded.since,
         left_units = excluded.left_units,
         left_least_units = excluded.left_least_units,
         restored_at = excluded.restored_at,
         fighting_since = excluded.fighting_since`,
      [
        shop,
        skuId,
        guard?.sighting?.oldUnits ?? null,
        guard?.sighting?.newUnits ?? null,
        moment(guard?.sighting?.at),
        moment(guard?.sighting?.since),
        guard?.left?.units ?? null,
        guard?.left?.leastUnits ?? null,
        (guard?.restoredAt ?? []).map(timestamp),
        moment(guard?.fightingSince),
        moment(toldAt),
      ],
    )
    if (guard === undefined)
      await on.query('delete from foreign_write where shop = $1 and sku_id = $2 and told_at is null', [shop, skuId])
    if (found)
      await appendEntry(on, {
        stream: `shop:${shop}`,
        kind: 'foreign-write',
        // Shopware names nobody, neither in the webhook nor in the product.
        actor: 'unknown',
        cause: found.proof,
        configuration: found.configuration,
        body: {
          sku,
          oldUnits: found.oldUnits,
          newUnits: found.newUnits,
          who: 'unknown',
          changedAfter: new Date(found.since).toISOString(),
          seenAt: new Date(found.at).toISOString(),
          policy: found.policy,
        },
      })
  }
}

const moment = (at: Instant | undefined): string | null => (at === undefined ? null : timestamp(at))
