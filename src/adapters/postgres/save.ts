/** What a batch of decisions left behind, as a handful of statements, whatever the number of commands. */
import type pg from 'pg'
import type { Configuration } from '../../core/configuration.ts'
import type { Demand } from '../../core/demand.ts'
import { riseDueAt } from '../../core/figure.ts'
import type { HoldCommand } from '../../core/hold.ts'
import type { Instant, Sku, WarehouseId } from '../../core/ids.ts'
import { type Change, inboundKey, type SkuState } from '../../core/stock.ts'
import { saveBuyers } from './buyers.ts'
import { copyLine, copyRows } from './copy-rows.ts'
import { assertCounts, countsOf } from './counts.ts'
import { timestamp } from './database.ts'
import type { Decisions } from './lane-decide.ts'
import { ENTRY_COLUMNS, lineOfEntry } from './ledger.ts'
import {
  DEMAND_COLUMNS,
  DEMAND_TYPES,
  lineOfDemand,
  rowOfDemand,
  rowOfInbound,
  rowOfShelf,
  type SkuRow,
} from './rows.ts'

/** Everything that one batch changed. */
export type Outcome = Pick<Decisions, 'changes' | 'entries' | 'incidents'> & {
  /** As they are now. */
  readonly states: ReadonlyMap<Sku, SkuState>
  /** As they were before. */
  readonly rows: ReadonlyMap<Sku, RowBefore>
  readonly reservations: readonly (Pick<
    HoldCommand,
    'reservation' | 'shop' | 'via' | 'until' | 'saidYes' | 'pageForMs' | 'buyer'
  > & {
    basket?: Uint8Array
  })[]
  readonly now: Instant
  readonly rules: Configuration
  /** The batch's own name, which its rows of SKUs are marked with. */
  readonly writer: number
}

type RowBefore = Pick<SkuRow, 'id' | 'next_demand'>

/** A statement with everything that it says: it can be sent later, whatever becomes of the states meanwhile. */
export type Statement = (on: pg.ClientBase) => Promise<unknown>

/**
 * What saves a batch, to be sent at once inside its transaction. The rows of its SKUs are locked by then, so nothing here waits for
 * another batch.
 *
 * @throws when a counter is what it cannot be: see {@link assertCounts}
 */
export function statementsOf(outcome: Outcome): readonly Statement[] {
  const touched = [...outcome.changes].flatMap(([sku, changes]) => {
    const state = outcome.states.get(sku)
    const row = outcome.rows.get(sku)
    return state && row ? [{ state, row, changes }] : []
  })
  for (const { state } of touched) assertCounts(state)
  const statements: Statement[] = []
  const to: Sink = {
    query: (config) => statements.push((on) => on.query(config)),
    copy(table, columns, lines) {
      if (lines.length > 0) statements.push((on) => copyRows(on, table, columns, lines))
    },
  }
  saveReservations(to, outcome)
  if (outcome.reservations.some(({ buyer }) => buyer)) statements.push((on) => saveBuyers(on, outcome))
  if (touched.length > 0) {
    saveSkus(to, touched, outcome.writer)
    saveDemands(to, touched)
    saveShelves(to, touched)
    saveInbound(to, touched, outcome.now)
    to.copy('ledger_entry', ENTRY_COLUMNS, outcome.entries.map(lineOfEntry))
    markDirty(to, touched, outcome.rules)
  }
  saveIncidents(to, outcome)
  return statements
}

/** Takes statements, whole, in the order in which they will be sent. */
type Sink = {
  query(config: pg.QueryConfig): void
  copy(table: string, columns: string, lines: readonly string[]): void
}

type Touched = readonly { readonly state: SkuState; readonly row: RowBefore; readonly changes: readonly Change[] }[]

// Index: primary key. No index knows these columns, so that the new row stays on its page (a HOT update).
const saveSkus = (to: Sink, touched: Touched, writer: number): void =>
  to.query({
    name: 'save_skus',
    text: `
      update sku set version = new.version, next_demand = new.next_demand, counts = new.counts::jsonb, writer = $5
      from unnest($1::int[], $2::bigint[], $3::int[], $4::text[]) as new (id, version, next_demand, counts)
      where sku.id = new.id`,
    values: [
      touched.map(({ row }) => row.id),
      touched.map(({ state }) => state.version),
      touched.map(({ state }) => state.nextDemand),
      touched.map(({ state }) => JSON.stringify(countsOf(state))),
      writer,
    ],
  })

