/** Finds the few operations that matter: takes parts of the list away as long as the same law breaks (delta debugging, bounded). */
import type { Operation } from './operations.ts'
import { runSeed } from './run.ts'

/** Whether a list of operations still breaks the law. */
export type Breaks = (only: readonly Operation[]) => Promise<boolean>

/** Whether a seed's world breaks a law by these operations; another law breaking is another story. */
export const breaksLaw =
  (seed: number, law: string): Breaks =>
  async (only) => {
    const { broken } = await runSeed(seed, { operations: only.length, only })
    return broken.some((each) => each.law === law)
  }

/**
 * @param budget operations that may be run for it, over all tries
 * @returns a shorter list that breaks the same law
 */
export async function shrink(
  operations: readonly Operation[],
  isBroken: Breaks,
  budget: number,
): Promise<readonly Operation[]> {
  let left = budget
  const breaks: Breaks = async (only) => {
    left -= only.length + COST_OF_A_WORLD
    return await isBroken(only)
  }
  let kept = operations
  // Whole kinds first: most of what happens has nothing to do with it.
  for (const kind of new Set(operations.map((each) => each.kind))) {
    const rest = kept.filter((each) => each.kind !== kind)
    if (left > 0 && (await breaks(rest))) kept = rest
  }
  for (let parts = 2; left > 0 && kept.length > 1; ) {
    const size = Math.ceil(kept.length / parts)
    let isShorter = false
    // From the end: what came last is least often the cause.
    for (let from = Math.floor((kept.length - 1) / size) * size; from >= 0 && left > 0; from -= size) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)]
      if (rest.length === kept.length || !(await breaks(rest))) continue
      kept = rest
      isShorter = true
    }
    if (size === 1 && !isShorter) break
    parts = isShorter ? Math.max(2, Math.min(parts, kept.length)) : Math.min(kept.length, parts * 2)
  }
  return kept
}

/** A world costs about as much as so many operations, before the first one. */
const COST_OF_A_WORLD = 50
