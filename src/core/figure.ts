/** How a warehouse's figure comes into force, and what follows from it in the same decision (L1, L3, L4). */
import { sourceOfWarehouse, warehousesOf } from './configuration.ts'
import { type Demand, type DemandPatch, isMissedByList } from './demand.ts'
import { alter, type Draft, setShelf } from './draft.ts'
import type { Instant, WarehouseId } from './ids.ts'
import { after } from './ids.ts'
import { creditLines } from './inbound.ts'
import { isLater, isOrdered, proofOfInclusion } from './inclusion.ts'
import { liveDemands, losePegs, serveShortages } from './peg.ts'
import { settleCharge, stepTo, tellFallen } from './rise.ts'
import { freeOn } from './sellable.ts'
import type { Figure, Rise, Shelf } from './stock.ts'

/** A rise of an unordered source must stand undisputed for so long. */
export const RISE_SETTLES_AFTER_MS = 60_000
/** Claims of a rise that are kept at once; more are folded into the newest, so that the oldest come of age. */
const MAX_RISES = 8

/** What became of a figure: in force, or why not. */
export type FigureVerdict = 'in-force' | 'repeated' | 'late' | 'waiting' | 'disputed'

/** How an incoming figure stands to the one in force. `rewound` proves that the WMS went back in time. */
type Standing = 'first' | 'new-epoch' | 'newer' | 'repeated' | 'late' | 'rewound' | 'unordered'

/**
 * Takes a figure in. A lower sequence is late and ignored, unless it proves a restart; a rise of an unordered source waits.
 *
 * @param answersOurPull the figure was asked for by us, so it cannot be an old message on a slow way
 */
export function takeFigure(
  draft: Draft,
  warehouse: WarehouseId,
  figure: Figure,
  answersOurPull: boolean,
): FigureVerdict {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf) return takeBase(draft, warehouse, figure)
  const standing = standingOf(shelf, figure, answersOurPull)
  switch (standing) {
    case 'late':
    case 'repeated':
      return standing
    case 'first':
    case 'new-epoch':
      return takeBase(draft, warehouse, figure)
    case 'rewound':
      return takeDisputed(draft, shelf, figure)
    case 'newer':
      if (shelf.disputed) return takeDisputed(draft, shelf, figure)
      if (figure.semantics !== shelf.figure.semantics) return takeBase(draft, warehouse, figure)
      adopt(draft, { ...stepTo(draft, shelf, figure, creditLines(draft, shelf, figure)), rises: [] }, shelf.figure)
      return 'in-force'
    case 'unordered':
      return takeUnordered(draft, shelf, figure, answersOurPull)
  }
}

function takeBase(draft: Draft, warehouse: WarehouseId, figure: Figure): FigureVerdict {
  adopt(draft, baseOf(warehouse, figure), undefined)
  return 'in-force'
}

/** A figure before which nothing counts: the first one, the first of an epoch, or the first that counts in another way. */
const baseOf = (warehouse: WarehouseId, figure: Figure): Shelf => ({
  warehouse,
  figure,
  rises: [],
  disputed: false,
  chargedUnits: 0,
  movements: [],
  steps: [],
})

function standingOf(shelf: Shelf, figure: Figure, answersOurPull: boolean): Standing {
  const current = shelf.figure
  if (figure.stamp.epoch > current.stamp.epoch) return 'new-epoch'
  if (figure.stamp.epoch < current.stamp.epoch) return 'late'
  if (!isOrdered(figure.stamp)) return 'unordered'
  const { sequence, asOf } = figure.stamp
  if (sequence !== undefined && current.stamp.sequence !== undefined) {
    if (sequence > current.stamp.sequence) return 'newer'
    if (sequence === current.stamp.sequence) return sameContent(figure, current) ? 'repeated' : 'rewound'
    const laterByClock = asOf !== undefined && current.stamp.asOf !== undefined && asOf > current.stamp.asOf
    return answersOurPull || laterByClock ? 'rewound' : 'late'
  }
  if (asOf !== undefined && current.stamp.asOf !== undefined) {
    if (asOf > current.stamp.asOf) return 'newer'
    if (asOf < current.stamp.asOf) return 'late'
    // Two statements of one tick: which came first is unknown, so only a fall is believed.
    if (sameContent(figure, current)) return 'repeated'
    return figure.units < current.units ? 'newer' : 'late'
  }
  return 'unordered'
}

const sameContent = (a: Figure, b: Figure): boolean =>
  a.units === b.units && a.onHand === b.onHand && a.blocked === b.blocked && a.allocated === b.allocated

