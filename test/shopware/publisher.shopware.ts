import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { hasRealShop, isFullDose } from './shop-environment.ts'
import { openStory, promised, SHOP, SHOWN_WITHIN_MS, type StoryWorld, tell } from './story-world.ts'

const isFull = isFullDose(process.env)
const PRODUCTS = isFull ? 5_000 : 750
/** What a shop takes best in one request. */
const AT_ONCE = 250
/** What one pass wrote is remembered within so many ms. */
const SAME_PASS_MS = 50
/** Of the shop's own best rate: what fails a measurement. */
const LEAST_RATIO = 0.9
/** Wrong secrets after which Shopware answers nobody at this address for some seconds. */
const WRONG_SECRETS = 12

/** Many numbers at once, and a shop that does not play along. */
describe.skipIf(!hasRealShop(process.env))('the publisher under stress', () => {
  let world: StoryWorld
  let skus: readonly string[] = []
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
    skus = Array.from({ length: PRODUCTS }, (_, nth) => world.shop.sku(`many-${nth}`))
    await world.shop.createProducts(skus)
  })
  afterAll(async () => {
    await world?.end()
  })

  const tellAll = async (units: number): Promise<void> => {
    for (let from = 0; from < skus.length; from += AT_ONCE)
      await world.net.sayAll(
        skus.slice(from, from + AT_ONCE).map((sku) => ({ type: 'stock.level.reported', sku, net: units })),
      )
  }
  /** How many of the products show so many units. */
  const showing = (units: number): Promise<number> => world.shop.countWithStock(world.shop.sku('many-'), units)
  const allShow = (units: number): Promise<unknown> =>
    eventually(
      () => showing(units),
      (count) => count === PRODUCTS,
      `all ${PRODUCTS} products show ${units}`,
      600_000,
    )

  test('numbers go out about as fast as the shop takes them', async () => {
    const own = [await world.shop.writeStocks(skus, 50, AT_ONCE)]
    const watermark = async (): Promise<number> => {
      const { rows } = await world.holdfast.database.pool.query<{ now: number }>('select clock_timestamp() as now')
      return rows[0]?.now ?? 0
    }
    const began = await watermark()
    await tellAll(7)
    await allShow(7)
    const { rows } = await world.holdfast.database.pool.query<{ written_at: number }>(
      'select written_at from publication where shop = $1 and written_at > to_timestamp($2::double precision / 1000) order by 1',
      [SHOP, began],
    )
    own.push(await world.shop.writeStocks(skus, 7, AT_ONCE))
    const moments = rows.map((row) => row.written_at)
    // From the end of the first pass to that of the last: how long the warehouse took to speak is no part of it.
    const [first = 0] = moments
    const later = moments.filter((moment) => moment > first + SAME_PASS_MS)
    const ours = (later.length * 1_000) / ((later.at(-1) ?? 0) - first)
    const theirs = own.reduce((sum, rate) => sum + rate, 0) / own.length
    tell(
      'publisher',
      `${ours.toFixed(0)} numbers/s; the shop’s own best ${own.map((rate) => rate.toFixed(0)).join(' and ')}/s: ${(ours / theirs).toFixed(2)}`,
    )
    if (isFull) expect(ours / theirs).toBeGreaterThanOrEqual(LEAST_RATIO)
  }, 1_200_000)

  test('a shop is compared whole, stopped, gone on with after a restart, and everything is put right', async () => {
    await eventually(
      async () =>
        (
          await world.holdfast.database.pool.query(
            'select from dirty where due_at < clock_timestamp() + $1::interval',
            ['1 minute'],
          )
        ).rowCount,
      (left) => left === 0,
      'nothing is left to look at',
    )
    await world.setStocksUnseen(world.shop.sku('many-'), 99)
    const path = `/v1/shops/${SHOP}/resync`
    const progress = async () => (await world.request('GET', path)).body as { state: string; comparedSkus: number }
    expect((await progress()).state).toBe('never')
    const beganMs = performance.now()
    await world.request('POST', path)
    await eventually(progress, ({ comparedSkus }) => comparedSkus > 0, 'some are compared')
    await world.request('DELETE', path)
    const stopped = await progress()
    tell('resync', `stopped after ${stopped.comparedSkus} of ${PRODUCTS}`)
    await world.holdfast.stop()
    await world.holdfast.start()
    await eventually(world.shopState, (state) => state === 'connected', 'the shop is connected')
    await world.request('POST', path)
    await eventually(progress, ({ state }) => state === 'done', 'all are compared', 600_000)
    await allShow(7)
    tell('resync', `${PRODUCTS} compared and put right in ${Math.round(performance.now() - beganMs)} ms`)
  }, 1_200_000)

  test('while the sales channel is in maintenance numbers go on', async () => {
    const sku = await world.stocked('maintenance', 3)
    const maintained = (maintenance: boolean) =>
      world.shop.admin.write(
        { method: 'PATCH', path: `/api/sales-channel/${process.env.SHOPWARE_SALES_CHANNEL_ID}`, body: { maintenance } },
        'the maintenance of the sales channel',
      )
    await maintained(true)
    try {
      await world.net.say({ type: 'stock.level.reported', sku, net: 8 })
      promised('a number in maintenance, shown after', await world.shows(sku, 8), SHOWN_WITHIN_MS)
    } finally {
      await maintained(false)
    }
  })

  test('a token that the shop refuses is renewed', async () => {
    const sku = await world.stocked('token', 3)
    await world.holdfast.stop()
    const { rowCount } = await world.holdfast.database.pool.query(`update access_token set token = 'spoiled'`)
    expect(rowCount).toBe(1)
    await world.holdfast.start()
    await world.net.say({ type: 'stock.level.reported', sku, net: 2 })
    await world.shows(sku, 2)
  })

  test('a shop that answers 429 to everyone at our address is asked again later, and nothing is lost', async () => {
    const sku = await world.stocked('throttled', 3)
    await world.holdfast.stop()
    await world.holdfast.database.pool.query('delete from access_token')
    const codes: number[] = []
    for (let nth = 0; nth < WRONG_SECRETS; nth++) {
      const body = { grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'wrong' }
      codes.push((await world.shop.admin.plain({ method: 'POST', path: '/api/oauth/token', body })).http)
    }
    expect(codes.at(-1)).toBe(429)
    await world.holdfast.start()
    const beganMs = performance.now()
    await world.net.say({ type: 'stock.level.reported', sku, net: 2 })
    await world.shows(sku, 2)
    tell('throttled', `shown ${Math.round(performance.now() - beganMs)} ms after the start`)
  })

  test('everything that is known follows from the ledger', async () => {
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})
