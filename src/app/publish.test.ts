import { describe, expect, test } from 'vitest'
import type { Configuration, ShopRules } from '../core/configuration.ts'
import { instantOf, type Sku, shopOf, skuOf, sourceOf, warehouseOf } from '../core/ids.ts'
import { emptyState, type SkuState } from '../core/stock.ts'
import { Failure } from '../errors.ts'
import type { ShownProduct, StockWrite, WriteOutcome } from './ports.ts'
import { type PublishPorts, publishDue, type RaiseRule } from './publish.ts'
import type { DirtyMark, MarkOutcome, SeenRow } from './shop-ports.ts'

const nord = shopOf('nord')
const main = warehouseOf('main')
const NOW = instantOf(1_000_000)
const IN_FLIGHT_MS = 60_000

const rules: ShopRules = {
  shop: nord,
  kind: 'shopware',
  warehouses: [main],
  zone: 'Europe/Berlin',
  safetyUnits: 0,
  safetyBySku: new Map(),
  quotaBySku: new Map(),
  orderInFlightMs: IN_FLIGHT_MS,
  doubleSubmitWindowMs: 5_000,
  whenUndecided: 'block',
  undecidedBelowUnits: 20,
  whenSilent: 'shared',
}
const configuration: Configuration = {
  version: 1,
  sources: new Map([[sourceOf('wms'), { source: sourceOf('wms'), semantics: 'net', allocatesOnAcknowledge: false }]]),
  warehouses: new Map([
    [main, { warehouse: main, source: sourceOf('wms'), zone: 'Europe/Berlin', safetyUnits: 0, safetyBySku: new Map() }],
  ]),
  shops: new Map([[nord, rules]]),
}

function stateWith(sku: Sku, units: number): SkuState {
  const state = emptyState(sku)
  state.version = 7
  state.shelves.set(main, {
    warehouse: main,
    figure: { units, semantics: 'net', stamp: { epoch: 0, sequence: 1 }, receivedAt: NOW, messageId: 'm' },
    rises: [],
    disputed: false,
    chargedUnits: 0,
    movements: [],
    steps: [],
  })
  return state
}

/** One SKU in a shop: what our truth is, what the shop shows, and what may be on its way. */
type Row = {
  readonly sku: string
  readonly sellable?: number
  readonly shown?: number
  readonly closeOut?: boolean
  readonly own?: number
  readonly recentOrderAt?: number
}

/** Publishes the rows once against a shop that answers as told, and keeps all that was written and remembered. */
async function publish(
  rows: readonly Row[],
  options: { readonly raise?: RaiseRule; readonly answer?: (row: StockWrite) => WriteOutcome['outcome'] | 'away' } = {},
) {
  const writes: StockWrite[][] = []
  const settled: MarkOutcome[] = []
  const remembered: SeenRow[] = []
  const marks = rows.map(({ sku }, index): DirtyMark => ({ sku: skuOf(sku), skuId: index, renewed: 1, attempts: 0 }))
  const ports: PublishPorts = {
    shop: {
      shown: async () =>
        rows.flatMap(({ sku, shown, closeOut = true }): ShownProduct[] =>
          shown === undefined ? [] : [{ productId: `p-${sku}`, sku: skuOf(sku), units: shown, closeOut }],
        ),
      write: async (batch) => {
        writes.push([...batch])
        return batch.map((row): WriteOutcome => {
          const outcome = options.answer?.(row) ?? 'written'
          if (outcome === 'away') throw new Failure('SHOP_UNREACHABLE', 'away', { retry: 'later' })
          return outcome === 'written' ? { sku: row.sku, outcome } : { sku: row.sku, outcome, reason: 'because' }
        })
      },
    },
    publications: {
      claim: async () => marks,
      settle: async (_, outcomes) => void settled.push(...outcomes),
      own: async () =>
        new Map(
          rows.map(({ own = 0, recentOrderAt }, index) => [
            index,
            { units: own, recentOrderAt: recentOrderAt === undefined ? undefined : instantOf(recentOrderAt) },
          ]),
        ),
      remember: async (_, seen) => void remembered.push(...seen),
    },
    states: async () =>
      rows.flatMap(({ sku, sellable }) => (sellable === undefined ? [] : [stateWith(skuOf(sku), sellable)])),
    rules: () => configuration,
    now: async () => NOW,
    onShown: () => undefined,
  }
  const taken = publishDue(ports, nord, options.raise ?? 'none')
  const failed = await taken.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return {
    failed,
    writes: writes.map((batch) => batch.map(({ sku, units, closeOut }) => [sku, units, closeOut])),
    lookAgainMs: settled.map(({ lookAgainAt }) => (lookAgainAt === undefined ? undefined : lookAgainAt - NOW)),
    failures: settled.map(({ failed: again }) => again),
    remembered,
  }
}

