/**
 * Everything that is known about one SKU, and the one place that changes it.
 * The state is a working copy that belongs to whoever decides: {@link evolve} changes it in place, because a lane decides
 * thousands of commands on the same copy. Counters follow every change here and nowhere else.
 */
import { type Demand, isLive, isOpen } from './demand.ts'
import type { Instant, ShopId, Sku, Units, WarehouseId } from './ids.ts'
import type { InboundWord, MovementWord, Stamp } from './word.ts'

/** What a source says about one SKU in one warehouse; see design §2. */
export type Figure = {
  /** Sellable by the source's own semantics, before anything of ours is subtracted. */
  readonly units: number
  readonly semantics: 'net' | 'gross'
  readonly onHand?: Units
  readonly blocked?: Units
  readonly allocated?: Units
  readonly incoming?: Units
  readonly backorderVeto?: boolean
  readonly stamp: Stamp
  readonly receivedAt: Instant
  readonly messageId: string
}

/** A rise that an unordered source claims, and since when no lower figure disputed it. */
export type Rise = { readonly figure: Figure; readonly since: Instant }

/** One SKU in one warehouse. */
export type Shelf = {
  readonly warehouse: WarehouseId
  /** The figure in force. */
  readonly figure: Figure
  /** Rises of an unordered source that have not stood for a minute: ascending units, ascending age. */
  readonly rises: readonly Rise[]
  /** The WMS went back in time: the lowest figure counts until a new epoch or an operator's word. */
  readonly disputed: boolean
  /** An unexplained rise, charged to allocated, unshipped units as if they had been deallocated (L1). */
  readonly chargedUnits: Units
  /** Changes that the warehouse told but that the figure does not hold yet; they explain its next step. */
  readonly movements: readonly Told[]
  /** The last steps of a net figure, oldest first; the first one is where memory begins. Empty where nothing is ever charged. */
  readonly steps: readonly Step[]
  /** Rises that are older than the steps and that nothing has explained, for as long as they may be goods of an inbound line; absent when none. */
  readonly surges?: readonly Surge[]
}

/** A step of a figure up to one statement: `units` it rose (+) or fell (−) beyond all that has been told so far. */
export type Step = {
  readonly upTo: Stamp
  readonly units: number
  /** When its statement reached us; absent where memory begins. */
  readonly at?: Instant
}

/** A rise up to one statement that nothing explains; or `unnamed`, goods that came without a word for which line: explained, and taken from some line (L4). */
export type Surge = { readonly upTo: Stamp; readonly at: Instant; readonly units: Units; readonly unnamed?: true }

/** A change that was told; `unnamed`: goods came of which nobody said for which line. */
export type Told = Pick<MovementWord, 'change' | 'stamp'> & { readonly unnamed?: true }

/** Counters of one shelf: what is pegged to it. */
export type ShelfCount = {
  /** Live units pegged here that the figure does not contain: the ones we subtract. */
  pegged: number
  /** Live units pegged here that the figure contains. */
  contained: number
}

/** Counters of one shop. */
export type ShopCount = {
  /** Held to picked. */
  open: number
  /** Live units that no supply covers. */
  shortage: number
  /** Live units of which nothing can be said, for want of a figure. */
  untracked: number
  /** Live units that wait for an inbound line. */
  inbound: number
}

/** Counters of one inbound line. */
export type LineCount = {
  /** Live units pegged to it. */
  pegged: number
}

/** An inbound line, as last told. Its remainder is sold against only where the promise rules take it. */
export type InboundLine = Omit<InboundWord, 'kind' | 'sku'> & {
  readonly receivedAt: Instant
  /** What was said before, from the last statement that the figure in force is not older than; absent when nothing. */
  readonly earlier?: readonly Statement[]
  /** Receipts that name this line, since the oldest statement that is kept; absent when none. */
  readonly receipts?: readonly Receipt[]
  /** Rises that statements explained and of which a receipt may still tell: it explains nothing a second time. Absent when none. */
  readonly credits?: readonly Credit[]
}

/** So many units of a line had come by then. */
export type Statement = { readonly stamp: Stamp; readonly at: Instant; readonly received: Units }
/** Units that came after a figure, by the statement that told so. */
export type Credit = { readonly since: Stamp; readonly at: Instant; readonly units: Units }
/** So many units of a line came then. */
export type Receipt = { readonly stamp: Stamp; readonly at: Instant; readonly units: Units }

/** What a shop last showed; overdue when it could not be read for {@link UNREADABLE_WITHIN_MS}. */
export type UnreadShown = { readonly units: Units; readonly isOverdue: boolean }

/** A shop that cannot be read for so long after a silence must not bind the pool for ever (L2). */
export const UNREADABLE_WITHIN_MS = 5 * 60_000

