/**
 * Watches the webhooks by which a shop tells us what changed. Shopware switches one off for good after ten deliveries that it gave
 * up; from then on it sends nothing and logs nothing. So each is looked at once a minute, switched on again, and what was lost is
 * read back: first what the shop's log still has, as hints, then everything, by reading the orders and comparing every number.
 */
import { after, type Instant, type ShopId } from '../core/ids.ts'
import type { Hook, LostNews, ShopCare } from './ports.ts'
import type { ShopIncident } from './shop-ports.ts'

export type WatchPorts = {
  readonly shop: ShopId
  readonly care: Pick<ShopCare, 'webhooks' | 'switchOn' | 'lostSince'>
  readonly now: () => Promise<Instant>
  /** Somebody wrote these products: compare. */
  readonly onProducts: (productIds: readonly string[], byOthers: readonly string[]) => Promise<unknown>
  readonly onOrders: () => void
  /** Compare every number of the shop. */
  readonly compareAll: () => Promise<unknown>
  readonly onIncident: (incident: ShopIncident) => Promise<unknown>
  readonly onSettled: (code: ShopIncident['code'], key: string) => Promise<unknown>
}

/** How often. */
export const WATCH_EVERY_MS = 60_000
/** How far back the first look reads the shop's log: its clock may differ, and a doubled hint does no harm. */
const FIRST_LOOK_MS = 60 * 60_000
const OVERLAP_MS = 5 * 60_000

/** Makes the round of one shop; remembers between rounds since when everything was in order. */
export function webhookWatch(ports: WatchPorts): () => Promise<void> {
  const { shop, care } = ports
  let goodAt: Instant | undefined

  return async () => {
    const now = await ports.now()
    const hooks = await care.webhooks()
    const off = hooks.filter(({ isActive }) => !isActive)
    const failing = hooks.filter(({ failures }) => failures > 0)
    if (off.length === 0 && failing.length === 0) {
      await ports.onSettled('WEBHOOK_SWITCHED_OFF', shop)
      goodAt = now
      return
    }
    if (off.length > 0) {
      await ports.onIncident({ code: 'WEBHOOK_SWITCHED_OFF', key: shop, shop, cause: causeOf(off) })
      for (const { id } of off) await care.switchOn(id)
    }
    await obey(await care.lostSince(goodAt === undefined ? after(now, -FIRST_LOOK_MS) : after(goodAt, -OVERLAP_MS)))
    // While it was off, nothing was logged either.
    if (off.length > 0) await ports.compareAll()
    else await ports.onSettled('WEBHOOK_SWITCHED_OFF', shop)
  }

  async function obey({ productIds, byOthers }: LostNews): Promise<void> {
    if (productIds.length > 0) await ports.onProducts(productIds, byOthers)
    ports.onOrders()
  }
}

const causeOf = (off: readonly Hook[]): string =>
  `the shop had switched off ${off.map(({ name }) => name).join(', ')} after ten deliveries without an answer; switched on again`
