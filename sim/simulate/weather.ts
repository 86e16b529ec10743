/** What is wrong with the world at the moment, and until when. Everything ends by itself, and a calm ends it at once. */
export interface Weather {
  /** Begins a trouble that lasts so many ms; a longer one that is on already goes on. */
  begin(trouble: string, ms: number): void
  is(trouble: string): boolean
  /** Ends everything, and lets chance do no more harm until {@link stormy}. */
  calm(): void
  stormy(): void
  readonly isCalm: () => boolean
  /** When anything was last wrong. */
  lastTroubleAt(): number
}

/** @param now the clock, in ms */
export function weatherOn(now: () => number): Weather {
  const until = new Map<string, number>()
  let calm = false
  let last = 0
  return {
    begin(trouble, ms) {
      until.set(trouble, Math.max(until.get(trouble) ?? 0, now() + ms))
    },
    is: (trouble) => (until.get(trouble) ?? 0) > now(),
    calm() {
      last = this.lastTroubleAt()
      until.clear()
      calm = true
    },
    stormy() {
      calm = false
    },
    isCalm: () => calm,
    lastTroubleAt: () => Math.max(last, ...[...until.values()].map((end) => Math.min(end, now()))),
  }
}
