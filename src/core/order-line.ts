/**
 * What the warehouse says about units of an order line (L1). Late words re-evaluate; a later word implies the earlier ones.
 *
 * A word names units, not which: of a line of five, two are allocated and two are shipped, and the words may come in any order.
 * So each word chooses the units whose history it fits best. A wrong choice would let one unit be told twice and leave another
 * marked that the warehouse never touched; where two choices fit, the one that subtracts longer is taken.
 */
import { sourceOfWarehouse } from './configuration.ts'
import { byPromise, type Demand, type DemandPatch, isLive, type Mark, rankOf } from './demand.ts'
import { addDemand, alter, alterUpTo, type Draft } from './draft.ts'
import { reconsider } from './figure.ts'
import type { Units, WarehouseId } from './ids.ts'
import { compareStamps, isLater, knownIn, knownSince } from './inclusion.ts'
import { raiseShortage, serveShortages, settleShortage } from './peg.ts'
import { tellChange } from './rise.ts'
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

const warehouseOf = ({ supply }: Demand): readonly WarehouseId[] =>
  supply.kind === 'on-hand' ? [supply.warehouse] : []

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

/** How well units fit a word, best first; `undefined`: they cannot be meant. */
type Fit = (demand: Demand) => number | undefined

/** The units that a word can mean, those that fit best first; among equals, those wanted still before those asked back. */
function fitting(line: readonly Demand[], fits: Fit): readonly Demand[] {
  return line
    .flatMap((demand) => {
      const rank = fits(demand)
      return rank === undefined ? [] : [{ demand, rank: rank + (demand.cancelRequested ? 0.5 : 0) }]
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ demand }) => demand)
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
  // Units of which a later word has told are meant first: it implied this one.
  const fits: Fit = (demand) => {
    const known = knownIn(draft, demand, word.warehouse)
    if (known && !isLater(word.stamp, known)) return 0
    return isLive(demand) && demand.phase === 'placed' ? 1 : undefined
  }
  return alterUpTo(
    draft,
    fitting(line, fits),
    word.units,
    ({ phase }) => ({
      knownSince: { warehouse: word.warehouse, stamp: word.stamp },
      ...(phase === 'placed' ? { phase: 'acknowledged' } : {}),
    }),
    'acknowledged',
  )
}

// ── where units stand with a word ───────────────────────────────────────────────────────────────────────────────────

const isHere = (demand: Demand, { warehouse }: OrderLineWord): boolean => warehouseOf(demand)[0] === warehouse

/** Pegged here, or lost by a figure that did not show them. */
const isNowhereElse = (demand: Demand, { warehouse }: OrderLineWord): boolean =>
  warehouseOf(demand).every((each) => each === warehouse)

/** Marked by this warehouse in this epoch: nothing is proved across epochs, so an older mark is none. */
const markHere = ({ mark }: Demand, { warehouse, stamp }: OrderLineWord): Demand['mark'] =>
  mark?.warehouse === warehouse && mark.stamp.epoch >= stamp.epoch ? mark : undefined

/** Allocated here as far as we know: marked, and not taken back since. */
const isAllocated = (demand: Demand, word: OrderLineWord): boolean => {
  const mark = markHere(demand, word)
  return mark !== undefined && (demand.unmark === undefined || isLater(mark.stamp, demand.unmark))
}

/** Allocated by another warehouse: its units are not the ones that this word means, as long as there are others. */
const isAllocatedElsewhere = ({ mark, unmark }: Demand, { warehouse, stamp }: OrderLineWord): boolean =>
  mark !== undefined &&
  mark.warehouse !== warehouse &&
  mark.stamp.epoch >= stamp.epoch &&
  (unmark === undefined || isLater(mark.stamp, unmark))

const unitsOf = (demands: readonly Demand[]): Units => demands.reduce((sum, { units }) => sum + units, 0)

const isUnshipped = (demand: Demand): boolean => isLive(demand) && demand.phase !== 'shipped'

const IMPLYING: ReadonlySet<Mark['by']> = new Set(['picked', 'shipped', 'open-orders'])

