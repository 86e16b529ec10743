/** Which numbers of which shop have to be looked at, in memory: the twin of `postgres/publication-store.ts`. */
import type { DirtyMark, OwnUnits, PublicationBook } from '../../app/shop-ports.ts'
import type { Guard } from '../../core/foreign-write.ts'
import { after, type Instant, instantOf, type ShopId, skuOf } from '../../core/ids.ts'
import { type SkuEntryBody, streamOfSku } from '../../core/ledger.ts'
import { demandAt, type MemoryStore, markDirty, marksOf, type PublicationRow, tableOf } from './store.ts'

const CLAIM_MS = 30_000
/** A mark that fails waits twice as long each time, up to this. */
const MAX_BACK_OFF_MS = 60_000

const latest = (a: Instant | undefined, b: Instant | undefined): Instant | undefined =>
  a === undefined ? b : b === undefined || a > b ? a : b

/** What orders of a shop gave back since a moment: the ledger is where an end has its moment. */
function* givenBackSince(store: MemoryStore, shop: ShopId, since: Instant) {
  for (let place = store.ledger.length - 1; place >= 0; place -= 1) {
    const entry = store.ledger[place]
    if (entry === undefined) return
    const at = instantOf(Date.parse(entry.at))
    if (at <= since) return
    if (entry.kind !== 'order' || !isSkuEntry(entry.body)) continue
    for (const change of entry.body.changes) {
      if (change.set !== 'demand' || change.demand.shop !== shop) continue
      const { end, units } = change.demand
      const table = store.skus.get(skuOf(entry.stream.slice(streamOfSku('').length)))
      if (table && (end === 'cancelled' || end === 'released')) yield { skuId: table.id, units, at }
    }
  }
}

const isSkuEntry = (body: unknown): body is SkuEntryBody =>
  typeof body === 'object' && body !== null && 'changes' in body

