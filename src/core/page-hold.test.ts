import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { at, holdCommand, LAMP, NORD, netFigure, orderCommand, rulesWith, SHADE } from '../../test/core/rules.ts'
import { attemptsNamed } from './hold.ts'
import { instantOf } from './ids.ts'

const PAGE_MS = 600_000
const page = { pageForMs: PAGE_MS } as const

function opened(units = 10) {
  const house = openHouse(rulesWith())
  for (const sku of [LAMP, SHADE]) house.say(netFigure(units, at(1), { sku }))
  const view = (units: number, lineKey = 'key-one') => house.decide(holdCommand('page-a', [{ units, lineKey }], page))
  const call = (name: string, units: number, lineKey = 'key-one') =>
    house.decide(holdCommand(name, [{ units, lineKey }], { takesOver: 'page-a' }))
  const expire = (watermark: number) =>
    house.decide({ kind: 'expire', shop: NORD, sku: LAMP, watermark: instantOf(watermark) })
  return { house, view, call, expire }
}

describe('a hold of the confirm page', () => {
  test('is one, however often the page is seen, and follows what its cart shows', () => {
    const { house, view } = opened()
    for (const units of [3, 3, 5, 2]) {
      expect(view(units)).toMatchObject({ granted: true })
      expect(house.sellable()).toBe(10 - units)
    }
  })

  test('is taken over by the order call: nothing is held twice, and the last unit is his', () => {
    const { house, view, call } = opened(3)
    view(3)
    house.pass(1_000)
    expect(call('call-1', 3)).toMatchObject({ granted: true, lines: [{ grantedUnits: 3 }] })
    expect(house.sellable()).toBe(0)
    expect(house.demands()).toMatchObject([{ reservation: 'call-1', units: 3 }])
    expect(house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-one' }]))).toMatchObject({ fromHoldsUnits: 3 })
  })

  test('what the order call asks less is given back, what it asks more must be there', () => {
    const { house, view, call } = opened(5)
    view(4)
    expect(call('call-1', 2)).toMatchObject({ granted: true })
    expect(house.sellable()).toBe(3)
    const other = opened(5)
    other.view(4)
    expect(other.call('call-1', 6)).toMatchObject({ refusal: { kind: 'NOT_ENOUGH', lines: [{ sellableUnits: 5 }] } })
    expect(other.house.sellable()).toBe(1)
  })

  test('H30: a second submit is a double click still, although the page held for minutes before', () => {
    const { house, view, call } = opened()
    view(3)
    house.pass(60_000)
    expect(call('call-1', 3)).toMatchObject({ granted: true })
    house.pass(60)
    expect(call('call-2', 3)).toMatchObject({ refusal: { kind: 'ORDER_BEING_PLACED' } })
  })

  test('a page that is shown while its cart is being ordered, or after it was, holds nothing', () => {
    const { house, view, call } = opened()
    call('call-1', 3)
    expect(view(3)).toMatchObject({ granted: true, lines: [] })
    expect(house.sellable()).toBe(7)
    house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-one' }]))
    expect(view(3)).toMatchObject({ granted: true, lines: [] })
    house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-one' }], { state: 'cancelled' }))
    expect(view(3)).toMatchObject({ granted: true, lines: [] })
    expect(house.sellable()).toBe(10)
    // The next basket of the same browser has the same name and other lines.
    view(4, 'key-two')
    expect(house.sellable()).toBe(6)
  })

  test('ends so long after its first view, reloaded or not, once the watermark has passed; never by a timer alone', () => {
    const { house, view, expire } = opened()
    const since = house.now()
    view(3)
    house.pass(PAGE_MS - 1)
    view(3)
    expire(since + PAGE_MS)
    expect(house.sellable()).toBe(7)
    house.pass(PAGE_MS)
    expect(house.sellable()).toBe(7)
    expire(since + PAGE_MS + 1)
    expect(house.sellable()).toBe(10)
  })

  test('becomes the order of its cart where the shop did not ask us at all', () => {
    const { house, view } = opened()
    view(3)
    expect(house.decide(orderCommand('o', [{ units: 3, lineKey: 'key-one' }]))).toMatchObject({ fromHoldsUnits: 3 })
  })

  test('and the attempts that a command names are all that it may find', () => {
    expect(attemptsNamed(holdCommand('r', []))).toEqual([])
    expect(attemptsNamed(holdCommand('r', [], page))).toEqual(['r'])
    expect(attemptsNamed(holdCommand('r', [], { takesOver: 'p' }))).toEqual(['p'])
    expect(attemptsNamed(holdCommand('r', [], { via: 'api' }))).toEqual(['r'])
  })
})

const stepArb = fc.record({
  what: fc.constantFrom('view', 'view', 'call', 'order', 'read-to', 'wait'),
  basket: fc.nat(2),
  units: fc.integer({ min: 1, max: 4 }),
})

test('however buyers look and order, no more is ever held and placed than there is, and each basket has one page hold at most', () =>
  fc.assert(
    fc.property(fc.array(stepArb, { maxLength: 40 }), (steps) => {
      const { house, expire } = opened(7)
      const rounds = [0, 0, 0]
      let calls = 0
      for (const { what, basket, units } of steps) {
        const lineKey = `key-${basket}-${rounds[basket]}`
        const lines = [{ units, lineKey }]
        if (what === 'view') house.decide(holdCommand(`page-${basket}`, lines, page))
        if (what === 'call') house.decide(holdCommand(`call-${++calls}`, lines, { takesOver: `page-${basket}` }))
        const held = house.demands().filter((each) => each.phase === 'held' && each.lineKey === lineKey)
        if (what === 'order' && held.length > 0) {
          const all = held.reduce((sum, each) => sum + each.units, 0)
          house.decide(orderCommand(`o-${basket}-${rounds[basket]}`, [{ units: Math.min(units, all), lineKey }]))
          rounds[basket] = (rounds[basket] ?? 0) + 1
        }
        if (what === 'read-to') expire(house.now() - 30_000)
        house.pass(what === 'wait' ? PAGE_MS : 3_000)
        const open = house.demands().reduce((sum, each) => sum + each.units, 0)
        expect(open).toBeLessThanOrEqual(7)
        expect(house.sellable()).toBe(7 - open)
        expect(house.demands().every(({ supply }) => supply.kind === 'on-hand')).toBe(true)
      }
    }),
  ))
