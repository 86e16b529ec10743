import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectSound, openHouse } from '../../test/core/house.ts'
import { at, LAMP, MAIN, netFigure, orderCommand, rulesWith } from '../../test/core/rules.ts'
import type { OpenOrder, Word } from './word.ts'

type Row = Pick<OpenOrder, 'order' | 'units' | 'allocated'> & { readonly shipped: number }

/** A list that tells what has left, as a pull brings it. */
const whole = (rows: readonly Row[], sequence: number): Word => ({
  kind: 'open-orders',
  warehouse: MAIN,
  skus: [LAMP],
  orders: rows.map((row) => ({ sku: LAMP, ...row })),
  tellsShipped: true,
  stamp: at(sequence),
})

function openShop() {
  const house = openHouse(rulesWith())
  let sequence = 0
  /** Pulls: so many net units, and these orders. */
  const pull = (net: number, rows: readonly Row[]): void => {
    sequence += 1
    house.snapshot(netFigure(net, at(sequence)), whole(rows, sequence))
  }
  return { house, pull }
}

describe('a list that tells what has left', () => {
  test('ends an order that was allocated and shipped between two pulls', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    expect(house.sellable()).toBe(7)
    pull(7, [{ order: 'A', units: 0, allocated: 0, shipped: 3 }])
    expect(house.sellable()).toBe(7)
    expect(house.demands()).toEqual([])
  })

  test('told again changes nothing, and ships no unit twice', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    for (let round = 0; round < 3; round += 1) pull(9, [{ order: 'A', units: 2, allocated: 0, shipped: 1 }])
    expect(house.sellable()).toBe(7)
    expect(house.demands()).toMatchObject([{ units: 2, phase: 'acknowledged', contained: false }])
    expectSound(house)
  })

  test('takes no order that the warehouse has not heard of for one that left', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    pull(10, [])
    pull(10, [])
    expect(house.sellable()).toBe(7)
    expect(house.demands()).toMatchObject([{ units: 3, phase: 'placed' }])
  })

  test('what the warehouse gave up is owed to its customer still, and subtracted', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    pull(7, [{ order: 'A', units: 3, allocated: 3, shipped: 0 }])
    expect(house.sellable()).toBe(7)
    pull(10, [{ order: 'A', units: 0, allocated: 0, shipped: 0 }])
    expect(house.sellable()).toBe(7)
    expect(house.demands()).toMatchObject([{ units: 3, phase: 'placed', contained: false }])
  })

  test('an order that vanished with a restored backup has not left', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    pull(7, [{ order: 'A', units: 3, allocated: 3, shipped: 0 }])
    pull(10, [])
    expect(house.sellable()).toBe(7)
  })

  test('what the shop asked back and the warehouse gave up is free again', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    pull(7, [{ order: 'A', units: 3, allocated: 3, shipped: 0 }])
    house.decide(orderCommand('A', [{ units: 3 }], { state: 'cancelled' }))
    expect(house.sellable()).toBe(7)
    pull(10, [{ order: 'A', units: 0, allocated: 0, shipped: 0 }])
    expect(house.sellable()).toBe(10)
    expect(house.demands()).toEqual([])
  })

  test('a release of an allocation makes its unit sellable by nobody else', () => {
    const { house, pull } = openShop()
    pull(10, [])
    house.decide(orderCommand('A', [{ units: 3 }]))
    pull(7, [{ order: 'A', units: 3, allocated: 3, shipped: 0 }])
    pull(10, [{ order: 'A', units: 3, allocated: 0, shipped: 0 }])
    expect(house.sellable()).toBe(7)
    pull(7, [{ order: 'A', units: 3, allocated: 3, shipped: 0 }])
    expect(house.sellable()).toBe(7)
  })

  test('whatever the warehouse does between two pulls, what is sellable is its free units less what it does not have yet', () => {
    // Goods come, and between two pulls any order moves on as the warehouse likes, in parts, back and forth, only what has left stays away.
    const act = fc.record({ order: fc.nat(3), isOpen: fc.boolean(), allocated: fc.nat(4), shipped: fc.nat(4) })
    const round = fc.record({ acts: fc.array(act, { minLength: 1, maxLength: 6 }), came: fc.nat(5) })
    const steps = fc.array(round, { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(steps, (rounds) => {
        const { house, pull } = openShop()
        const orders = ['A', 'B', 'C', 'D'].map((order, nth) => ({
          order,
          wanted: nth + 1,
          isOpen: false,
          allocated: 0,
          shipped: 0,
        }))
        pull(20, [])
        for (const { order, wanted } of orders) house.decide(orderCommand(order, [{ units: wanted }]))
        let onHand = 20
        for (const { acts, came } of rounds) {
          onHand += came
          for (const { order, isOpen, allocated, shipped } of acts) {
            const found = orders[order]
            if (!found) continue
            found.shipped = Math.max(found.shipped, Math.min(found.wanted, shipped))
            found.isOpen = isOpen
            found.allocated = isOpen ? Math.min(found.wanted - found.shipped, allocated) : 0
          }
          const taken = orders.reduce((sum, each) => sum + each.allocated + each.shipped, 0)
          const rows = orders
            .filter(({ isOpen, shipped }) => isOpen || shipped > 0)
            .map(({ order, wanted, isOpen, allocated, shipped }) => ({
              order,
              units: isOpen ? wanted - shipped : 0,
              allocated,
              shipped,
            }))
          pull(onHand - taken, rows)
          expect(house.sellable()).toBe(onHand - 10)
        }
        expectSound(house)
      }),
    )
  })
})
