/**
 * Checkpoints: what stands for a month once it is gone. One entry for each stream that has entries in it, with the whole state at
 * its last version there; behind that, the stream goes on as it was. The lane is held up for a few milliseconds, by the rows of the
 * SKUs at hand.
 */
import type pg from 'pg'
import { imageOf, type SkuCheckpoint, stateOfImage } from '../../core/checkpoint.ts'
import { type Demand, isLive } from '../../core/demand.ts'
import { type Instant, type Sku, skuOf } from '../../core/ids.ts'
import { emptyState, evolve, type SkuState } from '../../core/stock.ts'
import { type Database, databaseNow, type Queryable } from './database.ts'
import { endedSum } from './ended-sum.ts'
import { checkpointsOf, type FoldEntry, foldRanges } from './fold.ts'
import { appendEntries, appendEntry } from './ledger.ts'
import { archivesTold, LEDGER_STREAM } from './partitions.ts'

/** Streams of one transaction. */
const STREAMS_AT_ONCE = 100

/** A month on its way out. */
export type Cut = {
  readonly month: string
  readonly partition: string
  /** The first moment behind it. */
  readonly keptFrom: Instant
  readonly author: string
  readonly configuration: number
}

type StreamCut = { readonly stream: string; readonly last: number }

/** Writes the checkpoints that are missing. Harmless to repeat: a stream that has one for this cut is passed over. */
export async function writeCheckpoints(database: Database, cut: Cut, tell: (written: number) => void): Promise<void> {
  let written = 0
  let after = ''
  for (;;) {
    // The month's own index of ledger_entry_one_writer. The name of the partition comes from the catalogue.
    const { rows } = await database.pool.query<StreamCut>(
      `select stream, max(version) as last
       from ${cut.partition}
       where stream > $1
       group by stream
       order by stream
       limit $2`,
      [after, STREAMS_AT_ONCE],
    )
    await checkpointStreams(database, cut, rows)
    written += rows.length
    tell(written)
    after = rows.at(-1)?.stream ?? after
    if (rows.length < STREAMS_AT_ONCE) return
  }
}

async function checkpointStreams(database: Database, cut: Cut, streams: readonly StreamCut[]): Promise<void> {
  const known = await checkpointsOf(
    database.pool,
    streams.map(({ stream }) => stream),
  )
  const due = streams.filter(({ stream, last }) => (known.get(stream)?.body.checkpoint.state.version ?? 0) < last)
  const checkpoints = await skuCheckpoints(
    database.pool,
    cut,
    due.filter(({ stream }) => isSku(stream)),
    known,
  )
  await database.transaction((client) => appendSkuCheckpoints(client, cut, checkpoints))
  for (const each of due.filter(({ stream }) => !isSku(stream))) {
    const state = await otherState(database.pool, each)
    await database.transaction((client) =>
      appendEntry(client, {
        ...headOf(cut),
        stream: each.stream,
        body: { checkpoint: { state, keptFrom: cut.keptFrom } },
      }),
    )
  }
}

const isSku = (stream: string): boolean => stream.startsWith('sku:')

const headOf = ({ month, author, configuration }: Cut) => ({
  kind: 'checkpoint',
  actor: author,
  cause: `archive:${month}`,
  configuration,
})

type Known = Awaited<ReturnType<typeof checkpointsOf>>

/** The states at the cut, and what the demands that ended up to it add up to. */
async function skuCheckpoints(
  on: Queryable,
  { keptFrom }: Cut,
  streams: readonly StreamCut[],
  known: Known,
): Promise<ReadonlyMap<Sku, SkuCheckpoint>> {
  const folds = new Map(
    streams.map(({ stream }) => {
      const sku = skuOf(stream.slice('sku:'.length))
      const before = known.get(stream)?.body.checkpoint
      return [stream, beginFold(before ? stateOfImage(sku, before.state) : emptyState(sku), before)]
    }),
  )
  const ranges = streams.map(({ stream, last }) => ({
    stream,
    past: folds.get(stream)?.state.version ?? 0,
    upTo: last,
  }))
  await foldRanges(on, ranges, (entry) => folds.get(entry.stream)?.apply(entry))
  return new Map(
    [...folds.values()].map(({ state, ended }) => [
      state.sku,
      { state: imageOf(state), ended: ended(), keptFrom } satisfies SkuCheckpoint,
    ]),
  )
}

function beginFold(state: SkuState, before: SkuCheckpoint | undefined) {
  const endedHere = new Map<number, Demand>()
  const bornBefore = state.nextDemand
  let touched = false
  return {
    state,
    apply({ version, body }: FoldEntry): void {
      for (const change of body.changes ?? []) {
        if (change.set === 'demand') {
          const { no } = change.demand
          // It had ended before the last cut, whose sum holds it as it was.
          if (no < bornBefore && !state.demands.has(no) && !endedHere.has(no)) touched = true
          endedHere.delete(no)
          if (!isLive(change.demand)) endedHere.set(no, change.demand)
        }
        evolve(state, change)
        if (change.set === 'demand' && !isLive(change.demand)) state.demands.delete(change.demand.no)
      }
      state.version = version
    },
    ended() {
      const count = (before?.ended.count ?? 0) + endedHere.size
      if (touched || (before && before.ended.sum === undefined)) return { count }
      const sum = endedSum(before?.ended.sum)
      for (const demand of endedHere.values()) sum.add(demand)
      return { count, sum: sum.hex() }
    },
  }
}

/** Appends behind the present version of each SKU, under the lock of its row, in the order of every batch of the lane. */
async function appendSkuCheckpoints(
  on: pg.ClientBase,
  cut: Cut,
  checkpoints: ReadonlyMap<Sku, SkuCheckpoint>,
): Promise<void> {
  if (checkpoints.size === 0) return
  const { rows } = await on.query<{ id: number; sku: string; version: number }>(
    'select id, sku, version from sku where sku = any($1) order by id for no key update',
    [[...checkpoints.keys()]],
  )
  const at = new Date(await databaseNow(on)).toISOString()
  const entries = rows.flatMap(({ sku, version }) => {
    const checkpoint = checkpoints.get(skuOf(sku))
    const entry = { ...headOf(cut), stream: `sku:${sku}`, version: version + 1, at }
    return checkpoint ? [{ ...entry, body: { changes: [], checkpoint } }] : []
  })
  await appendEntries(on, entries)
  await on.query('update sku set version = version + 1 where id = any($1)', [rows.map(({ id }) => id)])
}

/** What a stream without a state has to remember: its version, and what only its entries tell. */
async function otherState(on: Queryable, { stream, last }: StreamCut): Promise<object> {
  if (stream === LEDGER_STREAM) {
    const told = await archivesTold(on)
    return { version: last, archives: [...told.values()] }
  }
  if (stream !== 'configuration') return { version: last }
  const { rows } = await on.query<{ version: number; hash: string }>(
    `select configuration as version, body ->> 'documentHash' as hash
     from ledger_entry
     where stream = 'configuration' and kind = 'configured' and version <= $1
     union
     select key::bigint, value
     from ledger_entry, json_each_text(body #> '{checkpoint,state,documents}')
     where stream = 'configuration' and kind = 'checkpoint' and version <= $1`,
    [last],
  )
  return { version: last, documents: Object.fromEntries(rows.map(({ version, hash }) => [version, hash])) }
}
