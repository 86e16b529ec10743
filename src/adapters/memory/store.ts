/**
 * Everything Holdfast keeps, in memory: the twin of the tables of PostgreSQL, for the simulator and for tests that need no
 * server. One thread and no await inside a change make every change atomic; a process that dies loses only what it had not
 * committed here. `contract.pg.test.ts` holds it equal to PostgreSQL.
 */
import type { Refused, ShopState } from '../../app/shop-ports.ts'
import { type Demand, isLive } from '../../core/demand.ts'
import type { Incident } from '../../core/draft.ts'
import type { ForeignWrite, Guard } from '../../core/foreign-write.ts'
import type { Instant, ShopId, Sku, Units, WarehouseId } from '../../core/ids.ts'
import type { LedgerEntry } from '../../core/ledger.ts'
import type { InboundLine, LineCount, Shelf, ShelfCount, ShopCount } from '../../core/stock.ts'

/** One SKU with everything that hangs on its row. Values are never changed in place, counters are. */
export type SkuTable = {
  readonly id: number
  readonly sku: Sku
  version: number
  nextDemand: number
  readonly shelves: Map<WarehouseId, Shelf>
  readonly shelfCounts: Map<WarehouseId, ShelfCount>
  readonly shopCounts: Map<ShopId, ShopCount>
  readonly inbound: Map<string, InboundLine>
  readonly lineCounts: Map<string, LineCount>
  /** All of them, ended ones too, by number. */
  readonly demands: Map<number, Demand>
  /** Numbers of those that have not ended. */
  readonly live: Set<number>
}

export type ReservationRow = {
  readonly shop: ShopId
  readonly via: 'gateway' | 'api'
  readonly calledAt: Instant
  readonly until: Instant | undefined
}

export type InboxRow = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly receivedAt: Instant
  readonly raw: string
  readonly words: number
  applied: readonly number[]
  waiting: readonly number[]
  waitsFor: readonly string[]
  claimedUntil: Instant | undefined
  attempts: number
  state: 'pending' | 'done' | 'parked' | 'dead'
  verdict: string | undefined
}

export type DeadLetterRow = {
  readonly id: number
  readonly source: string
  readonly messageId: string
  readonly raw: string
  readonly reason: string
}

export type DirtyRow = { renewed: number; dueAt: Instant; claimedUntil: Instant | undefined; attempts: number }

export type PublicationRow = {
  readonly productId: string | null
  readonly seenAt: Instant | undefined
  readonly shownUnits: Units | null
  /** What it showed before a silence that its orders are not read since. */
  readonly unreadUnits?: Units
  readonly writtenAt?: Instant
  readonly revision?: string
  readonly touchedAt?: Instant
  readonly refused?: Refused
  /** The merchant's own setting, once it is kept. */
  readonly merchantCloseOut?: boolean | null
}

export type ShopRow = {
  state: ShopState
  baselineAt: Instant | undefined
  silentFrom: Instant | undefined
  silenceNoticedAt: Instant | undefined
  returnedAt: Instant | undefined
  readSinceReturn: boolean
}

export type WatermarkRow = { moment: Instant | undefined; trail: string }

export type OpenIncident = Omit<Incident, 'opens'> & { readonly sku?: Sku; readonly openedAt: Instant; seen: number }

/** Where a demand stands: its SKU and its number. */
export type Place = { readonly table: SkuTable; readonly no: number }

export type MemoryStore = {
  /** The database's clock. */
  readonly now: () => Instant
  readonly skus: Map<Sku, SkuTable>
  readonly skusById: SkuTable[]
  readonly reservations: Map<string, ReservationRow>
  readonly byReservation: Map<string, Place[]>
  readonly byLineKey: Map<string, Place[]>
  readonly byOrder: Map<string, Place[]>
  readonly byOrderNumber: Map<string, Place[]>
  readonly ledger: LedgerEntry[]
  /** Open ones by code and key. */
  readonly incidents: Map<string, OpenIncident>
  closedIncidents: number
  readonly inbox: InboxRow[]
  readonly inboxByName: Map<string, InboxRow>
  readonly deadLetters: DeadLetterRow[]
  readonly dirty: Map<ShopId, Map<number, DirtyRow>>
  readonly publications: Map<ShopId, Map<number, PublicationRow>>
  /** What is remembered about others' writes, and those that were recorded. */
  readonly guards: Map<ShopId, Map<number, Guard>>
  readonly foreignWrites: (ForeignWrite & { readonly shop: ShopId; readonly sku: Sku })[]
  readonly shops: Map<ShopId, ShopRow>
  readonly watermarks: Map<ShopId, WatermarkRow>
  /** Last signs of life of processes. */
  readonly heartbeats: Map<string, Instant>
  /** Attempts of a buyer, by the digests that he is known by. */
  readonly buyers: Map<string, Set<string>>
  /** Orders whose payment failed, by shop and id. */
  readonly unpaid: Map<string, UnpaidRow>
  /** Attempts that were answered. */
  readonly answers: Set<string>
}

