import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import {
  at,
  clock,
  EAST,
  grossFigure,
  LAMP,
  MAIN,
  movementWord,
  netFigure,
  orderCommand,
  orderWord,
  rulesWith,
  UNORDERED,
} from '../../test/core/rules.ts'
import { RISE_SETTLES_AFTER_MS, riseDueAt } from './figure.ts'
import type { Stamp } from './word.ts'

const opened = () => openHouse(rulesWith())
const settle = { kind: 'settle', sku: LAMP } as const
const trust = { kind: 'trust', sku: LAMP, warehouse: MAIN } as const

describe('which figure is in force', () => {
  const cases: readonly [name: string, first: Stamp, second: Stamp, units: number, verdict: string, inForce: number][] =
    [
      ['a higher number', at(5), at(6), 4, 'in-force', 4],
      ['a lower number is late', at(5), at(4), 4, 'late', 9],
      ['the same again', at(5), at(5), 9, 'repeated', 9],
      ['the same number with other content proves a restart: the lowest counts', at(5), at(5), 4, 'in-force', 4],
      ['and a higher one does not', at(5), at(5), 12, 'disputed', 9],
      ['a new epoch', at(5), at(1, 1), 12, 'in-force', 12],
      ['an old epoch', at(5, 1), at(9, 0), 4, 'late', 9],
      ['a later moment of the warehouse’s clock', clock(5_000), clock(6_000), 4, 'in-force', 4],
      ['an earlier one is late', clock(5_000), clock(4_000), 4, 'late', 9],
      ['two statements of one tick: a fall is believed', clock(5_000), clock(5_000), 4, 'in-force', 4],
      ['a rise is not', clock(5_000), clock(5_000), 12, 'late', 9],
      [
        'a lower number with a later clock proves a restart',
        { ...at(5), ...clock(5_000) },
        { ...at(4), ...clock(6_000) },
        12,
        'disputed',
        9,
      ],
      ['no order at all: a fall at once', UNORDERED, UNORDERED, 4, 'in-force', 4],
      ['and a rise later', UNORDERED, UNORDERED, 12, 'waiting', 9],
    ]
  test.each(cases)('%s', (_name, first, second, units, verdict, inForce) => {
    const house = opened()
    house.say(netFigure(9, first))
    house.pass(1)
    expect(house.say(netFigure(units, second))).toBe(verdict)
    expect(house.sellable()).toBe(inForce)
  })

  test('a lower number in answer to our own pull proves a restart', () => {
    const house = opened()
    house.say(netFigure(9, at(100)))
    expect(house.say(netFigure(3, at(60)), { answersOurPull: true })).toBe('in-force')
    expect(house.incidents).toMatchObject([{ code: 'RESTART_SUSPECTED' }])
    expect(house.say(netFigure(8, at(61)))).toBe('disputed')
    expect(house.sellable()).toBe(3)
  })

  test('an operator’s trust lets the restarted source speak again, although its numbers are still low', () => {
    const house = opened()
    house.say(netFigure(3, at(100)))
    expect(house.say(netFigure(9, at(60)), { answersOurPull: true })).toBe('disputed')
    house.decide(trust)
    expect(house.say(netFigure(2, at(61)))).toBe('in-force')
    expect(house.say(netFigure(7, at(62)))).toBe('in-force')
    expect(house.sellable()).toBe(7)
  })

  test('gross is on hand less what is blocked and what is allocated to others', () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
    house.say(grossFigure(50, at(1), { blocked: 3, allocated: 40 }))
    expect(house.sellable()).toBe(7)
  })

  test('a part that a message leaves out keeps its old value only where it moves no sum', () => {
    const house = opened()
    house.say(netFigure(9, at(1), { incoming: 20, backorderAllowed: false }))
    house.say(netFigure(8, at(2)))
    expect(house.stateOf(LAMP).shelves.get(MAIN)?.figure).toMatchObject({ units: 8, incoming: 20, backorderVeto: true })
  })
})

