/** Allocation and its taking back: the mark of a net source, and for a gross one only how far units have come (L1). */
import { sourceOfWarehouse } from './configuration.ts'
import { type Demand, type DemandPatch, rankOf } from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import type { Units } from './ids.ts'
import { isLater } from './inclusion.ts'
import {
  allocatedAmong,
  type Fit,
  fitting,
  isAllocated,
  isAllocatedElsewhere,
  isGivenUp,
  isHere,
  isImplied,
  isNowhereElse,
  isTakenBackAfter,
  isUnshipped,
  knownBy,
  laterOf,
  markBy,
  movedOn,
  takenFrom,
} from './line-part.ts'
import { tellChange } from './rise.ts'
import type { OrderLineWord } from './word.ts'

/** The warehouse bound its own units to the order. Returns the units that the word did not find. */
export function allocateNet(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const meant = fitting(line, fitsAllocation(word))
  const onAcknowledge = sourceOfWarehouse(draft.rules, word.warehouse)?.allocatesOnAcknowledge === true
  // A source that allocates as it acknowledges may say both: only what is news takes units out of its figure.
  const news = onAcknowledge ? meant.filter((demand) => !isAllocated(demand, word)) : meant
  for (const { demand, units } of takenFrom(news, word.units)) {
    // What was implied, or taken back before it was told, is told now in full.
    const { mark, unmark } = demand
    if (isAwaited(demand, word) && unmark) tellChange(draft, { ...word, stamp: unmark, change: units }, 'deallocated')
    else if (isImplied(demand, word) && mark) tellChange(draft, { ...mark, change: units }, 'allocated-earlier')
  }
  const left = alterUpTo(draft, news, word.units, (demand) => allocation(draft, demand, word), 'allocated')
  tellChange(draft, { ...word, change: onAcknowledge ? left - word.units : -word.units }, 'allocated')
  return left
}

function allocation(draft: Draft, demand: Demand, word: OrderLineWord): DemandPatch {
  const told = markBy('allocated', word)
  if (isAwaited(demand, word)) {
    // What implied the allocation is taken back with it, unless it tells of a later one.
    const isOver = demand.mark && demand.unmark && !isLater(demand.mark.stamp, demand.unmark)
    return {
      unmark: undefined,
      ...(isOver ? { mark: undefined, contained: false } : {}),
      ...knownBy(draft, demand, word),
    }
  }
  if (isTakenBackAfter(demand, word)) return { ...knownBy(draft, demand, word) }
  if (isGivenUp(demand)) return told
  // What has left stays marked by that: it may have been taken back and allocated again in between.
  if (isImplied(demand, word) && demand.mark && demand.phase === 'shipped') {
    return { mark: { ...demand.mark, by: demand.mark.by === 'open-orders' ? 'confirmed' : 'allocated' } }
  }
  if (isImplied(demand, word)) return { ...told, ...knownBy(draft, demand, word) }
  // Marked before, by the operator's belief or an allocation that was taken back since: the newest one says since when.
  return { ...movedOn(draft, demand, word, 'allocated'), ...told, contained: false }
}

/**
 * In this order: units whose taking back was told before their allocation was (H38), units of which something later has implied
 * it, units that were taken back since, units that are not allocated, and last, units that are: then a word about their taking
 * back is still to come.
 */
const fitsAllocation =
  (word: OrderLineWord): Fit =>
  (demand) => {
    if (isAwaited(demand, word)) return 0
    if (isGivenUp(demand)) return isAllocated(demand, word) ? undefined : 9
    if (isImplied(demand, word)) return 1
    // It may be that unit's own history: taken so, the others are subtracted longer.
    if (isTakenBackAfter(demand, word)) return 1.5
    if (!isUnshipped(demand)) return undefined
    if (isAllocatedElsewhere(demand, word)) return 6
    if (!isAllocated(demand, word)) return (isHere(demand, word) ? 2 : 3) - rankOf(demand.phase) / 10
    return demand.mark && !isLater(demand.mark.stamp, word.stamp) ? 5 : undefined
  }

/** Taken back before its allocation was told: this word is the one that it waits for. */
const isAwaited = (demand: Demand, word: OrderLineWord): boolean =>
  isTakenBackAfter(demand, word) && (demand.mark === undefined || isImplied(demand, word))

/** The warehouse took its allocation back. Told before the allocation itself, the word waits for it on the demand (H38). */
export function deallocateNet(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const meant = fitting(line, fitsTakingBack(word))
  // Of units whose allocation is still to be told, the figure has told neither.
  tellChange(draft, { ...word, change: allocatedAmong(meant, word) }, 'deallocated')
  const left = alterUpTo(
    draft,
    meant,
    word.units,
    (demand) => takenBack(demand, word, demand.cancelRequested === true && isAllocated(demand, word)),
    'deallocated',
  )
  // Units allocated again meanwhile: figures from before that allocation are not without them.
  const again = line.filter(
    (demand) => isUnshipped(demand) && demand.mark && isLater(demand.mark.stamp, word.stamp) && !demand.unmark,
  )
  for (const demand of again) {
    const current = draft.state.demands.get(demand.no)
    if (current) alter(draft, current, current.units, { unmark: word.stamp }, 'deallocated-between')
  }
  return left
}

function takenBack(demand: Demand, word: OrderLineWord, isAskedBack: boolean): DemandPatch {
  const unmark = laterOf(demand.unmark, word.stamp)
  if (isGivenUp(demand)) return { unmark }
  if (isAskedBack) return { unmark, end: 'cancelled' }
  // Taken back before: what it had been allocated by is over, and the word about its next allocation is still to come.
  const isOver = demand.mark !== undefined && demand.unmark !== undefined && !isAllocated(demand, word)
  return {
    unmark,
    ...(isOver ? { mark: undefined, contained: false } : {}),
    ...(rankOf(demand.phase) > rankOf('acknowledged') ? { phase: 'acknowledged' } : {}),
  }
}

/** In this order: allocated units, those wanted no more and those asked back first; then units whose allocation is still to be told. */
const fitsTakingBack =
  (word: OrderLineWord): Fit =>
  (demand) => {
    if (isGivenUp(demand)) return isAllocated(demand, word) ? -2 : undefined
    if (!isUnshipped(demand)) return undefined
    const asked = demand.cancelRequested ? -1 : 0
    if (isAllocated(demand, word)) {
      return demand.mark && isLater(demand.mark.stamp, word.stamp) ? undefined : asked + rankOf(demand.phase)
    }
    return isAllocatedElsewhere(demand, word) ? undefined : demand.unmark ? 11 : 10
  }

/** A gross figure never was without the units: only how far they have come changes. */
export function putBack(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const fits: Fit = (demand) => {
    if (!isUnshipped(demand)) return undefined
    if (rankOf(demand.phase) < rankOf('allocated')) return demand.unmark ? 3 : 2
    return isNowhereElse(demand, word) ? (demand.cancelRequested ? 0 : 1) : 4
  }
  return alterUpTo(
    draft,
    fitting(line, fits),
    word.units,
    (demand) => takenBack(demand, word, demand.cancelRequested === true),
    'deallocated',
  )
}
