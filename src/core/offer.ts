/**
 * L4: what inbound lines offer to a shop, and why one offers nothing. Cumulative with look-ahead: what is owed already, a shortage
 * or a shelf below its safety, takes from the earliest lines first, so that a new promise breaks no older one.
 */
import { type Configuration, warehousesOf } from './configuration.ts'
import { addDays, dayIn, laterDay } from './day.ts'
import type { Day, Instant, ShopId, Units, WarehouseId } from './ids.ts'
import { byDay, freeOf, type Remainder, remaindersOf } from './inbound.ts'
import { type BackOrderTerms, DEFAULT_TERMS, termsFor } from './promise-rule.ts'
import type { InboundLine, SkuState } from './stock.ts'

/** Why a line offers nothing to a shop. */
export type NoOffer =
  | 'back-orders-off'
  | 'cancelled'
  | 'unconfirmed'
  | 'no-day'
  | 'overdue'
  | 'outside-window'
  | 'warehouse-not-allowed'
  | 'vetoed'
  | 'nothing-left'

/** What one line offers: units by a day, or the reason why not. */
export type LineOffer = {
  readonly remainder: Remainder
  /** The day on which the goods are expected in the warehouse, margin included; absent when nothing can be said. */
  readonly arrival?: Day
  readonly units: Units
  readonly refusal?: NoOffer
}

/**
 * For whom a line is asked. `new`: a promise yet to be made. `kept`: one that was made already, whose customer is owed the best
 * there is: neither window nor switch matters any more.
 */
export type Asker = 'new' | 'kept'

/** What the lines offer to a shop, the earliest arrival first; lines that offer nothing stand there with their reason. */
export function offersTo(
  state: SkuState,
  rules: Configuration,
  shop: ShopId,
  now: Instant,
  asker: Asker = 'new',
): readonly LineOffer[] {
  if (state.inbound.size === 0) return []
  const terms = termsFor(rules.promises, shop, state.sku)
  const zone = rules.shops.get(shop)?.zone
  const lastDay = zone === undefined ? undefined : addDays(dayIn(zone, now), terms.windowDays)
  return warehousesOf(rules, shop)
    .flatMap((warehouse) => remaindersOf(state, rules, warehouse, now))
    .map((remainder): LineOffer => {
      const { line } = remainder
      const arrival = arrivalOf(rules, line, terms, now)
      const refusal = refusalOf({ state, terms, remainder, arrival, lastDay, now, rules, asker })
      const day = arrival === undefined ? {} : { arrival }
      return refusal ? { remainder, ...day, units: 0, refusal } : { remainder, ...day, units: freeOf(remainder) }
    })
    .sort(byArrival)
}

const byArrival = (a: LineOffer, b: LineOffer): number => {
  if (a.arrival === b.arrival) return byDay(a.remainder.line, b.remainder.line)
  return a.arrival !== undefined && (b.arrival === undefined || a.arrival < b.arrival) ? -1 : 1
}

/** The day on which goods of a line are expected: what the warehouse says, today where that has passed, and the margin. */
export function arrivalOf(
  rules: Configuration,
  line: InboundLine,
  terms: BackOrderTerms,
  now: Instant,
): Day | undefined {
  if (line.eta === undefined) return undefined
  const zone = rules.warehouses.get(line.warehouse)?.zone
  return addDays(zone === undefined ? line.eta : laterDay(line.eta, dayIn(zone, now)), terms.marginDays)
}

/** Whether the day of a line has passed by more than its grace. */
export function isOverdue(rules: Configuration, line: InboundLine, terms: BackOrderTerms, now: Instant): boolean {
  const zone = rules.warehouses.get(line.warehouse)?.zone
  return line.eta !== undefined && zone !== undefined && addDays(line.eta, terms.graceDays) < dayIn(zone, now)
}

type Question = {
  readonly state: SkuState
  readonly rules: Configuration
  readonly terms: BackOrderTerms
  readonly remainder: Remainder
  readonly arrival: Day | undefined
  readonly lastDay: Day | undefined
  readonly now: Instant
  readonly asker: Asker
}

function refusalOf({ state, rules, terms, remainder, arrival, lastDay, now, asker }: Question): NoOffer | undefined {
  const { line } = remainder
  const isNew = asker === 'new'
  if (isNew && !terms.enabled) return 'back-orders-off'
  if (isNew && state.shelves.get(line.warehouse)?.figure.backorderVeto) return 'vetoed'
  if (!isAllowed(terms, line.warehouse)) return 'warehouse-not-allowed'
  if (terms.confirmedOnly && !line.confirmed) return 'unconfirmed'
  if (freeOf(remainder) === 0) return line.cancelled ? 'cancelled' : 'nothing-left'
  if (arrival === undefined) return 'no-day'
  if (isOverdue(rules, line, terms, now)) return 'overdue'
  if (isNew && lastDay !== undefined && arrival > lastDay) return 'outside-window'
  return undefined
}

const isAllowed = ({ warehouses }: BackOrderTerms, warehouse: WarehouseId): boolean =>
  warehouses === undefined || warehouses.includes(warehouse)

/** What a shop may sell beyond what is on hand: by line, and all together within the cap. */
export type BackOrderable = { readonly units: Units; readonly lines: readonly LineOffer[] }

/**
 * @param availableUnits what is available on hand; where it is negative, the earliest goods are owed already
 */
export function backOrderable(
  state: SkuState,
  rules: Configuration,
  shop: ShopId,
  now: Instant,
  availableUnits: number,
): BackOrderable {
  const terms = termsOf(rules, shop, state)
  // Most SKUs are not sold ahead, and a hold must not pay for what it cannot have.
  if (state.inbound.size === 0 || !terms.enabled) return NOTHING
  let owed = Math.max(0, -availableUnits)
  let within = capLeft(state, terms, shop)
  const lines = offersTo(state, rules, shop, now).map((offer) => {
    const taken = Math.min(owed, offer.units)
    owed -= taken
    const units = Math.min(within, offer.units - taken)
    within -= units
    return { ...offer, units }
  })
  return { units: lines.reduce((sum, { units }) => sum + units, 0), lines }
}

const NOTHING: BackOrderable = { units: 0, lines: [] }

/** The terms for a SKU in a shop. */
export const termsOf = (rules: Configuration, shop: ShopId, { sku }: Pick<SkuState, 'sku'>): BackOrderTerms =>
  rules.promises ? termsFor(rules.promises, shop, sku) : DEFAULT_TERMS

const capLeft = (state: SkuState, { capUnits }: BackOrderTerms, shop: ShopId): number =>
  capUnits === undefined ? Number.POSITIVE_INFINITY : Math.max(0, capUnits - (state.shopCounts.get(shop)?.inbound ?? 0))
