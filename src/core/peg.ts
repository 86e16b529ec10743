/** L4, Promise: which supply serves which demand. What follows when a supply moves is in `repromise.ts`. */
import { safetyOfWarehouse, warehousesOf } from './configuration.ts'
import { byPromise, type Demand, isHeld, isLive, type Promised, type Supply, youngestFirst } from './demand.ts'
import { addDemand, alter, type Draft } from './draft.ts'
import type { Day, ShopId, Units, WarehouseId } from './ids.ts'
import { isLater, mayContain } from './inclusion.ts'
import { type LineOffer, offersTo } from './offer.ts'
import { availabilityOf, freeOn } from './sellable.ts'

/** How deep a demand may reach: a hold leaves safety stock alone, an order is a fact and takes any unpegged unit (L5). */
export type Reach = 'above-safety' | 'any-unit'

/** Units of one demand and the supply they are pegged to. */
export type Peg = { readonly supply: Supply; readonly units: Units; readonly promise?: Promised }

/**
 * Pegs units of a shop to its warehouses, first choice first; what is left is a shortage, or untracked while no allowed
 * warehouse has said a word.
 *
 * @returns pegs that add up to `units`, none of them empty
 */
export function peg(draft: Draft, shop: ShopId, units: Units, reach: Reach): readonly Peg[] {
  const ahead = draft.state.inbound.size > 0 ? availabilityOf(draft.state, draft.rules, shop, draft.now) : undefined
  const warehouses = warehousesOf(draft.rules, shop)
  if (!warehouses.some((warehouse) => draft.state.shelves.has(warehouse))) {
    return [{ supply: { kind: 'untracked' }, units }]
  }
  const pegs: Peg[] = []
  let left = units
  // Where more can be had than is on hand, a hold leaves on hand what is kept from sale or owed to others.
  let onHand =
    ahead && reach === 'above-safety' && ahead.backOrderableUnits > 0 ? Math.max(0, ahead.availableUnits) : units
  for (const warehouse of warehouses) {
    const taken = Math.min(left, onHand, Math.max(0, spare(draft, warehouse, reach)))
    if (taken === 0) continue
    pegs.push({ supply: { kind: 'on-hand', warehouse }, units: taken })
    left -= taken
    onHand -= taken
  }
  for (const offer of ahead?.lines ?? []) {
    const taken = Math.min(left, offer.units)
    if (taken === 0 || offer.arrival === undefined) continue
    pegs.push(pegTo(offer, taken, offer.arrival))
    left -= taken
  }
  if (left > 0) pegs.push({ supply: { kind: 'shortage' }, units: left })
  return pegs
}

function pegTo({ remainder: { line } }: LineOffer, units: Units, day: Day): Peg {
  const { warehouse, purchaseOrder } = line
  return {
    supply: { kind: 'inbound', warehouse, purchaseOrder, line: line.line },
    units,
    promise: { kind: 'back-order', first: day, day },
  }
}

/** Records units under the pegs that were found for them. */
export function addPegged(
  draft: Draft,
  pegs: readonly Peg[],
  demand: Omit<Demand, 'no' | 'units' | 'supply'>,
  why: string,
): void {
  for (const { supply, units, promise } of pegs)
    addDemand(draft, { ...demand, units, supply, ...(promise ? { promise } : {}) }, why)
}

/** Units of a shelf that a demand may take, within its reach; negative while units leave. */
export function spare(draft: Draft, warehouse: WarehouseId, reach: Reach): number {
  const free = freeOn(draft.state, warehouse)
  return reach === 'any-unit' ? free : free - safetyOfWarehouse(draft.rules, warehouse, draft.state.sku)
}

/** Live demands at hand that a question is about, oldest promise first. */
export function liveDemands(draft: Draft, wanted: (demand: Demand) => boolean): Demand[] {
  return [...draft.state.demands.values()].filter((demand) => isLive(demand) && wanted(demand)).sort(byPromise)
}

/**
 * Free units go first to the open shortages they could serve, in the order of promise, in the same decision (L4, H1).
 * Needs all live demands at hand whenever there is a shortage.
 */
export function serveShortages(draft: Draft): void {
  for (const demand of liveDemands(draft, ({ supply }) => supply.kind === 'shortage')) {
    let left = demand.units
    for (const warehouse of warehousesOf(draft.rules, demand.shop)) {
      const reach = isHeld(demand) ? 'above-safety' : 'any-unit'
      const taken = Math.min(left, Math.max(0, spare(draft, warehouse, reach)))
      if (taken === 0) continue
      const current = draft.state.demands.get(demand.no)
      if (!current) break
      alter(draft, current, taken, { supply: { kind: 'on-hand', warehouse }, contained: false }, 'served-shortage')
      left -= taken
      if (left === 0) break
    }
    left -= waitInstead(draft, demand, left)
    if (left < demand.units && demand.orderLine) {
      draft.incidents.push({
        code: 'SHORTAGE',
        key: shortageKey(draft, demand),
        opens: left > 0,
        shop: demand.shop,
        orderNumber: demand.orderLine.orderNumber,
        units: left > 0 ? left : demand.units,
        cause: 'goods came',
      })
    }
  }
}

