import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type House, openHouse } from '../../test/core/house.ts'
import {
  at,
  grossFigure,
  inboundWord,
  LAMP,
  MAIN,
  movementWord,
  netFigure,
  receiptWord,
  rulesWith,
  UNORDERED,
} from '../../test/core/rules.ts'
import { RISE_SETTLES_AFTER_MS } from './figure.ts'
import { dayOf as day } from './ids.ts'
import { coverOf, freeOf, type Remainder, remaindersOf, TELLS_RECEIPTS_WITHIN_MS } from './inbound.ts'
import { freeOn } from './sellable.ts'
import type { InboundWord, Word } from './word.ts'

const lines = (house: House): readonly Remainder[] => remaindersOf(house.stateOf(LAMP), house.rules, MAIN, house.now())
const first = (house: House): Remainder => {
  const [line] = lines(house)
  if (!line) throw new Error('no line')
  return line
}
/** What may be promised of a line beside what is on hand: the sum is what exists. */
const countedUnits = (house: House): number =>
  freeOn(house.stateOf(LAMP), MAIN) + lines(house).reduce((sum, line) => sum + freeOf(line), 0)

function opened(units: number, options = {}): House {
  const house = openHouse(rulesWith(options))
  house.say(netFigure(units, at(1)))
  house.pass(1)
  return house
}

describe('H20: a unit that comes is counted once, in whatever order its words come', () => {
  const words: Readonly<Record<string, Word>> = {
    figure: netFigure(35, at(12)),
    receipt: receiptWord(30, at(11)),
    line: inboundWord(40, at(13), { received: 30 }),
  }
  const names = Object.keys(words)
  const orders = names.flatMap((a) =>
    names.flatMap((b) => names.flatMap((c) => (new Set([a, b, c]).size === 3 ? [[a, b, c]] : []))),
  )

  test.each(orders)('%s, %s, %s', (...order) => {
    const house = opened(5)
    house.say(inboundWord(40, at(2)))
    expect(countedUnits(house)).toBe(45)
    for (const name of order) {
      const word = words[name]
      if (word) house.say(word)
      house.pass(1)
      expect(countedUnits(house)).toBe(45)
    }
    expect(first(house)).toMatchObject({ receivedUnits: 30, containedUnits: 30, chargedUnits: 0 })
  })

  test('H20a: without a receipt word the rise is charged to the line until the line is told again', () => {
    const house = opened(5)
    house.say(inboundWord(40, at(2)))
    house.say(netFigure(35, at(3)))
    expect(first(house)).toMatchObject({ chargedUnits: 30 })
    expect(countedUnits(house)).toBe(45)
    house.say(inboundWord(40, at(4), { received: 30 }))
    expect(countedUnits(house)).toBe(45)
    house.say(netFigure(35, at(5)))
    expect(first(house)).toMatchObject({ chargedUnits: 0, containedUnits: 30 })
    expect(countedUnits(house)).toBe(45)
  })

  test('H20b: a return is charged to the line until its word, or until the bound', () => {
    const told = opened(5)
    told.say(inboundWord(40, at(2)))
    told.say(netFigure(6, at(3)))
    expect(countedUnits(told)).toBe(45)
    told.say(movementWord('return', 1, at(3)))
    expect(countedUnits(told)).toBe(46)
    const silent = opened(5)
    silent.say(inboundWord(40, at(2)))
    silent.say(netFigure(6, at(3)))
    silent.pass(TELLS_RECEIPTS_WITHIN_MS)
    expect(countedUnits(silent)).toBe(46)
  })

  test('H20b: returns that nobody tells end to be charged one by one, however often figures come', () => {
    const house = opened(0)
    house.say(inboundWord(400, at(2)))
    for (let hour = 1; hour <= 72; hour += 1) {
      for (let minute = 0; minute < 4; minute += 1) house.say(netFigure(hour, at(hour * 10 + minute)))
      house.pass(3_600_000)
    }
    // Of three days at most the last one, and what became one with it.
    expect(first(house).chargedUnits).toBeGreaterThanOrEqual(23)
    expect(first(house).chargedUnits).toBeLessThanOrEqual(36)
  })

  test('H20c: the first figure of an epoch is a base, not a rise', () => {
    const house = openHouse(rulesWith())
    house.say(inboundWord(40, at(1)))
    house.say(netFigure(30, at(2)))
    expect(first(house)).toMatchObject({ chargedUnits: 0 })
    house.say(netFigure(60, at(1, 1)))
    expect(first(house)).toMatchObject({ chargedUnits: 0 })
    expect(countedUnits(house)).toBe(100)
  })

  test('H20d: a line told every six hours is sold against between figures that come every second', () => {
    const house = opened(5)
    house.say(inboundWord(40, at(2)))
    for (let nth = 0; nth < 100; nth += 1) {
      house.say(netFigure(5 - (nth % 2), at(3 + nth)))
      house.say(movementWord('adjustment', nth % 2 === 1 ? -1 : 1, at(3 + nth)))
      house.pass(1_000)
    }
    expect(freeOf(first(house))).toBe(40)
  })
})

