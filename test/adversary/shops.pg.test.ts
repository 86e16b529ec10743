/** Shops that come, go and come again, on a real database. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { shopBookOn } from '../../src/adapters/postgres/shop-store.ts'
import type { ShopBook, ShopStatus } from '../../src/app/shop-ports.ts'
import { type FreshDatabase, freshDatabase } from '../postgres.ts'
import { nord } from '../postgres-world.ts'

let fresh: FreshDatabase
let book: ShopBook
beforeAll(async () => {
  fresh = await freshDatabase()
  book = shopBookOn(fresh.database)
})
afterAll(() => fresh.drop())
beforeEach(async () => {
  await fresh.database.pool.query('truncate shop, watermark')
})
const status = async (): Promise<ShopStatus | undefined> => (await book.all()).find(({ shop }) => shop === nord)

describe('a shop that was retired and is used again', () => {
  test('reads its open orders first: where its trail ended nobody knows', async () => {
    await book.registered(nord)
    await book.connected(nord)
    await book.setState(nord, 'retired')
    await book.moveWatermark(nord, { known: [], shopClock: undefined }, await book.now())
    await book.registered(nord)
    expect(await status()).toMatchObject({ state: 'registered', baselineAt: undefined, silentFrom: undefined })
    await book.connected(nord)
    expect(await status()).toMatchObject({ state: 'connected' })
  })
})

describe('a shop whose app is installed again', () => {
  test('tells every process by its moment of registration that its credentials are new', async () => {
    await book.registered(nord)
    const first = (await status())?.registeredAt
    await book.setState(nord, 'gone')
    await book.registered(nord)
    const again = (await status())?.registeredAt
    expect(first).toBeTypeOf('number')
    expect(again).toBeGreaterThan(first ?? 0)
  })
})
