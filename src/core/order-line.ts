/**
 * What the warehouse says about units of an order line (L1). Late words re-evaluate; a later word implies the earlier ones. Which
 * units a word means is told in `line-part.ts`.
 */
import { allocateNet, deallocateNet, putBack } from './allocation.ts'
import { sourceOfWarehouse } from './configuration.ts'
import { byPromise, type Demand, type DemandPatch, isLive, isMissedByList, rankOf } from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import { reconsider } from './figure.ts'
import type { Units } from './ids.ts'
import { compareStamps, isLater, knownIn } from './inclusion.ts'
import {
  allocatedAmong,
  type Fit,
  fitting,
  isAllocated,
  isGivenUp,
  isHere,
  isNowhereElse,
  isUnshipped,
  laterOf,
  takenFrom,
  unitsOf,
  warehouseOf,
} from './line-part.ts'
import { raiseShortage, serveShortages, settleShortage } from './peg.ts'
import { tellChange } from './rise.ts'
import { moveOn, pick, ship, shipBeyond } from './shipment.ts'
import type { OrderLineWord, Stamp } from './word.ts'

/** What became of a word. `unknown-order`: keep it, the order may not have been read yet. */
export type WordVerdict = 'applied' | 'repeated' | 'unknown-order'

/** Applies one word to the units that it means. */
export function takeOrderLineWord(draft: Draft, word: OrderLineWord): WordVerdict {
  const line = demandsOf(draft, word)
  if (line.length === 0) return 'unknown-order'
  if (line.some((demand) => hasTrace(demand, word))) return 'repeated'
  const left = tell(draft, word, line)
  if (word.says === 'shipped') shipBeyond(draft, word, line, left)
  const warehouses = new Set([word.warehouse, ...line.filter(isLive).flatMap(warehouseOf)])
  for (const warehouse of warehouses) reconsider(draft, warehouse)
  // Units that could not be picked are still in the figure: given out again at once, they would be promised a second time.
  if (word.says !== 'short') serveShortages(draft)
  settleShortage(draft, line.filter(isLive), 'the warehouse has the units')
  if (left > 0 && word.says === 'shipped' && line.some(isLive)) {
    draft.incidents.push({
      code: 'OVER_SHIPMENT',
      key: `${word.order}/${draft.state.sku}`,
      opens: true,
      orderNumber: word.order,
      units: left,
      cause: 'the warehouse shipped more units than the order has open; its next figure decides',
    })
  }
  return left < word.units ? 'applied' : 'repeated'
}

/** Everything that is known of the line, what has ended too: late words are about that. Oldest promise first. */
function demandsOf(draft: Draft, { shop, order, line }: OrderLineWord): readonly Demand[] {
  return [...draft.state.demands.values()]
    .filter(
      (demand) =>
        demand.orderLine?.orderNumber === order &&
        (shop === undefined || demand.shop === shop) &&
        (line === undefined || demand.orderLine.lineId === line),
    )
    .sort(byPromise)
}

/** The same act, told again under another identity: two acts of a source that counts never share a number. */
function hasTrace({ mark, unmark, phase }: Demand, { says, warehouse, stamp }: OrderLineWord): boolean {
  const isIts = (known: Stamp | undefined): boolean =>
    stamp.sequence !== undefined && known?.sequence === stamp.sequence && known.epoch === stamp.epoch
  switch (says) {
    case 'allocated':
      return mark?.by === 'allocated' && mark.warehouse === warehouse && phase !== 'shipped' && isIts(mark.stamp)
    case 'shipped':
      return mark?.warehouse === warehouse && phase === 'shipped' && isIts(mark.stamp)
    case 'deallocated':
    case 'cancelled':
      return isIts(unmark)
    case 'acknowledged':
    case 'picked':
    case 'short':
      return false
  }
}

/** Applies the word to as many units as it names; returns the units that it did not find. */
function tell(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const isNet = semanticsOf(draft, word) === 'net'
  switch (word.says) {
    case 'acknowledged':
      return acknowledge(draft, word, line)
    case 'allocated':
      return isNet ? allocateNet(draft, word, line) : moveOn(draft, word, line, 'allocated')
    case 'picked':
      return pick(draft, word, line, isNet)
    case 'shipped':
      return ship(draft, word, line, isNet)
    case 'deallocated':
      return isNet ? deallocateNet(draft, word, line) : putBack(draft, word, line)
    case 'short':
      return short(draft, word, line)
    case 'cancelled':
      return cancel(draft, word, line, isNet)
  }
}

const semanticsOf = (draft: Draft, { warehouse }: OrderLineWord): 'net' | 'gross' =>
  sourceOfWarehouse(draft.rules, warehouse)?.semantics ?? 'net'

