import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIGHT_AFTER, FIGHT_WITHIN_MS, type Guard, type Look, type Ruling, rule } from './foreign-write.ts'
import { after, type Instant, instantOf } from './ids.ts'

const T0 = instantOf(1_000_000)
const IN_FLIGHT_MS = 10_000
const at = (ms: number): Instant => after(T0, ms)

/** A look at a number that showed 10 a second ago, in a band of exactly 10. */
function look(units: number, options: Partial<Look> & { readonly touchedAt?: Instant } = {}): Look {
  const { touchedAt, ...given } = options
  return {
    policy: 'restore',
    now: T0,
    watermark: at(-IN_FLIGHT_MS),
    orderInFlightMs: IN_FLIGHT_MS,
    band: { leastUnits: 10, mostUnits: 10 },
    seen: { units, revision: 'r1' },
    before: { units: 10, seenAt: at(-1_000), revision: 'r1', ...(touchedAt === undefined ? {} : { touchedAt }) },
    ...given,
  }
}
const told: Guard = { toldAt: at(-10), restoredAt: [] }

describe('a number that somebody else wrote', () => {
  test.each([50, 3, 0, -4])('told by a webhook, %i instead of 10 is known at once and put right', (units) => {
    const ruling = rule(told, look(units))
    expect(ruling).toMatchObject({
      found: { oldUnits: 10, newUnits: units, at: T0, since: at(-1_000), proof: 'webhook' },
      may: 'correct',
      tells: 'foreign',
    })
    expect(ruling.guard).toEqual({ restoredAt: [T0] })
  })

  test('without a webhook it is put right at once and judged when the watermark has passed it', () => {
    const seen = rule(undefined, look(50))
    expect(seen).toMatchObject({ may: 'correct', tells: 'nothing', guard: { sighting: { newUnits: 50 } } })
    expect(seen).not.toHaveProperty('found')
    expect(seen.lookAgainAt).toBeGreaterThan(at(IN_FLIGHT_MS))
    const early = rule(seen.guard, look(10, { now: at(9_000), watermark: T0 }))
    expect(early.guard?.sighting).toEqual(seen.guard?.sighting)
    const late = rule(early.guard, look(10, { now: at(12_000), watermark: at(1_000) }))
    expect(late).toMatchObject({ found: { oldUnits: 10, newUnits: 50, proof: 'comparison' }, tells: 'foreign' })
  })

  test('a fall without a word is not raised before the orders of that time are read (H42)', () => {
    const seen = rule(undefined, look(7))
    expect(seen).toMatchObject({ may: 'lower', lookAgainAt: at(500) })
    const showing7 = { units: 7, seenAt: T0, revision: 'r1' }
    const early = rule(seen.guard, look(7, { now: at(500), before: showing7 }))
    expect(early).toMatchObject({ may: 'lower', lookAgainAt: at(1_000) })
    // The next read began after the fall was seen, and found no order that took it.
    const read = look(7, { now: at(1_000), before: showing7, watermark: at(600 - IN_FLIGHT_MS) })
    expect(rule(early.guard, read)).toMatchObject({ may: 'correct', tells: 'nothing' })
    expect(rule(undefined, look(50)).may).toBe('correct')
  })

  test('an order that was read meanwhile may have moved it: it is the shop’s own', () => {
    const { guard } = rule(undefined, look(7))
    const judged = rule(guard, look(10, { now: at(12_000), watermark: at(1_000), touchedAt: at(2_000) }))
    expect(judged).toEqual({ guard: undefined, may: 'correct', tells: 'nothing' })
  })

  test('an order that was read shortly before may lower the number only now', () => {
    const { guard } = rule(undefined, look(7))
    const judged = rule(guard, look(10, { now: at(12_000), watermark: at(1_000), touchedAt: at(-5_000) }))
    expect(judged.tells).toBe('nothing')
  })

  test('a webhook that comes after the number was put right still proves it', () => {
    const { guard } = rule(undefined, look(50))
    const late = rule({ restoredAt: [], ...guard, toldAt: at(400) }, look(10, { now: at(500) }))
    expect(late).toMatchObject({ found: { newUnits: 50, proof: 'webhook' }, tells: 'foreign' })
  })

  test.each<[string, Guard | undefined, Look]>([
    ['our own write, whose memory was lost', undefined, look(50, { seen: { units: 50, revision: 'r2' } })],
    ['the same number once more', told, look(10)],
    ['a first look', undefined, (({ before: _, ...rest }) => rest)(look(50))],
    ['a fall inside the band', told, look(9, { band: { leastUnits: 9, mostUnits: 10 } })],
    ['a band that moved', undefined, look(10, { band: { leastUnits: 4, mostUnits: 4 } })],
  ])('%s is none', (_, guard, seen) => {
    expect(rule(guard, seen)).toEqual({ guard: undefined, may: 'correct', tells: 'nothing' })
  })

  test('a rise inside the band is recorded, and needs no correction', () => {
    const ruling = rule(told, look(12, { band: { leastUnits: 10, mostUnits: 12 } }))
    expect(ruling.found).toMatchObject({ oldUnits: 10, newUnits: 12 })
  })
})

