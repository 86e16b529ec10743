/** Which numbers of which shop have to be looked at, and what was last seen and written there. */

import type { DirtyMark, PublicationBook } from '../../app/shop-ports.ts'
import { type Instant, type Sku, skuOf } from '../../core/ids.ts'
import { type Database, timestamp } from './database.ts'
import { GUARD_COLUMNS, type GuardColumns, guardOf, keepGuardRows } from './guard-rows.ts'
import { ownUnits } from './own-units.ts'

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
      const { rows } = await pool.query<ClaimedRow>(
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
         left join foreign_write on foreign_write.shop = $1 and foreign_write.sku_id = due.sku_id
         where dirty.shop = $1 and dirty.sku_id = due.sku_id
         returning sku.sku, dirty.sku_id, dirty.renewed, dirty.attempts, publication.written_at, shown_units,
                   publication.seen_at, revision, touched_at, refused_at, refused_units,
                   coalesce(settings_kept, false) as settings_kept, ${GUARD_COLUMNS}`,
        [shop, limit, CLAIM_SECONDS],
      )
      return rows.map(markOf)
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

    own: (shop, skuIds, withinMs) => ownUnits(database, shop, skuIds, withinMs),

    /** Keeps what was seen and written. */
    async remember(shop, rows) {
      if (rows.length === 0) return
      await pool.query(
        `insert into publication (
           shop, sku_id, product_id, seen_units, seen_at, shown_units,
           written_units, written_version, written_at, revision, quarantined, refused_units, refused_at)
         select $1, sku_id, product_id, seen_units, clock_timestamp(), shown_units,
                written_units, written_version, case when written_units is not null then clock_timestamp() end, revision,
                quarantined, refused_units, case when refused_units is not null then clock_timestamp() end
         from unnest($2::int[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bigint[], $8::text[], $9::text[], $10::int[])
           as seen (sku_id, product_id, seen_units, shown_units, written_units, written_version, revision, quarantined, refused_units)
         order by sku_id
         on conflict (shop, sku_id) do update set
           product_id = excluded.product_id,
           seen_units = excluded.seen_units,
           seen_at = excluded.seen_at,
           shown_units = excluded.shown_units,
           unread_units = case when (select silent_from is not null and not read_since_return from shop where name = $1)
             then greatest(publication.unread_units, publication.shown_units, excluded.shown_units) end,
           written_units = coalesce(excluded.written_units, publication.written_units),
           written_version = coalesce(excluded.written_version, publication.written_version),
           written_at = coalesce(excluded.written_at, publication.written_at),
           revision = coalesce(excluded.revision, publication.revision),
           (quarantined, refused_units, refused_at) = (
             select quarantined, refused_units, refused_at
             from (values
               (true, publication.quarantined, publication.refused_units, publication.refused_at),
               (false, excluded.quarantined, excluded.refused_units, excluded.refused_at)
             ) as known (as_before, quarantined, refused_units, refused_at)
             where as_before = (publication.sku_id = any($11))
           )`,
        [
          shop,
          rows.map(({ skuId }) => skuId),
          rows.map(({ productId }) => productId),
          rows.map(({ seenUnits }) => seenUnits),
          rows.map(({ shownUnits }) => shownUnits),
          rows.map(({ written }) => written?.units ?? null),
          rows.map(({ written }) => written?.version ?? null),
          rows.map(({ written }) => written?.revision ?? null),
          rows.map(({ refused }) => (typeof refused === 'object' ? refused.reason : null)),
          rows.map(({ refused }) => (typeof refused === 'object' ? refused.units : null)),
          rows.flatMap(({ skuId, refused }) => (refused === 'as before' ? [skuId] : [])),
        ],
      )
    },

    async announce(shop, rows) {
      if (rows.length === 0) return
      await pool.query(
        `insert into publication as known (shop, sku_id, shown_units)
         select $1, sku_id, units from unnest($2::int[], $3::int[]) as rising (sku_id, units) order by sku_id
         on conflict (shop, sku_id) do update set
           shown_units = greatest(known.shown_units, excluded.shown_units)`,
        [shop, rows.map(({ skuId }) => skuId), rows.map(({ units }) => units)],
      )
    },

    /** Keeps what the merchant had set before our first write. What is kept already stays. */
    async keepSettings(shop, rows) {
      if (rows.length === 0) return
      await pool.query(
        `insert into publication as known (shop, sku_id, product_id, merchant_close_out, settings_kept)
         select $1, sku_id, product_id, close_out, true
         from unnest($2::int[], $3::text[], $4::boolean[]) as had (sku_id, product_id, close_out)
         order by sku_id
         on conflict (shop, sku_id) do update set
           merchant_close_out = excluded.merchant_close_out,
           settings_kept = true
         where not known.settings_kept`,
        [
          shop,
          rows.map(({ skuId }) => skuId),
          rows.map(({ productId }) => productId),
          rows.map(({ closeOut }) => closeOut),
        ],
      )
    },

    async toGiveBack(shop, limit) {
      const { rows } = await pool.query<{
        sku_id: number
        sku: string
        product_id: string
        merchant_close_out: boolean | null
      }>(
        `select sku_id, sku.sku, product_id, merchant_close_out
         from publication
         join sku on sku.id = publication.sku_id
         where shop = $1 and settings_kept and product_id is not null
         order by sku_id
         limit $2`,
        [shop, limit],
      )
      return rows.map((row) => ({
        skuId: row.sku_id,
        sku: skuOf(row.sku),
        productId: row.product_id,
        closeOut: row.merchant_close_out,
      }))
    },

    gaveBack: (shop, skuIds) =>
      pool.query(
        `update publication set
           settings_kept = false,
           merchant_close_out = null,
           written_at = null,
           written_units = null,
           written_version = null,
           revision = null
         where shop = $1 and sku_id = any($2)`,
        [shop, skuIds],
      ),

    async leftToGiveBack(shop) {
      const { rows } = await pool.query<{ products: number }>(
        `select count(*)::int as products
         from publication
         where shop = $1 and settings_kept and product_id is not null`,
        [shop],
      )
      return rows[0]?.products ?? 0
    },

    async keepGuards(shop, rows) {
      if (rows.length > 0) await database.transaction((client) => keepGuardRows(client, shop, rows))
    },

    /**
     * Marks products that somebody wrote, and remembers of which the stock was written by somebody else. What a shop refused is
     * tried again: the product may have been mended.
     */
    async markProducts(shop, productIds, byOthers = []) {
      await pool.query(
        `with refused as (
           select sku_id
           from publication
           where shop = $1 and product_id = any($2) and refused_at is not null
           order by sku_id
           for update
         )
         update publication set refused_at = null
         from refused
         where publication.shop = $1 and publication.sku_id = refused.sku_id`,
        [shop, productIds],
      )
      if (byOthers.length > 0)
        await pool.query(
          // Whole milliseconds, as the time is compared again when it has been read.
          `insert into foreign_write (shop, sku_id, told_at)
           select shop, sku_id, date_trunc('milliseconds', clock_timestamp())
           from publication
           where shop = $1 and product_id = any($2)
           order by sku_id
           on conflict (shop, sku_id) do update set told_at = excluded.told_at`,
          [shop, byOthers],
        )
      await pool.query(
        `insert into dirty (shop, sku_id)
         select shop, sku_id
         from publication
         where shop = $1 and product_id = any($2)
         order by sku_id
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = clock_timestamp()`,
        [shop, productIds],
      )
    },

    /** Marks SKUs of orders that were read as new, changed or gone: the shop may have moved its numbers itself. */
    async markSkus(shop, skus) {
      await pool.query(
        `with touched as (
           select sku_id
           from publication
           join sku on sku.id = publication.sku_id
           where publication.shop = $1 and sku.sku = any($2)
           order by sku_id
           for update of publication
         )
         update publication set touched_at = clock_timestamp()
         from touched
         where publication.shop = $1 and publication.sku_id = touched.sku_id`,
        [shop, skus],
      )
      await pool.query(
        `insert into dirty (shop, sku_id)
         select $1, id
         from sku
         where sku = any($2)
         order by id
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = least(dirty.due_at, excluded.due_at)`,
        [shop, skus],
      )
    },

    async markProductsOf(shop, products) {
      // Index: sku_one_row. In order, as the lane makes them.
      await pool.query(
        `insert into sku (sku, sent_as)
         select product, product
         from unnest($1::text[]) as product
         where not exists (select from sku where sku = product)
         order by product
         on conflict do nothing`,
        [products],
      )
      await pool.query(
        `insert into dirty (shop, sku_id)
         select $1, id
         from sku
         where sku = any($2)
         order by id
         on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = least(dirty.due_at, excluded.due_at)`,
        [shop, products],
      )
    },

    async idsOf(skus) {
      const { rows } = await pool.query<{ sku: Sku; id: number }>('select sku, id from sku where sku = any($1)', [skus])
      return new Map(rows.map(({ sku, id }) => [sku, id]))
    },

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
           and seen_at is not null
           and ($2::timestamptz is null or seen_at >= $2)`,
        [shop, lookedAtSince === undefined ? null : timestamp(lookedAtSince)],
      )
      return new Map(rows.map((row) => [skuOf(row.sku), row.units]))
    },
  }
}

type ClaimedRow = GuardColumns & {
  sku: string
  sku_id: number
  renewed: number
  attempts: number
  written_at: Instant | null
  shown_units: number | null
  seen_at: Instant | null
  revision: string | null
  touched_at: Instant | null
  refused_at: Instant | null
  refused_units: number | null
  settings_kept: boolean
}

function markOf(row: ClaimedRow): DirtyMark {
  const guard = guardOf(row)
  return {
    sku: skuOf(row.sku),
    skuId: row.sku_id,
    renewed: row.renewed,
    attempts: row.attempts,
    ...(row.written_at === null ? {} : { writtenAt: row.written_at }),
    ...(row.shown_units === null || row.seen_at === null
      ? {}
      : {
          before: {
            units: row.shown_units,
            seenAt: row.seen_at,
            ...(row.revision === null ? {} : { revision: row.revision }),
            ...(row.touched_at === null ? {} : { touchedAt: row.touched_at }),
          },
        }),
    ...(guard === undefined ? {} : { guard }),
    ...(row.refused_units === null
      ? {}
      : { refused: { units: row.refused_units, ...(row.refused_at === null ? {} : { at: row.refused_at }) } }),
    ...(row.settings_kept ? { settingsKept: true } : {}),
  }
}
