import { afterEach, expect, test } from 'vitest'
import { refusal, signedAnswer, startFakeApp } from './fake-app.ts'
import { listOf, objectOf, parse } from './shopware/json.ts'
import { sign } from './shopware/world.ts'
import { type ShopOptions, type SimulatedShop, startSimulatedShop } from './shopware.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function shopWithApp(options: Partial<ShopOptions> = {}) {
  const app = await startFakeApp()
  const shop = await startSimulatedShop({
    name: 'nord',
    products: [{ sku: 'LAMP', stock: 10 }],
    webhookRetryFactor: 0,
    ...options,
  })
  stops.push(shop.stop, app.stop)
  expect(await shop.install(app.manifest)).toEqual({ installed: true })
  await shop.worker.settled()
  app.heard.webhooks.length = 0
  return { app, shop }
}

function basket(shop: SimulatedShop, units: number) {
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', units)
  shop.register(cart)
  return cart
}

async function placed(shop: SimulatedShop, units: number) {
  const answer = await shop.order(basket(shop, units))
  if ('refused' in answer) throw new Error(answer.messages.join())
  await shop.worker.settled()
  return answer.order
}

async function api(shop: SimulatedShop, credentials: Record<string, unknown>, path: string, body: unknown) {
  const post = (to: string, headers: Record<string, string>, content: unknown) =>
    fetch(`${shop.url}${to}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(content),
    })
  const asked = {
    grant_type: 'client_credentials',
    client_id: credentials.apiKey,
    client_secret: credentials.secretKey,
  }
  const token = objectOf(await (await post('/api/oauth/token', {}, asked)).json()).access_token
  const answer = await post(path, { authorization: `Bearer ${String(token)}` }, body)
  return { status: answer.status, body: objectOf(await answer.json()) }
}

const events = (app: Awaited<ReturnType<typeof startFakeApp>>) =>
  app.heard.webhooks.map((each) => objectOf(each.data).event)

test('the order call carries the mark, the token twice, the stamp, and about 40 kB', async () => {
  const { app, shop } = await shopWithApp()
  const cart = basket(shop, 2)
  const answer = await shop.order(cart)
  expect(answer).toMatchObject({ gateway: 'yes', order: { lines: [{ units: 2 }] } })
  const raw = app.heard.gateway[0]?.body ?? ''
  expect(raw.length).toBeGreaterThan(35_000)
  expect(raw.length).toBeLessThan(45_000)
  const body = objectOf(parse(raw))
  const context = objectOf(body.salesChannelContext)
  const told = objectOf(body.cart)
  expect(context.token).toBe(told.token)
  expect(objectOf(context.context).states).toHaveProperty('checkout-order-route')
  const payload = objectOf(objectOf(listOf(told.lineItems)[0]).payload)
  expect(payload).toMatchObject({ productNumber: 'LAMP', stock: 10 })
  expect(payload.holdfastKey).toBe(shop.orders()[0]?.lines[0]?.payload.holdfastKey)
  expect(shop.stockOf('LAMP')).toBe(8)
})

test('a signed refusal stops the order before it exists', async () => {
  const { app, shop } = await shopWithApp()
  app.behave.gateway = () => signedAnswer(refusal('sold out'))
  expect(await shop.order(basket(shop, 1))).toMatchObject({ refused: 'CHECKOUT__CART_INVALID', messages: ['sold out'] })
  expect(shop.orders()).toHaveLength(0)
})

test.each([
  ['a documented wrapper', () => signedAnswer({ commands: refusal('no') }), 'not-a-list'],
  ['an error', () => ({ status: 500 }), 'not-2xx'],
  ['no signature', () => ({ status: 200, body: JSON.stringify(refusal('no')) }), 'unsigned'],
  [
    'a wrong signature',
    () => ({ status: 200, headers: { 'shopware-app-signature': sign('x', 'y') }, body: JSON.stringify(refusal('no')) }),
    'unsigned',
  ],
  [
    'an unknown key in the payload',
    () => signedAnswer([{ command: 'add-cart-error', payload: { message: 'no', blocking: true, code: 'X' } }]),
    'yes',
  ],
] as const)('the shop goes on after %s', async (_, answer, heard) => {
  const { app, shop } = await shopWithApp()
  app.behave.gateway = answer
  expect(await shop.order(basket(shop, 1))).toMatchObject({ order: {}, gateway: heard })
})

test('the shop goes on when the app is late or gone', async () => {
  const { app, shop } = await shopWithApp({ gatewayTimeoutMs: 30 })
  app.behave.gateway = () => new Promise(() => {})
  expect(await shop.order(basket(shop, 1))).toMatchObject({ order: {}, gateway: 'late' })
  await app.stop()
  expect(await shop.order(basket(shop, 1))).toMatchObject({ order: {}, gateway: 'unreachable' })
})

test('two submits of one cart are two orders with the same stamp', async () => {
  const { app, shop } = await shopWithApp()
  const cart = basket(shop, 1)
  const answers = await Promise.all([shop.order(cart), shop.order(cart)])
  expect(answers).toMatchObject([{ order: {} }, { order: {} }])
  expect(app.heard.gateway).toHaveLength(2)
  const keys = shop.orders().map((order) => order.lines[0]?.payload.holdfastKey)
  expect(keys[0]).toBe(keys[1])
  expect(shop.stockOf('LAMP')).toBe(8)
})

test('token and line id come again with the next order, the stamp does not', async () => {
  const { shop } = await shopWithApp()
  const cart = basket(shop, 1)
  const token = cart.token
  await shop.order(cart)
  shop.addLine(cart, 'LAMP', 1)
  await shop.order(cart)
  const [first, second] = shop.orders().map((order) => order.lines[0])
  expect(cart.token).toBe(token)
  expect(first?.identifier).toBe(second?.identifier)
  expect(first?.payload.holdfastKey).not.toBe(second?.payload.holdfastKey)
})

test('registering gives a new token and keeps the stamp', async () => {
  const { shop } = await shopWithApp()
  const cart = shop.newCart()
  const line = shop.addLine(cart, 'LAMP', 1)
  const before = { token: cart.token, key: line.payload.holdfastKey }
  shop.register(cart)
  expect(cart.token).not.toBe(before.token)
  expect(cart.lines[0]?.payload.holdfastKey).toBe(before.key)
})

test('a lowered line fails the first try and is ordered by the second', async () => {
  const { app, shop } = await shopWithApp()
  const cart = basket(shop, 3)
  shop.adminSetStock('LAMP', 2)
  expect(await shop.order(cart)).toMatchObject({ messages: ['product-stock-reached: LAMP'] })
  const told = objectOf(objectOf(parse(app.heard.gateway[0]?.body ?? '')).cart)
  expect(listOf(told.lineItems)[0]).toMatchObject({ quantity: 2 })
  expect(listOf(told.errors)[0]).toMatchObject({ messageKey: 'product-stock-reached', level: 10, block: true })
  expect(await shop.order(cart)).toMatchObject({ order: { lines: [{ units: 2 }] } })
})

test('a sold-out line is gone before the gateway is asked, and the empty cart is no order', async () => {
  const { app, shop } = await shopWithApp()
  const cart = basket(shop, 1)
  shop.adminSetStock('LAMP', 0)
  expect(await shop.order(cart)).toMatchObject({ refused: 'CHECKOUT__CART_INVALID' })
  expect(await shop.order(cart)).toMatchObject({ refused: 'CHECKOUT__CART_EMPTY', httpStatus: 400 })
  expect(listOf(objectOf(objectOf(parse(app.heard.gateway[1]?.body ?? '')).cart).lineItems)).toEqual([])
})

test('alone the shop oversells a close-out product, for its own check is not atomic', async () => {
  const arrived: (() => void)[] = []
  const afterCheck = () =>
    new Promise<void>((go) => {
      arrived.push(go)
      if (arrived.length === 3) for (const each of arrived) each()
    })
  const { shop } = await shopWithApp({ products: [{ sku: 'LAMP', stock: 1 }], faults: { gates: { afterCheck } } })
  await Promise.all([1, 2, 3].map(() => shop.order(basket(shop, 1))))
  expect(shop.orders()).toHaveLength(3)
  expect(shop.stockOf('LAMP')).toBe(-2)
})

test('an order can be read before its own decrement, and the decrement can be lost', async () => {
  const seen: number[] = []
  const gates = {
    beforeDecrement: async () => {
      seen.push(shop.orders().length, shop.stockOf('LAMP'))
      return 'lost' as const
    },
  }
  const { shop } = await shopWithApp({ faults: { gates } })
  await placed(shop, 2)
  expect(seen).toEqual([1, 10])
  expect(shop.stockOf('LAMP')).toBe(10)
})

test('a second cancellation is accepted and takes the stock again', async () => {
  const { app, shop } = await shopWithApp()
  const order = await placed(shop, 2)
  expect(order.updatedAt).toBeNull()
  shop.cancelOrder(order.id)
  expect(shop.stockOf('LAMP')).toBe(10)
  shop.cancelOrder(order.id)
  expect(shop.stockOf('LAMP')).toBe(8)
  await shop.worker.settled()
  expect(events(app)).toEqual([
    'order.written',
    'checkout.order.placed',
    ...Array.from({ length: 2 }, () => ['order.written', 'state_enter.order.state.cancelled']).flat(),
  ])
})

test('an edited line moves stock in silence and is found by its own moment alone', async () => {
  let now = Date.parse('2026-03-01T10:00:00Z')
  const { app, shop } = await shopWithApp({ clock: () => now })
  const order = await placed(shop, 2)
  app.heard.webhooks.length = 0
  now += 60_000
  const lineId = order.lines[0]?.id ?? ''
  shop.editLine(order.id, lineId, 5)
  await shop.worker.settled()
  expect(shop.stockOf('LAMP')).toBe(5)
  expect(app.heard.webhooks).toEqual([])
  const since = (field: string) =>
    api(shop, app.heard.credentials, '/api/search/order', {
      filter: [{ type: 'range', field, parameters: { gte: '2026-03-01 10:00:30.000' } }],
      fields: ['autoIncrement', 'lineItems.quantity'],
    })
  expect((await since('updatedAt')).body.data).toEqual([])
  expect((await since('lineItems.updatedAt')).body.data).toMatchObject([
    { autoIncrement: 1, lineItems: [{ quantity: 5 }] },
  ])
})

test('a payment and a shipped delivery move no stock and leave the order alone', async () => {
  const { app, shop } = await shopWithApp()
  const order = await placed(shop, 2)
  app.heard.webhooks.length = 0
  shop.failPayment(order.id)
  shop.shipDelivery(order.id)
  await shop.worker.settled()
  expect(order.updatedAt).toBeNull()
  expect(shop.stockOf('LAMP')).toBe(8)
  expect(events(app)).toEqual([
    'state_enter.order_transaction.state.failed',
    'state_enter.order_delivery.state.shipped',
  ])
})

test('a message is tried four times under one event id; ten lost ones switch the webhook off', async () => {
  const { app, shop } = await shopWithApp()
  app.behave.webhook = () => ({ status: 500 })
  shop.adminSetStock('LAMP', 1)
  await shop.worker.settled()
  expect(app.heard.webhooks).toHaveLength(4)
  expect(new Set(app.heard.webhooks.map((each) => objectOf(each.source).eventId)).size).toBe(1)
  for (let strike = 2; strike <= 10; strike++) {
    shop.adminSetStock('LAMP', strike)
    await shop.worker.settled()
  }
  expect(shop.webhooks().find((each) => each.eventName === 'product.written')).toMatchObject({ active: false })
  app.heard.webhooks.length = 0
  shop.adminSetStock('LAMP', 1)
  await shop.worker.settled()
  expect(app.heard.webhooks).toEqual([])
})

test('while the worker stands still nothing arrives; then everything in order', async () => {
  const { app, shop } = await shopWithApp()
  shop.worker.pause()
  const order = await placed(shop, 1)
  shop.payOrder(order.id)
  await shop.worker.settled()
  expect(app.heard.webhooks).toEqual([])
  shop.worker.resume()
  await shop.worker.settled()
  expect(events(app)).toEqual(['order.written', 'checkout.order.placed', 'state_enter.order_transaction.state.paid'])
})

test('one bad row refuses a sync request whole and is pointed at', async () => {
  const { app, shop } = await shopWithApp()
  const good = { id: shop.product('LAMP').id, stock: 4 }
  const sync = (payload: readonly unknown[]) =>
    api(shop, app.heard.credentials, '/api/_action/sync', { w: { entity: 'product', action: 'upsert', payload } })
  const refused = await sync([good, { id: 'f'.repeat(32), stock: 1 }])
  expect(refused.status).toBe(400)
  expect(listOf(refused.body.errors)[0]).toMatchObject({ source: { pointer: '/w/1/taxId' } })
  expect(shop.stockOf('LAMP')).toBe(10)
  shop.faults.deadlocks = 1
  expect(listOf((await sync([good])).body.errors)[0]).toMatchObject({ code: '1213' })
  expect((await sync([good])).status).toBe(200)
  expect(shop.stockOf('LAMP')).toBe(4)
})

test('ten wrong secrets shut out the right one', async () => {
  const { app, shop } = await shopWithApp()
  const wrong = { ...app.heard.credentials, secretKey: 'wrong' }
  for (let tried = 0; tried < 10; tried++) await api(shop, wrong, '/api/search/product', {})
  const answer = await fetch(`${shop.url}/api/oauth/token`, {
    method: 'POST',
    body: JSON.stringify({ client_id: app.heard.credentials.apiKey, client_secret: app.heard.credentials.secretKey }),
  })
  expect(answer.status).toBe(429)
})

test('an import asks no gateway and places nothing', async () => {
  const { app, shop } = await shopWithApp()
  await shop.importOrder([{ sku: 'LAMP', units: 3 }])
  await shop.worker.settled()
  expect(app.heard.gateway).toEqual([])
  expect(events(app)).toEqual(['order.written'])
  expect(shop.stockOf('LAMP')).toBe(7)
})

test('an import is written as it comes, beyond what is left too', async () => {
  const { shop } = await shopWithApp({ products: [{ sku: 'LAMP', stock: 1 }] })
  const order = await shop.importOrder([{ sku: 'LAMP', units: 3 }])
  expect(order.lines.map(({ units }) => units)).toEqual([3])
  expect(shop.stockOf('LAMP')).toBe(-2)
})

test('the guard field stops an order although the app is gone', async () => {
  const { app, shop } = await shopWithApp({
    products: [{ sku: 'LAMP', stock: 5, customFields: { holdfast_guard: 'stop' } }],
  })
  await app.stop()
  expect(await shop.order(basket(shop, 1))).toMatchObject({ messages: ['holdfast.guard.stop: LAMP'] })
})
