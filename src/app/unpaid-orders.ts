/**
 * Gives up orders whose payment failed, once their grace is over (H12). The order is read again first: a payment that came in the
 * meantime is seen, and an order that somebody cancelled is not cancelled twice (H31).
 *
 * By `soft` reading is all: the rule sees that the grace is over and gives the units back. By `cancel` we take the shop's own step,
 * read the order once more, and its state gives them back. In between nothing is counted twice, for nothing is counted by steps.
 */
import type { ShopRules } from '../core/configuration.ts'
import { isUnpaid, unpaidPolicyOf } from '../core/unpaid.ts'
import type { ReadOrder, ShopActs } from './ports.ts'
import type { OrderReader } from './read-orders.ts'
import type { ShopBook, ShopIncident } from './shop-ports.ts'

export type UnpaidPorts = {
  readonly rules: () => ShopRules | undefined
  readonly book: Pick<ShopBook, 'dueUnpaid' | 'notUnpaid' | 'dealtWith'>
  readonly reader: Pick<OrderReader, 'readNow'>
  /** Absent where the shop lets nobody act on its orders: then none is cancelled. */
  readonly acts: Pick<ShopActs, 'cancelOrder'> | undefined
  readonly onIncident: (incident: ShopIncident) => Promise<unknown>
  readonly onSettled: (code: ShopIncident['code'], key: string) => Promise<unknown>
}

/** Orders that are read at once. */
const AT_ONCE = 100
/** How often the shop is looked through for orders whose grace is over. */
export const UNPAID_EVERY_MS = 2_000

/** One round. Returns whether there may be more to do at once. */
export async function giveUpUnpaid(ports: UnpaidPorts): Promise<boolean> {
  const rules = ports.rules()
  const { action, afterMs } = unpaidPolicyOf(rules)
  if (!rules || action === 'keep') return false
  const due = await ports.book.dueUnpaid(rules.shop, afterMs, AT_ONCE)
  if (due.length === 0) return false
  const found = await ports.reader.readNow(due)
  const gone = due.filter((orderId) => !found.some((order) => order.orderId === orderId))
  await ports.book.notUnpaid(rules.shop, gone)
  const unpaid = found.filter(isUnpaid)
  if (action === 'soft') {
    await ports.book.dealtWith(
      rules.shop,
      unpaid.map(({ orderId }) => orderId),
    )
    return due.length === AT_ONCE
  }
  if (!ports.acts) return false
  for (const order of unpaid) await cancel(ports, rules, ports.acts, order)
  return due.length === AT_ONCE
}

/** Cancels one order in the shop. What failed on the way is tried again with the next round, after the order was read anew. */
async function cancel(
  { book, reader, onIncident, onSettled }: UnpaidPorts,
  { shop }: ShopRules,
  acts: Pick<ShopActs, 'cancelOrder'>,
  { orderId, orderNumber }: ReadOrder,
): Promise<void> {
  const key = `${shop}/${orderId}`
  const outcome = await acts.cancelOrder(orderId)
  if (outcome.done) {
    await onSettled('ORDER_NOT_CANCELLED', key)
    await reader.readNow([orderId])
    return
  }
  // A person has to look: until then it keeps its units, as any order does that is not cancelled.
  const cause = `order ${orderNumber} was not paid, and the shop refuses to cancel it: ${outcome.reason}`
  await onIncident({ code: 'ORDER_NOT_CANCELLED', key, shop, cause })
  await book.dealtWith(shop, [orderId])
}
