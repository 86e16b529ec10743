/** How a warehouse's figure comes into force, and what follows from it in the same decision (L1, L3, L4). */
import { sourceOfWarehouse } from './configuration.ts'
import { type Demand, type DemandPatch, rankOf } from './demand.ts'
import { alter, type Draft, setShelf } from './draft.ts'
import type { Instant, WarehouseId } from './ids.ts'
import { after } from './ids.ts'
import { compareStamps, isOrdered, proofOfInclusion } from './inclusion.ts'
import { boundCharge, liveDemands, losePegs, serveShortages } from './peg.ts'
import { type Figure, type Rise, type Shelf, shelfCount } from './stock.ts'
import type { MovementWord } from './word.ts'

/** A rise of an unordered source must stand undisputed for so long. */
export const RISE_SETTLES_AFTER_MS = 60_000
/** Claims of a rise that are kept at once; more are folded into the newest. */
const MAX_RISES = 8
/** Movements that are remembered until a figure holds them; older ones are forgotten, which only subtracts longer. */
const MAX_MOVEMENTS = 50

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
  if (!shelf) {
    adopt(draft, { warehouse, figure, rises: [], disputed: false, chargedUnits: 0, movements: [] }, undefined)
    return 'in-force'
  }
  const standing = standingOf(shelf, figure, answersOurPull)
  switch (standing) {
    case 'late':
    case 'repeated':
      return standing
    case 'first':
    case 'new-epoch':
      adopt(draft, { ...shelf, figure, rises: [], disputed: false, chargedUnits: 0, movements: [] }, undefined)
      return 'in-force'
    case 'rewound':
      return takeDisputed(draft, shelf, figure)
    case 'newer':
      if (shelf.disputed) return takeDisputed(draft, shelf, figure)
      adopt(draft, { ...shelf, figure, rises: [] }, shelf.figure)
      return 'in-force'
    case 'unordered':
      return takeUnordered(draft, shelf, figure, answersOurPull)
  }
}

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
  adopt(draft, { ...shelf, disputed: true, rises: [], figure: lower ? figure : shelf.figure }, undefined)
  return lower ? 'in-force' : 'disputed'
}

/** A fall is in force at once; a rise once it has stood undisputed, or when it answers our own pull (H5). */
function takeUnordered(draft: Draft, shelf: Shelf, figure: Figure, confirmed: boolean): FigureVerdict {
  if (figure.units <= shelf.figure.units || confirmed) {
    adopt(draft, { ...shelf, figure, rises: [] }, shelf.figure)
    return 'in-force'
  }
  // With no order of its own, the source's messages count as they reached us; one that overtook this one has replaced it.
  if (figure.receivedAt < shelf.figure.receivedAt) return 'late'
  // A claim of n units also claims every number below n: it disputes higher claims and inherits their age.
  const disputed = shelf.rises.filter((rise) => rise.figure.units >= figure.units)
  const standing = shelf.rises.filter((rise) => rise.figure.units < figure.units)
  const since = disputed[0]?.since ?? figure.receivedAt
  const rises = [...standing.slice(-(MAX_RISES - 1)), { figure, since }]
  setShelf(draft, { ...shelf, rises }, 'rise-waits')
  return 'waiting'
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
    adopt(draft, { ...shelf, figure: newest.figure, rises: shelf.rises.slice(due.length) }, shelf.figure)
  }
}

/** An operator trusts the newest figure again, or a new one is a base: nothing is charged, everything is proved anew. */
export function trustShelf(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (shelf?.disputed) setShelf(draft, { ...shelf, disputed: false }, 'trusted-again')
}

/**
 * Puts a figure in force.
 *
 * @param before the figure that this one continues; `undefined` when it is a base (first, new epoch, disputed): then nothing
 * that was proved before stays proved, and a difference is no rise
 */
function adopt(draft: Draft, shelf: Shelf, before: Figure | undefined): void {
  const { warehouse, figure } = shelf
  const source = sourceOfWarehouse(draft.rules, warehouse)
  setShelf(draft, shelf, before ? 'figure' : 'figure-base')
  if (!before) pegUntracked(draft, warehouse)

  let moved = 0
  for (const demand of liveDemands(draft, (each) => pegsTo(each, warehouse))) {
    const proof = proofOfInclusion(figure, demand, source)
    const contained = proof !== undefined || (before !== undefined && staysContained(figure, demand))
    if (contained === demand.contained) continue
    alter(
      draft,
      demand,
      demand.units,
      contained ? containedBy(demand, proof) : NOT_CONTAINED,
      contained ? 'contained' : 'no-longer-contained',
    )
    moved += contained ? -demand.units : demand.units
  }
  if (before && figure.semantics === 'net') chargeRise(draft, shelf, before.units + moved)
  boundCharge(draft, warehouse)
  losePegs(draft, warehouse)
  serveShortages(draft)
}

const pegsTo = (demand: Demand, warehouse: WarehouseId): boolean =>
  demand.supply.kind === 'on-hand' && demand.supply.warehouse === warehouse

const NOT_CONTAINED: DemandPatch = { contained: false }

