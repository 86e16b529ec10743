/** Reads the states of SKUs out of the store, each as a copy of its own: the twin of `postgres/load.ts`. */
import { type Buyer, keysOfBuyer } from '../../core/cap.ts'
import { type Command, needsAllDemands, needsAllOf, skusOf } from '../../core/decide.ts'
import { type Demand, isHeld, isLive, isOpen } from '../../core/demand.ts'
import { attemptsNamed } from '../../core/hold.ts'
import type { Sku } from '../../core/ids.ts'
import { addBuyerUnits, type SkuState, UNREADABLE_WITHIN_MS } from '../../core/stock.ts'
import { ordersToldWhole } from '../../core/word.ts'
import { demandAt, type MemoryStore, orderKey, type Place, type SkuTable, tableOf } from './store.ts'

/** The whole state of some SKUs; those of which nobody has said a word are left out. */
export const loadStates = (store: MemoryStore, skus: readonly Sku[]): readonly SkuState[] =>
  [...new Set(skus)].flatMap((sku) => {
    const table = store.skus.get(sku)
    return table ? [wholeState(store, table)] : []
  })

/** One SKU with all its live demands. */
export function wholeState(store: MemoryStore, table: SkuTable): SkuState {
  const state = shellOf(store, table)
  for (const no of table.live) bring(state, demandAt({ table, no }))
  state.complete = true
  return state
}

/** The states that one command needs: every SKU that it names or touches, and of each only the demands that it can touch. */
export function loadForCommand(store: MemoryStore, command: Command): readonly SkuState[] {
  const named = namesOf(command)
  const tables = new Map<number, SkuTable>()
  const add = (table: SkuTable): void => {
    tables.set(table.id, table)
  }
  for (const sku of skusOf(command)) add(tableOf(store, sku))
  const attempts = attemptsOf(store, command, named)
  if (named.reservations.length > 0 || named.order !== undefined) {
    for (const reservation of [...named.reservations, ...attempts])
      for (const { table } of live(store.byReservation.get(reservation))) add(table)
    if (named.order !== undefined) {
      for (const { table } of store.byOrder.get(named.order) ?? []) add(table)
      for (const key of named.lineKeys) for (const { table } of store.byLineKey.get(key) ?? []) add(table)
    }
  }
  const states = new Map<SkuTable, SkuState>()
  for (const table of [...tables.values()].sort((a, b) => a.id - b.id)) {
    const state = shellOf(store, table)
    const whole = needsAllDemands(command) || needsAllOf(state, command)
    if (whole) for (const no of table.live) bring(state, demandAt({ table, no }))
    state.complete = whole
    states.set(table, state)
  }
  const bringAll = (places: readonly Place[] | undefined): void => {
    for (const place of places ?? []) {
      const state = states.get(place.table)
      if (state) bring(state, demandAt(place))
    }
  }
  for (const reservation of [...named.reservations, ...attempts]) bringAll(live(store.byReservation.get(reservation)))
  for (const key of named.lineKeys) bringAll(store.byLineKey.get(key))
  if (named.order !== undefined) bringAll(store.byOrder.get(named.order))
  if (command.kind === 'hold' && command.buyer)
    for (const [table, state] of states) countBuyer(store, table, state, command.buyer)
  for (const order of named.orderNumbers) bringAll(store.byOrderNumber.get(order))
  return [...states.values()]
}

/** Units that a buyer has open. */
function countBuyer(store: MemoryStore, table: SkuTable, state: SkuState, buyer: Buyer): void {
  for (const key of keysOfBuyer(buyer)) {
    for (const reservation of store.buyers.get(key) ?? []) {
      for (const place of store.byReservation.get(reservation) ?? []) {
        const demand = demandAt(place)
        if (place.table === table && isOpen(demand)) addBuyerUnits(state, key, demand.units)
      }
    }
  }
}

type Names = {
  readonly reservations: readonly string[]
  readonly lineKeys: readonly string[]
  readonly order: string | undefined
  readonly orderNumbers: readonly string[]
}

const keysOf = (lines: readonly { readonly lineKey?: string }[]): readonly string[] =>
  lines.flatMap(({ lineKey }) => lineKey ?? [])

function namesOf(command: Command): Names {
  const none: Names = { reservations: [], lineKeys: [], order: undefined, orderNumbers: [] }
  switch (command.kind) {
    case 'hold': {
      return { ...none, reservations: attemptsNamed(command), lineKeys: keysOf(command.lines) }
    }
    case 'release':
      return { ...none, reservations: [command.reservation] }
    case 'order':
      return {
        ...none,
        reservations: command.reservation === undefined ? [] : [command.reservation],
        lineKeys: keysOf(command.order.lines),
        order: orderKey(command.shop, command.order.orderId),
      }
    case 'word':
      return { ...none, orderNumbers: ordersToldWhole(command.word) }
    default:
      return none
  }
}

/** An order takes a whole attempt, so an attempt that holds one of its line keys comes whole. */
function attemptsOf(store: MemoryStore, command: Command, { lineKeys }: Names): readonly string[] {
  if (command.kind !== 'order') return []
  const attempts = new Set<string>()
  for (const key of lineKeys) {
    for (const place of store.byLineKey.get(key) ?? []) {
      const demand = demandAt(place)
      if (isHeld(demand) && demand.reservation !== undefined) attempts.add(demand.reservation)
    }
  }
  return [...attempts]
}

const live = (places: readonly Place[] | undefined): readonly Place[] =>
  (places ?? []).filter((place) => isLive(demandAt(place)))

/** Straight into the map: the counters came with the shelves and already hold it. */
function bring(state: SkuState, demand: Demand): void {
  state.demands.set(demand.no, demand)
}

function shellOf(store: MemoryStore, table: SkuTable): SkuState {
  const state: SkuState = {
    sku: table.sku,
    version: table.version,
    nextDemand: table.nextDemand,
    shelves: new Map(table.shelves),
    inbound: new Map(table.inbound),
    demands: new Map(),
    complete: false,
    shelfCounts: new Map([...table.shelfCounts].map(([warehouse, count]) => [warehouse, { ...count }])),
    shopCounts: new Map([...table.shopCounts].map(([shop, count]) => [shop, { ...count }])),
    lineCounts: new Map([...table.lineCounts].map(([key, count]) => [key, { ...count }])),
    unread: new Map(),
    buyers: new Map(),
  }
  for (const [shop, row] of store.shops) {
    if (row.silentFrom === undefined || row.readSinceReturn) continue
    const { shownUnits, unreadUnits } = store.publications.get(shop)?.get(table.id) ?? {}
    const units = Math.max(shownUnits ?? 0, unreadUnits ?? 0)
    if (units <= 0) continue
    const isOverdue = row.silenceNoticedAt !== undefined && row.silenceNoticedAt < store.now() - UNREADABLE_WITHIN_MS
    state.unread.set(shop, { units, isOverdue })
  }
  return state
}
