/**
 * L5, Orders are facts: a hold can be refused, an order cannot. What counts is the state an order is in, read from the shop,
 * never how often a transition was reported. So this decision compares: the units that each line ought to have, and the units
 * that it has. Told twice, late or out of order, it changes nothing.
 */
import { sourceOfWarehouse, warehousesOf } from './configuration.ts'
import {
  byPromise,
  type Demand,
  type DemandPatch,
  type End,
  isHeld,
  isLive,
  isMissedByList,
  type OrderLineRef,
  rankOf,
} from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import type { Instant, ShopId, Sku, Units } from './ids.ts'
import { liveDemands, pegFact, raiseShortage, serveShortages, settleShortage } from './peg.ts'
import type { ShopOrder, ShopOrderLine } from './shop-order.ts'
import { isGivenUp } from './unpaid.ts'

export type OrderCommand = {
  readonly kind: 'order'
  readonly shop: ShopId
  readonly order: ShopOrder
  /** The attempt that becomes the order, where the caller knows it (an API key); otherwise the line keys tell. */
  readonly reservation?: string
  /**
   * Counts only for what we count or hold already. So is read what was completed before the shop was connected: it is none of ours,
   * however often a refund, a return or a note touches it later.
   */
  readonly ifKnown?: true
  /** Since when its payments have all failed, as far as we know: on the database's clock. */
  readonly unpaidSince?: Instant
  /** Read when the shop was connected; `warehouseKnows` says that its warehouse already counts it (baseline). */
  readonly baseline?: { readonly warehouseKnows: boolean }
}

/** What an order came to, for whoever reported it. */
export type OrderAnswer = {
  readonly fromHoldsUnits: Units
  readonly unheldUnits: Units
  readonly shortageUnits: Units
  /** Of the unheld units, those that the order had before and gave back: no checkout was asked for them, and none need be. */
  readonly againUnits?: Units
}

type Drafts = ReadonlyMap<Sku, Draft>

/** Brings every SKU of an order to what the order says now. The drafts cover its lines and everything it ever touched. */
export function recordOrder(drafts: Drafts, command: OrderCommand): OrderAnswer {
  const attempt = command.reservation ?? attemptOf(drafts, command)
  const answer: { fromHoldsUnits: Units; unheldUnits: Units; shortageUnits: Units; againUnits?: Units } = {
    fromHoldsUnits: 0,
    unheldUnits: 0,
    shortageUnits: 0,
  }
  if (command.ifKnown && attempt === undefined && !isKnown(drafts, command)) return answer
  for (const draft of drafts.values()) {
    const lines = oneOfEachId(command.order.lines.filter(({ sku }) => sku === draft.state.sku))
    for (const line of lines) {
      const part = bringLine(draft, command, line, wantedUnits(draft, command, line), attempt)
      answer.fromHoldsUnits += part.fromHoldsUnits
      answer.unheldUnits += part.unheldUnits
      if (part.againUnits) answer.againUnits = (answer.againUnits ?? 0) + part.againUnits
    }
    dropVanishedLines(draft, command, lines)
    if (attempt !== undefined && isOrder(command.order)) releaseRest(draft, command, attempt)
    if (command.order.state === 'completed') finishWordless(draft, command)
    serveShortages(draft)
    answer.shortageUnits += unitsOf(ofOrder(draft, command).filter(({ supply }) => supply.kind === 'shortage'))
  }
  return answer
}

/** Two lines under one id are one line with the units of both: else each would undo what the other asks for. */
function oneOfEachId(lines: readonly ShopOrderLine[]): readonly ShopOrderLine[] {
  const byId = new Map<string, ShopOrderLine>()
  for (const line of lines) {
    const before = byId.get(line.lineId)
    byId.set(line.lineId, before ? { ...before, units: before.units + line.units } : line)
  }
  return [...byId.values()]
}

const demandsOf = (drafts: Drafts): readonly Demand[] =>
  [...drafts.values()].flatMap((draft) => [...draft.state.demands.values()])

const isKnown = (drafts: Drafts, { shop, order }: OrderCommand): boolean =>
  demandsOf(drafts).some((demand) => demand.shop === shop && demand.orderLine?.orderId === order.orderId)

const isOrder = ({ state }: ShopOrder): boolean => state !== 'deleted'

const wantedUnits = (draft: Draft, command: OrderCommand, line: ShopOrderLine): Units =>
  command.order.state === 'cancelled' || command.order.state === 'deleted' || isGivenUp(draft, command) ? 0 : line.units

