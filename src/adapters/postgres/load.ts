/** Reads the states of SKUs. The lane reads under their locks and only what its commands can touch; everyone else reads whole. */
import { type Command, canFreeUnits, needsAllDemands } from '../../core/decide.ts'
import { attemptsNamed } from '../../core/hold.ts'
import { type Sku, shopOf, warehouseOf } from '../../core/ids.ts'
import {
  emptyState,
  inboundKey,
  inboundUnits,
  type SkuState,
  shortageUnits,
  UNREADABLE_WITHIN_MS,
} from '../../core/stock.ts'
import { ordersToldWhole } from '../../core/word.ts'
import { fillBuyers } from './buyers.ts'
import { fillCounts } from './counts.ts'
import type { Queryable } from './database.ts'
import {
  DEMAND_COLUMNS,
  type DemandRow,
  demandOfRow,
  FIGURE_COLUMNS,
  type FigureRow,
  INBOUND_COLUMNS,
  type InboundRow,
  inboundOfRow,
  SKU_COLUMNS,
  type SkuRow,
  shelfOfRow,
} from './rows.ts'

import type { StateCache } from './state-cache.ts'

/** States, with the rows of their SKUs as they were before. */
export type Loaded = { readonly states: ReadonlyMap<Sku, SkuState>; readonly rows: ReadonlyMap<Sku, SkuRow> }

/**
 * The whole state of some SKUs, as of one statement after the other: for readers that decide nothing.
 * SKUs of which nobody has said a word are left out.
 */
export async function loadStates(on: Queryable, skus: readonly Sku[]): Promise<readonly SkuState[]> {
  // Index: sku_one_row. Takes no lock.
  const { rows } = await on.query<SkuRow>(`select ${SKU_COLUMNS} from sku where sku = any($1)`, [skus])
  const byId = new Map(rows.map((row) => [row.id, shellOf(row)]))
  await Promise.all([fillShelves(on, byId), fillUnread(on, byId), fillLiveDemands(on, byId, [...byId.keys()])])
  return [...byId.values()]
}

/** The demands that a batch names, and whether some shop is back from a silence and not read yet. */
export type Named = { readonly demands: readonly DemandRow[]; readonly isSomeShopUnread: boolean }

/**
 * The states that a batch of commands needs, under the locks that the caller took. A SKU with a shortage is loaded whole,
 * because whatever becomes free serves it; so is one about which a warehouse spoke. All others bring only the demands of the
 * reservations, orders and line keys that the batch names: a decision costs O(lines), not O(live demands).
 *
 * What the cache remembers at the version of the locked row is not read again: for a hot SKU this asks nothing at all.
 */
export async function loadForDecision(
  on: Queryable,
  locked: readonly SkuRow[],
  commands: readonly Command[],
  { demands, isSomeShopUnread }: Named,
  cache: StateCache,
): Promise<Loaded> {
  const byId = new Map<number, SkuState>()
  const unknown = new Map<number, SkuState>()
  for (const row of locked) {
    const remembered = cache.take(row)
    const state = remembered ?? shellOf(row)
    if (!remembered) unknown.set(row.id, state)
    byId.set(row.id, state)
  }
  const spokenOf = wholeSkus(commands)
  const mayFree = commands.some(canFreeUnits)
  const isWhole = (state: SkuState): boolean =>
    spokenOf.has(state.sku) || shortageUnits(state) > 0 || (mayFree && inboundUnits(state) > 0)
  const whole = locked.flatMap(({ id, sku }) => (spokenOf.has(sku) ? [id] : []))
  // Sent together: one round trip.
  await Promise.all([
    fillShelves(on, unknown),
    isSomeShopUnread ? fillUnread(on, byId) : undefined,
    fillBuyers(on, byId, commands),
    fillLiveDemands(on, byId, whole),
  ])
  const short = [...byId].flatMap(([id, state]) => (isWhole(state) && !state.complete ? [id] : []))
  await fillLiveDemands(on, byId, short)
  fillDemands(byId, demands)
  return {
    states: new Map([...byId.values()].map((state) => [state.sku, state])),
    rows: new Map(locked.map((row) => [row.sku, row])),
  }
}

