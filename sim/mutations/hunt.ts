/**
 * Runs seeds until one breaks a law that can be seen from outside; started by `run.ts` as a process of its own, with a bug planted:
 * `node hunt.ts BUG|- FROM SEEDS OPERATIONS [SKIPPED,…]`. Prints what it found as one line of JSON.
 */
import { plant } from './plant.ts'

/** What one process is to look for. */
export type Hunt = {
  readonly from: number
  readonly seeds: number
  readonly operations: number
  /** Seeds that break a law without any bug: they find none. */
  readonly skip: readonly number[]
  /** All seeds, not only up to the first that breaks a law. */
  readonly isExhaustive?: boolean
}

/** How many seeds were tried, and those that broke a law. */
export type Found = {
  readonly tried: number
  readonly broken: readonly { readonly seed: number; readonly law: string }[]
}

export async function hunt({ from, seeds, operations, skip, isExhaustive }: Hunt): Promise<Found> {
  const { runSeed } = await import('../simulate/run.ts')
  const found: { seed: number; law: string }[] = []
  let tried = 0
  for (let seed = from; seed < from + seeds; seed++) {
    if (skip.includes(seed)) continue
    tried += 1
    const { broken } = await runSeed(seed, { operations, isHard: seed % 2 === 0, isOutsideOnly: true })
    const [first] = broken
    if (first) found.push({ seed, law: first.law })
    if (first && !isExhaustive) break
  }
  return { tried, broken: found }
}

if (process.argv[1] === import.meta.filename) {
  const [bug = '-', from = '1', seeds = '200', operations = '300', skip = ''] = process.argv.slice(2)
  if (bug !== '-') plant(bug)
  const found = await hunt({
    from: Number(from),
    seeds: Number(seeds),
    operations: Number(operations),
    skip: skip.split(',').map(Number),
    isExhaustive: bug === '-',
  })
  process.stdout.write(`${JSON.stringify(found)}\n`)
}
