/** Which promises may be made beyond what is on hand, as data: rules for everything, for a shop, for SKUs, the most exact word first. */
import type { ShopId, Sku, Units, WarehouseId } from './ids.ts'

/** When an inbound line may be sold against. */
export type BackOrderTerms = {
  readonly enabled: boolean
  /** The goods must be expected by today in the shop's zone and so many calendar days, inclusive. */
  readonly windowDays: number
  /** The most units of one SKU that may wait for inbound lines in one shop; absent: no cap. */
  readonly capUnits?: Units
  /** A line counts for so many days after its day has passed. */
  readonly graceDays: number
  /** Only lines that the supplier has confirmed. */
  readonly confirmedOnly: boolean
  /** Only lines into these warehouses, of those that serve the shop; absent: into all of them. */
  readonly warehouses?: readonly WarehouseId[]
  /** Days that are added to what a supplier says, before anything is learned of it. */
  readonly marginDays: number
}

/** What holds where no rule says otherwise. */
export const DEFAULT_TERMS: BackOrderTerms = {
  enabled: false,
  windowDays: 7,
  graceDays: 0,
  confirmedOnly: true,
  marginDays: 0,
}

/** One rule. What it leaves out, a less exact one says. */
export type PromiseRule = {
  readonly shop?: ShopId
  readonly skus?: readonly Sku[]
  readonly backOrders?: Partial<BackOrderTerms>
}

/** Rules in the form in which they are looked up. */
export type PromiseRules = {
  /** Without a SKU, the least exact first. */
  readonly general: readonly PromiseRule[]
  /** By SKU, the least exact first. */
  readonly bySku: ReadonlyMap<Sku, readonly PromiseRule[]>
}

/** Orders rules: for everything, for a shop, for SKUs, for SKUs in a shop. */
export function promiseRulesOf(rules: readonly PromiseRule[]): PromiseRules {
  const sorted = rules.toSorted((a, b) => exactness(a) - exactness(b))
  const bySku = new Map<Sku, PromiseRule[]>()
  for (const rule of sorted) {
    for (const sku of rule.skus ?? []) {
      const known = bySku.get(sku)
      if (known) known.push(rule)
      else bySku.set(sku, [rule])
    }
  }
  return { general: sorted.filter(({ skus }) => skus === undefined), bySku }
}

/** How exact a rule is: a SKU outweighs a shop. */
export const exactness = ({ shop, skus }: Pick<PromiseRule, 'shop' | 'skus'>): number =>
  (skus === undefined ? 0 : 2) + (shop === undefined ? 0 : 1)

/** What holds for one SKU in one shop: each word from the most exact rule that says it. */
export function termsFor(rules: PromiseRules | undefined, shop: ShopId, sku: Sku): BackOrderTerms {
  if (!rules) return DEFAULT_TERMS
  let terms = DEFAULT_TERMS
  for (const rule of [...rules.general, ...(rules.bySku.get(sku) ?? [])]) {
    if (rule.shop === undefined || rule.shop === shop) terms = { ...terms, ...rule.backOrders }
  }
  return terms
}
