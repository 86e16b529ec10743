import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { at, holdCommand, LAMP, NORD, netFigure, orderCommand, rulesWith, SHADE } from '../../test/core/rules.ts'
import { type Buyer, type Caps, hasCaps, keysOfBuyer } from './cap.ts'
import { isOpen } from './demand.ts'
import { instantOf, type Sku } from './ids.ts'
import { addBuyerUnits } from './stock.ts'

const ADA: Buyer = { customer: 'c-ada', address: 'a-road' }
const BOB: Buyer = { customer: 'c-bob', address: 'a-road' }

/** A house that counts what each buyer has open before each call, as the lane does. */
function houseWith(caps: Partial<Caps>, units = 100) {
  const house = openHouse(rulesWith({ shop: { caps: { bySku: new Map(), ...caps } } }))
  for (const sku of [LAMP, SHADE]) house.say(netFigure(units, at(1), { sku }))
  const attempts = new Map<string, Buyer>()
  let calls = 0
  /** Open units of a key, counted from the demands alone. */
  const openOf = (key: string, sku: Sku = LAMP): number =>
    [...house.stateOf(sku).demands.values()].reduce((sum, demand) => {
      const buyer = attempts.get(demand.reservation ?? '')
      return buyer && isOpen(demand) && keysOfBuyer(buyer).includes(key) ? sum + demand.units : sum
    }, 0)
  const call = (buyer: Buyer, lines: Parameters<typeof holdCommand>[1]) => {
    const reservation = `call-${++calls}`
    for (const [sku, state] of house.states()) {
      state.buyers.clear()
      for (const key of keysOfBuyer(buyer)) addBuyerUnits(state, key, openOf(key, sku))
    }
    const answer = house.decide(holdCommand(reservation, lines, { buyer }))
    if (answer.granted) attempts.set(reservation, buyer)
    return answer
  }
  return { house, call, openOf }
}

