/** A whole state in a form that is kept: a snapshot on the way, or the checkpoint that stands for months that were archived. */
import { type Demand, isLive } from './demand.ts'
import type { Instant, Sku } from './ids.ts'
import { emptyState, evolve, type InboundLine, inboundKey, type Shelf, type SkuState } from './stock.ts'

/** A state at one version. Demands that have ended count nowhere and are left out; counters follow from the live ones. */
export type StateImage = {
  readonly version: number
  readonly nextDemand: number
  readonly shelves: readonly Shelf[]
  readonly inbound: readonly InboundLine[]
  readonly demands: readonly Demand[]
}

/**
 * How many demands had ended, and the sum (modulo 2^256, in hex) of the SHA-256 of each: a checksum, the archived file is the proof.
 * No sum where one of them changed after its end.
 */
export type EndedDemands = { readonly count: number; readonly sum?: string }

/**
 * What a `checkpoint` entry of a SKU keeps: the state at the last version before the cut. It stands somewhere behind the cut and
 * changes nothing; whoever folds the stream begins with `state` and goes on with the entry after `state.version`.
 */
export type SkuCheckpoint = {
  readonly state: StateImage
  readonly ended: EndedDemands
  /** The first moment behind the cut: the past is known from here on. */
  readonly keptFrom: Instant
}

/** The image of a state at hand. */
export const imageOf = (state: SkuState): StateImage => ({
  version: state.version,
  nextDemand: state.nextDemand,
  shelves: [...state.shelves.values()],
  inbound: [...state.inbound.values()],
  demands: [...state.demands.values()].filter(isLive).sort((a, b) => a.no - b.no),
})

/** The state of an image: a new working copy with counters of its own. */
export function stateOfImage(sku: Sku, image: StateImage): SkuState {
  const state = emptyState(sku)
  for (const shelf of image.shelves) state.shelves.set(shelf.warehouse, shelf)
  for (const line of image.inbound) state.inbound.set(inboundKey(line), line)
  for (const demand of image.demands) evolve(state, { set: 'demand', why: '', demand })
  state.version = image.version
  state.nextDemand = image.nextDemand
  return state
}
