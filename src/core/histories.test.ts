/**
 * The histories that break a careless design, each played in the core by its number. What a history needs beyond the core (loops,
 * a shop, inbound goods) is told in `test/histories.md`, with the test that plays it.
 */
import { describe, expect, test } from 'vitest'
import { type House, openHouse } from '../../test/core/house.ts'
import {
  at,
  EAST,
  grossFigure,
  holdCommand,
  LAMP,
  MAIN,
  movementWord,
  NORD,
  netFigure,
  openOrdersWord,
  orderCommand,
  orderWord,
  type RuleOptions,
  rulesWith,
  SUED,
  UNORDERED,
} from '../../test/core/rules.ts'
import { RISE_SETTLES_AFTER_MS } from './figure.ts'
import { rule } from './foreign-write.ts'
import { after, instantOf } from './ids.ts'
import { bandOf, correction, DECREMENT_WITHIN_MS, mayStillLower } from './publication.ts'

const IN_FLIGHT_MS = 60_000

/** A house whose warehouse has said what it has. */
function opened(units: number, options: RuleOptions = {}): House {
  const house = openHouse(rulesWith(options))
  const isGross = options.source?.semantics === 'gross'
  house.say(isGross ? grossFigure(units, at(1)) : netFigure(units, at(1)))
  house.pass(1)
  return house
}

/** One order call of a cart, as the gateway makes it: a new attempt each time. */
let calls = 0
const call = (house: House, units: number, lineKey = `key-${calls + 1}`, shop = NORD) => {
  calls += 1
  return house.decide(holdCommand(`call-${calls}`, [{ units, lineKey }], { shop }))
}
const order = (house: House, id: string, units: number, lineKey?: string) =>
  house.decide(orderCommand(id, [{ units, ...(lineKey === undefined ? {} : { lineKey }) }]))
const isYes = (answer: { readonly granted: boolean }): boolean => answer.granted
const expire = (house: House, watermark: number) =>
  house.decide({ kind: 'expire', shop: NORD, sku: LAMP, watermark: instantOf(watermark) })
const supplies = (house: House, id: string) =>
  house.demands().flatMap(({ orderLine, supply }) => (orderLine?.orderId === id ? [supply.kind] : []))

