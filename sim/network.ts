/** A road between neighbours on which messages get lost, come twice or overtake each other, all by the seed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'

/** What may happen to a message; probabilities from 0 to 1, all 0 if absent. */
export type RoadFaults = {
  /** The longest delay in ms; each message takes a random part of it. */
  readonly delay?: number
  readonly reorder?: number
  readonly duplicate?: number
  readonly lose?: number
}

/** Carries messages one after another. */
export interface Road {
  /** Hands a message over; `send` delivers it and does not reject. */
  carry(send: () => Promise<void>): void
  /** Lets go of what is held back and waits until nothing is under way. */
  settled(): Promise<void>
}

/**
 * A road with faults. A message that is to be overtaken waits for the next one, or for `settled`.
 *
 * @param faults may be changed while the road is in use
 * @param pause waits so many ms
 */
export function road(
  random: Random,
  faults: RoadFaults,
  pause: (ms: number) => Promise<void> = (ms) => delay(ms),
): Road {
  let tail: Promise<void> = Promise.resolve()
  let heldBack: (() => Promise<void>) | undefined
  const enqueue = (send: () => Promise<void>): void => {
    const waitMs = (faults.delay ?? 0) * random.next()
    tail = tail.then(async () => {
      if (waitMs > 0) await pause(waitMs)
      await send()
    })
  }
  const release = (): void => {
    const late = heldBack
    heldBack = undefined
    if (late !== undefined) enqueue(late)
  }
  return {
    carry(send) {
      if (random.chance(faults.lose ?? 0)) return
      if (heldBack === undefined && random.chance(faults.reorder ?? 0)) {
        heldBack = send
        return
      }
      enqueue(send)
      if (random.chance(faults.duplicate ?? 0)) enqueue(send)
      release()
    },
    async settled() {
      release()
      // Bounded by what was carried: a message does not carry another.
      for (let seen: Promise<void> | undefined; seen !== tail; ) {
        seen = tail
        await seen
      }
    },
  }
}
