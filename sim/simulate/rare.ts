/**
 * States that a run must have reached at least once: "sometimes" assertions. A simulator that never gets there proves nothing
 * about them, so a run of full length fails when one is missing.
 */
export const RARE_STATES = [
  // ── checkout ──
  'hold granted',
  'hold refused: sold out',
  'hold refused: order being placed',
  'hold refused: own previous attempt open',
  'buyer takes the last unit',
  'basket of two SKUs granted whole',
  'basket of two SKUs refused whole',
  'cart cut by the shop before it asked',
  'sold-out line thrown out before the shop asked',
  'second basket under the same token',
  'attempt that never became an order',
  'shop went on: nobody answered',
  'shop went on: the answer came too late',
  'answer lost on its way, hold kept',
  'undecided, blocked by policy',
  'undecided, allowed by policy',
  'yes by policy became an attempt',
  'asked while the shop was unread after a silence',
  'page view told that it is too much',
  // ── holds and orders ──
  'order took its hold',
  'order found part of its hold',
  'hold expired by the watermark',
  'hold expired and its order came after',
  'order read before its decrement',
  'decrement lost',
  'order numbers appeared out of order',
  'order cancelled',
  'cancelled order cancelled again',
  'cancelled order reopened',
  'line edited in silence',
  'line deleted in silence',
  'order deleted',
  'open order found gone by reading it again',
  'order without a hold recorded as a fact',
  'shortage raised by a fact',
  'shortage served when goods came',
  'cancelled after the warehouse had allocated',
  'order that vanished before it was read',
  'hold lost its units before its order came',
  // ── the warehouse ──
  'figure in force',
  'figure late',
  'figure repeated',
  'figure of an unordered source waits',
  'waiting rise came into force',
  'figure below its pegs, nothing moved',
  'peg lost to a lower figure',
  'peg moved to another warehouse',
  'units contained by sequence',
  'units contained by clock',
  'units contained by open orders',
  'units contained by margin',
  'contained units no longer contained',
  'rise charged',
  'rise charged, then explained',
  'word before its order was read',
  'parked word woken by its order',
  'word repeated',
  'same message delivered twice',
  'word overtaken by a later one',
  'units short at picking',
  'allocation taken back',
  'shipped and included',
  'restart disputed',
  'restart with a new epoch',
  'operator trusted a restarted source',
  'transfer between warehouses',
  'stock-take found fewer',
  // ── channels ──
  'channel held by key',
  'channel replaced its hold',
  'channel placed its hold',
  'channel asked again after a lost answer',
  'channel released its hold',
  'channel hold ended by its own moment',
  // ── shops and publishing ──
  'number lowered in the shop',
  'number raised in the shop',
  'rise had to wait after a silence',
  'write met a deadlock',
  'write with unknown outcome',
  'foreign write put right',
  'webhook lost',
  'webhook switched off after ten failures',
  'order found without any webhook',
  'other shops counted as sold while unread',
  'silence begun by an order without a hold',
  'silence ended',
  // ── faults ──
  'crash between commit and answer',
  'crash in the middle of a round',
  'crash while a message was being received',
  'restart in order',
  'database away',
  'database slow at checkout',
  'commit whose outcome is unknown',
  'admin API away',
  'checkout cut off from Holdfast',
  "a shop's clock jumped",
  'calm in the middle of the story',
] as const

export type RareState = (typeof RARE_STATES)[number]

/** Counts of what was reached. */
export interface Sightings {
  saw(state: RareState): void
  readonly counts: ReadonlyMap<RareState, number>
}

/** Begins to count. */
export function sightings(): Sightings {
  const counts = new Map<RareState, number>()
  return { counts, saw: (state) => void counts.set(state, (counts.get(state) ?? 0) + 1) }
}