describe('a rise of a source without order', () => {
  const rising = () => {
    const house = opened()
    house.say(netFigure(5, UNORDERED))
    return house
  }

  test('counts once it has stood for a minute', () => {
    const house = rising()
    house.say(netFigure(8, UNORDERED))
    house.pass(RISE_SETTLES_AFTER_MS - 1)
    house.decide(settle)
    expect(house.sellable()).toBe(5)
    house.pass(1)
    house.decide(settle)
    expect(house.sellable()).toBe(8)
  })

  test('is disputed by anything lower, which inherits its age for what both claim', () => {
    const house = rising()
    house.say(netFigure(8, UNORDERED))
    house.pass(RISE_SETTLES_AFTER_MS - 1)
    house.say(netFigure(6, UNORDERED))
    house.pass(1)
    house.decide(settle)
    expect(house.sellable()).toBe(6)
    house.pass(RISE_SETTLES_AFTER_MS)
    house.decide(settle)
    expect(house.sellable()).toBe(6)
  })

  test('is at once in force in answer to our own pull', () => {
    const house = rising()
    expect(house.say(netFigure(8, UNORDERED), { answersOurPull: true })).toBe('in-force')
  })

  test('that goes on and on comes of age all the same', () => {
    const house = rising()
    for (let second = 1; second <= 90; second += 1) {
      house.say(netFigure(5 + second, UNORDERED))
      house.pass(1_000)
      house.decide(settle)
    }
    expect(house.sellable()).toBeGreaterThan(5)
    expect(house.sellable()).toBeLessThanOrEqual(5 + 31)
  })

  test('is due when its oldest claim is', () => {
    const house = rising()
    house.say(netFigure(8, UNORDERED))
    const shelf = house.stateOf(LAMP).shelves.get(MAIN)
    expect(shelf && riseDueAt(shelf)).toBe(house.now() + RISE_SETTLES_AFTER_MS)
  })
})

describe('an unexplained rise', () => {
  /** Ten units, two of them allocated to an order and out of the figure. */
  const allocated = () => {
    const house = opened()
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 2 }]))
    house.say(orderWord('allocated', 'o', 2, at(2)))
    house.say(netFigure(8, at(3)))
    return house
  }

  test('is charged to units that may have been put back, and to no more', () => {
    const house = allocated()
    house.say(netFigure(13, at(4)))
    expect(house.stock()).toMatchObject({ sellableUnits: 11, terms: [{ chargedUnits: 2 }] })
  })

  test.each([
    ['before it', true],
    ['after it', false],
  ])('is none when a receipt was told %s', (_when, isFirst) => {
    const house = allocated()
    const receipt = movementWord('receipt', 5, at(4))
    if (isFirst) house.say(receipt)
    house.say(netFigure(13, at(5)))
    if (!isFirst) house.say(receipt)
    expect(house.stock()).toMatchObject({ sellableUnits: 13, terms: [{ chargedUnits: 0 }] })
  })

  test('is not explained by a receipt that an earlier figure held already', () => {
    const house = allocated()
    house.say(movementWord('receipt', 1, at(4)))
    house.say(netFigure(9, at(5)))
    house.say(netFigure(10, at(7)))
    house.say(movementWord('receipt', 1, at(4)), { messageId: 'again' })
    expect(house.sellable()).toBe(9)
  })

  test('hidden by a fall that was not told yet is found when it is', () => {
    const house = allocated()
    house.decide(orderCommand('p', [{ units: 1 }]))
    // One unit of o was put back and p was allocated: the figure stands still, and neither was told.
    house.say(netFigure(8, at(6)))
    house.say(orderWord('allocated', 'p', 1, at(5)))
    expect(house.sellable()).toBe(7)
    house.say(orderWord('deallocated', 'o', 1, at(4)))
    expect(house.stock()).toMatchObject({ sellableUnits: 7, terms: [{ chargedUnits: 0, peggedUnits: 1 }] })
  })

  test('is never charged to units that were allocated after it', () => {
    const house = allocated()
    house.say(orderWord('shipped', 'o', 2, at(4)))
    house.say(netFigure(20, at(5)))
    house.decide(orderCommand('p', [{ units: 3 }]))
    house.say(orderWord('allocated', 'p', 3, at(6)))
    house.say(netFigure(17, at(7)))
    expect(house.sellable()).toBe(17)
  })

  test('of a source without order words is not charged: its margin is all there is', () => {
    const house = openHouse(rulesWith({ source: { knowsOrdersWithinMs: 60_000 } }))
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 2 }]))
    house.pass(60_001)
    house.say(netFigure(8, at(2)))
    house.say(netFigure(38, at(3)))
    expect(house.sellable()).toBe(38)
  })
})

describe('first figures', () => {
  test('peg what was ordered before anything was known, in the warehouse that has allocated it', () => {
    const house = openHouse(rulesWith({ warehouses: [MAIN, EAST] }))
    house.decide(orderCommand('o', [{ units: 2 }]))
    house.say(orderWord('allocated', 'o', 2, at(1), { warehouse: EAST }))
    expect(house.demands()).toMatchObject([{ supply: { kind: 'untracked' } }])
    house.say({ ...netFigure(5, at(2)), warehouse: EAST })
    expect(house.demands()).toMatchObject([{ supply: { kind: 'on-hand', warehouse: EAST }, contained: true }])
    expect(house.sellable()).toBe(5)
  })
})
