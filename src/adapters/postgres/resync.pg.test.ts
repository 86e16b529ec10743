import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { shopOf } from '../../core/ids.ts'
import { publicationBookOn } from './publication-store.ts'
import { RESYNC_MARKS, type ResyncBook, resyncsOn } from './resync-store.ts'

const nord = shopOf('nord')
/** Two and a half portions. */
const SKUS = RESYNC_MARKS * 2.5

let fresh: FreshDatabase
let resyncs: ResyncBook
beforeAll(async () => {
  fresh = await freshDatabase()
  resyncs = resyncsOn(fresh.database)
  const { pool } = fresh.database
  await pool.query(`insert into sku (sku, sent_as) select 'S' || n, 'S' || n from generate_series(1, ${SKUS}) as n`)
  await pool.query(
    `insert into figure (sku_id, warehouse, units, semantics, epoch, received_at, message_id, disputed)
     select id, warehouse, 1, 'net', 0, clock_timestamp(), 'm', false from sku cross join (values ('a'), ('b')) as two (warehouse)`,
  )
})
afterAll(async () => fresh.drop())

/** A pass of the publisher over whatever is due. */
async function pass(): Promise<number> {
  const book = publicationBookOn(fresh.database)
  const marks = await book.claim(nord, 10_000)
  await book.remember(
    nord,
    marks.map(({ skuId }) => ({ skuId, productId: null, seenUnits: null, shownUnits: null })),
  )
  await book.settle(
    nord,
    marks.map((mark) => ({ mark, lookAgainAt: undefined, failed: false })),
  )
  return marks.length
}

test('a comparison sets a few marks at a time, stops where it is, goes on there, and ends', async () => {
  expect(await resyncs.progress(nord)).toBeUndefined()
  await resyncs.begin(nord)
  expect(await resyncs.running()).toEqual([nord])
  expect(await resyncs.feed(nord)).toBe(true)
  // Nobody has worked them off: nothing is added, so that a change of today waits behind few.
  expect(await resyncs.feed(nord)).toBe(false)
  expect(await pass()).toBe(RESYNC_MARKS)
  expect(await resyncs.progress(nord)).toMatchObject({ state: 'running', comparedSkus: RESYNC_MARKS, totalSkus: SKUS })

  await resyncs.stop(nord)
  expect(await resyncs.feed(nord)).toBe(false)
  expect((await resyncs.progress(nord))?.state).toBe('stopped')
  await resyncs.begin(nord)
  expect(await resyncs.feed(nord)).toBe(true)
  expect(await pass()).toBe(RESYNC_MARKS)
  expect(await resyncs.feed(nord)).toBe(true)
  // The last marks are set, and not worked off yet.
  expect(await resyncs.feed(nord)).toBe(false)
  expect((await resyncs.progress(nord))?.state).toBe('running')
  expect(await pass()).toBe(SKUS - 2 * RESYNC_MARKS)
  expect(await resyncs.feed(nord)).toBe(false)
  expect(await resyncs.progress(nord)).toMatchObject({
    state: 'done',
    endedAt: expect.any(String),
    comparedSkus: SKUS,
    totalSkus: SKUS,
  })
})

test('one that is done begins anew, and a mark that is due in an hour is brought forward', async () => {
  await fresh.database.pool.query(
    `insert into dirty (shop, sku_id, due_at) select 'nord', min(id), clock_timestamp() + interval '1 hour' from sku`,
  )
  await resyncs.begin(nord)
  expect(await resyncs.progress(nord)).toMatchObject({ state: 'running', comparedSkus: 0 })
  expect(await resyncs.feed(nord)).toBe(true)
  expect(await pass()).toBe(RESYNC_MARKS)
})
