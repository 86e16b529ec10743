/**
 * Proof 2 of L1: the list of open orders beside the figures of the same message. Membership says what the figure contains,
 * without any clock: allocated units of the list are out of a net figure; units that the warehouse once knew and that are on
 * the list no more have left. An order that it never acknowledged is simply not known to it yet.
 */
import { sourceOfWarehouse } from './configuration.ts'
import { type Demand, type DemandPatch, rankOf } from './demand.ts'
import { alterUpTo, type Draft } from './draft.ts'
import { containedBy, reconsider } from './figure.ts'
import type { Units, WarehouseId } from './ids.ts'
import { compareStamps, isLater, knownIn, knownSince } from './inclusion.ts'
import { takeOrderLineWord } from './order-line.ts'
import { liveDemands, serveShortages, settleShortage } from './peg.ts'
import { beginFrom, tellBeside, tellChange } from './rise.ts'
import type { Figure } from './stock.ts'
import type { OpenOrder, OpenOrdersWord } from './word.ts'

/** Compares one SKU's orders with the list. */
export function takeOpenOrders(draft: Draft, word: OpenOrdersWord, messageId: string): void {
  const isNet = (sourceOfWarehouse(draft.rules, word.warehouse)?.semantics ?? 'net') === 'net'
  // The list speaks for the figure of its own message, and for no other unless the stamps prove it.
  const figure = draft.state.shelves.get(word.warehouse)?.figure
  // Of an older list, some may have left since, and nothing at hand remembers which.
  const isNews = !figure || !isLater(figure.stamp, word.stamp)
  const isBeside = figure?.messageId === messageId
  const groups = groupsOf(draft, word)
  for (const { group, listed } of groups) {
    const left = word.tellsShipped
      ? leftByList(draft, word, group, { listed, isNet, isCurrent: isBeside })
      : leftByAbsence(draft, word, group, { listed, isNet, isCurrent: isBeside })
    if (listed.units > 0) acknowledge(draft, word, staying(draft, group), listed.units)
    if (isNet && isNews) {
      compareAllocated(draft, word, current(draft, group), { listed: listed.allocated, isBeside })
    }
    if (figure && isBeside) {
      const allocated = staying(draft, group).filter((demand) => isAllocated(demand, word))
      if (isNet) contain(draft, figure, allocated, listed.allocated)
      contain(draft, figure, left, Number.MAX_SAFE_INTEGER)
    }
  }
  if (isNet && figure?.messageId === messageId) beginFrom(draft, word.warehouse)
  reconsider(draft, word.warehouse)
  serveShortages(draft)
  for (const { group } of groups) settleShortage(draft, group, 'the warehouse has the units')
}

type Beside = { readonly listed: Listed; readonly isNet: boolean; readonly isCurrent: boolean }

/** Units that the warehouse had and the list does not name have left. Returns those that are known to have left only now. */
function leftByAbsence(draft: Draft, word: OpenOrdersWord, group: readonly Demand[], about: Beside): readonly Demand[] {
  const known = group.filter((demand) => knownBefore(draft, demand, word))
  // Asked back, and off a list that another figure has overtaken: a word or the next list will tell which. Nobody else has left.
  const undecided = about.isCurrent ? 0 : unitsOf(known.filter(({ cancelRequested }) => cancelRequested))
  const gone = unitsOf(known) - about.listed.units - undecided
  // Asked back and off the list: given up, as far as anybody can tell. The figure beside the list knows where the units are.
  const isGivenUp = (demand: Demand): boolean => demand.cancelRequested === true && about.isCurrent
  return gone > 0 ? leftTheWarehouse(draft, word, known, { ...about, units: gone, isGivenUp }) : []
}

/**
 * A list that tells what has left is compared with all that is known of the order, what has ended too: what is missing is an act
 * whose word nobody told. So it may be told any number of times, and an act between two lists is not lost.
 */
