import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type House, openHouse } from '../../test/core/house.ts'
import {
  at,
  holdCommand,
  LAMP,
  NORD,
  netFigure,
  orderCommand,
  orderWord,
  rulesWith,
  SHADE,
  SUED,
  UNORDERED,
} from '../../test/core/rules.ts'
import { isLive } from './demand.ts'
import type { OrderState } from './shop-order.ts'

const opened = (units = 10) => {
  const house = openHouse(rulesWith({ shops: [NORD, SUED] }))
  house.say(netFigure(units, at(1)))
  house.say({ ...netFigure(units, at(1)), sku: SHADE })
  return house
}

type Seen = {
  readonly state: OrderState
  readonly lines: readonly { readonly lineId: string; readonly units: number; readonly sku: typeof LAMP }[]
}

const seen: fc.Arbitrary<Seen> = fc.record({
  state: fc.constantFrom<OrderState>('open', 'in-progress', 'completed', 'cancelled', 'deleted'),
  lines: fc.uniqueArray(
    fc.record({
      lineId: fc.constantFrom('l1', 'l2', 'l3'),
      units: fc.integer({ min: 1, max: 5 }),
      sku: fc.constantFrom(LAMP, SHADE),
    }),
    { selector: ({ lineId }) => lineId, maxLength: 3 },
  ),
})

const look = (house: House, { state, lines }: Seen) =>
  house.decide(
    orderCommand(
      'o',
      lines.map((line) => ({ ...line, lineKey: `key-${line.lineId}` })),
      { state },
    ),
  )

/** What an order came to: units by SKU and line, by SKU and supply, and what is left for others. */
function outcome(house: House) {
  const units = new Map<string, number>()
  const add = (name: string, part: number): void => void units.set(name, (units.get(name) ?? 0) + part)
  for (const sku of [LAMP, SHADE]) {
    for (const { orderLine, supply, units: part } of house.demands(sku)) {
      add(`${sku} of line ${orderLine?.lineId}`, part)
      add(`${sku} from ${supply.kind}`, part)
    }
  }
  return {
    units: Object.fromEntries([...units].sort()),
    left: [LAMP, SHADE].map((sku) => house.stock(NORD, sku).availableUnits),
  }
}

