import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

const shows = (shop: SimulatedShop, sku: string, units: number) =>
  eventually(
    () => shop.stockOf(sku),
    (seen) => seen === units,
    `the shop shows ${units} ${sku}`,
  )
async function ordered(shop: SimulatedShop, lines: Readonly<Record<string, number>>) {
  const cart = shop.newCart()
  for (const [sku, units] of Object.entries(lines)) shop.addLine(cart, sku, units)
  shop.register(cart)
  return shop.order(cart)
}

test('single units and packs of one SKU are sold out of the same units, to the last one', async () => {
  const house = await startConnectedWorld({
    shops: ['nord'],
    products: { BEER: 0, 'BEER-SIX': 0, 'OLD-NUMBER': 0 },
    shopRules: { skuMapping: { 'BEER-SIX': { sku: 'BEER', units: 6 }, 'OLD-NUMBER': { sku: 'BEER' } } },
  })
  world = house
  const [shop] = house.shops
  if (!shop) throw new Error('no shop')
  await house.install(shop)
  house.warehouse.receive('BEER', 20)
  await shows(shop, 'BEER', 20)
  await shows(shop, 'BEER-SIX', 3)
  await shows(shop, 'OLD-NUMBER', 20)
  expect(await ordered(shop, { 'BEER-SIX': 2, BEER: 1 })).toHaveProperty('order')
  await shows(shop, 'BEER', 7)
  await shows(shop, 'BEER-SIX', 1)
  await shows(shop, 'OLD-NUMBER', 7)
  // One pack and two single ones are eight: the shop itself would let that pass.
  expect(await ordered(shop, { 'BEER-SIX': 1, BEER: 2 })).toMatchObject({ refused: 'CHECKOUT__CART_INVALID' })
  const answer = await ordered(shop, { 'BEER-SIX': 1, 'OLD-NUMBER': 1 })
  if ('refused' in answer) throw new Error(answer.messages.join())
  for (const sku of ['BEER', 'BEER-SIX', 'OLD-NUMBER']) await shows(shop, sku, 0)
  await eventually(
    async () => (await house.stock('BEER')).shops[0]?.reservedUnits,
    (units) => units === 20,
    'all twenty are reserved, each once',
  )
  // A line that is changed, and a cancelled order, count in packs too.
  const line = answer.order.lines.find(({ label }) => label === 'BEER-SIX')
  shop.editLine(answer.order.id, line?.id ?? '', 0)
  await shows(shop, 'BEER', 6)
  await shows(shop, 'BEER-SIX', 1)
  shop.cancelOrder(answer.order.id)
  await shows(shop, 'OLD-NUMBER', 7)
  await shows(shop, 'BEER-SIX', 1)
  // Somebody writes a pack's number: put right as any other.
  shop.adminSetStock('BEER-SIX', 50)
  await shows(shop, 'BEER-SIX', 1)
  expect((await house.incidents()).filter(({ code }) => code === 'SHORTAGE')).toEqual([])
  expect((await house.verify()).problems).toEqual([])
})
