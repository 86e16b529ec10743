/**
 * Snapshots on the way of a stream, so that the past is as near as the present. They are derived: nothing is lost when the table
 * is emptied, and `verify` compares each with the fold. Made behind the lane, from entries that are certain; the lane knows nothing
 * of them.
 */
import { imageOf } from '../../core/checkpoint.ts'
import { type Instant, skuOf } from '../../core/ids.ts'
import { type Database, timestamp } from './database.ts'
import { statesAt } from './history.ts'
import type { FeedPlace } from './queries.ts'

/** Each so many entries of a stream; the index ledger_entry_milestone_idx says the same number. */
export const SNAPSHOT_EVERY = 200
/** Milestones of one round. */
const MILESTONES_AT_ONCE = 50

type Milestone = FeedPlace & { readonly stream: string; readonly version: number; readonly at: Instant }

/** Where the next round goes on, and whether there is more to do at once. */
export type SnapshotRound = { readonly place: FeedPlace; readonly more: boolean }

/**
 * Takes the snapshots that are due behind a place in the feed. Without a place it goes on behind the newest snapshot. Two processes
 * at once do the same work twice, and no harm.
 */
export async function takeSnapshots({ pool }: Database, after?: FeedPlace): Promise<SnapshotRound> {
  const from = after ?? (await newestPlace({ pool }))
  // Index: ledger_entry_milestone_idx. Takes no lock.
  const { rows } = await pool.query<Milestone>(
    `select stream, version, at, ledger_entry.txid::text as txid, seq
     from ledger_entry
     where version % 200 = 0
       and (ledger_entry.txid, seq) > ($1::xid8, $2::bigint)
       and ledger_entry.txid < pg_snapshot_xmin(pg_current_snapshot())
     order by ledger_entry.txid, seq
     limit $3`,
    [from.txid, from.seq, MILESTONES_AT_ONCE],
  )
  for (const milestone of rows) {
    if (milestone.stream.startsWith('sku:')) await takeSnapshot({ pool }, milestone)
  }
  const last = rows.at(-1)
  return { place: last ? { txid: last.txid, seq: last.seq } : from, more: rows.length === MILESTONES_AT_ONCE }
}

async function newestPlace({ pool }: Pick<Database, 'pool'>): Promise<FeedPlace> {
  // Index: ledger_snapshot_feed_idx, backwards.
  const { rows } = await pool.query<FeedPlace>(
    `select ledger_snapshot.txid::text as txid, seq
     from ledger_snapshot
     order by ledger_snapshot.txid desc, seq desc
     limit 1`,
  )
  return rows[0] ?? { txid: '0', seq: 0 }
}

/** A state with many live demands is kept less often: all snapshots together stay about as large as the entries. */
async function takeSnapshot({ pool }: Pick<Database, 'pool'>, milestone: Milestone): Promise<void> {
  const { stream, version, at, txid, seq } = milestone
  const { rows } = await pool.query<{ version: number; liveDemands: number }>(
    `select version, live_demands as "liveDemands"
     from ledger_snapshot
     where stream = $1 and version <= $2
     order by version desc
     limit 1`,
    [stream, version],
  )
  const [before] = rows
  if (before && version - before.version < Math.max(1, before.liveDemands)) return
  const sku = skuOf(stream.slice('sku:'.length))
  const state = (await statesAt(pool, [{ sku, version }])).get(sku)
  if (state?.version !== version) return
  const image = imageOf(state)
  await pool.query(
    `insert into ledger_snapshot (stream, version, at, txid, seq, live_demands, state)
     values ($1, $2, $3, $4::xid8, $5, $6, $7)
     on conflict (stream, version) do nothing`,
    [stream, version, timestamp(at), txid, seq, image.demands.length, JSON.stringify(image)],
  )
}