describe('L5 Orders are facts', () => {
  test('L5 Orders are facts: any sequence of observed states comes to what the last one alone comes to', () => {
    fc.assert(
      fc.property(
        fc.array(seen, { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 12 }),
        (states, isHeld, units) => {
          const begin = () => {
            const house = opened(units)
            if (isHeld) house.decide(holdCommand('call', [{ units: Math.min(2, units), lineKey: 'key-l1' }]))
            return house
          }
          const end = (house: House) => {
            const watermark = house.pass(1)
            for (const sku of [LAMP, SHADE]) house.decide({ kind: 'expire', shop: NORD, sku, watermark })
            return outcome(house)
          }
          const [all, lastAlone] = [begin(), begin()]
          for (const state of states) {
            all.pass(1)
            look(all, state)
          }
          const last = states.at(-1)
          if (last) look(lastAlone, last)
          expect(end(all)).toEqual(end(lastAlone))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('L5 Orders are facts: an order is never refused; what nothing covers is a shortage that names its cause', () => {
    const house = opened(1)
    expect(house.decide(orderCommand('o', [{ units: 3 }]))).toEqual({
      fromHoldsUnits: 0,
      unheldUnits: 3,
      shortageUnits: 2,
    })
    expect(house.incidents).toEqual([
      expect.objectContaining({
        code: 'SHORTAGE',
        opens: true,
        units: 2,
        cause: expect.stringContaining('passed the checkout by'),
      }),
    ])
    house.decide(orderCommand('o', [], { state: 'cancelled' }))
    expect(house.incidents.at(-1)).toMatchObject({ code: 'SHORTAGE', opens: false })
    expect(house.sellable()).toBe(1)
  })

  test('an order takes the oldest attempt with its keys, and gives back what it did not order', () => {
    const house = opened()
    house.decide(
      holdCommand('first', [
        { units: 3, lineKey: 'k' },
        { units: 2, sku: SHADE, lineKey: 's' },
      ]),
    )
    house.pass(6_000)
    house.decide(holdCommand('second', [{ units: 3, lineKey: 'k' }]))
    expect(house.decide(orderCommand('o', [{ units: 2, lineKey: 'k' }]))).toEqual({
      fromHoldsUnits: 2,
      unheldUnits: 0,
      shortageUnits: 0,
    })
    expect(house.demands().map(({ reservation, phase, units }) => [reservation, phase, units])).toEqual([
      ['second', 'held', 3],
      ['first', 'placed', 2],
    ])
    expect(house.sellable(NORD, SHADE)).toBe(10)
  })

  test('an order that was cancelled before it was read takes one attempt, however often it is read', () => {
    const house = opened()
    for (const name of ['first', 'second']) {
      house.decide(holdCommand(name, [{ units: 1, lineKey: 'k' }]))
      house.pass(6_000)
    }
    const cancelled = orderCommand('o', [{ units: 1, lineKey: 'k' }], { state: 'cancelled' })
    house.decide(cancelled)
    house.decide(cancelled)
    expect(house.demands()).toMatchObject([{ reservation: 'second', phase: 'held' }])
    expect(house.decide(orderCommand('o2', [{ units: 1, lineKey: 'k' }]))).toMatchObject({ fromHoldsUnits: 1 })
  })

  test('two lines of one SKU each take their own hold', () => {
    const house = opened()
    house.decide(
      holdCommand('call', [
        { units: 1, lineKey: 'k1' },
        { units: 2, lineKey: 'k2' },
      ]),
    )
    house.decide(
      orderCommand('o', [
        { units: 2, lineId: 'b', lineKey: 'k2' },
        { units: 1, lineId: 'a', lineKey: 'k1' },
      ]),
    )
    expect(house.demands().map(({ orderLine, lineKey, units }) => [orderLine?.lineId, lineKey, units])).toEqual([
      ['a', 'k1', 1],
      ['b', 'k2', 2],
    ])
  })

  test('a line that becomes another product gives the first one back', () => {
    const house = opened()
    house.decide(orderCommand('o', [{ units: 4, lineId: 'l' }]))
    house.decide(orderCommand('o', [{ units: 4, lineId: 'l', sku: SHADE }]))
    expect([house.sellable(NORD, LAMP), house.sellable(NORD, SHADE)]).toEqual([10, 6])
  })

  test('orders of two shops may share an id', () => {
    const house = opened()
    house.decide(orderCommand('1', [{ units: 2 }]))
    house.decide(orderCommand('1', [{ units: 3 }], { shop: SUED }))
    house.decide(orderCommand('1', [], { state: 'deleted' }))
    expect(house.sellable()).toBe(7)
  })

  test('a hold that lost its units is ordered: the shortage is told', () => {
    const house = opened(4)
    house.decide(holdCommand('call', [{ units: 4, lineKey: 'k' }]))
    house.say(netFigure(1, at(2)))
    house.decide(orderCommand('o', [{ units: 2, lineKey: 'k' }]))
    house.decide(orderCommand('p', [{ units: 2 }]))
    const told = house.incidents.filter(({ code, opens }) => code === 'SHORTAGE' && opens)
    expect(told.at(-1)).toMatchObject({ orderNumber: 'p' })
    expect(house.stock().shortageUnits).toBe(3)
  })
})

describe('cancellations', () => {
  const allocated = () => {
    const house = opened()
    house.decide(orderCommand('o', [{ units: 3 }]))
    house.say(orderWord('allocated', 'o', 2, at(2)))
    house.say(netFigure(8, at(3)))
    return house
  }
  const cancel = (house: House) => house.decide(orderCommand('o', [{ units: 3 }], { state: 'cancelled' }))

  test('what is not allocated is free at once; what is, is asked back and stays counted', () => {
    const house = allocated()
    cancel(house)
    expect(house.demands()).toMatchObject([{ units: 2, cancelRequested: true, contained: true }])
    expect(house.incidents).toContainEqual(expect.objectContaining({ code: 'CANCEL_AFTER_ALLOCATION', units: 2 }))
    expect(house.sellable()).toBe(8)
  })

  test.each(['cancelled', 'deallocated'] as const)(
    'the warehouse’s answer “%s” ends them, and its figure brings them back',
    (says) => {
      const house = allocated()
      cancel(house)
      house.say(orderWord(says, 'o', 2, at(4)))
      expect(house.demands()).toEqual([])
      house.say(netFigure(10, at(5)))
      expect(house.stock()).toMatchObject({ sellableUnits: 10 })
      expect(house.stateOf(LAMP).demands.size).toBeGreaterThan(0)
    },
  )

  test('an order that is opened again before the warehouse answered keeps its units', () => {
    const house = allocated()
    cancel(house)
    expect(house.decide(orderCommand('o', [{ units: 3 }]))).toMatchObject({ unheldUnits: 1 })
    expect(house.demands().filter(({ cancelRequested }) => cancelRequested)).toEqual([])
    expect(house.sellable()).toBe(7)
  })

  test('what has shipped is gone, whatever the shop says', () => {
    const house = allocated()
    house.say(orderWord('shipped', 'o', 2, at(4)))
    cancel(house)
    house.say(netFigure(8, at(5)))
    expect(house.demands()).toEqual([])
    expect(house.sellable()).toBe(8)
    expect(house.decide(orderCommand('o', [{ units: 3 }]))).toMatchObject({ unheldUnits: 1 })
  })

  test('units that the warehouse gives up by itself stay owed until the shop cancels', () => {
    const house = allocated()
    house.say(orderWord('cancelled', 'o', 3, at(4)))
    house.say(netFigure(10, at(5)))
    expect(house.sellable()).toBe(7)
    house.decide(orderCommand('o', [{ units: 3 }]))
    expect(house.sellable()).toBe(7)
    cancel(house)
    expect(house.sellable()).toBe(10)
  })
})

describe('sources without order words', () => {
  const flat = () => {
    const house = openHouse(rulesWith({ source: { knowsOrdersWithinMs: 60_000 } }))
    house.say(netFigure(10, UNORDERED))
    return house
  }

  test('a completed order is done once its figure contains it, whichever came first', () => {
    for (const isCompletedFirst of [true, false]) {
      const house = flat()
      const completed = orderCommand('o', [{ units: 2 }], { state: 'completed' })
      house.decide(orderCommand('o', [{ units: 2 }]))
      if (isCompletedFirst) house.decide(completed)
      house.pass(60_001)
      house.say(netFigure(8, UNORDERED))
      if (!isCompletedFirst) house.decide(completed)
      expect([...house.stateOf(LAMP).demands.values()].filter(isLive)).toEqual([])
      expect(house.stock()).toMatchObject({ sellableUnits: 8, openUnits: 0 })
    }
  })
})
