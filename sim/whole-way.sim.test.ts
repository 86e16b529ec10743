import { afterEach, describe, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld, type WorldOptions } from './connected.ts'
import { connector } from './connector.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

async function open(options: Partial<WorldOptions> = {}) {
  world = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, ...options })
  const [shop] = world.shops
  if (!shop) throw new Error('no shop')
  return { world, shop }
}

async function connected(options: Partial<WorldOptions> = {}, units = 10) {
  const opened = await open(options)
  for (const shop of opened.world.shops) await opened.world.install(shop)
  opened.world.warehouse.receive('LAMP', units)
  for (const shop of opened.world.shops) await shows(shop, units)
  return opened
}

const shows = (shop: SimulatedShop, units: number) =>
  eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === units,
    `${shop.name} shows ${units}`,
  )

function cartOf(shop: SimulatedShop, units: number) {
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', units)
  shop.register(cart)
  return cart
}

const sellable = (units: number) =>
  eventually(
    () => world?.sellable('LAMP'),
    (seen) => seen === units,
    `${units} are sellable`,
  )

describe('a unit’s whole way', () => {
  test('the warehouse’s word reaches the shop, an order is counted once, and its shipment changes nothing more', async () => {
    const {
      world: { warehouse, shops, verify },
      shop,
    } = await connected()
    expect(await shop.order(cartOf(shop, 2))).toMatchObject({ order: { orderNumber: '10001' } })
    await sellable(8)
    expect(shop.stockOf('LAMP')).toBe(8)
    connector(shops, warehouse).step()
    warehouse.allocate('nord', '10001')
    warehouse.ship('nord', '10001')
    await warehouse.settled()
    await eventually(
      () => world?.stock('LAMP'),
      (stock) => stock?.shops[0]?.reservedUnits === 0,
      'the order has left',
    )
    expect(await world?.sellable('LAMP')).toBe(8)
    expect(shop.stockOf('LAMP')).toBe(8)
    expect((await verify()).problems).toEqual([])
  })

  test('an API hold takes the rest: a prepared cart is refused with the number, and a smaller try works', async () => {
    const {
      world: { request },
      shop,
    } = await connected()
    const cart = cartOf(shop, 4)
    expect(
      (await request('PUT', '/v1/shops/nord/reservations/till-1', { lines: [{ sku: 'LAMP', units: 7 }] })).httpCode,
    ).toBe(201)
    const refused = await shop.order(cart)
    expect(refused).toMatchObject({ refused: expect.anything() })
    expect(JSON.stringify(refused)).toContain('3')
    expect(shop.orders()).toHaveLength(0)
    expect(await shop.order(cartOf(shop, 3))).toHaveProperty('order')
  })

  test('H30: a double submit makes one order', async () => {
    const { shop } = await connected()
    const cart = cartOf(shop, 2)
    const answers = await Promise.all([shop.order(cart), shop.order(cart)])
    expect(answers.filter((answer) => 'order' in answer)).toHaveLength(1)
    expect(shop.orders()).toHaveLength(1)
    await sellable(8)
  })

  test('forty buyers of the last five units in two shops get five', async () => {
    const {
      world: { shops },
    } = await connected({ shops: ['nord', 'sued'] }, 5)
    const carts = Array.from({ length: 40 }, (_, n) => {
      const shop = shops[n % 2]
      if (!shop) throw new Error('no shop')
      return { shop, cart: cartOf(shop, 1) }
    })
    await Promise.all(carts.map(({ shop, cart }) => shop.order(cart)))
    const orders = shops.flatMap((shop) => shop.orders())
    expect(orders).toHaveLength(5)
    await sellable(0)
    for (const shop of shops) await shows(shop, 0)
  })

  test('an abandoned attempt gives its unit back once the watermark has passed it', async () => {
    const { shop } = await connected()
    shop.faults.gates = { beforeCommit: () => Promise.reject(new Error('the payment broke off')) }
    await shop.order(cartOf(shop, 3)).catch(() => undefined)
    expect(shop.orders()).toHaveLength(0)
    await sellable(7)
    await sellable(10)
    await shows(shop, 10)
  })

  test('H13: an order changed or deleted in silence is found', async () => {
    const {
      world: { verify },
      shop,
    } = await connected()
    const answer = await shop.order(cartOf(shop, 2))
    if (!('order' in answer)) throw new Error('refused')
    await sellable(8)
    const [line] = answer.order.lines
    shop.editLine(answer.order.id, line?.id ?? '', 5)
    await sellable(5)
    shop.deleteOrder(answer.order.id)
    await sellable(10)
    await shows(shop, 10)
    expect((await verify()).problems).toEqual([])
  })

  test('H31: an order that is cancelled twice gives its units back once, and the shop is put right', async () => {
    const { shop } = await connected()
    const answer = await shop.order(cartOf(shop, 2))
    if (!('order' in answer)) throw new Error('refused')
    await sellable(8)
    shop.cancelOrder(answer.order.id)
    await sellable(10)
    shop.cancelOrder(answer.order.id)
    expect(shop.stockOf('LAMP')).toBe(8)
    await shows(shop, 10)
    expect(await world?.sellable('LAMP')).toBe(10)
  })

  test('H1: an order that nobody could refuse is a shortage, and is served first when goods come', async () => {
    const {
      world: { warehouse, incidents },
      shop,
    } = await connected({}, 1)
    await shop.importOrder([{ sku: 'LAMP', units: 3 }])
    const shortage = await eventually(
      incidents,
      (all) => all.some(({ code }) => code === 'SHORTAGE'),
      'a shortage is told',
    )
    expect(shortage).toContainEqual(expect.objectContaining({ code: 'SHORTAGE', units: 2, shop: 'nord' }))
    warehouse.receive('LAMP', 4)
    await sellable(2)
    await shows(shop, 2)
    const after = await eventually(
      incidents,
      (all) => all.every(({ closedAt }) => closedAt !== undefined),
      'the shortage is settled',
    )
    expect(after).toHaveLength(1)
  })

  test('H40: an order read before its decrement does not hide a unit for long', async () => {
    const { shop } = await connected({}, 5)
    let release: () => void = () => undefined
    const gate = new Promise<void>((open) => {
      release = open
    })
    shop.faults.gates = { beforeDecrement: () => gate.then(() => undefined) }
    const ordering = shop.order(cartOf(shop, 1))
    await sellable(4)
    release()
    await ordering
    await shows(shop, 4)
  })

  test('a stock that somebody changes in the shop is put right', async () => {
    const { shop } = await connected()
    shop.adminSetStock('LAMP', 99)
    await shows(shop, 10)
  })

  test('a word of the warehouse that comes before its order waits for it', async () => {
    const {
      world: { warehouse, say },
      shop,
    } = await connected()
    await say({ type: 'order.allocated', order: '10001', sequence: 50, lines: [{ sku: 'LAMP', units: 2 }] })
    await say({ type: 'stock.level.reported', sku: 'LAMP', net: 8, sequence: 51 })
    await sellable(8)
    expect(await shop.order(cartOf(shop, 2))).toHaveProperty('order')
    await eventually(
      () => world?.stock('LAMP'),
      (stock) => stock?.warehouses[0]?.containedUnits === 2,
      'the word found its order',
    )
    expect(await world?.sellable('LAMP')).toBe(8)
    await warehouse.settled()
  })

  test('a shop is connected with the orders that it already has, and nothing is published before they are read', async () => {
    const {
      world: { warehouse, install, stock },
      shop,
    } = await open({ products: { LAMP: 20 } })
    const first = await shop.order(cartOf(shop, 2))
    const second = await shop.order(cartOf(shop, 1))
    expect([first, second].every((answer) => 'order' in answer)).toBe(true)
    warehouse.receive('LAMP', 10)
    await warehouse.settled()
    await install(shop)
    await eventually(
      () => stock('LAMP'),
      ({ shops }) => shops[0]?.reservedUnits === 3,
      'both orders are counted',
    )
    await sellable(7)
    await shows(shop, 7)
  })

  test('H8: what the shop sold while Holdfast was away is read before any number is raised', async () => {
    const {
      world: { warehouse, stopService, startService, incidents, verify },
      shop,
    } = await connected()
    await stopService()
    // The shop goes on by itself: its gateway is not answered.
    expect(await shop.order(cartOf(shop, 8))).toHaveProperty('order')
    expect(shop.stockOf('LAMP')).toBe(2)
    const highest: number[] = []
    const watching = setInterval(() => highest.push(shop.stockOf('LAMP')), 10)
    await startService()
    warehouse.count('LAMP', 10)
    await sellable(2)
    await shows(shop, 2)
    clearInterval(watching)
    expect(Math.max(...highest)).toBe(2)
    expect((await incidents()).filter(({ code }) => code === 'SHORTAGE')).toEqual([])
    expect((await verify()).problems).toEqual([])
  })

  test('a restart within a second is a silence too', async () => {
    const {
      world: { stopService, startService, request },
      shop,
    } = await connected()
    await stopService()
    expect(await shop.order(cartOf(shop, 4))).toHaveProperty('order')
    shop.faults.adminApiAway = true
    await startService()
    // Nobody could read what the shop sold: what it last showed counts as sold for everyone else, a till for one.
    const refused = await request('PUT', '/v1/shops/till/reservations/1', { lines: [{ sku: 'LAMP', units: 1 }] })
    expect(refused).toMatchObject({ httpCode: 409, body: { code: 'NOT_ENOUGH' } })
    expect(await shop.order(cartOf(shop, 1))).toHaveProperty('refused')
    shop.faults.adminApiAway = false
    await sellable(6)
    const granted = () => request('PUT', '/v1/shops/till/reservations/2', { lines: [{ sku: 'LAMP', units: 6 }] })
    await eventually(granted, ({ httpCode }) => httpCode === 201, 'the till gets what is left')
  })

  test('H37: of two shops over one pool, neither sells what the other sold in silence', async () => {
    const {
      world: { shops, stopService, startService, incidents, verify },
      shop,
    } = await connected({ shops: ['nord', 'sued'] })
    const other = shops[1]
    if (!other) throw new Error('no second shop')
    await stopService()
    expect(await shop.order(cartOf(shop, 8))).toHaveProperty('order')
    shop.faults.adminApiAway = true
    await startService()
    await eventually(
      () => world?.sellable('LAMP', 'sued'),
      (seen) => seen === 0,
      'what nord showed counts as sold for sued',
    )
    await eventually(
      () => other.order(cartOf(other, 3)),
      (answer) => 'refused' in answer,
      'sued does not sell them',
    )
    expect(other.orders()).toHaveLength(0)
    shop.faults.adminApiAway = false
    await eventually(
      () => world?.sellable('LAMP', 'sued'),
      (seen) => seen === 2,
      'nord has been read',
    )
    await shows(shop, 2)
    await shows(other, 2)
    expect((await incidents()).filter(({ code }) => code === 'SHORTAGE')).toEqual([])
    expect((await verify()).problems).toEqual([])
  })

  test('an order that the policy let go on is an attempt: nobody else gets its units, and it is counted once', async () => {
    const { world: opened, shop } = await connected({ shopRules: { whenUndecided: 'allow' } })
    await opened.stopService()
    shop.faults.adminApiAway = true
    await opened.startService()
    // Not read since the restart, so the shop's policy answers: yes.
    expect(await shop.order(cartOf(shop, 4))).toHaveProperty('order')
    await eventually(
      () => opened.stock('LAMP'),
      ({ shops }) => shops[0]?.reservedUnits === 4,
      'the attempt is counted before its order is read',
    )
    shop.faults.adminApiAway = false
    await eventually(
      () => opened.sellable('LAMP', 'till'),
      (seen) => seen === 6,
      'the order took its attempt',
    )
    await shows(shop, 6)
    expect((await opened.incidents()).filter(({ code }) => code === 'SHORTAGE')).toEqual([])
    expect((await opened.verify()).problems).toEqual([])
  })

  test('H6: a warehouse restored from a backup is counted at its lowest, until an operator believes it again', async () => {
    const { world: opened, shop } = await connected()
    const { warehouse } = opened
    warehouse.backUp()
    warehouse.count('LAMP', 3)
    await sellable(3)
    warehouse.restartFromBackup()
    for (const _ of [1, 2]) warehouse.snapshot()
    await eventually(opened.incidents, (all) => all.some(({ code }) => code === 'RESTART_SUSPECTED'), 'it is noticed')
    expect(await opened.sellable('LAMP')).toBe(3)
    expect((await opened.request('POST', '/v1/warehouses/main/trust')).body).toEqual({ trustedSkus: 1 })
    warehouse.count('LAMP', 3)
    warehouse.receive('LAMP', 4)
    await sellable(7)
    await shows(shop, 7)
    const told = await opened.incidents()
    expect(told.filter(({ code, closedAt }) => code === 'RESTART_SUSPECTED' && closedAt === undefined)).toEqual([])
    expect((await opened.verify()).problems).toEqual([])
  })
})
