import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buys, line, openAhead, orders, served, TODAY } from '../../test/core/ahead.ts'
import { openHouse } from '../../test/core/house.ts'
import { at, EAST, inboundWord, LAMP, MAIN, NORD, netFigure, rulesWith, SUED } from '../../test/core/rules.ts'
import { addDays } from './day.ts'
import { dayOf } from './ids.ts'

const refusals = (house: ReturnType<typeof openAhead>) =>
  house.stock().lines.map(({ refusal, units }) => refusal ?? units)

describe('what an inbound line offers', () => {
  test('nothing, unless a rule takes it: without rules nothing is sold ahead', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(0, at(1)))
    house.say(inboundWord(10, at(2), { eta: dayOf('1970-01-13') }))
    expect(house.sellable()).toBe(0)
    expect(buys(house, 1)).toBe(false)
  })

  test.each([
    ['is confirmed, has a day, in the window', {}, '2026-12-05', 10],
    ['nobody confirmed', { confirmed: false }, '2026-12-05', 'unconfirmed'],
    ['whose day is unknown', {}, undefined, 'no-day'],
    ['is cancelled', { cancelled: true }, '2026-12-05', 'cancelled'],
    ['has come', { received: 10 }, '2026-12-05', 'nothing-left'],
    ['is overdue', {}, '2026-11-30', 'overdue'],
    ['comes today', {}, '2026-12-01', 10],
    ['comes on the last day of the window', {}, '2026-12-08', 10],
    ['comes a day after the window', {}, '2026-12-09', 'outside-window'],
  ] as const)('of a line that %s', (_, more, eta, expected) => {
    const house = openAhead()
    house.say(line('1', 10, eta, 2, more))
    expect(refusals(house)).toEqual([expected])
  })

  test('a line is refused by a veto, for a warehouse that the rule leaves out, and beyond its cap', () => {
    const vetoed = openAhead()
    vetoed.say(netFigure(0, at(2), { backorderAllowed: false }))
    vetoed.say(line('1', 10, '2026-12-05', 3))
    expect(refusals(vetoed)).toEqual(['vetoed'])
    const elsewhere = openAhead({ warehouses: [MAIN, EAST], terms: { warehouses: [EAST] } })
    elsewhere.say(line('1', 10, '2026-12-05', 3))
    expect(refusals(elsewhere)).toEqual(['warehouse-not-allowed'])
    const capped = openAhead({ terms: { capUnits: 4 } })
    capped.say(line('1', 10, '2026-12-05', 3))
    expect(capped.sellable()).toBe(4)
    expect([buys(capped, 3), buys(capped, 2), buys(capped, 1), buys(capped, 1)]).toEqual([true, false, true, false])
  })

  test('overdue within its grace a line is expected today', () => {
    const house = openAhead({ terms: { graceDays: 2 } })
    house.say(line('1', 10, '2026-11-29', 2))
    expect(house.stock().lines).toMatchObject([{ arrival: TODAY, units: 10 }])
    house.say(line('1', 10, '2026-11-28', 3))
    expect(refusals(house)).toEqual(['overdue'])
  })

  test('the margin counts: a line that is late by it falls out of the window', () => {
    const house = openAhead({ terms: { marginDays: 3 } })
    house.say(line('1', 10, '2026-12-05', 2))
    house.say(line('2', 10, '2026-12-06', 3))
    expect(house.stock().lines).toMatchObject([{ arrival: '2026-12-08' }, { refusal: 'outside-window' }])
  })

  test('the day is the shop’s: an hour before its midnight and after, and in the night in which clocks change', () => {
    for (const [now, expected] of [
      ['2026-12-01T23:59:00+01:00', 'outside-window'],
      ['2026-12-02T00:00:00+01:00', 10],
    ] as const) {
      const house = openAhead({ now })
      house.say(line('1', 10, '2026-12-09', 2))
      expect(refusals(house)).toEqual([expected])
    }
    // 25 October 2026 has 25 hours in Berlin.
    for (const [now, expected] of [
      ['2026-10-25T23:30:00+01:00', 'outside-window'],
      ['2026-10-26T00:30:00+01:00', 10],
    ] as const) {
      const house = openAhead({ now })
      house.say(line('1', 10, '2026-11-02', 2))
      expect(refusals(house)).toEqual([expected])
    }
  })

  test('the most exact rule speaks: SKU in a shop, SKU, shop, default', () => {
    const more = [
      { shop: SUED, backOrders: { enabled: false } },
      { skus: [LAMP], backOrders: { windowDays: 3 } },
      { shop: SUED, skus: [LAMP], backOrders: { enabled: true, windowDays: 5 } },
    ]
    const house = openAhead({ shops: [NORD, SUED], more })
    house.say(line('1', 10, '2026-12-05', 2))
    expect(house.sellable(NORD)).toBe(0)
    expect(house.sellable(SUED)).toBe(10)
  })
})

