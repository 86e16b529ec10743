/** People change the rules while units are under way: whatever was promised before stays subtracted after. */
import { describe, expect, test } from 'vitest'
import type { Configuration } from '../../src/core/configuration.ts'
import { expectSound, openHouse } from '../core/house.ts'
import {
  at,
  EAST,
  grossFigure,
  holdCommand,
  LAMP,
  MAIN,
  NORD,
  netFigure,
  orderCommand,
  orderWord,
  type RuleOptions,
  rulesWith,
  SUED,
} from '../core/rules.ts'

/** A house whose rules can be changed while it is open. */
function openChanging(options: RuleOptions) {
  const rules: Configuration = { ...rulesWith(options) }
  const house = openHouse(rules)
  return { house, change: (next: Partial<Configuration>) => void Object.assign(rules, next) }
}

describe('a source that was net is declared gross', () => {
  test('units that are allocated but on the shelf still are subtracted from its first gross figure', () => {
    const { house, change } = openChanging({})
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('O1', [{ units: 3 }]))
    house.say(orderWord('allocated', 'O1', 3, at(2)))
    house.say(netFigure(7, at(3)))
    expect(house.sellable()).toBe(7)
    change({ sources: rulesWith({ source: { semantics: 'gross' } }).sources })
    // Two units were sold over the counter meanwhile: of the eight on the shelf three are ours.
    house.say(grossFigure(8, at(4)))
    expect(house.sellable()).toBe(5)
    house.say(orderWord('shipped', 'O1', 3, at(5)))
    house.say(grossFigure(5, at(6)))
    expect(house.sellable()).toBe(5)
    expect(house.demands()).toEqual([])
    expectSound(house)
  })

  test('so are orders that its warehouse knew when the shop was connected', () => {
    const { house, change } = openChanging({})
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('O1', [{ units: 3 }], { baseline: { warehouseKnows: true } }))
    expect(house.sellable()).toBe(10)
    change({ sources: rulesWith({ source: { semantics: 'gross' } }).sources })
    house.say(grossFigure(11, at(2)))
    expect(house.sellable()).toBe(8)
    expectSound(house)
  })
})

describe('a source that was gross is declared net', () => {
  test('an order is subtracted until a word proves that the figure is without it', () => {
    const { house, change } = openChanging({ source: { semantics: 'gross' } })
    house.say(grossFigure(10, at(1)))
    house.decide(orderCommand('O1', [{ units: 3 }]))
    house.say(orderWord('allocated', 'O1', 3, at(2)))
    change({ sources: rulesWith({}).sources })
    house.say(netFigure(7, at(3)))
    expect(house.sellable()).toBe(4)
    house.say(orderWord('shipped', 'O1', 3, at(4)))
    house.say(netFigure(7, at(5)))
    expect(house.sellable()).toBe(7)
    expectSound(house)
  })
})

describe('orders of a SKU of which nothing was known', () => {
  test('are subtracted when their shop is given a warehouse that has spoken already', () => {
    const { house, change } = openChanging({ warehouses: [MAIN, EAST], shops: [NORD] })
    const both = house.rules.shops
    const nord = both.get(NORD)
    if (!nord) throw new Error('no shop')
    change({ shops: new Map([[NORD, { ...nord, warehouses: [EAST] }]]) })
    house.say(netFigure(5, at(1)))
    house.decide(orderCommand('O1', [{ units: 4 }]))
    expect(house.stock().tracked).toBe(false)
    change({ shops: both })
    expect(house.sellable()).toBe(1)
    expect(house.decide(holdCommand('R1', [{ units: 2 }]))).toMatchObject({ granted: false })
    house.say(netFigure(5, at(2)))
    expect(house.demands()).toMatchObject([{ supply: { kind: 'on-hand', warehouse: MAIN }, units: 4 }])
    expect(house.sellable()).toBe(1)
    expectSound(house)
  })

  test('are subtracted when their shop was taken out of the rules and is put back', () => {
    const { house, change } = openChanging({ shops: [NORD, SUED] })
    const both = house.rules.shops
    house.say(netFigure(5, at(1)))
    change({ shops: new Map([...both].filter(([shop]) => shop !== NORD)) })
    house.decide(orderCommand('O1', [{ units: 4 }]))
    change({ shops: both })
    expect(house.sellable(NORD)).toBe(1)
    expect(house.sellable(SUED)).toBe(1)
    house.say(netFigure(5, at(2)))
    expect(house.sellable(SUED)).toBe(1)
    expectSound(house)
  })

  test('wait for the warehouse that has units, where the first to speak has none', () => {
    const { house } = openChanging({ warehouses: [MAIN, EAST], shops: [NORD, SUED] })
    const sued = house.rules.shops.get(SUED)
    if (!sued) throw new Error('no shop')
    ;(house.rules.shops as Map<typeof SUED, typeof sued>).set(SUED, { ...sued, warehouses: [MAIN] })
    house.decide(orderCommand('O1', [{ units: 5 }]))
    house.pass(1_000)
    house.say(netFigure(0, at(1), { warehouse: EAST }))
    expect(house.sellable(NORD)).toBe(0)
    house.say(netFigure(10, at(2)))
    // The five have been ordered, and only this warehouse can send them.
    expect(house.sellable(NORD)).toBe(5)
    expect(house.sellable(SUED)).toBe(5)
    expect(house.demands()).toMatchObject([{ supply: { kind: 'on-hand', warehouse: MAIN }, units: 5 }])
    expect(house.stateOf(LAMP).shopCounts.get(NORD)?.untracked).toBe(0)
    expectSound(house)
  })
})