/** The publisher's memory. */
export function publicationBookOn(store: MemoryStore): PublicationBook {
  const seenIn = (shop: ShopId): Map<number, PublicationRow> => {
    const found = store.publications.get(shop)
    if (found) return found
    const made = new Map<number, PublicationRow>()
    store.publications.set(shop, made)
    return made
  }
  const guardsIn = (shop: ShopId): Map<number, Guard> => {
    const found = store.guards.get(shop)
    if (found) return found
    const made = new Map<number, Guard>()
    store.guards.set(shop, made)
    return made
  }

  return {
    async claim(shop, limit) {
      const now = store.now()
      return [...marksOf(store, shop)]
        .filter(([, mark]) => mark.dueAt <= now && (mark.claimedUntil === undefined || mark.claimedUntil < now))
        .sort(([, a], [, b]) => a.dueAt - b.dueAt)
        .slice(0, limit)
        .flatMap(([skuId, mark]) => {
          mark.claimedUntil = after(now, CLAIM_MS)
          const table = store.skusById[skuId - 1]
          const found = seenIn(shop).get(skuId)
          const guard = guardsIn(shop).get(skuId)
          if (!table) return []
          return [{ sku: table.sku, skuId, renewed: mark.renewed, attempts: mark.attempts, ...known(found, guard) }]
        })
    },

    async settle(shop, outcomes) {
      const marks = marksOf(store, shop)
      const now = store.now()
      for (const { mark, lookAgainAt, failed } of outcomes) {
        const row = marks.get(mark.skuId)
        if (!row) continue
        const isRenewed = row.renewed !== mark.renewed
        if (!isRenewed && lookAgainAt === undefined && !failed) {
          marks.delete(mark.skuId)
          continue
        }
        row.claimedUntil = undefined
        row.dueAt = failed
          ? after(now, Math.min(MAX_BACK_OFF_MS, 1_000 * 2 ** Math.min(row.attempts, 10)))
          : isRenewed || lookAgainAt === undefined
            ? now
            : lookAgainAt
        row.attempts = failed ? row.attempts + 1 : 0
      }
    },

    async own(shop, skuIds, withinMs) {
      const since = after(store.now(), -withinMs)
      const found = new Map<number, OwnUnits>()
      const add = (skuId: number, part: OwnUnits): void => {
        const before = found.get(skuId)
        found.set(skuId, {
          takenUnits: part.takenUnits + (before?.takenUnits ?? 0),
          returnedUnits: part.returnedUnits + (before?.returnedUnits ?? 0),
          recentOrderAt: latest(part.recentOrderAt, before?.recentOrderAt),
        })
      }
      for (const skuId of skuIds) {
        const table = store.skusById[skuId - 1]
        if (!table) continue
        for (const no of table.live) {
          const { shop: owner, phase, placedAt, units, reservation } = demandAt({ table, no })
          if (owner !== shop) continue
          const via = reservation === undefined ? undefined : store.reservations.get(reservation)?.via
          const isRecent = placedAt !== undefined && placedAt > since
          if (!(phase === 'held' && via === 'gateway') && !isRecent) continue
          add(skuId, { takenUnits: units, returnedUnits: 0, recentOrderAt: placedAt })
        }
      }
      const asked = new Set(skuIds)
      for (const { skuId, units, at } of givenBackSince(store, shop, since))
        if (asked.has(skuId)) add(skuId, { takenUnits: 0, returnedUnits: units, recentOrderAt: at })
      return found
    },

    async remember(shop, rows) {
      const seen = seenIn(shop)
      const row = store.shops.get(shop)
      // What it showed before its unread orders lowered it counts until they are read.
      const isUnread = row?.silentFrom !== undefined && !row.readSinceReturn
      for (const { skuId, productId, shownUnits, written, refused } of rows) {
        const { refused: before, unreadUnits, ...rest }: Partial<PublicationRow> = seen.get(skuId) ?? {}
        const now = store.now()
        const still = refused === 'as before' ? before : refused && { units: refused.units, at: now }
        seen.set(skuId, {
          ...rest,
          productId,
          shownUnits,
          ...(isUnread ? { unreadUnits: Math.max(unreadUnits ?? 0, rest.shownUnits ?? 0, shownUnits ?? 0) } : {}),
          seenAt: now,
          ...(written ? { writtenAt: now, revision: written.revision } : {}),
          ...(still ? { refused: still } : {}),
        })
      }
    },

    async announce(shop, rows) {
      const seen = seenIn(shop)
      for (const { skuId, units } of rows) {
        const found = seen.get(skuId) ?? { productId: null, seenAt: undefined, shownUnits: null }
        seen.set(skuId, { ...found, shownUnits: Math.max(found.shownUnits ?? 0, units) })
      }
    },

    async keepSettings(shop, rows) {
      const seen = seenIn(shop)
      for (const { skuId, productId, closeOut } of rows) {
        const found = seen.get(skuId) ?? { productId, seenAt: undefined, shownUnits: null }
        if (found.merchantCloseOut === undefined) seen.set(skuId, { ...found, merchantCloseOut: closeOut })
      }
    },

    async toGiveBack(shop, limit) {
      const kept = [...seenIn(shop)].sort(([a], [b]) => a - b)
      return kept
        .flatMap(([skuId, { productId, merchantCloseOut }]) => {
          const table = store.skusById[skuId - 1]
          return table && productId !== null && merchantCloseOut !== undefined
            ? [{ skuId, sku: table.sku, productId, closeOut: merchantCloseOut }]
            : []
        })
        .slice(0, limit)
    },

    async gaveBack(shop, skuIds) {
      const seen = seenIn(shop)
      for (const skuId of skuIds) {
        const found = seen.get(skuId)
        if (!found) continue
        const { merchantCloseOut: _, writtenAt: __, revision: ___, ...rest } = found
        seen.set(skuId, rest)
      }
    },

    async leftToGiveBack(shop) {
      return [...seenIn(shop).values()].filter(
        ({ productId, merchantCloseOut }) => productId !== null && merchantCloseOut !== undefined,
      ).length
    },

    async keepGuards(shop, rows) {
      const guards = guardsIn(shop)
      for (const { skuId, sku, toldAt, guard, found } of rows) {
        const toldNow = guards.get(skuId)?.toldAt
        const next = guard && { ...guard }
        guards.delete(skuId)
        if (toldNow !== undefined && toldNow !== toldAt) guards.set(skuId, { restoredAt: [], ...next, toldAt: toldNow })
        else if (next) guards.set(skuId, next)
        if (found) store.foreignWrites.push({ ...found, shop, sku })
      }
    },

    async markProducts(shop, productIds, byOthers = []) {
      const wanted = new Set(productIds)
      const others = new Set(byOthers)
      const guards = guardsIn(shop)
      for (const [skuId, row] of seenIn(shop)) {
        if (row.productId === null) continue
        if (others.has(row.productId)) guards.set(skuId, { restoredAt: [], ...guards.get(skuId), toldAt: store.now() })
        if (!wanted.has(row.productId)) continue
        if (row.refused) seenIn(shop).set(skuId, { ...row, refused: { units: row.refused.units } })
        markDirty(store, shop, skuId, 'at once')
      }
    },

    async markSkus(shop, skus) {
      for (const sku of skus) {
        const table = store.skus.get(sku)
        if (!table) continue
        const row = seenIn(shop).get(table.id)
        if (row) seenIn(shop).set(table.id, { ...row, touchedAt: store.now() })
        markDirty(store, shop, table.id)
      }
    },

    async markProductsOf(shop, products) {
      for (const product of products) markDirty(store, shop, tableOf(store, product).id)
    },

    async idsOf(skus) {
      return new Map(
        skus.flatMap((sku) => {
          const id = store.skus.get(sku)?.id
          return id === undefined ? [] : [[sku, id] as const]
        }),
      )
    },

    async markAll(shops) {
      for (const shop of shops)
        for (const { id, shelves } of store.skusById) if (shelves.size > 0) markDirty(store, shop, id, 'at once')
    },

    async markStale(shop, olderThanSeconds, limit) {
      const before = store.now() - olderThanSeconds * 1_000
      const marks = marksOf(store, shop)
      const stale = [...seenIn(shop)]
        .flatMap(([skuId, { seenAt }]) => (seenAt !== undefined && seenAt < before ? [{ skuId, seenAt }] : []))
        .sort((a, b) => a.seenAt - b.seenAt)
        .slice(0, limit)
      for (const { skuId } of stale) if (!marks.has(skuId)) markDirty(store, shop, skuId)
    },

    async lastShown(shop, lookedAtSince = instantOf(0)) {
      return new Map(
        [...seenIn(shop)].flatMap(([skuId, { shownUnits, seenAt }]) => {
          const table = store.skusById[skuId - 1]
          return table && shownUnits !== null && seenAt !== undefined && seenAt >= lookedAtSince
            ? [[table.sku, shownUnits] as const]
            : []
        }),
      )
    },
  }
}

/** What a claim tells beside the mark itself. */
function known(row: PublicationRow | undefined, guard: Guard | undefined): Partial<DirtyMark> {
  const { shownUnits = null, seenAt, revision, touchedAt } = row ?? {}
  return {
    ...(row?.writtenAt === undefined ? {} : { writtenAt: row.writtenAt }),
    ...(shownUnits === null || seenAt === undefined
      ? {}
      : {
          before: {
            units: shownUnits,
            seenAt,
            ...(revision === undefined ? {} : { revision }),
            ...(touchedAt === undefined ? {} : { touchedAt }),
          },
        }),
    ...(guard === undefined ? {} : { guard }),
    ...(row?.refused === undefined ? {} : { refused: row.refused }),
    ...(row?.merchantCloseOut === undefined ? {} : { settingsKept: true }),
  }
}
