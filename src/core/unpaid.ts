/**
 * What a failed payment does to the units of an order (H12). A payment that is retried never asks the checkout again, so somebody
 * must decide when the units go back, and a payment that comes after that must not find them sold to nobody's knowledge.
 *
 * A payment counts as failed only when every one that the order ever had failed or was cancelled: a buyer who changed the method
 * has a cancelled one beside the new one. A payment that is only late (a bank transfer, an invoice) has not failed, ever.
 */
import type { Configuration, ShopRules } from './configuration.ts'
import { after, type Instant, type ShopId } from './ids.ts'
import type { ShopOrder } from './shop-order.ts'

/**
 * `cancel`: we cancel the order in the shop, and that gives the units back. `soft`: the units go back, the order stays, and a later
 * payment is a new demand. `keep`: nothing happens until somebody cancels the order.
 */
export type PaymentFailed = 'cancel' | 'soft' | 'keep'

/** How long a buyer has to try again before his units go back: 30 minutes. */
export const PAYMENT_FAILED_AFTER_MS = 30 * 60_000

const FAILED: ReadonlySet<string> = new Set(['failed', 'cancelled'])
const LEFT: ReadonlySet<string> = new Set(['shipped', 'shipped_partially', 'returned', 'returned_partially'])

/** Whether an order's payments have failed, by Shopware's names of their states. An order without any waits for none. */
export const paymentFailed = (states: readonly string[]): boolean =>
  states.length > 0 && states.every((state) => FAILED.has(state))

/** Whether goods of an order have left, by Shopware's names of the states of its deliveries: then it is given up by nobody. */
export const goodsLeft = (states: readonly string[]): boolean => states.some((state) => LEFT.has(state))

/** The policy of a shop, with its grace in ms. */
export const unpaidPolicyOf = (
  rules: ShopRules | undefined,
): { readonly action: PaymentFailed; readonly afterMs: number } => ({
  action: rules?.kind === 'shopware' ? (rules.paymentFailed ?? 'cancel') : 'keep',
  afterMs: rules?.paymentFailedAfterMs ?? PAYMENT_FAILED_AFTER_MS,
})

/** Whether an order waits for a payment that failed, so that its grace runs. Goods that have left, and an order at its end, wait for none. */
export const isUnpaid = ({ state, paymentFailed: failed, goodsLeft: left }: ShopOrder): boolean =>
  failed === true && left !== true && (state === 'open' || state === 'in-progress')

/** Whether the grace of an unpaid order is over: by `soft` its lines want no units from then on. */
export function isGivenUp(
  { rules, now }: { readonly rules: Configuration; readonly now: Instant },
  { shop, order, unpaidSince }: { readonly shop: ShopId; readonly order: ShopOrder; readonly unpaidSince?: Instant },
): boolean {
  const { action, afterMs } = unpaidPolicyOf(rules.shops.get(shop))
  return action === 'soft' && unpaidSince !== undefined && isUnpaid(order) && after(unpaidSince, afterMs) <= now
}