/** What commands touch without naming it: SKUs of their reservations, orders and line keys, and the attempts that hold the keys. */
export type Touched = { readonly skuIds: readonly number[]; readonly attempts: readonly string[] }

const NOTHING_TOUCHED: Touched = { skuIds: [], attempts: [] }

/** Looks where the reservations, orders and line keys of commands stand. Words name their SKU, so they touch no other. */
export async function touchedBefore(on: Queryable, commands: readonly Command[]): Promise<Touched> {
  const named = namesOf(commands.filter(({ kind }) => kind !== 'word'))
  // A hold at the checkout looks for its line keys in its own SKUs only.
  if (named.reservations.length + named.orders.length === 0) return NOTHING_TOUCHED
  const { rows } = await on.query<{ sku_id: number; attempt: string | null }>({
    name: 'touched',
    text: TOUCHED,
    values: [
      named.reservations,
      named.orders.flatMap(({ lineKeys }) => lineKeys),
      named.orders.map(({ shop }) => shop),
      named.orders.map(({ orderId }) => orderId),
    ],
  })
  return {
    skuIds: [...new Set(rows.map(({ sku_id }) => sku_id))],
    attempts: [...new Set(rows.flatMap(({ attempt }) => attempt ?? []))],
  }
}

/**
 * Demands by the names that commands give. Ended demands of an order are wanted too (what has shipped still serves its line), and
 * ended ones of a line key for as long as a double submit can come; the core looks at the time.
 *
 * Indexes: demand_reservation_idx, demand_line_key_idx, demand_order_idx, demand_order_number_idx. Takes no lock.
 * Only for names that are given: for an empty list PostgreSQL may walk through all of another index. And not "and sku_id = any(…)"
 * as well: of a SKU with a hundred thousand demands all would be looked at. Rows of other SKUs are few, and nobody asks for them.
 */
export async function namedDemands(
  on: Queryable,
  commands: readonly Command[],
  attempts: readonly string[],
): Promise<readonly DemandRow[]> {
  const names = namesOf(commands)
  const look = async (name: string, condition: string, ...values: readonly (readonly string[])[]) => {
    if (values[0]?.length === 0) return []
    const text = `select ${DEMAND_COLUMNS} from demand where ${condition}`
    return (await on.query<DemandRow>({ name, text, values: [...values] })).rows
  }
  const found = await Promise.all([
    look('by_attempt', 'reservation = any($1) and ended is null', [...new Set([...names.reservations, ...attempts])]),
    look('by_line_key', 'line_key = any($1)', names.lineKeys),
    look(
      'by_order',
      '(shop, order_id) in (select * from unnest($1::text[], $2::text[]))',
      names.orders.map(({ shop }) => shop),
      names.orders.map(({ orderId }) => orderId),
    ),
    look('by_order_number', 'order_number = any($1)', names.orderNumbers),
  ])
  return found.flat()
}

// The same indexes. Takes no lock: the caller locks the SKUs and looks again.
// An order takes a whole attempt, so an attempt that holds one of its line keys brings all its SKUs.
const TOUCHED = `
with attempt as (
  select distinct reservation
  from demand
  where line_key = any($2)
    and phase = 'held'
    and ended is null
    and reservation is not null
)
select sku_id, null as attempt from demand where reservation = any($1) and ended is null
union
select sku_id, reservation from demand where reservation in (select reservation from attempt) and ended is null
union
select sku_id, null from demand where line_key = any($2)
union
select sku_id, null from demand where (shop, order_id) in (select * from unnest($3::text[], $4::text[]))`

function wholeSkus(commands: readonly Command[]): ReadonlySet<Sku> {
  const skus = new Set<Sku>()
  for (const command of commands) if (needsAllDemands(command) && 'sku' in command) skus.add(command.sku)
  return skus
}

type Names = {
  readonly reservations: readonly string[]
  readonly lineKeys: readonly string[]
  readonly orders: readonly { readonly shop: string; readonly orderId: string; readonly lineKeys: readonly string[] }[]
  readonly orderNumbers: readonly string[]
}

const keysOf = (lines: readonly { readonly lineKey?: string }[]): string[] =>
  lines.flatMap(({ lineKey }) => lineKey ?? [])

