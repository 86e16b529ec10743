import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { line, openAhead, orders, served, TODAY, told } from '../../test/core/ahead.ts'
import { expectSound, type House } from '../../test/core/house.ts'
import { at, EAST, LAMP, MAIN, netFigure, orderCommand, receiptWord } from '../../test/core/rules.ts'
import { addDays } from './day.ts'
import { coverOf, remaindersOf } from './inbound.ts'
import { inboundKey } from './stock.ts'

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, nth) => `o${nth + 1}`)
const ordered = (house: House, count: number): readonly string[] => {
  for (const name of names(count)) {
    orders(house, name, 1)
    house.pass(1_000)
  }
  return names(count)
}
const all = (house: House, of: readonly string[]): readonly string[] => of.flatMap((name) => served(house, name))
const count = (texts: readonly string[], text: string): number => texts.filter((each) => each === text).length
const incidents = (house: House, code: string): readonly string[] =>
  house.incidents.filter((each) => each.code === code && each.opens).flatMap(({ orderNumber }) => orderNumber ?? [])
const whys = (house: House, why: string): number => house.changesOf().filter((change) => change.why === why).length

describe('when supply moves', () => {
  test('a purchase order moves six days: who has another line keeps his date, the others are told theirs', () => {
    const house = openAhead({ terms: { windowDays: 14 } })
    house.say(line('1', 4, '2026-12-05', 2))
    const [first, second, ...rest] = ordered(house, 4)
    house.say(line('2', 2, '2026-12-05', 3))
    house.say(line('1', 4, '2026-12-11', 4))
    expect([served(house, first ?? ''), served(house, second ?? '')]).toEqual([
      ['1 line 2 2026-12-05'],
      ['1 line 2 2026-12-05'],
    ])
    expect(rest.flatMap((name) => told(house, name))).toEqual([
      ['2026-12-05', '2026-12-11'],
      ['2026-12-05', '2026-12-11'],
    ])
    expect(whys(house, 're-promised')).toBe(2)
    // Earlier again: what was told stays.
    house.say(line('1', 4, '2026-12-03', 5))
    expect(told(house, rest[0] ?? '')).toEqual([['2026-12-05', '2026-12-11']])
  })

  test('a purchase order is cancelled with 40 promises, of which 25 fit another, in the order of promise', () => {
    const house = openAhead({ terms: { windowDays: 14 } })
    house.say(line('1', 40, '2026-12-05', 2))
    const made = ordered(house, 40)
    house.say(line('2', 25, '2026-12-08', 3))
    house.say(line('1', 40, '2026-12-05', 4, { cancelled: true }))
    expect(all(house, made.slice(0, 25)).every((text) => text === '1 line 2 2026-12-08')).toBe(true)
    expect(all(house, made.slice(25)).every((text) => text === '1 shortage 2026-12-05 at risk')).toBe(true)
    expect(incidents(house, 'SHORTAGE')).toEqual(made.slice(25))
  })

  test('30 received for 40 promised: the oldest thirty have their goods, the others are told', () => {
    const house = openAhead()
    house.say(line('1', 40, '2026-12-05', 2))
    const made = ordered(house, 40)
    house.say(receiptWord(30, at(3)))
    house.say(netFigure(30, at(4)))
    expect(count(all(house, made), '1 on-hand 2026-12-05')).toBe(30)
    house.say(line('1', 30, '2026-12-05', 5, { received: 30 }))
    house.say(netFigure(30, at(6)))
    expect(all(house, made.slice(0, 30)).every((text) => text === '1 on-hand 2026-12-05')).toBe(true)
    expect(incidents(house, 'SHORTAGE')).toEqual(made.slice(30))
    // Goods after all: they serve who lacks them, and nothing is for sale before.
    house.say(netFigure(45, at(7)))
    expect(count(all(house, made), '1 on-hand 2026-12-05 at risk')).toBe(10)
    expect(house.sellable()).toBe(5)
  })

  test('the day becomes unknown: nothing new is sold, the promises are at risk, and a new day settles it', () => {
    const house = openAhead()
    house.say(line('1', 5, '2026-12-05', 2))
    orders(house, 'o', 2)
    house.say(line('1', 5, undefined, 3))
    expect(served(house, 'o')).toEqual(['2 line 1 2026-12-05 at risk'])
    expect(incidents(house, 'PROMISE_AT_RISK')).toEqual(['o'])
    expect(house.sellable()).toBe(0)
    house.say(line('1', 5, '2026-12-07', 4))
    expect(served(house, 'o')).toEqual(['2 line 1 2026-12-07'])
    expect(told(house, 'o')).toEqual([['2026-12-05', '2026-12-07']])
    expect(house.incidents.at(-1)).toMatchObject({ code: 'PROMISE_AT_RISK', opens: false })
  })

  test('the rule goes from seven days to three with live promises: they are kept, and nothing new is sold', () => {
    const before = openAhead()
    before.say(line('1', 5, '2026-12-06', 2))
    orders(before, 'o', 2)
    const kept = openAhead({ terms: { windowDays: 3 } })
    Object.assign(kept.stateOf(LAMP), before.stateOf(LAMP))
    kept.say(line('1', 5, '2026-12-06', 3))
    expect(served(kept, 'o')).toEqual(['2 line 1 2026-12-06'])
    expect(kept.sellable()).toBe(0)
  })

  test('more than was promised comes, and early: nobody’s date changes, the rest is for sale', () => {
    const house = openAhead()
    house.say(line('1', 5, '2026-12-05', 2))
    orders(house, 'o', 5)
    house.say(receiptWord(8, at(3)))
    house.say(netFigure(8, at(4)))
    expect(served(house, 'o')).toEqual(['5 on-hand 2026-12-05'])
    expect(house.sellable()).toBe(3)
  })
})

