/** Orders as facts, told by whoever likes to tell them oddly. */
import { describe, expect, test } from 'vitest'
import { expectSound, openHouse } from '../core/house.ts'
import { at, holdCommand, netFigure, orderCommand, rulesWith, SHADE, UNORDERED } from '../core/rules.ts'

function stocked(units: number) {
  const house = openHouse(rulesWith())
  house.say(netFigure(units, at(1)))
  house.say(netFigure(units, at(1), { sku: SHADE }))
  house.pass(1_000)
  return house
}

describe('an order told with two lines under one id', () => {
  test('counts the units of both, however often it is told', () => {
    const house = stocked(10)
    const twice = orderCommand('O1', [
      { lineId: 'LAMP', units: 2 },
      { lineId: 'LAMP', units: 3 },
    ])
    house.decide(twice)
    expect(house.sellable()).toBe(5)
    expect(house.run(twice).changes.values().next().value).toEqual([])
    expect(house.sellable()).toBe(5)
    expectSound(house)
  })
})

describe('the key of one cart in another cart', () => {
  test('does not end the hold of an order that is still under way, be it of another SKU', () => {
    const house = stocked(5)
    house.decide(holdCommand('call-1', [{ units: 5, lineKey: 'key-1' }]))
    house.pass(10_000)
    house.decide(holdCommand('call-2', [{ units: 1, sku: SHADE, lineKey: 'key-1' }]))
    house.decide(orderCommand('O2', [{ units: 1, sku: SHADE, lineKey: 'key-1' }]))
    expect(house.sellable()).toBe(0)
    house.decide(orderCommand('O1', [{ units: 5, lineKey: 'key-1' }]))
    expect(house.incidents).toEqual([])
    expectSound(house)
  })

  test('nor of the same one', () => {
    const house = stocked(6)
    house.decide(holdCommand('call-1', [{ units: 5, lineKey: 'key-1' }]))
    house.pass(10_000)
    house.decide(holdCommand('call-2', [{ units: 1, lineKey: 'key-1' }]))
    house.decide(orderCommand('O2', [{ units: 1, lineKey: 'key-1' }]))
    expect(house.decide(holdCommand('call-3', [{ units: 1, lineKey: 'key-3' }]))).toMatchObject({ granted: false })
    expect(house.decide(orderCommand('O1', [{ units: 5, lineKey: 'key-1' }]))).toEqual({
      fromHoldsUnits: 5,
      unheldUnits: 0,
      shortageUnits: 0,
    })
    expectSound(house)
  })
})

describe('an order that was completed before its shop was connected', () => {
  test('is none of ours, and becomes none when it is touched', () => {
    const house = stocked(5)
    house.decide(orderCommand('OLD', [{ units: 4 }], { state: 'completed', ifKnown: true }))
    expect(house.sellable()).toBe(5)
    expect(house.demands()).toEqual([])
  })

  test('is not mixed up with one that was completed before it was read: that one takes its hold', () => {
    const house = stocked(5)
    house.decide(holdCommand('call-1', [{ units: 4, lineKey: 'key-1' }]))
    house.decide(orderCommand('NEW', [{ units: 4, lineKey: 'key-1' }], { state: 'completed', ifKnown: true }))
    expect(house.demands()).toMatchObject([{ phase: 'placed', units: 4 }])
    expect(house.sellable()).toBe(1)
  })
})

describe('messages of a source without any order', () => {
  test('that overtake each other leave the figure where it would be had they come in turn', () => {
    const inTurn = openHouse(rulesWith())
    const overtaken = openHouse(rulesWith())
    for (const house of [inTurn, overtaken]) house.say(netFigure(10, UNORDERED))
    const told = [
      { word: netFigure(3, UNORDERED), receivedAt: inTurn.pass(1_000) },
      { word: netFigure(10, UNORDERED), receivedAt: inTurn.pass(1_000) },
    ]
    overtaken.pass(2_000)
    for (const { word, receivedAt } of told) inTurn.say(word, { receivedAt })
    for (const { word, receivedAt } of told.toReversed()) overtaken.say(word, { receivedAt })
    for (const house of [inTurn, overtaken]) {
      expect(house.sellable()).toBe(3)
      house.pass(60_000)
      house.decide({ kind: 'settle', sku: house.stateOf(netFigure(0, UNORDERED).sku).sku })
      expect(house.sellable()).toBe(10)
      expectSound(house)
    }
  })
})
