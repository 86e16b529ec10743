/** A house that sells ahead: the first of December 2026, ten in the morning in Berlin, nothing on hand unless a test says so. */
import { type Day, dayOf, instantOf, type ShopId } from '../../src/core/ids.ts'
import { type BackOrderTerms, type PromiseRule, promiseRulesOf } from '../../src/core/promise-rule.ts'
import { type House, openHouse } from './house.ts'
import {
  at,
  holdCommand,
  inboundWord,
  MAIN,
  NORD,
  netFigure,
  orderCommand,
  type RuleOptions,
  rulesWith,
} from './rules.ts'

export const TODAY = dayOf('2026-12-01')
const TEN_IN_THE_MORNING = instantOf(Date.parse('2026-12-01T10:00:00+01:00'))

export type AheadOptions = RuleOptions & {
  readonly terms?: Partial<BackOrderTerms>
  readonly more?: readonly PromiseRule[]
  readonly onHand?: number
  readonly now?: string
}

/** Opens it; back-orders are on, seven days ahead. */
export function openAhead({ terms, more = [], onHand = 0, now, ...options }: AheadOptions = {}): House {
  const rules = rulesWith(options)
  const promises = promiseRulesOf([{ backOrders: { enabled: true, ...terms } }, ...more])
  const house = openHouse({ ...rules, promises })
  house.pass((now === undefined ? TEN_IN_THE_MORNING : Date.parse(now)) - house.now())
  for (const warehouse of options.warehouses ?? [MAIN]) house.say(netFigure(onHand, at(1), { warehouse }))
  return house
}

/** A confirmed line with a day. */
export const line = (name: string, ordered: number, eta: string | undefined, sequence: number, more = {}) =>
  inboundWord(ordered, at(sequence), {
    line: name,
    supplier: 'Weaver Ltd',
    ...(eta === undefined ? {} : { eta: dayOf(eta) }),
    ...more,
  })

let calls = 0
/** One order call; whether it was granted. */
export function buys(house: House, units: number, shop: ShopId = NORD): boolean {
  calls += 1
  return house.decide(holdCommand(`call-${calls}`, [{ units, lineKey: `key-${calls}` }], { shop })).granted
}

/** A call that becomes an order under this name. */
export function orders(house: House, name: string, units: number, shop: ShopId = NORD): void {
  house.decide(holdCommand(`call-of-${name}`, [{ units, lineKey: `key-of-${name}` }], { shop }))
  house.decide(orderCommand(name, [{ units, lineKey: `key-of-${name}` }], { shop }))
}

/** What serves an order, and for which day: `on-hand`, `1 2026-12-05`, `shortage`; each with its units. */
export const served = (house: House, name: string): readonly string[] =>
  house.demands().flatMap(({ orderLine, supply, units, promise }) => {
    if (orderLine?.orderId !== name) return []
    const what = supply.kind === 'inbound' ? `line ${supply.line}` : supply.kind
    const risk = promise?.atRisk ? ' at risk' : ''
    return [`${units} ${what}${promise ? ` ${promise.day}${risk}` : ''}`]
  })

/** The first day that an order was told and the one that counts now. */
export const told = (house: House, name: string): readonly (readonly [Day, Day])[] =>
  house
    .demands()
    .flatMap(({ orderLine, promise }) =>
      orderLine?.orderId === name && promise ? [[promise.first, promise.day] as const] : [],
    )
