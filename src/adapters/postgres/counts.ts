/** The counters of a SKU as they lie in its row: what is not all zero, by the names of warehouses and shops. */
import { isUnits, shopOf, type Units, warehouseOf } from '../../core/ids.ts'
import type { SkuState } from '../../core/stock.ts'

export type Counts = {
  /** By warehouse: pegged, contained. */
  readonly shelves: Readonly<Record<string, readonly [Units, Units]>>
  /** By shop: open, shortage, untracked, inbound; the last is absent in rows from before there were promises. */
  readonly shops: Readonly<Record<string, readonly [Units, Units, Units, Units?]>>
  /** By inbound line: pegged. Absent when nothing waits for one. */
  readonly lines?: Readonly<Record<string, readonly [Units]>>
}

/** The counters of a state, each list by its names' code units: equal states have equal texts. */
export function countsOf({ shelfCounts, shopCounts, lineCounts }: SkuState): Counts {
  const shelves: Record<string, readonly [Units, Units]> = {}
  for (const [warehouse, { pegged, contained }] of inOrder(shelfCounts))
    if (pegged !== 0 || contained !== 0) shelves[warehouse] = [pegged, contained]
  const shops: Record<string, readonly [Units, Units, Units, Units]> = {}
  for (const [shop, { open, shortage, untracked, inbound }] of inOrder(shopCounts))
    if (open !== 0 || shortage !== 0 || untracked !== 0 || inbound !== 0)
      shops[shop] = [open, shortage, untracked, inbound]
  const lines: Record<string, readonly [Units]> = {}
  for (const [line, { pegged }] of inOrder(lineCounts)) if (pegged !== 0) lines[line] = [pegged]
  return { shelves, shops, ...(Object.keys(lines).length > 0 ? { lines } : {}) }
}

function inOrder<K extends string, V>(counts: ReadonlyMap<K, V>): Iterable<readonly [K, V]> {
  return counts.size < 2 ? counts : [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Puts the counters of a row into a state that has none yet. */
export function fillCounts(state: SkuState, { shelves, shops, lines = {} }: Counts): void {
  for (const [warehouse, [pegged, contained]] of Object.entries(shelves))
    state.shelfCounts.set(warehouseOf(warehouse), { pegged, contained })
  for (const [shop, [open, shortage, untracked, inbound = 0]] of Object.entries(shops))
    state.shopCounts.set(shopOf(shop), { open, shortage, untracked, inbound })
  for (const [line, [pegged]] of Object.entries(lines)) state.lineCounts.set(line, { pegged })
}

/** The counters one by one, by a name of their own, those of `beside` as well: for comparing. */
export function namedCounts(counts: Counts, beside: Counts): Readonly<Record<string, Units>> {
  const named: Record<string, Units> = {}
  for (const warehouse of namesOf(counts.shelves, beside.shelves)) {
    const [pegged, contained] = counts.shelves[warehouse] ?? [0, 0]
    named[`pegged_units of ${warehouse}`] = pegged
    named[`contained_units of ${warehouse}`] = contained
  }
  for (const shop of namesOf(counts.shops, beside.shops)) {
    const [open, shortage, untracked, inbound = 0] = counts.shops[shop] ?? [0, 0, 0, 0]
    named[`open_units of ${shop}`] = open
    named[`shortage_units of ${shop}`] = shortage
    named[`untracked_units of ${shop}`] = untracked
    named[`inbound_units of ${shop}`] = inbound
  }
  for (const line of namesOf(counts.lines ?? {}, beside.lines ?? {}))
    named[`pegged_units of ${line.replace('\u001f', '/')}`] = counts.lines?.[line]?.[0] ?? 0
  return named
}

const namesOf = (a: object, b: object): readonly string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()

/**
 * The last look before a state is written: a counter below nothing, or more charged than contained, is a bug of ours.
 *
 * @throws an Error that names the counter as the tables' constraints do
 */
export function assertCounts({ sku, shelves, shelfCounts, shopCounts, lineCounts }: SkuState): void {
  const check = (holds: boolean, name: string): void => {
    if (!holds) throw new Error(`new row violates check constraint "${name}" (${sku})`)
  }
  for (const { pegged, contained } of shelfCounts.values()) check(isUnits(pegged) && isUnits(contained), 'sku_counts')
  for (const { open, shortage, untracked, inbound } of shopCounts.values())
    check([open, shortage, untracked, inbound].every(isUnits), 'sku_counts')
  for (const { pegged } of lineCounts.values()) check(isUnits(pegged), 'sku_counts')
  for (const { warehouse, chargedUnits } of shelves.values())
    check(chargedUnits >= 0 && chargedUnits <= (shelfCounts.get(warehouse)?.contained ?? 0), 'figure_charged')
}
