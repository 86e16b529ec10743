/**
 * L1, the unexplained rise: a net figure that rises without a word may hold units of ours that the warehouse has put back, and
 * the word about it is late (H17, H38). Until a word explains the rise it is charged to our allocated units there that have not left by then.
 *
 * Computed from facts, never counted along: between two statements the figure moved by so much, and of that so much was told, by
 * whatever words have come so far. A late word changes what was told of its own step. So a fall that was told late cannot hide a
 * rise, a receipt can explain only the rise that it caused, and when every word has come nothing is left to charge.
 */
import { sourceOfWarehouse } from './configuration.ts'
import { type Demand, isMissedByList } from './demand.ts'
import { type Draft, setShelf } from './draft.ts'
import type { Instant, Units, WarehouseId } from './ids.ts'
import { compareStamps, isLater, isOrdered } from './inclusion.ts'
import { liveDemands, serveShortages } from './peg.ts'
import { type Figure, type Shelf, type SkuState, type Step, type Surge, shelfCount, type Told } from './stock.ts'
import type { MovementWord, Stamp } from './word.ts'

/** Steps of one figure that are remembered one by one; older ones are added up, rises alone. */
const MAX_STEPS = 12
/** Rises that are remembered beside the steps. */
const MAX_SURGES = 24
/** No source may declare a longer bound for a rise that was no receipt. */
export const LONGEST_CHARGE_MS = 7 * 86_400_000
/** Words that are kept until a figure holds them. Of more, gains are forgotten, which only subtracts longer. */
const MAX_MOVEMENTS = 50

/**
 * The shelf with its next figure in force, one step further. Where nothing is ever charged, no step is remembered.
 *
 * @param cameUnits units that inbound lines have told of and that this figure is the first to contain
 */
export function stepTo(draft: Draft, shelf: Shelf, figure: Figure, cameUnits: Units): Shelf {
  if (!isRemembered(draft, shelf)) return { ...withoutSurges(shelf), figure, steps: [] }
  const told = shelf.movements.filter(({ stamp }) => holds(figure.stamp, stamp))
  const movements = shelf.movements.filter((movement) => !told.includes(movement))
  const units = figure.units - shelf.figure.units - cameUnits - told.reduce((sum, { change }) => sum + change, 0)
  const before = shelf.steps.length > 0 ? shelf.steps : [{ upTo: shelf.figure.stamp, units: 0 }]
  const step = { upTo: figure.stamp, units, at: figure.receivedAt }
  const unnamed = told.flatMap((each) => unnamedSurge(each, figure.receivedAt))
  const next = withSurges(shelf, [...(shelf.surges ?? []), ...unnamed])
  return { ...bounded(next, [...before, step]), figure, movements }
}

/**
 * The oldest steps become one. A fall among them must not hide a rise, so only rises are added up. What may still be goods of an
 * inbound line keeps its own moment beside them: it is not charged to the line for ever.
 */
function bounded(shelf: Shelf, steps: readonly Step[]): Shelf {
  const [first, second, ...rest] = steps
  if (steps.length <= MAX_STEPS || !first || !second) return { ...shelf, steps }
  const folded = { upTo: second.upTo, units: Math.max(0, first.units) + Math.max(0, second.units) }
  return withSurges({ ...shelf, steps: [folded, ...rest] }, [...(shelf.surges ?? []), ...surgeOf(second)])
}

/** What a step may hold of goods that came without a word for which line. */
const surgeOf = ({ upTo, at, units }: Step): readonly Surge[] =>
  at === undefined || units <= 0 ? [] : [{ upTo, at, units }]

const unnamedSurge = ({ stamp, change, unnamed }: Told, at: Instant): readonly Surge[] =>
  unnamed && change > 0 ? [{ upTo: stamp, at, units: change, unnamed }] : []

/** More than are kept become one with the next, which only charges longer. */
function withSurges(shelf: Shelf, surges: readonly Surge[]): Shelf {
  const newest = surges.at(-1)
  const young = surges.filter(({ at, units }) => units > 0 && newest && at + LONGEST_CHARGE_MS > newest.at)
  const [first, second, ...rest] = young
  const kept =
    young.length > MAX_SURGES && first && second
      ? [{ ...first, ...second, units: first.units + second.units }, ...rest]
      : young
  return kept.length > 0 ? { ...shelf, surges: kept } : withoutSurges(shelf)
}

function withoutSurges(shelf: Shelf): Shelf {
  const { surges: _, ...rest } = shelf
  return rest
}

/** Rises of a figure that nothing has explained, oldest first, with those units that came without a word for which line. */
export const surgesOf = ({ surges = [], steps }: Shelf): readonly Surge[] => [
  ...surges,
  ...steps.slice(1).flatMap(surgeOf),
]

/** A movement explains the rise that it caused, whichever of the two arrived first. It changes no figure: figures are absolute. */
export function takeMovement(draft: Draft, { warehouse, stamp, change, why }: MovementWord, unnamed: boolean): void {
  tellChange(draft, { warehouse, stamp, change, ...(unnamed ? { unnamed } : {}) }, why)
  settleCharge(draft, warehouse)
  serveShortages(draft)
}