/**
 * An order takes the oldest open attempt that shares a line key with it, and only once: one that was seen before, even
 * cancelled, has had its own, and a second attempt with the same keys belongs to another order. One that holds just what was
 * ordered goes before all others: a client may give the key of one cart to another, whose order must not end the first one's hold.
 */
function attemptOf(drafts: Drafts, command: OrderCommand): string | undefined {
  const { shop, order } = command
  const keys = new Set(order.lines.flatMap(({ lineKey }) => lineKey ?? []))
  if (keys.size === 0 || isKnown(drafts, command)) return undefined
  const [best] = demandsOf(drafts)
    .filter((demand) => isHeld(demand) && demand.shop === shop && keys.has(demand.lineKey ?? NO_KEY))
    .map((demand) => ({ demand, fits: holdsJust(drafts, command, demand.reservation) }))
    .sort(
      (a, b) =>
        Number(b.fits) - Number(a.fits) ||
        a.demand.promisedAt - b.demand.promisedAt ||
        (keyOf(a.demand) < keyOf(b.demand) ? -1 : 1),
    )
  return best?.demand.reservation
}

/** Whether an attempt holds what the order's lines say, SKU by SKU, and nothing else. */
const holdsJust = (drafts: Drafts, { shop, order }: OrderCommand, attempt: string | undefined): boolean =>
  [...drafts.values()].every(({ state }) => {
    const held = [...state.demands.values()].filter(
      (each) => isHeld(each) && each.shop === shop && each.reservation === attempt,
    )
    return unitsOf(held) === unitsOf(order.lines.filter(({ sku }) => sku === state.sku))
  })

/** No line has this key: a line that was never stamped matches none. */
const NO_KEY = ''

const keyOf = ({ reservation, lineKey }: Demand): string => `${reservation}/${lineKey}`

/** Compares one line with what it has, and adds or gives back the difference. */
function bringLine(
  draft: Draft,
  command: OrderCommand,
  line: ShopOrderLine,
  wanted: Units,
  attempt: string | undefined,
) {
  const difference = wanted - unitsOf(ofLine(draft, command, line.lineId).filter(countsAsServed))
  if (difference < 0) giveBack(draft, command, line.lineId, -difference)
  if (difference <= 0) return { fromHoldsUnits: 0, unheldUnits: 0, againUnits: 0 }
  const missing = wantAgain(draft, command, line.lineId, difference)
  if (missing === 0) return { fromHoldsUnits: 0, unheldUnits: 0, againUnits: 0 }
  const left = attempt === undefined ? missing : takeHolds(draft, command, line, attempt, missing)
  if (left === 0) return { fromHoldsUnits: missing, unheldUnits: 0, againUnits: 0 }
  // Asked before the units are added: a line that once had units and gave them back wants them a second time.
  const isSecondTime = gaveBack(draft, command, line.lineId)
  addFact(draft, command, line, left, isSecondTime)
  return { fromHoldsUnits: missing - left, unheldUnits: left, againUnits: isSecondTime ? left : 0 }
}

/** An order reopened before the warehouse gave its units back keeps them. Returns what is still missing. */
function wantAgain(draft: Draft, command: OrderCommand, lineId: string, units: Units): Units {
  const asked = ofLine(draft, command, lineId)
    .filter((demand) => isLive(demand) && demand.cancelRequested)
    .sort(byPromise)
  return alterUpTo(draft, asked, units, () => ({ cancelRequested: undefined }), 'wanted-again')
}

/** Live units and shipped ones serve the line; what was cancelled, expired or released serves it no more. A unit whose cancel is asked for is on its way out. */
const countsAsServed = (demand: Demand): boolean =>
  (isLive(demand) && demand.cancelRequested !== true) || demand.end === 'shipped-and-included'

const unitsOf = (parts: readonly { readonly units: Units }[]): Units => parts.reduce((sum, { units }) => sum + units, 0)

const ofOrder = (draft: Draft, { shop, order }: OrderCommand): Demand[] =>
  liveDemands(draft, (demand) => demand.shop === shop && demand.orderLine?.orderId === order.orderId)

const ofLine = (draft: Draft, { shop, order }: OrderCommand, lineId: string): Demand[] =>
  [...draft.state.demands.values()].filter(
    (demand) =>
      demand.shop === shop && demand.orderLine?.orderId === order.orderId && demand.orderLine.lineId === lineId,
  )

const refOf = ({ order }: OrderCommand, line: Pick<ShopOrderLine, 'lineId'>): OrderLineRef => ({
  orderId: order.orderId,
  orderNumber: order.orderNumber,
  lineId: line.lineId,
})

