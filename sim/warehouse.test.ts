import { createHmac } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { readCanonical } from '../src/adapters/wms/canonical.ts'
import { doorOf } from '../src/adapters/wms/door.ts'
import { isFlat, readFlat } from '../src/adapters/wms/flat.ts'
import { instantOf } from '../src/core/ids.ts'
import { connector } from './connector.ts'
import { type Incoming, serve } from './loopback.ts'
import { seededRandom } from './random.ts'
import { type JsonObject, objectOf, parse } from './shopware/json.ts'
import { startSimulatedShop } from './shopware.ts'
import { startSimulatedWarehouse, type WarehouseOptions } from './warehouse.ts'

const SECRET = `whsec_${Buffer.from('a key for tests').toString('base64')}`
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function warehouseAndInbox(options: Partial<WarehouseOptions> = {}) {
  const inbox: Incoming[] = []
  const answers: number[] = []
  const server = await serve((incoming) => {
    inbox.push(incoming)
    return { status: answers.shift() ?? 202 }
  })
  stops.push(server.stop)
  const warehouse = startSimulatedWarehouse({
    name: 'wms',
    warehouses: ['W1', 'W2'],
    semantics: 'net',
    ordered: 'sequence',
    dialect: 'canonical',
    deliver: { url: server.url, auth: { kind: 'standard-webhooks', secret: SECRET } },
    pause: () => Promise.resolve(),
    ...options,
  })
  const heard = async (): Promise<JsonObject[]> => {
    await warehouse.settled()
    return inbox.splice(0).map(({ body }) => objectOf(parse(body)))
  }
  return { warehouse, inbox, answers, heard }
}

const sourceOf = (semantics: 'net' | 'gross') => ({
  name: 'wms',
  dialect: 'auto' as const,
  auth: { kind: 'bearer' as const, tokenHashes: [] },
  semantics,
  defaultWarehouse: 'W1',
  warehouses: ['W1', 'W2'],
  availableIncludesReserved: false,
})

const order = { shop: 'nord', orderNumber: '10001', lines: [{ line: 'l1', sku: 'LAMP', units: 2 }] }

test('messages carry a Standard Webhooks signature over the raw body', async () => {
  const { warehouse, inbox } = await warehouseAndInbox()
  warehouse.receive('LAMP', 5)
  await warehouse.settled()
  const [first] = inbox
  const signed = `${first?.headers['webhook-id']}.${first?.headers['webhook-timestamp']}.${first?.body}`
  const right = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64'))
    .update(signed)
    .digest('base64')
  expect(first?.headers['webhook-signature']).toBe(`v1,${right}`)
  expect(first?.path).toBe('/v1/sources/wms/messages')
})

test.each(['canonical', 'flat'] as const)(
  'the source’s own door proves and reads every %s message',
  async (dialect) => {
    const { warehouse, inbox } = await warehouseAndInbox({ dialect })
    warehouse.receive('LAMP', 5)
    warehouse.expectGoods({ purchaseOrder: 'P1', line: '1', sku: 'LAMP', units: 4, eta: '2026-12-01' })
    warehouse.importOrder(order)
    warehouse.acknowledge('nord', '10001')
    warehouse.allocate('nord', '10001')
    warehouse.deallocate('nord', '10001', { units: 1 })
    warehouse.pick('nord', '10001')
    warehouse.ship('nord', '10001', { units: 1 })
    warehouse.short('nord', '10001', { units: 1 })
    warehouse.cancel('nord', '10001')
    warehouse.count('LAMP', 3)
    warehouse.transfer('LAMP', 1, 'W1', 'W2')
    warehouse.snapshot()
    await warehouse.settled()
    const door = doorOf({ ...sourceOf('net'), auth: { kind: 'standard-webhooks', secrets: [SECRET] } })
    const receivedAt = instantOf(Date.now())
    const deliver = ({ headers, body }: Incoming, changed = body) => {
      const texts = Object.entries(headers).map(([name, value]) => [name, String(value)])
      const proved = door.prove({ headers: Object.fromEntries(texts), raw: Buffer.from(changed) })
      return 'refused' in proved ? proved : proved.read(receivedAt)
    }
    expect(inbox.length).toBeGreaterThan(dialect === 'flat' ? 5 : 15)
    for (const incoming of inbox) {
      expect(deliver(incoming)).toMatchObject({
        messages: [{ id: incoming.headers['webhook-id'], problems: [] }],
      })
      expect(deliver(incoming, `${incoming.body} `)).toMatchObject({ refused: { httpCode: 401 } })
    }
  },
)

const reading = () => ({ receivedAt: instantOf(Date.now()), notes: new Set<string>() })

test('a net figure falls with the allocation, and shipping changes it no more', async () => {
  const { warehouse, heard } = await warehouseAndInbox()
  warehouse.receive('LAMP', 5)
  warehouse.importOrder(order)
  warehouse.acknowledge('nord', '10001')
  warehouse.allocate('nord', '10001')
  warehouse.ship('nord', '10001')
  const told = await heard()
  expect(told.map(({ type, net, sequence }) => [type, net, sequence])).toEqual([
    ['goods_receipt.posted', undefined, 1],
    ['stock.level.reported', 5, 2],
    ['order.acknowledged', undefined, 3],
    ['order.allocated', undefined, 4],
    ['stock.level.reported', 3, 5],
    ['order.shipped', undefined, 6],
    ['stock.level.reported', 3, 7],
  ])
  expect(warehouse.truth('LAMP')).toBe(3)
})

