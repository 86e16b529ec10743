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
  /** The stamp of a cart's line. */
  readonly key?: string
}

/** A number is written so long, at most, after it was computed. */
const WRITE_TAKES_MS = 1_100
/** A number is lowered so soon where nothing is amiss: a pass fails now and then, and waits before it is tried again. */
const LOWERING_TAKES_MS = 45_000
/** An order that was read less than this ago may not have lowered the shop's number yet (L6). */
const DECREMENT_MS = 5_000
/** A hold is given up so long, at most, after its end. */
const EXPIRY_TAKES_MS = 15_000

export interface Judge {
  /** Judges a yes, and takes note of it. What the attempt that it replaces was granted may be kept, whatever has happened since. */
  granted(attempt: Attempt, replaced?: Attempt): void
  /** Takes note of a call that the shop's policy let through: Holdfast knows that an order may come of it. */
  letThrough(attempt: Attempt): void
  /** Judges a number that Holdfast has just written into a shop. */
  written(shop: ShopId, sku: string, units: number): void
  /** Judges what shops show while nothing is amiss: a number that is too high must not stay so for long. */
  looks(isWell: boolean, shown: Iterable<{ readonly shop: ShopId; readonly sku: string; readonly units: number }>): void
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
  /** Since when a shop's number is above the most that it may be. */
  const aboveSince = new Map<string, number>()

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

  /** The most that a shop may show, by what could be known at a moment. */
  function mostOf(shop: ShopId, sku: string, by: number): { readonly most: number; readonly quota: number } {
    // Of its own attempts and its newest orders the shop may have subtracted none, those that never became an order too.
    const own =
      unitsOf(sku, (each) => each.shop === shop && each.state !== 'ordered') +
      known.newSince(shop, sku, by - DECREMENT_MS)
    const open = unitsOf(sku, (each) => isOpen(each) && each.grantedAt <= by)
    const free = promisable(sku, by) - open - safetyOf(shop, sku)
    return { most: Math.max(0, free) + own, quota: Math.max(0, withinQuota(shop, sku, by)) + own }
  }

  function checkLong(shop: ShopId, sku: string, units: number): void {
    const key = `${shop}/${sku}`
    const { most } = mostOf(shop, sku, now() - LOWERING_TAKES_MS)
    const since = aboveSince.get(key) ?? now()
    if (units <= 0 || units <= most) aboveSince.delete(key)
    else aboveSince.set(key, since)
    if (aboveSince.has(key) && now() - since > LOWERING_TAKES_MS)
      breaks('shows too much', `${shop} has shown ${units} ${sku} for long, and ${most} is the most`)
  }

  return {
    granted(attempt, replaced) {
      const { shop, lines, key } = attempt
      const windowMs = (rules.shops.get(shop)?.doubleSubmitWindowMs ?? 0) - 100
      if (key !== undefined && attempts.some((each) => each.key === key && now() - each.grantedAt < windowMs))
        breaks('ordered twice', `${shop} was granted two orders of one cart within ${windowMs} ms`)
      for (const [sku, units] of isBlind ? [] : lines) {
        if (units <= (replaced?.lines.get(sku) ?? 0)) continue
        const free = promisable(sku, now()) - unitsOf(sku, isOpen) - safetyOf(shop, sku)
        if (units > free) breaks('oversold', `${shop} was granted ${units} ${sku}, and ${free} could be promised`)
        const quota = withinQuota(shop, sku, now())
        if (units > quota) breaks('quota', `${shop} was granted ${units} ${sku}, and its quota leaves ${quota}`)
      }
      this.letThrough(attempt)
    },
    letThrough(attempt) {
      attempts = attempts.filter(({ until }) => now() < until + EXPIRY_TAKES_MS)
      attempts.push(attempt)
    },
    written(shop, sku, units) {
      // What happened just now, the number could not know.
      const { most, quota } = mostOf(shop, sku, now() - WRITE_TAKES_MS)
      if (isBlind || units <= 0) return
      if (units > most) breaks('shows too much', `${shop} was made to show ${units} ${sku}, and ${most} is the most`)
      if (units > quota) breaks('quota', `${shop} was made to show ${units} ${sku}, and its quota leaves ${quota}`)
    },
    looks(isWell, shown) {
      if (!isWell || isBlind) aboveSince.clear()
      else for (const { shop, sku, units } of shown) checkLong(shop, sku, units)
    },
    doubts() {
      isBlind = true
    },
    trusts() {
      isBlind = false
    },
  }
}
