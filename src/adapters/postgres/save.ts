/** Writes what a batch of decisions left behind: a handful of array statements, whatever the number of commands. */
import type { Configuration } from '../../core/configuration.ts'
import type { Incident } from '../../core/draft.ts'
import { riseDueAt } from '../../core/figure.ts'
import type { HoldCommand } from '../../core/hold.ts'
import type { Instant, Sku } from '../../core/ids.ts'
import type { LedgerEntry } from '../../core/ledger.ts'
import { type Change, inboundKey, type SkuState, shelfCount } from '../../core/stock.ts'
import { type Queryable, timestamp } from './database.ts'
import { appendEntries } from './ledger.ts'
import type { Loaded } from './load.ts'
import { rowOfDemand, rowOfInbound, rowOfShelf, rowOfShopCount } from './rows.ts'

/** Everything that one batch changed. */
export type Outcome = {
  readonly loaded: Loaded
  /** Per SKU, in the order decided. SKUs without a change are left out. */
  readonly changes: ReadonlyMap<Sku, readonly Change[]>
  readonly entries: readonly LedgerEntry[]
  readonly incidents: readonly (Incident & { readonly sku: Sku })[]
  readonly reservations: readonly (Pick<HoldCommand, 'reservation' | 'shop' | 'via' | 'until'> & {
    basket?: Uint8Array
  })[]
  readonly now: Instant
  readonly rules: Configuration
}

/** Saves a batch inside its transaction. The rows of its SKUs are locked, so nothing here waits for another batch. */
export async function save(on: Queryable, outcome: Outcome): Promise<void> {
  const touched = [...outcome.changes.keys()].flatMap((sku) => {
    const state = outcome.loaded.states.get(sku)
    const id = outcome.loaded.ids.get(sku)
    return state && id !== undefined ? [{ state, id, changes: outcome.changes.get(sku) ?? [] }] : []
  })
  if (outcome.reservations.length > 0) await saveReservations(on, outcome)
  if (touched.length > 0) {
    await saveSkus(on, touched)
    await saveDemands(on, touched)
    await saveShelves(on, touched)
    await saveShopCounts(on, touched)
    await saveInbound(on, touched, outcome.now)
    await appendEntries(on, outcome.entries)
    await markDirty(on, touched, outcome.rules)
  }
  await saveIncidents(on, outcome)
}

type Touched = readonly { readonly state: SkuState; readonly id: number; readonly changes: readonly Change[] }[]

const saveSkus = (on: Queryable, touched: Touched) =>
  on.query(
    `update sku set version = new.version, next_demand = new.next_demand
     from unnest($1::int[], $2::bigint[], $3::int[]) as new (id, version, next_demand)
     where sku.id = new.id`,
    [
      touched.map(({ id }) => id),
      touched.map(({ state }) => state.version),
      touched.map(({ state }) => state.nextDemand),
    ],
  )

/** The last value of each demand that changed: what lay between is in the ledger. */
async function saveDemands(on: Queryable, touched: Touched): Promise<void> {
  const rows = touched.flatMap(({ state, id, changes }) => {
    const numbers = new Set(changes.flatMap((change) => (change.set === 'demand' ? [change.demand.no] : [])))
    return [...numbers].flatMap((no) => {
      const demand = state.demands.get(no)
      return demand ? [rowOfDemand(id, demand)] : []
    })
  })
  await upsert(on, 'demand', ['sku_id', 'no'], rows)
}

async function saveShelves(on: Queryable, touched: Touched): Promise<void> {
  const rows = touched.flatMap(({ state, id, changes }) =>
    // A change of a demand moves the counters of its shelf, so every shelf of a touched SKU is written unless none can have moved.
    changes.length === 0
      ? []
      : [...state.shelves.values()].map((shelf) =>
          rowOfShelf(id, shelf, shelfCount(state, shelf.warehouse), riseDueAt(shelf)),
        ),
  )
  await upsert(on, 'figure', ['sku_id', 'warehouse'], rows)
}

async function saveShopCounts(on: Queryable, touched: Touched): Promise<void> {
  const rows = touched.flatMap(({ state, id }) =>
    [...state.shopCounts].map(([shop, count]) => rowOfShopCount(id, shop, count)),
  )
  await upsert(on, 'sku_shop', ['sku_id', 'shop'], rows)
}

