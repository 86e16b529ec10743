import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { PulledStatement, Standing } from '../../../app/pulled.ts'
import { type ReadPorts, readSkus } from './read.ts'
import type { TrytonSession } from './session.ts'

type Call = { readonly method: string; readonly result: unknown }
type Recorded = Standing & { readonly sku: string; readonly calls: readonly Call[] }

const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(new URL(`../../../../test/fixtures/tryton-6.0.29/${name}.json`, import.meta.url), 'utf8'))

/** Answers as it was answered then; anything that was not asked then breaks the test. */
function replay(calls: readonly Call[]): TrytonSession {
  const left = [...calls]
  return {
    async call(method) {
      const next = left.shift()
      expect(next?.method).toBe(method)
      return structuredClone(next?.result)
    },
  }
}

const places = [{ warehouse: 'main', location: 5, storage: 3 }]

async function read(
  { sku, orders, inbound, calls }: Recorded,
  ports: Partial<ReadPorts> = {},
): Promise<Omit<PulledStatement, 'sku'>> {
  const session = replay(calls)
  const { statements, problems } = await readSkus(
    { session, places, isSnapshot: true, ...ports },
    new Map([[sku, { orders, inbound }]]),
  )
  expect(problems).toEqual([])
  const [statement] = statements
  if (!statement) throw new Error('It said nothing')
  const { sku: _, ...said } = statement
  return said
}

const order = (units: number, allocated: number, shipped: number) => [
  { order: expect.any(String), units, allocated, shipped },
]
const says = (net: number, orders: readonly unknown[] = [], inbound: readonly unknown[] = []) => ({
  warehouse: 'main',
  net,
  orders,
  inbound,
})
const line = (kind: string, more: object) => ({
  purchaseOrder: expect.any(String),
  line: expect.stringMatching(new RegExp(`^${kind},\\d+$`)),
  confirmed: true,
  cancelled: false,
  received: 0,
  ...more,
})
const bought = (more: object) => line('purchase\\.line', { supplier: 'Weaver Ltd', ordered: 40, ...more })
const atDock = (more: object) => ({
  ...line('', more),
  line: expect.stringMatching(/,\d+ at the dock$/),
  ordered: 15,
  eta: '2026-11-25',
  ...more,
})
const noMore = {
  purchaseOrder: expect.any(String),
  line: expect.stringMatching(/ at the dock$/),
  ...{ ordered: 0, received: 0, confirmed: true, cancelled: false },
}

describe('what a real Tryton answered is read as it was meant', () => {
  test.each([
    ['never-counted', 'a product that nobody has counted', says(0)],
    ['counted', 'ten on the shelf', says(10)],
    ['waiting', 'an order that is handed over, and nothing bound for it', says(10, order(4, 0, 0))],
    ['assigned', 'all of it bound', says(6, order(4, 4, 0))],
    ['picked', 'all of it off the shelf: still allocated, for it has not left', says(6, order(4, 4, 0))],
    ['shipped', 'gone', says(6, order(0, 0, 4))],
    ['part-assigned', 'six of nine bound, while the shipment says that it waits', says(0, order(9, 6, 0))],
    ['below-zero', 'fewer on the shelf than are bound: nothing is left to sell', says(0, order(9, 6, 0))],
    ['given-up', 'a sale that says "done" and "sent" although nothing was', says(2, order(0, 0, 0))],
    ['bought', 'a purchase of which nobody knows when it comes', says(0, [], [bought({})])],
    ['dated', 'one with a day', says(0, [], [bought({ eta: '2099-12-04' })])],
    [
      'at-the-dock',
      'a part at the dock: not on the shelf, and the rest has no day any more',
      says(0, [], [bought({ ordered: 25 }), atDock({ supplier: 'Weaver Ltd' })]),
    ],
    ['stored', 'that part on the shelf, and its line over', says(15, [], [bought({ received: 15 }), noMore])],
    ['over-received', 'five more than were ordered', says(45, [], [bought({ ordered: 45, received: 45 }), noMore])],
    ['in-dozens', 'two dozen', says(0, [], [bought({ ordered: 24 })])],
    [
      'announced',
      'a delivery without a purchase, by the day of its shipment',
      says(0, [], [line('stock\\.shipment\\.in', { purchaseOrder: 'ASN-7', ordered: 6, eta: '2099-11-30' })]),
    ],
    [
      'announced-at-the-dock',
      'it stands at the dock',
      says(0, [], [line('stock\\.shipment\\.in', { ordered: 0 }), atDock({ ordered: 6 })]),
    ],
    [
      'announced-stored',
      'it lies on the shelf',
      says(6, [], [line('stock\\.shipment\\.in', { ordered: 6, received: 6 }), noMore]),
    ],
    ['transfer-waits', 'a transfer that has not left is its own warehouse’s', says(6)],
    [
      'transfer-left',
      'one under way',
      says(6, [], [line('stock\\.shipment\\.internal', { ordered: 5, eta: '2099-12-24' })]),
    ],
    [
      'transfer-came',
      'it has come',
      says(11, [], [line('stock\\.shipment\\.internal', { ordered: 5, received: 5, eta: undefined })]),
    ],
  ])('%s: %s', async (name, _, said) => {
    expect(await read(recorded(name))).toEqual(said)
  })
})

