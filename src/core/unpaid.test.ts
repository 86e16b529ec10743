import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { holdCommand, netFigure, orderCommand, rulesWith } from '../../test/core/rules.ts'
import { goodsLeft, isUnpaid, PAYMENT_FAILED_AFTER_MS, type PaymentFailed, paymentFailed } from './unpaid.ts'

const GRACE_MS = 60_000

function houseWith(policy: PaymentFailed, units = 10) {
  const house = openHouse(rulesWith({ shop: { paymentFailed: policy, paymentFailedAfterMs: GRACE_MS } }))
  house.say(netFigure(units, { epoch: 0, sequence: 1 }))
  return house
}

test.each([
  [[], false],
  [['open'], false],
  [['failed'], true],
  [['cancelled', 'failed'], true],
  [['cancelled', 'open'], false],
  [['failed', 'paid'], false],
  [['refunded'], false],
  [['reminded'], false],
  [['unconfirmed'], false],
  [['a_state_of_the_merchant'], false],
])('payments %j have failed: %s', (states, failed) => {
  expect(paymentFailed(states)).toBe(failed)
})

test.each([
  [['open'], false],
  [['shipped_partially'], true],
  [['open', 'shipped'], true],
  [['returned'], true],
  [['cancelled'], false],
])('goods of deliveries %j have left: %s', (states, left) => {
  expect(goodsLeft(states)).toBe(left)
})

describe('an order with a failed payment', () => {
  const about = { orderId: 'o', orderNumber: 'o', lines: [] }

  test('waits for its buyer only while it is under way and nothing of it has left', () => {
    expect(isUnpaid({ ...about, state: 'open', paymentFailed: true })).toBe(true)
    expect(isUnpaid({ ...about, state: 'in-progress', paymentFailed: true })).toBe(true)
    expect(isUnpaid({ ...about, state: 'completed', paymentFailed: true })).toBe(false)
    expect(isUnpaid({ ...about, state: 'cancelled', paymentFailed: true })).toBe(false)
    expect(isUnpaid({ ...about, state: 'open', paymentFailed: true, goodsLeft: true })).toBe(false)
    expect(isUnpaid({ ...about, state: 'open' })).toBe(false)
  })

  test.each(['cancel', 'keep'] as const)('keeps its units by the policy %s until it is cancelled', (policy) => {
    const house = houseWith(policy)
    const unpaidSince = house.now()
    house.pass(GRACE_MS * 100)
    house.decide(orderCommand('o', [{ units: 3 }], { payments: ['failed'], unpaidSince }))
    expect(house.sellable()).toBe(7)
    house.decide(orderCommand('o', [{ units: 3 }], { payments: ['failed'], unpaidSince, state: 'cancelled' }))
    expect(house.sellable()).toBe(10)
  })

  test('H12: gives its units back by the policy soft, and a late payment is a new demand, a shortage if they are gone', () => {
    const house = houseWith('soft', 3)
    house.decide(holdCommand('call', [{ units: 3, lineKey: 'stamp-of-it' }]))
    const lines = [{ units: 3, lineKey: 'stamp-of-it' }]
    const unpaidSince = house.now()
    house.decide(orderCommand('o', lines, { payments: ['failed'], unpaidSince }))
    expect(house.sellable()).toBe(0)
    house.pass(GRACE_MS)
    house.decide(orderCommand('o', lines, { payments: ['failed'], unpaidSince }))
    expect(house.sellable()).toBe(3)
    expect(house.decide(holdCommand('other', [{ units: 2 }]))).toMatchObject({ granted: true })
    // Nobody was asked for the late payment, and it says nothing of a shop that sells without us.
    expect(house.decide(orderCommand('o', lines, { payments: ['failed', 'paid'] }))).toEqual({
      fromHoldsUnits: 0,
      unheldUnits: 3,
      againUnits: 3,
      shortageUnits: 2,
    })
    expect(house.incidents.at(-1)).toMatchObject({ code: 'SHORTAGE', units: 2, cause: expect.stringContaining('paid') })
  })

  test('what the warehouse has allocated is asked back, and counted until it answers', () => {
    const house = houseWith('soft')
    const unpaidSince = house.now()
    house.decide(orderCommand('o', [{ units: 3 }], { payments: ['failed'], unpaidSince }))
    house.say({
      kind: 'order-line',
      says: 'allocated',
      order: 'o',
      units: 3,
      sku: netFigure(1, { epoch: 0 }).sku,
      warehouse: netFigure(1, { epoch: 0 }).warehouse,
      stamp: { epoch: 0, sequence: 2 },
    })
    house.pass(GRACE_MS)
    house.decide(orderCommand('o', [{ units: 3 }], { payments: ['failed'], unpaidSince }))
    expect(house.sellable()).toBe(7)
    expect(house.demands()).toMatchObject([{ units: 3, cancelRequested: true }])
  })

  test('without a policy of its own a shop cancels after half an hour', () => {
    expect(PAYMENT_FAILED_AFTER_MS).toBe(30 * 60_000)
    const house = openHouse(rulesWith())
    house.say(netFigure(10, { epoch: 0, sequence: 1 }))
    const unpaidSince = house.now()
    house.pass(PAYMENT_FAILED_AFTER_MS)
    house.decide(orderCommand('o', [{ units: 3 }], { payments: ['failed'], unpaidSince }))
    expect(house.sellable()).toBe(7)
  })
})

const readArb = fc.record({
  state: fc.constantFrom('open', 'in-progress', 'completed', 'cancelled', 'deleted'),
  payment: fc.constantFrom('open', 'paid', 'failed', 'cancelled'),
  units: fc.integer({ min: 1, max: 5 }),
  passMs: fc.constantFrom(0, 1, GRACE_MS - 1, GRACE_MS),
  told: fc.integer({ min: 1, max: 3 }),
})

test('whatever an order goes through, and however often it is told, it has just the units that its last state wants', () =>
  fc.assert(
    fc.property(
      fc.constantFrom<PaymentFailed>('cancel', 'soft', 'keep'),
      fc.array(readArb, { maxLength: 12 }),
      (policy, reads) => {
        const house = houseWith(policy)
        let since = house.now()
        let wasUnpaid = false
        for (const { state, payment, units, passMs, told } of reads) {
          house.pass(passMs)
          const unpaid =
            (state === 'open' || state === 'in-progress') && (payment === 'failed' || payment === 'cancelled')
          if (unpaid && !wasUnpaid) since = house.now()
          wasUnpaid = unpaid
          for (let time = 0; time < told; time += 1) {
            const more = { state: state as 'open', payments: [payment], ...(unpaid ? { unpaidSince: since } : {}) }
            house.decide(orderCommand('o', [{ units }], more))
          }
          const givenUp = policy === 'soft' && unpaid && house.now() - since >= GRACE_MS
          const wanted = state === 'cancelled' || state === 'deleted' || givenUp ? 0 : units
          expect(house.sellable()).toBe(10 - wanted)
        }
      },
    ),
  ))