/** Implied by something later than the word, as an issue implies the allocation before it. */
function isImplied(demand: Demand, word: OrderLineWord): boolean {
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
function movedOn(draft: Draft, demand: Demand, word: OrderLineWord, phase: Demand['phase']): DemandPatch {
  return {
    ...movedHere(draft, demand, word),
    knownSince: knownSince(draft, demand, word),
    ...(rankOf(phase) > rankOf(demand.phase) ? { phase } : {}),
  }
}

const markBy = (by: 'allocated' | 'picked' | 'shipped', { warehouse, stamp }: OrderLineWord): DemandPatch => ({
  mark: { by, warehouse, stamp },
})

// ── allocation, the mark of a net source ────────────────────────────────────────────────────────────────────────────

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

/** Wanted no more, before the warehouse knew: what it still says of these units explains its figures, and nothing else. */
const isGivenUp = ({ end }: Demand): boolean => end !== undefined && end !== 'shipped-and-included'

const isTakenBackAfter = ({ unmark }: Demand, { stamp }: OrderLineWord): boolean =>
  unmark !== undefined && isLater(unmark, stamp)

/** Taken back before its allocation was told: this word is the one that it waits for. */
const isAwaited = (demand: Demand, word: OrderLineWord): boolean =>
  isTakenBackAfter(demand, word) && (demand.mark === undefined || isImplied(demand, word))

function allocateNet(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
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
  if (isAwaited(demand, word)) return { unmark: undefined, knownSince: knownSince(draft, demand, word) }
  if (isTakenBackAfter(demand, word)) return { knownSince: knownSince(draft, demand, word) }
  if (isGivenUp(demand)) return told
  // What has left stays marked by that: it may have been taken back and allocated again in between.
  if (isImplied(demand, word) && demand.mark && demand.phase === 'shipped') {
    return { mark: { ...demand.mark, by: demand.mark.by === 'open-orders' ? 'confirmed' : 'allocated' } }
  }
  if (isImplied(demand, word)) return { ...told, knownSince: knownSince(draft, demand, word) }
  // Marked before, by the operator's belief or an allocation that was taken back since: the newest one says since when.
  return { ...movedOn(draft, demand, word, 'allocated'), ...told, contained: false }
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

/** The warehouse took its allocation back. Told before the allocation itself, the word waits for it on the demand (H38). */
function deallocateNet(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
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

const laterOf = (known: Stamp | undefined, stamp: Stamp): Stamp => (known && isLater(known, stamp) ? known : stamp)

/** A gross figure never was without the units: only how far they have come changes. */
function putBack(draft: Draft, word: OrderLineWord, line: readonly Demand[]): Units {
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

// ── picking and shipping ────────────────────────────────────────────────────────────────────────────────────────────

/** Only a phase moves. Of units that have left by a later word, this one is old news. */
function moveOn(draft: Draft, word: OrderLineWord, line: readonly Demand[], phase: 'allocated' | 'picked'): Units {
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
function pick(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
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

/** What implies an allocation implies that a net figure fell by it, at the latest by then. */
const tellImplied = (draft: Draft, word: OrderLineWord, units: Units): void =>
  tellChange(draft, { ...word, change: -units }, `${word.says}-implies`)

/** Of the units that a word takes, those whose allocation it implies. */
const unitsWith = (meant: readonly Demand[], units: Units, marked: (demand: Demand) => DemandPatch): Units =>
  takenFrom(meant, units).reduce((sum, taken) => sum + (isImplying(marked(taken.demand)) ? taken.units : 0), 0)

const isImplying = ({ mark }: DemandPatch): boolean => mark !== undefined && IMPLYING.has(mark.by)

/** The units that a word takes from each of the demands that it fits. */
function takenFrom(
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

function ship(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
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
  const meant = fitting(line, fitsShipment(word, isNet))
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
 * The warehouse shipped more of the line than we know to be wanted: it heard of an edit before us, or not yet of a cancellation.
 * The units have left whatever anybody wanted, so they are subtracted until a figure is without them, and they serve the line
 * should it want them still, or again.
 */
function shipBeyond(draft: Draft, word: OrderLineWord, line: readonly Demand[], units: Units): void {
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

/**
 * The goods issue is the mark of a gross figure; of a net one it implies the allocation, where that was not told. Where it was,
 * only a figure as new as the issue is sure for good: units may be taken back and allocated again in between.
 */
function issue(demand: Demand, word: OrderLineWord, isNet: boolean): DemandPatch {
  const mark = isAllocated(demand, word) ? demand.mark : undefined
  const isTold = mark !== undefined && !IMPLYING.has(mark.by) && !isLater(mark.stamp, word.stamp)
  return markBy(isNet && isTold ? 'allocated' : 'shipped', word)
}

// ── what the warehouse gives up ─────────────────────────────────────────────────────────────────────────────────────

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
    () => ({ phase: 'acknowledged', contained: false, supply: { kind: 'shortage' }, ...WITHOUT_MARK }),
    'short',
  )
  const [first] = meant
  if (first && left < word.units)
    raiseShortage(draft, first, word.units - left, 'the warehouse could not pick the units')
  return left
}

const WITHOUT_MARK: DemandPatch = { mark: undefined, unmark: undefined, proof: undefined }

/**
 * The warehouse gave units up: those that the shop asked back, then those that it has put back on the shelf. What the shop has not
 * cancelled is still owed to its customer, for only the shop's own state ends that (L5): it waits as if never imported.
 */
function cancel(draft: Draft, word: OrderLineWord, line: readonly Demand[], isNet: boolean): Units {
  const open: Fit = (demand) => {
    if (isGivenUp(demand)) return isAllocated(demand, word) ? -2 : undefined
    if (!isUnshipped(demand)) return undefined
    if (isBound(demand)) return demand.cancelRequested ? 0 : 1
    return rankOf(demand.phase) < rankOf('allocated') ? 2 : 3
  }
  const isBound = (demand: Demand): boolean =>
    isNet ? isAllocated(demand, word) : isNowhereElse(demand, word) && rankOf(demand.phase) >= rankOf('allocated')
  const meant = fitting(line, open)
  tellChange(draft, { ...word, change: allocatedAmong(meant, word) }, 'cancelled-by-warehouse')
  return alterUpTo(
    draft,
    meant,
    word.units,
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

/** Of the units that a word takes from these demands, those that a net figure was without: it rises by them. */
const allocatedAmong = (meant: readonly Demand[], word: OrderLineWord): Units =>
  takenFrom(meant, word.units).reduce((sum, { demand, units }) => sum + (isAllocated(demand, word) ? units : 0), 0)
