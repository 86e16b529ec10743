/** Runs seeds until one breaks a law; started by `run.ts` inside a tree that has a bug planted. */
import { runSeed } from '../simulate/run.ts'

/** How many seeds it took, and what was found; without a seed nothing was. */
export type Found = { readonly tried: number; readonly seed?: number; readonly law?: string }

/** @param skip seeds that break a law by themselves */
export async function hunt(seeds: number, operations: number, skip: readonly number[]): Promise<Found> {
  let tried = 0
  for (let seed = 1; seed <= seeds; seed++) {
    if (skip.includes(seed)) continue
    tried += 1
    const { broken } = await runSeed(seed, { operations })
    const [first] = broken
    if (first) return { tried, seed, law: first.law }
  }
  return { tried }
}

if (process.argv[1] === import.meta.filename) {
  const [seeds = '200', operations = '250', skipped = ''] = process.argv.slice(2)
  const found = await hunt(Number(seeds), Number(operations), skipped.split(',').map(Number))
  process.stdout.write(`${JSON.stringify(found)}\n`)
}
