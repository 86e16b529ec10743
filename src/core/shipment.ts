/** Picking and shipping: the goods issue is the mark of a gross source, and implies the allocation of a net one (L1). */
import { type Demand, type DemandPatch, rankOf } from './demand.ts'
import { addDemand, alterUpTo, type Draft } from './draft.ts'
import type { Units } from './ids.ts'
import { compareStamps, isLater } from './inclusion.ts'
import {
  type Fit,
  fitting,
  IMPLYING,
  isAllocated,
  isAllocatedElsewhere,
  isHere,
  isTakenBackAfter,
  isUnshipped,
  markBy,
  movedOn,
  takenFrom,
  unitsOf,
} from './line-part.ts'
import { tellChange } from './rise.ts'
import type { OrderLineWord } from './word.ts'

/** Only a phase moves. Of units that have left by a later word, this one is old news. */
export function moveOn(
  draft: Draft,
  word: OrderLineWord,
  line: readonly Demand[],
  phase: 'allocated' | 'picked',
): Units {
  const leftSince = unitsOf(
    line.filter(({ phase, mark }) => phase === 'shipped' && mark && isLater(mark.stamp, word.stamp)),
  )
  const fits: Fit = (demand) => {
    if (!isUnshipped(demand) || rankOf(demand.phase) >= rankOf(phase)) return undefined
    return isTakenBackAfter(demand, word) ? -10 : (isHere(demand, word) ? 0 : 10) - rankOf(demand.phase)
  }
  return alterUpTo(
    draft,
    fitting(line, fits),
    Math.max(0, word.units - leftSince),
    (demand) => (isTakenBackAfter(demand, word) ? {} : movedOn(draft, demand, word, phase)),
    phase,
  )
}

/**
 * A pick implies an allocation that we were not told of. Not of a line of which some has left already: there a late pick may be
 * about those units, and would mark others that nobody has touched.
 */
export function pick(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
  const impliesAllocation = isNet && line.every(({ phase, end }) => phase !== 'shipped' && end === undefined)
  if (!isNet || !impliesAllocation) return moveOn(draft, word, line, 'picked')
  const fits: Fit = (demand) =>
    rankOf(demand.phase) >= rankOf('picked') ? undefined : isAllocated(demand, word) ? 0 : isHere(demand, word) ? 1 : 2
  const meant = fitting(line, fits)
  const marked = (demand: Demand): DemandPatch => (isAllocated(demand, word) ? {} : markBy('picked', word))
  tellImplied(draft, word, unitsWith(meant, word.units, marked))
  return alterUpTo(
    draft,
    meant,
    word.units,
    (demand) => ({ ...movedOn(draft, demand, word, 'picked'), ...marked(demand) }),
    'picked',
  )
}

/** Units left the warehouse. Returns those that the word did not find. */
export function ship(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
  // What a list of open orders was without by then is what this word is about.
  const missed = line.filter(
    ({ phase, mark }) =>
      phase === 'shipped' &&
      (mark?.by === 'open-orders' || mark?.by === 'confirmed') &&
      (compareStamps(mark.stamp, word.stamp)?.order ?? -1) >= 0,
  )
  for (const { demand, units } of takenFrom(missed, word.units)) {
    if (demand.mark?.by !== 'open-orders') continue
    tellChange(draft, { ...demand.mark, change: units }, 'shipped-earlier')
    tellImplied(draft, word, units)
  }
  const named = (demand: Demand): DemandPatch =>
    markBy(demand.mark?.by === 'open-orders' ? 'shipped' : 'allocated', word)
  const left = alterUpTo(draft, missed, word.units, named, 'shipped')
  const meant = fitting(newestAllocationFirst(line), fitsShipment(word, isNet))
  const marked = (demand: Demand): DemandPatch => issue(demand, word, isNet)
  for (const { demand, units } of takenFrom(meant, left)) {
    // What implied the allocation before is implied by the issue now: a word about it is still to come.
    const { mark } = demand
    if (mark && IMPLYING.has(mark.by) && isAllocated(demand, word)) {
      tellChange(draft, { ...mark, change: units }, 'shipped-implies')
    }
  }
  tellImplied(draft, word, unitsWith(meant, left, marked))
  return alterUpTo(
    draft,
    meant,
    left,
    (demand) => ({
      ...movedOn(draft, demand, word, 'shipped'),
      ...marked(demand),
      // What has left was not taken back afterwards, whatever a list seemed to say.
      ...(isTakenBackAfter(demand, word) ? { unmark: undefined } : {}),
    }),
    'shipped',
  )
}

