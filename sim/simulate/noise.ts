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
  let namedAt = -1
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
    // A name hangs on its moment too, and its number within the moment makes it the only one.
    hex(digits) {
      const at = now() % 2 ** 32
      if (at !== namedAt) {
        namedAt = at
        named = 0
      }
      named += 1
      const eight = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')
      const scattered = mixed(mixed(base ^ at) + Math.imul(named, 0x9e3779b9))
      return (eight(scattered) + eight(at) + eight(base ^ Math.imul(named, 0x01000193)))
        .padEnd(digits, '0')
        .slice(0, digits)
    },
  }
}

/**
 * One of a list, so chosen that it stays the chosen one when others leave the list or come to it: the name that goes best with
 * the number. An operation that is taken out of a story changes what later ones are about only where it must.
 */
export function chosenFrom<T>(list: readonly T[], pick: number, nameOf: (one: T) => string): T | undefined {
  let best: T | undefined
  let highest = -1
  for (const one of list) {
    let mark = pick
    for (const letter of nameOf(one)) mark = Math.imul(mark ^ (letter.codePointAt(0) ?? 0), 0x01000193)
    const worth = mixed(mark)
    if (worth <= highest) continue
    highest = worth
    best = one
  }
  return best
}

/** The finaliser of murmur3: every bit of the answer hangs on every bit of the question. */
function mixed(value: number): number {
  let word = value >>> 0
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}
