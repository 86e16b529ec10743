import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

async function connected(
  shopRules: NonNullable<Parameters<typeof startConnectedWorld>[0]['shopRules']>,
  units: number,
) {
  world = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, shopRules })
  const [shop] = world.shops
  if (!shop) throw new Error('no shop')
  await world.install(shop)
  world.warehouse.receive('LAMP', units)
  await eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === units,
    `the shop shows ${units}`,
  )
  return { shop, world }
}

function cartOf(shop: SimulatedShop, units: number) {
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', units)
  return cart
}
const reserved = async () => (await world?.stock('LAMP'))?.shops[0]?.reservedUnits

test('by policy the confirm page holds, once; the order takes it over, and others see what is left', async () => {
  const { shop, world: house } = await connected({ holdFrom: 'confirm' }, 3)
  const cart = cartOf(shop, 3)
  // A cart without a buyer holds nothing: everybody may fill one.
  expect((await shop.viewPage(cart)).errors).toEqual([])
  expect(await reserved()).toBe(0)
  shop.register(cart)
  for (let view = 0; view < 3; view += 1) expect((await shop.viewPage(cart)).errors).toEqual([])
  expect(await reserved()).toBe(3)
  const late = cartOf(shop, 1)
  shop.register(late)
  expect((await shop.viewPage(late)).errors).toMatchObject([{ message: '“LAMP” has just sold out, sorry.' }])
  expect(await shop.order(late)).toMatchObject({ refused: 'CHECKOUT__CART_INVALID' })
  const answer = await shop.order(cart)
  if ('refused' in answer) throw new Error(answer.messages.join())
  expect(await reserved()).toBe(3)
  // The pages that come after the order, and the one to change its payment, hold nothing more.
  await shop.viewEditOrder(answer.order.id)
  await shop.viewPage(cart)
  await eventually(reserved, (units) => units === 3, 'the order is read')
  expect((await house.verify()).problems).toEqual([])
})

test('without that policy a page holds nothing', async () => {
  const { shop } = await connected({}, 3)
  const cart = cartOf(shop, 3)
  shop.register(cart)
  await shop.viewPage(cart)
  expect(await reserved()).toBe(0)
})
