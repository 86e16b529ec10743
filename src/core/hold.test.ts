import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { at, holdCommand, LAMP, NORD, netFigure, orderCommand, rulesWith, SHADE } from '../../test/core/rules.ts'
import { after, instantOf } from './ids.ts'

const WINDOW_MS = 5_000

const opened = (units = 10) => {
  const house = openHouse(rulesWith())
  house.say(netFigure(units, at(1)))
  return house
}

const expire = (watermark: number | undefined) =>
  ({
    kind: 'expire',
    shop: NORD,
    sku: LAMP,
    ...(watermark === undefined ? {} : { watermark: instantOf(watermark) }),
  }) as const

type Step = {
  readonly what: 'call' | 'hold-until' | 'order' | 'read-to' | 'tick'
  readonly pick: number
  readonly ms: number
}

const steps = fc.array(
  fc.record<Step>({
    what: fc.constantFrom('call', 'call', 'hold-until', 'order', 'read-to', 'tick'),
    pick: fc.nat(50),
    ms: fc.integer({ min: 1, max: 40_000 }),
  }),
  { maxLength: 60, size: 'max' },
)

describe('L2 Read before you free', () => {
  test('L2 Read before you free: no hold ends before the watermark has passed its call or its moment has come, and each ends once', () => {
    fc.assert(
      fc.property(steps, (life) => {
        const house = opened(1_000)
        /** What must hold units still: attempts by the time of their call, API holds by the moment that we answered. */
        const open: { readonly name: string; readonly endsAt: number; readonly by: 'watermark' | 'moment' }[] = []
        let watermark = -1
        let made = 0
        const mustBeHeld = (): number =>
          open.filter(({ by, endsAt }) => (by === 'watermark' ? endsAt >= watermark : endsAt > house.now())).length
        for (const { what, pick, ms } of life) {
          house.pass(ms)
          const name = `attempt-${made}`
          const [target] = open.slice(pick % Math.max(1, open.length))
          if (what === 'call') {
            made += 1
            house.decide(holdCommand(name, [{ units: 1, lineKey: name }]))
            open.push({ name, endsAt: house.now(), by: 'watermark' })
          } else if (what === 'hold-until') {
            made += 1
            const until = after(house.now(), ms)
            house.decide(holdCommand(name, [{ units: 1 }], { via: 'api', until }))
            open.push({ name, endsAt: until, by: 'moment' })
          } else if (what === 'order' && target) {
            house.decide(orderCommand(`order-of-${target.name}`, [{ units: 1 }], { reservation: target.name }))
          } else if (what === 'read-to') {
            watermark = Math.max(watermark, house.now() - (pick % 5) * 10_000)
          }
          house.decide(expire(watermark < 0 ? undefined : watermark))
          const held = house.demands().filter(({ phase }) => phase === 'held').length
          const placed = house.demands().filter(({ phase }) => phase === 'placed')
          const ordered = new Set(placed.map(({ reservation }) => reservation))
          const still = open.filter(({ name: each }) => !ordered.has(each))
          const stillHeld = still.filter(({ by, endsAt }) =>
            by === 'watermark' ? endsAt >= watermark : endsAt > house.now(),
          ).length
          // A unit that an order took is owed for ever; one that was held stays held exactly until its end.
          expect(held).toBe(stillHeld)
          expect(held + placed.length).toBeGreaterThanOrEqual(mustBeHeld())
          expect(house.sellable()).toBeLessThanOrEqual(1_000 - mustBeHeld())
        }
        const ends = house
          .changesOf()
          .flatMap((change) => (change.set === 'demand' && change.demand.end ? [change.demand.no] : []))
        expect(ends).toHaveLength(new Set(ends).size)
      }),
      { numRuns: 300 },
    )
  })

  test('a call at the watermark itself is not passed by it', () => {
    const house = opened()
    house.decide(holdCommand('a', [{ units: 3, lineKey: 'k' }]))
    expect(house.decide(expire(house.now()))).toEqual({ expiredUnits: 0 })
    expect(house.decide(expire(house.now() + 1))).toEqual({ expiredUnits: 3 })
    expect(house.sellable()).toBe(10)
  })

  test('without a watermark nothing ends by it', () => {
    const house = opened()
    house.decide(holdCommand('a', [{ units: 3, lineKey: 'k' }]))
    house.pass(10 * 24 * 3_600_000)
    expect(house.decide(expire(undefined))).toEqual({ expiredUnits: 0 })
  })
})