describe('what cannot be trusted is not told', () => {
  const changed = (name: string, method: RegExp, change: (text: string) => string): Recorded => {
    const found = recorded(name)
    const calls = found.calls.map((call) =>
      method.test(call.method) ? { ...call, result: JSON.parse(change(JSON.stringify(call.result))) } : call,
    )
    return { ...found, calls }
  }

  test('half units are a problem that names the field and what to do', async () => {
    const { sku, calls } = changed('counted', /product\.search_read/, (text) =>
      text.replace('"quantity":10', '"quantity":10.5'),
    )
    const reading = await readSkus(
      { session: replay(calls), places, isSnapshot: true },
      new Map([[sku, { orders: [], inbound: [] }]]),
    )
    expect(reading.statements).toEqual([])
    expect(reading.problems).toMatchObject([
      { sku, field: 'quantity', value: '10.5', reason: expect.stringContaining('decimals') },
    ])
  })

  test.each([
    ['a field that is missing', /"internal_quantity"/g, '"internal_quantities"'],
    ['a quantity that is a text', /"internal_quantity":4/g, '"internal_quantity":"4"'],
    ['a list that is none', /"inventory_moves\.":\[.*?\]/g, '"inventory_moves.":{}'],
    ['a day that is none', /"effective_date":null/g, '"effective_date":"today"'],
  ])('an answer with %s is taken for nothing', async (_, found, other) => {
    const broken = changed('assigned', /sale\.line/, (text) => text.replace(found, other))
    await expect(read(broken)).rejects.toMatchObject({ code: 'WMS_ANSWER_UNREADABLE' })
  })

  test('what is done with a day to come counts as neither shipped nor allocated', async () => {
    const ahead = changed('shipped', /sale\.line/, (text) => text.replaceAll('"year":2026', '"year":2099'))
    expect(await read(ahead)).toMatchObject({ orders: [{ units: 4, allocated: 0, shipped: 0 }] })
  })

  test('what was read around midnight is read again', async () => {
    const found = recorded('counted')
    const calls = found.calls.map((call, nth) =>
      nth === found.calls.length - 1
        ? { ...call, result: { __class__: 'date', year: 2026, month: 11, day: 26 } }
        : call,
    )
    await expect(read({ ...found, calls })).rejects.toMatchObject({ code: 'WMS_BUSY' })
  })

  test('on SQLite only an order that reads the same before and after the figure is allocated', async () => {
    const found = recorded('assigned')
    const [products, today, orders, ...rest] = found.calls
    const figure = { method: 'model.product.product.search_read', result: [{ id: orderProduct(orders), quantity: 6 }] }
    const conservative = (second: Call | undefined): Recorded => ({
      ...found,
      calls: [products, today, orders, figure, second, ...rest].flatMap((call) => call ?? []),
    })
    expect(await read(conservative(orders), { isSnapshot: false })).toEqual(says(6, order(4, 4, 0)))
    const moved = orders && {
      ...orders,
      result: JSON.parse(JSON.stringify(orders.result).replace('"state":"assigned"', '"state":"done"')),
    }
    expect(await read(conservative(moved), { isSnapshot: false })).toEqual(says(6, order(4, 0, 0)))
  })
})

const orderProduct = (call: Call | undefined): number =>
  Number(/"product":(\d+)/.exec(JSON.stringify(call?.result))?.[1])
