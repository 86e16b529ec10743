import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { at, grossFigure, netFigure, orderCommand, orderWord, rulesWith } from '../../test/core/rules.ts'

/** What left for an order although we did not know, or not any more, that it was wanted. */
describe.each([
  { semantics: 'net' as const, figure: netFigure },
  { semantics: 'gross' as const, figure: grossFigure },
])('a shipment beyond what we know to be wanted, $semantics', ({ semantics, figure }) => {
  const begin = () => {
    const house = openHouse(rulesWith({ source: { semantics } }))
    house.say(figure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.say(orderWord('acknowledged', 'A', 1, at(2)))
    return house
  }
  const counted = (house: ReturnType<typeof begin>): number =>
    house.demands().reduce((sum, { phase, units }) => sum + (phase === 'shipped' ? 0 : units), 0)

  test('is subtracted until a figure is without it', () => {
    const house = begin()
    house.decide(orderCommand('A', [{ units: 1 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(10)
    house.say(orderWord('shipped', 'A', 1, at(3)))
    expect(house.sellable()).toBe(9)
    house.say(figure(9, at(4)))
    expect(house.sellable()).toBe(9)
    expect(house.demands()).toEqual([])
  })

  test('serves the order when it is reopened', () => {
    const house = begin()
    house.decide(orderCommand('A', [{ units: 1 }], { state: 'cancelled' }))
    house.say(orderWord('shipped', 'A', 1, at(3)))
    house.say(figure(9, at(4)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    expect(counted(house)).toBe(0)
    expect(house.sellable()).toBe(9)
  })

  test('serves the units by which the order had grown', () => {
    const house = begin()
    house.say(orderWord('shipped', 'A', 3, at(3)))
    house.say(figure(7, at(4)))
    house.decide(orderCommand('A', [{ units: 3 }]))
    expect(counted(house)).toBe(0)
    expect(house.sellable()).toBe(7)
  })

  test('told twice is one', () => {
    const house = begin()
    house.decide(orderCommand('A', [{ units: 1 }], { state: 'cancelled' }))
    house.say(orderWord('shipped', 'A', 1, at(3)))
    house.say(orderWord('shipped', 'A', 1, at(3)))
    expect(house.sellable()).toBe(9)
  })
})
