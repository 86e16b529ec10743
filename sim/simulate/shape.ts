/** What a seed's world is made of. Every seed switches habits and faults on or off by itself: a uniform mix would hide bugs. */
import type { Configuration, ShopRules } from '../../src/core/configuration.ts'
import { shopOf, skuOf, sourceOf, warehouseOf } from '../../src/core/ids.ts'
import { type Random, seededRandom } from '../random.ts'
import { OPERATION_KINDS, type OperationKind } from './operations.ts'

export type SourceShape = {
  readonly name: string
  readonly semantics: 'net' | 'gross'
  readonly ordered: 'sequence' | 'asOf' | 'none'
  readonly dialect: 'flat' | 'canonical'
  readonly warehouses: readonly [string, ...string[]]
  /** What a source without order words declares. */
  readonly knowsOrdersWithinMs: number | undefined
}

/** How often things go wrong, each from 0 to 1, unless it says otherwise. */
export type Rates = {
  readonly loseWebhook: number
  readonly lateWebhook: number
  readonly lateWord: number
  readonly twiceWord: number
  readonly lateGateway: number
  readonly lostGateway: number
  readonly lostDecrement: number
  readonly lateDecrement: number
  readonly lateCommit: number
  readonly lostAnswer: number
  readonly unknownWrite: number
  readonly deadlock: number
  readonly lostApiAnswer: number
}

export type Shape = {
  readonly seed: number
  readonly skus: readonly [string, ...string[]]
  readonly shops: readonly { readonly name: string; readonly skewMs: number }[]
  readonly channels: readonly string[]
  readonly sources: readonly [SourceShape, ...SourceShape[]]
  readonly openingUnits: number
  /** Buyers who come at the same instant, now and then; one at a time if absent. */
  readonly crowd?: number
  readonly rules: Configuration
  readonly rates: Rates
  readonly weights: ReadonlyMap<OperationKind, number>
  /** Mean pause between operations, in ms. */
  readonly paceMs: number
  /** Messages from a warehouse take at most this, late ones at most {@link lateMs}. */
  readonly roadMs: number
  readonly lateMs: number
}

/** The world of a seed; the same seed makes the same world. */
export function shapeOf(seed: number): Shape {
  const random = seededRandom(seed)
  const some = (probability: number, most: number): number => (random.chance(probability) ? random.next() * most : 0)
  const sources = sourcesOf(random)
  const warehouses = sources.flatMap((source) => source.warehouses)
  const shopCount = random.pick([1, 1, 2, 2, 3])
  const names = ['nord', 'sued', 'west'].slice(0, shopCount)
  const channels = random.chance(0.4) ? ['market'] : []
  const safety = random.chance(0.3) ? random.whole(3) : 0
  const shopSafety = random.chance(0.2) ? random.whole(2) : 0
  const quota = random.chance(0.15) ? 3 + random.whole(5) : undefined
  const inFlightMs = random.pick([8_000, 12_000, 20_000])
  const flat = sources.some(({ dialect }) => dialect === 'flat')
  const shopRules = (name: string, kind: ShopRules['kind']): ShopRules => ({
    shop: shopOf(name),
    kind,
    warehouses: warehouses.map(warehouseOf),
    zone: 'Europe/Berlin',
    safetyUnits: shopSafety,
    safetyBySku: new Map(),
    ...(quota === undefined ? {} : { quotaUnits: quota }),
    quotaBySku: new Map(),
    orderInFlightMs: inFlightMs,
    doubleSubmitWindowMs: 5_000,
    whenUndecided: random.pick(['block', 'allow']),
    undecidedBelowUnits: random.pick([0, 4, 20]),
    whenSilent: random.pick(['shared', 'split']),
  })
  return {
    seed,
    skus: random.pick([['LAMP'], ['LAMP', 'SHADE'], ['LAMP', 'SHADE', 'CORD']] as const),
    shops: names.map((name) => ({ name, skewMs: random.chance(0.5) ? (random.next() - 0.5) * 600_000 : 0 })),
    channels,
    sources,
    openingUnits: random.pick([2, 3, 6, 10, 20]),
    rules: {
      version: 1,
      sources: new Map(
        sources.map(({ name, semantics, knowsOrdersWithinMs }) => [
          sourceOf(name),
          {
            source: sourceOf(name),
            semantics,
            allocatesOnAcknowledge: false,
            ...(knowsOrdersWithinMs === undefined ? {} : { knowsOrdersWithinMs }),
          },
        ]),
      ),
      warehouses: new Map(
        sources.flatMap((source) =>
          source.warehouses.map((name) => [
            warehouseOf(name),
            {
              warehouse: warehouseOf(name),
              source: sourceOf(source.name),
              zone: 'Europe/Berlin',
              safetyUnits: safety,
              safetyBySku: new Map([[skuOf('NONE'), 0]]),
            },
          ]),
        ),
      ),
      shops: new Map([
        ...names.map((name) => [shopOf(name), shopRules(name, 'shopware')] as const),
        ...channels.map((name) => [shopOf(name), shopRules(name, 'channel')] as const),
      ]),
    },
    rates: {
      loseWebhook: some(0.5, 0.5),
      lateWebhook: some(0.5, 0.4),
      lateWord: some(0.6, 0.4),
      twiceWord: some(0.5, 0.3),
      lateGateway: some(0.3, 0.1),
      lostGateway: some(0.2, 0.1),
      lostDecrement: some(0.3, 0.1),
      lateDecrement: some(0.5, 0.5),
      lateCommit: some(0.5, 0.5),
      lostAnswer: some(0.3, 0.05),
      unknownWrite: some(0.3, 0.2),
      deadlock: some(0.3, 0.2),
      lostApiAnswer: some(0.5, 0.3),
    },
    weights: weightsOf(random, flat),
    paceMs: random.pick([100, 300, 600, 1_000]),
    roadMs: random.pick([20, 200, 1_500]),
    lateMs: flat ? 5_000 : random.pick([5_000, 20_000, 90_000]),
  }
}