/** What nothing on hand serves may wait for a line that the rules take. Returns the units that do. */
function waitInstead(draft: Draft, demand: Demand, units: Units): Units {
  let left = units
  for (const offer of offersTo(draft.state, draft.rules, demand.shop, draft.now)) {
    const taken = Math.min(left, offer.units)
    const current = draft.state.demands.get(demand.no)
    if (taken === 0 || offer.arrival === undefined || !current) continue
    const { supply, promise } = pegTo(offer, taken, offer.arrival)
    const { atRisk: _, ...told } = current.promise ?? promise ?? {}
    alter(
      draft,
      current,
      taken,
      { supply, ...(promise ? { promise: { ...promise, ...told, day: promise.day } } : {}) },
      'waits-for-inbound',
    )
    left -= taken
  }
  return units - left
}

/** The name under which a shortage is told and settled. */
export const shortageKey = (draft: Draft, demand: Pick<Demand, 'shop' | 'orderLine'>): string =>
  `${demand.shop}/${demand.orderLine?.orderId ?? 'hold'}/${draft.state.sku}`

/** Tells people that units of an order are covered by nothing. */
export function raiseShortage(
  draft: Draft,
  demand: Pick<Demand, 'shop' | 'orderLine'>,
  units: Units,
  cause: string,
): void {
  draft.incidents.push({
    code: demand.orderLine ? 'SHORTAGE' : 'HOLD_LOST',
    key: shortageKey(draft, demand),
    opens: true,
    shop: demand.shop,
    units,
    cause,
    ...(demand.orderLine ? { orderNumber: demand.orderLine.orderNumber } : {}),
  })
}

/** Tells people that an order whose units lacked a supply lacks none any more; harmless when it never did. */
export function settleShortage(draft: Draft, before: readonly Demand[], cause: string): void {
  const short = before.find(({ supply, orderLine }) => supply.kind === 'shortage' && orderLine)
  if (!short?.orderLine) return
  const { orderId, orderNumber } = short.orderLine
  const isShort = (demand: Demand): boolean =>
    demand.supply.kind === 'shortage' && demand.shop === short.shop && demand.orderLine?.orderId === orderId
  if (liveDemands(draft, isShort).length > 0) return
  draft.incidents.push({
    code: 'SHORTAGE',
    key: shortageKey(draft, short),
    opens: false,
    shop: short.shop,
    orderNumber,
    cause,
  })
}

/**
 * A figure fell below its pegs. As long as it would cover the rest if it contained every unit that it may contain, those very
 * units may be leaving and nothing moves (H35). What stays uncovered even then is lost, youngest promise first: it moves to
 * another allowed warehouse or becomes a shortage (L3, H22). Units that the warehouse has taken in hand since are there.
 */
export function losePegs(draft: Draft, warehouse: WarehouseId): void {
  const figure = draft.state.shelves.get(warehouse)?.figure
  if (!figure || freeOn(draft.state, warehouse) >= 0) return
  const pegged = liveDemands(
    draft,
    ({ supply, contained }) => supply.kind === 'on-hand' && supply.warehouse === warehouse && !contained,
  )
  const mayHaveLeft = pegged.reduce((sum, demand) => sum + (mayContain(figure, demand) ? demand.units : 0), 0)
  let uncovered = -freeOn(draft.state, warehouse) - mayHaveLeft
  const losable = pegged.filter((each) => !mayContain(figure, each) && !isMarked(each))
  for (const demand of losable.sort(youngestFirst)) {
    if (uncovered <= 0) return
    const lost = Math.min(uncovered, demand.units)
    movePegs(draft, demand, lost, warehouse)
    uncovered -= lost
  }
}

const isMarked = ({ mark, unmark }: Demand): boolean =>
  mark !== undefined && (unmark === undefined || isLater(mark.stamp, unmark))

/** Units that the warehouse has already bound stay with it as a shortage; others may be served from elsewhere. */
function movePegs(draft: Draft, demand: Demand, units: Units, from: WarehouseId): void {
  const bound = demand.phase === 'allocated' || demand.phase === 'picked'
  const reach = isHeld(demand) ? 'above-safety' : 'any-unit'
  let left = units
  if (!bound) {
    for (const warehouse of warehousesOf(draft.rules, demand.shop)) {
      const taken = warehouse === from ? 0 : Math.min(left, Math.max(0, spare(draft, warehouse, reach)))
      const current = draft.state.demands.get(demand.no)
      if (taken === 0 || !current) continue
      alter(draft, current, taken, { supply: { kind: 'on-hand', warehouse } }, 'moved-warehouse')
      left -= taken
      if (left === 0) return
    }
  }
  if (!bound) left -= waitInstead(draft, demand, left)
  const current = draft.state.demands.get(demand.no)
  if (!current || left === 0) return
  alter(draft, current, left, { supply: { kind: 'shortage' } }, 'lost-supply')
  raiseShortage(draft, demand, left, 'the warehouse has fewer units than it promised')
}

/** Pegs units of an order, which is a fact: it takes any unpegged unit, and what nothing covers is a shortage that is told (L5). */
export function pegFact(
  draft: Draft,
  demand: Omit<Demand, 'no' | 'units' | 'supply'>,
  units: Units,
  tell: { readonly why: string; readonly cause: string },
): void {
  const pegs = peg(draft, demand.shop, units, 'any-unit')
  addPegged(draft, pegs, demand, tell.why)
  const missing = pegs.find(({ supply }) => supply.kind === 'shortage')
  if (missing) raiseShortage(draft, demand, missing.units, tell.cause)
}
