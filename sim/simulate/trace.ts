/** What happened, as a hash that two runs of one seed must share, and as lines for people when a seed is looked at. */

export interface Trace {
  readonly isKept: boolean
  /** `more` is only for people: it costs too much to be made for every seed. */
  note(what: string, detail: string, more?: () => string): void
  /** A hash over everything noted so far. */
  hash(): string
  lines(): readonly string[]
}

/** @param keep whether lines are kept; the hash is made of the same notes either way */
export function traceOf(now: () => number, begin: number, keep: boolean): Trace {
  let high = 0x811c9dc5
  let low = 0x9e3779b9
  const lines: string[] = []
  return {
    isKept: keep,
    note(what, text, more) {
      const at = now() - begin
      high = mix(high ^ at)
      for (let index = 0; index < what.length; index++) high = Math.imul(high ^ what.charCodeAt(index), 0x01000193)
      for (let index = 0; index < text.length; index++) low = Math.imul(low ^ text.charCodeAt(index), 0x01000193)
      if (keep) lines.push(`${(at / 1_000).toFixed(3).padStart(9)} ${what.padEnd(8)} ${text} ${more?.() ?? ''}`)
    },
    hash: () => (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0'),
    lines: () => lines,
  }
}

const mix = (value: number): number => Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
