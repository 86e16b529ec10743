import { expect, test } from 'vitest'
import type { Cart, Outcome, Placed } from './shop-carts.ts'
import { raceCarts, refusalsOf } from './shop-race.ts'

const cartsNamed = (...names: string[]): Cart[] => names.map((token) => ({ token }))
const placedBy = (cart: Cart): Placed => ({
  refused: false,
  orderId: cart.token,
  orderNumber: cart.token,
  lines: [{ lineId: 'l', cartLineId: 'c', productId: 'p', units: 2, payload: {} }],
})
const refused: Outcome = { refused: true, http: 500, messages: ['SOLD_OUT: none left'] }

test('a refused cart is tried once more, a placed one never', async () => {
  const asked: string[] = []
  const result = await raceCarts(cartsNamed('wins', 'loses', 'second'), 1, async (cart) => {
    asked.push(cart.token)
    if (cart.token === 'wins' || asked.filter((token) => token === 'second').length === 2) return placedBy(cart)
    return refused
  })
  expect(asked).toEqual(['wins', 'loses', 'loses', 'second', 'second'])
  expect(result.placed.map((one) => one.orderId)).toEqual(['wins', 'second'])
  expect([result.unitsPlaced, result.answered, result.unanswered]).toEqual([4, 5, 0])
  expect([...refusalsOf(result)]).toEqual([['500 SOLD_OUT: none left', 3]])
})

test('an unanswered call is counted and never repeated, since it may have made its order', async () => {
  let asked = 0
  const result = await raceCarts(cartsNamed('lost'), 4, async () => {
    asked++
    throw new Error('cut off')
  })
  expect([asked, result.unanswered, result.answered]).toEqual([1, 1, 0])
})

test('no more calls are under way than the concurrency allows, and all carts are raced', async () => {
  let underWay = 0
  let most = 0
  const result = await raceCarts(cartsNamed('a', 'b', 'c', 'd', 'e', 'f', 'g'), 3, async (cart) => {
    most = Math.max(most, ++underWay)
    await new Promise((resolve) => setImmediate(resolve))
    underWay--
    return placedBy(cart)
  })
  expect([most, result.racers.map((racer) => racer.cart.token).join('')]).toEqual([3, 'abcdefg'])
})