function namesOf(commands: readonly Command[]): Names {
  const reservations = new Set<string>()
  const lineKeys = new Set<string>()
  const orderNumbers = new Set<string>()
  const orders: Names['orders'][number][] = []
  for (const command of commands) {
    switch (command.kind) {
      case 'hold':
        for (const attempt of attemptsNamed(command)) reservations.add(attempt)
        for (const key of keysOf(command.lines)) lineKeys.add(key)
        break
      case 'release':
        reservations.add(command.reservation)
        break
      case 'order': {
        if (command.reservation !== undefined) reservations.add(command.reservation)
        const keys = keysOf(command.order.lines)
        for (const key of keys) lineKeys.add(key)
        orders.push({ shop: command.shop, orderId: command.order.orderId, lineKeys: keys })
        break
      }
      case 'word':
        for (const order of ordersToldWhole(command.word)) orderNumbers.add(order)
        break
      case 'expire':
      case 'settle':
      case 'trust':
        break
    }
  }
  return { reservations: [...reservations], lineKeys: [...lineKeys], orders, orderNumbers: [...orderNumbers] }
}

/** A state without anything but its versions and counters. */
function shellOf({ sku, version, next_demand, counts }: SkuRow): SkuState {
  const state = { ...emptyState(sku), version, nextDemand: next_demand, complete: false }
  fillCounts(state, counts)
  return state
}

/** Figures and inbound lines. Primary keys of figure and inbound_line. Takes no lock. */
async function fillShelves(on: Queryable, byId: ReadonlyMap<number, SkuState>): Promise<void> {
  if (byId.size === 0) return
  const values = [[...byId.keys()]]
  const [figures, inbound] = await Promise.all([
    on.query<FigureRow>({
      name: 'figures',
      text: `select ${FIGURE_COLUMNS} from figure where sku_id = any($1)`,
      values,
    }),
    on.query<InboundRow>({
      name: 'inbound',
      text: `select ${INBOUND_COLUMNS} from inbound_line where sku_id = any($1)`,
      values,
    }),
  ])
  for (const row of figures.rows) byId.get(row.sku_id)?.shelves.set(warehouseOf(row.warehouse), shelfOfRow(row))
  for (const row of inbound.rows) {
    const line = inboundOfRow(row)
    byId.get(row.sku_id)?.inbound.set(inboundKey(line), line)
  }
}

/** What shops last showed that are not read since a silence. Reads the few rows of shop, then the primary key of publication. */
async function fillUnread(on: Queryable, byId: ReadonlyMap<number, SkuState>): Promise<void> {
  const { rows } = await on.query<{ shop: string; sku_id: number; units: number; overdue: boolean }>({
    name: 'unread',
    text: `
      select publication.shop, sku_id, greatest(shown_units, unread_units) as units,
             silence_noticed_at < clock_timestamp() - make_interval(secs => $2) as overdue
      from shop
      join publication on publication.shop = shop.name
      where silent_from is not null
        and not read_since_return
        and sku_id = any($1)
        and greatest(shown_units, unread_units) > 0`,
    values: [[...byId.keys()], UNREADABLE_WITHIN_MS / 1000],
  })
  for (const { shop, sku_id, units, overdue } of rows) {
    byId.get(sku_id)?.unread.set(shopOf(shop), { units, isOverdue: overdue })
  }
}

/** Every live demand of some SKUs: their states are complete from here on. Index: demand_live_idx. Takes no lock. */
async function fillLiveDemands(
  on: Queryable,
  byId: ReadonlyMap<number, SkuState>,
  ids: readonly number[],
): Promise<void> {
  if (ids.length === 0) return
  const { rows } = await on.query<DemandRow>({
    name: 'live_demands',
    text: `select ${DEMAND_COLUMNS} from demand where sku_id = any($1) and ended is null`,
    values: [ids],
  })
  fillDemands(byId, rows)
  for (const id of ids) {
    const state = byId.get(id)
    if (state) state.complete = true
  }
}

/** Rows go straight into the map: the counters came with the SKU's row and already hold them. */
function fillDemands(byId: ReadonlyMap<number, SkuState>, rows: readonly DemandRow[]): void {
  for (const row of rows) byId.get(row.sku_id)?.demands.set(row.no, demandOfRow(row))
}
