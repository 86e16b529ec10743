import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

const says = (shop: SimulatedShop, field: string, value: unknown) =>
  eventually(
    () => shop.product('LAMP').customFields[field],
    (seen) => seen === value,
    `the product says ${value}`,
  )
function cartOf(shop: SimulatedShop, ...lines: readonly number[]) {
  const cart = shop.newCart()
  for (const [nth, units] of lines.entries()) shop.addLine(cart, 'LAMP', units, `line-${nth}`)
  shop.register(cart)
  return cart
}

test('with Holdfast down the shop itself refuses what the rules forbid: too much for one buyer, and what is sold out', async () => {
  const house = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, shopRules: { capPerCustomer: 3 } })
  world = house
  const [shop] = house.shops
  if (!shop) throw new Error('no shop')
  await house.install(shop)
  house.warehouse.receive('LAMP', 10)
  await says(shop, 'holdfast_most', 3)
  await says(shop, 'holdfast_guard', 'go')
  await eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === 10,
    'the shop shows 10',
  )
  await house.stopService()
  expect(await shop.order(cartOf(shop, 2, 2))).toMatchObject({ messages: ['holdfast.guard.most: LAMP'] })
  expect(await shop.order(cartOf(shop, 3))).toHaveProperty('order')
  await house.startService()
  house.warehouse.count('LAMP', 3)
  await says(shop, 'holdfast_guard', 'stop')
  await house.stopService()
  // Somebody takes the close-out off: the number alone would let everything pass.
  shop.adminOpenOut('LAMP')
  expect(await shop.order(cartOf(shop, 1))).toMatchObject({ messages: ['holdfast.guard.stop: LAMP'] })
  await house.startService()
})
