/** The side that faces the shops, on PostgreSQL and Shopware: what it stands on, and the words of people about a shop. */
import { randomUUID } from 'node:crypto'
import { releaseClaims } from '../adapters/postgres/claims.ts'
import { type Database, databaseNow } from '../adapters/postgres/database.ts'
import { openLeases } from '../adapters/postgres/lease.ts'
import { appendEntry } from '../adapters/postgres/ledger.ts'
import { loadStates } from '../adapters/postgres/load.ts'
import { publicationBookOn } from '../adapters/postgres/publication-store.ts'
import { closeIncident, openIncident } from '../adapters/postgres/queries.ts'
import { registrationsOn, tokensOn } from '../adapters/postgres/registration-store.ts'
import { resyncsOn } from '../adapters/postgres/resync-store.ts'
import { shopBookOn } from '../adapters/postgres/shop-store.ts'
import { shopwareId } from '../adapters/shopware/pick.ts'
import { connectShop } from '../adapters/shopware/shop.ts'
import type { Lane } from '../app/lane.ts'
import { startLoop } from '../app/loop.ts'
import { type ShopSide, startShopSide } from '../app/shop-side.ts'
import type { Configuration } from '../core/configuration.ts'
import { after, type ShopId } from '../core/ids.ts'
import { Problem } from '../http/problem.ts'
import type { HttpWorld } from '../http/world.ts'
import type { Telling } from './telling.ts'

const RESYNC_EVERY_MS = 500

/** Whether a shop may have a private address: a merchant's own network is one. */
export const ALLOW_PRIVATE = true

/** How long an operator's invitation is good: an installation is done at once, a move within the hour. */
const INVITED_MS = 60 * 60_000

export type Shops = Pick<HttpWorld, 'shops' | 'retire' | 'release' | 'resync' | 'invite'> & {
  readonly side: ShopSide
  readonly registrations: ReturnType<typeof registrationsOn>
  /** Other rules are in force: every number may be another one. */
  onRules(rules: Configuration): Promise<void>
  /** Takes or keeps a lease of this process that is no shop's. */
  holdsLease(name: string): Promise<boolean>
  stop(): Promise<void>
  /** Gives up the leases; after everything that may still need one. */
  close(): Promise<void>
}

export type ShopsPorts = {
  readonly database: Database
  readonly databaseUrl: string
  readonly schema: string
  readonly lane: Lane
  readonly rules: () => Configuration
  readonly onRecorded: HttpWorld['onRecorded']
  readonly telling: Telling
}

export async function startShops(ports: ShopsPorts): Promise<Shops> {
  const { database, databaseUrl, schema, lane, rules, onRecorded, telling } = ports
  const { pool } = database
  const registrations = registrationsOn(database)
  const tokens = tokensOn(database)
  const leases = openLeases(databaseUrl, schema)
  const book = shopBookOn(database)
  const publications = publicationBookOn(database)
  const side = await startShopSide({
    book,
    publications,
    lane,
    rules,
    states: (skus) => loadStates(pool, skus),
    async connection(shop) {
      const live = (await registrations.liveOf(shop))?.live
      return live && connectShop({ url: live.url, ...live.credentials, tokens, allowPrivate: ALLOW_PRIVATE })
    },
    holdsLease: (shop) => leases.holds(shop),
    enter: (whenAlone) =>
      leases.enter(async () => {
        await releaseClaims(pool)
        await whenAlone()
      }),
    mayHave: (orderId) => shopwareId(orderId) !== undefined,
    onRecorded,
    onTrouble: telling.trouble,
    onIncident: (incident) => openIncident(pool, incident),
    onSettled: (code, key) => closeIncident(pool, code, key),
    processId: randomUUID(),
  })
  const resyncs = resyncsOn(database)
  const feeding = startLoop({
    name: 'resync',
    everyMs: RESYNC_EVERY_MS,
    onTrouble: telling.trouble,
    async round() {
      let more = false
      for (const shop of await resyncs.running()) {
        if (side.status(shop)?.state !== 'connected' || !(await leases.holds(shop))) continue
        if (!(await resyncs.feed(shop))) continue
        more = true
        side.wakePublishers()
      }
      return more
    },
  })
  const decree = (shop: ShopId, kind: string, author: string, body: Readonly<Record<string, string>>) =>
    database.transaction((client) =>
      appendEntry(client, {
        stream: `shop:${shop}`,
        kind,
        actor: author,
        cause: 'decree',
        configuration: rules().version,
        body,
      }),
    )
  // One that was taken out of the rules may be told too: nobody reads it any more, so nothing else ends its holds.
  const known = (shop: ShopId): void => {
    if (!rules().shops.has(shop) && !side.status(shop)) throw new Problem('SHOP_UNKNOWN')
  }
  return {
    side,
    registrations,
    shops: () => [...rules().shops.keys()].flatMap((shop) => side.status(shop) ?? []),
    async onRules(next) {
      await publications.markAll(
        [...next.shops.values()].filter(({ kind }) => kind === 'shopware').map(({ shop }) => shop),
      )
      side.wakePublishers()
    },
    async retire(shop, author) {
      known(shop)
      await side.onAway(shop, 'gone')
      await book.setState(shop, 'retired')
      const now = await databaseNow(pool)
      await decree(shop, 'retired', author, { watermark: new Date(now).toISOString() })
      await book.moveWatermark(shop, { known: [], shopClock: undefined }, now)
    },
    async invite(shop, author) {
      if (rules().shops.get(shop)?.kind !== 'shopware') throw new Problem('SHOP_UNKNOWN')
      const until = after(await databaseNow(pool), INVITED_MS)
      await registrations.invite(shop, until)
      await decree(shop, 'invited', author, { until: new Date(until).toISOString() })
      return until
    },
    async release(shop, author) {
      known(shop)
      const state = side.status(shop)?.state
      if (state === 'registered' || state === 'connected' || state === 'inactive') {
        await side.onAway(shop, 'releasing')
        await decree(shop, 'release-begun', author, {})
      }
      return {
        state: side.status(shop)?.state ?? 'awaited',
        productsLeft: await publications.leftToGiveBack(shop),
      }
    },
    async resync(shop, wish) {
      if (rules().shops.get(shop)?.kind !== 'shopware') throw new Problem('SHOP_UNKNOWN')
      if (wish === 'begin') await resyncs.begin(shop)
      if (wish === 'stop') await resyncs.stop(shop)
      if (wish === 'begin') feeding.wake()
      return (await resyncs.progress(shop)) ?? { state: 'never', comparedSkus: 0, totalSkus: 0 }
    },
    holdsLease: (name) => leases.holds(name),
    async stop() {
      await feeding.stop()
      await side.stop()
    },
    close: () => leases.close(),
  }
}
