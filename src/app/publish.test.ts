import { describe, expect, test } from 'vitest'
import { rulesWith } from '../../test/core/rules.ts'
import { instantOf, type Sku, shopOf, skuOf, warehouseOf } from '../core/ids.ts'
import { emptyState, type SkuState } from '../core/stock.ts'
import { Failure } from '../errors.ts'
import type { ShownProduct, StockWrite, WriteOutcome } from './ports.ts'
import { type PublishPorts, publishDue } from './publish.ts'
import { type RaiseRule, REFUSED_AGAIN_MS } from './publish-plan.ts'
import type { Announced, DirtyMark, GuardRow, MarkOutcome, MerchantSettings, SeenRow } from './shop-ports.ts'

const nord = shopOf('nord')
const main = warehouseOf('main')
const NOW = instantOf(1_000_000)
const IN_FLIGHT_MS = 60_000

const configuration = rulesWith({ shop: { orderInFlightMs: IN_FLIGHT_MS } })

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
  readonly returned?: number
  readonly recentOrderAt?: number
  readonly mark?: Partial<DirtyMark>
  readonly product?: Partial<ShownProduct>
}

/** Publishes the rows once against a shop that answers as told, and keeps all that was written and remembered. */
async function publish(
  rows: readonly Row[],
  options: { readonly raise?: RaiseRule; readonly answer?: (row: StockWrite) => WriteOutcome['outcome'] | 'away' } = {},
) {
  const writes: StockWrite[][] = []
  const settled: MarkOutcome[] = []
  const remembered: SeenRow[] = []
  const guards: GuardRow[] = []
  const settings: MerchantSettings[] = []
  const told: string[] = []
  /** As often as something is written: what had been announced by then. */
  const announcedBefore: (readonly Announced[])[] = []
  const announced: Announced[] = []
  const marks = rows.map(
    ({ sku, mark }, index): DirtyMark => ({ sku: skuOf(sku), skuId: index, renewed: 1, attempts: 0, ...mark }),
  )
  const ports: PublishPorts = {
    shop: {
      shown: async () =>
        rows.flatMap(({ sku, shown, closeOut = true, product }): ShownProduct[] =>
          shown === undefined ? [] : [{ productId: `p-${sku}`, sku: skuOf(sku), units: shown, closeOut, ...product }],
        ),
      write: async (batch) => {
        writes.push([...batch])
        announcedBefore.push([...announced])
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
          rows.map(({ own: takenUnits = 0, returned: returnedUnits = 0, recentOrderAt }, index) => [
            index,
            {
              takenUnits,
              returnedUnits,
              recentOrderAt: recentOrderAt === undefined ? undefined : instantOf(recentOrderAt),
            },
          ]),
        ),
      remember: async (_, seen) => void remembered.push(...seen),
      keepGuards: async (_, kept) => void guards.push(...kept),
      markProductsOf: async () => undefined,
      idsOf: async () => new Map(),
      keepSettings: async (_, kept) => void settings.push(...kept),
      announce: async (_, rising) => void announced.push(...rising),
    },
    states: async () =>
      rows.flatMap(({ sku, sellable }) => (sellable === undefined ? [] : [stateWith(skuOf(sku), sellable)])),
    rules: () => configuration,
    now: async () => NOW,
    watermark: () => instantOf(NOW - IN_FLIGHT_MS),
    onShown: () => undefined,
    onIncident: async ({ code, key }) => void told.push(`${code} ${key}`),
    onSettled: async (code, key) => void told.push(`over: ${code} ${key}`),
  }
  const taken = publishDue(ports, nord, options.raise ?? 'none')
  const failed = await taken.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return {
    failed,
    writes: writes.map((batch) =>
      batch.map(({ sku, units, setsUnits, closeOut }) => [sku, setsUnits ? units : `${units} stay`, closeOut]),
    ),
    lookAgainMs: settled.map(({ lookAgainAt }) => (lookAgainAt === undefined ? undefined : lookAgainAt - NOW)),
    failures: settled.map(({ failed: again }) => again),
    remembered,
    guards,
    settings,
    told,
    announcedBefore,
  }
}

