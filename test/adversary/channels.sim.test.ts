/** Channels beside a shop, and shops that leave: the whole house over HTTP. */
import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from '../../sim/connected.ts'
import type { ConfigurationDocument } from '../../src/app/configuration-file.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

async function open(shops: readonly string[], shopRules: Partial<ConfigurationDocument['shops'][string]> = {}) {
  world = await startConnectedWorld({ shops, products: { LAMP: 0 }, shopRules })
  for (const shop of world.shops) await world.install(shop)
  world.warehouse.receive('LAMP', 10)
  for (const shop of world.shops) {
    await eventually(
      () => shop.stockOf('LAMP'),
      (units) => units === 10,
      'ten are shown',
    )
  }
  return world
}

const sellable = (units: number, shop: string) =>
  eventually(
    () => world?.sellable('LAMP', shop),
    (seen) => seen === units,
    `${units} are sellable in ${shop}`,
  )

test('a shop that is taken out of the rules can be retired: what its abandoned carts held comes back', async () => {
  const { shops, request } = await open(['nord', 'sued'], { orderInFlight: '10m' })
  const [nord] = shops
  if (!nord) throw new Error('no shop')
  nord.faults.gates = { beforeCommit: () => Promise.reject(new Error('the payment broke off')) }
  const cart = nord.newCart()
  nord.addLine(cart, 'LAMP', 3)
  nord.register(cart)
  await nord.order(cart).catch(() => undefined)
  await sellable(7, 'sued')
  const { body } = await request('GET', '/v1/configuration')
  const { document } = body as { document: ConfigurationDocument }
  const without = Object.fromEntries(Object.entries(document.shops).filter(([name]) => name !== 'nord'))
  expect((await request('PUT', '/v1/configuration', { ...document, shops: without })).httpCode).toBe(200)
  expect((await request('POST', '/v1/shops/nord/retire')).httpCode).toBe(204)
  await sellable(10, 'sued')
  expect((await request('POST', '/v1/shops/nowhere/retire')).body).toMatchObject({ code: 'SHOP_UNKNOWN' })
})

test('an order that a channel told under a name of its own is not gone because the shop has never heard of it', async () => {
  const { shops, request, database } = await open(['nord'], { orderInFlight: '1s' })
  const [nord] = shops
  if (!nord) throw new Error('no shop')
  await request('PUT', '/v1/shops/nord/reservations/till-1', { lines: [{ sku: 'LAMP', units: 4 }] })
  expect((await request('POST', '/v1/shops/nord/reservations/till-1/place', { order: 'T-1' })).httpCode).toBe(200)
  // An order of the shop itself that is deleted there is found gone in the same rounds.
  const cart = nord.newCart()
  nord.addLine(cart, 'LAMP', 1)
  nord.register(cart)
  const answer = await nord.order(cart)
  if (!('order' in answer)) throw new Error('refused')
  await sellable(5, 'nord')
  await eventually(
    async () =>
      (await database.pool.query(`select from demand where phase = 'placed' and order_number <> 'T-1'`)).rowCount,
    (orders) => orders === 1,
    'the order is read',
  )
  nord.deleteOrder(answer.order.id)
  await sellable(6, 'nord')
  const { rows } = await database.pool.query(`select units, ended from demand where order_number = 'T-1'`)
  expect(rows).toEqual([{ units: 4, ended: null }])
})
