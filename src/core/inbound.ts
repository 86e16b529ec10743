/**
 * Inbound lines as facts (L4, H20). A unit that comes is counted on its line until the figure in force provably contains it, and
 * on hand from then on: the same inclusion as for orders (L1), whatever order the receipt, the line and the figure come in.
 *
 * Computed from what was said, never counted along. The newest statement about the line that the figure is not older than says
 * how many units of it the figure contains; receipts after that statement add theirs. What the figure rose since then and nothing
 * explains may be more of them: it is charged to the lines, the earliest day first, until a word explains it or a bound ends it.
 */
import { type Configuration, sourceOfWarehouse } from './configuration.ts'
import { type Draft, setInbound } from './draft.ts'
import type { Instant, Units, WarehouseId } from './ids.ts'
import { compareStamps } from './inclusion.ts'
import { settleCharge, surgesOf, tellChange } from './rise.ts'
import {
  type Credit,
  type Figure,
  type InboundLine,
  inboundKey,
  type Receipt,
  type Shelf,
  type SkuState,
  type Statement,
} from './stock.ts'
import type { InboundWord, MovementWord, Stamp } from './word.ts'

/** Statements and receipts of one line that are kept at once. */
const MAX_KEPT = 20
/** A rise that nothing has explained for so long was no receipt: the line would have been told again. A source may declare another bound. */
export const TELLS_RECEIPTS_WITHIN_MS = 86_400_000

/** What is left of one line, in units. */
export type Remainder = {
  readonly line: InboundLine
  /** So many will have come when the line is done: what was ordered less what was rejected, and what has come of a cancelled one. */
  readonly expectedUnits: Units
  /** Of these, units that have come by any word. */
  readonly receivedUnits: Units
  /** Of these, units that the figure in force contains. */
  readonly containedUnits: Units
  /** Rises of the figure that may be units of this line. */
  readonly chargedUnits: Units
  /** Units that wait for it. */
  readonly peggedUnits: Units
}

/** Units that a line can still serve, as far as nothing proves the contrary: those that wait for it are not told otherwise before. */
export const coverOf = ({ expectedUnits, containedUnits }: Remainder): Units =>
  Math.max(0, expectedUnits - containedUnits)

/** Units that nobody waits for and that may be promised, as far as the rules take the line. */
export const freeOf = (remainder: Remainder): Units =>
  Math.max(0, coverOf(remainder) - remainder.chargedUnits - remainder.peggedUnits)

/** The lines of one warehouse, the earliest day first, each with what is left of it. */
export function remaindersOf(
  state: SkuState,
  rules: Configuration,
  warehouse: WarehouseId,
  now: Instant,
): readonly Remainder[] {
  const shelf = state.shelves.get(warehouse)
  const lines = sortedLines(state).filter((line) => line.warehouse === warehouse)
  const boundMs = sourceOfWarehouse(rules, warehouse)?.tellsReceiptsWithinMs ?? TELLS_RECEIPTS_WITHIN_MS
  const rises = (shelf ? surgesOf(shelf) : [])
    .filter(({ at }) => at + boundMs > now)
    .map((surge) => ({ ...surge, left: surge.units }))
  // What is charged to our own allocated units is not for sale already: the sum is right, whichever of the two it was.
  take(rises, shelf?.chargedUnits ?? 0)
  return lines.map((line) => {
    const { base, ...counted } = countedOf(line, shelf?.figure)
    const peggedUnits = state.lineCounts.get(inboundKey(line))?.pegged ?? 0
    const remainder = { line, ...counted, peggedUnits }
    if (rises.length === 0) return { ...remainder, chargedUnits: 0 }
    const open = Math.max(0, remainder.expectedUnits - remainder.containedUnits)
    const since = rises.filter((rise) => isAfter({ stamp: rise.upTo, at: rise.at }, base))
    return { ...remainder, chargedUnits: open - take(since, open) }
  })
}

type Counted = Pick<Remainder, 'expectedUnits' | 'receivedUnits' | 'containedUnits'> & { readonly base: Statement }

/** Lines and figures never change, they are replaced: what was counted of the two is remembered, for holds ask again and again. */
const counts = new WeakMap<InboundLine, { readonly figure: Figure | undefined; readonly counted: Counted }>()

function countedOf(line: InboundLine, figure: Figure | undefined): Counted {
  const known = counts.get(line)
  if (known && known.figure === figure) return known.counted
  const base = baseOf(line, figure)
  const receivedUnits = receivedOf(line)
  const counted = {
    base,
    receivedUnits,
    expectedUnits: expectedOf(line, receivedUnits),
    containedUnits: Math.min(receivedUnits, containedOf(line, base, figure)),
  }
  counts.set(line, { figure, counted })
  return counted
}

const orders = new WeakMap<
  SkuState,
  { readonly told: readonly InboundLine[]; readonly sorted: readonly InboundLine[] }
>()