/** Contained units that have shipped are done: both ends of L1 are met. */
export function containedBy(demand: Demand, proof: Demand['proof']): DemandPatch {
  const proved = { contained: true, ...(proof ? { proof } : {}) }
  return demand.phase === 'shipped' ? { ...proved, end: 'shipped-and-included' } : proved
}

/** What an older figure contained, a newer one of the same epoch contains too, unless the warehouse took it back. */
function staysContained(figure: Figure, demand: Demand): boolean {
  if (!demand.contained) return false
  if (!demand.unmark) return true
  const beforeUndone = compareStamps(figure.stamp, demand.unmark)
  return beforeUndone !== undefined && beforeUndone.order < 0
}

/**
 * An unexplained rise of a net figure is first charged to our allocated, unshipped units of that warehouse, as if they had been
 * deallocated, until a word explains it (L1, H17, H38).
 *
 * @param expected the old figure, less what became contained and plus what was given back, in units
 */
function chargeRise(draft: Draft, shelf: Shelf, expected: number): void {
  const told = shelf.movements.filter(({ stamp }) => isHeldBy(shelf.figure, stamp))
  const explained = expected + told.reduce((sum, { change }) => sum + change, 0)
  const rise = Math.max(0, shelf.figure.units - explained)
  if (rise === 0 && told.length === 0) return
  const chargedUnits = Math.min(shelf.chargedUnits + rise, shelfCount(draft.state, shelf.warehouse).contained)
  const movements = shelf.movements.filter((movement) => !told.includes(movement))
  if (chargedUnits === shelf.chargedUnits && told.length === 0) return
  setShelf(
    draft,
    { ...shelf, chargedUnits, movements },
    chargedUnits > shelf.chargedUnits ? 'rise-charged' : 'movement-held',
  )
}

const isHeldBy = (figure: Figure, stamp: MovementWord['stamp']): boolean => {
  const order = compareStamps(figure.stamp, stamp)
  return order !== undefined && order.order >= 0
}

/** A movement explains the rise that it caused, whichever of the two arrived first. It changes no figure: figures are absolute. */
export function takeMovement(draft: Draft, word: MovementWord): void {
  const shelf = draft.state.shelves.get(word.warehouse)
  if (!shelf || !isOrdered(word.stamp)) return
  if (!isHeldBy(shelf.figure, word.stamp)) {
    const movements = [...shelf.movements, { change: word.change, stamp: word.stamp }].slice(-MAX_MOVEMENTS)
    setShelf(draft, { ...shelf, movements }, word.why)
    return
  }
  if (word.change <= 0 || shelf.chargedUnits === 0) return
  setShelf(draft, { ...shelf, chargedUnits: Math.max(0, shelf.chargedUnits - word.change) }, `${word.why}-explains`)
  serveShortages(draft)
}

/**
 * The first figure of an allowed warehouse pegs what was ordered before anything was known. Orders from before it may be
 * contained in it already, so they are pegged whole: the term turns negative rather than the customer being told of a shortage.
 */
function pegUntracked(draft: Draft, warehouse: WarehouseId): void {
  const source = sourceOfWarehouse(draft.rules, warehouse)
  const allowed = (demand: Demand): boolean =>
    draft.rules.shops.get(demand.shop)?.warehouses.includes(warehouse) ?? false
  for (const demand of liveDemands(draft, (each) => each.supply.kind === 'untracked' && allowed(each))) {
    const mark = demand.mark?.by === 'baseline' ? { mark: { ...demand.mark, warehouse } } : {}
    const pegged = { ...demand, ...mark, supply: { kind: 'on-hand', warehouse } as const }
    const shelf = draft.state.shelves.get(warehouse)
    const proof = shelf && proofOfInclusion(shelf.figure, pegged, source)
    const contained = proof ? containedBy(pegged, proof) : NOT_CONTAINED
    alter(draft, demand, demand.units, { ...mark, supply: pegged.supply, ...contained }, 'pegged-by-first-figure')
  }
}

/** Evaluates the figure in force again for demands whose words came late. Shortages are served by the caller. */
export function reconsider(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf) return
  const source = sourceOfWarehouse(draft.rules, warehouse)
  for (const demand of liveDemands(draft, (each) => pegsTo(each, warehouse))) {
    const proof = proofOfInclusion(shelf.figure, demand, source)
    const contained = proof !== undefined || staysContained(shelf.figure, demand)
    const done = contained && demand.phase === 'shipped'
    if (contained === demand.contained && !done) continue
    alter(
      draft,
      demand,
      demand.units,
      contained ? containedBy(demand, proof ?? demand.proof) : NOT_CONTAINED,
      contained ? 'contained' : 'no-longer-contained',
    )
    // A unit that turns out to have been given back explains a rise that was charged to it.
    if (!contained && rankOf(demand.phase) < rankOf('shipped')) explainCharge(draft, warehouse, demand.units)
  }
  boundCharge(draft, warehouse)
  losePegs(draft, warehouse)
}

function explainCharge(draft: Draft, warehouse: WarehouseId, units: number): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf || shelf.chargedUnits === 0) return
  setShelf(draft, { ...shelf, chargedUnits: Math.max(0, shelf.chargedUnits - units) }, 'deallocation-explains')
}
