/** What the warehouse says about units of an order line (L1). Late words re-evaluate; a later word implies the earlier ones. */
import { sourceOfWarehouse } from './configuration.ts'
import { type Demand, type DemandPatch, type Mark, rankOf } from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import { reconsider } from './figure.ts'
import type { ShopId, Units, WarehouseId } from './ids.ts'
import { compareStamps } from './inclusion.ts'
import { boundCharge, liveDemands, raiseShortage, serveShortages } from './peg.ts'
import type { OpenOrdersWord, OrderLineWord } from './word.ts'

/** What became of a word. `unknown-order`: keep it, the order may not have been read yet. */
export type WordVerdict = 'applied' | 'repeated' | 'unknown-order'

/** Applies one word to the units that it means: those of its order line, oldest promise first. */
export function takeOrderLineWord(draft: Draft, word: OrderLineWord): WordVerdict {
  const meant = demandsOf(draft, word)
  if (meant.length === 0) return knowsOrder(draft, word) ? 'repeated' : 'unknown-order'
  const left = tell(draft, word, meant)
  for (const warehouse of new Set([word.warehouse, ...meant.flatMap(warehouseOf)])) reconsider(draft, warehouse)
  // Units that could not be picked are still in the figure: given out again at once, they would be promised a second time.
  if (word.says !== 'short') serveShortages(draft)
  if (left > 0 && word.says === 'shipped') {
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

const warehouseOf = (demand: Demand): readonly WarehouseId[] =>
  demand.supply.kind === 'on-hand' ? [demand.supply.warehouse] : []

type Meant = Pick<OrderLineWord, 'shop' | 'order' | 'line'>

const isMeant = (demand: Demand, { shop, order, line }: Meant): boolean =>
  demand.orderLine?.orderNumber === order &&
  (shop === undefined || demand.shop === shop) &&
  (line === undefined || demand.orderLine.lineId === line)

const demandsOf = (draft: Draft, word: Meant): Demand[] => liveDemands(draft, (demand) => isMeant(demand, word))

const knowsOrder = (draft: Draft, word: Meant): boolean =>
  [...draft.state.demands.values()].some((demand) => isMeant(demand, word))

/** Applies the word to as many units as it names; returns the units that it did not find. */
function tell(draft: Draft, word: OrderLineWord, meant: readonly Demand[]): Units {
  switch (word.says) {
    case 'acknowledged':
      return acknowledge(draft, word, meant)
    case 'allocated':
      return advance(draft, word, meant.filter(notMarkedBy('allocated')), 'allocated')
    case 'picked':
      return advance(
        draft,
        word,
        meant.filter((demand) => rankOf(demand.phase) < rankOf('picked')),
        'picked',
      )
    case 'shipped':
      return advance(
        draft,
        word,
        preferring(
          word.warehouse,
          meant.filter(({ phase }) => phase !== 'shipped'),
        ),
        'shipped',
      )
    case 'deallocated':
      return deallocate(draft, word, meant)
    case 'short':
      return short(draft, word, meant)
    case 'cancelled':
      return cancel(draft, word, meant)
  }
}

function acknowledge(draft: Draft, word: OrderLineWord, meant: readonly Demand[]): Units {
  const source = sourceOfWarehouse(draft.rules, word.warehouse)
  const placed = meant.filter(({ phase }) => phase === 'placed')
  if (source?.allocatesOnAcknowledge) return advance(draft, word, placed, 'allocated')
  return alterUpTo(draft, placed, word.units, () => ({ phase: 'acknowledged', knownSince: word.stamp }), 'acknowledged')
}

/** Units whose mark an `allocated` word can set or make earlier: an issue may have implied it with a later stamp. */
const notMarkedBy =
  (by: Mark['by']) =>
  (demand: Demand): boolean =>
    demand.mark?.by !== by || demand.unmark !== undefined

/** Where parts of a line stand in several warehouses, the word means the ones in its own first (H14). */
const preferring = (warehouse: WarehouseId, demands: readonly Demand[]): readonly Demand[] =>
  [...demands].sort((a, b) => Number(warehouseOf(b)[0] === warehouse) - Number(warehouseOf(a)[0] === warehouse))

/** Moves units on along their way. The warehouse that speaks has them: the peg moves there (H14). */
function advance(
  draft: Draft,
  word: OrderLineWord,
  meant: readonly Demand[],
  phase: 'allocated' | 'picked' | 'shipped',
): Units {
  const semantics = sourceOfWarehouse(draft.rules, word.warehouse)?.semantics ?? 'net'
  const supply = { kind: 'on-hand', warehouse: word.warehouse } as const
  return alterUpTo(
    draft,
    meant,
    word.units,
    (demand) => {
      const further = rankOf(phase) > rankOf(demand.phase)
      const marked = markOf(demand, word, semantics, phase)
      const elsewhere = demand.supply.kind !== 'on-hand' || demand.supply.warehouse !== word.warehouse
      return {
        supply,
        knownSince: demand.knownSince ?? word.stamp,
        ...(further ? { phase } : {}),
        ...marked,
        ...(elsewhere ? { contained: false } : {}),
      }
    },
    phase,
  )
}

/**
 * The mark that a word sets. For a net source it is the allocation; a pick or an issue implies one that we were not told of.
 * For a gross source it is the goods issue alone.
 */
function markOf(
  demand: Demand,
  word: OrderLineWord,
  semantics: 'net' | 'gross',
  phase: 'allocated' | 'picked' | 'shipped',
): DemandPatch {
  const { stamp, warehouse } = word
  if (semantics === 'gross') return phase === 'shipped' ? { mark: { by: 'shipped', warehouse, stamp } } : {}
  const told = { by: 'allocated', warehouse, stamp } as const
  const kept = demand.mark?.warehouse === warehouse && demand.mark.by !== 'baseline' ? demand.mark : undefined
  if (phase !== 'allocated') {
    // An issue after a deallocation that we were told of proves that the units were allocated again.
    const undone = demand.unmark && (compareStamps(stamp, demand.unmark)?.order ?? -1) > 0
    if (kept && !undone) return {}
    return { mark: { by: 'shipped', warehouse, stamp }, ...(undone ? WITHOUT_UNMARK : {}) }
  }
  const laterThanUndone = demand.unmark && (compareStamps(stamp, demand.unmark)?.order ?? -1) > 0
  return { mark: told, ...(laterThanUndone ? WITHOUT_UNMARK : {}) }
}

const WITHOUT_UNMARK: DemandPatch = { unmark: undefined }

/** The warehouse took its allocation back. Told before the allocation itself, the word waits for it on the demand (H38). */
function deallocate(draft: Draft, word: OrderLineWord, meant: readonly Demand[]): Units {
  const here = meant.filter((demand) => demand.phase !== 'shipped' && !demand.unmark)
  const marked = here.filter((demand) => demand.mark?.warehouse === word.warehouse)
  const unmarked = here.filter((demand) => !demand.mark)
  return alterUpTo(
    draft,
    [...marked, ...unmarked],
    word.units,
    (demand) => ({
      unmark: word.stamp,
      ...(rankOf(demand.phase) > rankOf('acknowledged') ? { phase: 'acknowledged' as const } : {}),
    }),
    'deallocated',
  )
}

/** The warehouse cannot serve these units: they look for another supply, else they are a shortage (design §2). */
function short(draft: Draft, word: OrderLineWord, meant: readonly Demand[]): Units {
  const here = meant.filter(({ phase, supply }) => phase !== 'shipped' && supply.kind === 'on-hand')
  const left = alterUpTo(
    draft,
    preferring(word.warehouse, here),
    word.units,
    () => ({ phase: 'acknowledged', contained: false, supply: { kind: 'shortage' }, ...WITHOUT_MARK }),
    'short',
  )
  const [first] = here
  if (first && left < word.units)
    raiseShortage(draft, first, word.units - left, 'the warehouse could not pick the units')
  return left
}

const WITHOUT_MARK: DemandPatch = { mark: undefined, unmark: undefined, proof: undefined }

/** The warehouse gave the order line up. */
function cancel(draft: Draft, word: OrderLineWord, meant: readonly Demand[]): Units {
  return alterUpTo(
    draft,
    meant.filter(({ phase }) => phase !== 'shipped'),
    word.units,
    () => ({ end: 'cancelled' }),
    'cancelled-by-warehouse',
  )
}

/**
 * Proof 2 of L1: the list of open orders beside the figures of the same message. Membership says what the figure contains,
 * without any clock: allocated units of the list are out of a net figure; units that the warehouse once knew and that are on
 * the list no more have left. An order that it never acknowledged is simply not known to it yet.
 */
export function takeOpenOrders(draft: Draft, word: OpenOrdersWord, messageId: string): void {
  const shelf = draft.state.shelves.get(word.warehouse)
  const semantics = sourceOfWarehouse(draft.rules, word.warehouse)?.semantics ?? 'net'
  const here = liveDemands(
    draft,
    ({ supply, phase }) => supply.kind === 'on-hand' && supply.warehouse === word.warehouse && phase !== 'held',
  )
  for (const group of groupsByLine(here)) {
    const [first] = group
    if (!first?.orderLine) continue
    const listed = listedUnits(word, first.shop, first.orderLine.orderNumber, first.orderLine.lineId, draft)
    const open = sumUnits(group.filter(({ phase }) => phase !== 'shipped'))
    const gone = open - listed.units
    if (gone > 0) leftTheWarehouse(draft, word, group, gone)
    const staying = group.flatMap(({ no }) => draft.state.demands.get(no) ?? [])
    if (listed.units > 0) stillOpen(draft, word, staying, listed, semantics === 'net')
  }
  // The list speaks for the figure of its own message, and for no other unless the stamps prove it.
  if (shelf?.figure.messageId === messageId) containMarked(draft, word)
  reconsider(draft, word.warehouse)
  serveShortages(draft)
}

type Listed = { readonly units: Units; readonly allocated: Units }

function listedUnits(word: OpenOrdersWord, shop: ShopId, order: string, lineId: string, draft: Draft): Listed {
  const rows = word.orders.filter(
    (row) =>
      row.order === order &&
      row.sku === draft.state.sku &&
      (row.shop === undefined || row.shop === shop) &&
      (row.line === undefined || row.line === lineId),
  )
  return {
    units: rows.reduce((sum, { units }) => sum + units, 0),
    allocated: rows.reduce((sum, { allocated }) => sum + allocated, 0),
  }
}

function groupsByLine(demands: readonly Demand[]): readonly Demand[][] {
  const groups = new Map<string, Demand[]>()
  for (const demand of demands) {
    const key = `${demand.shop}/${demand.orderLine?.orderId}/${demand.orderLine?.lineId}`
    groups.set(key, [...(groups.get(key) ?? []), demand])
  }
  return [...groups.values()]
}

/** Off the list: what the warehouse knew before the list was made has left it, the units that had come furthest first. */
function leftTheWarehouse(draft: Draft, word: OpenOrdersWord, group: readonly Demand[], units: Units): void {
  const known = group
    .filter((demand) => demand.phase !== 'shipped' && knownBefore(demand, word))
    .sort((a, b) => rankOf(b.phase) - rankOf(a.phase))
  const mark = { by: 'open-orders', warehouse: word.warehouse, stamp: word.stamp } as const
  alterUpTo(
    draft,
    known,
    units,
    (demand) => ({ phase: 'shipped', ...(demand.contained ? {} : { mark }) }),
    'left-the-open-orders',
  )
}

/** Only units that the warehouse provably knew when it made the list can be missing from it because they left. */
function knownBefore(demand: Demand, word: OpenOrdersWord): boolean {
  const order = demand.knownSince && compareStamps(word.stamp, demand.knownSince)
  return order !== undefined && order.order >= 0
}

/** On the list: the warehouse knows the units, and of a net figure the allocated ones are already out. */
function stillOpen(draft: Draft, word: OpenOrdersWord, group: readonly Demand[], listed: Listed, net: boolean): void {
  const mark = { by: 'open-orders', warehouse: word.warehouse, stamp: word.stamp } as const
  const alreadyMarked = sumUnits(group.filter((demand) => demand.mark && demand.phase !== 'shipped'))
  if (net) {
    alterUpTo(
      draft,
      group.filter((demand) => !demand.mark && demand.phase !== 'shipped'),
      Math.max(0, listed.allocated - alreadyMarked),
      (demand) => ({ phase: higher(demand, 'allocated'), mark, knownSince: demand.knownSince ?? word.stamp }),
      'allocated-by-open-orders',
    )
  }
  const unheard = liveDemands(draft, (demand) => demand.phase === 'placed' && isSameLine(demand, group[0]))
  alterUpTo(
    draft,
    unheard,
    listed.units,
    () => ({ phase: 'acknowledged', knownSince: word.stamp }),
    'acknowledged-by-open-orders',
  )
}

const isSameLine = (a: Demand, b: Demand | undefined): boolean =>
  b !== undefined &&
  a.shop === b.shop &&
  a.orderLine?.orderId === b.orderLine?.orderId &&
  a.orderLine?.lineId === b.orderLine?.lineId

const sumUnits = (demands: readonly Demand[]): Units => demands.reduce((sum, { units }) => sum + units, 0)

const higher = (demand: Demand, phase: Demand['phase']): Demand['phase'] =>
  rankOf(demand.phase) >= rankOf(phase) ? demand.phase : phase

/** The figure of the same message is as old as the list, even where neither carries an order word. */
function containMarked(draft: Draft, word: OpenOrdersWord): void {
  const marked = liveDemands(draft, ({ mark, contained, supply }) => {
    const here = supply.kind === 'on-hand' && supply.warehouse === word.warehouse
    return here && !contained && mark?.by === 'open-orders' && mark.stamp === word.stamp
  })
  for (const demand of marked) {
    const end = demand.phase === 'shipped' ? { end: 'shipped-and-included' as const } : {}
    alter(draft, demand, demand.units, { contained: true, proof: 'open-orders', ...end }, 'contained')
  }
  boundCharge(draft, word.warehouse)
}
