/**
 * Reads a shop's orders: the truth behind every hold (L2, L5). Webhooks only say "look now".
 *
 * One pass reads new orders (by running number, going back to the highest one that was known `orderInFlight` ago, because
 * numbers become readable out of order) and changed ones (a payment, a delivery or an edited line leaves the order's own time of
 * change alone). When both are complete, the watermark moves to the pass's beginning less `orderInFlight`: up to then every
 * order of the shop is known. Beside it, every open order that we count is read again in turn: what is gone is gone.
 */
import { createHash } from 'node:crypto'
import type { ShopRules } from '../core/configuration.ts'
import { after, type Instant, type Sku } from '../core/ids.ts'
import type { OrderCommand } from '../core/order.ts'
import type { ShopOrder } from '../core/shop-order.ts'
import { isUnpaid } from '../core/unpaid.ts'
import { Failure } from '../errors.ts'
import { type Lane, LaneBusy } from './lane.ts'
import type { ReadOrder, Shop } from './ports.ts'
import type { OrderTrail, ShopBook } from './shop-ports.ts'

export type OrderReaderPorts = {
  readonly shop: Shop
  readonly rules: () => ShopRules | undefined
  /** An order in the warehouse's units; as read if absent. */
  readonly inUnits?: (order: ReadOrder) => ReadOrder
  readonly book: ShopBook
  readonly lane: Lane
  /** Told after orders were recorded: words of the warehouse may wait for them. */
  readonly onRecorded: (orderNumbers: readonly string[]) => Promise<unknown>
  /**
   * Whether an id can be one of the shop's own orders; all can if absent. What other channels told us under a name of theirs the
   * shop has never heard of, and must not be taken for gone.
   */
  readonly mayHave?: (orderId: string) => boolean
  /** Told about an order that the lane threw at: it is not counted, and people have to look at it. */
  readonly onUnusable?: (orderNumber: string, cause: unknown) => Promise<unknown>
  /** Told which SKUs of the shop may have moved by themselves: a second cancel changes the shop's stock and nothing else (H31). */
  readonly onTouched: (skus: readonly Sku[]) => Promise<unknown>
}

/** Pages of one pass, a million orders: beyond it the pass fails, and neither watermark nor baseline moves on half a truth. */
const MAX_PAGES = 2_000
/** So many times `orderInFlight` after the baseline, the pass still goes back over orders from before it. */
const SKIP_COMPLETED_FOR = 3
/** Orders handed to the lane at once. */
const ORDERS_AT_ONCE = 100
/** Open orders that are read again in one round. */
const OPEN_ORDERS_AT_ONCE = 100
/** Orders whose last content is remembered, so that reading them again costs nothing. */
const REMEMBERED_ORDERS = 50_000
/** How far back the baseline looks for orders that were under way while it was read. */
const BASELINE_OVERLAP = 500

export type OrderReader = {
  /** Reads the open orders of a shop that has just been connected; nothing is published before it is done. */
  baseline(): Promise<void>
  /** One complete pass; moves the watermark. Returns when it began, on the database's clock. */
  pass(): Promise<Instant>
  /** Reads some of the open orders again; the whole set comes round. */
  readOpenAgain(): Promise<void>
  /** Reads these orders once more and records what they say, whatever was known of them. Those that are gone are missing from the answer. */
  readNow(orderIds: readonly string[]): Promise<readonly ReadOrder[]>
  /** Another process reads the shop now: what this one remembers of its orders may be old when it comes back. */
  forget(): void
}