function sortedLines(state: SkuState): readonly InboundLine[] {
  const told = [...state.inbound.values()]
  const known = orders.get(state)
  if (known && known.told.length === told.length && known.told.every((line, nth) => line === told[nth]))
    return known.sorted
  const sorted = told.toSorted(byDay)
  orders.set(state, { told, sorted })
  return sorted
}

/** Takes up to so many units out of rises, the oldest first. Returns what they did not have. */
function take(rises: readonly { left: Units }[], units: Units): Units {
  let wanted = units
  for (const rise of rises) {
    const taken = Math.min(wanted, rise.left)
    rise.left -= taken
    wanted -= taken
  }
  return wanted
}

/** Lines with a day before those without; the name breaks ties, so that the order is total. */
export function byDay(a: InboundLine, b: InboundLine): number {
  if (a.eta !== b.eta) return (a.eta ?? NO_DAY) < (b.eta ?? NO_DAY) ? -1 : 1
  if (a.purchaseOrder !== b.purchaseOrder) return a.purchaseOrder < b.purchaseOrder ? -1 : 1
  return a.line < b.line ? -1 : 1
}

const NO_DAY = '9999-99-99'

type Moment = { readonly stamp: Stamp; readonly at: Instant }

/** Whether a word is later than another: by the order of its source, and as they reached us where that says nothing. */
function isAfter(word: Moment, than: Moment): boolean {
  if (word.stamp.epoch !== than.stamp.epoch) return word.stamp.epoch > than.stamp.epoch
  const order = compareStamps(word.stamp, than.stamp)
  return order ? order.order > 0 : word.at > than.at
}

const isContained = (figure: Figure | undefined, word: Moment): boolean =>
  figure !== undefined && !isAfter(word, { stamp: figure.stamp, at: figure.receivedAt })

const statementOf = ({ stamp, receivedAt, received }: InboundLine): Statement => ({ stamp, at: receivedAt, received })

const statementsOf = (line: InboundLine): readonly Statement[] => [...(line.earlier ?? []), statementOf(line)]

/** The newest statement that the figure is not older than; of a line that was first told after it, what that word said. */
function baseOf(line: InboundLine, figure: Figure | undefined): Statement {
  const statements = statementsOf(line)
  return statements.findLast((each) => isContained(figure, each)) ?? statements[0] ?? statementOf(line)
}

const containedOf = (line: InboundLine, base: Statement, figure: Figure | undefined): Units =>
  (line.receipts ?? [])
    .filter((receipt) => isAfter(receipt, base) && isContained(figure, receipt))
    .reduce((sum, { units }) => sum + units, base.received)

/**
 * Takes note, on the lines, of units of which they alone have told and that a figure is the first to contain. Named receipts tell
 * of theirs by themselves, and so do those that name no line.
 *
 * @returns their sum
 */
export function creditLines(draft: Draft, shelf: Shelf, figure: Figure): Units {
  const { warehouse, figure: before, movements } = shelf
  let unnamed = movements.reduce((sum, each) => sum + (each.unnamed ? each.change : 0), 0)
  let units = 0
  for (const line of draft.state.inbound.values()) {
    if (line.warehouse !== warehouse) continue
    const base = baseOf(line, before)
    const came = containedOf(line, baseOf(line, figure), figure) - containedOf(line, base, before)
    const seen = surgesOf(shelf).filter(({ upTo, at }) => isAfter({ stamp: upTo, at }, base))
    const told = (line.receipts ?? []).filter((each) => !isContained(before, each) && isContained(figure, each))
    const untold = Math.max(0, came - sumOf(told) - sumOf(seen))
    const credit = Math.max(0, untold - unnamed)
    unnamed -= untold - credit
    if (credit > 0) setInbound(draft, credited(line, before, credit), 'came-with-figure')
    units += credit
  }
  return units
}

/** The newest few are kept: a receipt that comes later than that is charged for once more, until the line is told again. */
const credited = (
  line: InboundLine,
  { stamp, receivedAt }: Pick<Figure, 'stamp' | 'receivedAt'>,
  units: Units,
): InboundLine => ({
  ...line,
  credits: [...(line.credits ?? []), { since: stamp, at: receivedAt, units }].slice(-MAX_KEPT),
})

/** A statement about older news: of what came since the last one, units that no step up to then shows must be in the step that it fell into. */
function explained(draft: Draft, before: InboundLine, line: InboundLine): InboundLine {
  const shelf = draft.state.shelves.get(line.warehouse)
  if (!shelf || !isContained(shelf.figure, statementOf(line))) return line
  const base = baseOf(before, shelf.figure)
  const until = (word: Moment): boolean => isAfter(word, base) && !isAfter(word, statementOf(line))
  const told = (before.receipts ?? []).filter(until)
  const seen = surgesOf(shelf).filter(({ upTo, at }) => until({ stamp: upTo, at }))
  const units = Math.max(0, line.received - base.received - sumOf(told) - sumOf(seen))
  if (units === 0) return line
  const steps = shelf.steps.filter(({ upTo, at = line.receivedAt }) => until({ stamp: upTo, at }))
  const { upTo, at } = steps.at(-1) ?? { upTo: base.stamp, at: base.at }
  tellChange(draft, { warehouse: line.warehouse, stamp: line.stamp, change: units }, 'received-by-line')
  return credited(line, { stamp: upTo, receivedAt: at ?? base.at }, units)
}

