import { describe, expect, test } from 'vitest'
import { type House, openHouse } from '../../test/core/house.ts'
import {
  at,
  EAST,
  grossFigure,
  MAIN,
  netFigure,
  openOrdersWord,
  orderCommand,
  orderWord,
  rulesWith,
  UNORDERED,
} from '../../test/core/rules.ts'

/** An order of five of ten units, and nothing said about it yet. */
const ofFive = (options: Parameters<typeof rulesWith>[0] = {}, stock = 10): House => {
  const house = openHouse(rulesWith(options))
  house.say(netFigure(stock, at(1)))
  house.decide(orderCommand('o', [{ units: 5 }]))
  house.pass(1)
  return house
}

const parts = (house: House) =>
  house.demands().map(({ units, phase, contained }) => `${units} ${phase}${contained ? ', contained' : ''}`)

describe('words about part of a line', () => {
  test('H16: of five, two are allocated and the same two are shipped', () => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 2, at(2)))
    house.say(orderWord('shipped', 'o', 2, at(3)))
    house.say(netFigure(8, at(4)))
    expect(parts(house)).toEqual(['3 placed'])
    expect(house.sellable()).toBe(5)
  })

  test('a late allocation is that of the units whose shipment implied it', () => {
    const house = ofFive()
    house.say(orderWord('shipped', 'o', 2, at(3)))
    house.say(netFigure(8, at(4)))
    house.say(orderWord('allocated', 'o', 2, at(2)))
    expect(parts(house)).toEqual(['3 placed'])
    expect(house.sellable()).toBe(5)
  })

  // H38: allocated at 2, all taken back at 5 but told last, one allocated again at 7, and shipped at 9.
  test('the units that were allocated last have left, so that a late taking back finds the others', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 2 }]))
    house.pass(1)
    house.say(orderWord('allocated', 'o', 2, at(2)))
    for (const [units, nth] of [
      [8, 3],
      [10, 6],
      [9, 8],
    ] as const)
      house.say(netFigure(units, at(nth)))
    house.say(orderWord('allocated', 'o', 1, at(7)))
    house.say(orderWord('shipped', 'o', 1, at(9)))
    house.say(orderWord('deallocated', 'o', 2, at(5)))
    house.say(netFigure(9, at(10)))
    expect(house.sellable()).toBe(8)
  })

  // H38: allocated at 2, picked at 4, taken back at 5; the words come last, and that about the allocation last of all.
  test('a unit whose pick implied its allocation is subtracted again once its taking back and its allocation are told', () => {
    const house = ofFive()
    for (const [units, nth] of [
      [9, 3],
      [10, 6],
    ] as const)
      house.say(netFigure(units, at(nth)))
    for (const [says, nth] of [
      ['picked', 4],
      ['deallocated', 5],
      ['allocated', 2],
    ] as const)
      house.say(orderWord(says, 'o', 1, at(nth)))
    expect(house.sellable()).toBe(5)
  })

  test('a late allocation of others is theirs', () => {
    const house = ofFive()
    house.say(orderWord('shipped', 'o', 2, at(2)))
    house.say(netFigure(5, at(4)))
    house.say(orderWord('allocated', 'o', 3, at(3)))
    expect(parts(house)).toEqual(['3 allocated, contained'])
    expect(house.sellable()).toBe(5)
  })

  // H18, H38: the words of one unit swap places; the figure after both is without the others alone.
  test('an allocation told after it came up short marks the units that are there, and not the missing one', () => {
    const house = ofFive()
    house.say(netFigure(5, at(4)))
    house.say(orderWord('short', 'o', 1, at(3)))
    house.say(orderWord('allocated', 'o', 5, at(2)))
    expect(parts(house)).toEqual(['4 allocated, contained', '1 acknowledged'])
    expect(house.sellable()).toBe(4)
  })

  test('an acknowledgement tells how many of a line the warehouse has, not how many more', () => {
    const house = ofFive()
    house.say(orderWord('acknowledged', 'o', 2, at(2)))
    house.say(orderWord('acknowledged', 'o', 3, at(3)))
    expect(parts(house).sort()).toEqual(['1 acknowledged', '2 acknowledged', '2 placed'])
  })

  // H19: nothing is proved across epochs, yet what was asked back before a restart is what is given up after it.
  test('a cancellation after a restart is that of the units that were asked back before it', () => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 5, at(2)))
    house.say(netFigure(5, at(3)))
    house.decide(orderCommand('o', [{ units: 3 }]))
    house.say(orderWord('cancelled', 'o', 2, { epoch: 1, sequence: 4 }))
    expect(house.demands()).toMatchObject([{ units: 3, phase: 'allocated' }])
  })

  test('a late pick marks nobody, once part of the line has left', () => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 2, at(2)))
    house.say(orderWord('shipped', 'o', 2, at(5)))
    house.say(netFigure(8, at(6)))
    house.say(orderWord('picked', 'o', 2, at(4)))
    expect(house.sellable()).toBe(5)
  })

  test('a pick implies an allocation that was not told', () => {
    const house = ofFive()
    house.say(orderWord('picked', 'o', 5, at(2)))
    house.say(netFigure(5, at(3)))
    expect(parts(house)).toEqual(['5 picked, contained'])
    expect(house.sellable()).toBe(5)
  })

  test('units allocated, taken back and allocated again are out of figures from the last allocation on', () => {
    const house = ofFive()
    for (const [says, sequence] of [
      ['allocated', 2],
      ['allocated', 6],
      ['deallocated', 4],
    ] as const) {
      house.say(orderWord(says, 'o', 5, at(sequence)))
    }
    house.say(netFigure(10, at(5)))
    expect(house.sellable()).toBe(5)
    house.say(netFigure(5, at(7)))
    expect(house.sellable()).toBe(5)
  })

  test('a shipment from another warehouse moves the peg there (H14)', () => {
    const house = ofFive({ warehouses: [MAIN, EAST] })
    house.say({ ...netFigure(10, at(2)), warehouse: EAST })
    house.say(orderWord('shipped', 'o', 2, at(3), { warehouse: EAST }))
    house.say({ ...netFigure(8, at(4)), warehouse: EAST })
    expect(house.stock().terms.map(({ termUnits }) => termUnits)).toEqual([7, 8])
  })

  test('more units shipped than were open is told, and the next figure decides', () => {
    const house = ofFive()
    house.say(orderWord('shipped', 'o', 6, at(2)))
    expect(house.incidents).toMatchObject([{ code: 'OVER_SHIPMENT', units: 1 }])
  })

  test('a shortage that the warehouse serves all the same is settled', () => {
    const house = ofFive({}, 4)
    house.say(orderWord('allocated', 'o', 5, at(2)))
    expect(house.incidents.map(({ code, opens }) => [code, opens])).toEqual([
      ['SHORTAGE', true],
      ['SHORTAGE', false],
    ])
  })
})