describe('holds', () => {
  test('a basket is decided whole: when one line lacks units, no line is held', () => {
    const house = opened(5)
    house.say({ ...netFigure(1, at(1)), sku: SHADE })
    const refused = house.run(
      holdCommand('a', [
        { units: 2, lineKey: 'k1' },
        { units: 2, sku: SHADE, lineKey: 'k2' },
      ]),
    )
    expect(refused.answer).toEqual({
      granted: false,
      refusal: { kind: 'NOT_ENOUGH', lines: [{ sku: SHADE, askedUnits: 2, sellableUnits: 1 }] },
    })
    expect([...refused.changes.values()].flat()).toEqual([])
  })

  test('several lines of one SKU are counted together, each held under its own key', () => {
    const house = opened(3)
    const lines = [
      { units: 2, lineKey: 'k1' },
      { units: 2, lineKey: 'k2' },
    ]
    expect(house.decide(holdCommand('a', lines))).toMatchObject({ granted: false })
    expect(house.decide(holdCommand('a', [lines[0] ?? { units: 0 }, { units: 1, lineKey: 'k2' }]))).toMatchObject({
      granted: true,
    })
    expect(house.demands().map(({ lineKey, units }) => [lineKey, units])).toEqual([
      ['k1', 2],
      ['k2', 1],
    ])
  })

  test('what fits is granted where it was asked for', () => {
    const house = opened(3)
    expect(house.decide(holdCommand('a', [{ units: 5 }], { via: 'api', mode: 'partial' }))).toMatchObject({
      granted: true,
      lines: [{ askedUnits: 5, grantedUnits: 3 }],
    })
  })

  test('the same key with other lines replaces, and what is still wanted keeps its place in line', () => {
    const house = opened(10)
    house.decide(holdCommand('a', [{ units: 4 }], { via: 'api' }))
    const [first] = house.demands()
    house.pass(1_000)
    house.decide(holdCommand('a', [{ units: 6 }], { via: 'api' }))
    expect(house.demands().map(({ promisedAt, units }) => [promisedAt, units])).toEqual([
      [first?.promisedAt, 4],
      [house.now(), 2],
    ])
    house.decide(holdCommand('a', [{ units: 1 }], { via: 'api' }))
    expect(house.demands()).toMatchObject([{ units: 1, promisedAt: first?.promisedAt }])
  })

  test('a key that comes back with other goods gives its units back, and they serve a shortage in the same decision', () => {
    const house = opened(4)
    house.say({ ...netFigure(5, at(1)), sku: SHADE })
    house.decide(holdCommand('a', [{ units: 4 }], { via: 'api' }))
    house.decide(orderCommand('short', [{ units: 3 }]))
    expect(house.stock().shortageUnits).toBe(3)
    house.decide(holdCommand('a', [{ units: 1, sku: SHADE }], { via: 'api' }))
    expect(house.stock()).toMatchObject({ shortageUnits: 0, availableUnits: 1 })
  })

  test('a hold that is renewed lives until the moment of its last answer', () => {
    const house = opened()
    const until = (ms: number) => ({ via: 'api', until: after(house.now(), ms) }) as const
    house.decide(holdCommand('till', [{ units: 2 }], until(60_000)))
    house.pass(30_000)
    house.decide(holdCommand('till', [{ units: 2 }], until(60_000)))
    house.pass(40_000)
    expect(house.decide(expire(undefined))).toEqual({ expiredUnits: 0 })
    house.pass(20_000)
    expect(house.decide(expire(undefined))).toEqual({ expiredUnits: 2 })
  })

  test('fewer units are wanted: those that lost their supply are given back first', () => {
    const house = opened(5)
    house.decide(holdCommand('a', [{ units: 5 }], { via: 'api' }))
    house.say(netFigure(3, at(2)))
    house.decide(holdCommand('a', [{ units: 5 }], { via: 'api', mode: 'partial' }))
    expect(house.demands()).toMatchObject([{ units: 3, supply: { kind: 'on-hand' } }])
  })

  test('a release gives back exactly its units, and an order’s part not at all', () => {
    const house = opened()
    house.decide(holdCommand('a', [{ units: 4 }], { via: 'api' }))
    house.decide(orderCommand('o', [{ units: 4 }], { reservation: 'a' }))
    house.decide(holdCommand('a', [{ units: 3 }], { via: 'api' }))
    expect(house.decide({ kind: 'release', shop: NORD, reservation: 'a' })).toEqual({ releasedUnits: 3 })
    expect(house.sellable()).toBe(6)
  })
})

describe('double submits', () => {
  test('the window runs from the first yes and is never renewed', () => {
    const house = opened()
    const call = (name: string) => house.decide(holdCommand(name, [{ units: 1, lineKey: 'k' }]))
    expect(call('first')).toMatchObject({ granted: true })
    house.pass(WINDOW_MS - 1)
    expect(call('second')).toEqual({ granted: false, refusal: { kind: 'ORDER_BEING_PLACED', secondsLeft: 1 } })
    house.pass(1)
    expect(call('third')).toMatchObject({ granted: true })
    expect(house.sellable()).toBe(8)
  })

  test('where only the buyer’s own attempt holds the units, he is told for how long', () => {
    const house = opened(2)
    house.decide(holdCommand('first', [{ units: 2, lineKey: 'k' }]))
    house.pass(WINDOW_MS)
    expect(house.decide(holdCommand('second', [{ units: 1, lineKey: 'k' }]))).toMatchObject({
      granted: false,
      refusal: { kind: 'PREVIOUS_ATTEMPT_OPEN', secondsLeft: 55 },
    })
    expect(house.decide(holdCommand('other', [{ units: 1, lineKey: 'other' }]))).toMatchObject({
      refusal: { kind: 'NOT_ENOUGH' },
    })
  })
})