/** Takes note that a net figure changed at a moment, so that the change is no surprise. Gross figures are charged nothing. */
export function tellChange(draft: Draft, told: Told & Pick<MovementWord, 'warehouse'>, why: string): void {
  const { warehouse, ...change } = told
  const shelf = draft.state.shelves.get(warehouse)
  if (!shelf || change.change === 0 || !isRemembered(draft, shelf)) return
  const { stamp } = change
  if (!isOrdered(stamp)) explainNewest(draft, shelf, change, why)
  else if (holds(shelf.figure.stamp, stamp)) explain(draft, shelf, change, why)
  else setShelf(draft, { ...shelf, movements: fewest([...shelf.movements, change]) }, why)
}

/** Steps are remembered where a rise may be charged to our units, or may be goods of an inbound line (L4). */
const isRemembered = (draft: Draft, shelf: Shelf): boolean =>
  isCharged(draft, shelf) || expectsGoods(draft.state, shelf)

const expectsGoods = ({ inbound }: SkuState, { warehouse }: Shelf): boolean =>
  [...inbound.values()].some((line) => line.warehouse === warehouse && !line.cancelled && line.ordered > 0)

/** A gross figure does not rise by what is put back; a source without order words never explains anything, and has its margin. */
const isCharged = ({ rules }: Draft, { figure, warehouse }: Shelf): boolean =>
  figure.semantics === 'net' && sourceOfWarehouse(rules, warehouse)?.knowsOrdersWithinMs === undefined

function explain(draft: Draft, shelf: Shelf, told: Told, why: string): void {
  const { stamp, change } = told
  const place = shelf.steps.findIndex(({ upTo }) => holds(upTo, stamp))
  const step = shelf.steps[place]
  // Before the first step nothing is remembered but what rose and is unexplained.
  if (!step || (place === 0 && (step.units <= 0 || change < 0))) return
  const units = place === 0 ? Math.max(0, step.units - change) : step.units - change
  const surges = [...(place === 0 ? lessSurge(shelf, told) : (shelf.surges ?? [])), ...unnamedSurge(told, draft.now)]
  setShelf(draft, withSurges({ ...shelf, steps: shelf.steps.with(place, { ...step, units }) }, surges), why)
}

/** What explains a step that is no more explains what is kept of it. */
function lessSurge({ surges = [] }: Shelf, { stamp, change }: Told): readonly Surge[] {
  const place = surges.findIndex(({ upTo, unnamed }) => !unnamed && holds(upTo, stamp))
  const surge = surges[place]
  return surge ? surges.with(place, { ...surge, units: Math.max(0, surge.units - change) }) : surges
}

/** Words of a source without any order can only be about what rose last. */
function explainNewest(draft: Draft, shelf: Shelf, told: Told, why: string): void {
  const { change } = told
  const place = shelf.steps.findLastIndex(({ units }) => units > 0)
  const step = shelf.steps[place]
  if (!step || change < 0) return
  const units = Math.max(0, step.units - change)
  const surges = [...(shelf.surges ?? []), ...unnamedSurge(told, draft.now)]
  setShelf(draft, withSurges({ ...shelf, steps: shelf.steps.with(place, { ...step, units }) }, surges), why)
}

function fewest(movements: readonly Told[]): readonly Told[] {
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
  if (!shelf || !last || change === 0 || !isRemembered(draft, shelf)) return
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
  // What rose may be goods of an inbound line all the same.
  const next = withSurges(shelf, surgesOf(shelf))
  setShelf(draft, { ...next, steps: [{ upTo: shelf.figure.stamp, units: 0 }] }, 'settled-by-open-orders')
}

/**
 * Units that the figure is taken to contain by margin alone: it fell by them, sometime since they were ordered. The falls that
 * nothing explains yet are theirs, the newest first; what is left may have hidden a rise of the newest step.
 */
export function tellFallen(draft: Draft, warehouse: WarehouseId, fallenUnits: Units): void {
  const shelf = draft.state.shelves.get(warehouse)
  const last = (shelf?.steps.length ?? 0) - 1
  if (!shelf || last < 0 || fallenUnits === 0 || !isRemembered(draft, shelf)) return
  const steps = [...shelf.steps]
  let left = fallenUnits
  for (let place = last; place > 0 && left > 0; place -= 1) {
    const step = steps[place]
    if (!step || step.units >= 0) continue
    const taken = Math.min(left, -step.units)
    steps[place] = { ...step, units: step.units + taken }
    left -= taken
  }
  const newest = steps[last]
  if (newest && left > 0) steps[last] = { ...newest, units: newest.units + left }
  setShelf(draft, { ...shelf, steps }, 'fallen-by-margin')
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
  if (!shelf || shelf.steps.length === 0 || !isCharged(draft, shelf)) return
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
    (demand) =>
      demand.supply.kind === 'on-hand' &&
      demand.supply.warehouse === shelf.warehouse &&
      demand.contained &&
      !isMissedByList(demand),
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