/**
 * The last value of each demand that changed: what lay between is in the ledger. New ones are inserted without looking for an
 * old one: their numbers were given under the lock of their SKU.
 */
function saveDemands(to: Sink, touched: Touched): void {
  const inserted: string[] = []
  const updated: object[] = []
  for (const { row, changes } of touched) {
    const last = new Map<number, Demand>()
    for (const change of changes) if (change.set === 'demand') last.set(change.demand.no, change.demand)
    for (const [no, demand] of last) {
      if (no >= row.next_demand) inserted.push(lineOfDemand(row.id, demand))
      else updated.push(rowOfDemand(row.id, demand))
    }
  }
  to.copy('demand', DEMAND_COLUMNS, inserted)
  if (updated.length > 0) to.query({ name: 'update_demands', text: UPDATE_DEMANDS, values: demandColumns(updated) })
}

const NEW_DEMANDS = `unnest(${DEMAND_TYPES.map((type, index) => `$${index + 1}::${type}[]`).join(', ')}) as new (${DEMAND_COLUMNS})`

// Index: primary key.
const UPDATE_DEMANDS = `
update demand set ${DEMAND_COLUMNS.split(', ')
  .filter((column) => column !== 'sku_id' && column !== 'no')
  .map((column) => `${column} = new.${column}`)
  .join(', ')}
from ${NEW_DEMANDS}
where demand.sku_id = new.sku_id and demand.no = new.no`

/** The rows' values as one array a column; what is `jsonb` goes as text. */
const demandColumns = (rows: readonly object[]): unknown[][] =>
  columnsOf(
    rows.map((row) => Object.values(row)),
    DEMAND_TYPES.length,
  )

/** Rows turned into columns: one array for each. */
const columnsOf = (rows: readonly (readonly unknown[])[], width: number): unknown[][] =>
  Array.from({ length: width }, (_, column) => rows.map((row) => row[column]))

/** Shelves about which the warehouse spoke, whole. */
function saveShelves(to: Sink, touched: Touched): void {
  const rows = touched.flatMap(({ state, row, changes }) =>
    [...spokenOf(changes)].flatMap((warehouse) => {
      const shelf = state.shelves.get(warehouse)
      return shelf ? [rowOfShelf(row.id, shelf, riseDueAt(shelf))] : []
    }),
  )
  upsert(to, 'figure', ['sku_id', 'warehouse'], rows)
}

const spokenOf = (changes: readonly Change[]): ReadonlySet<WarehouseId> =>
  new Set(changes.flatMap((change) => (change.set === 'shelf' ? [change.shelf.warehouse] : [])))

function saveInbound(to: Sink, touched: Touched, now: Instant): void {
  const rows = touched.flatMap(({ state, row, changes }) => {
    const keys = new Set(changes.flatMap((change) => (change.set === 'inbound' ? [inboundKey(change.line)] : [])))
    return [...keys].flatMap((key) => {
      const line = state.inbound.get(key)
      return line ? [rowOfInbound(row.id, line)] : []
    })
  })
  if (rows.length === 0) return
  // Every ETA that moved is kept: lateness is learned from these. Primary key of inbound_line.
  to.query({
    text: `insert into eta_change (sku_id, purchase_order, line, supplier, eta_before, eta_after, told_at)
     select new.sku_id, new.purchase_order, new.line, new.supplier, old.eta, new.eta, $2
     from json_populate_recordset(null::inbound_line, $1) as new
     left join inbound_line as old using (sku_id, purchase_order, line)
     where old.eta is distinct from new.eta`,
    values: [JSON.stringify(rows), timestamp(now)],
  })
  upsert(to, 'inbound_line', ['sku_id', 'purchase_order', 'line'], rows)
}

/**
 * Inserts rows or replaces them by their key. Rows of one call have the same properties: those are the columns.
 * Names come from this file alone, never from outside.
 */