describe('L6: one pass over a shop', () => {
  test.each([
    ['below the band rises to what is sellable', { sellable: 5, shown: 3 }, [['A', 5, true]]],
    ['above the band falls to what is sellable', { sellable: 5, shown: 9 }, [['A', 5, true]]],
    ['above the band falls to its upper end', { sellable: 5, shown: 9, own: 2 }, [['A', 7, true]]],
    ['a negative number rises', { sellable: 0, shown: -2 }, [['A', 0, true]]],
    [
      'an open close-out is closed, with the number as it is',
      { sellable: 5, shown: 5, closeOut: false },
      [['A', 5, true]],
    ],
  ] as const)('%s', async (_, row, written) => {
    expect((await publish([{ sku: 'A', ...row }])).writes).toEqual([written])
  })

  test.each([
    ['at its lower end', { sellable: 5, shown: 5 }],
    ['at its upper end', { sellable: 5, shown: 7, own: 2 }],
    ['in a shop that does not have the product', { sellable: 5 }],
    ['of which no warehouse has said a word', { shown: 3 }],
  ])('writes nothing inside the band: %s', async (_, row) => {
    expect((await publish([{ sku: 'A', ...row }])).writes).toEqual([])
  })

  test('decreases go first, increases last', async () => {
    const { writes } = await publish([
      { sku: 'UP', sellable: 9, shown: 1 },
      { sku: 'DOWN', sellable: 1, shown: 9 },
    ])
    expect(writes).toEqual([[['DOWN', 1, true]], [['UP', 9, true]]])
  })

  test('after a silence only raising waits, and is looked at again', async () => {
    const rows = [
      { sku: 'UP', sellable: 9, shown: 1 },
      { sku: 'DOWN', sellable: 1, shown: 9 },
    ]
    const { writes, lookAgainMs } = await publish(rows, { raise: 'silence' })
    expect(writes).toEqual([[['DOWN', 1, true]]])
    expect(lookAgainMs[0]).toBe(1_000)
  })

  test('each write is looked at once more when the watermark has passed it (H34)', async () => {
    const { lookAgainMs } = await publish([{ sku: 'A', sellable: 5, shown: 3 }])
    expect(lookAgainMs).toEqual([IN_FLIGHT_MS + 2_000])
    expect((await publish([{ sku: 'A', sellable: 5, shown: 5 }])).lookAgainMs).toEqual([undefined])
  })

  test('a number with a fresh order is looked at when the shop must have subtracted it (H40)', async () => {
    const { lookAgainMs } = await publish([{ sku: 'A', sellable: 4, shown: 5, own: 1, recentOrderAt: NOW - 1_000 }])
    expect(lookAgainMs).toEqual([4_100])
  })

  test('an unknown outcome is settled by reading, and counts as the larger number until then', async () => {
    const { failures, remembered } = await publish([{ sku: 'A', sellable: 5, shown: 3 }], { answer: () => 'unknown' })
    expect(failures).toEqual([true])
    expect(remembered).toMatchObject([{ seenUnits: 3, shownUnits: 5 }])
    expect(remembered[0]).not.toHaveProperty('written')
  })

  test('one refused row is set aside with its reason, its neighbours are written', async () => {
    const rows = [
      { sku: 'BAD', sellable: 5, shown: 3 },
      { sku: 'GOOD', sellable: 5, shown: 3 },
    ]
    const { remembered } = await publish(rows, { answer: ({ sku }) => (sku === 'BAD' ? 'refused' : 'written') })
    expect(remembered).toMatchObject([
      { quarantined: 'because', shownUnits: 3 },
      { written: { units: 5, version: 7 }, shownUnits: 5 },
    ])
  })

  test('a shop that is away keeps every mark', async () => {
    const { failed, failures } = await publish([{ sku: 'A', sellable: 5, shown: 3 }], { answer: () => 'away' })
    expect(failed).toBeInstanceOf(Failure)
    expect(failures).toEqual([true])
  })
})
