/** Seed after seed until enough operations are done, or a law is broken; and what is told about it. */
import type { Operation } from './operations.ts'
import { operationsOf } from './operations.ts'
import { RARE_STATES, type RareState } from './rare.ts'
import { type Outcome, runSeed } from './run.ts'
import { shapeOf } from './shape.ts'
import { breaksLaw, shrink } from './shrink.ts'
import { type Runner, runnerHere, runnerInThread } from './workers.ts'
import type { Broken } from './world.ts'

/** Operations of one seed: enough to get anywhere, few enough that a failure is soon looked at. */
export const OPERATIONS_OF_A_SEED = 400
/** A run of this many operations must have reached every rare state. */
export const FULL_LENGTH = 1_000_000
/** Operations that may be run to shrink a failure: about a minute. */
const SHRINK_BUDGET = 200_000
/** Lines of the trace that are told. */
const TRACE_LINES = 120

export type SimulationOptions = {
  readonly seed: number
  readonly operations: number
  /** Operations of one seed ({@link OPERATIONS_OF_A_SEED}). */
  readonly length?: number
  /** Worlds that are run side by side, each in a thread of its own (1: in this one). What is reported is the same. */
  readonly threads?: number
  /** Told after each seed. */
  readonly onSeed?: (outcome: Outcome) => void
}

/** A seed that broke a law, taken down to what matters. */
export type Failing = {
  readonly seed: number
  readonly broken: Broken
  readonly replay: string
  readonly operations: readonly Operation[]
  readonly trace: readonly string[]
}

export type Report = {
  readonly seeds: number
  readonly operations: number
  /** Virtual time that passed in all worlds, in ms. */
  readonly passedMs: number
  readonly rare: ReadonlyMap<RareState, number>
  /** States that were never reached; a failure only for a run of full length. */
  readonly unreached: readonly RareState[]
  readonly failing: Failing | undefined
  readonly isFailed: boolean
}

/** Runs until the operations are done. The first broken law ends the run; of several at once, that of the first seed is told. */
export async function simulate(options: SimulationOptions): Promise<Report> {
  const { seed, operations, length = OPERATIONS_OF_A_SEED, threads = 1, onSeed } = options
  const rare = new Map<RareState, number>(RARE_STATES.map((state) => [state, 0]))
  const broken: Outcome[] = []
  let handedOut = 0
  let done = 0
  let passedMs = 0
  let next = seed
  const runSeeds = async ({ run }: Runner): Promise<void> => {
    while (handedOut < operations && broken.length === 0) {
      const size = Math.min(length, operations - handedOut)
      handedOut += size
      const outcome = await run(next++, size)
      done += outcome.operations
      passedMs += outcome.passedMs
      for (const [state, times] of outcome.rare) rare.set(state, (rare.get(state) ?? 0) + times)
      onSeed?.(outcome)
      if (outcome.broken.length > 0) broken.push(outcome)
    }
  }
  const runners = threads === 1 ? [runnerHere] : Array.from({ length: threads }, runnerInThread)
  try {
    await Promise.all(runners.map(runSeeds))
  } finally {
    await Promise.all(runners.map((runner) => runner.stop()))
  }
  const [first] = broken.sort((a, b) => a.seed - b.seed)
  const failing = first && (await lookAt(first))
  const unreached = RARE_STATES.filter((state) => rare.get(state) === 0)
  const isFailed = failing !== undefined || (operations >= FULL_LENGTH && unreached.length > 0)
  return { seeds: next - seed, operations: done, passedMs, rare, unreached, failing, isFailed }
}

async function lookAt({ seed, operations, broken: [before] }: Outcome): Promise<Failing | undefined> {
  if (!before) return undefined
  const { law } = before
  const only = await shrink(operationsOf(shapeOf(seed), operations), breaksLaw(seed, law), SHRINK_BUDGET)
  const shrunk = await runSeed(seed, { operations: only.length, only, keepTrace: true })
  const broken = shrunk.broken.find((each) => each.law === law)
  if (!broken)
    throw new Error(`Seed ${seed} broke "${law}" and did not break it again: the simulator is not deterministic`)
  const end = shrunk.trace.findIndex((line) => line.includes(` broken   `))
  return {
    seed,
    broken,
    replay: `holdfast simulate --seed ${seed} --operations ${operations} --length ${operations}`,
    operations: only,
    trace: shrunk.trace.slice(Math.max(0, end + 1 - TRACE_LINES), end + 1),
  }
}
