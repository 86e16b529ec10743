import { afterEach, describe, expect, test } from 'vitest'
import { FIGHT_AFTER } from '../src/core/foreign-write.ts'
import { type ConnectedWorld, eventually, startConnectedWorld, type WorldOptions } from './connected.ts'
import { STRIKES } from './shopware/webhooks.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

async function connected(options: Partial<WorldOptions> = {}, merchant: { readonly closeOut?: boolean } = {}) {
  const opened = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, ...merchant, ...options })
  world = opened
  const [shop] = opened.shops
  if (!shop) throw new Error('no shop')
  await opened.install(shop)
  opened.warehouse.receive('LAMP', 10)
  await shows(shop, 10)
  return { ...opened, shop }
}

const shows = (shop: SimulatedShop, units: number) =>
  eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === units,
    `the shop shows ${units}`,
  )

/** What the ledger holds of foreign writes, oldest first. */
async function recorded(): Promise<readonly { actor: string; cause: string; body: Record<string, unknown> }[]> {
  const { rows } = await (world as ConnectedWorld).database.pool.query(
    `select actor, cause, body from ledger_entry where stream = 'shop:nord' and kind = 'foreign-write' order by version`,
  )
  return rows
}
const recordedTimes = (times: number) => eventually(recorded, (rows) => rows.length === times, `${times} records`)
const incident = (code: string) =>
  eventually(
    async () => (await world?.incidents())?.find((each) => each.code === code),
    (found) => found !== undefined,
    `an incident ${code}`,
  )
const lookedAt = () =>
  eventually(
    async () => (await world?.database.pool.query('select from dirty where due_at < clock_timestamp()'))?.rowCount,
    (due) => due === 0,
    'nothing is due',
  )

function cartOf(shop: SimulatedShop, units: number) {
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', units)
  shop.register(cart)
  return cart
}

describe('a stock that somebody else writes', () => {
  test('is put right, recorded with both numbers, and told', async () => {
    const { shop } = await connected()
    shop.adminSetStock('LAMP', 99)
    await shows(shop, 10)
    const [entry] = await recordedTimes(1)
    expect(entry).toMatchObject({
      actor: 'unknown',
      cause: 'webhook',
      body: { sku: 'LAMP', oldUnits: 10, newUnits: 99, who: 'unknown', policy: 'restore' },
    })
    expect(await incident('FOREIGN_WRITE')).toMatchObject({ shop: 'nord', sku: 'LAMP' })
    expect((await world?.verify())?.problems).toEqual([])
  })

  test('is found by comparing where every webhook is lost', async () => {
    const { shop, say } = await connected({ shopFaults: { loseWebhooks: 1 } })
    shop.adminSetStock('LAMP', 99)
    await say({ type: 'stock.level.reported', sku: 'LAMP', net: 12, sequence: 900 })
    await shows(shop, 12)
    expect(await recordedTimes(1)).toMatchObject([{ cause: 'comparison', body: { oldUnits: 10, newUnits: 99 } }])
  })

  test('is told apart from everything that orders do, seen or not seen by a webhook', async () => {
    const { shop } = await connected({ shopFaults: { loseWebhooks: 0.5 } })
    await shop.order(cartOf(shop, 2))
    const imported = await shop.importOrder([{ sku: 'LAMP', units: 3 }])
    await shows(shop, 5)
    const [line] = imported.lines
    shop.editLine(imported.id, line?.id ?? '', 1)
    await shows(shop, 7)
    shop.cancelOrder(imported.id)
    shop.cancelOrder(imported.id)
    await shows(shop, 8)
    await eventually(
      async () => (await world?.database.pool.query('select from foreign_write'))?.rowCount,
      (rows) => rows === 0,
      'every sighting is judged',
    )
    expect(await recorded()).toEqual([])
    expect((await world?.incidents())?.filter(({ code }) => code === 'FOREIGN_WRITE')).toEqual([])
  })

  test('stands under warn until what is sellable changes, and the checkout is asked all the same', async () => {
    const { shop, say } = await connected({ shopRules: { foreignWrites: 'warn' } })
    shop.adminSetStock('LAMP', 99)
    await recordedTimes(1)
    expect(await incident('FOREIGN_WRITE')).not.toHaveProperty('closedAt')
    await lookedAt()
    expect(shop.stockOf('LAMP')).toBe(99)
    expect(await shop.order(cartOf(shop, 11))).toHaveProperty('refused')
    await say({ type: 'stock.level.reported', sku: 'LAMP', net: 7, sequence: 900 })
    await shows(shop, 7)
    await eventually(
      async () => (await incident('FOREIGN_WRITE'))?.closedAt,
      (closedAt) => closedAt !== undefined,
      'the incident is over',
    )
  })

  test('that comes again and again is a fight: lowered still, never raised against the other', async () => {
    const { shop } = await connected()
    for (let round = 1; round <= FIGHT_AFTER; round++) {
      shop.adminSetStock('LAMP', 50 + round)
      await shows(shop, 10)
      await recordedTimes(round)
    }
    expect(await incident('FIGHT')).toMatchObject({ sku: 'LAMP' })
    shop.adminSetStock('LAMP', 3)
    await shop.worker.settled()
    await lookedAt()
    expect(shop.stockOf('LAMP')).toBe(3)
    shop.adminSetStock('LAMP', 60)
    await shows(shop, 10)
    expect(await recorded()).toHaveLength(FIGHT_AFTER)
  })
})

