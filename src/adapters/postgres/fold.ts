/** Folding streams from the ledger, a page at a time: one hot SKU may have a million entries. */
import type { SkuCheckpoint } from '../../core/checkpoint.ts'
import { isLive } from '../../core/demand.ts'
import type { Instant } from '../../core/ids.ts'
import type { Change, SkuState } from '../../core/stock.ts'
import { evolve } from '../../core/stock.ts'
import type { Queryable } from './database.ts'

/** Entries read at once. */
export const FOLD_PAGE = 2_000

/** What folding needs of an entry. A checkpoint changes nothing. */
export type FoldEntry = {
  readonly stream: string
  readonly version: number
  readonly at: Instant
  readonly body: { readonly changes?: readonly Change[]; readonly checkpoint?: SkuCheckpoint }
}

/** Entries of some streams after a place, in the order of streams and versions. Index: ledger_entry_one_writer. Takes no lock. */
export async function foldPage(
  on: Queryable,
  streams: readonly string[],
  after: { readonly stream: string; readonly version: number },
): Promise<readonly FoldEntry[]> {
  const { rows } = await on.query<FoldEntry>(
    `select stream, version, at, body
     from ledger_entry
     where stream = any($1)
       and (stream, version) > ($2, $3)
     order by stream, version
     limit $4`,
    [streams, after.stream, after.version, FOLD_PAGE],
  )
  return rows
}

/** A part of a stream: the versions behind `past`, up to `upTo`. */
export type Range = { readonly stream: string; readonly past: number; readonly upTo: number }

/** Shows the entries of some ranges, stream by stream in the order of versions. Index: ledger_entry_one_writer, once for each. */
export async function foldRanges(
  on: Queryable,
  ranges: readonly Range[],
  onEntry: (entry: FoldEntry) => void,
): Promise<void> {
  const wanted = ranges.filter(({ past, upTo }) => past < upTo)
  let last = { stream: '', version: 0 }
  for (;;) {
    if (wanted.length === 0) return
    const { rows } = await on.query<FoldEntry>(
      `select entry.stream, entry.version, entry.at, entry.body
       from unnest($1::text[], $2::bigint[], $3::bigint[]) as wanted (stream, past, upto)
       join ledger_entry as entry
         on entry.stream = wanted.stream and entry.version > wanted.past and entry.version <= wanted.upto
       where (entry.stream, entry.version) > ($4, $5)
       order by entry.stream, entry.version
       limit $6`,
      [
        wanted.map(({ stream }) => stream),
        wanted.map(({ past }) => past),
        wanted.map(({ upTo }) => upTo),
        last.stream,
        last.version,
        FOLD_PAGE,
      ],
    )
    rows.forEach(onEntry)
    last = rows.at(-1) ?? last
    if (rows.length < FOLD_PAGE) return
  }
}

/** The newest checkpoint of each of some streams that has one. Index: ledger_entry_checkpoint_idx. */
export async function checkpointsOf(
  on: Queryable,
  streams: readonly string[],
): Promise<ReadonlyMap<string, FoldEntry & { readonly body: { readonly checkpoint: SkuCheckpoint } }>> {
  const { rows } = await on.query<FoldEntry & { readonly body: { readonly checkpoint: SkuCheckpoint } }>(
    `select distinct on (stream) stream, version, at, body
     from ledger_entry
     where kind = 'checkpoint'
       and stream = any($1)
     order by stream, version desc`,
    [streams],
  )
  return new Map(rows.map((row) => [row.stream, row]))
}

/** Applies an entry to the working copy, and lets go of demands that have ended: they count nowhere. */
export function applyEntry(state: SkuState, { version, body }: Pick<FoldEntry, 'version' | 'body'>): void {
  for (const change of body.changes ?? []) {
    evolve(state, change)
    if (change.set === 'demand' && !isLive(change.demand)) state.demands.delete(change.demand.no)
  }
  state.version = version
}