function upsert(to: Sink, table: string, key: readonly string[], rows: readonly object[]): void {
  const [first] = rows
  if (!first) return
  const columns = Object.keys(first)
  const assigned = columns.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`)
  to.query({
    text: `insert into ${table} (${columns.join(', ')})
     select ${columns.join(', ')} from json_populate_recordset(null::${table}, $1)
     on conflict (${key.join(', ')}) do update set ${assigned.join(', ')}`,
    values: [JSON.stringify(rows)],
  })
}

/**
 * An order call makes an attempt of its own each time, so its name is new. An API key, and a hold that is told after its yes, may
 * come again, and then the later `until` counts: also where one comes twice in a batch.
 */
function saveReservations(to: Sink, { reservations, now }: Outcome): void {
  const calledAt = timestamp(now)
  const fresh: string[] = []
  const named = new Map<string, Outcome['reservations'][number]>()
  for (const each of reservations) {
    const { reservation, shop, via, until, basket, saidYes, pageForMs } = each
    if (via === 'api' || saidYes || pageForMs !== undefined) named.set(reservation, each)
    else
      fresh.push(
        copyLine([reservation, shop, via, calledAt, until === undefined ? null : timestamp(until), basket ?? null]),
      )
  }
  to.copy('reservation', 'id, shop, via, called_at, until, basket', fresh)
  const again = [...named.values()]
  if (again.length === 0) return
  to.query({
    name: 'save_reservations',
    text: `
        insert into reservation (id, shop, via, called_at, until, basket)
        select id, shop, via, $1, until, basket
        from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[]) as new (id, shop, via, until, basket)
        on conflict (id) do update set until = excluded.until`,
    values: [
      calledAt,
      again.map(({ reservation }) => reservation),
      again.map(({ shop }) => shop),
      again.map(({ via }) => via),
      again.map(({ until }) => (until === undefined ? null : timestamp(until))),
      again.map(({ basket }) => (basket ? Buffer.from(basket) : null)),
    ],
  })
}

/**
 * A change marks (shop, SKU) dirty; the publisher reads present truth. Every shop that is read and written is marked, whichever
 * shop the change began in: they sell from one pool. Rows are inserted in one order, SKU then shop.
 *
 * A mark that is due and that nobody has claimed says it all already: it is locked until our commit and left as it is, so that
 * whoever claims it next reads what we wrote. For a hot SKU that is one row less to write for each batch.
 */
function markDirty(to: Sink, touched: Touched, rules: Configuration): void {
  const shops = [...rules.shops.values()].filter(({ kind }) => kind === 'shopware').map(({ shop }) => shop)
  if (shops.length === 0) return
  to.query({
    name: 'mark_dirty',
    text: `
      insert into dirty (shop, sku_id)
      select shop, sku_id
      from unnest($1::text[]) as shop
      cross join unnest($2::int[]) as sku_id
      order by sku_id, shop
      on conflict (shop, sku_id) do update set renewed = dirty.renewed + 1, due_at = least(dirty.due_at, excluded.due_at)
      where dirty.claimed_until is not null or dirty.due_at > excluded.due_at`,
    values: [shops, touched.map(({ row }) => row.id)],
  })
}

/** The last word about a key counts: raised and settled within one batch is settled. */
function saveIncidents(to: Sink, { incidents }: Outcome): void {
  const last = [...new Map(incidents.map((incident) => [`${incident.code}/${incident.key}`, incident])).values()]
  const opened = last.filter(({ opens }) => opens)
  const closed = last.filter(({ opens }) => !opens)
  if (opened.length > 0)
    to.query({
      text: OPEN_INCIDENTS,
      values: [
        opened.map(({ code }) => code),
        opened.map(({ key }) => key),
        opened.map(({ shop }) => shop ?? null),
        opened.map(({ sku }) => sku),
        opened.map(({ orderNumber }) => orderNumber ?? null),
        opened.map(({ units }) => units ?? null),
        opened.map(({ cause }) => cause),
      ],
    })
  if (closed.length > 0)
    to.query({ text: CLOSE_INCIDENTS, values: [closed.map(({ code }) => code), closed.map(({ key }) => key)] })
}

// Index: incident_open_once. Rows go in by code and key.
const OPEN_INCIDENTS = `
insert into incident (code, key, shop, sku, order_number, units, cause)
select *
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[]) as told (code, key)
order by code, key
on conflict (code, key) where closed_at is null
do update set seen = incident.seen + 1, units = excluded.units, cause = excluded.cause`

const CLOSE_INCIDENTS = `
update incident set closed_at = clock_timestamp()
from unnest($1::text[], $2::text[]) as settled (code, key)
where incident.code = settled.code
  and incident.key = settled.key
  and incident.closed_at is null`
