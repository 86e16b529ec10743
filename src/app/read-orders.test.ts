import { describe, expect, test } from 'vitest'
import { shopWith } from '../../test/core/rules.ts'
import type { Command } from '../core/decide.ts'
import { type Instant, instantOf, skuOf } from '../core/ids.ts'
import { Failure } from '../errors.ts'
import type { OrderPage, ReadOrder, Shop } from './ports.ts'
import { orderReader } from './read-orders.ts'
import type { OrderTrail, ShopBook } from './shop-ports.ts'

const IN_FLIGHT_MS = 60_000
const PAGE = 2

type Row = ReadOrder & { readonly number: number }

const orderOf = (number: number, state: ReadOrder['state'] = 'open', changes: Partial<Row> = {}): Row => ({
  number,
  orderId: `id-${number}`,
  orderNumber: String(10_000 + number),
  state,
  lines: [{ lineId: `line-${number}`, sku: skuOf('LAMP'), units: 1 }],
  ...changes,
})

type DeskOptions = {
  readonly unheldUnits?: number
  readonly fromHoldsUnits?: number
  readonly mayHave?: (orderId: string) => boolean
  readonly throwAt?: string
}

/** A shop with its rows, a clock, and a reader over them; everything that the reader did is kept. */
function desk(options: DeskOptions = {}) {
  const rows = new Map<string, Row>()
  const recorded: Command[] = []
  const touched: string[] = []
  const unusable: string[] = []
  let nowMs = 1_000_000
  let trail: OrderTrail = { known: [], shopClock: undefined }
  let watermark: Instant | undefined
  let baselineAt: Instant | undefined
  let silences = 0
  let broken: string | undefined

  const page = (wanted: (row: Row) => boolean, skip = 0): OrderPage => {
    if (broken) throw new Failure('SHOP_ANSWER_INCOMPLETE', broken, { retry: 'later' })
    const found = [...rows.values()]
      .filter(wanted)
      .sort((a, b) => a.number - b.number)
      .slice(skip, skip + PAGE)
    return {
      orders: found.map(({ number: _, ...order }) => order),
      highestNumber: Math.max(0, ...found.map(({ number }) => number)),
    }
  }
  const shop: Shop = {
    highestNumber: async () => Math.max(0, ...[...rows.values()].map(({ number }) => number)),
    ordersAfter: async (number) => page((row) => row.number > number),
    ordersChangedSince: async (since, nth) => page((row) => (row.changedAt ?? 0) >= since, (nth - 1) * PAGE),
    openOrdersAfter: async (number) =>
      page((row) => row.number > number && row.state !== 'completed' && row.state !== 'cancelled'),
    ordersById: async (ids) => page((row) => ids.includes(row.orderId)).orders,
    shown: async () => [],
    write: async () => [],
    clock: async () => instantOf(nowMs + 5_000_000),
  }
  const unused = (): never => {
    throw new Error('The reader has no business with this')
  }
  const book: ShopBook = {
    now: async () => instantOf(nowMs),
    trail: async () => ({ ...trail, baselineAt }),
    moveWatermark: async (_, next, moment) => {
      trail = next
      if (moment !== undefined) watermark = instantOf(Math.max(watermark ?? 0, moment))
    },
    connected: async () => {
      baselineAt = instantOf(nowMs)
    },
    readDone: async () => undefined,
    silenceByOrder: async () => {
      silences += 1
    },
    openOrderIds: async (_, after) => [...rows.keys(), 'id-gone'].filter((id) => id > after).sort(),
    all: unused,
    setState: unused,
    registered: unused,
    silence: unused,
    returned: unused,
    assumeReturned: unused,
    heartbeat: unused,
    lastHeartbeat: unused,
    farewell: unused,
    dueHolds: unused,
    dueRises: unused,
    pagesCleared: unused,
    released: unused,
    unpaidSince: async (_, ids) => new Map(ids.map((id) => [id, instantOf(nowMs)])),
    notUnpaid: async () => undefined,
    dueUnpaid: unused,
    dealtWith: unused,
  }
  const rules = shopWith({ orderInFlightMs: IN_FLIGHT_MS, warehouseKnowsOrdersBefore: instantOf(500) })
  const open = () =>
    orderReader({
      shop,
      rules: () => rules,
      book,
      lane: {
        submit: async (command) => {
          if (command.kind === 'order' && command.order.orderNumber === options.throwAt) throw new Error('too many')
          recorded.push(command)
          return {
            fromHoldsUnits: options.fromHoldsUnits ?? 0,
            unheldUnits: options.unheldUnits ?? 0,
            shortageUnits: 0,
          } as never
        },
      },
      onRecorded: async () => undefined,
      ...(options.mayHave ? { mayHave: options.mayHave } : {}),
      onUnusable: async (orderNumber) => void unusable.push(orderNumber),
      onTouched: async (skus) => void touched.push(...skus),
    })
  let reader = open()
  return {
    reader: () => reader,
    restart: () => {
      reader = open()
    },
    put: (row: Row) => void rows.set(row.orderId, row),
    remove: (row: Row) => void rows.delete(row.orderId),
    pass: async (ms = 0) => {
      nowMs += ms
      return await reader.pass()
    },
    wait: (ms: number) => {
      nowMs += ms
    },
    breakWith: (what: string | undefined) => {
      broken = what
    },
    numbers: () =>
      recorded.splice(0).map((command) => (command.kind === 'order' ? command.order.orderNumber : command.kind)),
    orders: () => recorded.splice(0).flatMap((command) => (command.kind === 'order' ? [command] : [])),
    unusable: () => unusable,
    touched: () => touched.splice(0),
    watermark: () => watermark,
    shopClock: () => nowMs + 5_000_000,
    silences: () => silences,
    nowMs: () => nowMs,
  }
}