/**
 * Of units that fit equally well, those that were allocated last have left: an older allocation may have been taken back by a word
 * that is late, and that word must find it.
 */
const newestAllocationFirst = (line: readonly Demand[]): readonly Demand[] =>
  line.toSorted(({ mark: a }, { mark: b }) => (a && b ? (compareStamps(b.stamp, a.stamp)?.order ?? 0) : 0))

/** Allocated units leave first, then others: of a line of five, of which two are allocated, these two. */
const fitsShipment =
  (word: OrderLineWord, isNet: boolean): Fit =>
  (demand) => {
    if (!isUnshipped(demand)) return undefined
    const furthest = 1 - rankOf(demand.phase) / 10
    if (!isNet) return (isHere(demand, word) ? 0 : 10) + furthest
    if (isAllocated(demand, word)) return demand.mark && isLater(demand.mark.stamp, word.stamp) ? 40 : furthest
    return isAllocatedElsewhere(demand, word) ? 30 : (isHere(demand, word) ? 10 : 20) + furthest
  }

/**
 * The goods issue is the mark of a gross figure; of a net one it implies the allocation, where that was not told. Where it was,
 * only a figure as new as the issue is sure for good: units may be taken back and allocated again in between.
 */
export function issue(demand: Demand, word: OrderLineWord, isNet: boolean): DemandPatch {
  const mark = isAllocated(demand, word) ? demand.mark : undefined
  const isTold = mark !== undefined && !IMPLYING.has(mark.by) && !isLater(mark.stamp, word.stamp)
  return markBy(isNet && isTold ? 'allocated' : 'shipped', word)
}

/**
 * The warehouse shipped more of the line than we know to be wanted: it heard of an edit before us, or not yet of a cancellation.
 * The units have left whatever anybody wanted, so they are subtracted until a figure is without them, and they serve the line
 * should it want them still, or again.
 */
export function shipBeyond(draft: Draft, word: OrderLineWord, line: readonly Demand[], units: Units): void {
  const [first] = line
  if (units === 0 || !first?.orderLine || !draft.state.shelves.has(word.warehouse)) return
  const { shop, promisedAt, orderLine, placedAt } = first
  // Those that were allocated before they were cancelled are out of a net figure already.
  const allocated = line.reduce(
    (sum, each) => sum + (each.end === 'cancelled' && isAllocated(each, word) ? each.units : 0),
    0,
  )
  tellImplied(draft, word, Math.max(0, units - allocated))
  addDemand(
    draft,
    {
      shop,
      units,
      phase: 'shipped',
      supply: { kind: 'on-hand', warehouse: word.warehouse },
      contained: false,
      promisedAt,
      ...(placedAt === undefined ? {} : { placedAt }),
      orderLine,
      mark: { by: 'shipped', warehouse: word.warehouse, stamp: word.stamp },
    },
    'shipped-beyond',
  )
}

/** What implies an allocation implies that a net figure fell by it, at the latest by then. */
const tellImplied = (draft: Draft, word: OrderLineWord, units: Units): void =>
  tellChange(draft, { ...word, change: -units }, `${word.says}-implies`)

/** Of the units that a word takes, those whose allocation it implies. */
const unitsWith = (meant: readonly Demand[], units: Units, marked: (demand: Demand) => DemandPatch): Units =>
  takenFrom(meant, units).reduce((sum, taken) => sum + (isImplying(marked(taken.demand)) ? taken.units : 0), 0)

const isImplying = ({ mark }: DemandPatch): boolean => mark !== undefined && IMPLYING.has(mark.by)
