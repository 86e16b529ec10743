/** What is looked at once a minute in each connected shop: its webhooks, and its address. Apart, so that one never hides the other. */
import type { ShopId } from '../core/ids.ts'
import type { Loop, LoopOptions } from './loop.ts'
import type { ShopCare } from './ports.ts'
import type { PublicationBook } from './shop-ports.ts'
import { type UrlPorts, watchUrl } from './watch-url.ts'
import { type WatchPorts, webhookWatch } from './watch-webhooks.ts'

export type WatchesPorts = Pick<WatchPorts, 'now' | 'onOrders'> &
  Pick<UrlPorts, 'onIncident' | 'onSettled'> & {
    readonly shop: ShopId
    /** Absent where the shop offers none: then nothing is looked at. */
    readonly care: ShopCare | undefined
    /** Whether the shop is connected, and ours to care for. */
    readonly isDue: () => Promise<boolean>
    readonly everyMs: number
    readonly start: (loop: Omit<LoopOptions, 'onTrouble'>) => Loop
    readonly publications: Pick<PublicationBook, 'markProducts' | 'markAll'>
    readonly wakePublisher: () => void
  }

/** Starts the watches of one shop. */
export function watchesOf(ports: WatchesPorts): readonly Loop[] {
  const { shop, care, publications, wakePublisher, onIncident, onSettled } = ports
  if (!care) return []
  const watchHooks = webhookWatch({
    shop,
    care,
    now: ports.now,
    async onProducts(productIds, byOthers) {
      await publications.markProducts(shop, productIds, byOthers)
      wakePublisher()
    },
    onOrders: ports.onOrders,
    async compareAll() {
      await publications.markAll([shop])
      wakePublisher()
    },
    onIncident,
    onSettled,
  })
  const everyMinute = (name: string, work: () => Promise<void>): Loop =>
    ports.start({
      name: `${name}:${shop}`,
      everyMs: ports.everyMs,
      async round() {
        if (await ports.isDue()) await work()
        return false
      },
    })
  return [
    everyMinute('webhooks', watchHooks),
    everyMinute('url', () => watchUrl({ shop, care, onIncident, onSettled })),
  ]
}
