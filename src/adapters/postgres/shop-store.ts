/** What Holdfast remembers of each connected shop: its state, its watermark, its silence, its heartbeats. */

import type { OrderTrail, ShopBook, ShopState } from '../../app/shop-ports.ts'
import { type Instant, instantOf, type ShopId, shopOf } from '../../core/ids.ts'
import { configurationVersion } from './configuration-store.ts'
import { type Database, databaseNow, timestamp } from './database.ts'
import { appendEntry } from './ledger.ts'
import { unpaidOrdersOn } from './unpaid-store.ts'

/** When nobody has given a sign of life for so long, shops may have gone on by themselves: five beats. */
export const HEARTBEAT_LOST_AFTER_MS = 5_000
/** An installation is registered first and activated within this: longer than any installation takes. */
const ACTIVATED_WITHIN_MS = 60_000
const ORDERS = 'orders'

/** The shop side's memory on PostgreSQL. */
export function shopBookOn(database: Database): ShopBook {
  const { pool } = database
  const setState = (shop: ShopId, state: ShopState) =>
    pool.query(
      `insert into shop (name, state) values ($1, $2) on conflict (name) do update set state = excluded.state`,
      [shop, state],
    )

  return {
    ...unpaidOrdersOn(pool),

    now: () => databaseNow(pool),

    /** Every shop that has ever registered, with its watermark. */
    async all() {
      const { rows } = await pool.query<{
        name: string
        state: ShopState
        registered_at: Instant | null
        baseline_at: Instant | null
        silent_from: Instant | null
        returned_at: Instant | null
        read_since_return: boolean
        moment: Instant | null
        pages_are_old: boolean
      }>(
        `select shop.name, state, registered_at, baseline_at, silent_from, returned_at, read_since_return, watermark.moment,
                registered_at is not null and registered_at > coalesce(pages_cleared_at, '-infinity') as pages_are_old
         from shop
         left join watermark on watermark.owner = shop.name and watermark.reader = $1`,
        [ORDERS],
      )
      return rows.map((row) => ({
        shop: shopOf(row.name),
        state: row.state,
        registeredAt: row.registered_at ?? undefined,
        baselineAt: row.baseline_at ?? undefined,
        silentFrom: row.silent_from ?? undefined,
        returnedAt: row.returned_at ?? undefined,
        readSinceReturn: row.read_since_return,
        watermark: row.moment ?? undefined,
        pagesAreOld: row.pages_are_old,
      }))
    },

    setState,

    async released(shop) {
      await database.transaction(async (client) => {
        const { rowCount } = await client.query(
          `update shop set state = 'gone' where name = $1 and state = 'releasing'`,
          [shop],
        )
        if (rowCount !== 1) return
        await appendEntry(client, {
          stream: `shop:${shop}`,
          kind: 'released',
          actor: 'holdfast',
          cause: 'settings-given-back',
          configuration: await configurationVersion(client),
          body: {},
        })
      })
    },

    pagesCleared: (shop: ShopId) =>
      pool.query('update shop set pages_cleared_at = clock_timestamp() where name = $1', [shop]),

    /**
     * A confirmed registration or an activation: the shop waits for its baseline. One that had it only came back, and while it was
     * away it sold by itself: it is silent, and returned now. The activation that belongs to an installation is no return. A shop
     * that was retired begins anew: its trail was given up, and where it ended nobody knows.
     */
    registered: (shop: ShopId) =>
      pool.query(
        `insert into shop as known (name, state, registered_at)
         values ($1, 'registered', clock_timestamp())
         on conflict (name) do update set
           state = case when known.baseline_at is null or known.state = 'retired' then 'registered' else 'connected' end,
           baseline_at = case when known.state <> 'retired' then known.baseline_at end,
           registered_at = clock_timestamp(),
           (silent_from, silence_noticed_at, returned_at, read_since_return) = (
             select case when came_back then coalesce(known.silent_from, now) else known.silent_from end,
                    case when came_back then now else known.silence_noticed_at end,
                    case when came_back then now else known.returned_at end,
                    known.read_since_return and not came_back
             from (
               select clock_timestamp() as now,
                      known.baseline_at is not null
                        and known.state <> 'retired'
                        and (known.state <> 'connected'
                          or known.registered_at < clock_timestamp() - make_interval(secs => $2)) as came_back
             ) as found
           )`,
        [shop, ACTIVATED_WITHIN_MS / 1000],
      ),

    /** The open orders of the shop have been read: from now on it is published. Every known SKU is due, and the ledger tells of it. */
    async connected(shop) {
      await database.transaction(async (client) => {
        await appendEntry(client, {
          stream: `shop:${shop}`,
          kind: 'baseline',
          actor: `shop:${shop}`,
          cause: 'connected',
          configuration: await configurationVersion(client),
          body: { openOrders: 'read' },
        })
        await client.query(`update shop set state = 'connected', baseline_at = clock_timestamp() where name = $1`, [
          shop,
        ])
        await client.query(
          `insert into dirty (shop, sku_id)
           select distinct $1, sku_id
           from figure
           order by sku_id
           on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = clock_timestamp()`,
          [shop],
        )
      })
    },

    async trail(shop) {
      const { rows } = await pool.query<{
        trail: { known?: OrderTrail['known']; shopClock?: number } | null
        baseline_at: Instant | null
      }>(
        `select trail, baseline_at
         from shop
         left join watermark on watermark.owner = shop.name and watermark.reader = $2
         where shop.name = $1`,
        [shop, ORDERS],
      )
      const trail = rows[0]?.trail
      return {
        baselineAt: rows[0]?.baseline_at ?? undefined,
        known: trail?.known ?? [],
        shopClock: trail?.shopClock === undefined ? undefined : instantOf(trail.shopClock),
      }
    },

    /** Moves the watermark on; it never goes back. `moment` absent: only the trail is kept (baseline). */
    moveWatermark: (shop, trail, moment) =>
      pool.query(
        `insert into watermark (owner, reader, moment, trail)
         values ($1, $2, $3, $4)
         on conflict (owner, reader) do update set moment = greatest(watermark.moment, excluded.moment), trail = excluded.trail`,
        [shop, ORDERS, moment === undefined ? null : timestamp(moment), JSON.stringify(trail)],
      ),

    // ── silence (L2) ──

    /** Silence begins for one shop; one that lasts already keeps its beginning. */
    silence: (shop: ShopId, from: Instant) =>
      pool.query(
        `update shop set
           silent_from = least(coalesce(silent_from, $2), $2),
           silence_noticed_at = clock_timestamp(),
           returned_at = null,
           read_since_return = false
         where name = $1 and state = 'connected'`,
        [shop, timestamp(from)],
      ),

    silenceByOrder: (shop: ShopId) =>
      pool.query(
        `update shop set
           silent_from = clock_timestamp(),
           silence_noticed_at = clock_timestamp(),
           returned_at = null,
           read_since_return = false
         where name = $1
           and state = 'connected'
           and silent_from is null`,
        [shop],
      ),

    /** We are back: what follows waits for a complete read, then for the watermark. */
    returned: (shop: ShopId) =>
      pool.query(
        `update shop set returned_at = clock_timestamp()
         where name = $1 and silent_from is not null and returned_at is null`,
        [shop],
      ),

    /** A shop that could not call for so long, say because it shows nothing but zeros, counts as back: its orders are being read. */
    assumeReturned: (afterMs: number) =>
      pool.query(
        `update shop set returned_at = clock_timestamp()
         where silent_from is not null
           and returned_at is null
           and silence_noticed_at < clock_timestamp() - make_interval(secs => $1)`,
        [afterMs / 1000],
      ),

    /** A complete read that began at `startedAt` is done. Ends the first stage, and both once the watermark has passed. */
    readDone: (shop: ShopId, startedAt: Instant) =>
      pool.query(
        `update shop set
           read_since_return = read_since_return or returned_at <= $2,
           silent_from = case when watermark.moment >= returned_at then null else silent_from end,
           returned_at = case when watermark.moment >= returned_at then null else returned_at end
         from watermark
         where shop.name = $1
           and watermark.owner = shop.name
           and watermark.reader = $3
           and shop.returned_at is not null`,
        [shop, timestamp(startedAt), ORDERS],
      ),

    /** The last sign of life of any process, this one's own included. */
    async lastHeartbeat() {
      const { rows } = await pool.query<{ last: Instant | null }>('select max(heartbeat_at) as last from process')
      return rows[0]?.last ?? undefined
    },

    async heartbeat(me: string) {
      const { rows } = await pool.query<{ silent_from: Instant | null }>(
        `with before as (select max(heartbeat_at) as last from process)
         insert into process (id) values ($1)
         on conflict (id) do update set heartbeat_at = clock_timestamp()
         returning (select last from before where last < clock_timestamp() - make_interval(secs => $2)) as silent_from`,
        [me, HEARTBEAT_LOST_AFTER_MS / 1000],
      )
      return rows[0]?.silent_from ?? undefined
    },

    farewell: (me: string) =>
      pool.query('update process set heartbeat_at = clock_timestamp(), ended_at = clock_timestamp() where id = $1', [
        me,
      ]),

    // ── holds and rises that are due ──

    /** (shop, SKU) pairs whose holds may end now. Index: demand_deadline_idx. */
    async dueHolds(limit) {
      const { rows } = await pool.query<{ shop: string; sku: string; moment: Instant | null }>(
        `select distinct demand.shop, sku.sku, watermark.moment
         from demand
         join sku on sku.id = demand.sku_id
         left join watermark on watermark.owner = demand.shop and watermark.reader = $1
         where demand.phase = 'held'
           and demand.ended is null
           and ((deadline_kind = 'watermark' and deadline_at < watermark.moment)
             or (deadline_kind = 'moment' and deadline_at <= clock_timestamp()))
         limit $2`,
        [ORDERS, limit],
      )
      return rows.map((row) => ({ shop: shopOf(row.shop), sku: row.sku, watermark: row.moment ?? undefined }))
    },

    /** SKUs with a rise of an unordered source that has stood long enough. Index: figure_rise_due_idx. */
    async dueRises(limit) {
      const { rows } = await pool.query<{ sku: string }>(
        `select distinct sku.sku
         from figure
         join sku on sku.id = figure.sku_id
         where rise_due_at <= clock_timestamp()
         limit $1`,
        [limit],
      )
      return rows.map(({ sku }) => sku)
    },

    /** Ids of open orders that we count, after one of them in order: the whole set is read again in turn. Index: demand_order_idx. */
    async openOrderIds(shop, after, limit) {
      const { rows } = await pool.query<{ order_id: string }>(
        `select distinct order_id
         from demand
         where shop = $1
           and order_id > $2
           and ended is null
         order by order_id
         limit $3`,
        [shop, after, limit],
      )
      return rows.map((row) => row.order_id)
    },
  }
}
