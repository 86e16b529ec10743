/** What Holdfast remembers of each connected shop, in memory: the twin of `postgres/shop-store.ts`. */
import type { OrderTrail, ShopBook, ShopState, ShopStatus } from '../../app/shop-ports.ts'
import { isHeld, isLive } from '../../core/demand.ts'
import { riseDueAt } from '../../core/figure.ts'
import { after, type Instant, type ShopId } from '../../core/ids.ts'
import { demandAt, type MemoryStore, markDirty, type ShopRow } from './store.ts'

/** When nobody has given a sign of life for so long, shops may have gone on by themselves. */
const HEARTBEAT_LOST_AFTER_MS = 5_000

/** The shop side's memory. */
export function shopBookOn(store: MemoryStore): ShopBook {
  const rowOf = (shop: ShopId, state: ShopState): ShopRow => {
    const found = store.shops.get(shop)
    if (found) return found
    const made: ShopRow = {
      state,
      baselineAt: undefined,
      silentFrom: undefined,
      silenceNoticedAt: undefined,
      returnedAt: undefined,
      readSinceReturn: true,
    }
    store.shops.set(shop, made)
    return made
  }
  const momentOf = (shop: ShopId): Instant | undefined => store.watermarks.get(shop)?.moment

  return {
    now: async () => store.now(),

    all: async () =>
      [...store.shops].map(
        ([shop, row]): ShopStatus => ({
          shop,
          state: row.state,
          baselineAt: row.baselineAt,
          silentFrom: row.silentFrom,
          returnedAt: row.returnedAt,
          readSinceReturn: row.readSinceReturn,
          watermark: momentOf(shop),
        }),
      ),

    async setState(shop, state) {
      rowOf(shop, state).state = state
    },

    async released(shop) {
      const row = rowOf(shop, 'gone')
      if (row.state === 'releasing') row.state = 'gone'
    },

    // A shop without a page cache: there is nothing to clear.
    async pagesCleared() {},

    async registered(shop) {
      const row = rowOf(shop, 'registered')
      // A shop that was retired begins anew.
      if (row.state === 'retired') row.baselineAt = undefined
      row.state = row.baselineAt === undefined ? 'registered' : 'connected'
    },

    async connected(shop) {
      const stream = `shop:${shop}`
      const version = store.ledger.filter((entry) => entry.stream === stream).length + 1
      store.ledger.push({
        stream,
        version,
        at: new Date(store.now()).toISOString(),
        kind: 'baseline',
        actor: stream,
        cause: 'connected',
        configuration: 1,
        body: { openOrders: 'read' },
      })
      const row = rowOf(shop, 'connected')
      row.state = 'connected'
      row.baselineAt = store.now()
      for (const table of store.skusById) if (table.shelves.size > 0) markDirty(store, shop, table.id, 'at once')
    },

    async trail(shop) {
      const kept = store.watermarks.get(shop)?.trail
      const trail: Pick<OrderTrail, 'known' | 'shopClock'> =
        kept === undefined ? { known: [], shopClock: undefined } : JSON.parse(kept)
      return { baselineAt: store.shops.get(shop)?.baselineAt, known: trail.known, shopClock: trail.shopClock }
    },

    async moveWatermark(shop, trail, moment) {
      const before = momentOf(shop)
      const later = moment === undefined || (before !== undefined && before > moment) ? before : moment
      store.watermarks.set(shop, { moment: later, trail: JSON.stringify(trail) })
    },

    async silence(shop, from) {
      const row = store.shops.get(shop)
      if (row?.state !== 'connected') return
      row.silentFrom = row.silentFrom === undefined || from < row.silentFrom ? from : row.silentFrom
      row.silenceNoticedAt = store.now()
      row.returnedAt = undefined
      row.readSinceReturn = false
    },

    async silenceByOrder(shop) {
      const row = store.shops.get(shop)
      if (row?.state !== 'connected' || row.silentFrom !== undefined) return
      row.silentFrom = store.now()
      row.silenceNoticedAt = store.now()
      row.returnedAt = undefined
      row.readSinceReturn = false
    },

    async returned(shop) {
      const row = store.shops.get(shop)
      if (row?.silentFrom !== undefined && row.returnedAt === undefined) row.returnedAt = store.now()
    },

    async assumeReturned(afterMs) {
      for (const row of store.shops.values()) {
        if (row.silentFrom === undefined || row.returnedAt !== undefined) continue
        if (row.silenceNoticedAt !== undefined && row.silenceNoticedAt < store.now() - afterMs)
          row.returnedAt = store.now()
      }
    },

    async readDone(shop, startedAt) {
      const row = store.shops.get(shop)
      if (row?.returnedAt === undefined || !store.watermarks.has(shop)) return
      const { returnedAt } = row
      row.readSinceReturn ||= returnedAt <= startedAt
      const moment = momentOf(shop)
      if (moment === undefined || moment < returnedAt) return
      row.silentFrom = undefined
      row.returnedAt = undefined
    },

    async lastHeartbeat() {
      return lastOf(store)
    },

    async heartbeat(me) {
      const last = lastOf(store)
      store.heartbeats.set(me, store.now())
      return last !== undefined && last < store.now() - HEARTBEAT_LOST_AFTER_MS ? last : undefined
    },

    async farewell(me) {
      if (store.heartbeats.has(me)) store.heartbeats.set(me, store.now())
    },

    async dueHolds(limit) {
      const due: { readonly shop: ShopId; readonly sku: string; readonly watermark: Instant | undefined }[] = []
      const now = store.now()
      for (const table of store.skusById) {
        const shops = new Set<ShopId>()
        for (const no of table.live) {
          const demand = demandAt({ table, no })
          const { deadline, shop } = demand
          if (!isHeld(demand) || !deadline || shops.has(shop)) continue
          const moment = momentOf(shop)
          const isDue =
            deadline.kind === 'moment' ? deadline.at <= now : moment !== undefined && deadline.calledAt < moment
          if (isDue) shops.add(shop)
        }
        for (const shop of shops) due.push({ shop, sku: table.sku, watermark: momentOf(shop) })
      }
      return due.slice(0, limit)
    },

    async dueRises(limit) {
      const now = after(store.now(), 0)
      const isDue = (due: Instant | undefined): boolean => due !== undefined && due <= now
      return store.skusById
        .filter(({ shelves }) => [...shelves.values()].some((shelf) => isDue(riseDueAt(shelf))))
        .slice(0, limit)
        .map(({ sku }) => sku)
    },

    async unpaidSince(shop, orderIds) {
      for (const orderId of orderIds) {
        const key = `${shop}/${orderId}`
        if (!store.unpaid.has(key)) store.unpaid.set(key, { shop, orderId, since: store.now(), dealtWith: false })
      }
      const known = orderIds.flatMap((orderId) => store.unpaid.get(`${shop}/${orderId}`) ?? [])
      return new Map(known.map(({ orderId, since }) => [orderId, since]))
    },

    async notUnpaid(shop, orderIds) {
      for (const orderId of orderIds) store.unpaid.delete(`${shop}/${orderId}`)
    },

    async dueUnpaid(shop, afterMs, limit) {
      return [...store.unpaid.values()]
        .filter((row) => row.shop === shop && !row.dealtWith && after(row.since, afterMs) <= store.now())
        .slice(0, limit)
        .map(({ orderId }) => orderId)
    },

    async dealtWith(shop, orderIds) {
      for (const orderId of orderIds) {
        const row = store.unpaid.get(`${shop}/${orderId}`)
        if (row) row.dealtWith = true
      }
    },

    async openOrderIds(shop, from, limit) {
      const ids = new Set<string>()
      for (const table of store.skusById) {
        for (const no of table.live) {
          const demand = demandAt({ table, no })
          const id = demand.orderLine?.orderId
          if (isLive(demand) && demand.shop === shop && id !== undefined && id > from) ids.add(id)
        }
      }
      return [...ids].sort().slice(0, limit)
    },
  }
}

function lastOf(store: MemoryStore): Instant | undefined {
  let last: Instant | undefined
  for (const at of store.heartbeats.values()) if (last === undefined || at > last) last = at
  return last
}