describe('gross sources', () => {
  const gross = () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
    house.say(grossFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 2 }]))
    return house
  }

  test('only the goods issue is a mark, also after the units were taken back once', () => {
    const house = gross()
    for (const [says, sequence] of [
      ['allocated', 2],
      ['deallocated', 3],
      ['shipped', 5],
    ] as const) {
      house.say(orderWord(says, 'o', 2, at(sequence)))
      house.say(grossFigure(10, at(sequence + 1)))
      expect(house.sellable()).toBe(says === 'shipped' ? 10 : 8)
    }
    expect(house.demands()).toEqual([])
  })
})

describe('a new epoch of the warehouse', () => {
  test.each([
    ['allocated', 10],
    ['shipped', 5],
  ] as const)('%s there is a mark there, whatever was told before', (says, first) => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 5, at(2)))
    house.say(netFigure(5, at(3)))
    expect(house.sellable()).toBe(5)
    house.say(netFigure(first, at(1, 1)))
    expect(house.sellable()).toBe(first - 5)
    house.say(orderWord(says, 'o', 5, at(2, 1)))
    house.say(netFigure(5, at(3, 1)))
    expect(house.sellable()).toBe(5)
  })
})

describe('a source that allocates as it acknowledges', () => {
  test('and says both has allocated once', () => {
    const house = ofFive({ source: { allocatesOnAcknowledge: true } })
    house.say(orderWord('acknowledged', 'o', 5, at(2)))
    house.say(netFigure(5, at(3)))
    house.say(orderWord('allocated', 'o', 5, at(4)))
    house.say(netFigure(5, at(5)))
    expect(house.stock()).toMatchObject({ sellableUnits: 5, terms: [{ chargedUnits: 0 }] })
  })
})

