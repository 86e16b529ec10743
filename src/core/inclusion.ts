/**
 * L1, Inclusion: a unit is subtracted until the warehouse's figure provably contains it.
 *
 * Two stamps of one source compare only within one epoch, and only by what both of them carry. What cannot be compared
 * proves nothing; and what is not proved is subtracted.
 */
import type { Configuration, SourceRules } from './configuration.ts'
import { type Demand, type Known, type Proof, rankOf } from './demand.ts'
import type { WarehouseId } from './ids.ts'
import type { Figure } from './stock.ts'
import type { Stamp } from './word.ts'

/** How `a` stands to `b` in the source's own order; `undefined` when nothing is proved. */
export function compareStamps(
  a: Stamp,
  b: Stamp,
): { readonly order: number; readonly by: 'sequence' | 'clock' } | undefined {
  if (a.epoch !== b.epoch) return undefined
  if (a.sequence !== undefined && b.sequence !== undefined) return { order: a.sequence - b.sequence, by: 'sequence' }
  // Two acts may share one tick of the WMS's clock: equal times prove nothing.
  if (a.asOf !== undefined && b.asOf !== undefined && a.asOf !== b.asOf) return { order: a.asOf - b.asOf, by: 'clock' }
  return undefined
}

/** Whether a stamp says anything about order at all. */
export const isOrdered = (stamp: Stamp): boolean => stamp.sequence !== undefined || stamp.asOf !== undefined

/**
 * Proves that a figure contains the units of a demand, or does not.
 *
 * @returns the proof, or `undefined`: subtract
 */
export function proofOfInclusion(figure: Figure, demand: Demand, source: SourceRules | undefined): Proof | undefined {
  const { mark, unmark } = demand
  if (demand.supply.kind !== 'on-hand') return undefined
  if (!mark) return proofByMargin(figure, demand, source)
  if (mark.warehouse !== demand.supply.warehouse) return undefined
  const isNet = figure.semantics === 'net'
  if (isNet && unmark && !isLater(mark.stamp, unmark) && !isLater(unmark, figure.stamp)) return undefined
  if (mark.by === 'baseline' && isNet && figure.stamp.epoch === mark.stamp.epoch) return 'baseline'
  // A gross figure is without what has left and nothing else, whatever was told while its source was net.
  const isMark = mark.by !== 'baseline' && (isNet || demand.phase === 'shipped')
  const notOlder = isMark ? compareStamps(figure.stamp, mark.stamp) : undefined
  if (!notOlder || notOlder.order < 0) return proofByMargin(figure, demand, source)
  // The numbers of a pulled source are those of our own pulls: we had stored the mark when we asked for the figure.
  return source?.isPulled && notOlder.by === 'sequence' ? 'fenced-pull' : notOlder.by
}

/** Whether a stamp is provably later than another. Epochs follow each other, although nothing else compares across them. */
export const isLater = (stamp: Stamp, than: Stamp): boolean =>
  stamp.epoch > than.epoch || (compareStamps(stamp, than)?.order ?? 0) > 0

/** Proof 5: a source without order words has had time enough to learn of the order, by a declared margin on our database's clock. */
function proofByMargin(figure: Figure, demand: Demand, source: SourceRules | undefined): Proof | undefined {
  if (source?.knowsOrdersWithinMs === undefined || demand.placedAt === undefined) return undefined
  return figure.receivedAt > demand.placedAt + source.knowsOrdersWithinMs ? 'margin' : undefined
}

/**
 * Whether the figure may contain units that it does not provably contain: they were ordered before it reached us and nothing
 * proves that they were taken later. A hold never is: the warehouse cannot know it (L3, H35).
 */
export function mayContain(figure: Figure, demand: Demand): boolean {
  if (rankOf(demand.phase) === 0 || demand.placedAt === undefined) return false
  if (demand.placedAt >= figure.receivedAt) return false
  if (!demand.mark) return true
  const order = compareStamps(figure.stamp, demand.mark.stamp)
  return !(order && order.order < 0)
}

/** Since when the source of a warehouse knows the units, in its own order; `undefined` when only another source told of them. */
export function knownIn(
  { rules }: { readonly rules: Configuration },
  { knownSince: known }: Demand,
  warehouse: WarehouseId,
): Stamp | undefined {
  const sourceOf = (each: WarehouseId) => rules.warehouses.get(each)?.source
  return known && sourceOf(known.warehouse) === sourceOf(warehouse) ? known.stamp : undefined
}

/** What is known after a word: the first one of its own source counts. */
export const knownSince = (
  draft: { readonly rules: Configuration },
  demand: Demand,
  { warehouse, stamp }: { readonly warehouse: WarehouseId; readonly stamp: Stamp },
): Known => {
  const { knownSince: known } = demand
  return known && knownIn(draft, demand, warehouse) ? known : { warehouse, stamp }
}
