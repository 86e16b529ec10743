/** What a warehouse lives through, done in a real Tryton by a client of its own, and read correctly at each step. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clerk, clerkOf } from './clerk.ts'
import { openPulledHouse, type PulledHouse } from './pulled-house.ts'
import { logIn, NO_TRYTON, trytonEnvironment } from './real-tryton.ts'

const place = trytonEnvironment(process.env)
if (!place) console.log(NO_TRYTON)

const newSku = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`

describe.skipIf(!place)('a real Tryton, read step by step', () => {
  let house: PulledHouse
  let clerk: Clerk

  beforeAll(async () => {
    if (!place) return
    clerk = await clerkOf(await logIn(place))
    house = await openPulledHouse({ ...place, ...(await clerk.makeReader()) })
  })
  afterAll(() => house?.close())

  /** A product of which so many lie on the shelf, pulled. */
  const product = async (name: string, units: number): Promise<string> => {
    const sku = newSku(name)
    await clerk.makeProduct(sku)
    if (units > 0) await clerk.count(sku, units)
    await house.pull()
    return sku
  }

  test('what was counted is what is sellable, and what was never counted is 0', async () => {
    const lamp = await product('LAMP', 10)
    const vase = await product('VASE', 0)
    expect(await house.sellable(lamp)).toBe(10)
    expect(await house.sellable(vase)).toBe(0)
    await clerk.count(lamp, 4)
    await house.pull()
    expect(await house.sellable(lamp)).toBe(4)
  })

  test('a pull of a quiet warehouse tells nothing', async () => {
    await product('QUIET', 3)
    await house.pull()
    const before = await house.messages()
    await house.pull()
    expect(await house.messages()).toBe(before)
  })

  test('a purchase: nobody knows when, then a day, then later, then a part of it comes', async () => {
    const lamp = await product('BOUGHT', 2)
    const line = await clerk.buy(lamp, 40)
    await house.pull()
    const about = { line: `purchase.line,${line}`, supplier: 'Weaver Ltd', confirmed: true, cancelled: false }
    // However it is split, whatever stands where: each unit is counted once.
    const counted = async (): Promise<number> => {
      const { available, toCome } = await house.countedNow(lamp)
      return available + toCome
    }
    expect(await counted()).toBe(42)
    const [undated] = await house.inbound(lamp)
    expect(undated).toMatchObject({ ...about, ordered: 40, received: 0 })
    expect(undated?.eta).toBeUndefined()

    await clerk.expect(line, '2099-12-04')
    await house.pull()
    expect(await house.inbound(lamp)).toMatchObject([{ ...about, eta: '2099-12-04' }])

    await clerk.expect(line, '2099-12-10')
    await house.pull()
    expect(await house.inbound(lamp)).toMatchObject([{ ...about, eta: '2099-12-10' }])

    const shipment = await clerk.receive(line, 15)
    await house.pull()
    expect([await house.sellable(lamp), await counted()]).toEqual([2, 42])
    const [rest, dock] = await house.inbound(lamp)
    expect(rest).toMatchObject({ ...about, ordered: 25, received: 0 })
    expect(rest?.eta).toBeUndefined()
    expect(dock).toMatchObject({
      line: `purchase.line,${line} at the dock`,
      ordered: 15,
      received: 0,
      cancelled: false,
    })

    await clerk.store(shipment)
    await house.pull()
    expect([await house.sellable(lamp), await counted()]).toEqual([17, 42])
    expect(await house.inbound(lamp)).toMatchObject([
      { ...about, ordered: 40, received: 15 },
      { ordered: 0, received: 0, cancelled: false },
    ])

    await clerk.expect(line, '2099-12-20')
    await house.pull()
    expect((await house.inbound(lamp))[0]).toMatchObject({ ...about, ordered: 40, received: 15, eta: '2099-12-20' })
  })

  test('an order: handed over, allocated, picked, shipped, and counted once at each step', async () => {
    const lamp = await product('SOLD', 10)
    const order = newSku('N')
    await house.order(order, lamp, 4)
    expect(await house.sellable(lamp)).toBe(6)
    const seen: (number | undefined)[] = []
    const look = async (): Promise<void> => {
      await house.pull()
      seen.push(await house.figure(lamp))
      expect(await house.sellable(lamp)).toBe(6)
    }
    await look()
    const sold = await clerk.sell(order, lamp, 4)
    await look()
    await clerk.assign(sold)
    await look()
    await clerk.pick(sold)
    await look()
    await clerk.ship(sold)
    await look()
    expect(seen).toEqual([10, 10, 6, 6, 6])
    const state = await house.stateOf(lamp)
    expect([...state.demands.values()]).toEqual([])
  })

  test('an allocation that was taken back makes its units nobody else’s', async () => {
    const lamp = await product('BACK', 10)
    const order = newSku('N')
    await house.order(order, lamp, 4)
    const sold = await clerk.sell(order, lamp, 4)
    await clerk.assign(sold)
    await house.pull()
    expect([await house.figure(lamp), await house.sellable(lamp)]).toEqual([6, 6])
    await clerk.unassign(sold)
    await house.pull()
    expect([await house.figure(lamp), await house.sellable(lamp)]).toEqual([10, 6])
  })

  test('an order that only a part is there for is allocated as far as it is', async () => {
    const lamp = await product('PART', 3)
    const order = newSku('N')
    await house.order(order, lamp, 5)
    const sold = await clerk.sell(order, lamp, 5)
    expect(await clerk.assign(sold)).toBe(false)
    await house.pull()
    expect(await house.figure(lamp)).toBe(0)
    expect(await house.sellable(lamp)).toBe(0)
    await clerk.count(lamp, 9)
    await house.pull()
    expect([await house.figure(lamp), await house.sellable(lamp)]).toEqual([6, 4])
  })

  test('an order that the warehouse gave up is still owed, and free once the shop has cancelled it', async () => {
    const lamp = await product('GIVEN-UP', 10)
    const order = newSku('N')
    await house.order(order, lamp, 4)
    const sold = await clerk.sell(order, lamp, 4)
    await clerk.assign(sold)
    await house.pull()
    await clerk.cancel(sold)
    await house.pull()
    expect([await house.figure(lamp), await house.sellable(lamp)]).toEqual([10, 6])
    await house.order(order, lamp, 4, 'cancelled')
    expect(await house.sellable(lamp)).toBe(10)
  })

  test('an order that was shipped before the shop’s order was read is counted once, as soon as it is', async () => {
    const lamp = await product('EARLY', 10)
    const order = newSku('N')
    const sold = await clerk.sell(order, lamp, 4)
    await clerk.assign(sold)
    await clerk.pick(sold)
    await clerk.ship(sold)
    await house.pull()
    expect(await house.sellable(lamp)).toBe(6)
    await house.order(order, lamp, 4)
    expect(await house.sellable(lamp)).toBe(2)
    await house.pull()
    expect(await house.sellable(lamp)).toBe(6)
  })

  test('orders of others lower the figure and nothing else', async () => {
    const lamp = await product('OTHERS', 10)
    const sold = await clerk.sell(newSku('B2B'), lamp, 3)
    await house.pull()
    expect(await house.sellable(lamp)).toBe(10)
    await clerk.assign(sold)
    await house.pull()
    expect(await house.sellable(lamp)).toBe(7)
  })

  test('nothing broke on the way', () => expect(house.bugs).toEqual([]))
})
