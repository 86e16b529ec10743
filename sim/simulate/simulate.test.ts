import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/core/ledger.ts'
import { operationsOf } from './operations.ts'
import { runSeed } from './run.ts'
import { shapeOf } from './shape.ts'
import { simulate } from './simulate.ts'

test('one seed tells one story, to the last write', async () => {
  for (const seed of [3, 12, 25]) {
    const first = await runSeed(seed, { operations: 150 })
    const second = await runSeed(seed, { operations: 150 })
    expect(second.hash).toBe(first.hash)
    expect(canonicalJson([...second.rare])).toBe(canonicalJson([...first.rare]))
  }
})

test('another seed tells another story', async () => {
  const [first, second] = [await runSeed(3, { operations: 50 }), await runSeed(4, { operations: 50 })]
  expect(second.hash).not.toBe(first.hash)
})

test('looking closely changes nothing', async () => {
  const glance = await runSeed(7, { operations: 100 })
  const look = await runSeed(7, { operations: 100, keepTrace: true })
  expect(look.hash).toBe(glance.hash)
  expect(look.trace.length).toBeGreaterThan(100)
})

test('a story from which operations are taken out goes on as it was', async () => {
  const all = operationsOf(shapeOf(5), 60)
  const some = all.filter((_, index) => index % 3 !== 0)
  const first = await runSeed(5, { operations: 60, only: some })
  const second = await runSeed(5, { operations: 60, only: some })
  expect(second.hash).toBe(first.hash)
})

test('no law breaks in a dose of worlds', async () => {
  // A dose, not a proof: `holdfast simulate` goes on from seed to seed.
  const report = await simulate({ seed: 24, operations: 3_200 })
  expect(report.failing).toBeUndefined()
  expect(report.unreached.length).toBeLessThan(60)
})