function sourcesOf(random: Random): readonly [SourceShape, ...SourceShape[]] {
  const one = (name: string, warehouses: readonly [string, ...string[]]): SourceShape => ({
    name,
    semantics: random.pick(['net', 'net', 'gross']),
    ordered: random.pick(['sequence', 'sequence', 'asOf']),
    dialect: 'canonical',
    warehouses,
    knowsOrdersWithinMs: undefined,
  })
  switch (random.whole(6)) {
    case 0:
      return [
        {
          name: 'wms',
          semantics: 'net',
          ordered: random.pick(['none', 'none', 'sequence']),
          dialect: 'flat',
          warehouses: ['main'],
          knowsOrdersWithinMs: 25_000,
        },
      ]
    case 1:
      return [one('wms', ['main', 'east'])]
    case 2:
      return [one('wms', ['main']), one('erp', ['east'])]
    default:
      return [one('wms', ['main'])]
  }
}

/** Words that only a source with words can tell. */
const WORDS_ONLY: ReadonlySet<OperationKind> = new Set(['deallocate', 'short', 'restore', 'back-up', 'allocate-later'])

/** What takes units without asking. */
const UNREFUSABLE: ReadonlySet<OperationKind> = new Set([
  'import',
  'edit',
  'reopen',
  'short',
  'count',
  'elsewhere',
  'block',
  'restore',
])

/** Every kind of operation is left out of some worlds, and frequent in others. */
function weightsOf(random: Random, flat: boolean): ReadonlyMap<OperationKind, number> {
  // In some worlds nothing happens that nobody could refuse: there every missing unit is Holdfast's fault. In some goods are scarce.
  const isStrict = random.chance(0.35)
  const isScarce = random.chance(0.4)
  return new Map(
    OPERATION_KINDS.map(({ kind, weight, isAlways }) => {
      const left = isAlways ? (isScarce && kind === 'receive' ? 0.4 : 1) : random.pick([0, 0.5, 1, 1, 3])
      if (isStrict && UNREFUSABLE.has(kind)) return [kind, 0]
      return [kind, flat && WORDS_ONLY.has(kind) ? 0 : weight * left]
    }),
  )
}