describe('goods that come', () => {
  test('serve shortages first, then those who wait, the earliest day first, in the same decision', () => {
    const house = openAhead({ terms: { windowDays: 14 } })
    house.decide(orderCommand('admin', [{ units: 2 }]))
    house.say(line('far', 2, '2026-12-10', 2))
    house.decide(orderCommand('second', [{ units: 1 }]))
    house.say(line('near', 2, '2026-12-04', 3))
    orders(house, 'near', 1)
    house.say(netFigure(3, at(4)))
    expect(served(house, 'near')).toEqual(['1 on-hand 2026-12-04'])
    expect(house.sellable()).toBeLessThanOrEqual(2)
    expectSound(house)
  })

  test('a line that moves to a warehouse that may not serve the shop keeps no promise', () => {
    const house = openAhead()
    house.say(line('1', 5, '2026-12-05', 2))
    orders(house, 'o', 2)
    house.say(line('1', 5, '2026-12-05', 3, { warehouse: EAST }))
    expect(served(house, 'o')).toEqual(['2 shortage 2026-12-05 at risk'])
  })
})

test('L4: whatever the lines do, no unit is lost, no line carries more than it covers, and a first promise never changes', () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('order' as const),
      units: fc.integer({ min: 1, max: 3 }),
      nth: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ what: fc.constant('cancel' as const), units: fc.constant(1), nth: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ what: fc.constant('figure' as const), units: fc.integer({ min: 0, max: 6 }), nth: fc.constant(0) }),
    fc.record({
      what: fc.constant('line' as const),
      units: fc.integer({ min: 0, max: 6 }),
      nth: fc.integer({ min: 0, max: 12 }),
    }),
    fc.record({ what: fc.constant('day' as const), units: fc.constant(1), nth: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (story) => {
      const house = openAhead({ terms: { windowDays: 10 } })
      const firsts = new Map<number, string>()
      story.forEach(({ what, units, nth }, index) => {
        const sequence = index + 10
        if (what === 'order') orders(house, `o${nth}-${index}`, units)
        if (what === 'figure') house.say(netFigure(units, at(sequence)))
        if (what === 'cancel') {
          const found = house.demands()[nth]?.orderLine?.orderId
          if (found) house.decide(orderCommand(found, [], { state: 'cancelled' }))
        }
        if (what === 'line') {
          const eta = nth === 12 ? undefined : addDays(TODAY, nth)
          house.say(line(`${nth % 3}`, units, eta, sequence, { cancelled: nth === 11 }))
        }
        if (what === 'day') house.pass(86_400_000)
        expectSound(house)
        for (const remainder of remaindersOf(house.stateOf(LAMP), house.rules, MAIN, house.now())) {
          expect(remainder.peggedUnits, inboundKey(remainder.line)).toBeLessThanOrEqual(coverOf(remainder))
        }
        for (const { no, promise } of house.demands()) {
          const first = firsts.get(no)
          if (first !== undefined) expect(promise?.first).toBe(first)
          if (promise) firsts.set(no, promise.first)
        }
      })
    }),
    { numRuns: 300 },
  )
})
