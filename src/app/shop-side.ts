/**
 * The side that faces the shops: for each connected one a reader of orders and a publisher, and over all of them the clock that
 * ends holds and settles rises, and the heartbeat by which a silence is known (L2).
 */
import type { Configuration } from '../core/configuration.ts'
import { after, type Instant, instantOf, type ShopId, type Sku, skuOf } from '../core/ids.ts'
import { orderInUnits, productsOf } from '../core/pack.ts'
import { type SkuState, UNREADABLE_WITHIN_MS } from '../core/stock.ts'
import type { Lane } from './lane.ts'
import { type Loop, startLoop } from './loop.ts'
import type { Shop } from './ports.ts'
import { publishDue } from './publish.ts'
import { type OrderReader, orderReader } from './read-orders.ts'
import { releaser } from './release-shop.ts'
import { isUnread, type PublicationBook, type ShopBook, type ShopIncident, type ShopStatus } from './shop-ports.ts'
import { giveUpUnpaid, UNPAID_EVERY_MS } from './unpaid-orders.ts'
import { WATCH_EVERY_MS } from './watch-webhooks.ts'
import { watchesOf } from './watches.ts'

export type ShopSidePorts = {
  readonly book: ShopBook
  readonly publications: PublicationBook
  readonly lane: Lane
  readonly rules: () => Configuration
  readonly states: (skus: readonly Sku[]) => Promise<readonly SkuState[]>
  /** The connection of a shop that has registered; `undefined` before that. */
  readonly connection: (shop: ShopId) => Promise<Shop | undefined>
  /** Gives one process at a time the care of a shop; `false` when another one has it. */
  readonly holdsLease: (shop: ShopId) => Promise<boolean>
  /** Takes this process's place among the living; runs what is given when no other one lives. */
  readonly enter: (whenAlone: () => Promise<void>) => Promise<void>
  /** Whether an id can be one of a shop's own orders; all can if absent. */
  readonly mayHave?: (orderId: string) => boolean
  readonly onRecorded: (orderNumbers: readonly string[]) => Promise<unknown>
  readonly onTrouble: (cause: unknown, loop: string) => void
  readonly onIncident: (incident: ShopIncident) => Promise<unknown>
  /** An incident of that kind is over. */
  readonly onSettled: (code: ShopIncident['code'], key: string) => Promise<unknown>
  /** This process, in the table of heartbeats. */
  readonly processId: string
  /** Runs the rounds; real loops in real time if absent. */
  readonly startLoop?: typeof startLoop
  /** Names a write; a random UUID if absent. */
  readonly newRevision?: () => string
  /** How often a shop's webhooks are looked at; once a minute if absent. */
  readonly watchEveryMs?: number
  /** This process's own clock, for what it only remembers; never decides anything. */
  readonly clock?: () => Instant
}

export type ShopSide = {
  /** Something changed: look at what is due. */
  wakePublishers(): void
  /** A webhook said that orders changed. */
  wakeReader(shop: ShopId): void
  /** Somebody wrote these products in the shop: compare. `byOthers` are those whose stock was certainly not written by us. */
  lookAtProducts(shop: ShopId, productIds: readonly string[], byOthers?: readonly string[]): Promise<void>
  status(shop: ShopId): ShopStatus | undefined
  lastShown(shop: ShopId, sku: Sku): number | undefined
  /** The shop called: we are back for it. */
  onCall(shop: ShopId): void
  /** A registration was confirmed: its open orders are read next. */
  onRegistered(shop: ShopId): Promise<void>
  /** The app was uninstalled, or only deactivated, or the shop is being released: nobody asks us, so nothing is published from this moment on. */
  onAway(shop: ShopId, state: 'gone' | 'inactive' | 'releasing'): Promise<void>
  stop(): Promise<void>
}

const HEARTBEAT_MS = 1_000
const READ_EVERY_MS = 1_000
const OPEN_ORDERS_EVERY_MS = 5_000
const PUBLISH_EVERY_MS = 500
const CLOCK_EVERY_MS = 500
const RELEASE_EVERY_MS = 1_000
/** Numbers that nobody has looked at for so long are compared, a few at a time. */
const STALE_AFTER_SECONDS = 300
const STALE_AT_ONCE = 50
const DUE_AT_ONCE = 1_000
/** A look that was committed late is found by the next recall: far longer than a commit takes. */
const RECALL_OVERLAP_MS = 5_000

