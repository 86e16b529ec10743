/**
 * Where the units of an order line stand with a word about them. A word names units, not which: of a line of five, two are allocated
 * and two are shipped, and the words may come in any order. So each word chooses the units whose history it fits best. A wrong
 * choice would let one unit be told twice and leave another marked that the warehouse never touched; where two choices fit, the one
 * that subtracts longer is taken.
 */
import { type Demand, type DemandPatch, isLive, type Mark, rankOf } from './demand.ts'
import type { Draft } from './draft.ts'
import type { Units, WarehouseId } from './ids.ts'
import { compareStamps, isLater, knownIn, knownSince } from './inclusion.ts'
import type { OrderLineWord, Stamp } from './word.ts'

/** How well units fit a word, best first; `undefined`: they cannot be meant. */
export type Fit = (demand: Demand) => number | undefined

/** The units that a word can mean, those that fit best first; among equals, those wanted still before those asked back. */
export function fitting(line: readonly Demand[], fits: Fit): readonly Demand[] {
  return line
    .flatMap((demand) => {
      const rank = fits(demand)
      return rank === undefined ? [] : [{ demand, rank: rank + (demand.cancelRequested ? 0.5 : 0) }]
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ demand }) => demand)
}

/** Pegged to the warehouse that speaks. */
export const isHere = (demand: Demand, { warehouse }: OrderLineWord): boolean => warehouseOf(demand)[0] === warehouse

/** Pegged here, or lost by a figure that did not show them. */
export const isNowhereElse = (demand: Demand, { warehouse }: OrderLineWord): boolean =>
  warehouseOf(demand).every((each) => each === warehouse)

/** The warehouse that units are pegged to; none while they wait for a supply. */
export const warehouseOf = ({ supply }: Demand): readonly WarehouseId[] =>
  supply.kind === 'on-hand' ? [supply.warehouse] : []

/** Marked by this warehouse in this epoch: nothing is proved across epochs, so an older mark is none. */
const markHere = ({ mark }: Demand, { warehouse, stamp }: OrderLineWord): Demand['mark'] =>
  mark?.warehouse === warehouse && mark.stamp.epoch >= stamp.epoch ? mark : undefined

/** Allocated here as far as we know: marked, and not taken back since. */
export const isAllocated = (demand: Demand, word: OrderLineWord): boolean => {
  const mark = markHere(demand, word)
  return mark !== undefined && (demand.unmark === undefined || isLater(mark.stamp, demand.unmark))
}

/** Allocated by another warehouse: its units are not the ones that this word means, as long as there are others. */
export const isAllocatedElsewhere = ({ mark, unmark }: Demand, { warehouse, stamp }: OrderLineWord): boolean =>
  mark !== undefined &&
  mark.warehouse !== warehouse &&
  mark.stamp.epoch >= stamp.epoch &&
  (unmark === undefined || isLater(mark.stamp, unmark))

/** The sum of their units. */
export const unitsOf = (demands: readonly { readonly units: Units }[]): Units =>
  demands.reduce((sum, { units }) => sum + units, 0)

/** Still to leave the warehouse. */
export const isUnshipped = (demand: Demand): boolean => isLive(demand) && demand.phase !== 'shipped'

/** Marks that imply an allocation without telling it. */
export const IMPLYING: ReadonlySet<Mark['by']> = new Set(['picked', 'shipped', 'open-orders'])

/** Implied by something later than the word, as an issue implies the allocation before it. */
export function isImplied(demand: Demand, word: OrderLineWord): boolean {
  const mark = markHere(demand, word)
  if (!mark || !IMPLYING.has(mark.by)) return false
  return (compareStamps(mark.stamp, word.stamp)?.order ?? 1) > 0
}

/** The peg moves to the warehouse that speaks (H14), once that warehouse has said what it has. */
function movedHere(draft: Draft, demand: Demand, { warehouse }: OrderLineWord): DemandPatch {
  if (warehouseOf(demand)[0] === warehouse || !draft.state.shelves.has(warehouse)) return {}
  return { supply: { kind: 'on-hand', warehouse }, contained: false }
}

/** The word moves units to a phase, if they are not further already. */
export function movedOn(draft: Draft, demand: Demand, word: OrderLineWord, phase: Demand['phase']): DemandPatch {
  return {
    ...movedHere(draft, demand, word),
    ...knownBy(draft, demand, word),
    ...(rankOf(phase) > rankOf(demand.phase) ? { phase } : {}),
  }
}

/**
 * An act on units implies that the warehouse has read them. Not so where it had read others of the same line before: the act may be
 * about those, and a word about what it did to them in between is late. Its list of open orders would miss units that it never had.
 */
export function knownBy(draft: Draft, demand: Demand, word: OrderLineWord): DemandPatch {
  const { shop, orderLine } = demand
  const isEarlier = (other: Demand): boolean => {
    const known = other.no === demand.no ? undefined : knownIn(draft, other, word.warehouse)
    return known !== undefined && known !== word.stamp
  }
  const isOfLine = (other: Demand): boolean =>
    other.shop === shop &&
    other.orderLine?.orderId === orderLine?.orderId &&
    other.orderLine?.lineId === orderLine?.lineId
  const isNews =
    !demand.knownSince &&
    [...draft.state.demands.values()].some((each) => isOfLine(each) && isLive(each) && isEarlier(each))
  return isNews ? {} : { knownSince: knownSince(draft, demand, word) }
}

/** The mark that a word sets. */
export const markBy = (by: 'allocated' | 'picked' | 'shipped', { warehouse, stamp }: OrderLineWord): DemandPatch => ({
  mark: { by, warehouse, stamp },
})

/** Wanted no more, before the warehouse knew: what it still says of these units explains its figures, and nothing else. */
export const isGivenUp = ({ end }: Demand): boolean => end !== undefined && end !== 'shipped-and-included'

/** Taken back by a word that is provably later than this one. */
export const isTakenBackAfter = ({ unmark }: Demand, { stamp }: OrderLineWord): boolean =>
  unmark !== undefined && isLater(unmark, stamp)

/** The later of two stamps; the new one where nothing is proved. */
export const laterOf = (known: Stamp | undefined, stamp: Stamp): Stamp =>
  known && isLater(known, stamp) ? known : stamp

/** The units that a word takes from each of the demands that it fits. */
export function takenFrom(
  meant: readonly Demand[],
  units: Units,
): readonly { readonly demand: Demand; readonly units: Units }[] {
  let left = units
  return meant.flatMap((demand) => {
    const taken = Math.min(left, demand.units)
    left -= taken
    return taken > 0 ? [{ demand, units: taken }] : []
  })
}

/** Of the units that a word takes from these demands, those that a net figure was without: it rises by them. */
export const allocatedAmong = (meant: readonly Demand[], word: OrderLineWord): Units =>
  takenFrom(meant, word.units).reduce((sum, { demand, units }) => sum + (isAllocated(demand, word) ? units : 0), 0)