function acknowledge(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const source = sourceOfWarehouse(draft.rules, word.warehouse)
  if (source?.allocatesOnAcknowledge && source.semantics === 'net') return allocateNet(draft, word, line)
  // The word tells how many of the line the warehouse has by then, and some of them it may have told before.
  const before = line.filter((demand) => {
    const known = knownIn(draft, demand, word.warehouse)
    return known !== undefined && !isLater(known, word.stamp) && !isGivenUp(demand)
  })
  const news = Math.max(0, word.units - unitsOf(before))
  // Units of which a later word has told are meant first: it implied this one.
  const fits: Fit = (demand) => {
    const known = knownIn(draft, demand, word.warehouse)
    if (known && !isLater(word.stamp, known)) return 0
    return isLive(demand) && (demand.phase === 'placed' || !demand.knownSince) ? 1 : undefined
  }
  const left = alterUpTo(
    draft,
    fitting(line, fits),
    news,
    ({ phase }) => ({
      knownSince: { warehouse: word.warehouse, stamp: word.stamp },
      ...(phase === 'placed' ? { phase: 'acknowledged' } : {}),
    }),
    'acknowledged',
  )
  return word.units - (news - left)
}

/** The warehouse cannot serve these units: they look for another supply, else they are a shortage (design §2). */
function short(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const here: Fit = (demand) =>
    isUnshipped(demand) && demand.supply.kind === 'on-hand'
      ? (isHere(demand, word) ? 0 : 20) + (isAllocated(demand, word) ? 0 : 10)
      : undefined
  const meant = fitting(line, here)
  tellChange(draft, { ...word, change: allocatedAmong(meant, word) }, 'short')
  const left = alterUpTo(
    draft,
    meant,
    word.units,
    (demand) => ({
      phase: 'acknowledged',
      contained: false,
      supply: { kind: 'shortage' },
      // What allocated them is over, told or not: a late word about that must not mark them again.
      mark: undefined,
      proof: undefined,
      unmark: laterOf(demand.unmark, word.stamp),
    }),
    'short',
  )
  const [first] = meant
  if (first && left < word.units)
    raiseShortage(draft, first, word.units - left, 'the warehouse could not pick the units')
  return left
}

/**
 * The warehouse gave units up: those that the shop asked back, then those that it has put back on the shelf. What the shop has not
 * cancelled is still owed to its customer, for only the shop's own state ends that (L5): it waits as if never imported.
 */
function cancel(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
  const open: Fit = (demand) => {
    if (isGivenUp(demand)) return isAllocated(demand, word) ? -2 : undefined
    if (!isUnshipped(demand)) return undefined
    if (isBound(demand)) return demand.cancelRequested ? 0 : 1
    // Asked back, and bound by a book from before a restart: it is these that are given up.
    if (demand.cancelRequested) return 0.2
    return rankOf(demand.phase) < rankOf('allocated') ? 2 : 3
  }
  const isBound = (demand: Demand): boolean =>
    isNet ? isAllocated(demand, word) : isNowhereElse(demand, word) && rankOf(demand.phase) >= rankOf('allocated')
  const units = word.units - comeBack(draft, word, line)
  const meant = units === 0 ? [] : fitting(line, open)
  tellChange(draft, { ...word, change: allocatedAmong(meant, { ...word, units }) }, 'cancelled-by-warehouse')
  return alterUpTo(
    draft,
    meant,
    units,
    (demand) => {
      const unmark = { unmark: laterOf(demand.unmark, word.stamp) }
      if (isGivenUp(demand)) return unmark
      return demand.cancelRequested
        ? { ...unmark, end: 'cancelled' }
        : { ...unmark, phase: 'placed', knownSince: undefined }
    },
    'cancelled-by-warehouse',
  )
}

/**
 * A list of open orders was without the units that this older word tells of: they were given up, and did not leave. Whether their
 * customer still wants them, the shop's own state tells: until it is read they wait as if never imported. Returns their units.
 */
function comeBack(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
  const missed = line.filter(
    (demand) =>
      isMissedByList(demand) && demand.mark && (compareStamps(demand.mark.stamp, word.stamp)?.order ?? -1) >= 0,
  )
  const taken = takenFrom(missed, word.units)
  for (const { demand, units } of taken) {
    const { mark } = demand
    // By a list that implied their allocation the figure was said to have fallen; one that confirmed it says so no more.
    if (mark) tellChange(draft, { ...(mark.by === 'open-orders' ? mark : word), change: units }, 'given-up-not-left')
    const isAsked = demand.cancelRequested === true
    const patch: DemandPatch = isAsked
      ? { end: 'cancelled' }
      : { phase: 'placed', contained: false, mark: undefined, proof: undefined, knownSince: undefined }
    alter(draft, demand, units, { ...patch, unmark: laterOf(demand.unmark, word.stamp) }, 'given-up-not-left')
  }
  return unitsOf(taken)
}