/** After a proved restart the lowest of the old and of every newly received figure is in force (H6). */
function takeDisputed(draft: Draft, shelf: Shelf, figure: Figure): FigureVerdict {
  if (!shelf.disputed) {
    draft.incidents.push({
      code: 'RESTART_SUSPECTED',
      key: `${shelf.warehouse}`,
      opens: true,
      cause: 'the warehouse told older news as new: it seems to have been restored from a backup',
    })
  }
  const lower = figure.units < shelf.figure.units
  adopt(draft, { ...baseOf(shelf.warehouse, lower ? figure : shelf.figure), disputed: true }, undefined)
  return lower ? 'in-force' : 'disputed'
}

/** A fall is in force at once; a rise once it has stood undisputed, or when it answers our own pull (H5). */
function takeUnordered(draft: Draft, shelf: Shelf, figure: Figure, confirmed: boolean): FigureVerdict {
  // With no order of its own, the source's messages count as they reached us; one that overtook this one has replaced it.
  const isOvertaken = figure.receivedAt < shelf.figure.receivedAt
  if (figure.semantics !== shelf.figure.semantics)
    return isOvertaken ? 'late' : takeBase(draft, shelf.warehouse, figure)
  if (figure.units <= shelf.figure.units || confirmed) {
    adopt(
      draft,
      { ...stepTo(draft, shelf, figure, creditLines(draft, shelf, figure)), rises: risesSince(shelf, figure) },
      shelf.figure,
    )
    return 'in-force'
  }
  if (isOvertaken) return 'late'
  // A claim of n units also claims every number below n: it disputes higher claims and inherits their age.
  const disputed = shelf.rises.filter((rise) => rise.figure.units >= figure.units)
  const standing = shelf.rises.filter((rise) => rise.figure.units < figure.units)
  const since = disputed[0]?.since ?? figure.receivedAt
  const rises = [...standing.slice(0, MAX_RISES - 1), { figure, since }]
  setShelf(draft, { ...shelf, rises }, 'rise-waits')
  return 'waiting'
}

/** A fall that was overtaken disputes nothing that was claimed after it: those claims wait as if it had come in its turn. */
function risesSince(shelf: Shelf, fall: Figure): readonly Rise[] {
  const claims = [{ figure: shelf.figure, since: shelf.figure.receivedAt }, ...shelf.rises]
  return claims
    .filter(({ figure }) => figure.receivedAt > fall.receivedAt && figure.units > fall.units)
    .slice(0, MAX_RISES)
}

/** When the oldest waiting rise of a shelf is due; `undefined` when none waits. */
export const riseDueAt = (shelf: Shelf): Instant | undefined => {
  const oldest = shelf.rises[0]
  return oldest && after(oldest.since, RISE_SETTLES_AFTER_MS)
}

/** Brings rises into force that have stood undisputed. Harmless to repeat. */
export function settleRises(draft: Draft): void {
  for (const shelf of [...draft.state.shelves.values()]) {
    const due = shelf.rises.filter(({ since }) => after(since, RISE_SETTLES_AFTER_MS) <= draft.now)
    const newest: Rise | undefined = due.at(-1)
    if (!newest) continue
    adopt(
      draft,
      {
        ...stepTo(draft, shelf, newest.figure, creditLines(draft, shelf, newest.figure)),
        rises: shelf.rises.slice(due.length),
      },
      shelf.figure,
    )
  }
}

/**
 * An operator trusts a restarted source again. The figure in force may bear a number from before the restart, which the source
 * will not reach for long: it loses its place in the order, so that whatever comes next is compared by its units alone.
 *
 * Goods that left before the restart are proved by no figure after it, and a cancellation that was asked for before it will not be
 * answered: the warehouse will not speak of either again. It is the operator who says that its books are right about them.
 */
export function trustShelf(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf) return
  if (shelf.disputed) {
    const figure = { ...shelf.figure, stamp: { epoch: shelf.figure.stamp.epoch } }
    setShelf(draft, { ...shelf, figure, disputed: false, steps: [] }, 'trusted-again')
  }
  const isFromBefore = ({ mark, knownSince }: Demand): boolean => {
    const since = (mark ?? knownSince)?.stamp
    return shelf.disputed || (since !== undefined && since.epoch < shelf.figure.stamp.epoch)
  }
  for (const demand of liveDemands(draft, (each) => pegsTo(each, warehouse) && isFromBefore(each))) {
    if (demand.phase === 'shipped')
      alter(draft, demand, demand.units, { contained: true, end: 'shipped-and-included' }, 'trusted-to-have-left')
    else if (demand.cancelRequested) alter(draft, demand, demand.units, { end: 'cancelled' }, 'trusted-to-be-cancelled')
  }
  serveShortages(draft)
}

