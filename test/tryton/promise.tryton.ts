/** What is promised of a purchase in a real Tryton, at each step of its life. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clerk, clerkOf } from './clerk.ts'
import { AHEAD, openPulledHouse, type PulledHouse } from './pulled-house.ts'
import { logIn, NO_TRYTON, trytonEnvironment } from './real-tryton.ts'

const place = trytonEnvironment(process.env)
if (!place) console.log(NO_TRYTON)

/** A day so many days from now. */
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)

describe.skipIf(!place)('a shop that sells what a Tryton expects', () => {
  let house: PulledHouse
  let clerk: Clerk

  beforeAll(async () => {
    if (!place) return
    clerk = await clerkOf(await logIn(place))
    house = await openPulledHouse(place)
  })
  afterAll(() => house?.close())

  test('promises nothing without a day, all within the window, nothing after a slip, and what came from the shelf', async () => {
    const sku = `AHEAD-${randomUUID().slice(0, 8)}`
    await clerk.makeProduct(sku)
    const line = await clerk.buy(sku, 40)
    await house.pull()
    expect(await house.ahead(sku)).toBe(0)

    await clerk.expect(line, inDays(3))
    await house.pull()
    expect([await house.ahead(sku), await house.sellable(sku)]).toEqual([40, 0])

    const order = `${sku}-1`
    await house.order(order, sku, 4, 'open', AHEAD)
    const supplies = async () =>
      [...(await house.stateOf(sku)).demands.values()].map(({ units, supply }) => [units, supply.kind])
    expect([await house.ahead(sku), await supplies()]).toEqual([36, [[4, 'inbound']]])

    await clerk.expect(line, inDays(30))
    await house.pull()
    // One that was made is kept as well as can be; no new one is made.
    expect([await house.ahead(sku), await supplies()]).toEqual([0, [[4, 'inbound']]])

    const shipment = await clerk.receive(line, 15)
    await clerk.store(shipment)
    await house.pull()
    expect([await house.ahead(sku), await house.sellable(sku)]).toEqual([11, 11])
    expect(await supplies()).toEqual([[4, 'on-hand']])
    expect(house.bugs).toEqual([])
  })
})
