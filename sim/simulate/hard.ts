/**
 * A harder world out of an ordinary one: few units of one or two SKUs, crowds that want them at the same instant, more deaths and
 * restarts, and calms in between. What a careless rule does in one of a hundred ordinary worlds, it does here in one of ten.
 */
import { type Random, seededRandom } from '../random.ts'
import type { OperationKind } from './operations.ts'
import type { Shape } from './shape.ts'

/** How much more often, or more seldom, each kind happens. */
const FACTORS: Partial<Record<OperationKind, number>> = {
  'double-submit': 3,
  retry: 3,
  look: 2,
  'set-stock': 2,
  receive: 1.5,
  return: 2,
  snapshot: 0.5,
  crash: 3,
  restart: 3,
  'database-away': 2,
  'admin-away': 3,
  partition: 2,
}
/** Weights of what an ordinary world seldom or never has. */
const CALM_WEIGHT = 1
const RESTORE_WEIGHT = 0.6

/** The same seed makes the same world. */
export function hardened(shape: Shape): Shape {
  const random = seededRandom(shape.seed ^ 0x2545f491)
  const [first, second] = shape.skus
  return {
    ...shape,
    skus: second !== undefined && random.chance(0.3) ? [first, second] : [first],
    openingUnits: random.pick([1, 2, 3, 5]),
    crowd: random.pick([2, 4, 8]),
    paceMs: random.pick([100, 300, 600]),
    weights: weightsOf(shape, random),
  }
}

function weightsOf({ weights, sources }: Shape, random: Random): Shape['weights'] {
  const harder = new Map([...weights].map(([kind, weight]) => [kind, weight * (FACTORS[kind] ?? 1)]))
  harder.set('calm', CALM_WEIGHT)
  if (random.chance(0.3) && sources.every(({ dialect }) => dialect !== 'flat')) {
    harder.set('restore', RESTORE_WEIGHT)
    harder.set('back-up', 2)
  }
  return harder
}
