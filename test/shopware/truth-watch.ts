/** Samples what a shop shows for one SKU beside what is true at that time: a number above it is a unit that does not exist. */
import type { RealShop } from './real-shop.ts'

/** One number that was above the truth of its time, in milliseconds since the watch began. */
export type TooMuch = { readonly atMs: number; readonly shownUnits: number; readonly trueUnits: number }

export type TruthWatch = {
  /** Does something after which other units are true; while it is under way either may be. */
  act<Result>(unitsAfter: number, doing: () => Promise<Result>): Promise<Result>
  /** Ends the watch: how often it looked, what it saw, and what was too much. */
  stop(): Promise<{
    readonly looks: number
    readonly shown: readonly (number | undefined)[]
    readonly tooMuch: readonly TooMuch[]
  }>
}

/** Looks every 50 ms. What a look saw was true at some moment while it was under way, so the highest truth of that time is its bound. */
export async function watchTruth(shop: RealShop, sku: string, units: number): Promise<TruthWatch> {
  const beganMs = performance.now()
  const watch = shop.watchStock([sku], 50)
  const truths = [{ fromMs: 0, units }]
  const hold = (most: number): number => truths.push({ fromMs: performance.now() - beganMs, units: most })
  let now = units
  const highest = (fromMs: number, toMs: number): number =>
    Math.max(
      ...truths
        .filter(
          (truth, place) => truth.fromMs <= toMs && (truths[place + 1]?.fromMs ?? Number.POSITIVE_INFINITY) >= fromMs,
        )
        .map((truth) => truth.units),
    )
  await watch.begun
  return {
    async act(unitsAfter, doing) {
      hold(Math.max(now, unitsAfter))
      const result = await doing()
      hold(unitsAfter)
      now = unitsAfter
      return result
    },
    async stop() {
      const samples = await watch.stop()
      return {
        looks: samples.length,
        shown: samples.map(({ stock }) => stock.get(sku)).filter((seen, place, all) => seen !== all[place - 1]),
        tooMuch: samples.flatMap(({ atMs, tookMs, stock }) => {
          const shownUnits = stock.get(sku) ?? 0
          const trueUnits = highest(atMs, atMs + tookMs)
          return shownUnits > trueUnits ? [{ atMs, shownUnits, trueUnits }] : []
        }),
      }
    },
  }
}
