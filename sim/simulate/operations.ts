/** The list of things that are made to happen in a world: all of them drawn before the first one happens. */
import { seededRandom } from '../random.ts'
import type { Shape } from './shape.ts'

/** One thing that is made to happen. Numbers are taken modulo whatever there is, so that any part of a list is a story too. */
export type Operation = {
  /** When, in ms after the beginning. */
  readonly at: number
  readonly kind: OperationKind
  readonly a: number
  readonly b: number
  readonly units: number
}

/** How often each kind happens beside the others; those that are always on make a world turn. */
export const OPERATION_KINDS = [
  { kind: 'buy', weight: 30, isAlways: true },
  { kind: 'buy-two', weight: 6 },
  { kind: 'double-submit', weight: 3 },
  { kind: 'again', weight: 4 },
  { kind: 'retry', weight: 4 },
  { kind: 'abandon', weight: 4 },
  { kind: 'look', weight: 3 },
  { kind: 'import', weight: 1.5 },
  { kind: 'cancel', weight: 4 },
  { kind: 'cancel-again', weight: 1 },
  { kind: 'reopen', weight: 1 },
  { kind: 'edit', weight: 2 },
  { kind: 'delete-line', weight: 0.7 },
  { kind: 'delete-order', weight: 0.7 },
  { kind: 'set-stock', weight: 1 },
  { kind: 'complete', weight: 3 },
  { kind: 'pay', weight: 1 },
  { kind: 'hold', weight: 4 },
  { kind: 'replace', weight: 1 },
  { kind: 'place', weight: 3 },
  { kind: 'release', weight: 1 },
  { kind: 'receive', weight: 6, isAlways: true },
  { kind: 'expect', weight: 0.5 },
  { kind: 'hand-over', weight: 12, isAlways: true },
  { kind: 'allocate', weight: 12, isAlways: true },
  { kind: 'allocate-later', weight: 1 },
  { kind: 'deallocate', weight: 2 },
  { kind: 'pick', weight: 3 },
  { kind: 'ship', weight: 8, isAlways: true },
  { kind: 'hurry', weight: 1 },
  { kind: 'short', weight: 0.7 },
  { kind: 'count', weight: 1 },
  { kind: 'transfer', weight: 1 },
  { kind: 'return', weight: 1.5 },
  { kind: 'elsewhere', weight: 2 },
  { kind: 'ship-elsewhere', weight: 2 },
  { kind: 'block', weight: 1 },
  { kind: 'snapshot', weight: 1.5 },
  { kind: 'figure', weight: 5, isAlways: true },
  { kind: 'back-up', weight: 0.5 },
  { kind: 'restore', weight: 0.1 },
  { kind: 'crash', weight: 0.7 },
  { kind: 'restart', weight: 0.2 },
  { kind: 'database-away', weight: 0.3 },
  { kind: 'database-slow', weight: 0.3 },
  { kind: 'admin-away', weight: 0.4 },
  { kind: 'partition', weight: 0.3 },
  { kind: 'clock-jump', weight: 0.2 },
  { kind: 'calm', weight: 0.05 },
] as const satisfies readonly {
  readonly kind: string
  readonly weight: number
  readonly isAlways?: boolean
}[] as readonly {
  readonly kind: OperationKind
  readonly weight: number
  readonly isAlways?: boolean
}[]

export type OperationKind =
  | 'buy'
  | 'buy-two'
  | 'double-submit'
  | 'again'
  | 'retry'
  | 'abandon'
  | 'look'
  | 'import'
  | 'cancel'
  | 'cancel-again'
  | 'reopen'
  | 'edit'
  | 'delete-line'
  | 'delete-order'
  | 'set-stock'
  | 'complete'
  | 'pay'
  | 'hold'
  | 'replace'
  | 'place'
  | 'release'
  | 'receive'
  | 'expect'
  | 'hand-over'
  | 'allocate'
  | 'allocate-later'
  | 'deallocate'
  | 'pick'
  | 'ship'
  | 'hurry'
  | 'short'
  | 'count'
  | 'transfer'
  | 'return'
  | 'elsewhere'
  | 'ship-elsewhere'
  | 'block'
  | 'snapshot'
  | 'figure'
  | 'back-up'
  | 'restore'
  | 'crash'
  | 'restart'
  | 'database-away'
  | 'database-slow'
  | 'admin-away'
  | 'partition'
  | 'clock-jump'
  | 'calm'

/** So many operations for a world, in the order in which they happen. */
export function operationsOf(shape: Shape, count: number): readonly Operation[] {
  const random = seededRandom(shape.seed ^ 0x5bd1e995)
  const kinds = [...shape.weights].filter(([, weight]) => weight > 0)
  const total = kinds.reduce((sum, [, weight]) => sum + weight, 0)
  const operations: Operation[] = []
  let at = 0
  for (let made = 0; made < count; made++) {
    // Crowds and quiet: half of all operations come right after another.
    at += random.chance(0.5) ? random.whole(30) : Math.round(-Math.log(1 - random.next()) * shape.paceMs * 2)
    const kind = drawn(kinds, random.next() * total)
    operations.push({
      at,
      kind,
      a: random.whole(1_000),
      b: random.whole(1_000),
      units: random.pick([1, 1, 1, 2, 2, 3, 5]),
    })
  }
  return operations
}

function drawn(kinds: readonly (readonly [OperationKind, number])[], at: number): OperationKind {
  let passed = 0
  for (const [kind, weight] of kinds) {
    passed += weight
    if (at < passed) return kind
  }
  return 'buy'
}
