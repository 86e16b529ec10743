import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectSound } from '../../test/core/house.ts'
import {
  begin,
  type Extra,
  type Happening,
  happen,
  type LifeOptions,
  lives,
  settle,
  settleByLists,
  shipEverything,
  truths,
} from '../../test/core/life.ts'
import { MAIN } from '../../test/core/rules.ts'
import type { TruthOptions } from '../../test/core/truth.ts'
import { instantOf } from './ids.ts'
import { compareStamps, isLater } from './inclusion.ts'

const RUNS = 400

/** The warehouse's work for an order that nobody has read is like its work for the phone: a fall that may hide a rise. */
const NOBODY_UNREAD = { readsAtOnce: true }

/**
 * Lives a life and looks after each happening that nobody is promised a unit that is not there. Truth is what the simulated
 * warehouse did: the figures that arrived, less all that customers hold by our word and that those figures are not without.
 */
function live(options: TruthOptions, life: readonly Happening[], end: typeof settle) {
  const truth = begin(options)
  const look = (): void => {
    const truly = Math.max(0, truth.trulyFreeUnits())
    for (const shop of options.shops) expect(truth.house.sellable(shop)).toBeLessThanOrEqual(truly)
  }
  for (const happening of life) {
    happen(truth, options, happening)
    look()
  }
  end(truth, options)
  look()
  expectSound(truth.house)
  const shown = options.shops.map((shop) => truth.house.stock(shop).availableUnits)
  return { shown, truly: options.shops.map(() => truth.trulyFreeUnits()) }
}

/** A list proves what the warehouse provably knew before: one that acknowledges what it takes in hand, once. */
const LISTED: Partial<TruthOptions> & LifeOptions = {
  acknowledgesAll: true,
  warehouses: [MAIN],
  without: ['edit', 'cancel', 'acknowledge'],
}

/** Nothing is promised twice on the way, and at the end nothing is subtracted twice. */
const isExact = (
  extras: readonly Extra[],
  end: typeof settle,
  { maxUnits = 4, without = [], ...truth }: Partial<TruthOptions> & LifeOptions = {},
) =>
  fc.property(truths(truth), lives(extras, { maxUnits, without }), (options, life) => {
    const { shown, truly } = live(options, life, end)
    expect(shown).toEqual(truly)
  })

/** Nothing is promised twice, although words never come; what stays subtracted then is another law's concern. */
const isSafe = (
  extras: readonly Extra[],
  { maxUnits = 4, without = [], ...truth }: Partial<TruthOptions> & LifeOptions = {},
) =>
  fc.property(truths(truth), lives(extras, { maxUnits, without }), (options, life) => {
    live(options, life, settle)
  })

describe('L1 Inclusion', () => {
  test('L1 Inclusion: a unit is subtracted until its figure is without it, and no longer', () => {
    fc.assert(isExact([], settle, { keepsLinesInOrder: true }), { numRuns: RUNS })
  })

  test('L1 Inclusion: whatever order the words about a line come in, nothing is promised twice or lost for ever', () => {
    fc.assert(isExact([], shipEverything), { numRuns: RUNS })
  })

  test('L1 Inclusion: words that never come sell nothing twice', () => {
    fc.assert(isSafe(['lose', 'receive-untold', 'allocate-elsewhere']), { numRuns: RUNS })
  })

  test('L1 Inclusion: what is taken back in late words sells nothing twice, and nothing is charged once all has left', () => {
    fc.assert(
      isExact(['deallocate', 'receive-untold'], shipEverything, { ...NOBODY_UNREAD, maxUnits: 1, without: ['cancel'] }),
      {
        numRuns: RUNS,
      },
    )
  })

  test('L1 Inclusion: parts of a line that are taken back and allocated again are told apart', () => {
    fc.assert(isExact(['deallocate'], shipEverything, { ...NOBODY_UNREAD, keepsLinesInOrder: true }), { numRuns: RUNS })
  })

  test('L1 Inclusion: a taking back of which no word ever comes sells nothing twice', () => {
    fc.assert(isSafe(['deallocate', 'lose', 'receive-untold'], { ...NOBODY_UNREAD, maxUnits: 1 }), { numRuns: RUNS })
  })

  test('L1 Inclusion: a list of open orders proves what lost words did not', () => {
    fc.assert(isExact(['lose', 'snapshot'], settleByLists, LISTED), {
      numRuns: RUNS,
    })
  })
})

describe('stamps of one source', () => {
  const clock = (epoch: number, asOf: number) => ({ epoch, asOf: instantOf(asOf) })

  test('compare by sequence, else by the warehouse’s clock, and never across epochs', () => {
    expect(compareStamps({ epoch: 0, sequence: 5 }, { epoch: 0, sequence: 3 })).toEqual({ order: 2, by: 'sequence' })
    expect(compareStamps(clock(0, 5), clock(0, 9))).toEqual({ order: -4, by: 'clock' })
    expect(compareStamps({ epoch: 1, sequence: 5 }, { epoch: 0, sequence: 3 })).toBeUndefined()
    expect(compareStamps({ epoch: 0, sequence: 5 }, clock(0, 9))).toBeUndefined()
    expect(compareStamps({ epoch: 0 }, { epoch: 0 })).toBeUndefined()
  })

  test('of one tick of a clock prove nothing, for two acts may share it', () => {
    expect(compareStamps(clock(0, 5), clock(0, 5))).toBeUndefined()
  })

  test('follow each other by epoch, although nothing is proved by that', () => {
    expect(isLater({ epoch: 1, sequence: 1 }, { epoch: 0, sequence: 9 })).toBe(true)
    expect(isLater({ epoch: 0, sequence: 9 }, { epoch: 1, sequence: 1 })).toBe(false)
  })
})
