import { describe, expect, test } from 'vitest'
import { readCanonical } from './canonical.ts'
import { NOW, reading, sourceNamed } from './door-fixture.ts'
import { FieldProblem } from './fields.ts'
import { readJson } from './json.ts'

const net = sourceNamed()
const gross = sourceNamed({ semantics: 'gross' })

function read(message: unknown, source = net) {
  const parsed = readJson(typeof message === 'string' ? message : JSON.stringify(message))
  if (!('value' in parsed)) throw new Error('not readable')
  try {
    return readCanonical(parsed.value, source, reading())
  } catch (cause) {
    if (cause instanceof FieldProblem) return { problem: cause.problem }
    throw cause
  }
}

const figure = (more: object) => ({ type: 'stock.level.reported', sku: 'A', ...more })

describe('a figure', () => {
  test('of a net source is net, or the parts that make it', () => {
    expect(read(figure({ net: 42 }))).toEqual({
      words: [{ kind: 'figure', sku: 'A', warehouse: 'main', stamp: { epoch: 0 }, net: 42 }],
      problems: [],
    })
    expect(read(figure({ onHand: 47, allocated: 5 }))).toMatchObject({ words: [{ onHand: 47, allocated: 5 }] })
  })

  test('of a net source without what is allocated is unknown, not all of what is on hand', () => {
    expect(read(figure({ onHand: 47 }))).toMatchObject({ problem: { field: 'net' } })
    expect(read(figure({ onHand: 47, blocked: 1 }))).toMatchObject({ problem: { field: 'net' } })
    expect(read(figure({}))).toMatchObject({ problem: { field: 'net' } })
  })

  test('of a net source is refused where its parts do not make it', () =>
    expect(read(figure({ net: 40, onHand: 47, blocked: 1, allocated: 5 }))).toMatchObject({
      problem: { field: 'net', value: '40', reason: expect.stringContaining('41') },
    }))

  test('of a gross source must say what is on hand', () => {
    expect(read(figure({ net: 42 }), gross)).toMatchObject({ problem: { field: 'onHand' } })
    expect(read(figure({ onHand: 47, blocked: 2, allocated: 5 }), gross)).toMatchObject({
      words: [{ onHand: 47, blocked: 2, allocated: 5 }],
    })
  })

  test('cannot have more blocked and allocated than is on hand', () =>
    expect(read(figure({ onHand: 5, blocked: 3, allocated: 3 }), gross)).toMatchObject({
      problem: { field: 'onHand' },
    }))

  test('carries an announcement, a veto, its warehouse and its place in the order', () =>
    expect(
      read(
        figure({
          net: 1,
          incoming: 20,
          backorderAllowed: false,
          warehouse: 'west',
          epoch: 1,
          sequence: 9,
          asOf: '2026-11-23T07:00:00Z',
        }),
      ),
    ).toMatchObject({
      words: [
        {
          incoming: 20,
          backorderAllowed: false,
          warehouse: 'west',
          stamp: { epoch: 1, sequence: 9, asOf: NOW - 3_600_000 },
        },
      ],
    }))

  test('in cases of twelve is refused: units are pieces', () => {
    expect(read(figure({ net: 1, unit: 'CS12' }))).toMatchObject({ problem: { field: 'unit', value: '"CS12"' } })
    expect(read(figure({ net: 1, unit: 'piece' }))).toMatchObject({ problems: [] })
  })

  test('row 85: of a warehouse of another source is refused, whatever the default is', () =>
    expect(read(figure({ net: 1, warehouse: 'MAIN' }))).toMatchObject({
      problem: { field: 'warehouse', value: '"MAIN"' },
    }))

  test('row 73: a price where units belong is refused', () =>
    expect(read('{"type":"stock.level.reported","sku":"A","net":19.99}')).toMatchObject({
      problem: { field: 'net', value: '19.99' },
    }))
})

