import { afterEach, expect, test } from 'vitest'
import { type ConnectedWorld, eventually, startConnectedWorld } from './connected.ts'
import type { SimulatedShop } from './shopware.ts'

let world: ConnectedWorld | undefined
afterEach(async () => {
  await world?.end()
  world = undefined
})

function cartOf(shop: SimulatedShop, units: number, email: string, language: 'de-DE' | 'en-GB' = 'en-GB') {
  const cart = shop.newCart(language)
  shop.addLine(cart, 'LAMP', units)
  shop.register(cart)
  cart.email = email
  return cart
}

test('one buyer with ten carts at once gets what the cap allows, others get theirs, and nobody’s address is kept', async () => {
  world = await startConnectedWorld({ shops: ['nord'], products: { LAMP: 0 }, shopRules: { capPerCustomer: 3 } })
  const [shop] = world.shops
  if (!shop) throw new Error('no shop')
  await world.install(shop)
  world.warehouse.receive('LAMP', 50)
  await eventually(
    () => shop.stockOf('LAMP'),
    (seen) => seen === 50,
    'the shop shows 50',
  )
  const carts = Array.from({ length: 10 }, (_, n) => cartOf(shop, 1, `Hoarder+${n}@example.org`))
  const answers = await Promise.all(carts.map((cart) => shop.order(cart)))
  expect(answers.filter((answer) => 'order' in answer)).toHaveLength(3)
  const refused = answers.flatMap((answer) => ('refused' in answer ? answer.messages : []))
  expect(new Set(refused)).toEqual(
    new Set(['We sell at most 3 of “LAMP” to one customer. You have ordered that many already.']),
  )
  expect(await shop.order(cartOf(shop, 2, 'other@example.org'))).toHaveProperty('order')
  const german = await shop.order(cartOf(shop, 2, 'other@example.org', 'de-DE'))
  expect(german).toMatchObject({
    messages: [
      '„LAMP“ wird höchstens 3 Mal je Kunde abgegeben. Sie können noch 1 bestellen. Bitte passen Sie die Menge an.',
    ],
  })
  expect(await shop.order(cartOf(shop, 1, 'other@example.org'))).toHaveProperty('order')
  const { rows } = await world.database.pool.query('select key, length(key) as bytes from buyer_attempt')
  expect(rows.length).toBeGreaterThan(0)
  expect(new Set(rows.map(({ bytes }) => bytes))).toEqual(new Set([32]))
  const kept = await world.database.pool.query(
    `select count(*)::int as found from ledger_entry where body::text ilike '%example.org%' or body::text ilike '%buyer%'`,
  )
  expect(kept.rows).toEqual([{ found: 0 }])
  expect((await world.verify()).problems).toEqual([])
})
