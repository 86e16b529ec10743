/**
 * When supply moves (L4): goods on hand serve those who wait for inbound lines, and exactly the promises that a line keeps no more
 * get another supply, in the order in which they were made. The first promise is kept beside the present one for ever; what no
 * supply keeps is at risk, and people are told.
 *
 * Needs all live demands at hand.
 */
import { warehousesOf } from './configuration.ts'
import { byPromise, type Demand, type Promised } from './demand.ts'
import { alter, alterUpTo, type Draft } from './draft.ts'
import type { Day, Units, WarehouseId } from './ids.ts'
import { coverOf, remaindersOf } from './inbound.ts'
import { arrivalOf, isOverdue, type LineOffer, offersTo, termsOf } from './offer.ts'
import { liveDemands, raiseShortage, serveShortages, shortageKey, spare } from './peg.ts'
import { type InboundLine, inboundKey, inboundUnits } from './stock.ts'

/** Brings every promise against inbound lines to what the supplies are now. Harmless to repeat. */
export function reviewPromises(draft: Draft): void {
  if (!draft.state.complete || inboundUnits(draft.state) === 0) return
  serveBackOrders(draft)
  const kept = judge(draft)
  for (const { demand, units, reason } of kept.sort((a, b) => byPromise(a.demand, b.demand))) {
    findAnother(draft, demand, units, reason)
  }
  if (kept.some(({ reason }) => reason === 'lost')) serveShortages(draft)
  settleRisks(draft)
}

/**
 * Goods on hand go to those who wait, first to whom the earliest day was told, and among them in the order of promise: in the
 * strict order of promise a later day could take the unit of an earlier one and break it. Safety stock is refilled first.
 */
function serveBackOrders(draft: Draft): void {
  const waiting = liveDemands(draft, ({ supply }) => supply.kind === 'inbound').sort(byPromisedDay)
  for (const demand of waiting) {
    let left = demand.units
    for (const warehouse of warehousesOf(draft.rules, demand.shop)) {
      const taken = Math.min(left, Math.max(0, spare(draft, warehouse, 'above-safety')))
      const current = draft.state.demands.get(demand.no)
      if (taken === 0 || !current) continue
      alter(
        draft,
        current,
        taken,
        { supply: { kind: 'on-hand', warehouse }, promise: calm(current) },
        'served-back-order',
      )
      left -= taken
      if (left === 0) break
    }
  }
}

/** The promise without a risk. */
function calm({ promise }: Demand): Promised | undefined {
  if (!promise) return undefined
  const { atRisk: _, ...rest } = promise
  return rest
}

const byPromisedDay = (a: Demand, b: Demand): number => {
  const [first, second] = [a.promise?.day ?? '', b.promise?.day ?? '']
  return first === second ? byPromise(a, b) : first < second ? -1 : 1
}

type Affected = { readonly demand: Demand; readonly units: Units; readonly reason: 'lost' | 'late' | 'no-day' }

/** The promises that their line keeps no more: beyond what it covers, the youngest; and all of a line whose day has moved past theirs. */
function judge(draft: Draft): Affected[] {
  const affected: Affected[] = []
  const covers = coversOf(draft)
  const ofLine = Map.groupBy(
    liveDemands(draft, ({ supply }) => supply.kind === 'inbound'),
    ({ supply }) => (supply.kind === 'inbound' ? inboundKey(supply) : ''),
  )
  for (const [key, demands] of ofLine) {
    const line = draft.state.inbound.get(key)
    let cover = covers.get(key) ?? 0
    for (const demand of demands) {
      const isThere = line !== undefined && isServed(draft, demand, line.warehouse)
      const kept = isThere ? Math.min(cover, demand.units) : 0
      cover -= kept
      if (kept < demand.units) affected.push({ demand, units: demand.units - kept, reason: 'lost' })
      const reason = line && kept > 0 ? trouble(draft, demand, line) : undefined
      if (reason) affected.push({ demand, units: kept, reason })
    }
  }
  return affected
}

function coversOf(draft: Draft): ReadonlyMap<string, Units> {
  const warehouses = new Set([...draft.state.inbound.values()].map(({ warehouse }) => warehouse))
  return new Map(
    [...warehouses].flatMap((warehouse) =>
      remaindersOf(draft.state, draft.rules, warehouse, draft.now).map(
        (remainder) => [inboundKey(remainder.line), coverOf(remainder)] as const,
      ),
    ),
  )
}

const isServed = ({ rules }: Draft, { shop, supply }: Demand, warehouse: WarehouseId): boolean =>
  supply.kind === 'inbound' && supply.warehouse === warehouse && warehousesOf(rules, shop).includes(warehouse)

function trouble(draft: Draft, demand: Demand, line: InboundLine): 'late' | 'no-day' | undefined {
  const day = dayOfLine(draft, demand, line)
  if (day === undefined) return 'no-day'
  return demand.promise && (day > demand.promise.day || demand.promise.atRisk) ? 'late' : undefined
}