type Care = {
  readonly shop: Shop
  /** The registration whose credentials it uses. */
  readonly registeredAt: Instant | undefined
  readonly reader: OrderReader
  readonly loops: readonly Loop[]
  readonly publisher: Loop
  readonly orders: Loop
}

/** Starts the shop side: first it finds out whether it was silent, then it takes care of every connected shop. */
export async function startShopSide(ports: ShopSidePorts): Promise<ShopSide> {
  const { book, publications, processId, startLoop: start = startLoop } = ports
  const clockNow = ports.clock ?? (() => instantOf(Date.now()))
  const statuses = new Map<ShopId, ShopStatus>()
  const shown = new Map<ShopId, Map<Sku, number>>()
  const cares = new Map<ShopId, Care>()
  const recalledAt = new Map<ShopId, Instant>()
  /** Loops that were told to stop, and may still be in their last round. */
  const ending = new Map<ShopId, Promise<unknown>>()
  const overdue = new Set<ShopId>()

  // From the last sign of life to our start every connected shop may have sold by itself (L2).
  await ports.enter(async () => {
    const last = await book.lastHeartbeat()
    if (last !== undefined) await fallSilent(book, last)
  })
  await book.heartbeat(processId)
  await refresh()
  await recallShown()

  async function refresh(): Promise<void> {
    for (const status of await book.all()) statuses.set(status.shop, status)
  }

  /**
   * Keeps in memory what every shop shows, whichever process publishes it: the answer to an order call that nobody can decide
   * stands on it, with the database away too.
   */
  async function recallShown(): Promise<void> {
    const at = await book.now()
    for (const { shop } of statuses.values()) {
      const since = recalledAt.get(shop)
      const news = await publications.lastShown(shop, since && after(since, -RECALL_OVERLAP_MS))
      const all = shown.get(shop) ?? new Map<Sku, number>()
      for (const [sku, units] of news) all.set(sku, units)
      shown.set(shop, all)
      recalledAt.set(shop, at)
    }
  }

  /** Takes care of shops that are configured and registered, as far as no other process does. */
  async function takeCare(): Promise<void> {
    for (const shop of [...cares.keys()]) if (!ports.rules().shops.has(shop)) void release(shop)
    for (const { shop, kind } of ports.rules().shops.values()) {
      const status = statuses.get(shop)
      const wanted = kind === 'shopware' && isReadable(status)
      const care = cares.get(shop)
      // Another process has seen the app go or come again: the old credentials are worth nothing. A round may take its time to end.
      if (care && (!wanted || care.registeredAt !== status?.registeredAt)) void release(shop)
      if (!wanted || cares.has(shop) || !(await ports.holdsLease(shop))) continue
      const connection = await ports.connection(shop)
      if (!connection) continue
      cares.set(shop, careFor(shop, connection))
    }
  }

  /** Once a silence lasts too long, people have to know which shop cannot be read; and when it is over. */
  async function tellUnread(): Promise<void> {
    for (const status of statuses.values()) {
      const { shop } = status
      if (!isUnread(status)) {
        if (overdue.delete(shop)) await ports.onSettled('SHOP_UNREAD', shop)
        continue
      }
      const since = status.returnedAt ?? status.silentFrom
      if (overdue.has(shop) || since === undefined || (await book.now()) - since < UNREADABLE_WITHIN_MS) continue
      const cause = 'its orders could not be read since a silence; what it may have sold meanwhile is not known'
      await ports.onIncident({ code: 'SHOP_UNREAD', key: shop, shop, cause })
      overdue.add(shop)
    }
  }

  function careFor(shop: ShopId, connection: Shop): Care {
    const { onTrouble } = ports
    const reader = orderReader({
      shop: connection,
      rules: () => ports.rules().shops.get(shop),
      book,
      lane: ports.lane,
      ...(ports.mayHave ? { mayHave: ports.mayHave } : {}),
      onUnusable: (orderNumber, cause) =>
        ports.onIncident({
          code: 'ORDER_UNUSABLE',
          key: `${shop}/${orderNumber}`,
          shop,
          cause: `order ${orderNumber} could not be counted: ${cause instanceof Error ? cause.message : String(cause)}`,
        }),
      onRecorded: ports.onRecorded,
      inUnits: (order) => orderInUnits(ports.rules(), shop, order),
      async onTouched(skus) {
        const products = skus.flatMap((sku) => productsOf(ports.rules(), shop, sku))
        await publications.markSkus(shop, [...new Set([...skus, ...products])])
        cares.get(shop)?.publisher.wake()
      },
    })
    const orders = start({
      name: `orders:${shop}`,
      everyMs: READ_EVERY_MS,
      onTrouble,
      async round() {
        if (!isReadable(statuses.get(shop))) return false
        if (!(await ports.holdsLease(shop))) {
          reader.forget()
          return false
        }
        if (statuses.get(shop)?.state === 'registered') await reader.baseline()
        await reader.pass()
        await refresh()
        await clearPages(shop, connection)
        return false
      },
    })
    const again = start({
      name: `open-orders:${shop}`,
      everyMs: OPEN_ORDERS_EVERY_MS,
      onTrouble,
      async round() {
        if (statuses.get(shop)?.state !== 'connected') return false
        await reader.readOpenAgain()
        await publications.markStale(shop, STALE_AFTER_SECONDS, STALE_AT_ONCE)
        return false
      },
    })
    const publisher = start({
      name: `publish:${shop}`,
      everyMs: PUBLISH_EVERY_MS,
      onTrouble,
      async round() {
        const status = statuses.get(shop)
        if (status?.state !== 'connected' || !(await ports.holdsLease(shop))) return false
        const taken = await publishDue(
          {
            shop: connection,
            publications,
            states: ports.states,
            rules: ports.rules,
            now: book.now,
            watermark: () => statuses.get(shop)?.watermark,
            onIncident: ports.onIncident,
            onSettled: ports.onSettled,
            onShown: (sku, units) => shown.get(shop)?.set(sku, units),
            ...(ports.newRevision ? { newRevision: ports.newRevision } : {}),
          },
          shop,
          status.silentFrom === undefined ? 'none' : 'silence',
        )
        return taken > 0
      },
    })
    const isOurs = async () => statuses.get(shop)?.state === 'connected' && (await ports.holdsLease(shop))
    const watching = watchesOf({
      shop,
      care: connection.care,
      isDue: isOurs,
      everyMs: ports.watchEveryMs ?? WATCH_EVERY_MS,
      start: (loop) => start({ ...loop, onTrouble }),
      publications,
      now: book.now,
      wakePublisher: () => publisher.wake(),
      onOrders: () => orders.wake(),
      onIncident: ports.onIncident,
      onSettled: ports.onSettled,
    })
    const unpaid = start({
      name: `unpaid:${shop}`,
      everyMs: UNPAID_EVERY_MS,
      onTrouble,
      async round() {
        if (!(await isOurs())) return false
        const { onIncident, onSettled } = ports
        return giveUpUnpaid({
          rules: () => ports.rules().shops.get(shop),
          book,
          reader,
          acts: connection.acts,
          onIncident,
          onSettled,
        })
      },
    })
    const { registeredAt } = statuses.get(shop) ?? { registeredAt: undefined }
    const loops = [orders, again, publisher, unpaid, ...watching]
    return { shop: connection, registeredAt, reader, loops, publisher, orders }
  }

  /** Pages that were cached before the app was installed do not show what it adds. Cleared once, by whoever cares for the shop. */
  async function clearPages(shop: ShopId, { care }: Shop): Promise<void> {
    if (!care || statuses.get(shop)?.pagesAreOld !== true) return
    await care.clearCache()
    await book.pagesCleared(shop)
  }

  async function release(shop: ShopId): Promise<void> {
    const care = cares.get(shop)
    cares.delete(shop)
    if (care) ending.set(shop, Promise.all(care.loops.map((loop) => loop.stop())))
    await ending.get(shop)
  }

  const pulse = start({
    name: 'heartbeat',
    everyMs: HEARTBEAT_MS,
    onTrouble: ports.onTrouble,
    async round() {
      // The database was away, or this process stood still, and no other one lived: shops went on by themselves.
      const silentFrom = await book.heartbeat(processId)
      if (silentFrom !== undefined) await fallSilent(book, silentFrom)
      await book.assumeReturned(UNREADABLE_WITHIN_MS)
      await refresh()
      await recallShown()
      await tellUnread()
      await takeCare()
      return false
    },
  })

  // Apart from the pulse: a shop that answers slowly must not stop the heart.
  const releasing = start({
    name: 'release',
    everyMs: RELEASE_EVERY_MS,
    onTrouble: ports.onTrouble,
    round: releaser({
      leaving: () => [...statuses.values()].flatMap(({ shop, state }) => (state === 'releasing' ? [shop] : [])),
      holdsLease: ports.holdsLease,
      connection: ports.connection,
      stopCare: release,
      afterwards: refresh,
      publications,
      book,
    }),
  })

  const clock = start({
    name: 'clock',
    everyMs: CLOCK_EVERY_MS,
    onTrouble: ports.onTrouble,
    round: () => keepTime(ports),
  })

  return {
    wakePublishers: () => {
      for (const { publisher } of cares.values()) publisher.wake()
    },
    wakeReader: (shop) => cares.get(shop)?.orders.wake(),
    async lookAtProducts(shop, productIds, byOthers) {
      await publications.markProducts(shop, productIds, byOthers)
      cares.get(shop)?.publisher.wake()
    },
    status: (shop) => statuses.get(shop),
    lastShown: (shop, sku) => shown.get(shop)?.get(sku),
    onCall(shop) {
      const status = statuses.get(shop)
      if (status?.silentFrom === undefined || status.returnedAt !== undefined) return
      statuses.set(shop, { ...status, returnedAt: clockNow() })
      book.returned(shop).catch((cause: unknown) => ports.onTrouble(cause, 'silence'))
    },
    async onRegistered(shop) {
      await release(shop)
      await book.registered(shop)
      // What was tried in vain with the former key waits no longer.
      await publications.markAll([shop])
      await refresh()
      pulse.wake()
    },
    async onAway(shop, state) {
      // Known first, stopped second: a pass that begins meanwhile must not raise what the shop now sells by itself.
      await book.setState(shop, state)
      await refresh()
      await release(shop)
    },
    async stop() {
      await Promise.all([pulse.stop(), clock.stop(), releasing.stop(), ...[...cares.keys()].map(release)])
      await book.farewell(processId).catch((cause: unknown) => ports.onTrouble(cause, 'heartbeat'))
    },
  }
}

