/** A demand: units wanted by one basket line or order line, all in one phase and pegged to one supply. It splits where its units part. */
import type { Day, Instant, ShopId, Units, WarehouseId } from './ids.ts'
import type { Stamp } from './word.ts'

/** How far the units have come. `cancelRequested` is a side road beside it, an {@link End} closes it. */
export type Phase = 'held' | 'placed' | 'acknowledged' | 'allocated' | 'picked' | 'shipped'

/** How a demand ends: once, and for ever. */
export type End = 'expired' | 'released' | 'cancelled' | 'shipped-and-included'

/** What serves the units. `untracked`: no figure of an allowed warehouse is known yet, so nothing can be said. */
export type Supply =
  | { readonly kind: 'on-hand'; readonly warehouse: WarehouseId }
  | { readonly kind: 'inbound'; readonly warehouse: WarehouseId; readonly purchaseOrder: string; readonly line: string }
  | { readonly kind: 'shortage' }
  | { readonly kind: 'untracked' }

/** The warehouse's act from which on its figure is without the units: allocation for a net source, goods issue for a gross one. */
export type Mark = {
  /**
   * The word that told it. `allocated` tells the act itself, `confirmed` that it was told and a later list of open orders bears it
   * out; the others imply that it was done by then.
   */
  readonly by: 'allocated' | 'confirmed' | 'picked' | 'shipped' | 'open-orders' | 'baseline'
  readonly warehouse: WarehouseId
  readonly stamp: Stamp
  /** The list of open orders itself told that the units have left; of others it is only without them. */
  readonly isTold?: true
}

/** Why we believe that the figure contains the units (L1), best first. */
export type Proof = 'sequence' | 'open-orders' | 'clock' | 'fenced-pull' | 'margin' | 'baseline'

/** The order line that took the units. */
export type OrderLineRef = { readonly orderId: string; readonly orderNumber: string; readonly lineId: string }

/** When a hold may end: once its shop's watermark has passed the order call, or at a moment of its own. */
export type Deadline =
  | { readonly kind: 'watermark'; readonly calledAt: Instant }
  | { readonly kind: 'moment'; readonly at: Instant }

/** Since when a warehouse knows the units, in the order of its own source. */
export type Known = { readonly warehouse: WarehouseId; readonly stamp: Stamp }

/** What the customer was told about units that were not on hand. */
export type Promised = {
  readonly kind: 'back-order' | 'pre-order'
  /** The first day that was told: kept for ever. */
  readonly first: Day
  /** The day that counts now. */
  readonly day: Day
  /** The day before the last re-promise; absent when there was none. */
  readonly before?: Day
  /** No day can be told: its supply has lost its day or is gone, and nothing else keeps the promise. */
  readonly atRisk?: true
}

export type Demand = {
  /** Unique within its SKU, ascending. */
  readonly no: number
  readonly shop: ShopId
  readonly units: Units
  readonly phase: Phase
  readonly supply: Supply
  /** The figure in force of the pegged warehouse is already without these units. */
  readonly contained: boolean
  readonly proof?: Proof
  /** The place in the order of promise: when the units were first held or, unheld, when their order was first read. */
  readonly promisedAt: Instant
  /** Kept when the units are on hand at last. */
  readonly promise?: Promised
  readonly reservation?: string
  readonly lineKey?: string
  readonly deadline?: Deadline
  readonly orderLine?: OrderLineRef
  /** When we first read the order, on the database's clock. */
  readonly placedAt?: Instant
  /** The first word by which the warehouse showed that it knows the units. */
  readonly knownSince?: Known
  readonly mark?: Mark
  /** The deallocation that undid the mark. */
  readonly unmark?: Stamp
  readonly cancelRequested?: boolean
  readonly end?: End
}

/** What changes about a demand; `undefined` takes a property away. */
export type DemandPatch = { readonly [Key in keyof Demand]?: Demand[Key] | undefined }

const RANK: Record<Phase, number> = { held: 0, placed: 1, acknowledged: 2, allocated: 3, picked: 4, shipped: 5 }

/** Orders phases along the way of a unit. */
export const rankOf = (phase: Phase): number => RANK[phase]

/**
 * Believed to have left only because a list of open orders was without them. A word will tell, or their order; until then they may
 * as well have been given up, so they do not end: their figure contains them, and they count nowhere.
 */
export const isMissedByList = ({ phase, mark, end }: Demand): boolean =>
  end === undefined &&
  phase === 'shipped' &&
  mark?.isTold !== true &&
  (mark?.by === 'open-orders' || mark?.by === 'confirmed')

export const isLive = (demand: Demand): boolean => demand.end === undefined

/** Whether the units count towards a shop's quota: held to picked, whatever the supply. */
export const isOpen = (demand: Demand): boolean => isLive(demand) && demand.phase !== 'shipped'

export const isHeld = (demand: Demand): boolean => isLive(demand) && demand.phase === 'held'

/** Older promises first; the number breaks ties, so that the order is total. */
export const byPromise = (a: Demand, b: Demand): number => a.promisedAt - b.promisedAt || a.no - b.no
export const youngestFirst = (a: Demand, b: Demand): number => byPromise(b, a)