const sumOf = (parts: readonly { readonly units: Units }[]): Units => parts.reduce((sum, { units }) => sum + units, 0)

const receivedOf = (line: InboundLine): Units =>
  (line.receipts ?? [])
    .filter((receipt) => isAfter(receipt, statementOf(line)))
    .reduce((sum, { units }) => sum + units, line.received)

const expectedOf = ({ cancelled, ordered, rejected = 0 }: InboundLine, received: Units): Units =>
  cancelled ? received : Math.max(received, ordered - rejected)

/** The newest statement about a line counts; an older one is late. */
export function takeInboundWord(draft: Draft, word: InboundWord, receivedAt: Instant): 'applied' | 'late' {
  const { kind: _, sku: __, ...told } = word
  const before = draft.state.inbound.get(inboundKey(told))
  if (before && isLate(word.stamp, before.stamp)) return 'late'
  const line: InboundLine = { ...told, receivedAt }
  const next = before ? continued(draft, before, line) : line
  setInbound(draft, before ? explained(draft, before, next) : next, 'inbound-told')
  settleCharge(draft, line.warehouse)
  return 'applied'
}

function isLate(stamp: Stamp, than: Stamp): boolean {
  const order = compareStamps(stamp, than)
  return stamp.epoch < than.epoch || (order !== undefined && order.order < 0)
}

/** What was said before is kept from the statement on that the figure contains, as long as it says something else. */
function continued({ state }: Draft, before: InboundLine, line: InboundLine): InboundLine {
  const figure = state.shelves.get(line.warehouse)?.figure
  if (before.warehouse !== line.warehouse || before.stamp.epoch !== line.stamp.epoch) return line
  const said = statementsOf(before)
  const base = said.findLastIndex((each) => isContained(figure, each))
  const earlier = isContained(figure, statementOf(line)) ? [] : said.slice(Math.max(0, base)).slice(-MAX_KEPT)
  const oldest = earlier[0] ?? statementOf(line)
  const receipts = (before.receipts ?? []).filter((receipt) => isAfter(receipt, oldest))
  return {
    ...line,
    ...(earlier.length > 0 ? { earlier } : {}),
    ...(receipts.length > 0 ? { receipts } : {}),
    ...creditOf(before.credits ?? []),
  }
}

/**
 * A receipt that names a line.
 *
 * @returns the units of it that explain a rise of the figure: not those that a statement has told already. `undefined` when it
 * names no line, or one that was not told yet: then nobody knows which line has become less
 */
export function takeReceipt(draft: Draft, word: MovementWord, at: Instant): Units | undefined {
  const { purchaseOrder, line, stamp, change: units } = word
  if (purchaseOrder === undefined || line === undefined || units <= 0) return undefined
  const found = draft.state.inbound.get(inboundKey({ purchaseOrder, line }))
  if (!found || found.warehouse !== word.warehouse) return undefined
  const before = found.receipts ?? []
  if (before.some((each) => isSameAct(each.stamp, stamp))) return 0
  const base = baseOf(found, draft.state.shelves.get(found.warehouse)?.figure)
  const { receipts: _, ...rest } = found
  if (isAfter({ stamp, at }, base)) {
    const receipts = fewest([...before, { stamp, at, units }].filter((each) => isAfter(each, base)))
    setInbound(draft, { ...rest, receipts }, 'received')
    return units
  }
  let left = units
  // The newest first: the step that the receipt fell into.
  const credits = (found.credits ?? []).toReversed().map((credit) => {
    const used = isAfter({ stamp, at }, { stamp: credit.since, at: credit.at }) ? Math.min(left, credit.units) : 0
    left -= used
    return { ...credit, units: credit.units - used }
  })
  const { credits: __, ...uncredited } = found
  if (left < units)
    setInbound(
      draft,
      { ...uncredited, ...creditOf(credits.filter((credit) => credit.units > 0).toReversed()) },
      'received',
    )
  return left
}

const creditOf = (credits: readonly Credit[]): Pick<InboundLine, 'credits'> => (credits.length > 0 ? { credits } : {})

/** Two acts of a source that counts never share a number. */
const isSameAct = (a: Stamp, b: Stamp): boolean =>
  a.sequence !== undefined && a.sequence === b.sequence && a.epoch === b.epoch

/** The two oldest become one that came when the first did: at worst its units are missing until the figure holds them. */
function fewest(receipts: readonly Receipt[]): readonly Receipt[] {
  const [first, second, ...rest] = receipts
  if (receipts.length <= MAX_KEPT || !first || !second) return receipts
  return [{ ...first, units: first.units + second.units }, ...rest]
}
