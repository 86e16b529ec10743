/** The simulated shop must satisfy the very adapter that talks to a real one. */
import { afterEach, expect, test } from 'vitest'
import { memoryTokenStore } from '../src/adapters/shopware/access-token.ts'
import { readGatewayCall } from '../src/adapters/shopware/gateway.ts'
import { httpCaller } from '../src/adapters/shopware/http-call.ts'
import { connectShop } from '../src/adapters/shopware/shop.ts'
import { instantOf, skuOf } from '../src/core/ids.ts'
import { startFakeApp } from './fake-app.ts'
import { startSimulatedShop } from './shopware.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function connected() {
  const app = await startFakeApp()
  const shop = await startSimulatedShop({
    name: 'nord',
    products: [{ sku: 'LAMP', stock: 10 }],
    webhookRetryFactor: 0,
  })
  stops.push(shop.stop, app.stop)
  await shop.install(app.manifest)
  const port = connectShop({
    url: shop.url,
    apiKey: String(app.heard.credentials.apiKey),
    secretKey: String(app.heard.credentials.secretKey),
    tokens: memoryTokenStore(),
    call: httpCaller({ allowPrivate: true }),
    pause: () => Promise.resolve(),
  })
  return { app, shop, port }
}

test('the adapter reads orders, changes and open orders of the simulated shop', async () => {
  const { shop, port } = await connected()
  const order = await shop.importOrder([{ sku: 'LAMP', units: 2 }])
  expect(await port.highestNumber()).toBe(1)
  const told = { orderId: order.id, orderNumber: order.orderNumber, state: 'open', lines: [{ sku: 'LAMP', units: 2 }] }
  expect((await port.ordersAfter(0)).orders).toMatchObject([told])
  expect((await port.ordersChangedSince(instantOf(order.createdAt), 1)).orders).toMatchObject([told])
  expect(await port.ordersById([order.id])).toMatchObject([told])
  shop.cancelOrder(order.id)
  expect((await port.openOrdersAfter(0)).orders).toEqual([])
})

test('the adapter reads and writes stock, through a deadlock too', async () => {
  const { shop, port } = await connected()
  const lamp = skuOf('LAMP')
  const [shown] = await port.shown([lamp])
  expect(shown).toMatchObject({ sku: 'LAMP', units: 10, closeOut: true })
  shop.faults.deadlocks = 2
  const row = {
    productId: shown?.productId ?? '',
    sku: lamp,
    units: 4,
    setsUnits: true,
    closeOut: true,
    guard: { word: 'stop', mostInCart: 2 },
    revision: '7',
  } as const
  expect(await port.write([row])).toEqual([{ sku: 'LAMP', outcome: 'written' }])
  expect(await port.shown([lamp])).toMatchObject([{ units: 4, revision: '7', guard: { word: 'stop', mostInCart: 2 } }])
  await port.write([{ ...row, units: 9, setsUnits: false, guard: { word: 'go' }, revision: '8' }])
  expect(await port.shown([lamp])).toMatchObject([{ units: 4, revision: '8', guard: { word: 'go' } }])
})

test('the adapter understands the order call, and knows an edited order from a new one', async () => {
  const { app, shop } = await connected()
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', 2)
  shop.register(cart)
  await shop.order(cart)
  const order = shop.orders()[0]
  await shop.viewEditOrder(order?.id ?? '')
  const calls = app.heard.gateway.map(({ body }) => readGatewayCall(Buffer.from(body), 'en-GB'))
  expect(calls[0]).toMatchObject({
    shopwareShopId: shop.shopId,
    isOrderCall: true,
    isEditOrder: false,
    cartToken: cart.token,
    lines: [{ sku: 'LAMP', units: 2, lineKey: order?.lines[0]?.payload.holdfastKey }],
  })
  expect(calls[1]).toMatchObject({ isOrderCall: false, isEditOrder: true, editsOrderId: order?.id })
})

test('two shops of different names never share a shop id', async () => {
  const shops = await Promise.all(['nord', 'sued'].map((name) => startSimulatedShop({ name, products: [] })))
  stops.push(...shops.map((shop) => shop.stop))
  expect(new Set(shops.map((shop) => shop.shopId)).size).toBe(2)
})