describe('lists of open orders', () => {
  const list = (units: number, allocated: number, sequence: number, line?: string) =>
    openOrdersWord([{ order: 'o', units, allocated, ...(line === undefined ? {} : { line }) }], at(sequence))

  test('allocated units of the list are out of the figure beside it, without any stamp', () => {
    const house = ofFive()
    house.say(netFigure(10, UNORDERED))
    house.snapshot(netFigure(7, UNORDERED), openOrdersWord([{ order: 'o', units: 5, allocated: 3 }], UNORDERED))
    expect(house.sellable()).toBe(5)
    // Told by a word before, the list still proves what the word could not.
    const other = ofFive()
    other.say(orderWord('allocated', 'o', 3, UNORDERED))
    other.snapshot(netFigure(7, UNORDERED), openOrdersWord([{ order: 'o', units: 5, allocated: 3 }], UNORDERED))
    expect(other.sellable()).toBe(5)
  })

  test('but not of another figure, unless the stamps prove it', () => {
    const house = ofFive()
    house.say(list(5, 5, 3))
    expect(house.sellable()).toBe(5)
    house.say(netFigure(10, at(2)))
    expect(house.sellable()).toBe(5)
    expect(house.demands()).toMatchObject([{ contained: false }])
    house.say(netFigure(5, at(4)))
    expect(house.demands()).toMatchObject([{ contained: true }])
    expect(house.sellable()).toBe(5)
  })

  test('rows without a line mean the order: two lines of one SKU are not both allocated by one row', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 1 }, { units: 1 }]))
    house.snapshot(netFigure(9, at(2)), list(2, 1, 2))
    expect(house.sellable()).toBe(8)
  })

  test('an order that the warehouse does not know yet has not left it', () => {
    const house = ofFive()
    house.snapshot(netFigure(10, at(2)), openOrdersWord([], at(2)))
    expect(parts(house)).toEqual(['5 placed'])
    expect(house.sellable()).toBe(5)
  })

  test('a list that is older than an edit does not say that the new units have left', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(1)))
    house.decide(orderCommand('o', [{ units: 1 }]))
    house.say(orderWord('acknowledged', 'o', 1, at(2)))
    house.decide(orderCommand('o', [{ units: 2 }]))
    house.snapshot(netFigure(10, at(3)), list(1, 0, 3))
    expect(house.sellable()).toBe(8)
  })

  test('what is merely acknowledged may have gone to another warehouse of the source', () => {
    const house = ofFive({ warehouses: [MAIN, EAST] })
    house.say(orderWord('acknowledged', 'o', 5, at(2)))
    house.snapshot(netFigure(10, at(3)), openOrdersWord([], at(3)))
    expect(house.sellable()).toBe(5)
  })

  test('units on the list that we believed allocated have been taken back', () => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 5, at(2)))
    house.say(netFigure(5, at(3)))
    house.snapshot(netFigure(10, at(5)), list(5, 0, 5))
    expect(house.stock()).toMatchObject({ sellableUnits: 5, terms: [{ chargedUnits: 0 }] })
  })

  test('a shipment that is told after the list has missed it is counted once', () => {
    const house = ofFive()
    house.say(orderWord('acknowledged', 'o', 5, at(2)))
    house.snapshot(netFigure(8, at(4)), list(3, 0, 4))
    house.say(orderWord('shipped', 'o', 2, at(3)))
    house.say(netFigure(8, at(6)))
    expect(house.sellable()).toBe(5)
  })
})

describe('the same act told again under another identity', () => {
  test.each([
    ['allocated', 2],
    ['shipped', 3],
  ] as const)('%s twice is once, by its number', (says, units) => {
    const house = ofFive()
    house.say(orderWord(says, 'o', units, at(2)))
    expect(house.say(orderWord(says, 'o', units, at(2)))).toBe('repeated')
    house.say(netFigure(10 - units, at(3)))
    expect(house.stock()).toMatchObject({ sellableUnits: 5, terms: [{ chargedUnits: 0 }] })
  })

  test('what was taken back twice is taken back once', () => {
    const house = ofFive()
    house.say(orderWord('allocated', 'o', 4, at(2)))
    house.say(orderWord('deallocated', 'o', 2, at(3)))
    expect(house.say(orderWord('deallocated', 'o', 2, at(3)))).toBe('repeated')
    house.say(netFigure(8, at(4)))
    expect(house.sellable()).toBe(5)
  })
})
