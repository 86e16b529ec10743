import { afterAll, beforeAll, expect, test } from 'vitest'
import { markAhead, skusThatWait } from '../adapters/postgres/ahead.ts'
import { addDays, dayIn } from '../core/day.ts'
import { instantOf, shopOf } from '../core/ids.ts'
import { type Served, serve, WORLD } from './served.ts'

let holdfast: Served
beforeAll(async () => {
  holdfast = await serve()
  const body = { ...WORLD, promises: [{ backOrders: { enabled: true, windowDays: 7 } }] }
  expect((await holdfast.ask('PUT', '/v1/configuration', { body })).status).toBe(200)
})
afterAll(() => holdfast.end())

const inDays = (days: number): string => addDays(dayIn('Europe/Berlin', instantOf(Date.now())), days)
const say = async (message: object): Promise<void> => {
  expect((await holdfast.deliver(message)).status).toBe(202)
  await holdfast.applied()
}
const line = (eta: string, sequence: number, more = {}) =>
  say({
    type: 'purchase_order.line',
    purchaseOrder: 'PO-1',
    line: '1',
    sku: 'LAMP',
    ordered: 5,
    confirmed: true,
    eta,
    sequence,
    ...more,
  })
const hold = (key: string, units: number) =>
  holdfast.ask('PUT', `/v1/shops/till/reservations/${key}`, { body: { lines: [{ sku: 'LAMP', units }] } })

test('a back-order is held for its day, ordered, told anew when the line slips, and served by the receipt', async () => {
  await say({ type: 'stock.level.reported', sku: 'LAMP', net: 1, sequence: 1 })
  await line(inDays(3), 2)
  expect((await holdfast.stock('LAMP')).shops[0]).toMatchObject({
    availableUnits: 1,
    backOrderableUnits: 5,
    sellableUnits: 6,
  })
  const held = await hold('a', 4)
  const supplies = [
    { kind: 'on-hand', warehouse: 'main', units: 1 },
    { kind: 'inbound', warehouse: 'main', units: 3, day: inDays(3) },
  ]
  expect(held.body.lines[0].supplies).toEqual(supplies)
  expect((await holdfast.ask('GET', '/v1/shops/till/reservations/a')).body.lines[0].supplies).toEqual(supplies)
  expect((await hold('b', 3)).body).toMatchObject({ code: 'NOT_ENOUGH', lines: [{ sellableUnits: 2 }] })
  await holdfast.ask('POST', '/v1/shops/till/reservations/a/place', { body: { order: '10001' } })
  expect(await skusThatWait(holdfast.database)).toEqual(['LAMP'])
  await markAhead(holdfast.database, [shopOf('till')])

  await line(inDays(9), 3)
  expect(await holdfast.sellable('LAMP')).toBe(0)
  const { rows } = await holdfast.database.pool.query(
    `select promise from demand where supply = 'inbound' and ended is null`,
  )
  expect(rows).toEqual([{ promise: { kind: 'back-order', first: inDays(3), day: inDays(9), before: inDays(3) } }])

  await say({ type: 'goods_receipt.posted', sku: 'LAMP', units: 5, purchaseOrder: 'PO-1', line: '1', sequence: 4 })
  await say({ type: 'stock.level.reported', sku: 'LAMP', net: 6, sequence: 5 })
  expect((await holdfast.stock('LAMP')).shops[0]).toMatchObject({ availableUnits: 2, sellableUnits: 2 })
  expect(await skusThatWait(holdfast.database)).toEqual([])
  expect((await holdfast.ask('POST', '/v1/verify')).body).toMatchObject({ problems: [] })
})

test('rules that contradict each other, or name what is not there, are refused with their place', async () => {
  const refused = async (promises: readonly object[]) =>
    (await holdfast.ask('PUT', '/v1/configuration', { body: { ...WORLD, promises } })).body.problems
  const on = { enabled: true }
  expect(await refused([{ backOrders: on }, { backOrders: on }])).toMatchObject([{ path: 'promises.1' }])
  expect(await refused([{ shop: 'nowhere', backOrders: on }])).toMatchObject([{ path: 'promises.0.shop' }])
  expect(await refused([{ backOrders: { warehouses: ['moon'] } }])).toMatchObject([
    { path: 'promises.0.backOrders.warehouses.0' },
  ])
  expect(await refused([{ backOrders: { windowDays: -1 } }])).toMatchObject([
    { path: 'promises.0.backOrders.windowDays' },
  ])
  expect(await refused([{ shop: 'till' }])).toMatchObject([{ path: 'promises.0' }])
})
