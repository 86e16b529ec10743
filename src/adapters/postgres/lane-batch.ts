/** One batch of the lane: locks in one order, loads what its commands need, decides each in memory, writes all of it. */
import type pg from 'pg'
import type { Configuration } from '../../core/configuration.ts'
import { type Command, skusOf } from '../../core/decide.ts'
import { attemptsNamed } from '../../core/hold.ts'
import type { Instant, Sku } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { openAnswers } from './answers.ts'
import type { Connections, Leave, Queryable } from './database.ts'
import type { AheadOptions } from './lane-ahead.ts'
import { type Batch, type Decisions, decideAll, grantedHolds } from './lane-decide.ts'
import { loadForDecision, namedDemands, touchedBefore } from './load.ts'
import { LATEST_MIGRATION } from './migrate.ts'
import { openReceipts } from './receipts.ts'
import { newWriter, SKU_COLUMNS, type SkuRow } from './rows.ts'
import { statementsOf } from './save.ts'
import type { Remembered } from './state-cache.ts'

export type BatchOptions = {
  /** The newest migration that this version knows: on tables that a newer one has changed nothing is decided. Unlooked at if absent. */
  readonly migration?: string
  /** The rules in force; read once per batch, so that one batch uses one version. */
  readonly configuration: () => Configuration
}

/** The answers in the order of the commands, and the SKUs that changed. */
export type Decided = Pick<Decisions, 'answers' | 'byMarginUnits'> & { readonly changed: readonly Sku[] }

/** The same with every state as it is once this is committed. */
type DecidedWhole = Decided & { readonly states: readonly Remembered[] }

/** The SKUs of a batch turned out to be more than were locked: do it again. */
export class LostRace extends Error {}

/** The batch names SKUs that have no row yet. They get one in a transaction of their own, so that nobody waits for them inside one. */
export class NewSkus extends Error {}

/** Gives every SKU of a batch its row: the lock of all decisions about it. */
export async function makeSkus({ transaction }: Connections, batch: Batch): Promise<void> {
  const named = new Map<Sku, string>()
  for (const { command, origin } of batch) {
    for (const sku of skusOf(command)) if (!named.has(sku)) named.set(sku, origin.sentAs ?? sku)
  }
  // Index: sku_one_row. Rows go in by SKU, so that two batches cannot wait for each other.
  await transaction((client) =>
    client.query(
      `insert into sku (sku, sent_as)
       select sku, sent_as
       from unnest($1::text[], $2::text[]) as named (sku, sent_as)
       where not exists (select from sku as known where known.sku = named.sku)
       order by named.sku
       on conflict do nothing`,
      [[...named.keys()], [...named.values()]],
    ),
  )
}

/**
 * Decides a batch inside its transaction. Locks are taken in one order by every batch of every process: names of attempts and
 * orders, rows of SKUs, rows of the inbox, marks; each kind in an order of its own.
 *
 * For calls of the checkout it takes two round trips: one locks and looks, one writes and commits; a third, between them, only
 * for SKUs that are not remembered. Statements of one round trip are sent together and still each see what is committed when
 * their turn comes: what is read after a lock is read under it.
 *
 * @throws LostRace, NewSkus; or whatever one of the commands threw: then the whole batch is rolled back
 */
