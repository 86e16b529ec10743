/** Finds the few operations that matter: takes parts of the list away as long as the same law breaks (delta debugging, bounded). */
import type { Operation } from './operations.ts'
import { runSeed } from './run.ts'

/**
 * @param law the law that broke; another one breaking is another story
 * @param budget operations that may be run for it, over all tries
 * @returns a shorter list that breaks the same law
 */
export async function shrink(
  seed: number,
  operations: readonly Operation[],
  law: string,
  budget: number,
): Promise<readonly Operation[]> {
  let left = budget
  const breaks = async (only: readonly Operation[]): Promise<boolean> => {
    left -= only.length + COST_OF_A_WORLD
    const { broken } = await runSeed(seed, { operations: only.length, only })
    return broken.some((each) => each.law === law)
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