describe('a word about an order', () => {
  test.each(['acknowledged', 'allocated', 'deallocated', 'picked', 'shipped', 'short', 'cancelled'])(
    'order.%s says it of each of its lines',
    (says) =>
      expect(
        read({
          type: `order.${says}`,
          order: '10001',
          shop: 'nord',
          sequence: 4,
          lines: [
            { line: 'L1', sku: 'A', units: 2 },
            { sku: 'B', units: 1 },
          ],
        }),
      ).toEqual({
        words: [
          {
            kind: 'order-line',
            says,
            order: '10001',
            shop: 'nord',
            line: 'L1',
            sku: 'A',
            units: 2,
            warehouse: 'main',
            stamp: { epoch: 0, sequence: 4 },
          },
          {
            kind: 'order-line',
            says,
            order: '10001',
            shop: 'nord',
            sku: 'B',
            units: 1,
            warehouse: 'main',
            stamp: { epoch: 0, sequence: 4 },
          },
        ],
        problems: [],
      }),
  )

  test('rows about the same units are one act, and lines of their own stay apart', () => {
    const lines = [
      { sku: 'A', units: 2 },
      { sku: 'A', units: 3 },
      { sku: 'A', line: 'L1', units: 1 },
    ]
    expect(read({ type: 'order.shipped', order: '1', sequence: 4, lines })).toMatchObject({
      words: [
        { sku: 'A', units: 5 },
        { sku: 'A', line: 'L1', units: 1 },
      ],
    })
  })

  test('a transfer that names where it goes to is an inbound line there', () => {
    const departed = { type: 'stock.transfer.departed', sku: 'A', sequence: 4, units: 5, transfer: 'T-9' }
    expect(read({ ...departed, to: 'west', eta: '2026-12-03' })).toMatchObject({
      words: [
        { kind: 'movement', why: 'transfer-out', change: -5, warehouse: 'main' },
        { kind: 'inbound', purchaseOrder: 'T-9', line: 'transfer', warehouse: 'west', ordered: 5, eta: '2026-12-03' },
      ],
    })
    expect(read({ ...departed, to: 'main' })).toMatchObject({ problem: { field: 'to' } })
    expect(read({ ...departed, to: 'nowhere' })).toMatchObject({ problem: { field: 'to' } })
    expect(
      read({ type: 'stock.transfer.arrived', sku: 'A', warehouse: 'west', units: 5, transfer: 'T-9' }),
    ).toMatchObject({
      words: [{ why: 'transfer-in', purchaseOrder: 'T-9', line: 'transfer' }],
    })
  })

  test('row 70: rows that add up to more units than there can be are refused', () => {
    const lines = [
      { sku: 'A', units: 2_147_483_647 },
      { sku: 'A', units: 1 },
    ]
    expect(read({ type: 'order.shipped', order: '1', sequence: 4, lines })).toMatchObject({
      problem: { field: 'lines[1].units' },
    })
  })

  test.each([
    [{ order: '', lines: [] }, 'order'],
    [{ lines: [] }, 'order'],
    [{ order: 10001, lines: [] }, 'order'],
    [{ order: '1', lines: {} }, 'lines'],
    [{ order: '1', lines: [{ sku: 'A', units: 0 }] }, 'lines[0].units'],
    [
      {
        order: '1',
        lines: [
          { sku: 'A', units: 1 },
          { sku: 'B', units: -1 },
        ],
      },
      'lines[1].units',
    ],
    [{ order: '1', lines: [{ sku: 'A', units: 1 }, null] }, 'lines[1]'],
  ])('row 59: %j is refused by the place of its trouble', (more, field) =>
    expect(read({ type: 'order.shipped', ...more })).toMatchObject({ problem: { field } }),
  )

  test.each(['order.shiped', 'ORDER.SHIPPED', 'order.', '', 'stock.level.reported '])(
    'row 60: the type %j is unknown',
    (type) => expect(read({ type, order: '1', lines: [] })).toMatchObject({ problem: { field: 'type' } }),
  )
})

describe('a purchase-order line', () => {
  const line = { type: 'purchase_order.line', purchaseOrder: 'P1', line: '1', sku: 'A', ordered: 100 }

  test('is read whole', () =>
    expect(
      read({ ...line, received: 40, blocked: 2, confirmed: true, eta: '2026-12-01', supplier: 'S', sequence: 3 }),
    ).toEqual({
      words: [
        {
          kind: 'inbound',
          purchaseOrder: 'P1',
          line: '1',
          sku: 'A',
          warehouse: 'main',
          ordered: 100,
          received: 40,
          blocked: 2,
          confirmed: true,
          cancelled: false,
          eta: '2026-12-01',
          supplier: 'S',
          stamp: { epoch: 0, sequence: 3 },
        },
      ],
      problems: [],
    }))

  test('is unconfirmed and without a day unless it says otherwise', () => {
    const told = read(line)
    expect(told).toMatchObject({ words: [{ confirmed: false, cancelled: false, received: 0 }] })
    expect('words' in told && told.words[0]).not.toHaveProperty('eta')
  })

  test.each(['2026-02-30', '31.12.2026', '9999-12-31', '2026-W53', ''])('row 88: the day %j is refused', (eta) =>
    expect(read({ ...line, eta })).toMatchObject({ problem: { field: 'eta' } }),
  )
})

describe('what moved', () => {
  test.each([
    [
      { type: 'goods_receipt.posted', units: 10, purchaseOrder: 'P1', line: '1' },
      { why: 'receipt', change: 10, purchaseOrder: 'P1' },
    ],
    [
      { type: 'return.received', units: 1 },
      { why: 'return', change: 1 },
    ],
    [
      { type: 'stock.transfer.departed', units: 4, transfer: 'T1' },
      { why: 'transfer-out', change: -4, purchaseOrder: 'T1' },
    ],
    [
      { type: 'stock.transfer.arrived', units: 4, transfer: 'T1' },
      { why: 'transfer-in', change: 4 },
    ],
    [
      { type: 'stock.count.completed', counted: 7, expected: 10 },
      { why: 'count', change: -3 },
    ],
    [
      { type: 'stock.adjusted', change: -2 },
      { why: 'adjustment', change: -2 },
    ],
    [
      { type: 'stock.transfer.departed', units: 0 },
      { why: 'transfer-out', change: 0 },
    ],
  ])('%j', (message, word) =>
    expect(read({ sku: 'A', ...message })).toMatchObject({ words: [{ kind: 'movement', sku: 'A', ...word }] }),
  )

  test.each([
    { type: 'goods_receipt.posted', units: -10 },
    { type: 'stock.count.completed', counted: 7 },
    { type: 'stock.adjusted', change: '1' },
    { type: 'stock.adjusted' },
  ])('row 63: %j is refused', (message) => expect(read({ sku: 'A', ...message })).toHaveProperty('problem'))
})

