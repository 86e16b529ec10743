import { beforeEach, expect, test } from 'vitest'
import { LAMP, MAIN, NORD, rulesWith, SUED, shopWith, WMS } from '../../test/core/rules.ts'
import { memoryLane } from '../adapters/memory/lane.ts'
import { loadStates } from '../adapters/memory/load.ts'
import { publicationBookOn } from '../adapters/memory/publication-book.ts'
import { shopBookOn } from '../adapters/memory/shop-book.ts'
import { memoryStore } from '../adapters/memory/store.ts'
import { instantOf, type ShopId, type Sku } from '../core/ids.ts'
import type { LoopOptions } from './loop.ts'
import type { Shop, StockWrite } from './ports.ts'
import { type ShopSide, startShopSide } from './shop-side.ts'

const NOW = instantOf(Date.UTC(2026, 2, 3, 8))

/** Rounds by the name of their loop: the test says when one is run. */
let rounds: Map<string, LoopOptions['round']>
/** What was asked of each shop, by its connection. */
let asked: { readonly shop: ShopId; readonly skus: readonly Sku[] }[]
let written: { readonly shop: ShopId; readonly row: StockWrite }[]
let side: ShopSide
let isSuedDeaf = false

/** A shop without orders, whose products bear its own name. */
function connectionTo(shop: ShopId): Shop {
  const answer = async <T>(value: T): Promise<T> =>
    isSuedDeaf && shop === SUED ? await new Promise<never>(() => undefined) : value
  return {
    highestNumber: () => answer(0),
    ordersAfter: () => answer({ orders: [], highestNumber: 0 }),
    ordersChangedSince: () => answer({ orders: [], highestNumber: 0 }),
    openOrdersAfter: () => answer({ orders: [], highestNumber: 0 }),
    ordersById: () => answer([]),
    shown(skus) {
      asked.push({ shop, skus })
      return answer(skus.map((sku) => ({ productId: `${shop}-${sku}`, sku, units: 0, closeOut: true })))
    },
    write(rows) {
      for (const row of rows) written.push({ shop, row })
      return answer(rows.map(({ sku }) => ({ sku, outcome: 'written' as const })))
    },
    clock: () => answer(NOW),
  }
}

beforeEach(async () => {
  rounds = new Map()
  asked = []
  written = []
  isSuedDeaf = false
  const rules = {
    ...rulesWith(),
    shops: new Map([
      [NORD, shopWith({ shop: NORD })],
      [SUED, shopWith({ shop: SUED })],
    ]),
  }
  const store = memoryStore(() => NOW)
  const lane = memoryLane({ store, configuration: () => rules })
  const book = shopBookOn(store)
  for (const shop of [NORD, SUED]) await book.registered(shop)
  const nothing = async (): Promise<undefined> => undefined
  side = await startShopSide({
    book,
    publications: publicationBookOn(store),
    lane,
    rules: () => rules,
    states: async (skus) => loadStates(store, skus),
    connection: async (shop) => connectionTo(shop),
    holdsLease: async () => true,
    enter: (whenAlone) => whenAlone(),
    onRecorded: nothing,
    onTrouble: (cause) => {
      throw cause
    },
    onIncident: nothing,
    onSettled: nothing,
    processId: 'p1',
    startLoop(loop) {
      rounds.set(loop.name, loop.round)
      return { wake: () => undefined, stop: async () => undefined }
    },
    clock: () => NOW,
  })
  const stamp = { epoch: 0, sequence: 1 }
  await lane.submit(
    {
      kind: 'word',
      source: WMS,
      sku: LAMP,
      messageId: 'm1',
      receivedAt: NOW,
      answersOurPull: false,
      word: { kind: 'figure', sku: LAMP, warehouse: MAIN, net: 7, stamp },
    },
    { actor: 'test', cause: 'test' },
  )
})

const round = async (name: string): Promise<unknown> => await rounds.get(name)?.()

/** Everything that is due for a shop, once: who cares for it, its orders, its numbers. */
async function turn(shop: ShopId): Promise<void> {
  await round('heartbeat')
  await round(`orders:${shop}`)
  await round(`publish:${shop}`)
}

test('each shop is read and written through its own connection alone', async () => {
  await turn(NORD)
  await turn(SUED)
  expect(asked.map(({ shop }) => shop)).toEqual([NORD, SUED])
  expect(written.map(({ shop, row }) => [shop, row.productId, row.units])).toEqual([
    [NORD, 'nord-LAMP', 7],
    [SUED, 'sued-LAMP', 7],
  ])
})

test('a shop that never answers keeps no other one waiting', async () => {
  isSuedDeaf = true
  await round('heartbeat')
  // Asked, and never answered: nobody may wait for it.
  void round(`orders:${SUED}`)
  void round(`publish:${SUED}`)
  await turn(NORD)
  await round('clock')
  expect(written.map(({ shop, row }) => [shop, row.units])).toEqual([[NORD, 7]])
  expect(side.status(NORD)?.state).toBe('connected')
})