describe('by policy', () => {
  test.each([
    { policy: 'warn', tells: 'foreign' },
    { policy: 'ignore', tells: 'nothing' },
  ] as const)('$policy lets it stand until what is sellable changes', ({ policy, tells }) => {
    const first = rule(told, look(50, { policy }))
    expect(first).toMatchObject({ found: { newUnits: 50 }, may: 'leave', tells })
    const showing50 = { units: 50, seenAt: T0, revision: 'r1' }
    const again = rule(first.guard, look(50, { policy, before: showing50, now: at(60_000) }))
    expect(again).toMatchObject({ may: 'leave', tells: 'nothing' })
    const moved = { leastUnits: 8, mostUnits: 8 }
    const changed = rule(again.guard, look(50, { policy, before: showing50, band: moved, now: at(61_000) }))
    expect(changed).toEqual({ guard: undefined, may: 'correct', tells: 'calm' })
  })

  test('what is not judged yet stands too', () => {
    expect(rule(undefined, look(50, { policy: 'warn' })).may).toBe('leave')
  })

  test('a number that stood is put right once the policy says so', () => {
    const { guard } = rule(told, look(50, { policy: 'warn' }))
    const next = rule(guard, look(50, { before: { units: 50, seenAt: T0, revision: 'r1' } }))
    expect(next).toMatchObject({ may: 'correct', tells: 'calm' })
  })
})

describe('a fight', () => {
  /** Writes `units` again and again, so many ms apart; returns what was ruled each time. */
  function write(units: number, times: number, apartMs: number): Ruling[] {
    const rulings: Ruling[] = []
    let guard: Guard | undefined
    for (let n = 0; n < times; n++) {
      const now = at(n * apartMs)
      const before = { units: 10, seenAt: after(now, -100), revision: 'r1' }
      const ruling = rule({ restoredAt: [], ...guard, toldAt: now }, look(units, { now, before }))
      rulings.push(ruling)
      guard = ruling.guard
    }
    return rulings
  }

  test('after some rounds the number is only lowered, and no round fills the ledger', () => {
    const rulings = write(50, FIGHT_AFTER + 2, 1_000)
    expect(rulings.map(({ tells }) => tells)).toEqual([
      ...Array(FIGHT_AFTER - 1).fill('foreign'),
      ...Array(3).fill('fight'),
    ])
    expect(rulings.map(({ may }) => may)).toEqual([
      ...Array(FIGHT_AFTER - 1).fill('correct'),
      ...Array(3).fill('lower'),
    ])
    expect(rulings.filter(({ found }) => found)).toHaveLength(FIGHT_AFTER)
  })

  test('ends when the other has been quiet for as long as it is measured by', () => {
    const last = write(3, FIGHT_AFTER, 1_000).at(-1)
    const endOf = (FIGHT_AFTER - 1) * 1_000
    const before = { units: 3, seenAt: at(endOf), revision: 'r1' }
    const quiet = (ms: number) => rule(last?.guard, look(3, { now: at(endOf + ms), before }))
    expect(quiet(FIGHT_WITHIN_MS - 1)).toMatchObject({ may: 'lower', tells: 'nothing' })
    expect(quiet(FIGHT_WITHIN_MS)).toEqual({ guard: undefined, may: 'correct', tells: 'calm' })
  })

  test('somebody who writes now and then is put right each time', () => {
    const rulings = write(50, 20, FIGHT_WITHIN_MS / 3)
    expect(new Set(rulings.map(({ may }) => may))).toEqual(new Set(['correct']))
  })
})

test('whatever is seen: a number above its band may always be lowered under restore, and memory stays bounded', () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ units: fc.integer({ min: -3, max: 20 }), told: fc.boolean(), ms: fc.nat(200_000) })),
      (looks) => {
        let guard: Guard | undefined
        let now = T0
        let shown = 10
        for (const { units, told: isTold, ms } of looks) {
          const seenAt = now
          now = after(now, ms)
          const ruling = rule(
            isTold ? { restoredAt: [], ...guard, toldAt: now } : guard,
            look(units, {
              now,
              watermark: after(now, -IN_FLIGHT_MS),
              before: { units: shown, seenAt, revision: 'r1' },
            }),
          )
          expect(ruling.may).not.toBe('leave')
          expect(ruling.guard?.restoredAt.length ?? 0).toBeLessThanOrEqual(FIGHT_AFTER)
          guard = ruling.guard
          shown = ruling.may === 'correct' ? 10 : Math.min(units, 10)
        }
      },
    ),
  ))
