import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import {
  at,
  clock,
  EAST,
  grossFigure,
  LAMP,
  MAIN,
  netFigure,
  openOrdersWord,
  orderCommand,
  orderWord,
  rulesWith,
  UNORDERED,
  WMS,
} from '../../test/core/rules.ts'
import type { Configuration } from './configuration.ts'
import { sourceOf } from './ids.ts'

const ERP = sourceOf('erp')

/** Two warehouses, each of a source of its own: their counters have nothing to do with each other. */
function twoSources(): Configuration {
  const rules = rulesWith({ warehouses: [EAST, MAIN] })
  const wms = rules.sources.get(WMS)
  const east = rules.warehouses.get(EAST)
  if (!wms || !east) throw new Error('The rules name both')
  return {
    ...rules,
    sources: new Map([...rules.sources, [ERP, { ...wms, source: ERP }]]),
    warehouses: new Map([...rules.warehouses, [EAST, { ...east, source: ERP }]]),
  }
}

describe('a list of open orders', () => {
  test('says nothing of units that only the warehouse of another source has acknowledged', () => {
    const house = openHouse(twoSources())
    house.say(netFigure(10, at(1), { warehouse: EAST }))
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 3 }]))
    house.say(orderWord('acknowledged', 'A', 3, at(2)))
    house.snapshot(netFigure(10, at(9), { warehouse: EAST }), openOrdersWord([], at(9), EAST))
    expect(house.sellable()).toBe(17)
    expect(house.demands()).toMatchObject([{ units: 3, phase: 'acknowledged' }])
  })

  test('takes an order that grew for what the warehouse had of it, not for units that left', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.say(orderWord('acknowledged', 'A', 1, at(2)))
    house.decide(orderCommand('A', [{ units: 3 }]))
    for (const sequence of [3, 4]) {
      const list = openOrdersWord([{ order: 'A', units: 1, allocated: 0 }], at(sequence))
      house.snapshot(netFigure(10, at(sequence)), list)
    }
    expect(house.sellable()).toBe(7)
    expect(house.demands().reduce((sum, { units }) => sum + units, 0)).toBe(3)
  })

  test.each([at, clock])(
    'confirms units that were taken back and allocated again, and they stay contained',
    (stamp) => {
      const house = openHouse(rulesWith())
      house.say(netFigure(10, stamp(1)))
      house.decide(orderCommand('A', [{ units: 2 }]))
      house.say(orderWord('allocated', 'A', 2, stamp(2)))
      house.say(netFigure(8, stamp(3)))
      house.say(orderWord('deallocated', 'A', 2, stamp(4)))
      house.say(netFigure(10, stamp(5)))
      house.say(orderWord('allocated', 'A', 2, stamp(6)))
      house.say(netFigure(8, stamp(7)))
      expect(house.sellable()).toBe(8)
      house.snapshot(netFigure(8, stamp(8)), openOrdersWord([{ order: 'A', units: 2, allocated: 2 }], stamp(8)))
      expect(house.sellable()).toBe(8)
      expect(house.stateOf(LAMP).shelves.get(MAIN)?.chargedUnits).toBe(0)
    },
  )

  test('of a warehouse says nothing of units that another one has allocated and that we serve from here now', () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' }, warehouses: [MAIN, EAST] }))
    house.say(grossFigure(3, at(1)))
    house.say(grossFigure(5, at(2), { warehouse: EAST }))
    house.decide(orderCommand('A', [{ units: 3 }]))
    house.say(orderWord('allocated', 'A', 3, at(3)))
    house.say(orderWord('short', 'A', 3, at(4)))
    house.say(grossFigure(0, at(5)))
    house.snapshot(grossFigure(5, at(6), { warehouse: EAST }), openOrdersWord([], at(6), EAST))
    expect(house.sellable()).toBe(2)
    expect(house.demands().reduce((sum, { units }) => sum + units, 0)).toBe(3)
  })

  test('without units that were asked back says that they were given up, not that others have left', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 2 }]))
    house.say(orderWord('allocated', 'A', 2, at(2)))
    house.say(netFigure(8, at(3)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.snapshot(netFigure(9, at(5)), openOrdersWord([{ order: 'A', units: 1, allocated: 1 }], at(5)))
    expect(house.demands()).toMatchObject([{ units: 1, phase: 'allocated', contained: true }])
    expect(house.sellable()).toBe(9)
    house.decide(orderCommand('A', [{ units: 1 }]))
    expect(house.demands()).toMatchObject([{ units: 1, phase: 'allocated' }])
  })

  test('older than an allocation says nothing of it', () => {
    const house = openHouse(rulesWith({ warehouses: [MAIN, EAST] }))
    house.say(netFigure(5, at(1)))
    house.say(netFigure(5, at(2), { warehouse: EAST }))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.say(orderWord('acknowledged', 'A', 1, at(3)))
    house.say(orderWord('allocated', 'A', 1, at(8), { warehouse: EAST }))
    house.snapshot(netFigure(5, at(4), { warehouse: EAST }), openOrdersWord([], at(4), EAST))
    expect(house.demands()).toMatchObject([{ units: 1, phase: 'allocated' }])
    expect(house.sellable()).toBe(9)
  })

  // H17, H38: a line of two, allocated, half of it taken back and allocated again; the word about the taking back comes last.
  test('settles what rose before it: no rise is charged for ever to units that it shows allocated', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 2 }]))
    house.say(orderWord('allocated', 'A', 2, at(2)))
    house.say(netFigure(8, at(3)))
    house.say(orderWord('allocated', 'A', 1, at(6)))
    house.say(netFigure(8, at(7)))
    house.say(orderWord('deallocated', 'A', 1, at(4)))
    house.snapshot(netFigure(8, at(8)), openOrdersWord([{ order: 'A', units: 2, allocated: 2 }], at(8)))
    for (let sequence = 9; sequence < 30; sequence++) house.say(netFigure(8, at(sequence)))
    expect(house.stateOf(LAMP).shelves.get(MAIN)?.chargedUnits).toBe(0)
    expect(house.sellable()).toBe(8)
  })

  test('overtaken by a figure says nothing of units that were asked back: the one still wanted has not left', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 2 }]))
    house.say(orderWord('acknowledged', 'A', 2, at(2)))
    house.say(orderWord('allocated', 'A', 2, at(3)))
    house.say(netFigure(8, at(4)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.say(netFigure(9, at(9)))
    house.say(openOrdersWord([{ order: 'A', units: 1, allocated: 1 }], at(7)))
    house.say(orderWord('cancelled', 'A', 1, at(6)))
    expect(house.demands()).toMatchObject([{ units: 1, phase: 'allocated' }])
    expect(house.sellable()).toBe(9)
  })

  // The warehouse heard of the edit before us: what its list is without was given up, and did not leave.
  test.each(['the edit', 'the word'])(
    'without units that the shop wants no more is right about the others: %s comes first',
    (first) => {
      const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
      house.say(grossFigure(10, at(1)))
      house.decide(orderCommand('A', [{ units: 2 }]))
      house.say(orderWord('acknowledged', 'A', 2, at(2)))
      house.snapshot(grossFigure(10, at(5)), openOrdersWord([{ order: 'A', units: 1, allocated: 0 }], at(5)))
      const steps = [
        () => house.decide(orderCommand('A', [{ units: 1 }])),
        () => house.say(orderWord('cancelled', 'A', 1, at(4))),
      ]
      for (const step of first === 'the edit' ? steps : steps.reverse()) step()
      house.snapshot(grossFigure(10, at(8)), openOrdersWord([{ order: 'A', units: 1, allocated: 0 }], at(8)))
      expect(house.demands().reduce((sum, { units }) => sum + units, 0)).toBe(1)
      expect(house.sellable()).toBe(9)
    },
  )

  // H38: the word that a unit was taken back comes after the one that it was allocated again.
  test('misses no unit that only a word about another of its line seemed to tell of', () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
    house.say(grossFigure(10, at(1)))
    house.decide(orderCommand('A', [{ units: 1 }]))
    house.say(orderWord('acknowledged', 'A', 1, at(2)))
    house.say(orderWord('allocated', 'A', 1, at(3)))
    house.decide(orderCommand('A', [{ units: 2 }]))
    house.say(orderWord('allocated', 'A', 1, at(6)))
    house.say(orderWord('deallocated', 'A', 1, at(5)))
    house.snapshot(grossFigure(10, at(8)), openOrdersWord([{ order: 'A', units: 1, allocated: 1 }], at(8)))
    expect(house.sellable()).toBe(8)
    expect(house.stock().openUnits).toBe(2)
  })

  test('settles the shortage of units that it shows allocated', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(0, at(1)))
    house.decide(orderCommand('A', [{ units: 2 }]))
    expect(house.incidents).toMatchObject([{ code: 'SHORTAGE', opens: true }])
    house.snapshot(netFigure(0, at(3)), openOrdersWord([{ order: 'A', units: 2, allocated: 2 }], at(3)))
    expect(house.incidents.at(-1)).toMatchObject({ code: 'SHORTAGE', opens: false })
    expect(house.stock()).toMatchObject({ shortageUnits: 0, availableUnits: 0 })
  })
})

test('of a source without order words, a shortage is over when its shop calls the order complete', () => {
  const house = openHouse(rulesWith({ source: { knowsOrdersWithinMs: 1_000 } }))
  house.say(netFigure(0, UNORDERED))
  house.decide(orderCommand('A', [{ units: 2 }]))
  house.decide(orderCommand('A', [{ units: 2 }], { state: 'completed' }))
  expect(house.incidents.at(-1)).toMatchObject({ code: 'SHORTAGE', opens: false })
  expect(house.stock()).toMatchObject({ availableUnits: -2, openUnits: 0 })
  house.pass(2_000)
  house.say(netFigure(0, UNORDERED))
  expect(house.stock()).toMatchObject({ availableUnits: 0 })
  expect(house.demands()).toEqual([])
})