describe('a snapshot', () => {
  const snapshot = (figures: unknown, more: object = {}) => ({ type: 'stock.snapshot', sequence: 9, figures, ...more })

  test('may tell in its list of open orders what has left', () =>
    expect(
      read(
        snapshot([{ sku: 'A', net: 1 }], {
          tellsShipped: true,
          openOrders: [{ order: '1', sku: 'A', units: 2, shipped: 3 }],
        }),
      ),
    ).toMatchObject({
      words: [{}, { tellsShipped: true, orders: [{ order: '1', sku: 'A', units: 2, allocated: 0, shipped: 3 }] }],
    }))

  test('is many figures of one moment, and the orders that are open then', () =>
    expect(
      read(
        snapshot(
          [
            { sku: 'A', net: 1 },
            { sku: 'B', net: 2 },
          ],
          {
            warehouse: 'west',
            openOrders: [{ order: '1', sku: 'A', units: 2, allocated: 1, shop: 'nord', line: 'L' }],
          },
        ),
      ),
    ).toEqual({
      words: [
        { kind: 'figure', sku: 'A', warehouse: 'west', stamp: { epoch: 0, sequence: 9 }, net: 1 },
        { kind: 'figure', sku: 'B', warehouse: 'west', stamp: { epoch: 0, sequence: 9 }, net: 2 },
        {
          kind: 'open-orders',
          warehouse: 'west',
          stamp: { epoch: 0, sequence: 9 },
          skus: ['A', 'B'],
          orders: [{ order: '1', sku: 'A', units: 2, allocated: 1, shop: 'nord', line: 'L' }],
        },
      ],
      problems: [],
    }))

  test('row 98: the same row twice is one row; two that differ are two dead letters, and their SKU keeps its figure', () => {
    const told = read(
      snapshot([
        { sku: 'A', net: 1 },
        { sku: 'B', net: 2 },
        { sku: 'A', net: 1 },
        { sku: 'B', net: 3 },
        { sku: 'B', net: 2 },
      ]),
    )
    expect(told).toMatchObject({ words: [{ sku: 'A', net: 1 }] })
    expect('problems' in told && told.problems.map(({ field }) => field).sort()).toEqual([
      'figures[1].sku',
      'figures[3].sku',
      'figures[4].sku',
    ])
  })

  test('row 98: SKUs that are one in canonical form are one', () =>
    expect(
      read(
        snapshot([
          { sku: 'MÜTZE', net: 1 },
          { sku: 'MU\u0308TZE ', net: 1 },
        ]),
      ),
    ).toMatchObject({ words: [{ sku: 'MÜTZE' }], problems: [] }))

  test('a row that cannot be used is a message of its own that means the same, and leaves its neighbours', () => {
    const told = read(
      '{"type":"stock.snapshot","id":"s1","sequence":9,"warehouse":"west","figures":[{"sku":"A","net":1},{"sku":"B","net":1.5},7]}',
    )
    expect(told).toMatchObject({
      words: [{ sku: 'A' }],
      problems: [
        { field: 'figures[1].net', value: '1.5', part: 'figures[1]' },
        { field: 'figures[2]', value: '7', part: 'figures[2]' },
      ],
    })
    const [row] = 'problems' in told ? told.problems : []
    expect(row?.raw).toBe('{"sequence":9,"warehouse":"west","sku":"B","net":1.5,"type":"stock.level.reported"}')
    expect(read(row?.raw?.replace('1.5', '1'))).toMatchObject({
      words: [{ kind: 'figure', sku: 'B', warehouse: 'west', net: 1, stamp: { sequence: 9 } }],
    })
  })

  test('a list of orders that cannot be read whole proves nothing and is left out whole', () => {
    const told = read(
      snapshot([{ sku: 'A', net: 1 }], { openOrders: [{ order: '1', sku: 'A', units: 2 }, { order: '2' }] }),
    )
    expect(told).toMatchObject({
      words: [{ kind: 'figure', sku: 'A' }],
      problems: [{ field: 'openOrders[1].sku', part: 'openOrders' }],
    })
    expect('words' in told && told.words).toHaveLength(1)
  })

  test('row 97: without a row it says nothing', () =>
    expect(read(snapshot([], { openOrders: [] }))).toEqual({ words: [], problems: [] }))

  test.each([[{}], [null], ['x'], [7]])('row 52: %j is no list of figures', (figures) =>
    expect(read(snapshot(figures))).toMatchObject({ problem: { field: 'figures' } }),
  )
})