function dayOfLine({ rules, state, now }: Draft, { shop }: Demand, line: InboundLine): Day | undefined {
  const terms = termsOf(rules, shop, state)
  return isOverdue(rules, line, terms, now) ? undefined : arrivalOf(rules, line, terms, now)
}

/** Another line that keeps the day; else the earliest day there is, told anew; else nothing, and the promise is at risk. */
function findAnother(draft: Draft, affected: Demand, units: Units, reason: Affected['reason']): void {
  const demand = draft.state.demands.get(affected.no)
  if (demand?.supply.kind !== 'inbound') return
  const own = draft.state.inbound.get(inboundKey(demand.supply))
  const ownDay = reason === 'lost' || !own ? undefined : dayOfLine(draft, demand, own)
  let left = Math.min(units, demand.units)
  for (const offer of offersTo(draft.state, draft.rules, demand.shop, draft.now, 'kept')) {
    const current = draft.state.demands.get(demand.no)
    const { arrival } = offer
    if (left === 0 || !current) return
    const isOwn = inboundKey(offer.remainder.line) === inboundKey(demand.supply)
    if (arrival === undefined || offer.units === 0 || isOwn) continue
    if (ownDay !== undefined && arrival >= ownDay) break
    const taken = Math.min(left, offer.units)
    const promise = promisedAgain(current.promise, arrival)
    alter(draft, current, taken, { supply: supplyOf(offer), promise }, whyMoved(current, arrival))
    left -= taken
  }
  if (left > 0) stay(draft, demand, left, reason, ownDay)
}

const whyMoved = ({ promise }: Demand, arrival: Day): string =>
  promise && arrival > promise.day ? 're-promised' : 'moved-inbound'

function supplyOf({ remainder: { line } }: LineOffer): Demand['supply'] {
  return { kind: 'inbound', warehouse: line.warehouse, purchaseOrder: line.purchaseOrder, line: line.line }
}

/** No other supply: the line's own new day is told, or the promise is at risk. */
function stay(draft: Draft, demand: Demand, units: Units, reason: Affected['reason'], ownDay: Day | undefined): void {
  const parts = [demand.no].flatMap((no) => draft.state.demands.get(no) ?? [])
  if (reason === 'lost') {
    const atRisk = demand.promise ? { promise: { ...demand.promise, atRisk: true as const } } : {}
    alterUpTo(draft, parts, units, () => ({ supply: { kind: 'shortage' }, ...atRisk }), 'lost-inbound')
    raiseShortage(draft, demand, units, 'its purchase order brings fewer units than were promised of it')
    return
  }
  if (ownDay !== undefined) {
    const promise = promisedAgain(demand.promise, ownDay)
    if (JSON.stringify(promise) === JSON.stringify(demand.promise)) return
    alterUpTo(draft, parts, units, () => ({ promise }), ownDay > (demand.promise?.day ?? '') ? 're-promised' : 'kept')
    return
  }
  if (!demand.promise || demand.promise.atRisk) return
  alterUpTo(draft, parts, units, ({ promise }) => (promise ? { promise: { ...promise, atRisk: true } } : {}), 'at-risk')
  draft.incidents.push({
    ...risk(draft, demand),
    opens: true,
    units,
    cause: 'nobody can say any more when its goods come',
  })
}

/** A later day is told; an earlier one keeps what was told. */
export function promisedAgain(before: Promised | undefined, day: Day): Promised {
  if (!before) return { kind: 'back-order', first: day, day }
  const { atRisk: _, ...rest } = before
  return day > before.day ? { ...rest, day, before: before.day } : rest
}

const risk = (draft: Draft, { shop, orderLine }: Pick<Demand, 'shop' | 'orderLine'>) => ({
  code: 'PROMISE_AT_RISK' as const,
  key: shortageKey(draft, { shop, ...(orderLine ? { orderLine } : {}) }),
  shop,
  ...(orderLine ? { orderNumber: orderLine.orderNumber } : {}),
})

/** Promises that were at risk before this decision and are not any more. */
function settleRisks(draft: Draft): void {
  const before = new Map<string, Demand>()
  for (const change of draft.changes) {
    if (
      change.set === 'demand' &&
      (change.why === 're-promised' ||
        change.why === 'kept' ||
        change.why === 'served-back-order' ||
        change.why === 'moved-inbound')
    )
      before.set(shortageKey(draft, change.demand), change.demand)
  }
  for (const [key, demand] of before) {
    const isStill = liveDemands(draft, (each) => each.promise?.atRisk === true && shortageKey(draft, each) === key)
    if (isStill.length === 0)
      draft.incidents.push({ ...risk(draft, demand), opens: false, cause: 'a day is known again' })
  }
}