function leftByList(draft: Draft, word: OpenOrdersWord, group: readonly Demand[], about: Beside): readonly Demand[] {
  const [first] = group
  const order = first?.orderLine?.orderNumber
  if (!first || order === undefined) return []
  const { listed } = about
  const units = Math.max(0, listed.shipped - shippedFrom(draft, first, word.warehouse))
  const open = staying(draft, group)
  const left = units > 0 ? leftTheWarehouse(draft, word, open, { ...about, units, isGivenUp: () => false }) : []
  const { warehouse, stamp } = word
  const told = { kind: 'order-line', shop: first.shop, order, sku: draft.state.sku, warehouse, stamp } as const
  const beyond = units - unitsOf(open)
  if (beyond > 0) takeOrderLineWord(draft, { ...told, says: 'shipped', units: beyond })
  const known = staying(draft, group).filter((demand) => knownBefore(draft, demand, word))
  const givenUp = unitsOf(known) - listed.units
  if (givenUp > 0) takeOrderLineWord(draft, { ...told, says: 'cancelled', units: givenUp })
  return left
}

/** Units of an order that this warehouse is known to have sent, whether they still count or not. */
const shippedFrom = (draft: Draft, { shop, orderLine }: Demand, warehouse: WarehouseId): Units =>
  unitsOf(
    [...draft.state.demands.values()].filter(
      (demand) =>
        demand.phase === 'shipped' &&
        demand.mark?.warehouse === warehouse &&
        demand.shop === shop &&
        demand.orderLine?.orderId === orderLine?.orderId,
    ),
  )

type Listed = { readonly units: Units; readonly allocated: Units; readonly shipped: Units }

/** What is ordered, by order line, with what the list says of it. An order whose rows name no line is compared whole. */
function groupsOf(
  draft: Draft,
  word: OpenOrdersWord,
): readonly { readonly group: Demand[]; readonly listed: Listed }[] {
  const rowsFor = (demand: Demand): readonly OpenOrder[] =>
    word.orders.filter(
      (row) =>
        row.sku === draft.state.sku &&
        row.order === demand.orderLine?.orderNumber &&
        (row.shop === undefined || row.shop === demand.shop),
    )
  const groups = new Map<string, { group: Demand[]; listed: Listed }>()
  for (const demand of liveDemands(draft, ({ phase }) => phase !== 'held')) {
    const rows = rowsFor(demand)
    const isWhole = word.tellsShipped === true || rows.some(({ line }) => line === undefined)
    const line = demand.orderLine?.lineId
    const key = isWhole ? `${demand.shop}\u001f${demand.orderLine?.orderId}` : lineOf(demand)
    const found = groups.get(key)
    if (found) found.group.push(demand)
    else groups.set(key, { group: [demand], listed: sumOf(rows.filter((row) => isWhole || row.line === line)) })
  }
  return [...groups.values()]
}

const sumOf = (rows: readonly OpenOrder[]): Listed => ({
  units: rows.reduce((sum, { units }) => sum + units, 0),
  allocated: rows.reduce((sum, { allocated }) => sum + allocated, 0),
  shipped: rows.reduce((sum, { shipped }) => sum + (shipped ?? 0), 0),
})

const unitsOf = (demands: readonly Demand[]): Units => demands.reduce((sum, { units }) => sum + units, 0)

/** Demands as they are now, and the parts that were split from them. */
function current(draft: Draft, demands: readonly Demand[]): readonly Demand[] {
  const lines = new Set(demands.map(lineOf))
  return liveDemands(draft, (demand) => lines.has(lineOf(demand)))
}

const lineOf = ({ shop, orderLine }: Demand): string => `${shop}\u001f${orderLine?.orderId}\u001f${orderLine?.lineId}`

const staying = (draft: Draft, group: readonly Demand[]): readonly Demand[] =>
  current(draft, group).filter(({ phase }) => phase !== 'shipped')

const isHere = ({ supply }: Demand, { warehouse }: OpenOrdersWord): boolean =>
  supply.kind === 'on-hand' && supply.warehouse === warehouse

const movedHere = (draft: Draft, demand: Demand, word: OpenOrdersWord): DemandPatch =>
  isHere(demand, word) || !draft.state.shelves.has(word.warehouse)
    ? {}
    : { supply: { kind: 'on-hand', warehouse: word.warehouse }, contained: false }

const markOf = (word: OpenOrdersWord) => ({ by: 'open-orders', warehouse: word.warehouse, stamp: word.stamp }) as const

const confirmedBy = (word: OpenOrdersWord) =>
  ({ by: 'confirmed', warehouse: word.warehouse, stamp: word.stamp }) as const