const isReadable = (status: ShopStatus | undefined): boolean =>
  status?.state === 'registered' || status?.state === 'connected'

/** L2: every connected shop may have sold by itself since then; we are back now. */
async function fallSilent(book: ShopBook, from: Instant): Promise<void> {
  for (const { shop, state } of await book.all()) {
    if (state !== 'connected') continue
    await book.silence(shop, from)
    await book.returned(shop)
  }
}

/** Ends holds that the watermark or their own moment has passed, and settles rises that have stood. Returns whether more is due. */
export async function keepTime({ book, lane }: Pick<ShopSidePorts, 'book' | 'lane'>): Promise<boolean> {
  const origin = { actor: 'clock', cause: 'due' }
  const holds = await book.dueHolds(DUE_AT_ONCE)
  const rises = await book.dueRises(DUE_AT_ONCE)
  await Promise.all([
    ...holds.map(({ shop, sku, watermark }) =>
      lane.submit({ kind: 'expire', shop, sku: skuOf(sku), ...(watermark === undefined ? {} : { watermark }) }, origin),
    ),
    ...rises.map((sku) => lane.submit({ kind: 'settle', sku: skuOf(sku) }, origin)),
  ])
  return holds.length === DUE_AT_ONCE || rises.length === DUE_AT_ONCE
}
