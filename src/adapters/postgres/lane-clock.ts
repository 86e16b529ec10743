/**
 * The database's clock between two of its answers: what it said last, carried on by the time that has passed here since. It lags by
 * the way of that answer and never goes back; whoever decides by it has the database say, in the transaction of the decision, that
 * it is right to within {@link MAX_LAG_MS}.
 */
import { type Instant, instantOf } from '../../core/ids.ts'

/** How far the moment of a decision may lie from the database's clock when it is written. */
export const MAX_LAG_MS = 1_000

export type LaneClock = {
  /** Tells what the database's clock just said. */
  heard(now: Instant): void
  /** The moment, as far as it is known; `undefined` before the first answer. */
  now(): Instant | undefined
}

/** @param passedMs a clock that only ever goes forward, whatever it counts from; Node's own if absent */
export function openLaneClock(passedMs: () => number = () => performance.now()): LaneClock {
  let known: { readonly now: number; readonly at: number } | undefined
  let last = 0
  return {
    heard(now) {
      known = { now, at: passedMs() }
      // It was set back: what we last said is no moment to wait for.
      if (now < last - MAX_LAG_MS) last = now
    },
    now() {
      if (!known) return undefined
      last = Math.max(last, Math.floor(known.now + passedMs() - known.at))
      return instantOf(last)
    },
  }
}