async function saveInbound(on: Queryable, touched: Touched, now: Instant): Promise<void> {
  const rows = touched.flatMap(({ state, id, changes }) => {
    const keys = new Set(changes.flatMap((change) => (change.set === 'inbound' ? [inboundKey(change.line)] : [])))
    return [...keys].flatMap((key) => {
      const line = state.inbound.get(key)
      return line ? [rowOfInbound(id, line)] : []
    })
  })
  if (rows.length === 0) return
  // Every ETA that moved is kept: lateness is learned from these. Primary key of inbound_line.
  await on.query(
    `insert into eta_change (sku_id, purchase_order, line, supplier, eta_before, eta_after, told_at)
     select new.sku_id, new.purchase_order, new.line, new.supplier, old.eta, new.eta, $2
     from json_populate_recordset(null::inbound_line, $1) as new
     left join inbound_line as old using (sku_id, purchase_order, line)
     where old.eta is distinct from new.eta`,
    [JSON.stringify(rows), timestamp(now)],
  )
  await upsert(on, 'inbound_line', ['sku_id', 'purchase_order', 'line'], rows)
}

/**
 * Inserts rows or replaces them by their key. Rows of one call have the same properties: those are the columns.
 * Names come from this file alone, never from outside.
 */
async function upsert(on: Queryable, table: string, key: readonly string[], rows: readonly object[]): Promise<void> {
  const [first] = rows
  if (!first) return
  const columns = Object.keys(first)
  const assigned = columns.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`)
  await on.query(
    `insert into ${table} (${columns.join(', ')})
     select ${columns.join(', ')} from json_populate_recordset(null::${table}, $1)
     on conflict (${key.join(', ')}) do update set ${assigned.join(', ')}`,
    [JSON.stringify(rows)],
  )
}

async function saveReservations(on: Queryable, outcome: Outcome): Promise<void> {
  const { now } = outcome
  // One row for each: an API key may come twice in a batch, and then the later `until` counts.
  const reservations = [...new Map(outcome.reservations.map((each) => [each.reservation, each])).values()]
  await on.query(
    `insert into reservation (id, shop, via, called_at, until, basket)
     select id, shop, via, $1, until, basket
     from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[]) as new (id, shop, via, until, basket)
     on conflict (id) do update set until = excluded.until`,
    [
      timestamp(now),
      reservations.map(({ reservation }) => reservation),
      reservations.map(({ shop }) => shop),
      reservations.map(({ via }) => via),
      reservations.map(({ until }) => (until === undefined ? null : timestamp(until))),
      reservations.map(({ basket }) => (basket ? Buffer.from(basket) : null)),
    ],
  )
}

/**
 * A change marks (shop, SKU) dirty; the publisher reads present truth. Every shop that is read and written is marked, whichever
 * shop the change began in: they sell from one pool. Rows are inserted in one order, SKU then shop.
 */
async function markDirty(on: Queryable, touched: Touched, rules: Configuration): Promise<void> {
  const shops = [...rules.shops.values()].filter(({ kind }) => kind === 'shopware').map(({ shop }) => shop)
  if (shops.length === 0) return
  await on.query(
    `insert into dirty (shop, sku_id)
     select shop, sku_id
     from unnest($1::text[]) as shop
     cross join unnest($2::int[]) as sku_id
     order by sku_id, shop
     on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = least(dirty.due_at, excluded.due_at)`,
    [shops, touched.map(({ id }) => id)],
  )
}

async function saveIncidents(on: Queryable, { incidents }: Outcome): Promise<void> {
  // The last word about a key counts: raised and settled within one batch is settled.
  const last = new Map(incidents.map((incident) => [`${incident.code}/${incident.key}`, incident]))
  const opened = [...last.values()].filter(({ opens }) => opens)
  const closed = [...last.values()].filter(({ opens }) => !opens)
  if (opened.length > 0) {
    await on.query(
      `insert into incident (code, key, shop, sku, order_number, units, cause)
       select *
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[]) as told (code, key)
       order by code, key
       on conflict (code, key) where closed_at is null
       do update set seen = incident.seen + 1, units = excluded.units, cause = excluded.cause`,
      [
        opened.map(({ code }) => code),
        opened.map(({ key }) => key),
        opened.map(({ shop }) => shop ?? null),
        opened.map(({ sku }) => sku),
        opened.map(({ orderNumber }) => orderNumber ?? null),
        opened.map(({ units }) => units ?? null),
        opened.map(({ cause }) => cause),
      ],
    )
  }
  if (closed.length > 0) {
    await on.query(
      `update incident set closed_at = clock_timestamp()
       from unnest($1::text[], $2::text[]) as settled (code, key)
       where incident.code = settled.code and incident.key = settled.key and incident.closed_at is null`,
      [closed.map(({ code }) => code), closed.map(({ key }) => key)],
    )
  }
}