export async function decideIn(
  client: pg.PoolClient,
  leave: Leave,
  { configuration, migration, cache, clock }: AheadOptions,
  batch: Batch,
): Promise<DecidedWhole> {
  const rules = configuration()
  const commands = batch.map(({ command }) => command)
  const fence = refuseNewerTables(client, migration)
  leaveLockNames(client, leave, commands)
  const [before] = await Promise.all([touchedBefore(client, commands), fence])
  const named = [...new Set(commands.flatMap(skusOf))]
  const [rows, touched, demands, receipts, kept, around] = await Promise.all([
    lockSkus(client, named, before.skuIds),
    touchedBefore(client, commands),
    namedDemands(client, commands, before.attempts),
    openReceipts(
      client,
      batch.flatMap(({ origin }) => origin.receipt ?? []),
    ),
    openAnswers(
      client,
      batch.flatMap(({ origin }) => origin.attempt ?? []),
    ),
    lookAround(client),
  ])
  const known = new Set(rows.map(({ sku }) => sku))
  if (named.some((sku) => !known.has(sku))) throw new NewSkus()
  // A hold with the order's line keys may have been given another SKU, or have come, while we waited for the locks.
  const locked = new Set(rows.map(({ id }) => id))
  if (touched.skuIds.some((id) => !locked.has(id))) throw new LostRace()
  if (touched.attempts.some((attempt) => !before.attempts.includes(attempt))) throw new LostRace()
  const { now, isSomeShopUnread } = around
  clock.heard(now)
  const loaded = await loadForDecision(client, rows, commands, { demands, isSomeShopUnread }, cache)

  const decisions = decideAll(batch, loaded.states, { rules, now, receipts, kept })
  leave(receipts.save(client))
  leave(kept.save(client))
  const reservations = grantedHolds(batch, decisions.answers)
  const writer = newWriter()
  for (const statement of statementsOf({ ...decisions, ...loaded, reservations, now, rules, writer }))
    leave(statement(client))
  const states = [...loaded.states.values()].flatMap((state) => {
    const row = loaded.rows.get(state.sku)
    return row ? [{ id: row.id, state, writer: decisions.changes.has(state.sku) ? writer : row.writer }] : []
  })
  return { ...decisions, changed: [...decisions.changes.keys()], states }
}

/** Before any other lock: a migration that wants the tables waits for this batch, or this batch for it. */
async function refuseNewerTables(on: Queryable, migration: string | undefined): Promise<void> {
  if (migration === undefined) return
  const { rows } = await on.query<{ latest: string }>({ name: 'latest_migration', text: LATEST_MIGRATION })
  if (rows[0] && rows[0].latest > migration) {
    throw new Failure(
      'TABLES_NEWER',
      `The tables were brought up to date by a newer Holdfast (${rows[0].latest}); this one decides nothing on them`,
      { retry: 'never' },
    )
  }
}

/**
 * Two commands about one attempt or one order may name different SKUs, and neither would find the other's rows: they wait for
 * each other at its name. A call of the checkout makes a new attempt each time, so nothing waits there. At most two locks for each
 * command of a batch, until its commit.
 */
function leaveLockNames(on: Queryable, leave: Leave, commands: readonly Command[]): void {
  const names = new Set<string>()
  for (const command of commands) {
    if (command.kind === 'order') names.add(`order:${command.shop}:${command.order.orderId}`)
    if (command.kind === 'hold') {
      for (const attempt of attemptsNamed(command)) names.add(`attempt:${attempt}`)
      continue
    }
    if ('reservation' in command && command.reservation !== undefined) names.add(`attempt:${command.reservation}`)
  }
  if (names.size === 0) return
  leave(
    on.query({
      name: 'lock_names',
      text: `
        select pg_advisory_xact_lock(key)
        from (
          select distinct hashtextextended(current_schema() || name, 0) as key
          from unnest($1::text[]) as name
          order by key
        ) as names`,
      values: [[...names]],
    }),
  )
}

/** Locks the rows of all SKUs, by ascending id, in every batch of every process. Indexes: primary key, sku_one_row. */
async function lockSkus(on: Queryable, named: readonly Sku[], ids: readonly number[]): Promise<readonly SkuRow[]> {
  const { rows } = await on.query<SkuRow>({
    name: 'lock_skus',
    text: `
      select ${SKU_COLUMNS}
      from sku
      where sku = any($1) or id = any($2)
      order by id
      for no key update`,
    values: [named, ids],
  })
  return rows
}

type Around = { readonly now: Instant; readonly isSomeShopUnread: boolean }

/** The moment of the decision, on the database's clock, and whether a shop that was silent still has to be read (L2). */
async function lookAround(on: Queryable): Promise<Around> {
  const { rows } = await on.query<Around>({
    name: 'look_around',
    text: `
      select clock_timestamp() as now,
             exists (select from shop where silent_from is not null and not read_since_return) as "isSomeShopUnread"`,
  })
  const [row] = rows
  if (!row) throw new Error('PostgreSQL answered without a row')
  return row
}