type Leaving = {
  readonly units: Units
  readonly isNet: boolean
  /** The list stands beside the figure in force. */
  readonly isCurrent: boolean
  /** Of which units it is known that they did not leave but were given up. */
  readonly isGivenUp: (demand: Demand) => boolean
}

/** Off the list: what the warehouse knew before the list was made has left it, the units that had come furthest first. */
function leftTheWarehouse(
  draft: Draft,
  word: OpenOrdersWord,
  known: readonly Demand[],
  { units, isNet, isCurrent, isGivenUp }: Leaving,
): readonly Demand[] {
  // A net figure has been without the allocated ones for longer than that.
  const isMarked = (demand: Demand): boolean => isNet && isAllocated(demand, word)
  const furthest = [...known].sort(
    (a, b) =>
      Number(isGivenUp(b)) - Number(isGivenUp(a)) ||
      Number(isMarked(b)) - Number(isMarked(a)) ||
      rankOf(b.phase) - rankOf(a.phase),
  )
  tellImplied(
    draft,
    word,
    known.filter((demand) => !isMarked(demand)),
    { units: units - unitsOf(known.filter(isMarked)), isBeside: isCurrent },
  )
  const before = new Set(current(draft, known).flatMap(({ phase, no }) => (phase === 'shipped' ? [no] : [])))
  const patch = (demand: Demand): DemandPatch =>
    isGivenUp(demand)
      ? { end: 'cancelled' }
      : {
          phase: 'shipped',
          ...movedHere(draft, demand, word),
          mark: {
            ...(isMarked(demand) ? confirmedBy(word) : markOf(word)),
            ...(word.tellsShipped ? { isTold: true } : {}),
          },
        }
  const givenUp = unitsOf(known.filter((demand) => isGivenUp(demand) && isMarked(demand)))
  tellOfList(draft, word, isCurrent, Math.min(units, givenUp), 'given-up-by-open-orders')
  alterUpTo(draft, furthest, units, patch, 'left-the-open-orders')
  return current(draft, known).filter(({ phase, no }) => phase === 'shipped' && !before.has(no))
}

/** The list implies that its figure is without these units, whoever has told it or not. */
function tellImplied(
  draft: Draft,
  word: OpenOrdersWord,
  demands: readonly Demand[],
  { units, isBeside }: { readonly units: Units; readonly isBeside: boolean },
): void {
  tellOfList(draft, word, isBeside, -Math.min(Math.max(0, units), unitsOf(demands)), 'implied-by-open-orders')
}

/** What a list shows is in the figure beside it, whatever the clock says. */
function tellOfList(draft: Draft, word: OpenOrdersWord, isBeside: boolean, change: number, why: string): void {
  if (isBeside) tellBeside(draft, word.warehouse, change, why)
  else tellChange(draft, { ...word, change }, why)
}

/**
 * Only units that this warehouse provably had when it made the list can be missing from it because they left. What is merely
 * acknowledged may have gone to another warehouse of the same source.
 */
function knownBefore(draft: Draft, demand: Demand, word: OpenOrdersWord): boolean {
  if (demand.phase === 'shipped') return false
  const order = knownIn(draft, demand, word.warehouse)
  if (!order || (compareStamps(word.stamp, order)?.order ?? -1) < 0) return false
  const isOnly = isOnlyWarehouse(draft, word.warehouse)
  if (demand.supply.kind === 'shortage') return isOnly
  const { mark } = demand
  const isTaken = mark?.warehouse === word.warehouse && !isLater(mark.stamp, word.stamp)
  return isHere(demand, word) && (isOnly || isTaken)
}

function isOnlyWarehouse({ rules }: Draft, warehouse: WarehouseId): boolean {
  const source = rules.warehouses.get(warehouse)?.source
  return [...rules.warehouses.values()].filter((each) => each.source === source).length === 1
}

/** Of the units that the list names, those that the warehouse was not known to have: an order that grew is more than it has. */
function acknowledge(draft: Draft, word: OpenOrdersWord, group: readonly Demand[], units: Units): void {
  const isKnown = (demand: Demand): boolean => knownIn(draft, demand, word.warehouse) !== undefined
  const known = unitsOf(group.filter((demand) => isKnown(demand) && demand.phase !== 'shipped'))
  alterUpTo(
    draft,
    // Those that were acted upon are among those that it has.
    group
      .filter((demand) => !isKnown(demand) && demand.phase !== 'shipped')
      .sort((a, b) => rankOf(b.phase) - rankOf(a.phase)),
    Math.max(0, units - known),
    ({ phase }) => ({
      ...(phase === 'placed' ? { phase: 'acknowledged' } : {}),
      knownSince: { warehouse: word.warehouse, stamp: word.stamp },
    }),
    'acknowledged-by-open-orders',
  )
}

