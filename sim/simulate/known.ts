/**
 * What Holdfast could have known by a moment, as seen from outside: which orders a shop has handed to it, and which figures a
 * warehouse. What it could not know yet excuses exactly its own units, and only until then.
 */

/** Between an order being handed over by a shop's API and its being counted: a round of the reader and a moment in the lane. */
const ORDER_TAKES_MS = 4_000
/** Between a message being acknowledged and its being applied. */
const MESSAGE_TAKES_MS = 2_500
/** A message that a dead process had claimed is taken up again when that claim has run out. */
const CLAIMED_AGAIN_MS = 36_000

/** From when until when Holdfast was dead, or its database away. */
type Trouble = { readonly from: number; until: number }
/** What was wanted of each line when an order was handed over. */
export type Lines = ReadonlyMap<string, { readonly sku: string; readonly units: number }>
type Told = {
  readonly shop: string
  readonly at: number
  /** How it is known: handed over, granted by Holdfast itself, or sold in its silence out of what the shop last showed (L2). */
  readonly by: 'told' | 'granted' | 'silence'
  readonly lines: Lines
}
type Loss = { readonly sku: string; readonly units: () => number; readonly toldAt: () => number | undefined }

export interface Known {
  /** An answer of a shop's API says this of an order. */
  orderTold(shop: string, orderId: string, lines: Lines): void
  /** The order became of a call that Holdfast had granted: it knows its units since then. */
  orderGranted(shop: string, orderId: string, lines: Lines, grantedAt: number): void
  /** Sold while Holdfast was dead, out of what the shop last showed: once back it counts all of that as sold. */
  soldInSilence(shop: string, orderId: string, lines: Lines): void
  /**
   * Units left the shelves, and nobody could refuse them. How many of them nobody wants, the next moment may change: goods leave for
   * an order, and only then is it cancelled. `toldAt`: when a message that says so was acknowledged.
   */
  lost(sku: string, units: () => number, toldAt: () => number | undefined): void
  /** Holdfast died, or its database went away, until a moment (`Infinity`: until {@link recovered}). */
  troubled(until: number): void
  recovered(): void
  /** Units of a line that were known to be wanted. */
  wanted(orderId: string, line: string, by: number): number
  /**
   * Units of a SKU in a shop's orders that may have been unknown to Holdfast at a moment, and be known now. What the shop sold in a
   * silence is among them: its own number was lowered by it, and what we lower it to is without it until the order is read.
   */
  newSince(shop: string, sku: string, moment: number): number
  /** Units of a SKU that have left the shelves, and that could not be known by then. */
  unknownLoss(sku: string, by: number): number
}

/** @param now the clock, in ms */
export function knownOf(now: () => number): Known {
  const troubles: Trouble[] = []
  const orders = new Map<string, Told[]>()
  let losses: Loss[] = []

  const troubleWithin = (from: number, to: number): Trouble | undefined =>
    troubles.findLast((each) => each.from <= to && each.until >= from)
  /** What was handed over just before a trouble may be lost, and will be handed over again. */
  const countedFrom = ({ at, by }: Told): number | undefined => {
    if (by !== 'told') return at
    return troubleWithin(at, at + ORDER_TAKES_MS) ? undefined : at + ORDER_TAKES_MS
  }
  /** What was acknowledged is never lost, but it may have to wait. */
  const appliedFrom = (acknowledgedAt: number): number => {
    let from = acknowledgedAt + MESSAGE_TAKES_MS
    for (const trouble of troubles)
      if (trouble.from <= from && trouble.until >= acknowledgedAt - 1_000) from = trouble.until + CLAIMED_AGAIN_MS
    return from
  }
  const isSame = (a: Lines, b: Lines): boolean =>
    a.size === b.size && [...a].every(([line, { units }]) => b.get(line)?.units === units)

  function tell(orderId: string, told: Told): void {
    const before = orders.get(orderId) ?? []
    const last = before.at(-1)
    if (last && last.by === told.by && isSame(last.lines, told.lines) && countedFrom(last) !== undefined) return
    orders.set(orderId, [...before, told])
  }
  const isBy = (told: Told, by: number): boolean => (countedFrom(told) ?? Number.POSITIVE_INFINITY) <= by

  return {
    orderTold: (shop, orderId, lines) => tell(orderId, { shop, at: now(), by: 'told', lines }),
    orderGranted: (shop, orderId, lines, grantedAt) => tell(orderId, { shop, at: grantedAt, by: 'granted', lines }),
    soldInSilence: (shop, orderId, lines) => tell(orderId, { shop, at: now(), by: 'silence', lines }),
    lost(sku, units, toldAt) {
      losses.push({ sku, units, toldAt })
    },
    troubled(until) {
      troubles.push({ from: now(), until })
    },
    recovered() {
      for (const trouble of troubles) if (trouble.until === Number.POSITIVE_INFINITY) trouble.until = now()
    },
    wanted(orderId, line, by) {
      const told = orders.get(orderId) ?? []
      const last = told.findLastIndex((each) => isBy(each, by))
      // What was told since may be known already.
      const since = last < 0 ? [] : told.slice(last).map(({ lines }) => lines.get(line)?.units ?? 0)
      return since.length > 0 ? Math.min(...since) : 0
    },
    newSince(shop, sku, moment) {
      let units = 0
      for (const told of orders.values()) {
        const last = told.at(-1)
        if (last?.shop !== shop) continue
        const before = told.findLast((each) => each.by === 'told' && isBy(each, moment))
        if (before === last) continue
        const most = new Map<string, number>()
        for (const { lines, by, at } of told)
          for (const [line, each] of lines)
            if (each.sku === sku && (by !== 'told' || at >= (before?.at ?? 0)))
              most.set(line, Math.max(most.get(line) ?? 0, each.units))
        for (const [line, wanted] of most) units += Math.max(0, wanted - (before?.lines.get(line)?.units ?? 0))
      }
      return units
    },
    unknownLoss(sku, by) {
      let units = 0
      const staying: Loss[] = []
      for (const loss of losses) {
        const toldAt = loss.toldAt()
        const from = toldAt === undefined ? Number.POSITIVE_INFINITY : appliedFrom(toldAt)
        // Nobody asks about a moment that is long past.
        if (from > now() - 10_000) staying.push(loss)
        if (loss.sku === sku && from > by) units += Math.max(0, loss.units())
      }
      losses = staying
      return units
    },
  }
}