export function orderReader(ports: OrderReaderPorts): OrderReader {
  const { shop, book } = ports
  const seen = new Map<string, string>()
  const missingSince = new Map<string, Instant>()
  let turn = ''

  const rules = (): ShopRules => {
    const found = ports.rules()
    if (!found) throw new Error('The shop is not configured any more')
    return found
  }

  /** Records what is new about these orders. An order that was read unchanged costs one hash. */
  async function record(
    read: readonly ReadOrder[],
    options: { baseline?: boolean; completedMayBeOld?: boolean; evenIfKnown?: boolean } = {},
  ): Promise<void> {
    const { shop: name, warehouseKnowsOrdersBefore } = rules()
    const orders = ports.inUnits ? read.map(ports.inUnits) : read
    const news = orders.filter((order) => options.evenIfKnown || seen.get(order.orderId) !== digest(order))
    for (let from = 0; from < news.length; from += ORDERS_AT_ONCE) {
      const slice = news.slice(from, from + ORDERS_AT_ONCE)
      const [unpaid, others] = [slice.filter(isUnpaid).map(idOf), slice.filter((each) => !isUnpaid(each)).map(idOf)]
      // First seen so now, unless it was before: the grace of its policy runs from there.
      const unpaidSince = await book.unpaidSince(name, unpaid)
      await book.notUnpaid(name, others)
      await Promise.all(
        slice.map(async (read) => {
          const { changedAt: _, ...order } = read
          const warehouseKnows =
            warehouseKnowsOrdersBefore !== undefined &&
            order.orderedAt !== undefined &&
            order.orderedAt < warehouseKnowsOrdersBefore
          const since = unpaidSince.get(order.orderId)
          const command: OrderCommand = {
            kind: 'order',
            shop: name,
            order,
            ...(since === undefined ? {} : { unpaidSince: since }),
            ...(options.baseline ? { baseline: { warehouseKnows } } : {}),
            ...(options.completedMayBeOld && order.state === 'completed' ? { ifKnown: true } : {}),
          }
          const isNew = !seen.has(order.orderId)
          const answer = await ports.lane
            .submit(command, { actor: `shop:${name}`, cause: `order:${order.orderNumber}` })
            .catch(async (cause: unknown) => {
              if (cause instanceof Failure || cause instanceof LaneBusy) throw cause
              // No rule can take this order, and the next pass tries again; but the orders behind it must not wait for ever.
              await ports.onUnusable?.(order.orderNumber, cause)
              // Not so at the baseline: it is read once, and nothing is published on half a truth.
              if (options.baseline) throw cause
            })
          if (answer === undefined) return
          const cameThroughCart = order.lines.some(({ lineKey }) => lineKey !== undefined)
          // Where a part was held, we were asked: the rest was added before the order could be read.
          const isUnasked = answer.unheldUnits > (answer.againUnits ?? 0) && answer.fromHoldsUnits === 0
          if (isNew && !options.baseline && isUnasked && cameThroughCart) await book.silenceByOrder(name)
          remember(read)
        }),
      )
      await ports.onTouched([...new Set(slice.flatMap(({ lines }) => lines.map(({ sku }) => sku)))])
      await ports.onRecorded(slice.map(({ orderNumber }) => orderNumber))
    }
  }

  function remember(order: ReadOrder): void {
    seen.delete(order.orderId)
    seen.set(order.orderId, digest(order))
    const [oldest] = seen.keys()
    if (seen.size > REMEMBERED_ORDERS && oldest !== undefined) seen.delete(oldest)
  }

  async function readNew(trail: OrderTrail, startedAt: Instant, completedMayBeOld: boolean): Promise<number> {
    const { orderInFlightMs } = rules()
    const settled = trail.known.filter(({ at }) => at <= after(startedAt, -orderInFlightMs)).at(-1) ?? trail.known[0]
    let from = settled?.number ?? 0
    let highest = trail.known.at(-1)?.number ?? 0
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { orders, highestNumber } = await shop.ordersAfter(from)
      if (highestNumber <= from) return Math.max(highest, highestNumber)
      await record(orders, { completedMayBeOld })
      from = highestNumber
      highest = Math.max(highest, highestNumber)
    }
    throw new Error(`More than ${MAX_PAGES} pages of new orders: the next pass goes on`)
  }

  async function readChanged(since: Instant): Promise<void> {
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const { orders, highestNumber } = await shop.ordersChangedSince(since, page)
      // Whatever is new has just been read by its number: a completed order that we do not know is from before the baseline, and
      // a refund or a return of today does not make it ours.
      await record(orders, { completedMayBeOld: true })
      if (highestNumber === 0) return
    }
    throw new Error(`More than ${MAX_PAGES} pages of changed orders`)
  }

  return {
    async baseline() {
      const { shop: name } = rules()
      const startedAt = await book.now()
      const shopClock = await shop.clock()
      const highest = await shop.highestNumber()
      let from = 0
      for (let page = 0; ; page += 1) {
        if (page === MAX_PAGES) throw new Error(`More than ${MAX_PAGES} pages of open orders`)
        const { orders, highestNumber } = await shop.openOrdersAfter(from)
        if (highestNumber <= from) break
        await record(orders, { baseline: true })
        from = highestNumber
      }
      const number = Math.max(0, highest - BASELINE_OVERLAP)
      await book.moveWatermark(name, { known: [{ at: startedAt, number }], shopClock }, undefined)
      await book.connected(name)
    },

    async pass() {
      const { shop: name, orderInFlightMs } = rules()
      const startedAt = await book.now()
      const shopClock = await shop.clock()
      const trail = await book.trail(name)
      // Without a beginning every order that the shop ever had would be new.
      if (trail.known.length === 0) throw new Error('The open orders of the shop have not been read yet')
      // Orders that were completed before we were connected are none of ours, even where the overlap shows them.
      const completedMayBeOld =
        trail.baselineAt !== undefined && startedAt < after(trail.baselineAt, SKIP_COMPLETED_FOR * orderInFlightMs)
      const highest = await readNew(trail, startedAt, completedMayBeOld)
      if (trail.shopClock !== undefined) await readChanged(after(trail.shopClock, -orderInFlightMs))
      const known = [...trail.known, { at: startedAt, number: highest }]
      const settledAt = known.findLastIndex(({ at }) => at <= after(startedAt, -orderInFlightMs))
      await book.moveWatermark(
        name,
        { known: known.slice(Math.max(0, settledAt)), shopClock },
        after(startedAt, -orderInFlightMs),
      )
      await book.readDone(name, startedAt)
      return startedAt
    },

    async readOpenAgain() {
      const { shop: name, orderInFlightMs } = rules()
      const counted = await book.openOrderIds(name, turn, OPEN_ORDERS_AT_ONCE)
      turn = counted.length < OPEN_ORDERS_AT_ONCE ? '' : (counted.at(-1) ?? '')
      const ids = counted.filter((orderId) => ports.mayHave?.(orderId) ?? true)
      if (ids.length === 0) return
      const found = await shop.ordersById(ids)
      // We count them still, whatever we knew of them when we read them last: an order that was completed before its units were
      // proved to have left is looked at again until they are.
      const isDone = ({ state }: ReadOrder): boolean => state === 'completed' || state === 'cancelled'
      await record(found.filter((order) => !isDone(order)))
      await record(found.filter(isDone), { evenIfKnown: true })
      const now = await book.now()
      for (const { orderId } of found) missingSince.delete(orderId)
      const present = new Set(found.map(({ orderId }) => orderId))
      const missing = ids.filter((orderId) => !present.has(orderId) && seen.get(orderId) !== GONE)
      for (const orderId of missing) {
        const since = missingSince.get(orderId) ?? now
        missingSince.set(orderId, since)
        // A copy of the shop's database that lags behind, or an order that its channel tells us first, is no deletion.
        if (now >= after(since, orderInFlightMs)) await recordGone(orderId)
      }
    },

    async readNow(orderIds) {
      const found = await shop.ordersById(orderIds)
      await record(found, { evenIfKnown: true })
      return found
    },

    forget() {
      seen.clear()
      missingSince.clear()
    },
  }

  /** The shop answered whole, again and again, and this order was not in it: it was deleted. */
  async function recordGone(orderId: string): Promise<void> {
    const { shop: name } = rules()
    const order: ShopOrder = { orderId, orderNumber: orderId, state: 'deleted', lines: [] }
    await ports.lane.submit(
      { kind: 'order', shop: name, order },
      { actor: `shop:${name}`, cause: `order-gone:${orderId}` },
    )
    await book.notUnpaid(name, [orderId])
    missingSince.delete(orderId)
    seen.set(orderId, GONE)
  }
}

const GONE = 'gone'

const idOf = ({ orderId }: ShopOrder): string => orderId

const digest = (order: ReadOrder): string => createHash('sha1').update(JSON.stringify(order)).digest('base64')