export type SkuState = {
  readonly sku: Sku
  version: number
  nextDemand: number
  readonly shelves: Map<WarehouseId, Shelf>
  readonly inbound: Map<string, InboundLine>
  /** The demands at hand by number: all live ones when `complete`, else only those that the command can touch. */
  readonly demands: Map<number, Demand>
  complete: boolean
  readonly shelfCounts: Map<WarehouseId, ShelfCount>
  readonly shopCounts: Map<ShopId, ShopCount>
  /** By {@link inboundKey}. */
  readonly lineCounts: Map<string, LineCount>
  /** What shops last showed that are back from a silence and not read yet: for everyone else it counts as sold (L2). No part of the fold. */
  readonly unread: Map<ShopId, UnreadShown>
  /** Open units of the buyers that a command names, by their digests, where a shop caps them. No part of the fold. */
  readonly buyers: Map<string, Units>
}

/** One step of a decision, small enough to replay: the state is the fold of all of them. `why` is for people. */
export type Change =
  | { readonly set: 'demand'; readonly why: string; readonly demand: Demand }
  | { readonly set: 'shelf'; readonly why: string; readonly shelf: Shelf }
  | { readonly set: 'inbound'; readonly why: string; readonly line: InboundLine }

/** A SKU of which nobody has said anything. */
export const emptyState = (sku: Sku): SkuState => ({
  sku,
  version: 0,
  nextDemand: 1,
  shelves: new Map(),
  inbound: new Map(),
  demands: new Map(),
  complete: true,
  shelfCounts: new Map(),
  shopCounts: new Map(),
  lineCounts: new Map(),
  unread: new Map(),
  buyers: new Map(),
})

/** The name of an inbound line within its SKU. */
export const inboundKey = (line: Pick<InboundLine, 'purchaseOrder' | 'line'>): string =>
  `${line.purchaseOrder}\u001f${line.line}`

/** Applies one change to the working copy. A demand that has ended stays at hand, but counts nowhere. */
export function evolve(state: SkuState, change: Change): void {
  switch (change.set) {
    case 'demand': {
      const { demand } = change
      const before = state.demands.get(demand.no)
      if (before) count(state, before, -1)
      count(state, demand, 1)
      state.demands.set(demand.no, demand)
      state.nextDemand = Math.max(state.nextDemand, demand.no + 1)
      return
    }
    case 'shelf':
      state.shelves.set(change.shelf.warehouse, change.shelf)
      return
    case 'inbound':
      state.inbound.set(inboundKey(change.line), change.line)
      return
  }
}

/** Adds a demand to the counters (`sign` 1) or takes it out (−1). An ended demand counts nowhere. */
function count(state: SkuState, demand: Demand, sign: 1 | -1): void {
  if (!isLive(demand)) return
  const units = sign * demand.units
  const shop = shopCount(state, demand.shop)
  if (isOpen(demand)) shop.open += units
  if (demand.supply.kind === 'shortage') shop.shortage += units
  if (demand.supply.kind === 'untracked') shop.untracked += units
  if (demand.supply.kind === 'inbound') {
    shop.inbound += units
    lineCount(state, inboundKey(demand.supply)).pegged += units
  }
  if (demand.supply.kind === 'on-hand') {
    const shelf = shelfCount(state, demand.supply.warehouse)
    if (demand.contained) shelf.contained += units
    else shelf.pegged += units
  }
}

/** The counters of a shelf, made when first asked for. */
export function shelfCount(state: SkuState, warehouse: WarehouseId): ShelfCount {
  const found = state.shelfCounts.get(warehouse)
  if (found) return found
  const made = { pegged: 0, contained: 0 }
  state.shelfCounts.set(warehouse, made)
  return made
}

/** The counters of a shop, made when first asked for. */
export function shopCount(state: SkuState, shop: ShopId): ShopCount {
  const found = state.shopCounts.get(shop)
  if (found) return found
  const made = { open: 0, shortage: 0, untracked: 0, inbound: 0 }
  state.shopCounts.set(shop, made)
  return made
}

/** Counts units of a buyer. */
export const addBuyerUnits = ({ buyers }: SkuState, key: string, units: Units): void => {
  buyers.set(key, (buyers.get(key) ?? 0) + units)
}

/** The counters of an inbound line, made when first asked for. */
export function lineCount(state: SkuState, key: string): LineCount {
  const found = state.lineCounts.get(key)
  if (found) return found
  const made = { pegged: 0 }
  state.lineCounts.set(key, made)
  return made
}

/** Live units that wait for inbound lines, over all shops. */
export const inboundUnits = (state: SkuState): number =>
  [...state.lineCounts.values()].reduce((sum, { pegged }) => sum + pegged, 0)

/** Live units that no supply covers, over all shops. */
export const shortageUnits = (state: SkuState): number =>
  [...state.shopCounts.values()].reduce((sum, { shortage }) => sum + shortage, 0)