/**
 * Puts a figure in force.
 *
 * @param before the figure that this one continues; `undefined` when it is a base (first, new epoch, disputed): then nothing
 * that was proved before stays proved, and a difference is no rise
 */
function adopt(draft: Draft, shelf: Shelf, before: Figure | undefined): void {
  const { warehouse } = shelf
  setShelf(draft, shelf, before ? 'figure' : 'figure-base')
  pegUntracked(draft, warehouse)
  evaluate(draft, shelf, before === undefined)
  serveShortages(draft)
}

/** Evaluates the figure in force again for demands whose words came late. Shortages are served by the caller. */
export function reconsider(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (shelf) evaluate(draft, shelf, false)
}

/** Which of the units pegged here does the figure contain, and what follows from that. A base keeps nothing but what it proves. */
function evaluate(draft: Draft, { warehouse, figure }: Shelf, isBase: boolean): void {
  const source = sourceOfWarehouse(draft.rules, warehouse)
  let byMarginUnits = 0
  for (const demand of liveDemands(draft, (each) => pegsTo(each, warehouse))) {
    const proof = proofOfInclusion(figure, demand, source)
    const contained = proof !== undefined || (!isBase && staysContained(figure, demand))
    const patch = contained ? containedBy(figure, demand, proof) : NOT_CONTAINED
    if (contained === demand.contained && patch.end === undefined) continue
    if (proof === 'margin' && !demand.contained) byMarginUnits += demand.units
    alter(draft, demand, demand.units, patch, contained ? 'contained' : 'no-longer-contained')
  }
  tellFallen(draft, warehouse, byMarginUnits)
  settleCharge(draft, warehouse)
  losePegs(draft, warehouse)
}

const pegsTo = (demand: Demand, warehouse: WarehouseId): boolean =>
  demand.supply.kind === 'on-hand' && demand.supply.warehouse === warehouse

const NOT_CONTAINED: DemandPatch = { contained: false }

/**
 * Contained units that have shipped are done: both ends of L1 are met. Not yet by a figure from before they left, for until then
 * they may have been taken back and allocated again.
 */
export function containedBy(figure: Figure, demand: Demand, proof: Demand['proof']): DemandPatch {
  const isDone =
    demand.phase === 'shipped' && !isMissedByList(demand) && !(demand.mark && isLater(demand.mark.stamp, figure.stamp))
  return { contained: true, ...(proof ? { proof } : {}), ...(isDone ? { end: 'shipped-and-included' } : {}) }
}

/** What an older figure contained, a newer one of the same epoch contains too, unless the warehouse took it back. */
const staysContained = (figure: Figure, { contained, unmark }: Demand): boolean =>
  contained && (figure.semantics === 'gross' || unmark === undefined || isLater(unmark, figure.stamp))

/**
 * A figure pegs what was ordered before anything was known. Orders from before it may be contained in it already, so they are
 * pegged whole: the term turns negative rather than the customer being told of a shortage. Not as long as another warehouse that
 * could serve them has not spoken: then they take what is here, and the rest waits for its word.
 */
function pegUntracked(draft: Draft, warehouse: WarehouseId): void {
  const source = sourceOfWarehouse(draft.rules, warehouse)
  const figure = draft.state.shelves.get(warehouse)?.figure
  if (!figure) return
  const baseline = { by: 'baseline', warehouse, stamp: { epoch: figure.stamp.epoch } } as const
  for (const demand of liveDemands(draft, ({ supply }) => supply.kind === 'untracked')) {
    const allowed = warehousesOf(draft.rules, demand.shop)
    if (!allowed.includes(warehouse)) continue
    const mark = demand.mark?.by === 'baseline' ? { mark: baseline } : {}
    const pegged = { ...demand, ...mark, supply: { kind: 'on-hand', warehouse } as const }
    const proof = proofOfInclusion(figure, pegged, source)
    const contained = proof ? containedBy(figure, pegged, proof) : NOT_CONTAINED
    const isWhole =
      allowed.every((each) => draft.state.shelves.has(each)) || (proof !== undefined && proof !== 'margin')
    const units = isWhole ? demand.units : Math.min(demand.units, Math.max(0, freeOn(draft.state, warehouse)))
    if (units > 0)
      alter(draft, demand, units, { ...mark, supply: pegged.supply, ...contained }, 'pegged-by-first-figure')
  }
}
