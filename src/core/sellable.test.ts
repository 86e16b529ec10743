import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requests } from '../../test/core/commands.ts'
import { type House, openHouse } from '../../test/core/house.ts'
import {
  at,
  EAST,
  holdCommand,
  LAMP,
  MAIN,
  NORD,
  netFigure,
  orderCommand,
  rulesWith,
  SUED,
} from '../../test/core/rules.ts'
import type { Configuration } from './configuration.ts'
import { isLive } from './demand.ts'
import type { ShopId } from './ids.ts'
import { availabilityOf } from './sellable.ts'

const base = rulesWith({ warehouses: [MAIN, EAST], shops: [NORD, SUED], warehouse: { safetyUnits: 1 } })
const nord = base.shops.get(NORD)
if (!nord) throw new Error('no shop')
/** Nord sells from both warehouses within a quota, sued from the east alone and keeps two units back. */
const rules: Configuration = {
  ...base,
  shops: new Map([
    [NORD, { ...nord, quotaUnits: 7 }],
    [SUED, { ...nord, shop: SUED, warehouses: [EAST], safetyUnits: 2 }],
  ]),
}

/** L3 by the book: made of demands one by one, with no counter. */
function byTheBook(house: House, shop: ShopId): number | undefined {
  const state = house.stateOf(LAMP)
  const { warehouses = [], safetyUnits = 0, quotaUnits } = rules.shops.get(shop) ?? {}
  const live = [...state.demands.values()].filter(isLive)
  const shelves = warehouses.flatMap((warehouse) => state.shelves.get(warehouse) ?? [])
  if (shelves.length === 0) return undefined
  let units = -safetyUnits
  for (const { warehouse, figure, chargedUnits } of shelves) {
    units += figure.units - chargedUnits - (rules.warehouses.get(warehouse)?.safetyUnits ?? 0)
    for (const { supply, contained, units: taken } of live) {
      if (supply.kind === 'on-hand' && supply.warehouse === warehouse && !contained) units -= taken
    }
  }
  for (const demand of live) {
    const allowed = rules.shops.get(demand.shop)?.warehouses ?? []
    if (demand.supply.kind === 'shortage' && allowed.some((each) => warehouses.includes(each))) units -= demand.units
  }
  const open = live
    .filter((demand) => demand.shop === shop && demand.phase !== 'shipped')
    .reduce((sum, demand) => sum + demand.units, 0)
  return Math.max(0, Math.min(units, quotaUnits === undefined ? units : quotaUnits - open))
}

describe('L3 Sellable', () => {
  test('L3 Sellable: it is figures less pegs, safety and shortages, within the quota, and a hold takes no more', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        house.say({ ...netFigure(6, at(1)), warehouse: EAST })
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const command = ask(house, nth)
          const before = { [NORD]: house.stock(NORD), [SUED]: house.stock(SUED) }
          const { answer } = house.run(command)
          if (command.kind === 'hold' && command.via === 'gateway' && 'granted' in answer && answer.granted) {
            const units = command.lines.filter(({ sku }) => sku === LAMP).reduce((sum, line) => sum + line.units, 0)
            const { tracked = false, sellableUnits = 0 } = before[command.shop] ?? {}
            const granted = answer.lines.find(({ sku }) => sku === LAMP)?.grantedUnits ?? 0
            if (tracked) expect(granted).toBe(Math.min(units, sellableUnits))
          }
          for (const shop of [NORD, SUED]) {
            const { tracked, sellableUnits } = house.stock(shop)
            expect(tracked ? sellableUnits : undefined).toBe(byTheBook(house, shop))
          }
        })
      }),
      { numRuns: 300 },
    )
  })

  test('a shop that sells from a short warehouse leaves the shortage its units, whoever it belongs to', () => {
    const house = openHouse(rules)
    house.say(netFigure(20, at(1)))
    house.decide(orderCommand('o', [{ units: 4 }], { shop: SUED }))
    house.say({ ...netFigure(0, at(2)), warehouse: EAST })
    house.say({ ...netFigure(3, at(3)), warehouse: EAST })
    expect(house.stock(SUED)).toMatchObject({ sellableUnits: 0, shortageUnits: 1 })
    expect(house.stock(NORD)).toMatchObject({ shortageUnits: 1, availableUnits: 19 - 1 - 1 })
  })

  test('safety stock is kept from holds and given to orders', () => {
    const house = openHouse(rulesWith({ warehouse: { safetyUnits: 3 } }))
    house.say(netFigure(10, at(1)))
    expect(house.sellable()).toBe(7)
    expect(house.decide(holdCommand('a', [{ units: 8, lineKey: 'k' }]))).toMatchObject({ granted: false })
    expect(house.decide(orderCommand('o', [{ units: 9 }]))).toMatchObject({ shortageUnits: 0 })
    expect(house.stock()).toMatchObject({ availableUnits: -2, sellableUnits: 0 })
  })

  test('what other shops last showed before a silence counts as sold, until it is overdue and was not split', () => {
    const house = openHouse(rulesWith({ shops: [NORD, SUED] }))
    house.say(netFigure(10, at(1)))
    const { unread } = house.stateOf(LAMP)
    unread.set(SUED, { units: 4, isOverdue: false })
    expect(house.stock(NORD)).toMatchObject({ unreadUnits: 4, sellableUnits: 6 })
    expect(house.stock(SUED)).toMatchObject({ unreadUnits: 0, sellableUnits: 10 })
    unread.set(SUED, { units: 4, isOverdue: true })
    expect(house.sellable(NORD)).toBe(10)
    const split = rulesWith({ shops: [NORD, SUED], shop: { whenSilent: 'split' } })
    expect(availabilityOf(house.stateOf(LAMP), split, NORD, house.now()).sellableUnits).toBe(6)
  })
})
