/**
 * L1, the unexplained rise: a net figure that rises without a word may hold units of ours that the warehouse has put back, and
 * the word about it is late (H17, H38). Until a word explains the rise it is charged to our allocated units there that have not left by then.
 *
 * Computed from facts, never counted along: between two statements the figure moved by so much, and of that so much was told, by
 * whatever words have come so far. A late word changes what was told of its own step. So a fall that was told late cannot hide a
 * rise, a receipt can explain only the rise that it caused, and when every word has come nothing is left to charge.
 */
import { sourceOfWarehouse } from './configuration.ts'
import type { Demand } from './demand.ts'
import { type Draft, setShelf } from './draft.ts'
import type { WarehouseId } from './ids.ts'
import { compareStamps, isLater, isOrdered } from './inclusion.ts'
import { liveDemands, serveShortages } from './peg.ts'
import { type Figure, type Shelf, type Step, shelfCount } from './stock.ts'
import type { MovementWord, Stamp } from './word.ts'

/** Steps of one figure that are remembered one by one; older ones are added up, rises alone. */
const MAX_STEPS = 12
/** Words that are kept until a figure holds them. Of more, gains are forgotten, which only subtracts longer. */
const MAX_MOVEMENTS = 50

/** The shelf with its next figure in force, one step further. Where nothing is ever charged, no step is remembered. */
export function stepTo(draft: Draft, shelf: Shelf, figure: Figure): Shelf {
  if (!isCharged(draft, shelf)) return { ...shelf, figure }
  const told = shelf.movements.filter(({ stamp }) => holds(figure.stamp, stamp))
  const movements = shelf.movements.filter((movement) => !told.includes(movement))
  const units = figure.units - shelf.figure.units - told.reduce((sum, { change }) => sum + change, 0)
  const before = shelf.steps.length > 0 ? shelf.steps : [{ upTo: shelf.figure.stamp, units: 0 }]
  return { ...shelf, figure, movements, steps: bounded([...before, { upTo: figure.stamp, units }]) }
}

/** The oldest steps become one. A fall among them must not hide a rise, so only rises are added up. */
function bounded(steps: readonly Step[]): readonly Step[] {
  const [first, second, ...rest] = steps
  if (steps.length <= MAX_STEPS || !first || !second) return steps
  return [{ upTo: second.upTo, units: Math.max(0, first.units) + Math.max(0, second.units) }, ...rest]
}

/** A movement explains the rise that it caused, whichever of the two arrived first. It changes no figure: figures are absolute. */
export function takeMovement(draft: Draft, { warehouse, stamp, change, why }: MovementWord): void {
  tellChange(draft, { warehouse, stamp, change }, why)
  settleCharge(draft, warehouse)
  serveShortages(draft)
}

/** Takes note that a net figure changed at a moment, so that the change is no surprise. Gross figures are charged nothing. */
export function tellChange(
  draft: Draft,
  told: Pick<MovementWord, 'warehouse' | 'stamp' | 'change'>,
  why: string,
): void {
  const { warehouse, stamp, change } = told
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf || change === 0 || !isCharged(draft, shelf)) return
  if (!isOrdered(stamp)) explainNewest(draft, shelf, change, why)
  else if (holds(shelf.figure.stamp, stamp)) explain(draft, shelf, { stamp, change }, why)
  else setShelf(draft, { ...shelf, movements: fewest([...shelf.movements, { change, stamp }]) }, why)
}

/** A gross figure does not rise by what is put back; a source without order words never explains anything, and has its margin. */
const isCharged = ({ rules }: Draft, { figure, warehouse }: Shelf): boolean =>
  figure.semantics === 'net' && sourceOfWarehouse(rules, warehouse)?.knowsOrdersWithinMs === undefined

function explain(
  draft: Draft,
  shelf: Shelf,
  { stamp, change }: Pick<MovementWord, 'stamp' | 'change'>,
  why: string,
): void {
  const place = shelf.steps.findIndex(({ upTo }) => holds(upTo, stamp))
  const step = shelf.steps[place]
  // Before the first step nothing is remembered but what rose and is unexplained.
  if (!step || (place === 0 && (step.units <= 0 || change < 0))) return
  const units = place === 0 ? Math.max(0, step.units - change) : step.units - change
  setShelf(draft, { ...shelf, steps: shelf.steps.with(place, { ...step, units }) }, why)
}

