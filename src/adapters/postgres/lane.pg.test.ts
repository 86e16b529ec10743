import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import type { Configuration, ShopRules } from '../../core/configuration.ts'
import type { AnswerOf, Command } from '../../core/decide.ts'
import type { HoldCommand } from '../../core/hold.ts'
import { instantOf, shopOf, skuOf, sourceOf, warehouseOf } from '../../core/ids.ts'
import { availabilityOf } from '../../core/sellable.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { loadStates } from './load.ts'
import { sealBlock } from './seal.ts'
import { verify } from './verify.ts'

const shop = shopOf('nord')
const warehouse = warehouseOf('main')
const source = sourceOf('wms')
const origin = { actor: 'test', cause: 'test' }

const shopRules: ShopRules = {
  shop,
  kind: 'shopware',
  warehouses: [warehouse],
  zone: 'Europe/Berlin',
  safetyUnits: 0,
  safetyBySku: new Map(),
  quotaBySku: new Map(),
  orderInFlightMs: 60_000,
  doubleSubmitWindowMs: 5_000,
  whenUndecided: 'block',
  undecidedBelowUnits: 20,
  whenSilent: 'shared',
}
const rules: Configuration = {
  version: 1,
  sources: new Map([[source, { source, semantics: 'net', allocatesOnAcknowledge: false }]]),
  warehouses: new Map([
    [warehouse, { warehouse, source, zone: 'Europe/Berlin', safetyUnits: 0, safetyBySku: new Map() }],
  ]),
  shops: new Map([[shop, shopRules]]),
}

let fresh: FreshDatabase
let lane: PostgresLane
const bugs: unknown[] = []

beforeAll(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules, onBug: (cause) => bugs.push(cause) })
})
afterAll(async () => {
  await lane.stop()
  await fresh.drop()
})

const say = (sku: string, net: number, sequence: number) =>
  lane.submit(
    {
      kind: 'word',
      source,
      sku: skuOf(sku),
      messageId: `m-${sku}-${sequence}`,
      receivedAt: instantOf(Date.now()),
      answersOurPull: false,
      word: { kind: 'figure', sku: skuOf(sku), warehouse, net, stamp: { epoch: 0, sequence } },
    },
    origin,
  )

const hold = (reservation: string, lines: readonly [sku: string, units: number][]): HoldCommand => ({
  kind: 'hold',
  shop,
  reservation,
  via: 'gateway',
  mode: 'all',
  lines: lines.map(([sku, units]) => ({ sku: skuOf(sku), units, lineKey: `${reservation}-${sku}` })),
})

const isGranted = (answer: AnswerOf<HoldCommand>): boolean => answer.granted

describe('L7: the lane', () => {
  test('gives 500 buyers of 100 units exactly 100', async () => {
    await say('HOT', 100, 1)
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => lane.submit(hold(`hot-${n}`, [['HOT', 1]]), origin, 'checkout')),
    )
    expect(answers.filter(isGranted)).toHaveLength(100)
    const [state] = await loadStates(fresh.database.pool, [skuOf('HOT')])
    expect(state && availabilityOf(state, rules, shop).sellableUnits).toBe(0)
  })

  test('decides a basket whole: when one line lacks units, no line is held', async () => {
    await say('LEFT', 5, 1)
    await say('RIGHT', 1, 1)
    const refused = await lane.submit(
      hold('basket-1', [
        ['LEFT', 2],
        ['RIGHT', 2],
      ]),
      origin,
    )
    expect(refused).toMatchObject({
      granted: false,
      refusal: { kind: 'NOT_ENOUGH', lines: [{ sku: 'RIGHT', askedUnits: 2, sellableUnits: 1 }] },
    })
    expect(
      isGranted(
        await lane.submit(
          hold('basket-2', [
            ['LEFT', 5],
            ['RIGHT', 1],
          ]),
          origin,
        ),
      ),
    ).toBe(true)
  })

  test('baskets in opposite order over the same SKUs never wait for each other for ever', async () => {
    await say('A', 1_000, 1)
    await say('B', 1_000, 1)
    const other = createLane({ database: fresh.database, configuration: () => rules })
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        const lines: [string, number][] =
          n % 2 === 0
            ? [
                ['A', 1],
                ['B', 1],
              ]
            : [
                ['B', 1],
                ['A', 1],
              ]
        return (n % 3 === 0 ? other : lane).submit(hold(`cross-${n}`, lines), origin)
      }),
    )
    await other.stop()
    expect(answers.every(isGranted)).toBe(true)
  })

  test('two processes on one database never give the last unit twice', async () => {
    await say('LAST', 30, 1)
    const lanes = [lane, createLane({ database: fresh.database, configuration: () => rules })]
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_, n) => lanes[n % 2]?.submit(hold(`last-${n}`, [['LAST', 1]]), origin)),
    )
    await lanes[1]?.stop()
    expect(answers.filter((answer) => answer?.granted)).toHaveLength(30)
  })

  test('a command that breaks a constraint fails alone and its neighbours are answered', async () => {
    await say('FINE', 10, 1)
    bugs.length = 0
    const broken: Command = {
      ...hold('broken', [['FINE', 1]]),
      shop: shopOf('nord'),
      lines: [{ sku: skuOf('FINE'), units: 0.5 }],
    }
    const [good, bad, alsoGood] = await Promise.allSettled([
      lane.submit(hold('good-1', [['FINE', 1]]), origin),
      lane.submit(broken, origin),
      lane.submit(hold('good-2', [['FINE', 1]]), origin),
    ])
    expect([good?.status, bad?.status, alsoGood?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(bugs).toHaveLength(1)
  })

  test('an order takes the attempt with its line key, and its units are counted once', async () => {
    await say('ONCE', 10, 1)
    await lane.submit(hold('once-1', [['ONCE', 3]]), origin)
    const order = {
      kind: 'order' as const,
      shop,
      order: {
        orderId: 'o-1',
        orderNumber: '10001',
        state: 'open' as const,
        lines: [{ lineId: 'l-1', lineKey: 'once-1-ONCE', sku: skuOf('ONCE'), units: 3 }],
      },
    }
    expect(await lane.submit(order, origin)).toEqual({ fromHoldsUnits: 3, unheldUnits: 0, shortageUnits: 0 })
    expect(await lane.submit(order, origin)).toEqual({ fromHoldsUnits: 0, unheldUnits: 0, shortageUnits: 0 })
    const [state] = await loadStates(fresh.database.pool, [skuOf('ONCE')])
    expect(state && availabilityOf(state, rules, shop).sellableUnits).toBe(7)
  })

  test('the ledger rebuilds every state, and an edited row or entry is found', async () => {
    while ((await sealBlock(fresh.database)) > 0);
    expect((await verify(fresh.database)).problems).toEqual([])
    await fresh.database.pool.query(`update demand set units = units + 1 where ctid = (select min(ctid) from demand)`)
    expect((await verify(fresh.database)).problems.length).toBeGreaterThan(0)
    await fresh.database.pool.query(`update demand set units = units - 1 where ctid = (select max(ctid) from demand)`)
  })

  test('the ledger refuses to be changed or emptied', async () => {
    const { pool } = fresh.database
    await expect(pool.query(`update ledger_entry set actor = 'nobody'`)).rejects.toThrow(/append-only/)
    await expect(pool.query('delete from ledger_entry')).rejects.toThrow(/append-only/)
    await expect(pool.query('truncate ledger_entry')).rejects.toThrow(/append-only/)
    await expect(pool.query('delete from seal')).rejects.toThrow(/append-only/)
  })
})
