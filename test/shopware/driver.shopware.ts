import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRealShop, type RealShop } from './real-shop.ts'
import type { Placed } from './shop-carts.ts'
import { hasRealShop, isFullDose } from './shop-environment.ts'
import { refusalsOf } from './shop-race.ts'

/** Carts of the bare shop's race, for ten units. */
const RACING_CARTS = 60
const RACING_UNITS = 10

/** Order calls under way: alone, fewer than the usual eight workers, and more. */
const CONCURRENCIES = isFullDose(process.env) ? [1, 4, 7, 24] : []

/** Looks at the stock under way during a race. */
const WATCH_LANES = 3

/** The driver proved against the shop as it is, without our app. Figures are printed, never asserted. */
describe.skipIf(!hasRealShop(process.env))('the driver of a real shop', () => {
  let shop: RealShop
  beforeAll(async () => {
    shop = await openRealShop(process.env)
  })
  afterAll(async () => {
    await shop?.removeEverythingOf()
    shop?.close()
  })

  const ordered = async (sku: string, units: number): Promise<Placed> => {
    const outcome = await shop.order(await shop.prepareCart({ sku, units }))
    if (outcome.refused) throw new Error(outcome.messages.join('; '))
    return outcome
  }

  test('a product is made, read, set and deleted', async () => {
    const sku = shop.sku('made')
    await shop.createProduct({ sku, stock: 7, closeOut: true })
    expect(await shop.stockOf(sku)).toBe(7)
    await shop.setStock(sku, 9)
    expect(await shop.stockOf(sku)).toBe(9)
    await shop.deleteProduct(sku)
    await expect(shop.stockOf(sku)).rejects.toThrow('NO_SUCH_PRODUCT')
  })

  test('a guest orders two lines of one SKU, and the shop takes their units', async () => {
    const sku = shop.sku('two-lines')
    await shop.createProduct({ sku, stock: 10, closeOut: true, price: 12.5 })
    const cart = await shop.newCart()
    const before = cart.token
    const first = await shop.addToCart(cart, sku, 1)
    await shop.registerGuest(cart)
    expect(cart.token).not.toBe(before)
    const second = await shop.addToCart(cart, sku, 2)
    expect((await shop.readCart(cart)).lines.map((line) => line.cartLineId).sort()).toEqual([first, second].sort())
    const outcome = await shop.order(cart)
    if (outcome.refused) throw new Error(outcome.messages.join('; '))
    expect(new Map(outcome.lines.map((line) => [line.cartLineId, line.units]))).toEqual(
      new Map([
        [first, 1],
        [second, 2],
      ]),
    )
    expect(await shop.stockOf(sku)).toBe(7)
    const [seen, ...others] = await shop.orders({ sku })
    expect(others).toEqual([])
    expect(seen).toMatchObject({ orderId: outcome.orderId, orderNumber: outcome.orderNumber, state: 'open' })
    expect(seen?.transactions.map((part) => part.state)).toEqual(['open'])
    expect(seen?.deliveries.map((part) => part.state)).toEqual(['open'])
  })

  test('an order for a close-out product without stock is refused with the messages of the shop', async () => {
    const sku = shop.sku('sold-out')
    await shop.createProduct({ sku, stock: 1, closeOut: true })
    const late = await shop.prepareCart({ sku, units: 1 })
    await ordered(sku, 1)
    const outcome = await shop.order(late)
    expect(outcome.refused).toBe(true)
    if (outcome.refused) expect(outcome.messages.join()).not.toBe('')
    expect(await shop.orders({ sku })).toHaveLength(1)
    expect(await shop.stockOf(sku)).toBe(0)
  })

  test('cancelling gives the units back, and paying or shipping does not', async () => {
    const sku = shop.sku('states')
    await shop.createProduct({ sku, stock: 5, closeOut: true })
    const { orderId } = await ordered(sku, 2)
    const { transactions, deliveries } = await shop.orderOf(orderId)
    const [transaction, delivery] = [transactions[0], deliveries[0]]
    if (transaction === undefined || delivery === undefined) throw new Error('the order has no transaction or delivery')
    expect((await shop.transition('order_transaction', transaction.id, 'paid')).http).toBe(200)
    expect((await shop.transition('order_delivery', delivery.id, 'ship')).http).toBe(200)
    expect((await shop.transition('order_transaction', transaction.id, 'no_such_action')).http).toBe(400)
    expect(await shop.stockOf(sku)).toBe(3)
    await shop.cancelOrder(orderId)
    const after = await shop.orderOf(orderId)
    expect([after.state, after.transactions[0]?.state, after.deliveries[0]?.state]).toEqual([
      'cancelled',
      'paid',
      'shipped',
    ])
    expect(await shop.stockOf(sku)).toBe(5)
  })

  test('a buyer cancels his own order, and its units come back', async () => {
    const sku = shop.sku('buyer-cancel')
    await shop.createProduct({ sku, stock: 5, closeOut: true })
    const cart = await shop.prepareCart({ sku, units: 1 })
    const outcome = await shop.order(cart)
    if (outcome.refused) throw new Error(outcome.messages.join('; '))
    const { http } = await shop.cancelAsBuyer(cart, outcome.orderId)
    expect([http, (await shop.orderOf(outcome.orderId)).state]).toEqual([200, 'cancelled'])
    expect(await shop.stockOf(sku)).toBe(5)
  })

  test('editing and deleting a line, and deleting an order, move its units', async () => {
    const sku = shop.sku('edits')
    await shop.createProduct({ sku, stock: 20, closeOut: true })
    const edited = await ordered(sku, 2)
    const lineId = edited.lines[0]?.lineId ?? ''
    await shop.editLine(lineId, 5)
    expect(await shop.stockOf(sku)).toBe(15)
    await shop.deleteLine(lineId)
    expect(await shop.stockOf(sku)).toBe(20)
    const deleted = await ordered(sku, 3)
    await shop.deleteOrder(deleted.orderId)
    expect(await shop.stockOf(sku)).toBe(20)
    expect(await shop.orders({ orderId: deleted.orderId })).toEqual([])
  })

  test('an imported order takes its units without asking, below zero too', async () => {
    const sku = shop.sku('import')
    await shop.createProduct({ sku, stock: 1, closeOut: true })
    const imported = await shop.createOrderByAdminApi({ sku, units: 3 })
    expect(await shop.stockOf(sku)).toBe(-2)
    const [seen] = await shop.orders({ sku })
    expect(seen).toMatchObject({
      orderId: imported.orderId,
      state: 'open',
      lines: [{ lineId: imported.lineId, units: 3 }],
    })
  })

  test('the baseline is two open orders', async () => {
    const sku = shop.sku('baseline')
    await shop.createProduct({ sku, stock: 10, closeOut: true })
    const placed = await shop.openOrderBefore({ sku, units: 2 })
    const seen = await shop.orders({ sku })
    expect(seen.map((order) => [order.orderId, order.state])).toEqual(placed.map((one) => [one.orderId, 'open']))
    expect(await shop.stockOf(sku)).toBe(6)
  })

  test('a watch records what the stock was before and after a sale', async () => {
    const sku = shop.sku('watched')
    await shop.createProduct({ sku, stock: 10, closeOut: true })
    const cart = await shop.prepareCart({ sku, units: 1 })
    const watch = shop.watchStock([sku, shop.sku('nowhere')])
    await watch.begun
    expect((await shop.order(cart)).refused).toBe(false)
    const samples = await watch.stop()
    print('watch, quiet shop', samplesLine(samples))
    expect(samples[0]?.stock.get(sku)).toBe(10)
    expect(samples.at(-1)?.stock.get(sku)).toBe(9)
    expect(samples[0]?.stock.has(shop.sku('nowhere'))).toBe(false)
    expect(samples.every((sample) => [9, 10].includes(sample.stock.get(sku) ?? 0))).toBe(true)
  })

  test('a watch that is stopped between two looks takes a last one', async () => {
    const sku = shop.sku('last-look')
    await shop.createProduct({ sku, stock: 10, closeOut: true })
    const watch = shop.watchStock([sku], 3_600_000)
    await watch.begun
    await ordered(sku, 1)
    const samples = await watch.stop()
    expect([samples.length, samples.at(-1)?.stock.get(sku)]).toEqual([2, 9])
  })

  test.each(CONCURRENCIES)('the bare shop races sixty carts for ten units, %i calls under way', async (concurrency) => {
    const sku = shop.sku(`race-${concurrency}`)
    await shop.createProduct({ sku, stock: RACING_UNITS, closeOut: true })
    const beganMs = performance.now()
    const carts = await shop.prepareCarts({ sku, units: 1, count: RACING_CARTS })
    print('prepared', `${carts.length} carts in ${Math.round(performance.now() - beganMs)} ms`)
    const watch = shop.watchStock([sku], 50, WATCH_LANES)
    const result = await shop.race(carts, concurrency)
    const samples = await watch.stop()
    print(`watch in a race of ${concurrency}`, samplesLine(samples))
    print(
      `race of ${concurrency}`,
      `${result.placed.length} orders for ${RACING_UNITS} units: ${result.unitsPlaced - RACING_UNITS} oversold`,
    )
    print(
      `race of ${concurrency}`,
      `${result.finishedPerSecond.toFixed(1)} carts/s, ${result.answered} answers in ${Math.round(result.tookMs)} ms`,
    )
    for (const [message, count] of refusalsOf(result)) print('refused', `${count} × ${message}`)
    expect(result.racers).toHaveLength(RACING_CARTS)
    expect(result.unanswered).toBe(0)
    // Whatever was sold, the three views agree: the answers, the orders in the shop, and its stock.
    expect((await shop.orders({ sku })).map((order) => order.orderId).sort()).toEqual(
      result.placed.map((one) => one.orderId).sort(),
    )
    expect(await shop.stockOf(sku)).toBe(RACING_UNITS - result.unitsPlaced)
  })

  test('clearing a run deletes its orders, products and buyers, and those of no other run', async () => {
    const other = await openRealShop(process.env)
    try {
      const [mine, theirs] = [shop.sku('kept'), other.sku('gone')]
      await shop.createProduct({ sku: mine, stock: 3, closeOut: true })
      await other.createProduct({ sku: theirs, stock: 3, closeOut: true })
      const kept = await ordered(mine, 1)
      await other.openOrderBefore({ sku: theirs, count: 1 })
      await other.createOrderByAdminApi({ sku: theirs, units: 1 })
      expect(await other.removeEverythingOf()).toEqual({ orders: 2, products: 1, customers: 1 })
      expect(await other.removeEverythingOf()).toEqual({ orders: 0, products: 0, customers: 0 })
      await expect(other.removeEverythingOf('')).rejects.toThrow('RUN_MALFORMED')
      expect(await shop.orders({ orderId: kept.orderId })).toHaveLength(1)
      expect(await shop.stockOf(mine)).toBe(2)
    } finally {
      other.close()
    }
  })
})

function samplesLine(samples: readonly { atMs: number; tookMs: number }[]): string {
  const took = samples.map((sample) => sample.tookMs).sort((one, other) => one - other)
  const at = (share: number): string => (took[Math.floor((took.length - 1) * share)] ?? 0).toFixed(1)
  return `${samples.length} samples in ${Math.round(samples.at(-1)?.atMs ?? 0)} ms; a look took p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} ms`
}

function print(what: string, text: string): void {
  console.log(`[real shop] ${what}: ${text}`)
}