describe('shortages and figures', () => {
  test('H1: goods that come serve the order that nobody could refuse before any new buyer', () => {
    const house = opened(0)
    order(house, 'admin', 3)
    house.say(netFigure(5, at(2)))
    expect(supplies(house, 'admin')).toEqual(['on-hand'])
    const buyers = Array.from({ length: 5 }, () => isYes(call(house, 1)))
    expect(buyers.filter(Boolean)).toHaveLength(2)
  })

  test('H2: units allocated to the phone and to B2B are not for sale', () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
    house.say(grossFigure(50, at(1), { allocated: 45 }))
    expect(house.sellable()).toBe(5)
  })

  test('H3: an acknowledgement is no allocation: the unit stays subtracted from a figure that is still full', () => {
    const house = opened(1)
    order(house, 'o', 1)
    house.say(orderWord('acknowledged', 'o', 1, at(10)))
    house.say(netFigure(1, at(11)))
    expect(house.sellable()).toBe(0)
    house.say(orderWord('allocated', 'o', 1, at(12)))
    house.say(netFigure(0, at(13)))
    expect(house.stock()).toMatchObject({ sellableUnits: 0, availableUnits: 0 })
  })

  test('H4: without order words an order stops being subtracted by the declared margin, and it is marked so', () => {
    const house = opened(10, { source: { knowsOrdersWithinMs: 30_000 } })
    order(house, 'o', 2)
    house.say(netFigure(8, at(2)))
    expect(house.sellable()).toBe(6)
    house.pass(30_001)
    house.say(netFigure(8, at(3)))
    expect(house.sellable()).toBe(8)
    expect(house.demands()).toMatchObject([{ contained: true, proof: 'margin' }])
    // Goods that come later are not charged to it for ever.
    house.say(netFigure(38, at(4)))
    expect(house.sellable()).toBe(38)
  })

  test('H5: 42, 41, 42: the return counts once it has stood, and an old message that comes late does not', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(42, UNORDERED))
    const old = house.now()
    house.pass(1_000)
    house.say(netFigure(41, UNORDERED))
    house.pass(1_000)
    expect(house.say(netFigure(42, UNORDERED))).toBe('waiting')
    expect(house.sellable()).toBe(41)
    house.pass(RISE_SETTLES_AFTER_MS)
    house.decide({ kind: 'settle', sku: LAMP })
    expect(house.sellable()).toBe(42)
    house.say(netFigure(40, UNORDERED))
    expect(house.say(netFigure(42, UNORDERED), { receivedAt: old })).toBe('late')
  })

  test('H6: of two messages that swapped places the older is ignored, and the next one counts', () => {
    const house = opened(10)
    house.say(netFigure(7, at(3)))
    expect(house.say(netFigure(9, at(2)))).toBe('late')
    house.say(netFigure(8, at(4)))
    expect(house.sellable()).toBe(8)
  })

  test('H6: after a restore from backup the lowest figure counts, until a new epoch', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(100)))
    house.say(netFigure(3, at(60)), { answersOurPull: true })
    expect(house.sellable()).toBe(3)
    house.say(netFigure(9, at(61)))
    expect(house.sellable()).toBe(3)
    house.say(netFigure(4, at(1, 1)))
    expect(house.sellable()).toBe(4)
  })

  test('H18: a figure is one statement: allocated units of another message do not change it', () => {
    const house = openHouse(rulesWith({ source: { semantics: 'gross' } }))
    house.say(grossFigure(10, at(6), { allocated: 4 }))
    house.say(grossFigure(10, at(9)))
    expect(house.stateOf(LAMP).shelves.get(MAIN)?.figure).toEqual(
      expect.not.objectContaining({ allocated: expect.anything() }),
    )
    expect(house.sellable()).toBe(10)
  })

  test('H20: the first figure is no rise: nothing is charged to orders that the warehouse knew before', () => {
    const house = openHouse(rulesWith())
    house.decide(orderCommand('o', [{ units: 2 }], { baseline: { warehouseKnows: true } }))
    house.say(netFigure(30, at(1)))
    expect(house.stock()).toMatchObject({ sellableUnits: 30, terms: [{ chargedUnits: 0 }] })
  })

  test('H25: no figure, no word: such a SKU is not published, and its orders are no shortage until it has one', () => {
    const house = openHouse(rulesWith())
    expect(isYes(call(house, 2))).toBe(true)
    order(house, 'o', 3)
    expect(house.incidents).toEqual([])
    expect(
      bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: 5, returnedUnits: 0 }),
    ).toBeUndefined()
    house.say(netFigure(10, at(1)))
    expect(house.sellable()).toBe(5)
  })

  test('H26: connected with open orders: those that the warehouse knows are out of its net figure, the others are subtracted', () => {
    const house = openHouse(rulesWith())
    house.decide(orderCommand('known', [{ units: 2 }], { baseline: { warehouseKnows: true } }))
    house.decide(orderCommand('new', [{ units: 3 }], { baseline: { warehouseKnows: false } }))
    house.say(netFigure(10, at(1)))
    expect(house.sellable()).toBe(7)
    house.say(orderWord('shipped', 'known', 2, at(2)))
    house.say(netFigure(10, at(3)))
    expect(house.sellable()).toBe(7)
    expect(house.demands().map(({ orderLine }) => orderLine?.orderId)).toEqual(['new'])
  })
})