test('a gross figure tells only what is allocated to others, and falls when goods leave', async () => {
  const { warehouse, heard } = await warehouseAndInbox({ semantics: 'gross' })
  warehouse.receive('LAMP', 5)
  warehouse.allocateElsewhere('LAMP', 1)
  warehouse.importOrder(order)
  warehouse.allocate('nord', '10001')
  warehouse.ship('nord', '10001')
  const figures = (await heard()).filter(({ type }) => type === 'stock.level.reported')
  expect(figures.map(({ onHand, allocated }) => [onHand, allocated])).toEqual([
    [5, 0],
    [5, 1],
    [5, 1],
    [3, 1],
  ])
})

test.each(['net', 'gross'] as const)('a %s warehouse speaks what Holdfast reads', async (semantics) => {
  const { warehouse, heard } = await warehouseAndInbox({ semantics })
  warehouse.expectGoods({ purchaseOrder: 'P1', line: '1', sku: 'LAMP', units: 5, eta: '2026-04-01' })
  warehouse.receive('LAMP', 5, { purchaseOrder: 'P1', line: '1' })
  warehouse.importOrder(order)
  warehouse.acknowledge('nord', '10001')
  warehouse.allocate('nord', '10001')
  warehouse.pick('nord', '10001')
  warehouse.deallocate('nord', '10001', { units: 1 })
  warehouse.short('nord', '10001', { units: 1 })
  warehouse.count('LAMP', 7)
  warehouse.transfer('LAMP', 1, 'W1', 'W2')
  warehouse.snapshot()
  warehouse.cancel('nord', '10001')
  const told = await heard()
  const source = sourceOf(semantics)
  const problems = told.flatMap(
    (message) => readCanonical(JSON.parse(JSON.stringify(message)), source, reading()).problems,
  )
  expect(problems).toEqual([])
  expect(told.find(({ type }) => type === 'stock.snapshot')).toMatchObject({
    openOrders: [{ order: '10001', units: 2 }],
  })
})

test('the flat dialect says figures alone', async () => {
  const { warehouse, heard } = await warehouseAndInbox({ dialect: 'flat', ordered: 'none' })
  warehouse.receive('LAMP', 5)
  warehouse.importOrder(order)
  warehouse.allocate('nord', '10001')
  const told = await heard()
  expect(told).toEqual([
    { sku: 'LAMP', warehouse: 'W1', available_stock: 5, reserved_stock: 0 },
    { sku: 'LAMP', warehouse: 'W1', available_stock: 3, reserved_stock: 2 },
  ])
  const [last] = told.slice(-1).map((message): unknown => JSON.parse(JSON.stringify(message)))
  expect(isFlat(JSON.parse(JSON.stringify(last)))).toBe(true)
  expect(readFlat(JSON.parse(JSON.stringify(last)), sourceOf('net'), reading())).toMatchObject({ net: 3, onHand: 5 })
})

test('a refused delivery is tried again under the same id, at most six times', async () => {
  const { warehouse, inbox, answers } = await warehouseAndInbox({ dialect: 'flat' })
  answers.push(503, 500, 202)
  warehouse.receive('LAMP', 1)
  await warehouse.settled()
  expect(new Set(inbox.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  answers.push(...Array.from({ length: 10 }, () => 503))
  warehouse.receive('LAMP', 1)
  await warehouse.settled()
  expect(warehouse.deliveries().map(({ tries, status }) => [tries, status])).toEqual([
    [3, 202],
    [6, 503],
  ])
})

test('restored from a backup it goes back in its counting and forgets an order, while the goods stay', async () => {
  const { warehouse, heard } = await warehouseAndInbox()
  warehouse.receive('LAMP', 5)
  warehouse.backUp()
  warehouse.importOrder(order)
  warehouse.ship('nord', '10001')
  await heard()
  warehouse.restartFromBackup()
  warehouse.snapshot()
  expect(await heard()).toMatchObject([{ sequence: 3, figures: [{ net: 5 }], openOrders: [] }])
  expect(warehouse.truth('LAMP')).toBe(3)
})

test('a road that doubles and swaps does so by its seed', async () => {
  const told = async () => {
    const { warehouse, heard } = await warehouseAndInbox({
      dialect: 'flat',
      faults: { reorder: 0.4, duplicate: 0.3, lose: 0.2 },
      random: seededRandom(7),
    })
    for (let units = 1; units <= 12; units++) warehouse.count('LAMP', units)
    return (await heard()).map(({ available_stock }) => available_stock)
  }
  const first = await told()
  expect(first).toEqual(await told())
  expect(first).not.toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
})

test('the connector hands each order and each cancellation over once', async () => {
  const { warehouse, heard } = await warehouseAndInbox()
  const shop = await startSimulatedShop({ name: 'nord', products: [{ sku: 'LAMP', stock: 5 }] })
  stops.push(shop.stop)
  const between = connector([shop], warehouse)
  const { id, orderNumber } = await shop.importOrder([{ sku: 'LAMP', units: 2 }])
  expect(between.step()).toEqual([{ what: 'order', shop: 'nord', orderNumber }])
  expect(between.step()).toEqual([])
  shop.cancelOrder(id)
  shop.cancelOrder(id)
  expect(between.step()).toEqual([{ what: 'cancellation', shop: 'nord', orderNumber }])
  expect((await heard()).map(({ type }) => type)).toEqual([
    'order.acknowledged',
    'order.cancelled',
    'stock.level.reported',
  ])
})
