/** A decision under way: every change is applied to the working copy at once and kept for the ledger. */
import type { Configuration } from './configuration.ts'
import type { Demand, DemandPatch } from './demand.ts'
import type { Instant, ShopId, Units } from './ids.ts'
import { type Change, evolve, type InboundLine, type Shelf, type SkuState } from './stock.ts'

/** Something a person should know, opened or settled by a decision. Keys are stable: the same trouble is told once. */
export type Incident = {
  readonly code:
    | 'SHORTAGE'
    | 'HOLD_LOST'
    | 'RESTART_SUSPECTED'
    | 'CANCEL_AFTER_ALLOCATION'
    | 'OVER_SHIPMENT'
    | 'PROMISE_AT_RISK'
  readonly key: string
  readonly opens: boolean
  readonly shop?: ShopId
  readonly orderNumber?: string
  readonly units?: Units
  /** What led to it, in the words of the catalogue. */
  readonly cause: string
}

/** The state of one SKU, the rules and the clock of one command, and what the command has changed so far. */
export type Draft = {
  readonly state: SkuState
  readonly rules: Configuration
  readonly now: Instant
  readonly changes: Change[]
  readonly incidents: Incident[]
}

export const draftOf = (state: SkuState, rules: Configuration, now: Instant): Draft => ({
  state,
  rules,
  now,
  changes: [],
  incidents: [],
})

function change(draft: Draft, step: Change): void {
  evolve(draft.state, step)
  draft.changes.push(step)
}

export const setShelf = (draft: Draft, shelf: Shelf, why: string): void => change(draft, { set: 'shelf', why, shelf })

export const setInbound = (draft: Draft, line: InboundLine, why: string): void =>
  change(draft, { set: 'inbound', why, line })

/** Records new units under the next number. */
export function addDemand(draft: Draft, demand: Omit<Demand, 'no'>, why: string): Demand {
  const added = { ...demand, no: draft.state.nextDemand }
  change(draft, { set: 'demand', why, demand: added })
  return added
}

/**
 * Changes `units` of a demand; the rest stays as it was. When only a part is meant, the part gets a number of its own,
 * so that a demand always stands for units that are in one place (design §2, "splits where its units part").
 *
 * @returns the demand that was changed
 */
export function alter(draft: Draft, demand: Demand, units: Units, patch: DemandPatch, why: string): Demand {
  if (units <= 0 || units > demand.units) throw new Error(`Cannot alter ${units} of ${demand.units} units`)
  if (units === demand.units) {
    const altered = patched(demand, patch)
    change(draft, { set: 'demand', why, demand: altered })
    return altered
  }
  change(draft, { set: 'demand', why: 'split', demand: { ...demand, units: demand.units - units } })
  return addDemand(draft, { ...patched(demand, patch), units }, why)
}

function patched(demand: Demand, patch: DemandPatch): Demand {
  const kept = Object.entries({ ...demand, ...patch }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as Demand
}

/** Walks over demands and alters up to `units` of them, in the order given. Returns the units that were left over. */
export function alterUpTo(
  draft: Draft,
  demands: readonly Demand[],
  units: Units,
  next: (demand: Demand) => DemandPatch,
  why: string,
): Units {
  let left = units
  for (const demand of demands) {
    if (left === 0) break
    const taken = Math.min(left, demand.units)
    alter(draft, demand, taken, next(demand), why)
    left -= taken
  }
  return left
}