/** Since when an order is unpaid, and whether what follows is done. */
export type UnpaidRow = {
  readonly shop: ShopId
  readonly orderId: string
  readonly since: Instant
  dealtWith: boolean
}

/** An empty store on a clock that never goes back. */
export const memoryStore = (now: () => Instant): MemoryStore => ({
  now,
  skus: new Map(),
  skusById: [],
  reservations: new Map(),
  byReservation: new Map(),
  byLineKey: new Map(),
  byOrder: new Map(),
  byOrderNumber: new Map(),
  ledger: [],
  incidents: new Map(),
  closedIncidents: 0,
  inbox: [],
  inboxByName: new Map(),
  deadLetters: [],
  dirty: new Map(),
  publications: new Map(),
  guards: new Map(),
  foreignWrites: [],
  shops: new Map(),
  watermarks: new Map(),
  heartbeats: new Map(),
  buyers: new Map(),
  unpaid: new Map(),
  answers: new Set(),
})

/** The row of a SKU, made when first named. */
export function tableOf(store: MemoryStore, sku: Sku): SkuTable {
  const found = store.skus.get(sku)
  if (found) return found
  const made: SkuTable = {
    id: store.skusById.length + 1,
    sku,
    version: 0,
    nextDemand: 1,
    shelves: new Map(),
    shelfCounts: new Map(),
    shopCounts: new Map(),
    inbound: new Map(),
    lineCounts: new Map(),
    demands: new Map(),
    live: new Set(),
  }
  store.skus.set(sku, made)
  store.skusById.push(made)
  return made
}

export const orderKey = (shop: ShopId, orderId: string): string => `${shop}\u001f${orderId}`

/** Keeps a demand as it is now, and finds it by every name that it bears. */
export function keepDemand(store: MemoryStore, table: SkuTable, demand: Demand): void {
  const before = table.demands.get(demand.no)
  table.demands.set(demand.no, demand)
  if (isLive(demand)) table.live.add(demand.no)
  else table.live.delete(demand.no)
  const place = { table, no: demand.no }
  if (!before && demand.reservation !== undefined) list(store.byReservation, demand.reservation, place)
  if (!before && demand.lineKey !== undefined) list(store.byLineKey, demand.lineKey, place)
  if (!before?.orderLine && demand.orderLine) {
    list(store.byOrder, orderKey(demand.shop, demand.orderLine.orderId), place)
    list(store.byOrderNumber, demand.orderLine.orderNumber, place)
  }
}

function list(index: Map<string, Place[]>, name: string, place: Place): void {
  const found = index.get(name)
  if (found) found.push(place)
  else index.set(name, [place])
}

/** The demand of a place as it is now. */
export function demandAt({ table, no }: Place): Demand {
  const demand = table.demands.get(no)
  if (!demand) throw new Error(`${table.sku} has no demand ${no}`)
  return demand
}

/** Marks a (shop, SKU) pair as due now. */
export function markDirty(store: MemoryStore, shop: ShopId, skuId: number, due: 'at once' | 'not later' = 'not later') {
  const marks = marksOf(store, shop)
  const now = store.now()
  const found = marks.get(skuId)
  if (!found) {
    marks.set(skuId, { renewed: 1, dueAt: now, claimedUntil: undefined, attempts: 0 })
    return
  }
  found.renewed += 1
  if (due === 'at once' || found.dueAt > now) found.dueAt = now
}

export function marksOf(store: MemoryStore, shop: ShopId): Map<number, DirtyRow> {
  const found = store.dirty.get(shop)
  if (found) return found
  const made = new Map<number, DirtyRow>()
  store.dirty.set(shop, made)
  return made
}
