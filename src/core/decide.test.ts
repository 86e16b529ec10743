import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { requests } from '../../test/core/commands.ts'
import { expectSound, openHouse } from '../../test/core/house.ts'
import { NORD, rulesWith, SUED } from '../../test/core/rules.ts'
import { decide, draftsOf } from './decide.ts'
import { isLive } from './demand.ts'
import type { SkuState } from './stock.ts'

const RUNS = 300
const rules = rulesWith({ shops: [NORD, SUED], warehouse: { safetyUnits: 1 }, shop: { quotaUnits: 9 } })

const unitsEver = (state: SkuState): number =>
  [...state.demands.values()].reduce((sum, demand) => sum + demand.units, 0)

describe('decisions', () => {
  test('replayed from nothing they make the same state, and the counters are what a recount finds', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          house.run(ask(house, nth))
          expectSound(house)
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('on what the lane loads they are the decisions on everything', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const command = ask(house, nth)
          const drafts = draftsOf(house.loadedFor(command), rules, house.now())
          const answer = decide(drafts, command)
          const whole = house.run(command)
          expect(answer).toEqual(whole.answer)
          expect(new Map([...drafts].map(([sku, draft]) => [sku, draft.changes]))).toEqual(whole.changes)
          expect([...drafts.values()].flatMap(({ incidents }) => incidents)).toEqual(whole.incidents)
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('that refuse leave no change', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const { answer, changes } = house.run(ask(house, nth))
          if ('granted' in answer && !answer.granted) expect([...changes.values()].flat()).toEqual([])
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('split demands without making or losing a unit, and end each demand once and for ever', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const before = new Map([...house.states()].map(([sku, state]) => [sku, new Map(state.demands)]))
          const unitsBefore = new Map([...house.states()].map(([sku, state]) => [sku, unitsEver(state)]))
          const { changes } = house.run(ask(house, nth))
          for (const [sku, made] of changes) {
            const added = made.flatMap((change) =>
              change.set === 'demand' && ADDING.has(change.why) ? [change.demand.units] : [],
            )
            const expected = (unitsBefore.get(sku) ?? 0) + added.reduce((sum, units) => sum + units, 0)
            expect(unitsEver(house.stateOf(sku))).toBe(expected)
          }
          for (const [sku, demands] of before) {
            for (const demand of demands.values()) {
              if (!isLive(demand)) expect(house.stateOf(sku).demands.get(demand.no)?.end).toBe(demand.end)
            }
          }
        })
      }),
      { numRuns: RUNS },
    )
  })

  test('about the same command a second time change nothing that a shop is shown', () => {
    fc.assert(
      fc.property(requests(), (asked) => {
        const house = openHouse(rules)
        asked.forEach(({ ask, passMs }, nth) => {
          house.pass(passMs)
          const command = ask(house, nth)
          house.run(command)
          // Messages about order lines, movements and calls are told apart by their identity, before the core sees them.
          const isAbsolute =
            command.kind === 'order' ||
            command.kind === 'release' ||
            (command.kind === 'hold' && command.via === 'api' && command.mode === 'all') ||
            (command.kind === 'word' && command.word.kind === 'figure') ||
            command.kind === 'expire' ||
            command.kind === 'settle'
          if (!isAbsolute) return
          const shown = [house.stock(NORD), house.stock(SUED)]
          house.run(command)
          expect([house.stock(NORD), house.stock(SUED)]).toEqual(shown)
        })
      }),
      { numRuns: RUNS },
    )
  })
})

/** The only reasons for which units come into being. */
const ADDING: ReadonlySet<string> = new Set(['shipped-beyond', 'held', 'placed-unheld', 'baseline', 'shipped-beyond'])