/** Allocated when the list was made, as far as we know; what was told with a later stamp the list cannot know. */
const isAllocated = ({ mark, unmark }: Demand, { warehouse, stamp }: OpenOrdersWord): boolean =>
  mark?.warehouse === warehouse &&
  mark.stamp.epoch === stamp.epoch &&
  !isLater(mark.stamp, stamp) &&
  (unmark === undefined || isLater(mark.stamp, unmark) || isLater(unmark, stamp))

/** Of a net figure the allocated units of the list are out, and no others. */
function compareAllocated(
  draft: Draft,
  word: OpenOrdersWord,
  line: readonly Demand[],
  { listed, isBeside }: { readonly listed: Units; readonly isBeside: boolean },
): void {
  const group = line.filter(({ phase }) => phase !== 'shipped')
  const leftSince = line.filter(({ phase, mark }) => phase === 'shipped' && mark && isLater(mark.stamp, word.stamp))
  const allocated = group.filter((demand) => isAllocated(demand, word))
  const missing = Math.max(0, listed - unitsOf(leftSince)) - unitsOf(allocated)
  if (missing > 0) {
    // Those pegged here first, then those that we thought somewhere else or nowhere: the peg moves to the warehouse that has them.
    const unmarked = group
      .filter((demand) => !isAllocated(demand, word) && !isMarkedOtherwise(demand, word))
      .sort((a, b) => Number(isHere(b, word)) - Number(isHere(a, word)))
    tellImplied(draft, word, unmarked, { units: missing, isBeside })
    alterUpTo(
      draft,
      unmarked,
      missing,
      (demand) => ({
        phase: rankOf(demand.phase) < rankOf('allocated') ? 'allocated' : demand.phase,
        mark: markOf(word),
        ...movedHere(draft, demand, word),
        ...(demand.unmark && !isLater(word.stamp, demand.unmark) ? { unmark: undefined } : {}),
        knownSince: knownSince(draft, demand, word),
      }),
      'allocated-by-open-orders',
    )
  }
  const provablyOlder = allocated.filter(
    ({ mark, unmark }) =>
      mark && isLater(word.stamp, mark.stamp) && (unmark === undefined || isLater(mark.stamp, unmark)),
  )
  if (missing < 0) {
    // Taken back at the latest by now: a rise by that much is no surprise.
    const back = Math.min(-missing, unitsOf(provablyOlder))
    tellOfList(draft, word, isBeside, back, 'taken-back-by-open-orders')
    alterUpTo(
      draft,
      provablyOlder,
      -missing,
      () => ({ unmark: word.stamp, phase: 'acknowledged' }),
      'deallocated-by-open-orders',
    )
    return
  }
  // What the list confirms was not taken back unseen until then.
  const confirmed = () => ({ mark: confirmedBy(word), unmark: undefined })
  const told = provablyOlder.filter(({ mark }) => mark?.by === 'allocated' || mark?.by === 'confirmed')
  alterUpTo(draft, told, unitsOf(told), confirmed, 'confirmed-by-open-orders')
}

/** Allocated since the list was made, or by another warehouse. */
const isMarkedOtherwise = ({ mark, unmark }: Demand, { stamp, warehouse }: OpenOrdersWord): boolean =>
  mark !== undefined &&
  (isLater(mark.stamp, stamp) ||
    (mark.warehouse !== warehouse &&
      mark.stamp.epoch === stamp.epoch &&
      (unmark === undefined || isLater(mark.stamp, unmark))))

/** The figure of the same message is as old as the list, even where neither carries an order word. */
function contain(draft: Draft, figure: Figure, demands: readonly Demand[], units: Units): void {
  const already = unitsOf(demands.filter(({ contained }) => contained))
  const waiting = demands.filter(({ contained }) => !contained)
  alterUpTo(
    draft,
    waiting,
    Math.max(0, units - already),
    (demand) => containedBy(figure, demand, 'open-orders'),
    'contained',
  )
}
