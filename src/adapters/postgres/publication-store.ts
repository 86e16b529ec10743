/** Which numbers of which shop have to be looked at, and what was last seen and written there. */

import type { PublicationBook } from '../../app/shop-ports.ts'
import { type Instant, skuOf } from '../../core/ids.ts'
import { type Database, timestamp } from './database.ts'

/** A claim lasts far longer than a pass: only a dead process loses it. */
const CLAIM_SECONDS = 30
/** A mark that fails waits twice as long each time, up to this. */
const MAX_BACK_OFF_SECONDS = 60

/** The publisher's memory on PostgreSQL. */
export function publicationBookOn(database: Database): PublicationBook {
  const { pool } = database
  return {
    /** Claims marks that are due, the longest due first. Index: dirty_due_idx. Skips what another process holds. */
    async claim(shop, limit) {
      const { rows } = await pool.query<{
        sku: string
        sku_id: number
        renewed: number
        attempts: number
        written_at: Instant | null
      }>(
        `with due as (
           select sku_id
           from dirty
           where shop = $1
             and due_at <= clock_timestamp()
             and (claimed_until is null or claimed_until < clock_timestamp())
           order by due_at
           limit $2
           for update skip locked
         )
         update dirty set claimed_until = clock_timestamp() + make_interval(secs => $3)
         from due
         join sku on sku.id = due.sku_id
         left join publication on publication.shop = $1 and publication.sku_id = due.sku_id
         where dirty.shop = $1 and dirty.sku_id = due.sku_id
         returning sku.sku, dirty.sku_id, dirty.renewed, dirty.attempts, publication.written_at`,
        [shop, limit, CLAIM_SECONDS],
      )
      return rows.map((row) => ({
        sku: skuOf(row.sku),
        skuId: row.sku_id,
        renewed: row.renewed,
        attempts: row.attempts,
        ...(row.written_at === null ? {} : { writtenAt: row.written_at }),
      }))
    },

    /** Settles claimed marks. One that was renewed since it was claimed stays due: something changed while we worked. */
    async settle(shop, outcomes) {
      if (outcomes.length === 0) return
      const ids = outcomes.map(({ mark }) => mark.skuId)
      const renewed = outcomes.map(({ mark }) => mark.renewed)
      const again = outcomes.map(({ lookAgainAt }) => (lookAgainAt === undefined ? null : timestamp(lookAgainAt)))
      const failed = outcomes.map((outcome) => outcome.failed)
      await database.transaction(async (client) => {
        // One order of locks, as in the lane: SKU by SKU.
        await client.query('select from dirty where shop = $1 and sku_id = any($2) order by sku_id for update', [
          shop,
          ids,
        ])
        await client.query(
          `delete from dirty
           using unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::boolean[]) as done (sku_id, renewed, again, failed)
           where dirty.shop = $1
             and dirty.sku_id = done.sku_id
             and dirty.renewed = done.renewed
             and done.again is null
             and not done.failed`,
          [shop, ids, renewed, again, failed],
        )
        await client.query(
          `update dirty set
             claimed_until = null,
             attempts = case when done.failed then dirty.attempts + 1 else 0 end,
             due_at = case
               when done.failed then clock_timestamp() + make_interval(secs => least($6, power(2, least(dirty.attempts, 10))))
               when dirty.renewed = done.renewed then done.again
               else clock_timestamp()
             end
           from unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::boolean[]) as done (sku_id, renewed, again, failed)
           where dirty.shop = $1 and dirty.sku_id = done.sku_id`,
          [shop, ids, renewed, again, failed, MAX_BACK_OFF_SECONDS],
        )
      })
    },

    /** Units of the shop's own attempts that it may or may not have subtracted (L6), and until when the youngest order counts. */
    async own(shop, skuIds, decrementWithinMs) {
      const { rows } = await pool.query<{ sku_id: number; units: number; recent: Instant | null }>(
        // Index: demand_live_idx.
        `select demand.sku_id,
                sum(demand.units)::int as units,
                max(demand.placed_at) as recent
         from demand
         left join reservation on reservation.id = demand.reservation
         where demand.sku_id = any($2)
           and demand.ended is null
           and demand.shop = $1
           and ((demand.phase = 'held' and reservation.via = 'gateway')
             or demand.placed_at > clock_timestamp() - make_interval(secs => $3))
         group by demand.sku_id`,
        [shop, skuIds, decrementWithinMs / 1000],
      )
      return new Map(rows.map((row) => [row.sku_id, { units: row.units, recentOrderAt: row.recent ?? undefined }]))
    },

    /** Keeps what was seen and written. */
    async remember(shop, rows) {
      if (rows.length === 0) return
      await pool.query(
        `insert into publication (
           shop, sku_id, product_id, seen_units, seen_at, shown_units, merchant_close_out,
           written_units, written_version, written_at, revision, quarantined)
         select $1, sku_id, product_id, seen_units, clock_timestamp(), shown_units, merchant_close_out,
                written_units, written_version, case when written_units is not null then clock_timestamp() end, revision, quarantined
         from unnest($2::int[], $3::text[], $4::int[], $5::boolean[], $6::int[], $7::bigint[], $8::text[], $9::text[], $10::int[])
           as seen (sku_id, product_id, seen_units, merchant_close_out, written_units, written_version, revision, quarantined, shown_units)
         order by sku_id
         on conflict (shop, sku_id) do update set
           product_id = excluded.product_id,
           seen_units = excluded.seen_units,
           seen_at = excluded.seen_at,
           shown_units = excluded.shown_units,
           merchant_close_out = case
             when publication.written_at is null then excluded.merchant_close_out
             else publication.merchant_close_out
           end,
           written_units = coalesce(excluded.written_units, publication.written_units),
           written_version = coalesce(excluded.written_version, publication.written_version),
           written_at = coalesce(excluded.written_at, publication.written_at),
           revision = coalesce(excluded.revision, publication.revision),
           quarantined = excluded.quarantined`,
        [
          shop,
          rows.map(({ skuId }) => skuId),
          rows.map(({ productId }) => productId),
          rows.map(({ seenUnits }) => seenUnits),
          rows.map(({ merchantCloseOut }) => merchantCloseOut),
          rows.map(({ written }) => written?.units ?? null),
          rows.map(({ written }) => written?.version ?? null),
          rows.map(({ written }) => written?.revision ?? null),
          rows.map(({ quarantined }) => quarantined ?? null),
          rows.map(({ shownUnits }) => shownUnits),
        ],
      )
    },

    /** Marks products that somebody wrote: an echo of our own write waits a moment, so that it is compared after the fact. */
    markProducts: (shop, productIds) =>
      pool.query(
        `insert into dirty (shop, sku_id)
         select shop, sku_id
         from publication
         where shop = $1 and product_id = any($2)
         order by sku_id
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = clock_timestamp()`,
        [shop, productIds],
      ),

    markSkus: (shop, skus) =>
      pool.query(
        `insert into dirty (shop, sku_id)
         select $1, id
         from sku
         where sku = any($2)
         order by id
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = least(dirty.due_at, excluded.due_at)`,
        [shop, skus],
      ),

    /** Marks every SKU of every shop: after a change of the rules. */
    markAll: (shops) =>
      pool.query(
        `insert into dirty (shop, sku_id)
         select shop, sku_id
         from unnest($1::text[]) as shop
         cross join (select distinct sku_id from figure) as known
         order by sku_id, shop
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = clock_timestamp()`,
        [shops],
      ),

    /**
     * Marks some numbers that nobody has looked at for a while: what changed without a word is found by looking. They are chosen
     * by age and marked by SKU, as the lane does: two writers of marks never wait for each other crosswise.
     */
    markStale: (shop, olderThanSeconds, limit) =>
      pool.query(
        `with stale as (
           select sku_id
           from publication
           where shop = $1
             and seen_at < clock_timestamp() - make_interval(secs => $2)
           order by seen_at
           limit $3
         )
         insert into dirty (shop, sku_id)
         select $1, sku_id
         from stale
         order by sku_id
         on conflict do nothing`,
        [shop, olderThanSeconds, limit],
      ),

    /** What each shop last showed, for whoever must answer without a decision. Index: primary key, the rows of one shop. */
    async lastShown(shop, lookedAtSince) {
      const { rows } = await pool.query<{ sku: string; units: number }>(
        `select sku.sku, shown_units as units
         from publication
         join sku on sku.id = publication.sku_id
         where shop = $1
           and shown_units is not null
           and ($2::timestamptz is null or seen_at >= $2)`,
        [shop, lookedAtSince === undefined ? null : timestamp(lookedAtSince)],
      )
      return new Map(rows.map((row) => [skuOf(row.sku), row.units]))
    },
  }
}