describe('L6: one pass over a shop', () => {
  test('says what it is about to raise before it writes anything: who dies then leaves nothing shown unknown', async () => {
    const { announcedBefore } = await publish(
      [
        { sku: 'RISES', sellable: 5, shown: 3 },
        { sku: 'FALLS', sellable: 5, shown: 9 },
        { sku: 'STAYS', sellable: 5, shown: 5 },
      ],
      { answer: () => 'away' },
    )
    expect(announcedBefore[0]).toEqual([{ skuId: 0, units: 5 }])
  })

  test.each([
    ['below the band rises to what is sellable', { sellable: 5, shown: 3 }, [['A', 5, true]]],
    ['above the band falls to what is sellable', { sellable: 5, shown: 9 }, [['A', 5, true]]],
    ['above the band falls to its upper end', { sellable: 5, shown: 9, own: 2 }, [['A', 7, true]]],
    ['a negative number rises', { sellable: 0, shown: -2 }, [['A', 0, true]]],
    [
      'an open close-out is closed, and the number is left alone: written again, it would undo an order in between',
      { sellable: 5, shown: 5, closeOut: false },
      [['A', '5 stay', true]],
    ],
  ] as const)('%s', async (_, row, written) => {
    expect((await publish([{ sku: 'A', ...row }])).writes).toEqual([written])
  })

  test.each([
    ['at its lower end', { sellable: 5, shown: 5 }],
    ['at its upper end', { sellable: 5, shown: 7, own: 2 }],
    ['where the shop may not have added again what its orders gave back', { sellable: 5, shown: 3, returned: 2 }],
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

  test('what a cancelled order gave back is raised only once the shop must have done it itself (H41)', async () => {
    const row = { sku: 'A', sellable: 5, shown: 2, returned: 2, recentOrderAt: NOW - 1_000 }
    const { writes, lookAgainMs } = await publish([row])
    expect(writes).toEqual([[['A', 3, true]]])
    expect(lookAgainMs).toEqual([4_100])
    expect((await publish([{ ...row, returned: 0 }])).writes).toEqual([[['A', 5, true]]])
  })

  test('a number whose orders were told again is looked at twice: the shop may move it after it was read (H31)', async () => {
    const touched = (ms: number) => ({ before: { units: 5, seenAt: NOW, touchedAt: instantOf(NOW - ms) } })
    const { lookAgainMs } = await publish([
      { sku: 'A', sellable: 5, shown: 5, mark: touched(1_000) },
      { sku: 'B', sellable: 5, shown: 5, mark: touched(5_000) },
    ])
    expect(lookAgainMs).toEqual([4_100, undefined])
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
    const { remembered, told, lookAgainMs } = await publish(rows, {
      answer: ({ sku }) => (sku === 'BAD' ? 'refused' : 'written'),
    })
    expect(told).toEqual(['PUBLICATION_REFUSED nord:BAD'])
    expect(lookAgainMs).toEqual([REFUSED_AGAIN_MS, IN_FLIGHT_MS + 2_000])
    expect(remembered).toMatchObject([
      { refused: { units: 5, reason: 'because' }, shownUnits: 3 },
      { written: { units: 5, version: 7 }, shownUnits: 5 },
    ])
  })

  const before = { units: 3, seenAt: instantOf(NOW - 1_000) }
  const refused = { units: 5, at: instantOf(NOW - 1_000) }

  test('a refused number is not sent again within the hour', async () => {
    const row = { sku: 'A', sellable: 5, shown: 3, mark: { refused } }
    const { writes, remembered, told, lookAgainMs } = await publish([row])
    expect(writes).toEqual([])
    expect(remembered).toMatchObject([{ refused: 'as before' }])
    expect(told).toEqual([])
    expect(lookAgainMs).toEqual([REFUSED_AGAIN_MS - 1_000])
  })

  test.each([
    ['after the hour', { units: 5, at: instantOf(NOW - REFUSED_AGAIN_MS) }],
    ['once its product was written', { units: 5 }],
    ['as another number', { units: 6, at: instantOf(NOW - 1_000) }],
  ])('a refused number is tried again %s, and when it is written the incident is over', async (_, mark) => {
    const { writes, remembered, told } = await publish([{ sku: 'A', sellable: 5, shown: 3, mark: { refused: mark } }])
    expect(writes).toEqual([[['A', 5, true]]])
    expect(remembered[0]).not.toHaveProperty('refused')
    expect(told).toEqual(['over: PUBLICATION_REFUSED nord:A'])
  })

  test('a foreign number is recorded before it is put right, and told', async () => {
    const mark = { before: { ...before, units: 5 }, guard: { toldAt: NOW, restoredAt: [] } }
    const { writes, guards, told } = await publish([{ sku: 'A', sellable: 5, shown: 80, mark }])
    expect(guards).toMatchObject([{ toldAt: NOW, found: { oldUnits: 5, newUnits: 80, policy: 'restore' } }])
    expect(writes).toEqual([[['A', 5, true]]])
    expect(told).toEqual(['FOREIGN_WRITE nord:A'])
  })

  test('a number in a fight is lowered, never raised', async () => {
    const mark = { before, guard: { restoredAt: [instantOf(NOW - 1)], fightingSince: instantOf(NOW - 1) } }
    expect((await publish([{ sku: 'A', sellable: 5, shown: 3, mark }])).writes).toEqual([])
    expect((await publish([{ sku: 'A', sellable: 5, shown: 9, mark }])).writes).toEqual([[['A', 5, true]]])
  })

  test('after a pass that failed no number tells who wrote it', async () => {
    const mark = { before: { ...before, units: 5 }, attempts: 1 }
    expect((await publish([{ sku: 'A', sellable: 5, shown: 80, mark }])).guards).toEqual([])
  })

  test('what the merchant had set is kept before our first write, and nothing that may be our own', async () => {
    const rows = [
      { sku: 'FIRST', sellable: 5, shown: 3, closeOut: false },
      { sku: 'CHILD', sellable: 5, shown: 3, product: { merchantSettings: { closeOut: null } } },
      { sku: 'KEPT', sellable: 5, shown: 3, mark: { settingsKept: true } },
      { sku: 'OURS', sellable: 5, shown: 3, product: { revision: 'r' } },
      { sku: 'RIGHT', sellable: 5, shown: 5 },
    ]
    expect((await publish(rows)).settings).toEqual([
      { skuId: 0, productId: 'p-FIRST', closeOut: false },
      { skuId: 1, productId: 'p-CHILD', closeOut: null },
    ])
  })

  test('a shop that is away keeps every mark', async () => {
    const { failed, failures } = await publish([{ sku: 'A', sellable: 5, shown: 3 }], { answer: () => 'away' })
    expect(failed).toBeInstanceOf(Failure)
    expect(failures).toEqual([true])
  })
})
