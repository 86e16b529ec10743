import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requests } from '../../test/core/commands.ts'
import { openHouse } from '../../test/core/house.ts'
import { at, EAST, holdCommand, MAIN, NORD, netFigure, orderCommand, rulesWith, SUED } from '../../test/core/rules.ts'
import { byPromise, type Demand, isLive } from './demand.ts'
import { freeOn } from './sellable.ts'
import type { Change } from './stock.ts'

const PEGGING: ReadonlySet<string> = new Set(['held', 'placed-unheld', 'served-shortage', 'moved-warehouse'])

const demandsIn = (changes: readonly Change[], why: (reason: string) => boolean): readonly Demand[] =>
  changes.flatMap((change) => (change.set === 'demand' && why(change.why) ? [change.demand] : []))

describe('L4 Promise', () => {
  test('L4 Promise: each unit has one supply, no supply is promised beyond what it has, and shortages come first, in order of promise', () => {
    const rules = rulesWith({ shops: [NORD, SUED], warehouse: { safetyUnits: 1 } })
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        house.say(netFigure(5, at(1)))
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const command = ask(house, nth)
          const { changes } = house.run(command)
          for (const [sku, made] of changes) {
            const state = house.stateOf(sku)
            // What was pegged now was there to be pegged.
            const pegged = demandsIn(made, (why) => PEGGING.has(why)).filter(({ supply }) => supply.kind === 'on-hand')
            if (pegged.length > 0) expect(freeOn(state, MAIN)).toBeGreaterThanOrEqual(0)
            // Nothing that could be served is left waiting; only units that could not be picked are not given out again at once.
            const short = [...state.demands.values()].filter((each) => isLive(each) && each.supply.kind === 'shortage')
            const isShorted =
              command.kind === 'word' && command.word.kind === 'order-line' && command.word.says === 'short'
            const owed = short.filter(({ phase }) => phase !== 'held')
            if (made.length > 0 && owed.length > 0 && !isShorted) expect(freeOn(state, MAIN)).toBeLessThanOrEqual(0)
            // Whoever was served was promised before everyone who still waits.
            const served = demandsIn(made, (why) => why === 'served-shortage').filter(({ phase }) => phase !== 'held')
            for (const one of served)
              for (const other of owed) expect(one.promisedAt).toBeLessThanOrEqual(other.promisedAt)
          }
        })
      }),
      { numRuns: 300 },
    )
  })

  test('the first choice is emptied first, and what is left comes from the next', () => {
    const house = openHouse(rulesWith({ warehouses: [EAST, MAIN] }))
    house.say(netFigure(10, at(1)))
    house.say({ ...netFigure(2, at(2)), warehouse: EAST })
    house.decide(orderCommand('o', [{ units: 5 }]))
    expect(house.demands().map(({ supply, units }) => [supply, units])).toEqual([
      [{ kind: 'on-hand', warehouse: EAST }, 2],
      [{ kind: 'on-hand', warehouse: MAIN }, 3],
    ])
  })

  test('a figure that falls below its pegs moves the youngest units to another warehouse before it makes a shortage', () => {
    const house = openHouse(rulesWith({ warehouses: [MAIN, EAST] }))
    house.say(netFigure(4, at(1)))
    house.say({ ...netFigure(1, at(2)), warehouse: EAST })
    house.decide(holdCommand('old', [{ units: 2, lineKey: 'old' }]))
    house.pass(1)
    house.decide(holdCommand('young', [{ units: 2, lineKey: 'young' }]))
    house.say(netFigure(2, at(3)))
    const found = [...house.demands()]
      .sort(byPromise)
      .map(({ reservation, supply, units }) => [reservation, supply.kind, units])
    expect(found).toEqual([
      ['old', 'on-hand', 2],
      ['young', 'shortage', 1],
      ['young', 'on-hand', 1],
    ])
    expect(house.incidents).toContainEqual(expect.objectContaining({ code: 'HOLD_LOST', units: 1 }))
  })

  test('units that the warehouse has taken in hand since are not the ones that a smaller figure loses', () => {
    const house = openHouse(rulesWith())
    house.say(netFigure(2, at(1)))
    house.decide(orderCommand('a', [{ units: 2 }]))
    house.decide(orderCommand('b', [{ units: 1 }]))
    house.pass(1)
    house.say({
      kind: 'order-line',
      says: 'allocated',
      order: 'b',
      units: 1,
      sku: house.stateOf(netFigure(0, at(0)).sku).sku,
      warehouse: MAIN,
      stamp: at(2),
    })
    const shortOf = house.demands().filter(({ supply }) => supply.kind === 'shortage')
    expect(shortOf).toMatchObject([{ orderLine: { orderId: 'a' }, units: 1 }])
  })
})
