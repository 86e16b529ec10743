/** What a pulled system says, free of any system: the port between the pulling loop and whoever speaks to one. */
import type { Day, Units } from '../core/ids.ts'

/** Where one order stands in the warehouse: absolute, so it may be told any number of times. */
export type PulledOrder = {
  /** The shop's order number. */
  readonly order: string
  /** Units that the warehouse still has to ship, and of these, those that it has allocated. */
  readonly units: Units
  readonly allocated: Units
  /** Units that have left. */
  readonly shipped: Units
}

/** One line that the warehouse expects. */
export type PulledInbound = {
  readonly purchaseOrder: string
  readonly line: string
  readonly ordered: Units
  /** Units that have come to where they can be sold. */
  readonly received: Units
  readonly confirmed: boolean
  readonly cancelled: boolean
  /** Absent: nobody knows. */
  readonly eta?: Day
  readonly supplier?: string
}

/** What the system says about one SKU in one warehouse, as one statement: its figure and its orders are of one moment. */
export type PulledStatement = {
  readonly warehouse: string
  readonly sku: string
  /** Units without what the warehouse has allocated. */
  readonly net: Units
  readonly orders: readonly PulledOrder[]
  /** No older than the figure: a unit that has come is counted on hand, or by nobody for a moment, never twice. */
  readonly inbound: readonly PulledInbound[]
}

/** A SKU of which a part cannot be used. */
export type PulledProblem = {
  readonly warehouse: string
  readonly sku: string
  readonly field: string
  readonly value: string
  readonly reason: string
}

export type Reading = { readonly statements: readonly PulledStatement[]; readonly problems: readonly PulledProblem[] }

/** What Holdfast still counts about a SKU: the system answers for each of these, whatever became of it. */
export type Standing = {
  readonly orders: readonly string[]
  readonly inbound: readonly { readonly warehouse: string; readonly purchaseOrder: string; readonly line: string }[]
}

/** SKUs that may read otherwise than before, and where to look on from. */
export type Look = {
  readonly skus: readonly string[]
  readonly cursor: unknown
  /** Why the system seems to be an earlier self of it, or another one. */
  readonly restored?: string
}

/** A system that is asked. Failures are `Failure`s with a `WMS_…` code. */
export interface PulledSystem {
  /** Looks for what may have changed. Without a cursor, and for one that it cannot use, everything. Too many is harmless. */
  look(cursor: unknown): Promise<Look>
  /** Reads some SKUs, given in their canonical form, in every warehouse. One that it does not know reads as 0. */
  read(standing: ReadonlyMap<string, Standing>): Promise<Reading>
}
