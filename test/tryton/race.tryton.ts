/** Both sides at work: orders come, Tryton allocates, takes back, ships and receives, Holdfast pulls, and somebody looks all the while. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clerk, clerkOf } from './clerk.ts'
import { openPulledHouse, type PulledHouse } from './pulled-house.ts'
import { logIn, NO_TRYTON, trytonEnvironment } from './real-tryton.ts'

const place = trytonEnvironment(process.env)
if (!place) console.log(NO_TRYTON)

/** Goods that lie there, orders that come, and hands in the warehouse. */
const ON_HAND = 40
const ORDERS = 9
const CLERKS = 3

describe.skipIf(!place)('while both sides work', () => {
  let house: PulledHouse
  let clerks: readonly Clerk[] = []

  beforeAll(async () => {
    if (!place) return
    clerks = await Promise.all(Array.from({ length: CLERKS }, async () => clerkOf(await logIn(place))))
    house = await openPulledHouse(place)
  })
  afterAll(() => house?.close())

  test('no number is ever above the truth, and in the end it is the truth', async () => {
    const [clerk] = clerks
    if (!clerk) throw new Error('Nobody works')
    const sku = `RACE-${randomUUID().slice(0, 8)}`
    await clerk.makeProduct(sku)
    await clerk.count(sku, ON_HAND)
    await house.pull()

    /** What may still be promised at most: raised before goods are stored, lowered once an order is known. */
    let truth = ON_HAND
    let soldUnits = 0
    const orders = Array.from({ length: ORDERS }, (_, nth) => ({ order: `${sku}-${nth}`, units: 1 + (nth % 3), nth }))
    const waiting = [...orders]
    const work = async (own: Clerk): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { order, units, nth } = next
        // Every fourth order is in the warehouse before the shop's is read.
        const isEarly = nth % 4 === 3
        const place = async (): Promise<void> => {
          await house.order(order, sku, units)
          truth -= units
          soldUnits += units
        }
        if (!isEarly) await place()
        const sold = await own.sell(order, sku, units)
        await own.assign(sold)
        if (nth % 3 === 1) {
          await own.unassign(sold)
          await own.assign(sold)
        }
        if (isEarly) await place()
        if (nth % 3 === 2) continue
        await own.pick(sold)
        await own.ship(sold)
      }
    }
    /** What may be promised with what is on its way: raised before it is ordered, and by no receipt. */
    let bought = 0
    const receive = async (own: Clerk): Promise<void> => {
      for (const [ordered, come] of [
        [9, 5],
        [6, 6],
      ] as const) {
        bought += ordered
        const line = await own.buy(sku, ordered, '2099-12-04')
        const shipment = await own.receive(line, come)
        truth += come
        await own.store(shipment)
      }
    }

    let isOver = false
    let looks = 0
    let pulls = 0
    const above: string[] = []
    const look = async (): Promise<void> => {
      while (!isOver) {
        const before = { truth, sold: soldUnits }
        const { available, toCome } = await house.countedNow(sku)
        looks += 1
        if (available > Math.max(before.truth, truth)) above.push(`${available} of ${truth} on hand`)
        const most = ON_HAND + bought - before.sold
        if (available + toCome > most) above.push(`${available} and ${toCome} to come of ${most}`)
      }
    }
    const pull = async (): Promise<void> => {
      while (!isOver) {
        await house.pull()
        pulls += 1
      }
    }
    const watching = [look(), pull()]
    try {
      await Promise.all([...clerks.map(work), receive(clerk)])
    } finally {
      isOver = true
      await Promise.all(watching)
    }
    await house.pull()
    expect(above).toEqual([])
    expect(await house.countedNow(sku)).toEqual({ available: truth, toCome: 4 })
    expect(truth).toBe(ON_HAND + 11 - orders.reduce((sum, { units }) => sum + units, 0))
    expect(house.bugs).toEqual([])
    console.log(`${looks} looks, ${pulls} pulls while ${ORDERS} orders were worked on`)
  })
})
