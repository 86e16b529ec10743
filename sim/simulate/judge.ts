/**
 * Judges each yes and each number as it is given: could it be kept, by what lies on shelves and what customers hold, and by what
 * Holdfast could have known? It knows nothing of how Holdfast counts.
 */
import { quotaOf, safetyOfShop, safetyOfWarehouse, warehousesOf } from '../../src/core/configuration.ts'
import { type ShopId, shopOf, skuOf } from '../../src/core/ids.ts'
import type { Known } from './known.ts'
import { type Outside, onShelves, shippedOf } from './truth.ts'

/** A promise that has not become an order yet: an order call that was granted, or a channel's hold. */
export type Attempt = {
  readonly shop: ShopId
  /** Units by SKU. */
  readonly lines: ReadonlyMap<string, number>
  readonly grantedAt: number
  /** From then on Holdfast may have given it up. */
  readonly until: number
  state: 'open' | 'ordered' | 'over'
}

/** A number is written so long, at most, after it was computed. */
const WRITE_TAKES_MS = 4_000
/** An order that was read less than this ago may not have lowered the shop's number yet (L6). */
const DECREMENT_MS = 5_000
/** A hold is given up so long, at most, after its end. */
const EXPIRY_TAKES_MS = 15_000

export interface Judge {
  /** Judges a yes, and takes note of it. */
  granted(attempt: Attempt): void
  /** Takes note of a call that the shop's policy let through: Holdfast knows that an order may come of it. */
  letThrough(attempt: Attempt): void
  /** Judges a number that Holdfast has just written into a shop. */
  written(shop: ShopId, sku: string, units: number): void
  /** A book was restored from a backup: it says what is not true, and nobody can know it until {@link trusts}. */
  doubts(): void
  trusts(): void
}

export type JudgeOptions = {
  readonly outside: Outside
  readonly known: Known
  readonly now: () => number
  readonly breaks: (law: string, detail: string) => void
}

export function judgeOf({ outside, known, now, breaks }: JudgeOptions): Judge {
  const { rules } = outside.shape
  let attempts: Attempt[] = []
  let isBlind = false

  const safetyOf = (shop: ShopId, sku: string): number =>
    warehousesOf(rules, shop).reduce((sum, each) => sum + safetyOfWarehouse(rules, each, skuOf(sku)), 0) +
    safetyOfShop(rules, shop, skuOf(sku))

  /** Each order line of a SKU: who owes it, and what of it has not left, as far as it could be known by a moment. */
  function* linesOf(sku: string, by: number) {
    for (const { id: shop, world } of outside.shops) {
      for (const { id: order, state, lines } of world.orders.values()) {
        for (const { id: line, units, payload } of lines) {
          if (payload.productNumber !== sku) continue
          const left = shippedOf(outside, line)
          const owed = Math.max(0, (state === 'cancelled' ? 0 : units) - left)
          const isKnown = Math.max(0, known.wanted(order, line, by) - left)
          yield { shop, knownUnits: Math.min(owed, isKnown) }
        }
      }
    }
    for (const { channel, state, lines } of outside.channelOrders()) {
      for (const { line, sku: what, units } of lines) {
        const left = shippedOf(outside, line)
        const owed = state === 'cancelled' || what !== sku ? 0 : Math.max(0, units - left)
        yield { shop: shopOf(channel), knownUnits: owed }
      }
    }
  }

  /** Units that could be promised to anybody, by what could be known. Open promises are not subtracted yet. */
  function promisable(sku: string, by: number): number {
    let units = onShelves(outside, sku) + known.unknownLoss(sku, by)
    for (const line of linesOf(sku, by)) units -= line.knownUnits
    return units
  }

  const unitsOf = (sku: string, wanted: (attempt: Attempt) => boolean): number =>
    attempts.reduce((sum, each) => sum + (wanted(each) ? (each.lines.get(sku) ?? 0) : 0), 0)
  const isOpen = ({ state, until }: Attempt): boolean => state === 'open' && now() < until

  /** How many more units a shop's quota leaves, by the orders that could be known and the promises that are open. */
  function withinQuota(shop: ShopId, sku: string, by: number): number {
    const quota = quotaOf(rules, shop, skuOf(sku))
    // Where nobody says "shipped", an order is open for longer than can be seen from here.
    if (quota === undefined || outside.shape.sources.some(({ dialect }) => dialect === 'flat')) return Infinity
    let left = quota - unitsOf(sku, (each) => each.shop === shop && isOpen(each) && each.grantedAt <= by)
    for (const line of linesOf(sku, by)) if (line.shop === shop) left -= line.knownUnits
    return left
  }

  return {
    granted(attempt) {
      const { shop, lines } = attempt
      for (const [sku, units] of isBlind ? [] : lines) {
        const free = promisable(sku, now()) - unitsOf(sku, isOpen) - safetyOf(shop, sku)
        if (units > free) breaks('oversold', `${shop} was granted ${units} ${sku}, and ${free} could be promised`)
        const quota = withinQuota(shop, sku, now())
        if (units > quota) breaks('quota', `${shop} was granted ${units} ${sku}, and its quota leaves ${quota}`)
      }
      this.letThrough(attempt)
    },
    letThrough(attempt) {
      attempts = attempts.filter(({ state, until }) => state !== 'ordered' && now() < until + EXPIRY_TAKES_MS)
      attempts.push(attempt)
    },
    written(shop, sku, units) {
      if (isBlind || units <= 0) return
      // What happened just now, the number could not know.
      const by = now() - WRITE_TAKES_MS
      // Of its own attempts and its newest orders the shop may have subtracted none, those that never became an order too.
      const own =
        unitsOf(sku, (each) => each.shop === shop && each.state !== 'ordered') +
        known.newSince(shop, sku, by - DECREMENT_MS)
      const free =
        promisable(sku, by) - unitsOf(sku, (each) => isOpen(each) && each.grantedAt <= by) - safetyOf(shop, sku)
      const most = Math.max(0, free) + own
      if (units > most) breaks('shows too much', `${shop} was made to show ${units} ${sku}, and ${most} is the most`)
      const quota = Math.max(0, withinQuota(shop, sku, by)) + own
      if (units > quota) breaks('quota', `${shop} was made to show ${units} ${sku}, and its quota leaves ${quota}`)
    },
    doubts() {
      isBlind = true
    },
    trusts() {
      isBlind = false
    },
  }
}