describe('the baseline', () => {
  test('takes every open order, page by page, and says which of them the warehouse knows', async () => {
    const shop = desk()
    for (const number of [1, 2, 3, 5]) shop.put(orderOf(number, 'open', { orderedAt: instantOf(number * 200) }))
    shop.put(orderOf(4, 'completed'))
    await shop.reader().baseline()
    expect(shop.orders().map(({ order, baseline }) => [order.orderNumber, baseline?.warehouseKnows])).toEqual([
      ['10001', true],
      ['10002', true],
      ['10003', false],
      ['10005', false],
    ])
    expect(shop.watermark()).toBeUndefined()
  })

  test('leaves alone what was completed before, also after a restart', async () => {
    const shop = desk()
    shop.put(orderOf(1, 'completed'))
    shop.put(orderOf(2))
    await shop.reader().baseline()
    shop.restart()
    shop.orders()
    await shop.pass()
    expect(shop.orders().map(({ order, ifKnown }) => [order.orderNumber, ifKnown])).toEqual([
      ['10001', true],
      ['10002', undefined],
    ])
  })
})

describe('a pass', () => {
  test('goes on behind an order that no rule can take, tells of it, and tries it again', async () => {
    const shop = desk({ throwAt: '10002' })
    await shop.reader().baseline()
    for (const number of [1, 2, 3, 4]) shop.put(orderOf(number))
    const startedAt = await shop.pass(1_000)
    expect(shop.numbers()).toEqual(['10001', '10003', '10004'])
    expect(shop.watermark()).toBe(startedAt - IN_FLIGHT_MS)
    await shop.pass(1_000)
    expect(shop.unusable()).toEqual(['10002', '10002'])
  })

  test('records new orders once and moves the watermark to its beginning less the time an order may be under way (H28)', async () => {
    const shop = desk()
    await shop.reader().baseline()
    for (const number of [1, 2, 3]) shop.put(orderOf(number))
    const startedAt = await shop.pass(1_000)
    expect(shop.numbers()).toEqual(['10001', '10002', '10003'])
    expect(shop.watermark()).toBe(startedAt - IN_FLIGHT_MS)
    await shop.pass(1_000)
    expect(shop.numbers()).toEqual([])
  })

  test('goes back to the highest number known that long ago: numbers become readable out of order', async () => {
    const shop = desk()
    await shop.reader().baseline()
    shop.put(orderOf(1))
    shop.put(orderOf(3))
    await shop.pass(1_000)
    shop.put(orderOf(2))
    await shop.pass(1_000)
    expect(shop.numbers()).toEqual(['10001', '10003', '10002'])
  })

  test('that breaks off moves nothing: a missing part is a failure, never a deletion', async () => {
    const shop = desk()
    await shop.reader().baseline()
    await shop.pass(1_000)
    const before = shop.watermark()
    shop.put(orderOf(1))
    shop.breakWith('the shop told an order without its lines')
    await expect(shop.pass(1_000)).rejects.toThrow('SHOP_ANSWER_INCOMPLETE')
    expect([shop.watermark(), shop.numbers()]).toEqual([before, []])
    shop.breakWith(undefined)
    await shop.pass(1_000)
    expect(shop.numbers()).toEqual(['10001'])
  })

  test('finds an order that was touched without a change, and has its numbers compared (H31)', async () => {
    const shop = desk()
    await shop.reader().baseline()
    shop.put(orderOf(1, 'cancelled', { changedAt: instantOf(shop.shopClock()) }))
    await shop.pass(1_000)
    expect([shop.numbers(), shop.touched()]).toEqual([['10001'], ['LAMP']])
    await shop.pass(1_000)
    expect(shop.touched()).toEqual([])
    shop.put(orderOf(1, 'cancelled', { changedAt: instantOf(shop.shopClock() + 1) }))
    await shop.pass(1_000)
    expect(shop.touched()).toEqual(['LAMP'])
  })

  test('an order from a cart that found no hold is a silence; one that a person wrote is not', async () => {
    const shop = desk({ unheldUnits: 1 })
    await shop.reader().baseline()
    shop.put(orderOf(1))
    await shop.pass(1_000)
    expect(shop.silences()).toBe(0)
    shop.put(orderOf(2, 'open', { lines: [{ lineId: 'l', lineKey: 'stamp', sku: skuOf('LAMP'), units: 1 }] }))
    await shop.pass(1_000)
    expect(shop.silences()).toBe(1)
  })

  test('an order of which a part was held is no silence: it was edited before it could be read', async () => {
    const shop = desk({ unheldUnits: 1, fromHoldsUnits: 2 })
    await shop.reader().baseline()
    shop.put(orderOf(1, 'open', { lines: [{ lineId: 'l', lineKey: 'stamp', sku: skuOf('LAMP'), units: 3 }] }))
    await shop.pass(1_000)
    expect(shop.silences()).toBe(0)
  })
})