describe('holds, attempts and orders', () => {
  test('H7: ten own holds that the shop has subtracted already raise nothing', () => {
    const house = opened(10)
    for (let nth = 0; nth < 10; nth += 1) call(house, 1)
    const band = bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: 10, returnedUnits: 0 })
    expect(band).toEqual({ leastUnits: 0, mostUnits: 10 })
    for (const shown of [0, 4, 10]) expect(band && correction(shown, band, 'none')).toBeUndefined()
  })

  test('H10: a key that became an order never holds its units again', () => {
    const house = opened(10)
    call(house, 2, 'k')
    order(house, 'first', 2, 'k')
    house.pass(6_000)
    call(house, 1, 'other')
    expect(order(house, 'second', 1, 'k')).toMatchObject({ fromHoldsUnits: 0, unheldUnits: 1 })
    expect(order(house, 'first', 2, 'k')).toEqual({ fromHoldsUnits: 0, unheldUnits: 0, shortageUnits: 0 })
    expect(house.sellable()).toBe(6)
  })

  test('H11: what a second tab or a thrown-out line does not show stays held until the watermark has passed the call', () => {
    const house = opened(3)
    call(house, 3, 'k')
    const calledAt = house.now()
    house.pass(6_000)
    // The other tab asks for one: it is an attempt of its own, and the first keeps its three.
    expect(call(house, 1, 'k')).toMatchObject({ refusal: { kind: 'PREVIOUS_ATTEMPT_OPEN' } })
    expire(house, calledAt)
    expect(order(house, 'o', 3, 'k')).toMatchObject({ fromHoldsUnits: 3, shortageUnits: 0 })
  })

  test('H12: a cancelled order that is paid late is a new demand, and a shortage if its units are gone', () => {
    const house = opened(1)
    order(house, 'old', 1)
    house.decide(orderCommand('old', [{ units: 1 }], { state: 'cancelled' }))
    expect(isYes(call(house, 1))).toBe(true)
    expect(order(house, 'old', 1)).toMatchObject({ unheldUnits: 1, shortageUnits: 1 })
    expect(house.incidents.at(-1)).toMatchObject({ code: 'SHORTAGE', opens: true })
  })

  test('H13: a line that somebody changed, an order that somebody deleted: the state that is read counts', () => {
    const house = opened(10)
    order(house, 'o', 3)
    order(house, 'o', 8)
    expect(house.sellable()).toBe(2)
    house.decide(orderCommand('o', []))
    expect(house.sellable()).toBe(10)
    order(house, 'o', 8)
    house.decide(orderCommand('o', [], { state: 'deleted' }))
    expect(house.sellable()).toBe(10)
  })

  test('H22: five holds, a stock-take says two: the youngest lose, and all five orders are recorded', () => {
    const house = opened(5)
    for (let nth = 1; nth <= 5; nth += 1) {
      call(house, 1, `k${nth}`)
      house.pass(10)
    }
    house.say(netFigure(2, at(2)))
    for (let nth = 1; nth <= 5; nth += 1) order(house, `o${nth}`, 1, `k${nth}`)
    expect([1, 2, 3, 4, 5].map((nth) => supplies(house, `o${nth}`))).toEqual([
      ['on-hand'],
      ['on-hand'],
      ['shortage'],
      ['shortage'],
      ['shortage'],
    ])
  })

  test('H23: a till that never comes back gives its units back at its own moment', () => {
    const house = opened(5)
    const until = after(house.now(), 1_000)
    house.decide(holdCommand('till', [{ units: 2 }], { via: 'api', until }))
    house.pass(999)
    house.decide({ kind: 'expire', shop: NORD, sku: LAMP })
    expect(house.sellable()).toBe(3)
    house.pass(1)
    house.decide({ kind: 'expire', shop: NORD, sku: LAMP })
    expect(house.sellable()).toBe(5)
  })

  test('H24: a watermark that is set by decree frees what a shop that is gone still held', () => {
    const house = opened(5)
    call(house, 2)
    house.pass(30 * 24 * 3_600_000)
    expect(house.sellable()).toBe(3)
    expire(house, house.now())
    expect(house.sellable()).toBe(5)
  })

  test('H28: an order that commits long after our yes finds its hold, for the watermark is behind by what may be in flight', () => {
    const house = opened(1)
    call(house, 1, 'k')
    house.pass(15_000)
    // A complete read that began now has not seen the order, and says so: its watermark is the start less the flight.
    expire(house, house.now() - IN_FLIGHT_MS)
    expect(isYes(call(house, 1, 'other'))).toBe(false)
    expect(order(house, 'o', 1, 'k')).toMatchObject({ fromHoldsUnits: 1 })
  })

  test('H30: of two submits of one cart the second is refused; an attempt after the window is held in addition', () => {
    const house = opened(20)
    expect(isYes(call(house, 2, 'k'))).toBe(true)
    expect(call(house, 2, 'k')).toMatchObject({ refusal: { kind: 'ORDER_BEING_PLACED', secondsLeft: 5 } })
    house.pass(60)
    expect(isYes(call(house, 2, 'k'))).toBe(false)
    house.pass(5_000)
    expect(isYes(call(house, 2, 'k'))).toBe(true)
    expect(house.sellable()).toBe(16)
    expect(order(house, 'first', 2, 'k')).toMatchObject({ fromHoldsUnits: 2 })
    expect(order(house, 'second', 2, 'k')).toMatchObject({ fromHoldsUnits: 2 })
    expect(house.sellable()).toBe(16)
  })

  test('H31: cancelled twice, reopened once: what counts is the state, not the transitions', () => {
    const house = opened(92)
    order(house, 'o', 2)
    for (let nth = 0; nth < 3; nth += 1) house.decide(orderCommand('o', [{ units: 2 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(92)
    order(house, 'o', 2)
    order(house, 'o', 2)
    expect(house.sellable()).toBe(90)
  })

  test('H32: a new cart token after registering changes nothing: the line’s stamp finds its hold', () => {
    const house = opened(5)
    house.decide(holdCommand('call-of-the-anonymous-cart', [{ units: 2, lineKey: 'stamp' }]))
    expect(order(house, 'of-the-registered-customer', 2, 'stamp')).toMatchObject({ fromHoldsUnits: 2 })
    expect(house.sellable()).toBe(3)
  })

  test('H33: a quantity that the shop lowered by itself releases nothing', () => {
    const house = opened(4)
    call(house, 2, 'k')
    house.pass(6_000)
    expect(isYes(call(house, 1, 'k'))).toBe(true)
    expect(house.sellable()).toBe(1)
    expect(order(house, 'o', 1, 'k')).toMatchObject({ fromHoldsUnits: 1 })
    // The order took the attempt that holds just what it says; the other one may still become one, until the watermark.
    expect(house.sellable()).toBe(1)
    expire(house, house.now() + 1)
    expect(house.sellable()).toBe(3)
  })

  test('H36: units that only his own attempt holds are not “sold out”', () => {
    const house = opened(2)
    call(house, 2, 'k')
    house.pass(6_000)
    expect(call(house, 2, 'k')).toMatchObject({ refusal: { kind: 'PREVIOUS_ATTEMPT_OPEN', secondsLeft: 54 } })
    expect(call(house, 2, 'stranger')).toMatchObject({ refusal: { kind: 'NOT_ENOUGH' } })
  })

  test('H37: what a shop last showed before a silence counts as sold for everyone else until it is read', () => {
    const house = opened(10, { shops: [NORD, SUED] })
    house.stateOf(LAMP).unread.set(NORD, { units: 10, isOverdue: false })
    expect(isYes(call(house, 1, 'k', SUED))).toBe(false)
    house.stateOf(LAMP).unread.delete(NORD)
    order(house, 'by-itself', 8)
    expect(house.sellable(SUED)).toBe(2)
  })

  test('H39: the quota is part of the one number that shops are shown', () => {
    const house = opened(13, { shop: { quotaUnits: 6 } })
    for (let nth = 0; nth < 6; nth += 1) {
      expect(isYes(call(house, 1, `k${nth}`))).toBe(true)
      order(house, `o${nth}`, 1, `k${nth}`)
      expect(bandOf(house.stateOf(LAMP), house.rules, NORD, house.now())?.leastUnits).toBe(5 - nth)
    }
    expect(isYes(call(house, 1))).toBe(false)
  })

  test('H40: an order that was just read may still lower the shop’s own number: nothing is written for it', () => {
    const house = opened(5)
    order(house, 'o', 1)
    const placedAt = house.now()
    const own = (now = house.now()) => (mayStillLower(placedAt, now) ? 1 : 0)
    const bandNow = () =>
      bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: own(), returnedUnits: 0 })
    expect(bandNow()).toEqual({ leastUnits: 4, mostUnits: 5 })
    house.pass(DECREMENT_WITHIN_MS)
    expect(bandNow()).toEqual({ leastUnits: 4, mostUnits: 4 })
  })

  test('H41: a cancelled order that was read before the shop added its units is not added by us as well', () => {
    const house = opened(5)
    order(house, 'o', 2)
    house.decide(orderCommand('o', [{ units: 2 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(5)
    const band = (returnedUnits: number) => {
      const found = bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: 0, returnedUnits })
      if (!found) throw new Error('a SKU with a figure has a band')
      return found
    }
    // The shop shows three and adds two in a moment: whoever writes five now makes it seven.
    expect(correction(3, band(2), 'none')).toBeUndefined()
    expect(correction(5, band(2), 'none')).toBeUndefined()
    expect(correction(7, band(2), 'none')).toBe(5)
    expect(correction(3, band(0), 'none')).toBe(5)
  })

  test('H42: a number that a reopened order lowered is not raised before that order is read', () => {
    const house = opened(5)
    order(house, 'o', 2)
    house.decide(orderCommand('o', [{ units: 2 }], { state: 'cancelled' }))
    const band = bandOf(house.stateOf(LAMP), house.rules, NORD, house.now())
    if (!band) throw new Error('a SKU with a figure has a band')
    const now = house.now()
    const asked = { policy: 'restore', now, orderInFlightMs: 60_000, band, seen: { units: 3 } } as const
    const fell = rule(undefined, { ...asked, watermark: instantOf(now - 60_000), before: { units: 5, seenAt: now } })
    expect([fell.may, correction(3, band, 'fight')]).toEqual(['lower', undefined])
    // It is read: what the shop shows was right all the time.
    house.decide(orderCommand('o', [{ units: 2 }]))
    expect(bandOf(house.stateOf(LAMP), house.rules, NORD, house.now())).toEqual({ leastUnits: 3, mostUnits: 3 })
  })
})

describe('words of the warehouse', () => {
  const EAST_TOO: RuleOptions = { warehouses: [MAIN, EAST] }
  const eastern = (units: number, sequence: number) => ({ ...netFigure(units, at(sequence)), warehouse: EAST })

  test('H14: pegged to one warehouse, shipped from another: the peg moves there', () => {
    const house = opened(5, EAST_TOO)
    house.say(eastern(5, 2))
    order(house, 'o', 2)
    house.say(orderWord('shipped', 'o', 2, at(3), { warehouse: EAST }))
    expect(house.stock().terms.map(({ termUnits }) => termUnits)).toEqual([5, 3])
    house.say(eastern(3, 4))
    expect(house.sellable()).toBe(8)
    expect(house.demands()).toEqual([])
  })

  test('H15: ten orders pegged to a warehouse whose units move to another are mended in the sum and not offered anew', () => {
    const house = opened(10, EAST_TOO)
    house.say(eastern(0, 2))
    order(house, 'o', 10)
    house.pass(1)
    house.say(movementWord('transfer-out', -10, at(3)))
    house.say(netFigure(0, at(4)))
    house.say(movementWord('transfer-in', 10, at(5), { warehouse: EAST }))
    house.say(eastern(10, 6))
    expect(house.stock()).toMatchObject({ availableUnits: 0, sellableUnits: 0, shortageUnits: 0 })
    expect(house.incidents).toEqual([])
  })

  test('H16: an order of five of which two ship is two parts, each counted once', () => {
    const house = opened(10)
    order(house, 'o', 5)
    house.say(orderWord('shipped', 'o', 2, at(2)))
    expect(house.sellable()).toBe(5)
    house.say(netFigure(8, at(3)))
    expect(house.sellable()).toBe(5)
    expect(house.demands()).toMatchObject([{ units: 3, phase: 'placed' }])
  })

  test('H17: a wave that is undone raises the figure by our own units: they are not new goods', () => {
    const house = opened(10)
    order(house, 'o', 4)
    house.say(orderWord('allocated', 'o', 4, at(2)))
    house.say(netFigure(6, at(3)))
    house.say(netFigure(10, at(5)))
    expect(house.sellable()).toBe(6)
    house.say(orderWord('deallocated', 'o', 4, at(4)))
    expect(house.stock()).toMatchObject({ sellableUnits: 6, terms: [{ chargedUnits: 0, peggedUnits: 4 }] })
  })

  test('H19: a restored warehouse in a new epoch may never have heard of an order: nothing is proved', () => {
    const house = opened(10)
    order(house, 'o', 2)
    house.say(orderWord('allocated', 'o', 2, at(2)))
    house.say(netFigure(8, at(3)))
    house.say(netFigure(10, at(3, 1)))
    expect(house.sellable()).toBe(8)
    house.say(orderWord('shipped', 'o', 2, at(4, 1)))
    house.say(netFigure(8, at(5, 1)))
    expect(house.sellable()).toBe(8)
  })

  test('H21: a cancellation ends at once without an allocation, and else waits for the warehouse', () => {
    const house = opened(10)
    order(house, 'loose', 2)
    house.say(orderWord('acknowledged', 'loose', 2, at(2)))
    house.decide(orderCommand('loose', [{ units: 2 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(10)
    order(house, 'bound', 2)
    house.say(orderWord('allocated', 'bound', 2, at(3)))
    house.decide(orderCommand('bound', [{ units: 2 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(8)
    expect(house.incidents).toMatchObject([{ code: 'CANCEL_AFTER_ALLOCATION', units: 2 }])
    house.say(orderWord('cancelled', 'bound', 2, at(4)))
    house.say(netFigure(10, at(5)))
    expect(house.sellable()).toBe(10)
  })

  test('H27: a lost shipment is found by the next list of open orders', () => {
    const house = opened(10, { source: { semantics: 'gross' } })
    order(house, 'o', 2)
    house.say(orderWord('acknowledged', 'o', 2, at(2)))
    house.say(grossFigure(8, at(4)))
    expect(house.sellable()).toBe(6)
    house.snapshot(grossFigure(8, at(5)), openOrdersWord([], at(5)))
    expect(house.stock()).toMatchObject({ sellableUnits: 8, openUnits: 0 })
    house.decide(orderCommand('o', [{ units: 2 }], { state: 'completed' }))
    expect(house.demands()).toEqual([])
  })

  test('H35: the last unit leaves before its allocation is told: nobody is told of a shortage', () => {
    const house = opened(1)
    order(house, 'o', 1)
    house.pass(1)
    house.say(netFigure(0, at(3)))
    expect(house.stock()).toMatchObject({ availableUnits: -1, sellableUnits: 0, shortageUnits: 0 })
    expect(house.incidents).toEqual([])
    house.say(orderWord('allocated', 'o', 1, at(2)))
    expect(house.stock()).toMatchObject({ availableUnits: 0, shortageUnits: 0 })
  })

  test('H35: and what even that cannot explain is a shortage', () => {
    const house = opened(2)
    order(house, 'o', 1)
    call(house, 1)
    house.pass(1)
    house.say(netFigure(0, at(2)))
    expect(house.incidents).toMatchObject([{ code: 'HOLD_LOST', units: 1 }])
  })

  test('H38: allocated at 10, taken back at 12 but told late, figure 13: the unit is not subtracted by nobody', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(5)))
    order(house, 'o', 1)
    house.say(orderWord('allocated', 'o', 1, at(10)))
    house.say(netFigure(9, at(11)))
    expect(house.sellable()).toBe(9)
    house.say(netFigure(10, at(13)))
    expect(house.sellable()).toBe(9)
    house.say(orderWord('deallocated', 'o', 1, at(12)))
    expect(house.stock()).toMatchObject({ sellableUnits: 9, terms: [{ chargedUnits: 0, peggedUnits: 1 }] })
  })

  test('H38: and without a figure in between', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(10, at(5)))
    order(house, 'o', 1)
    house.say(orderWord('allocated', 'o', 1, at(10)))
    house.say(netFigure(10, at(13)))
    expect(house.sellable()).toBe(9)
  })
})
