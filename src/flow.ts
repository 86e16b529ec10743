/**
 * The whole system on one page. Every change is a command; commands go through one lane; the lane decides and appends in one
 * transaction (`core/decide.ts`, `adapters/postgres/lane.ts`). What follows are the steps around it: who brings commands, and
 * who acts on what was decided.
 *
 * ```
 *  WMS ──▶ receive ──▶ inbox ──▶ apply ──┐
 *                                        ├──▶ lane ──▶ ledger ──▶ dirty (shop, SKU) ──▶ publish ──▶ shop
 *  shop ──▶ hold · readOrders ───────────┤                 └────▶ seal
 *  clock ──▶ keepTime ───────────────────┘
 * ```
 *
 * Each step is harmless to repeat, and each is run by whichever process has time: several on one database are one Holdfast.
 */
import { answerCheckout } from './app/checkout.ts'
import { publishDue } from './app/publish.ts'
import { orderReader } from './app/read-orders.ts'
import { applyPending, receiveDelivery } from './app/receive.ts'
import { keepTime } from './app/shop-side.ts'

export const flow = {
  /** A warehouse's message → proved, split, validated → on disk, or a dead letter with its reason → acknowledged. */
  receive: receiveDelivery,
  /** What lies in the inbox → words → the lane, each exactly once. A word about an order that we have not read yet waits for it. */
  apply: applyPending,
  /** A shop asks before it writes an order → one hold for the whole basket, or the reason why not, within 2.5 s. */
  hold: answerCheckout,
  /** A shop's orders, new and changed → facts: holds become firm, cancelled units come back, the watermark moves on. */
  readOrders: orderReader,
  /** Holds that the watermark has passed → ended; rises of unordered sources that stood for a minute → in force. */
  keepTime,
  /** Dirty (shop, SKU) → present truth, and what the shop shows → an absolute value where the two do not fit. */
  publish: publishDue,
}