test('an open order that the shop has no more for as long as an order may be under way is gone, and told once (H13)', async () => {
  const shop = desk()
  shop.put(orderOf(1))
  await shop.reader().readOpenAgain()
  expect(shop.orders().map(({ order }) => [order.orderId, order.state])).toEqual([['id-1', 'open']])
  shop.wait(IN_FLIGHT_MS - 1)
  await shop.reader().readOpenAgain()
  expect(shop.orders()).toEqual([])
  shop.wait(1)
  await shop.reader().readOpenAgain()
  expect(shop.orders().map(({ order }) => [order.orderId, order.state])).toEqual([['id-gone', 'deleted']])
  await shop.reader().readOpenAgain()
  expect(shop.orders()).toEqual([])
})

test('an order that a lagging copy of the database has not got yet is not gone', async () => {
  const shop = desk()
  shop.put(orderOf(1))
  const late = { ...orderOf(2), orderId: 'id-gone' }
  await shop.reader().readOpenAgain()
  shop.wait(IN_FLIGHT_MS / 2)
  shop.put(late)
  await shop.reader().readOpenAgain()
  shop.remove(late)
  shop.wait(IN_FLIGHT_MS / 2)
  await shop.reader().readOpenAgain()
  expect(shop.orders().filter(({ order }) => order.state === 'deleted')).toEqual([])
})

test('an order under a name that the shop cannot have is not looked for there', async () => {
  const shop = desk({ mayHave: (orderId) => orderId !== 'id-gone' })
  shop.put(orderOf(1))
  await shop.reader().readOpenAgain()
  shop.wait(IN_FLIGHT_MS)
  await shop.reader().readOpenAgain()
  expect(shop.orders().map(({ order }) => order.orderId)).toEqual(['id-1'])
})

test('what another process has read meanwhile is read again', async () => {
  const shop = desk()
  await shop.reader().baseline()
  shop.put(orderOf(1))
  await shop.pass(1_000)
  expect(shop.numbers()).toEqual(['10001'])
  // The other one reads three units, then one again: nothing has changed that this one could see.
  shop.reader().forget()
  await shop.pass(1_000)
  expect(shop.numbers()).toEqual(['10001'])
})

test('without a baseline nothing is read, for every order of the past would be new', async () => {
  const shop = desk()
  shop.put(orderOf(1))
  await expect(shop.pass()).rejects.toThrow('have not been read yet')
  expect([shop.watermark(), shop.numbers()]).toEqual([undefined, []])
})

test('a completed order from before the baseline that is touched today counts only if it is known', async () => {
  const shop = desk()
  shop.put(orderOf(1, 'completed'))
  for (let number = 2; number <= 700; number += 1) shop.put(orderOf(number, 'cancelled'))
  await shop.reader().baseline()
  await shop.pass(10 * IN_FLIGHT_MS)
  shop.orders()
  shop.put(orderOf(1, 'completed', { changedAt: instantOf(shop.shopClock()) }))
  await shop.pass(1_000)
  expect(shop.orders().map(({ order, ifKnown }) => [order.orderNumber, ifKnown])).toEqual([['10001', true]])
})

test('a completed order that we still count is recorded each time it comes round, an open one only when it changed', async () => {
  const shop = desk()
  shop.put(orderOf(1, 'completed'))
  shop.put(orderOf(2))
  const round = async () => {
    await shop.reader().readOpenAgain()
    return shop.orders().flatMap(({ order }) => (order.state === 'deleted' ? [] : [order.orderId]))
  }
  expect(await round()).toEqual(['id-2', 'id-1'])
  expect(await round()).toEqual(['id-1'])
})
