/**
 * Chance that hangs on the seed, the moment and the place alone, so that a story from which an operation was taken out goes on
 * as it was: shrinking depends on it.
 */
import type { Random } from '../random.ts'

/** A stream of chance for one place of the world. */
export interface Noise extends Random {
  /** From `least` up to and including `most`. */
  between(least: number, most: number): number
}

/** @param now the clock, in ms: two questions of one moment differ by their order */
export function noiseOf(seed: number, place: string, now: () => number): Noise {
  let base = seed >>> 0
  for (const letter of place) base = mixed(base ^ (letter.codePointAt(0) ?? 0))
  let moment = -1
  let asked = 0
  let named = 0
  const next = (): number => {
    const at = now()
    if (at !== moment) {
      moment = at
      asked = 0
    }
    asked += 1
    return mixed(mixed(base ^ (at % 2 ** 31)) + Math.imul(asked, 0x9e3779b9)) / 2 ** 32
  }
  const whole = (below: number): number => Math.floor(next() * below)
  return {
    next,
    whole,
    chance: (probability) => probability > 0 && next() < probability,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick(list) {
      const chosen = list[whole(list.length)]
      if (chosen === undefined) throw new RangeError('nothing to pick from')
      return chosen
    },
    // Names, unlike chance, are only counted: ids must be unique, and cheap.
    hex(digits) {
      named += 1
      const scattered = mixed(base + named)
        .toString(16)
        .padStart(8, '0')
      return (scattered + named.toString(16).padStart(8, '0') + base.toString(16).padStart(8, '0'))
        .padEnd(digits, '0')
        .slice(0, digits)
    },
  }
}

/** The finaliser of murmur3: every bit of the answer hangs on every bit of the question. */
function mixed(value: number): number {
  let word = value >>> 0
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}
