import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import type { ShopBook, ShopState } from '../../app/shop-ports.ts'
import { shopOf } from '../../core/ids.ts'
import { shopBookOn } from './shop-store.ts'

let fresh: FreshDatabase
let book: ShopBook
const nord = shopOf('nord')
beforeAll(async () => {
  fresh = await freshDatabase()
  book = shopBookOn(fresh.database)
})
afterAll(() => fresh?.drop())
beforeEach(() => fresh.database.pool.query('delete from shop'))

const status = async () => (await book.all()).find(({ shop }) => shop === nord)
const installedLongAgo = () =>
  fresh.database.pool.query(`update shop set registered_at = clock_timestamp() - interval '1 day'`)

test('a new shop waits for its baseline, and is not silent', async () => {
  await book.registered(nord)
  expect(await status()).toMatchObject({ state: 'registered', silentFrom: undefined })
  await book.registered(nord)
  expect(await status()).toMatchObject({ state: 'registered', silentFrom: undefined })
})

test('the activation that follows its installation is no return', async () => {
  await book.registered(nord)
  await book.connected(nord)
  await book.registered(nord)
  expect(await status()).toMatchObject({ state: 'connected', silentFrom: undefined, readSinceReturn: true })
})

test.each<ShopState>(['inactive', 'gone', 'retired'])(
  'a shop that was %s and comes back has been silent, and is unread',
  async (away) => {
    await book.registered(nord)
    await book.connected(nord)
    await book.setState(nord, away)
    await book.registered(nord)
    const came = await status()
    expect(came).toMatchObject({ state: 'connected', readSinceReturn: false })
    expect(came?.silentFrom).toBeDefined()
    expect(came?.returnedAt).toBeDefined()
    // The activation that belongs to this return changes nothing more.
    await book.registered(nord)
    expect(await status()).toEqual(came)
  },
)

test('a shop whose end we never heard of and that is installed anew has been silent', async () => {
  await book.registered(nord)
  await book.connected(nord)
  await installedLongAgo()
  await book.registered(nord)
  expect(await status()).toMatchObject({ state: 'connected', readSinceReturn: false })
  expect((await status())?.returnedAt).toBeDefined()
})

test('a return during a silence keeps its beginning', async () => {
  await book.registered(nord)
  await book.connected(nord)
  const from = await book.now()
  await book.silence(nord, from)
  await installedLongAgo()
  await book.registered(nord)
  expect(await status()).toMatchObject({ silentFrom: from, readSinceReturn: false })
  expect((await status())?.returnedAt).toBeDefined()
})
