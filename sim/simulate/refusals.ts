/** Judges what a buyer is told when he is refused: the reasons that blame himself must be true (L5, H36). */
import type { CheckoutCall } from '../../src/app/checkout.ts'
import type { CheckoutAnswer } from './holdfast.ts'

/** An attempt is open for `orderInFlight`, and is given up a little later. */
const GIVEN_UP_WITHIN_MS = 15_000

export interface Refusals {
  /** A shop asks. Returns what to do with what Holdfast answers, heard or not. */
  asked(shop: string, call: CheckoutCall): (answer: CheckoutAnswer | undefined) => void
}

/** @param inFlightMs how long an attempt of a shop is open */
export function refusalsOf(
  now: () => number,
  inFlightMs: (shop: string) => number,
  breaks: (law: string, detail: string) => void,
): Refusals {
  /** The last calls with a line's stamp that may have become an order. */
  const attempts = new Map<string, { readonly call: CheckoutCall; readonly at: number }[]>()
  return {
    asked(shop, call) {
      const keys = call.lines.flatMap(({ lineKey }) => lineKey ?? [])
      if (call.isOrderCall && !call.cartBlocked)
        for (const key of keys) attempts.set(key, [...(attempts.get(key) ?? []), { call, at: now() }].slice(-5))
      return (answer) => {
        for (const { key } of answer?.objections ?? []) {
          if (key !== 'ORDER_BEING_PLACED' && key !== 'PREVIOUS_ATTEMPT_OPEN') continue
          const since = now() - inFlightMs(shop) - GIVEN_UP_WITHIN_MS
          const isTrue = keys.some((each) =>
            attempts.get(each)?.some(({ call: other, at }) => other !== call && at > since),
          )
          if (!isTrue)
            breaks('told why', `${shop} was refused with ${key}, and no order call of that cart is under way`)
        }
      }
    },
  }
}
