/**
 * Deciding ahead: calls of the checkout about SKUs that are remembered are decided before PostgreSQL is asked anything. The whole
 * transaction then goes out in one piece, and the next batch is decided, on what this one will have left, while PostgreSQL still
 * writes it. So a hot SKU keeps both sides busy.
 *
 * Nobody is answered before the commit of his own batch. And the transaction begins by asking, under the locks of its SKUs,
 * whether all stands that it was decided on: that the row of each SKU was last written by the very batch that we remember, that
 * nobody has its line keys, that no shop is unread, that our clock is right. If not, nothing of it is kept, nor of those that
 * were decided on top of it, since each of them asks for the batch before it; all are decided again in the ordinary way.
 *
 * "Written by that very batch", and not "at that version": had the batch before been lost, another process could have brought the
 * row to the same number by other decisions.
 */
import { attemptsNamed } from '../../core/hold.ts'
import type { Instant, Sku } from '../../core/ids.ts'
import { type SkuState, shortageUnits } from '../../core/stock.ts'
import { Failure } from '../../errors.ts'
import type { Ways } from './at-once.ts'
import type { Queryable } from './database.ts'
import type { BatchOptions, Decided } from './lane-batch.ts'
import { type LaneClock, MAX_LAG_MS } from './lane-clock.ts'
import { type Batch, type Decisions, decideAll, grantedHolds } from './lane-decide.ts'
import { LATEST_MIGRATION } from './migrate.ts'
import { codeOf } from './outage.ts'
import { newWriter } from './rows.ts'
import { statementsOf } from './save.ts'
import type { Remembered, StateCache } from './state-cache.ts'

export type AheadOptions = BatchOptions & {
  readonly cache: StateCache
  readonly clock: LaneClock
  readonly ways: Ways
}

/**
 * Decides a batch ahead, where it can be.
 *
 * @returns `undefined` when the batch has to be decided in the ordinary way; nothing of it was kept
 * @throws Failure DATABASE_UNREACHABLE: whether it was kept is unknown
 */
export async function decideAhead(options: AheadOptions, batch: Batch): Promise<Decided | undefined> {
  const { cache, clock, ways } = options
  const remembered = rememberedFor(batch, options)
  const now = clock.now()
  if (!remembered || now === undefined) return undefined
  const skus = [...remembered.keys()]
  try {
    const rules = options.configuration()
    const rows = new Map([...remembered].map(([sku, { id, state }]) => [sku, { id, next_demand: state.nextDemand }]))
    const standing = [...remembered.values()].map(({ id, state, writer }) => ({ id, version: state.version, writer }))
    const states = new Map<Sku, SkuState>([...remembered].map(([sku, { state }]) => [sku, state]))
    const decisions = decideAll(batch, states, { rules, now })
    const reservations = grantedHolds(batch, decisions.answers)
    const writer = newWriter()
    // Whole now: once the next batch builds on these states they are not what this one leaves.
    const statements = statementsOf({ ...decisions, states, rows, reservations, now, rules, writer })
    cache.put([...remembered.values()].map((each) => ({ ...each, writer: writerOf(each, decisions, writer) })))
    const heard = await ways.send(skus, (client, leave) => {
      if (options.migration !== undefined) leave(refuseNewerTables(client, options.migration))
      leave(lock(client, standing))
      const stands = stand(client, { standing, lineKeys: lineKeysOf(batch), now })
      leave(stands)
      for (const statement of statements) leave(statement(client))
      return stands
    })
    clock.heard(heard)
    return { ...decisions, changed: [...decisions.changes.keys()] }
  } catch (cause) {
    cache.forget(skus)
    if (cause instanceof Failure) throw cause
    if (codeOf(cause) === NOT_STANDING) ways.giveUp(skus)
    // Whatever else it was, the ordinary way will find it again, or not.
    return undefined
  }
}

/** What `refuse_unless` raises. */
const NOT_STANDING = 'HF001'

/** Every SKU of the batch, if the batch consists of nothing but calls of the checkout about SKUs that are remembered. */
function rememberedFor(batch: Batch, { cache, ways }: AheadOptions): ReadonlyMap<Sku, Remembered> | undefined {
  const remembered = new Map<Sku, Remembered>()
  for (const { command, origin } of batch) {
    if (command.kind !== 'hold' || attemptsNamed(command).length > 0) return undefined
    // What a buyer has open, and what was answered before, is not remembered.
    if (command.buyer || origin.receipt || origin.attempt) return undefined
    for (const { sku } of command.lines) {
      if (remembered.has(sku)) continue
      const known = cache.look(sku)
      // Whatever becomes free serves a shortage: such a SKU is decided with all its demands at hand.
      if (!known || shortageUnits(known.state) > 0 || ways.isGivenUp(sku)) return undefined
      remembered.set(sku, known)
    }
  }
  return remembered
}

const writerOf = ({ state, writer }: Remembered, { changes }: Decisions, own: number): number =>
  changes.has(state.sku) ? own : writer

const lineKeysOf = (batch: Batch): readonly string[] =>
  batch.flatMap(({ command }) => (command.kind === 'hold' ? command.lines.flatMap(({ lineKey }) => lineKey ?? []) : []))

/** Before any other lock, as every batch: a migration that wants the tables waits for this one. */
const refuseNewerTables = (on: Queryable, migration: string) =>
  on.query({
    name: 'tables_known',
    text: `select refuse_unless(coalesce((${LATEST_MIGRATION}) <= $1, true))`,
    values: [migration],
  })

type Standing = readonly { readonly id: number; readonly version: number; readonly writer: number }[]

// By ascending id, as every batch of every process. Index: primary key.
const lock = (on: Queryable, standing: Standing) =>
  on.query({
    name: 'lock_known',
    text: 'select from sku where id = any($1) order by id for no key update',
    values: [standing.map(({ id }) => id)],
  })

/** Fails unless all stands that was decided on. Indexes: primary key of sku, demand_line_key_idx. The rows are locked. */
async function stand(
  on: Queryable,
  { standing, lineKeys, now }: { standing: Standing; lineKeys: readonly string[]; now: Instant },
): Promise<Instant> {
  const { rows } = await on.query<{ now: Instant }>({
    name: 'stand',
    text: `
      select clock_timestamp() as now,
             refuse_unless(
               (select count(*)
                from unnest($1::int[], $2::bigint[], $3::bigint[]) as known (id, version, writer)
                join sku using (id, version, writer)) = cardinality($1)
               and not exists (select from demand where line_key = any($4))
               and not exists (select from shop where silent_from is not null and not read_since_return)
               and abs(extract(epoch from clock_timestamp()) * 1000 - $5::bigint) < $6::int
             )`,
    values: [
      standing.map(({ id }) => id),
      standing.map(({ version }) => version),
      standing.map(({ writer }) => writer),
      lineKeys,
      now,
      MAX_LAG_MS,
    ],
  })
  const [row] = rows
  if (!row) throw new Error('PostgreSQL answered without a row')
  return row.now
}