describe('a cap', () => {
  test('per customer refuses what one would have beyond it, with what is left of it', () => {
    const { call } = houseWith({ perCustomerUnits: 3 })
    expect(call(ADA, [{ units: 2 }])).toMatchObject({ granted: true })
    expect(call(ADA, [{ units: 2 }])).toMatchObject({
      refusal: { kind: 'CAP_REACHED', caps: [{ sku: LAMP, by: 'customer', capUnits: 3, leftUnits: 1 }] },
    })
    expect(call(ADA, [{ units: 1 }])).toMatchObject({ granted: true })
    expect(call(BOB, [{ units: 3 }])).toMatchObject({ granted: true })
  })

  test('per address holds for everybody who lives there', () => {
    const { call } = houseWith({ perAddressUnits: 4 })
    expect(call(ADA, [{ units: 3 }])).toMatchObject({ granted: true })
    expect(call(BOB, [{ units: 2 }])).toMatchObject({ refusal: { caps: [{ by: 'address', leftUnits: 1 }] } })
    expect(call({ customer: 'c-bob', address: 'a-lane' }, [{ units: 2 }])).toMatchObject({ granted: true })
  })

  test('by share leaves a part of what is there to others, and one unit to everybody', () => {
    const { call } = houseWith({ sharePercent: 25 }, 20)
    expect(call(ADA, [{ units: 6 }])).toMatchObject({ refusal: { caps: [{ by: 'share', capUnits: 5 }] } })
    expect(call(ADA, [{ units: 5 }])).toMatchObject({ granted: true })
    // His own units do not shrink his part: it is a quarter of twenty still.
    expect(call(ADA, [{ units: 1 }])).toMatchObject({ refusal: { caps: [{ capUnits: 5, leftUnits: 0 }] } })
    expect(houseWith({ sharePercent: 10 }, 2).call(ADA, [{ units: 1 }])).toMatchObject({ granted: true })
  })

  test('of a SKU stands in place of the others in units; lines of one SKU count together, other SKUs apart', () => {
    const { call } = houseWith({ perCustomerUnits: 9, bySku: new Map([[LAMP, 2]]) })
    const two = [{ units: 2 }, { units: 1, lineKey: 'second-line' }]
    expect(call(ADA, two)).toMatchObject({ refusal: { caps: [{ sku: LAMP, capUnits: 2 }] } })
    expect(call(ADA, [{ units: 2 }, { units: 9, sku: SHADE }])).toMatchObject({ granted: true })
  })

  test('counts placed units too, until they are shipped or given back', () => {
    const { house, call } = houseWith({ perCustomerUnits: 3 })
    call(ADA, [{ units: 3, lineKey: 'key-of-ada' }])
    house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-of-ada' }]))
    house.pass(60_000)
    expect(call(ADA, [{ units: 1, lineKey: 'other-key' }])).toMatchObject({ refusal: { kind: 'CAP_REACHED' } })
    house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-of-ada' }], { state: 'cancelled' }))
    expect(call(ADA, [{ units: 3, lineKey: 'other-key' }])).toMatchObject({ granted: true })
  })

  test('H36: where only the attempt before stands in the way, the buyer is asked to wait, not refused', () => {
    const { house, call } = houseWith({ perCustomerUnits: 3 })
    call(ADA, [{ units: 3, lineKey: 'key-of-ada' }])
    house.pass(10_000)
    expect(call(ADA, [{ units: 3, lineKey: 'key-of-ada' }])).toMatchObject({
      refusal: { kind: 'PREVIOUS_ATTEMPT_OPEN', secondsLeft: 50 },
    })
    expect(call(ADA, [{ units: 4, lineKey: 'key-of-ada' }])).toMatchObject({ refusal: { kind: 'CAP_REACHED' } })
  })

  test('asks nothing of nobody: without a buyer, or without a cap, all that is there may be held', () => {
    const { house } = houseWith({ perCustomerUnits: 1 })
    expect(house.decide(holdCommand('unknown', [{ units: 50 }]))).toMatchObject({ granted: true })
    expect(houseWith({}).call(ADA, [{ units: 100 }])).toMatchObject({ granted: true })
  })

  test('is none where nothing is capped', () => {
    const rules = (caps: Partial<Caps>) => rulesWith({ shop: { caps: { bySku: new Map(), ...caps } } }).shops.get(NORD)
    expect(hasCaps(rulesWith().shops.get(NORD))).toBe(false)
    expect(hasCaps(rules({}))).toBe(false)
    expect(hasCaps(rules({ sharePercent: 100 }))).toBe(true)
    expect(hasCaps(rules({ bySku: new Map([[LAMP, 1]]) }))).toBe(true)
  })
})

const stepArb = fc.record({
  what: fc.constantFrom('call', 'call', 'call', 'order', 'cancel', 'expire'),
  customer: fc.constantFrom('c-1', 'c-2', 'c-3'),
  address: fc.constantFrom('a-1', 'a-2'),
  cart: fc.nat(4),
  units: fc.integer({ min: 1, max: 4 }),
})

test('whatever buyers try, none ever has more open than the caps allow, and nobody is refused who would not', () =>
  fc.assert(
    fc.property(fc.array(stepArb, { maxLength: 30 }), (steps) => {
      const { house, call, openOf } = houseWith({ perCustomerUnits: 4, perAddressUnits: 6 })
      for (const { what, customer, address, cart, units } of steps) {
        house.pass(6_000)
        const lines = [{ units, lineKey: `key-of-cart-${cart}` }]
        if (what === 'call') {
          const fits = openOf(customer) + units <= 4 && openOf(address) + units <= 6
          expect(call({ customer, address }, lines).granted).toBe(fits)
        }
        if (what === 'order') house.decide(orderCommand(`o-${cart}`, lines))
        if (what === 'cancel') house.decide(orderCommand(`o-${cart}`, lines, { state: 'cancelled' }))
        if (what === 'expire')
          house.decide({ kind: 'expire', shop: NORD, sku: LAMP, watermark: instantOf(house.now() - 30_000) })
        for (const key of ['c-1', 'c-2', 'c-3']) expect(openOf(key)).toBeLessThanOrEqual(4)
        for (const key of ['a-1', 'a-2']) expect(openOf(key)).toBeLessThanOrEqual(6)
      }
    }),
  ))