/** Holds become the order's: first those with the line's own key, then others of the same attempt. Returns what is left. */
function takeHolds(draft: Draft, command: OrderCommand, line: ShopOrderLine, attempt: string, units: Units): Units {
  const held = liveDemands(draft, (each) => isHeld(each) && each.shop === command.shop && each.reservation === attempt)
  const ownKeyFirst = held.sort((a, b) => Number(b.lineKey === line.lineKey) - Number(a.lineKey === line.lineKey))
  const left = alterUpTo(
    draft,
    ownKeyFirst,
    units,
    () => ({ phase: 'placed', orderLine: refOf(command, line), placedAt: draft.now, deadline: undefined }),
    'placed',
  )
  for (const demand of ofLine(draft, command, line.lineId)) {
    if (isLive(demand) && demand.supply.kind === 'shortage')
      raiseShortage(draft, demand, demand.units, 'the hold lost its units before it was ordered')
  }
  return left
}

/** Units that nobody held: an order that passed us by, or one that came after its hold had ended. */
function addFact(draft: Draft, command: OrderCommand, line: ShopOrderLine, units: Units, isSecondTime: boolean): void {
  const known = command.baseline?.warehouseKnows === true
  pegFact(
    draft,
    {
      shop: command.shop,
      phase: known ? 'acknowledged' : 'placed',
      contained: false,
      promisedAt: draft.now,
      placedAt: draft.now,
      orderLine: refOf(command, line),
      ...(line.lineKey ? { lineKey: line.lineKey } : {}),
    },
    units,
    {
      why: command.baseline ? 'baseline' : 'placed-unheld',
      cause: isSecondTime ? SECOND_TIME : causeOf(command, line),
    },
  )
  if (known) containBaseline(draft, command, line)
}

const SECOND_TIME =
  'the order wants units again that it had given back: it was reopened, changed back, or paid after all'

/** Whether a line has had units that it gave back; a hold that its order never took counts, once the order had been read. */
const gaveBack = (draft: Draft, command: OrderCommand, lineId: string): boolean =>
  ofLine(draft, command, lineId).some(({ end }) => end === 'cancelled' || end === 'released')

function causeOf(command: OrderCommand, line: ShopOrderLine): string {
  if (command.baseline) return 'the order was open before the shop was connected'
  return line.lineKey === undefined
    ? 'the order passed the checkout by: an administrator, an import or another channel made it'
    : 'the order came without a hold: it was placed while Holdfast did not answer, or after its hold had ended'
}

/** A net figure already lacks the orders that its warehouse knew when the shop was connected: the operator says so. */
function containBaseline(draft: Draft, command: OrderCommand, line: ShopOrderLine): void {
  for (const demand of ofLine(draft, command, line.lineId).filter(isLive)) {
    const warehouse = demand.supply.kind === 'on-hand' ? demand.supply.warehouse : undefined
    const figure = warehouse && draft.state.shelves.get(warehouse)?.figure
    const [first] = draft.rules.shops.get(command.shop)?.warehouses ?? []
    const at = warehouse ?? first
    if (!at) continue
    const mark = { by: 'baseline', warehouse: at, stamp: { epoch: figure ? figure.stamp.epoch : 0 } } as const
    const contained = figure?.semantics === 'net'
    alter(
      draft,
      demand,
      demand.units,
      { mark, contained, ...(contained ? { proof: 'baseline' } : {}) },
      'known-at-baseline',
    )
  }
}

/** A line that the order has no more, or an order that is gone: nothing is wanted. */
function dropVanishedLines(draft: Draft, command: OrderCommand, lines: readonly ShopOrderLine[]): void {
  const present = new Set(lines.map(({ lineId }) => lineId))
  const vanished = new Set(ofOrder(draft, command).flatMap(({ orderLine }) => orderLine?.lineId ?? []))
  for (const lineId of vanished) {
    if (present.has(lineId)) continue
    const units = unitsOf(
      ofLine(draft, command, lineId).filter(
        (each) => isLive(each) && (each.phase !== 'shipped' || isMissedByList(each)) && !each.cancelRequested,
      ),
    )
    if (units > 0) giveBack(draft, command, lineId, units)
  }
}

/**
 * Gives units of a line back, the least bound first. What the warehouse has allocated is asked back and stays counted until
 * the warehouse answers (or a bound ends the waiting); what has shipped is gone, whatever the shop says.
 */
