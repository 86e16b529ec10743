/** Chance with a seed: the same seed tells the same story again. */

/** A stream of chance. */
export interface Random {
  /** 0 up to, but not including, 1. */
  next(): number
  /** A whole number from 0 up to, but not including, `below`. */
  whole(below: number): number
  /** Whether something of this probability (0 to 1) happens now. */
  chance(probability: number): boolean
  /** One of the list; throws a `RangeError` where it is empty. */
  pick<T>(list: readonly T[]): T
  /** So many hex digits: made-up ids, never a secret that guards anything real. */
  hex(digits: number): string
}

/** The generator sfc32, started from one number. Good enough for stories, never for secrets. */
export function seededRandom(seed: number): Random {
  let [a, b, c, counter] = [seed >>> 0, 0x9e3779b9, 0x243f6a88, 1]
  const word = (): number => {
    const sum = (((a + b) >>> 0) + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = (b ^ (b >>> 9)) >>> 0
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round++) word()
  const next = () => word() / 2 ** 32
  const whole = (below: number) => Math.floor(next() * below)
  return {
    next,
    whole,
    chance: (probability) => next() < probability,
    pick(list) {
      const chosen = list[whole(list.length)]
      if (chosen === undefined) throw new RangeError('nothing to pick from')
      return chosen
    },
    hex: (digits) => Array.from({ length: digits }, () => whole(16).toString(16)).join(''),
  }
}

/** A seed from a name, so that two neighbours of different names never give out the same ids. */
export const seedOf = (name: string): number =>
  [...name].reduce((seed, letter) => (Math.imul(seed, 31) + (letter.codePointAt(0) ?? 0)) >>> 0, 7)

/** Rounds until neighbouring seeds have parted. */
const WARM_UP_ROUNDS = 15
