import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

test('a shop whose uninstallation never reached us comes again by an invitation, once, and the ledger tells who invited it', async () => {
  const house = await startConnectedWorld({
    shops: ['nord'],
    products: { LAMP: 0 },
    shopRules: { admission: 'invited' },
  })
  world = house
  const [shop] = house.shops
  if (!shop) throw new Error('no shop')
  await expect(house.install(shop)).rejects.toThrow('holdfast shops invite nord')
  expect(await house.request('POST', '/v1/shops/nord/invite')).toMatchObject({
    httpCode: 200,
    body: { shop: 'nord', until: expect.any(String) },
  })
  await house.install(shop)
  const shows = (units: number) =>
    eventually(
      () => shop.stockOf('LAMP'),
      (seen) => seen === units,
      `the shop shows ${units}`,
    )
  house.warehouse.receive('LAMP', 4)
  await shows(4)
  await house.stopService()
  await shop.uninstall()
  await house.startService()
  await expect(house.install(shop)).rejects.toThrow('holdfast shops invite nord')
  await house.request('POST', '/v1/shops/nord/invite')
  await house.install(shop)
  // It is published again: a fall at once, while a rise would wait for what it sold meanwhile.
  house.warehouse.count('LAMP', 2)
  await shows(2)
  const { rows } = await house.database.pool.query(`select actor from ledger_entry where kind = 'invited'`)
  expect(rows).toHaveLength(2)
  expect((await house.request('POST', '/v1/shops/nowhere/invite')).body).toMatchObject({ code: 'SHOP_UNKNOWN' })
})