/** Words of a source without any order can only be about what rose last. */
function explainNewest(draft: Draft, shelf: Shelf, change: number, why: string): void {
  const place = shelf.steps.findLastIndex(({ units }) => units > 0)
  const step = shelf.steps[place]
  if (!step || change < 0) return
  setShelf(
    draft,
    { ...shelf, steps: shelf.steps.with(place, { ...step, units: Math.max(0, step.units - change) }) },
    why,
  )
}

function fewest(movements: Shelf['movements']): Shelf['movements'] {
  if (movements.length <= MAX_MOVEMENTS) return movements
  const gain = movements.findIndex(({ change }) => change > 0)
  if (gain >= 0) return movements.toSpliced(gain, 1)
  const [first, second, ...rest] = movements
  return first && second ? [{ stamp: first.stamp, change: first.change + second.change }, ...rest] : movements
}

/** Takes note of a change that the very message of the figure in force has told: by a coarse clock alone nothing would prove it. */
export function tellBeside(draft: Draft, warehouse: WarehouseId, change: number, why: string): void {
  const shelf = draft.state.shelves.get(warehouse)
  const last = shelf?.steps.at(-1)
  if (!shelf || !last || change === 0 || !isCharged(draft, shelf)) return
  const steps = shelf.steps.with(-1, { ...last, units: last.units - change })
  setShelf(draft, { ...shelf, steps }, why)
}

/**
 * A list of open orders beside its figure tells which of our units the figure is without, whatever made it rise or fall before: what
 * rose up to then holds none of them. Words about that time, however late, explain nothing any more.
 */
export function beginFrom(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf || shelf.steps.length === 0) return
  setShelf(draft, { ...shelf, steps: [{ upTo: shelf.figure.stamp, units: 0 }] }, 'settled-by-open-orders')
}

const holds = (figure: Stamp, word: Stamp): boolean => {
  const order = compareStamps(figure, word)
  return order !== undefined && order.order >= 0
}

/**
 * Computes what is charged. A rise can only be due to units that were allocated before its statement; an older rise has the
 * first claim on those. Needs all live demands at hand.
 */
export function settleCharge(draft: Draft, warehouse: WarehouseId): void {
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf || shelf.steps.length === 0) return
  const chargedUnits = chargeOf(draft, shelf)
  if (chargedUnits === shelf.chargedUnits) return
  setShelf(draft, { ...shelf, chargedUnits }, chargedUnits > shelf.chargedUnits ? 'rise-charged' : 'rise-explained')
}

/** Never more is charged than there are units that could have been put back. Needs no demand at hand; tells whether it was more. */
export function boundCharge(draft: Draft, warehouse: WarehouseId): boolean {
  const shelf = draft.state.shelves.get(warehouse)
  const bound = shelfCount(draft.state, warehouse).contained
  if (!shelf || shelf.chargedUnits <= bound) return false
  setShelf(draft, { ...shelf, chargedUnits: bound }, 'rise-explained')
  return true
}

function chargeOf(draft: Draft, shelf: Shelf): number {
  if (!shelf.steps.some(({ units }) => units > 0)) return 0
  const ours = liveDemands(
    draft,
    ({ supply, contained }) => supply.kind === 'on-hand' && supply.warehouse === shelf.warehouse && contained,
  )
  let charged = 0
  for (const { upTo, units } of shelf.steps) {
    if (units <= 0) continue
    const reachable = ours
      .filter((demand) => !isAllocatedAfter(demand, upTo))
      .reduce((sum, each) => sum + each.units, 0)
    charged += Math.max(0, Math.min(units, reachable - charged))
  }
  return charged
}

/**
 * Whether the units were provably allocated only after a statement, or still were when it was made: then it did not rise by them.
 * What implies an allocation does not say since when, and what has left is marked by that.
 */
function isAllocatedAfter({ mark, phase }: Demand, statement: Stamp): boolean {
  if (!mark || phase === 'shipped') return false
  const { by, stamp } = mark
  if (by === 'allocated') return isLater(stamp, statement)
  return (by === 'open-orders' || by === 'confirmed') && (isLater(stamp, statement) || isSameMoment(stamp, statement))
}

/** A list and the figure beside it bear one stamp. */
const isSameMoment = (a: Stamp, b: Stamp): boolean =>
  isOrdered(a) && a.epoch === b.epoch && a.sequence === b.sequence && a.asOf === b.asOf
