/**
 * The past: the state of a SKU at any version or moment, folded from the nearest snapshot before it; where there is none, from the
 * checkpoint that stands for archived months, else from nothing.
 */

import { EMPTY_DOCUMENT } from '../../app/configuration-file.ts'
import { type StateImage, stateOfImage } from '../../core/checkpoint.ts'
import { after, type Instant, type Sku } from '../../core/ids.ts'
import { streamOfSku } from '../../core/ledger.ts'
import { emptyState, type SkuState } from '../../core/stock.ts'
import type { StoredConfiguration } from './configuration-store.ts'
import { type Queryable, timestamp } from './database.ts'
import { applyEntry, checkpointsOf, FOLD_PAGE, type FoldEntry, foldRanges } from './fold.ts'

/** How far a clock may have been set back without hiding what was decided then: a day. */
const CLOCK_SLACK_MS = 24 * 60 * 60 * 1_000

/** What can be said about a SKU at a moment. */
export type Past =
  | { readonly kind: 'known'; readonly state: SkuState; readonly at: Instant }
  /** It has no entry at all. */
  | { readonly kind: 'unknown' }
  /** Its first entry is later. */
  | { readonly kind: 'not-yet'; readonly firstAt: Instant }
  /** Its entries of that time were archived; it is kept from the checkpoint's version on. */
  | { readonly kind: 'archived'; readonly keptFrom: Instant }

/** The state as it was at a moment: all entries up to it, on the database's clock. */
export async function stateAtMoment(on: Queryable, sku: Sku, moment: Instant): Promise<Past> {
  const stream = streamOfSku(sku)
  // Index: ledger_snapshot_at_idx, backwards.
  const { rows } = await on.query<{ at: Instant; state: StateImage }>(
    'select at, state from ledger_snapshot where stream = $1 and at <= $2 order by at desc, version desc limit 1',
    [stream, timestamp(moment)],
  )
  const [snapshot] = rows
  const base = snapshot ? { state: stateOfImage(sku, snapshot.state), at: snapshot.at } : await startOf(on, sku, moment)
  if ('kind' in base) return base
  const { state } = base
  let at = base.at
  for (;;) {
    // Index: ledger_entry_one_writer; other months than those between the base and the moment are not looked at.
    const page = await on.query<FoldEntry>(
      `select stream, version, at, body
       from ledger_entry
       where stream = $1
         and version > $2
         and at between $3 and $4
       order by version
       limit $5`,
      [stream, state.version, timestamp(after(at, -CLOCK_SLACK_MS)), timestamp(moment), FOLD_PAGE],
    )
    for (const entry of page.rows) {
      // A clock that was set back: what was decided behind a later entry is later too.
      if (entry.version !== state.version + 1) return { kind: 'known', state, at }
      applyEntry(state, entry)
      at = entry.at
    }
    if (page.rows.length < FOLD_PAGE) return { kind: 'known', state, at }
  }
}

/** Where a stream without a snapshot before the moment begins. */
async function startOf(on: Queryable, sku: Sku, moment: Instant): Promise<Past | { state: SkuState; at: Instant }> {
  const stream = streamOfSku(sku)
  const { rows } = await on.query<{ version: number; at: Instant }>(
    'select version, at from ledger_entry where stream = $1 order by version limit 1',
    [stream],
  )
  const [first] = rows
  if (!first) return { kind: 'unknown' }
  const checkpoint = (await checkpointsOf(on, [stream])).get(stream)?.body.checkpoint
  if (!checkpoint) {
    return first.at > moment ? { kind: 'not-yet', firstAt: first.at } : { state: emptyState(sku), at: first.at }
  }
  const { keptFrom, state } = checkpoint
  return keptFrom > moment ? { kind: 'archived', keptFrom } : { state: stateOfImage(sku, state), at: keptFrom }
}

/** The rules that were in force at a moment; version 0 and nothing in it before the first. Reads the few rows of configuration. */
export async function configurationAt(on: Queryable, moment: Instant): Promise<StoredConfiguration> {
  const { rows } = await on.query<StoredConfiguration>(
    'select version, document from configuration where created_at < $1 order by version desc limit 1',
    [timestamp(after(moment, 1))],
  )
  return rows[0] ?? { version: 0, document: EMPTY_DOCUMENT }
}

/** A SKU, and the version at which it is wanted. */
export type Wanted = { readonly sku: Sku; readonly version: number }

/**
 * States of several SKUs, each at a version of its own, in a handful of questions. Each is a new working copy.
 * A version before the checkpoint of archived months is not known any more, and is left out.
 */
export async function statesAt(on: Queryable, wanted: readonly Wanted[]): Promise<ReadonlyMap<Sku, SkuState>> {
  const states = new Map<string, { readonly state: SkuState; readonly upTo: number }>()
  const streams = wanted.map(({ sku }) => streamOfSku(sku))
  // Primary key of ledger_snapshot, backwards, once for each SKU.
  const { rows } = await on.query<{ stream: string; state: StateImage }>(
    `select wanted.stream, snapshot.state
     from unnest($1::text[], $2::bigint[]) as wanted (stream, version)
     cross join lateral (
       select state
       from ledger_snapshot
       where ledger_snapshot.stream = wanted.stream and ledger_snapshot.version <= wanted.version
       order by ledger_snapshot.version desc
       limit 1
     ) as snapshot`,
    [streams, wanted.map(({ version }) => version)],
  )
  const snapshots = new Map(rows.map(({ stream, state }) => [stream, state]))
  const bare = streams.filter((stream) => !snapshots.has(stream))
  const checkpoints = bare.length > 0 ? await checkpointsOf(on, bare) : new Map()
  for (const { sku, version } of wanted) {
    const stream = streamOfSku(sku)
    const image: StateImage | undefined = snapshots.get(stream) ?? checkpoints.get(stream)?.body.checkpoint.state
    if (image && image.version > version) continue
    states.set(stream, { state: image ? stateOfImage(sku, image) : emptyState(sku), upTo: version })
  }
  const ranges = [...states].map(([stream, { state, upTo }]) => ({ stream, past: state.version, upTo }))
  await foldRanges(on, ranges, (entry) => {
    const state = states.get(entry.stream)?.state
    if (state) applyEntry(state, entry)
  })
  return new Map([...states.values()].map(({ state }) => [state.sku, state]))
}
