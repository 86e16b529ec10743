import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openHouse } from '../../test/core/house.ts'
import { at, holdCommand, LAMP, NORD, netFigure, orderCommand, rulesWith, SUED } from '../../test/core/rules.ts'
import { instantOf } from './ids.ts'
import { bandOf, correction, DECREMENT_WITHIN_MS, mayStillLower } from './publication.ts'

const units = fc.nat(50)
const bands = fc.tuple(units, units).map(([leastUnits, own]) => ({ leastUnits, mostUnits: leastUnits + own }))

describe('L6 A band', () => {
  test('L6 A band: whatever the shop has subtracted already, we write nothing, and it stops selling where we do', () => {
    const attempts = fc.array(fc.record({ units: fc.integer({ min: 1, max: 3 }), isLowered: fc.boolean() }), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), attempts, (stock, calls) => {
        const house = openHouse(rulesWith())
        house.say(netFigure(stock, at(1)))
        let shown = stock
        let own = 0
        for (const [nth, call] of calls.entries()) {
          if (!house.decide(holdCommand(`${nth}`, [{ units: call.units, lineKey: `${nth}` }])).granted) continue
          own += call.units
          // Shopware lowers its own number for an order; for one that is still under way it has not.
          if (call.isLowered) shown -= call.units
        }
        const band = bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: own, returnedUnits: 0 })
        if (!band) throw new Error('a SKU with a figure has a band')
        expect(correction(shown, band, 'none')).toBeUndefined()
        // Once all of them are ordered and lowered, the shop's own check lets it sell exactly what is left.
        const lowered = stock - own
        expect(correction(lowered, { leastUnits: band.leastUnits, mostUnits: band.leastUnits }, 'none')).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })

  test('L6 A band: while the shop adds by itself what its orders gave back, nobody else does', () => {
    fc.assert(
      fc.property(units, fc.array(fc.record({ units: fc.nat(5), isAdded: fc.boolean() })), (rest, returns) => {
        const returnedUnits = returns.reduce((sum, each) => sum + each.units, 0)
        const house = openHouse(rulesWith())
        house.say(netFigure(rest + returnedUnits, at(1)))
        let shown = returns.reduce((sum, each) => sum + (each.isAdded ? each.units : 0), rest)
        const band = bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: 0, returnedUnits })
        if (!band) throw new Error('a SKU with a figure has a band')
        shown = correction(shown, band, 'none') ?? shown
        for (const each of returns) if (!each.isAdded) shown += each.units
        expect(shown).toBe(rest + returnedUnits)
      }),
    )
  })

  test('L6 A band: what is written is absolute, lies in the band, and is written once', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 120 }), bands, (shown, band) => {
        const written = correction(shown, band, 'none')
        const inside = shown >= band.leastUnits && shown <= band.mostUnits
        expect(written === undefined).toBe(inside)
        if (written === undefined) return
        expect(written).toBe(shown > band.mostUnits ? band.mostUnits : band.leastUnits)
        expect(correction(written, band, 'none')).toBeUndefined()
      }),
    )
  })

  test('L6 A band: during a silence numbers fall and never rise', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 120 }), bands, (shown, band) => {
        const written = correction(shown, band, 'silence')
        if (written !== undefined) expect(written).toBeLessThan(shown)
        expect(written).toBe(shown > band.mostUnits ? band.mostUnits : undefined)
      }),
    )
  })

  test('L6 A band: split shares of one pool add up to no more than it, and to all of it', () => {
    fc.assert(
      fc.property(units, (stock) => {
        const house = openHouse(rulesWith({ shops: [NORD, SUED], shop: { whenSilent: 'split' } }))
        house.say(netFigure(stock, at(1)))
        const least = [NORD, SUED].map(
          (shop) => bandOf(house.stateOf(LAMP), house.rules, shop, house.now())?.leastUnits ?? 0,
        )
        expect(least[0]).toBe(Math.ceil(stock / 2))
        expect(least[1]).toBe(Math.floor(stock / 2))
      }),
    )
  })

  test('no figure, no band: we do not write', () => {
    const house = openHouse(rulesWith())
    house.decide(orderCommand('o', [{ units: 2 }]))
    expect(bandOf(house.stateOf(LAMP), house.rules, NORD, house.now())).toBeUndefined()
  })

  test('a channel lowers nothing by itself: its band is one number', () => {
    const house = openHouse(rulesWith({ shop: { kind: 'channel' } }))
    house.say(netFigure(4, at(1)))
    expect(bandOf(house.stateOf(LAMP), house.rules, NORD, house.now(), { takenUnits: 3, returnedUnits: 3 })).toEqual({
      leastUnits: 4,
      mostUnits: 4,
    })
  })

  test('an order may still lower the shop’s number for a bounded time after it was first read', () => {
    expect(mayStillLower(instantOf(1_000), instantOf(1_000 + DECREMENT_WITHIN_MS - 1))).toBe(true)
    expect(mayStillLower(instantOf(1_000), instantOf(1_000 + DECREMENT_WITHIN_MS))).toBe(false)
  })
})
