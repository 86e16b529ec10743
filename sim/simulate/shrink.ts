/** Finds the few operations that matter: takes parts of the list away as long as the same law breaks (delta debugging, bounded). */
import type { Operation } from './operations.ts'
import { runSeed } from './run.ts'

/**
 * @param law the law that broke; another one breaking is another story
 * @param tries runs at most
 * @returns a shorter list that breaks the same law
 */
export async function shrink(
  seed: number,
  operations: readonly Operation[],
  law: string,
  tries: number,
): Promise<readonly Operation[]> {
  let left = tries
  const breaks = async (only: readonly Operation[]): Promise<boolean> => {
    left -= 1
    const { broken } = await runSeed(seed, { operations: only.length, only })
    return broken[0]?.law === law
  }
  let kept = operations
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