describe('our place in the shop', () => {
  test('its cached pages are cleared after the installation, and never again', async () => {
    const { shop } = await connected()
    await shop.worker.settled()
    await eventually(
      async () =>
        (await world?.database.pool.query('select from shop where pages_cleared_at > registered_at'))?.rowCount,
      (shops) => shops === 1,
      'the pages are cleared',
    )
    const times = shop.cacheClears()
    await world?.stopService()
    await world?.startService()
    await shop.importOrder([{ sku: 'LAMP', units: 1 }])
    await eventually(
      () => world?.sellable('LAMP'),
      (units) => units === 9,
      'the order is read',
    )
    expect(shop.cacheClears()).toBe(times)
  })

  test('webhooks that the shop switched off are switched on, and what was changed meanwhile is put right', async () => {
    const { shop } = await connected()
    await world?.stopService()
    for (let strike = 0; strike < STRIKES; strike++) shop.adminSetStock('LAMP', 40 + strike)
    await shop.worker.settled()
    expect(shop.webhooks().filter(({ active }) => !active)).toHaveLength(1)
    shop.adminSetStock('LAMP', 77)
    await world?.startService()
    await shows(shop, 10)
    await eventually(shop.webhooks, (hooks) => hooks.every(({ active }) => active), 'all are on again')
    expect(await incident('WEBHOOK_SWITCHED_OFF')).toMatchObject({ shop: 'nord' })
    expect((await recordedTimes(1))[0]?.body).toMatchObject({ oldUnits: 10, newUnits: 77 })
    // Told again at once.
    shop.adminSetStock('LAMP', 88)
    await shows(shop, 10)
    await recordedTimes(2)
  })
})

describe('a shop whose address changed', () => {
  test('is told, and again when it is over', async () => {
    const { shop } = await connected()
    await world?.stopService()
    shop.faults.movedTo = 'https://moved.example'
    await world?.startService()
    expect((await incident('APP_URL_CHANGED'))?.cause).toContain('https://moved.example')
    await world?.stopService()
    shop.faults.movedTo = undefined
    await world?.startService()
    await eventually(
      async () => (await incident('APP_URL_CHANGED'))?.closedAt,
      (closedAt) => closedAt !== undefined,
      'the incident is over',
    )
  })
})

describe('leaving a shop', () => {
  test('gives each product its own close-out back, and its checkouts are no longer held', async () => {
    const { shop, request } = await connected({}, { closeOut: false })
    expect(shop.product('LAMP')).toMatchObject({ closeOut: true })
    const release = async () => (await request('POST', '/v1/shops/nord/release')).body
    await eventually(release, (answer) => JSON.stringify(answer).includes('"gone"'), 'it is released')
    expect(await release()).toEqual({ shop: 'nord', state: 'gone', productsLeft: 0 })
    expect(shop.product('LAMP')).toMatchObject({ closeOut: false, customFields: { holdfast_revision: null } })
    expect(await shop.order(cartOf(shop, 11))).toHaveProperty('order')
    const { rows } = await (world as ConnectedWorld).database.pool.query(
      `select kind from ledger_entry where stream = 'shop:nord' order by version`,
    )
    expect(rows.map(({ kind }) => kind).filter((kind) => kind.startsWith('release'))).toEqual([
      'release-begun',
      'released',
    ])
  })

  test('after another installation ours is not taken for the merchant’s own', async () => {
    const { shop, request, install } = await connected({}, { closeOut: false })
    await shop.uninstall()
    await install(shop)
    await shop.importOrder([{ sku: 'LAMP', units: 2 }])
    await shows(shop, 8)
    await eventually(
      async () => JSON.stringify((await request('GET', '/v1/shops')).body),
      (shops) => /"nord"[^}]*"connected"/.test(shops),
      'it is connected again',
    )
    await eventually(
      async () => JSON.stringify((await request('POST', '/v1/shops/nord/release')).body),
      (answer) => answer.includes('"gone"'),
      'it is released',
    )
    expect(shop.product('LAMP')).toMatchObject({ closeOut: false })
  })
})
