/** A WMS that begins a new epoch has forgotten what it said before, and so nothing of that can be proved by its figures. */
import { expect, test } from 'vitest'
import { expectSound, openHouse } from '../core/house.ts'
import { at, grossFigure, LAMP, MAIN, netFigure, orderCommand, orderWord, rulesWith } from '../core/rules.ts'

const trust = { kind: 'trust', sku: LAMP, warehouse: MAIN } as const

function shippedBeforeRestart() {
  const house = openHouse(rulesWith())
  house.say(netFigure(10, at(1)))
  house.decide(orderCommand('O1', [{ units: 2 }]))
  house.decide(orderCommand('O2', [{ units: 1 }]))
  house.say(orderWord('allocated', 'O1', 2, at(2)))
  house.say(orderWord('shipped', 'O1', 2, at(3)))
  house.say(netFigure(8, at(1, 1)))
  return house
}

test('what left before is subtracted until a person says that the books are right about it, and then never again', () => {
  const house = shippedBeforeRestart()
  expect(house.sellable()).toBe(5)
  house.say(netFigure(8, at(2, 1)))
  expect(house.sellable()).toBe(5)
  house.decide(trust)
  expect(house.sellable()).toBe(7)
  house.say(netFigure(8, at(3, 1)))
  expect(house.sellable()).toBe(7)
  // The order that is still to be sent stays subtracted, and its words are heard.
  house.say(orderWord('allocated', 'O2', 1, at(4, 1)))
  house.say(netFigure(7, at(5, 1)))
  expect(house.sellable()).toBe(7)
  expectSound(house)
})

test('trust says nothing of goods that have just left in the same epoch: their figure is on its way', () => {
  const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
  house.say({ ...netFigure(0, at(1)), onHand: 10 })
  house.decide(orderCommand('O1', [{ units: 2 }]))
  house.say(orderWord('shipped', 'O1', 2, at(2)))
  house.decide(trust)
  expect(house.sellable()).toBe(8)
  house.say({ ...netFigure(0, at(3)), onHand: 8 })
  expect(house.sellable()).toBe(8)
  expect(house.demands()).toEqual([])
})

test('a cancellation that the restart swallowed is not waited for for ever', () => {
  const house = openHouse(rulesWith())
  house.say(netFigure(10, at(1)))
  const order = orderCommand('O1', [{ units: 2 }])
  house.decide(order)
  house.say(orderWord('allocated', 'O1', 2, at(2)))
  house.say(netFigure(8, at(3)))
  house.decide({ ...order, order: { ...order.order, state: 'cancelled' } })
  house.say(netFigure(10, at(1, 1)))
  expect(house.sellable()).toBe(8)
  house.decide(trust)
  expect(house.sellable()).toBe(10)
  expect(house.demands()).toEqual([])
  expectSound(house)
})

test('nor by a gross source, whose allocation is no mark', () => {
  const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
  house.say(grossFigure(10, at(1)))
  const order = orderCommand('O1', [{ units: 2 }])
  house.decide(order)
  house.say(orderWord('allocated', 'O1', 2, at(2)))
  house.decide({ ...order, order: { ...order.order, state: 'cancelled' } })
  house.say(grossFigure(10, at(1, 1)))
  expect(house.sellable()).toBe(8)
  house.decide(trust)
  expect(house.sellable()).toBe(10)
  expectSound(house)
})
