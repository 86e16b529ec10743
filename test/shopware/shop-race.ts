import type { Cart, Outcome, Placed } from './shop-carts.ts'
import { inParallel } from './shop-http.ts'

/**
 * Order calls of one cart in a race: the first, and one more after a refusal, as a buyer does who presses again. After a refusal of
 * Shopware's own the cart has lost its line, so that the second answer is `CHECKOUT__CART_EMPTY`.
 */
const MAX_ATTEMPTS = 2

/** What one cart met: its attempts in order. A call that was never answered is an attempt of its own kind. */
export type Racer = { readonly cart: Cart; readonly attempts: readonly Attempt[] }
export type Attempt = { readonly tookMs: number; readonly outcome: Outcome | { readonly unanswered: string } }

export type RaceResult = {
  readonly racers: readonly Racer[]
  /** Every order that some attempt was given. */
  readonly placed: readonly Placed[]
  readonly unitsPlaced: number
  readonly unanswered: number
  /** Answered order calls, second attempts among them. */
  readonly answered: number
  readonly tookMs: number
  /** Carts per second: second attempts are left out, since Shopware's answer to an emptied cart is far cheaper than a decision. */
  readonly finishedPerSecond: number
}

/**
 * Orders all carts at once, at most `concurrency` calls under way, and tries each refused one once more in the same lane.
 * The shop decides how many really run side by side: PHP's built-in server runs one request per worker.
 */
export async function raceCarts(
  carts: readonly Cart[],
  concurrency: number,
  order: (cart: Cart) => Promise<Outcome>,
): Promise<RaceResult> {
  const beganMs = performance.now()
  const racers = await inParallel(carts, concurrency, async (cart): Promise<Racer> => {
    const attempts: Attempt[] = []
    while (attempts.length < MAX_ATTEMPTS) {
      const attempt = await attemptOf(cart, order)
      attempts.push(attempt)
      // An unanswered call may have made its order: asking again would make a second one.
      if ('unanswered' in attempt.outcome || !attempt.outcome.refused) break
    }
    return { cart, attempts }
  })
  const tookMs = performance.now() - beganMs
  const outcomes = racers.flatMap((racer) => racer.attempts.map((attempt) => attempt.outcome))
  const answers = outcomes.filter((outcome): outcome is Outcome => !('unanswered' in outcome))
  const placed = answers.filter((outcome): outcome is Placed => !outcome.refused)
  return {
    racers,
    placed,
    unitsPlaced: placed.reduce((sum, one) => sum + one.lines.reduce((units, line) => units + line.units, 0), 0),
    unanswered: outcomes.length - answers.length,
    answered: answers.length,
    tookMs,
    finishedPerSecond: (racers.length * 1_000) / tookMs,
  }
}

/** The messages of all refusals with how often each came, for a test's output. */
export function refusalsOf(result: RaceResult): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { attempts } of result.racers)
    for (const { outcome } of attempts)
      if ('refused' in outcome && outcome.refused) {
        const message = `${outcome.http} ${outcome.messages.join('; ')}`.replaceAll(/[0-9a-f]{32}/g, '…')
        counts.set(message, (counts.get(message) ?? 0) + 1)
      }
  return counts
}

async function attemptOf(cart: Cart, order: (cart: Cart) => Promise<Outcome>): Promise<Attempt> {
  const beganMs = performance.now()
  const outcome = await order(cart).catch((error: unknown) => ({ unanswered: String(error) }))
  return { tookMs: performance.now() - beganMs, outcome }
}
