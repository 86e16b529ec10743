/** Full comparisons of shops: marks are set a few at a time, behind what is due anyway. */
import type { ShopId } from '../../core/ids.ts'
import type { Database } from './database.ts'

/** A comparison, as far as it has come. */
export type ResyncState = {
  readonly state: 'running' | 'stopped' | 'done'
  readonly begunAt: string
  readonly endedAt?: string
  /** Numbers that were looked at since it began, of those that a warehouse has spoken of. */
  readonly comparedSkus: number
  readonly totalSkus: number
}

/** Marks of a comparison that may be due at a time: what changes meanwhile waits behind so many at most, two passes of a publisher. */
export const RESYNC_MARKS = 500

export type ResyncBook = ReturnType<typeof resyncsOn>

/** The comparisons on PostgreSQL. */
export function resyncsOn(database: Database) {
  const { pool } = database
  return {
    /** Begins one, or goes on with one that was stopped. One that runs is left as it is. */
    begin: (shop: ShopId) =>
      pool.query(
        `insert into resync (shop, state) values ($1, 'running')
         on conflict (shop) do update set
           state = 'running',
           begun_at = case when resync.state = 'done' then clock_timestamp() else resync.begun_at end,
           last_sku_id = case when resync.state = 'done' then 0 else resync.last_sku_id end,
           ended_at = null`,
        [shop],
      ),

    /** Stops it where it is; marks that are set already are worked off. */
    stop: (shop: ShopId) =>
      pool.query(`update resync set state = 'stopped' where shop = $1 and state = 'running'`, [shop]),

    /** How far it has come; `undefined` when nobody ever asked for one. Reads one row for each number of the shop. */
    async progress(shop: ShopId): Promise<ResyncState | undefined> {
      const { rows } = await pool.query<ProgressRow>(
        `select resync.state, resync.begun_at, resync.ended_at,
                (select count(*)::int from publication where shop = $1 and seen_at >= resync.begun_at) as compared,
                (select count(distinct sku_id)::int from figure) as total
         from resync
         where shop = $1`,
        [shop],
      )
      const [row] = rows
      if (!row) return undefined
      return {
        state: row.state,
        begunAt: new Date(row.begun_at).toISOString(),
        ...(row.ended_at === null ? {} : { endedAt: new Date(row.ended_at).toISOString() }),
        comparedSkus: Math.min(row.compared, row.total),
        totalSkus: row.total,
      }
    },

    running: async (): Promise<readonly ShopId[]> => {
      const { rows } = await pool.query<{ shop: ShopId }>(`select shop from resync where state = 'running'`)
      return rows.map(({ shop }) => shop)
    },

    /**
     * Sets the next marks when few are due, and ends the comparison when all are set and worked off. Index: dirty_due_idx,
     * figure_pkey. Locks the comparison, then marks by SKU, as everyone does.
     *
     * @returns whether marks were set
     */
    feed: (shop: ShopId): Promise<boolean> =>
      database.transaction(async (client) => {
        const { rows } = await client.query<{ last_sku_id: number; due: number }>(
          `select last_sku_id,
                  (select count(*)::int
                   from (select from dirty where shop = $1 and due_at <= clock_timestamp() limit $2) as few) as due
           from resync
           where shop = $1 and state = 'running'
           for update`,
          [shop, RESYNC_MARKS],
        )
        const [row] = rows
        const free = RESYNC_MARKS - (row?.due ?? RESYNC_MARKS)
        if (!row || free < RESYNC_MARKS / 2) return false
        const { rows: set } = await client.query<{ last: number | null }>(
          `with next as (
             select distinct sku_id
             from figure
             where sku_id > $2
             order by sku_id
             limit $3
           ), marked as (
             insert into dirty (shop, sku_id)
             select $1, sku_id
             from next
             order by sku_id
             on conflict (shop, sku_id) do update set
               renewed = dirty.renewed + 1,
               due_at = least(dirty.due_at, excluded.due_at)
           )
           select max(sku_id) as last
           from next`,
          [shop, row.last_sku_id, free],
        )
        const last = set[0]?.last ?? null
        if (last !== null) await client.query('update resync set last_sku_id = $2 where shop = $1', [shop, last])
        else if (row.due === 0)
          await client.query(`update resync set state = 'done', ended_at = clock_timestamp() where shop = $1`, [shop])
        return last !== null
      }),
  }
}

type ProgressRow = {
  state: ResyncState['state']
  begun_at: number
  ended_at: number | null
  compared: number
  total: number
}