function giveBack(draft: Draft, command: OrderCommand, lineId: string, units: Units): void {
  // A list without them was all that told that they have left: it was this that the warehouse had heard of before us.
  const missed = ofLine(draft, command, lineId).filter(isMissedByList)
  const rest = alterUpTo(draft, missed, units, () => ({ end: 'cancelled' satisfies End }), 'given-up-not-left')
  if (rest === 0) return
  const line = ofLine(draft, command, lineId).filter((each) => isLive(each) && !each.cancelRequested)
  const loose = line.filter((demand) => !isBound(demand)).sort(leastBoundFirst)
  const left = alterUpTo(draft, loose, rest, () => ({ end: 'cancelled' satisfies End }), 'cancelled')
  settleShortage(draft, loose, 'the order was cancelled')
  if (left === 0) return
  const bound = line.filter((demand) => isBound(demand) && demand.phase !== 'shipped').sort(leastBoundFirst)
  const missing = alterUpTo(draft, bound, left, () => ({ cancelRequested: true }), 'cancel-requested')
  if (missing < left) {
    draft.incidents.push({
      code: 'CANCEL_AFTER_ALLOCATION',
      key: `${command.shop}/${command.order.orderId}/${lineId}`,
      opens: true,
      shop: command.shop,
      orderNumber: command.order.orderNumber,
      units: left - missing,
      cause: 'the order was cancelled after the warehouse had allocated its units',
    })
  }
}

/** Allocated by a word, or contained in a figure by proof of one. Units contained by margin or baseline go: their figure will rise by itself. */
const isBound = (demand: Demand): boolean => rankOf(demand.phase) >= rankOf('allocated')

/** Shortages first, then the youngest promise. */
const leastBoundFirst = (a: Demand, b: Demand): number =>
  Number(a.supply.kind === 'on-hand') - Number(b.supply.kind === 'on-hand') ||
  rankOf(a.phase) - rankOf(b.phase) ||
  b.promisedAt - a.promisedAt ||
  b.no - a.no

/**
 * What the attempt held beyond the order it became is given back: the comparison is with the order, not with the cart. It keeps
 * the order's name, so that an order that was cancelled before it was read does not take a second attempt when it is read again.
 */
function releaseRest(draft: Draft, command: OrderCommand, attempt: string): void {
  for (const demand of liveDemands(
    draft,
    (each) => isHeld(each) && each.shop === command.shop && each.reservation === attempt,
  )) {
    const line = command.order.lines.find(({ lineKey }) => lineKey !== undefined && lineKey === demand.lineKey)
    const orderLine = line ? { orderLine: refOf(command, line) } : {}
    alter(draft, demand, demand.units, { end: 'released', ...orderLine }, 'order-took-less')
  }
}

/**
 * A source without order words never says "shipped": the shop's word is all there will be. Units that its figure contains are
 * done; the others are once it does.
 */
function finishWordless(draft: Draft, command: OrderCommand): void {
  for (const demand of ofOrder(draft, command)) {
    // A list of open orders was without them, and now the shop says so too.
    if (isMissedByList(demand) && demand.contained)
      alter(draft, demand, demand.units, { end: 'shipped-and-included' }, 'order-completed')
    if (isBound(demand)) continue
    const served = servedAfterAll(draft, demand)
    if (served) {
      alter(draft, demand, demand.units, served, 'order-completed')
      settleShortage(draft, [demand], 'the order was completed')
      continue
    }
    if (demand.contained && (demand.proof === 'margin' || demand.proof === 'baseline')) {
      alter(draft, demand, demand.units, { phase: 'shipped', end: 'shipped-and-included' }, 'order-completed')
    } else if (!demand.contained && isWordless(draft, demand)) {
      alter(draft, demand, demand.units, { phase: 'shipped' }, 'order-completed')
    }
  }
}

/** What we took for a shortage has been served after all: it counts against a warehouse until its figure must be without it. */
function servedAfterAll(draft: Draft, demand: Demand): DemandPatch | undefined {
  const warehouses = warehousesOf(draft.rules, demand.shop).filter((each) => draft.state.shelves.has(each))
  const [first] = warehouses
  const areWordless = warehouses.every(
    (each) => sourceOfWarehouse(draft.rules, each)?.knowsOrdersWithinMs !== undefined,
  )
  const isUncovered = demand.supply.kind === 'shortage' || demand.supply.kind === 'inbound'
  return first !== undefined && areWordless && isUncovered
    ? { phase: 'shipped', supply: { kind: 'on-hand', warehouse: first } }
    : undefined
}

const isWordless = (draft: Draft, { supply }: Demand): boolean =>
  supply.kind === 'on-hand' && sourceOfWarehouse(draft.rules, supply.warehouse)?.knowsOrdersWithinMs !== undefined
