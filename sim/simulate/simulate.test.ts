import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/core/ledger.ts'
import { chosenFrom } from './noise.ts'
import { operationsOf } from './operations.ts'
import { runSeed } from './run.ts'
import { shapeOf } from './shape.ts'
import { shrink } from './shrink.ts'
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

test('of a long story only the operations that matter are left', async () => {
  const all = operationsOf(shapeOf(8), 1_000)
  const [first, second] = [all[311], all[742]]
  const isBroken = async (only: readonly unknown[]): Promise<boolean> => only.includes(first) && only.includes(second)
  expect(await shrink(all, isBroken, 200_000)).toEqual([first, second])
})

test('what an operation is about stays the same when others are taken out', () => {
  const names = Array.from({ length: 50 }, (_, index) => `order ${index}`)
  const chosen = Array.from({ length: 20 }, (_, pick) => chosenFrom(names, pick, (name) => name))
  expect(new Set(chosen).size).toBeGreaterThan(10)
  for (const [pick, name] of chosen.entries()) {
    const some = names.filter((each, index) => each === name || index % 3 === 0)
    expect(chosenFrom(some, pick, (each) => each)).toBe(name)
  }
})

test('worlds side by side tell what they tell one after another', async () => {
  const options = { seed: 60, operations: 120, length: 40 }
  const [one, two] = [await simulate(options), await simulate({ ...options, threads: 2 })]
  expect(two).toEqual(one)
})

test('no law breaks in a dose of worlds', async () => {
  // A dose, not a proof: `holdfast simulate` goes on from seed to seed.
  const report = await simulate({ seed: 24, operations: 3_200 })
  expect(report.failing).toBeUndefined()
  expect(report.unreached.length).toBeLessThan(60)
})
