/** One seed: its world, its operations one after another, a calm, and the laws. */
import { hardened } from './hard.ts'
import { checkBuying, checkCalm, checkShown } from './laws.ts'
import { type Operation, operationsOf } from './operations.ts'
import type { RareState } from './rare.ts'
import { shapeOf } from './shape.ts'
import { type Broken, openWorld } from './world.ts'

export type RunOptions = {
  readonly operations: number
  /** These instead of the seed's own: a part of them, when a failure is shrunk. */
  readonly only?: readonly Operation[]
  readonly keepTrace?: boolean
  /** The seed's world made harder: see `hard.ts`. */
  readonly isHard?: boolean
  /** Judges only by what can be seen without looking into Holdfast. */
  readonly isOutsideOnly?: boolean
}

export type Outcome = {
  readonly seed: number
  readonly operations: number
  readonly broken: readonly Broken[]
  readonly rare: ReadonlyMap<RareState, number>
  readonly hash: string
  readonly trace: readonly string[]
  /** Virtual time that passed, in ms. */
  readonly passedMs: number
}

/** Runs a seed to its end, or to the first law that breaks. */
export async function runSeed(seed: number, options: RunOptions): Promise<Outcome> {
  const shape = options.isHard ? hardened(shapeOf(seed)) : shapeOf(seed)
  const operations = options.only ?? operationsOf(shape, options.operations)
  const world = await openWorld(shape, options)
  const began = world.timeline.now()
  const onQuiet = (except: ReadonlySet<string>): void => checkShown(world, except)
  let restedMs = 0
  for (const operation of operations) {
    if (world.broken.length > 0) break
    await world.timeline.runUntil(began + restedMs + operation.at)
    if (operation.kind !== 'calm') {
      world.perform(operation)
      continue
    }
    const from = world.timeline.now()
    world.rare.saw('calm in the middle of the story')
    await world.calm(onQuiet)
    if (world.broken.length === 0) checkCalm(world)
    world.stormy()
    restedMs += world.timeline.now() - from
  }
  if (world.broken.length === 0) await world.calm(onQuiet)
  if (world.broken.length === 0) checkCalm(world)
  if (world.broken.length === 0) await checkBuying(world)
  world.holdfast()?.kill(0)
  return {
    seed,
    operations: operations.length,
    broken: world.broken,
    rare: world.rare.counts,
    hash: world.trace.hash(),
    trace: world.trace.lines(),
    passedMs: world.timeline.now() - began,
  }
}