describe('L4: pegging', () => {
  test('on hand by the order of warehouses, then the earliest line, else refused with the number', () => {
    const house = openAhead({ warehouses: [MAIN, EAST], onHand: 1 })
    house.say(line('late', 5, '2026-12-06', 2))
    house.say(line('early', 2, '2026-12-03', 3, { warehouse: EAST }))
    orders(house, 'o', 6)
    expect(served(house, 'o')).toEqual(['1 on-hand', '1 on-hand', '2 line early 2026-12-03', '2 line late 2026-12-06'])
    expect(house.sellable()).toBe(3)
    expect(buys(house, 4)).toBe(false)
  })

  test('two buyers for the last inbound unit: one gets it', () => {
    const house = openAhead()
    house.say(line('1', 1, '2026-12-05', 2))
    expect([buys(house, 1), buys(house, 1)]).toEqual([true, false])
  })

  test('a shortage and a shelf below its safety are owed first, and from the earliest goods', () => {
    const house = openAhead({ warehouse: { safetyUnits: 3 }, onHand: 1 })
    house.say(line('early', 2, '2026-12-03', 2))
    house.say(line('late', 5, '2026-12-06', 3))
    expect(house.stock()).toMatchObject({ availableUnits: -2, backOrderableUnits: 5, sellableUnits: 5 })
    orders(house, 'o', 1)
    expect(served(house, 'o')).toEqual(['1 line late 2026-12-06'])
  })

  test('an ETA that becomes unknown while a customer stands at checkout: he hears at once that it is not available', () => {
    const house = openAhead()
    house.say(line('1', 5, '2026-12-05', 2))
    expect(house.sellable()).toBe(5)
    house.say(line('1', 5, undefined, 3))
    expect(buys(house, 1)).toBe(false)
  })

  test('the flat message’s incoming units beside a real line: only the line is sold against', () => {
    const house = openAhead()
    house.say(netFigure(0, at(2), { incoming: 20, backorderAllowed: true }))
    expect(house.sellable()).toBe(0)
    house.say(line('1', 4, '2026-12-05', 3))
    expect(house.sellable()).toBe(4)
  })
})

/** By counting all ways: the earliest day on which a demand can be served so that every promise told before is kept. */
function bruteForce(
  supplies: readonly { day: number; units: number }[],
  wanted: readonly { units: number; by: number }[],
) {
  const told: number[][] = []
  for (const { units, by } of wanted) {
    const days = supplies.map(({ day }) => day).filter((day) => day <= by)
    // One unit after the other, each on the earliest day for which all units told so far find a supply of their own.
    const mine: number[] = []
    for (let nth = 0; nth < units; nth += 1) {
      const day = [...days].sort((a, b) => a - b).find((each) => fits(supplies, [...told.flat(), ...mine, each]))
      if (day === undefined) break
      mine.push(day)
    }
    told.push(mine.length === units ? mine : [])
  }
  return told
}

/** Whether units with these last days can be assigned to the supplies at all: every assignment is tried. */
function fits(supplies: readonly { day: number; units: number }[], days: readonly number[]): boolean {
  const left = supplies.map(({ units }) => units)
  const assign = (nth: number): boolean => {
    const by = days[nth]
    if (by === undefined) return true
    return supplies.some(({ day }, place) => {
      if (day > by || (left[place] ?? 0) === 0) return false
      left[place] = (left[place] ?? 0) - 1
      const found = assign(nth + 1)
      left[place] = (left[place] ?? 0) + 1
      return found
    })
  }
  return assign(0)
}

test('L4: decisions and days are those of trying every assignment', () => {
  const supplies = fc.array(fc.record({ day: fc.integer({ min: 0, max: 9 }), units: fc.integer({ min: 1, max: 2 }) }), {
    maxLength: 5,
  })
  const demands = fc.array(fc.record({ units: fc.integer({ min: 1, max: 2 }), isFar: fc.boolean() }), { maxLength: 6 })
  fc.assert(
    fc.property(supplies, demands, fc.integer({ min: 0, max: 2 }), (lines, wanted, onHand) => {
      // Two shops over one pool, one of which may promise further ahead.
      const more = [{ shop: SUED, backOrders: { windowDays: 9 } }]
      const house = openAhead({ shops: [NORD, SUED], terms: { windowDays: 4 }, more, onHand })
      lines.forEach(({ day, units }, nth) => {
        house.say(line(`${nth}`, units, addDays(TODAY, day), 2 + nth))
      })
      const expected = bruteForce(
        [{ day: -1, units: onHand }, ...lines],
        wanted.map(({ units, isFar }) => ({ units, by: isFar ? 9 : 4 })),
      )
      wanted.forEach(({ units, isFar }, nth) => {
        orders(house, `${nth}`, units, isFar ? SUED : NORD)
        const days = house.demands().flatMap(({ orderLine, units: part, supply, promise }) => {
          if (orderLine?.orderId !== `${nth}` || supply.kind === 'shortage') return []
          return Array.from({ length: part }, () => promise?.day ?? addDays(TODAY, -1))
        })
        const told = (expected[nth] ?? []).map((day) => addDays(TODAY, day))
        if (told.length === units) expect(days.toSorted()).toEqual(told.toSorted())
        // An order is a fact: what was refused is recorded all the same, so the story ends where one would have been.
        else wanted.length = nth
      })
    }),
    { numRuns: 300 },
  )
})
