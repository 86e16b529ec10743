import { afterEach, describe, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

async function connected(shopRules: NonNullable<Parameters<typeof startConnectedWorld>[0]['shopRules']>) {
  world = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, shopRules })
  const [shop] = world.shops
  if (!shop) throw new Error('no shop')
  await world.install(shop)
  world.warehouse.receive('LAMP', 10)
  await shows(shop, 10)
  return { shop, world }
}

const shows = (shop: SimulatedShop, units: number) =>
  eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === units,
    `the shop shows ${units}`,
  )
async function ordered(shop: SimulatedShop, units: number): Promise<string> {
  const cart = shop.newCart()
  shop.addLine(cart, 'LAMP', units)
  shop.register(cart)
  const answer = await shop.order(cart)
  if ('refused' in answer) throw new Error(answer.messages.join())
  return answer.order.id
}
const stateOf = (shop: SimulatedShop, orderId: string) => shop.orders().find(({ id }) => id === orderId)?.state
/** What is open in the shop, held or placed. */
const reserved = (units: number) =>
  eventually(
    async () => (await world?.stock('LAMP'))?.shops[0]?.reservedUnits,
    (seen) => seen === units,
    `${units} units are reserved`,
  )

describe('a payment that fails', () => {
  test('by the policy cancel has its order cancelled in the shop, once, and that gives the units back', async () => {
    const { shop, world: house } = await connected({ paymentFailed: 'cancel', paymentFailedAfter: '0s' })
    const orderId = await ordered(shop, 4)
    await reserved(4)
    shop.failPayment(orderId)
    await eventually(
      () => stateOf(shop, orderId),
      (state) => state === 'cancelled',
      'the order is cancelled',
    )
    await reserved(0)
    await shows(shop, 10)
    // A late payment of a cancelled order leaves it cancelled.
    shop.payOrder(orderId)
    const other = await ordered(shop, 10)
    await reserved(10)
    expect(stateOf(shop, orderId)).toBe('cancelled')
    expect(stateOf(shop, other)).toBe('open')
    expect((await house.verify()).problems).toEqual([])
  })

  test('by the policy soft gives its units back and leaves the order; a late payment is a new demand', async () => {
    const { shop, world: house } = await connected({ paymentFailed: 'soft', paymentFailedAfter: '0s' })
    const orderId = await ordered(shop, 4)
    await reserved(4)
    shop.failPayment(orderId)
    await reserved(0)
    // The shop has subtracted the order that is still open there: it is put right to what may be sold.
    await shows(shop, 10)
    expect(stateOf(shop, orderId)).toBe('open')
    await ordered(shop, 8)
    await reserved(8)
    shop.payOrder(orderId)
    await reserved(12)
    const told = (await house.incidents()).find(({ code }) => code === 'SHORTAGE')
    expect(told).toMatchObject({ units: 2, cause: expect.stringContaining('paid after all') })
    expect((await house.verify()).problems).toEqual([])
  })

  test('waits out its grace: a buyer who pays meanwhile loses nothing', async () => {
    const { shop, world: house } = await connected({ paymentFailed: 'cancel', paymentFailedAfter: '1h' })
    const orderId = await ordered(shop, 4)
    shop.failPayment(orderId)
    const unpaid = async () => (await house.database.pool.query('select from unpaid_order')).rowCount
    await eventually(unpaid, (rows) => rows === 1, 'it is known as unpaid')
    shop.payOrder(orderId)
    await eventually(unpaid, (rows) => rows === 0, 'it is known as paid')
    await reserved(4)
    expect(stateOf(shop, orderId)).toBe('open')
  })
})
