/** What the clients of a torture know: everything they asked, what was answered, and so what must be there. */

/** One basket of a client, under a key of its own. `lines` are those of the last yes. */
export type Basket = {
  readonly key: string
  lines: ReadonlyMap<string, number>
  state: 'open' | 'refused' | 'placed' | 'released'
}

export class Book {
  /** Ids of messages that were acknowledged. */
  readonly messages = new Set<string>()
  /** The last figure of each SKU that the warehouse told. */
  readonly figures = new Map<string, number>()
  readonly baskets = new Map<string, Basket>()
  /** Orders that nobody held before: number → SKU and units. */
  readonly facts = new Map<string, { readonly sku: string; readonly units: number }>()
  /** What was answered and must never be. */
  readonly wrong: string[] = []
  answered = 0
  unanswered = 0

  /** Units of a SKU that are held or ordered, by what was answered. */
  takenOf(sku: string): number {
    let units = 0
    for (const { lines, state } of this.baskets.values())
      if (state === 'open' || state === 'placed') units += lines.get(sku) ?? 0
    for (const fact of this.facts.values()) if (fact.sku === sku) units += fact.units
    return units
  }

  /** SKUs that anybody holds, ordered or told of. */
  skus(): readonly string[] {
    const named = [...this.baskets.values()].flatMap(({ lines }) => [...lines.keys()])
    return [...new Set([...this.figures.keys(), ...named])].sort()
  }
}