describe('lines and receipts', () => {
  test('a receipt before its line was told takes from no line twice', () => {
    const late = opened(5)
    late.say(receiptWord(30, at(10)))
    late.say(netFigure(35, at(11)))
    // An old statement comes last: nothing of it had come.
    late.say(inboundWord(40, at(9)))
    expect(countedUnits(late)).toBe(45)
    const early = opened(5)
    early.say(receiptWord(30, at(10)))
    early.say(inboundWord(40, at(12), { received: 30 }))
    early.say(netFigure(35, at(13)))
    expect(countedUnits(early)).toBe(45)
  })

  test('goods that were received without a word for which line take from the earliest day', () => {
    const house = opened(0)
    house.say(inboundWord(10, at(2), { line: 'late', eta: day('2026-12-20') }))
    house.say(inboundWord(10, at(3), { line: 'early', eta: day('2026-12-01') }))
    house.say(movementWord('receipt', 6, at(4)))
    house.say(netFigure(6, at(5)))
    expect(lines(house).map(({ line, chargedUnits }) => [line.line, chargedUnits])).toEqual([
      ['early', 6],
      ['late', 0],
    ])
    expect(countedUnits(house)).toBe(20)
  })

  test('what came of a cancelled line is waited for, the rest is not', () => {
    const house = opened(0)
    house.say(inboundWord(10, at(2)))
    house.say(inboundWord(10, at(4), { received: 4, cancelled: true }))
    expect(coverOf(first(house))).toBe(4)
    house.say(netFigure(4, at(5)))
    expect(coverOf(first(house))).toBe(0)
  })

  test('what was rejected will never come, and more than was ordered may', () => {
    const house = opened(0)
    house.say(inboundWord(10, at(2), { received: 0, rejected: 3 }))
    expect(freeOf(first(house))).toBe(7)
    house.say(inboundWord(10, at(3), { received: 12 }))
    expect(first(house)).toMatchObject({ expectedUnits: 12 })
  })

  test('an older statement about a line is late, and a repeated receipt counts once', () => {
    const house = opened(0)
    house.say(inboundWord(10, at(5)))
    expect(house.say(inboundWord(99, at(4)))).toBe('late')
    house.say(receiptWord(4, at(6)))
    house.say(receiptWord(4, at(6)))
    expect(first(house)).toMatchObject({ receivedUnits: 4 })
  })

  test('a source without any order: the rise takes from the line until the line is told again', () => {
    const house = openHouse(rulesWith({ source: { knowsOrdersWithinMs: 1_000 } }))
    house.say(netFigure(5, UNORDERED))
    house.pass(1)
    house.say(inboundWord(40, UNORDERED))
    house.pass(1)
    house.say(netFigure(35, UNORDERED))
    house.pass(RISE_SETTLES_AFTER_MS)
    house.decide({ kind: 'settle', sku: LAMP })
    expect(countedUnits(house)).toBe(45)
    house.say(inboundWord(40, UNORDERED, { received: 30 }))
    expect(countedUnits(house)).toBe(45)
    house.pass(1)
    house.say(netFigure(35, UNORDERED))
    expect(first(house)).toMatchObject({ containedUnits: 30, chargedUnits: 0 })
    expect(countedUnits(house)).toBe(45)
  })
})

/** What happens in a warehouse, one act after another; each act has the number of its turn. */
type Act = { readonly what: 'receive' | 'return' | 'figure' | 'line'; readonly units: number; readonly told: boolean }

const acts = fc.array(
  fc.record({
    what: fc.constantFrom('receive' as const, 'return' as const, 'figure' as const, 'line' as const),
    units: fc.integer({ min: 1, max: 9 }),
    told: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
)

test.each(['net', 'gross'] as const)(
  'L4: a %s warehouse’s goods are counted at most once, and once when all is told',
  (semantics) => {
    fc.assert(
      fc.property(acts, fc.infiniteStream(fc.nat()), (story, dice) => {
        const house = openHouse(rulesWith({ source: { semantics } }))
        const figure = (units: number, sequence: number): Word =>
          semantics === 'net' ? netFigure(units, at(sequence)) : grossFigure(units, at(sequence))
        const line = (received: number, sequence: number): InboundWord => inboundWord(60, at(sequence), { received })
        const truth = { onHand: 5, received: 0 }
        house.say(figure(5, 1))
        house.say(line(0, 2))
        const words: Word[] = []
        story.forEach((act: Act, index) => {
          const sequence = index + 3
          if (act.what === 'receive') {
            const units = Math.min(act.units, 60 - truth.received)
            truth.onHand += units
            truth.received += units
            if (act.told && units > 0) words.push(receiptWord(units, at(sequence)))
          } else if (act.what === 'return') {
            truth.onHand += act.units
            if (act.told) words.push(movementWord('return', act.units, at(sequence)))
          } else words.push(act.what === 'figure' ? figure(truth.onHand, sequence) : line(truth.received, sequence))
        })
        const exists = truth.onHand + 60 - truth.received
        while (words.length > 0) {
          const [word] = words.splice((dice.next().value ?? 0) % words.length, 1)
          if (word) house.say(word)
          house.pass(1)
          expect(countedUnits(house)).toBeLessThanOrEqual(exists)
        }
        house.say(line(truth.received, 100))
        house.say(figure(truth.onHand, 101))
        // What nobody explained takes from the line until the line is told again.
        house.say(line(truth.received, 102))
        house.say(figure(truth.onHand, 103))
        expect(countedUnits(house)).toBe(exists)
      }),
      { numRuns: 1_000 },
    )
  },
)
