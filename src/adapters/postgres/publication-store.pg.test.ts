import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, nord, order, orderCall, origin, rules, till } from '../../../test/postgres-world.ts'
import type { DirtyMark, PublicationBook } from '../../app/shop-ports.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { type Database, openDatabase } from './database.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { loadStates } from './load.ts'
import { publicationBookOn } from './publication-store.ts'
import { shopBookOn } from './shop-store.ts'

let fresh: FreshDatabase
let second: Database
let lane: PostgresLane
let book: PublicationBook
let otherBook: PublicationBook

beforeAll(async () => {
  fresh = await freshDatabase()
  second = openDatabase({ url: fresh.url, schema: 'holdfast' })
  lane = createLane({ database: fresh.database, configuration: () => rules })
  book = publicationBookOn(fresh.database)
  otherBook = publicationBookOn(second)
  for (const sku of ['A', 'B', 'C']) await lane.submit(figure(sku, 10, 1), origin)
})
afterAll(async () => {
  await lane.stop()
  await second.close()
  await fresh.drop()
})
beforeEach(async () => {
  await fresh.database.pool.query('truncate dirty, publication, foreign_write')
})

const skus = (marks: readonly DirtyMark[]): readonly string[] => marks.map(({ sku }) => sku).toSorted()
const done = (mark: DirtyMark) => ({ mark, lookAgainAt: undefined, failed: false })
const failed = (mark: DirtyMark) => ({ mark, lookAgainAt: undefined, failed: true })
let sequence = 1
const change = (sku: string) => {
  sequence += 1
  return lane.submit(figure(sku, 10 + sequence, sequence), origin)
}
const dirty = async () =>
  (
    await fresh.database.pool.query(
      `select sku.sku, renewed, attempts, claimed_until is not null as claimed, due_at <= clock_timestamp() as due
       from dirty join sku on sku.id = sku_id order by sku.sku`,
    )
  ).rows

describe('marks', () => {
  test('a decision marks its SKUs for every shop that is read and written, and for no channel', async () => {
    await change('A')
    expect(skus(await book.claim(nord, 10))).toEqual(['A'])
    expect(await book.claim(till, 10)).toEqual([])
  })

  test('a settled mark is gone', async () => {
    await change('A')
    await book.settle(nord, (await book.claim(nord, 10)).map(done))
    expect(await dirty()).toEqual([])
  })

  test('a mark that was renewed during the call to the shop is kept, and due at once', async () => {
    await change('A')
    const marks = await book.claim(nord, 10)
    await change('A')
    await book.settle(nord, marks.map(done))
    expect(await dirty()).toEqual([{ sku: 'A', renewed: 2, attempts: 0, claimed: false, due: true }])
  })

  test('so is one that was renewed while its call failed', async () => {
    await change('A')
    const marks = await book.claim(nord, 10)
    await change('A')
    await book.settle(nord, marks.map(failed))
    expect(await dirty()).toMatchObject([{ sku: 'A', renewed: 2, attempts: 1, claimed: false }])
  })

  test('a failed mark waits, longer each time', async () => {
    await change('A')
    await book.settle(nord, (await book.claim(nord, 10)).map(failed))
    expect(await dirty()).toEqual([{ sku: 'A', renewed: 1, attempts: 1, claimed: false, due: false }])
    expect(await book.claim(nord, 10)).toEqual([])
  })

  test('a mark to be looked at again waits for its moment', async () => {
    await change('A')
    const marks = await book.claim(nord, 10)
    const { rows } = await fresh.database.pool.query(`select clock_timestamp() + interval '1 hour' as later`)
    await book.settle(
      nord,
      marks.map((mark) => ({ ...done(mark), lookAgainAt: rows[0].later })),
    )
    expect(await dirty()).toEqual([{ sku: 'A', renewed: 1, attempts: 0, claimed: false, due: false }])
    // News do not wait for it.
    await change('A')
    expect(skus(await book.claim(nord, 10))).toEqual(['A'])
  })

  test('two processes never claim the same mark, and together claim all', async () => {
    await Promise.all(['A', 'B', 'C'].map(change))
    const claims = await Promise.all([book.claim(nord, 2), otherBook.claim(nord, 2), book.claim(nord, 2)])
    expect(skus(claims.flat())).toEqual(['A', 'B', 'C'])
  })

  test('a claim of a process that died runs out and is taken by another', async () => {
    await change('A')
    const [dead] = await book.claim(nord, 10)
    expect(await otherBook.claim(nord, 10)).toEqual([])
    await fresh.database.pool.query(`update dirty set claimed_until = clock_timestamp() - interval '1 s'`)
    expect(await otherBook.claim(nord, 10)).toMatchObject([{ sku: dead?.sku, renewed: dead?.renewed }])
  })

  test('everything that marks may run beside the lane without a deadlock', async () => {
    await book.remember(
      nord,
      (await fresh.database.pool.query<{ id: number }>('select id from sku')).rows.map(({ id }) => seen(id, 1)),
    )
    await fresh.database.pool.query(
      `update publication set seen_at = clock_timestamp() - make_interval(secs => 1000 - sku_id)`,
    )
    const rounds = Array.from({ length: 15 }, () => [
      ...['C', 'A', 'B'].map(change),
      book.markAll([nord]),
      otherBook.markStale(nord, 300, 50),
      book.markSkus(nord, ['B', 'A', 'C'].map(skuOf)),
      otherBook.markProducts(nord, ['p-1', 'p-2', 'p-3']),
      otherBook.claim(nord, 10).then((marks) => otherBook.settle(nord, marks.map(done))),
    ])
    const outcomes = await Promise.allSettled(rounds.flat())
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
  })
})

const seen = (skuId: number, units: number) => ({
  skuId,
  productId: `p-${skuId}`,
  seenUnits: units,
  shownUnits: units,
})

describe('what was seen and written', () => {
  const kept = async () =>
    (
      await fresh.database.pool.query(
        'select seen_units, shown_units, written_units, written_version, revision, merchant_close_out, quarantined from publication',
      )
    ).rows

  test('a look without a write keeps what was written before', async () => {
    await book.remember(nord, [{ ...seen(1, 7), shownUnits: 5, written: { units: 5, version: 3, revision: 'r-1' } }])
    await book.remember(nord, [seen(1, 5)])
    expect(await kept()).toMatchObject([
      { seen_units: 5, shown_units: 5, written_units: 5, written_version: 3, revision: 'r-1' },
    ])
  })

  test('the merchant’s own close-out is remembered from before our first write, and never overwritten by ours', async () => {
    await book.remember(nord, [seen(1, 7)])
    await book.keepSettings(nord, [{ skuId: 1, productId: 'p-1', closeOut: null }])
    await book.remember(nord, [{ ...seen(1, 7), written: { units: 5, version: 3, revision: 'r-1' } }])
    await book.keepSettings(nord, [{ skuId: 1, productId: 'p-1', closeOut: true }])
    expect(await kept()).toMatchObject([{ merchant_close_out: null, written_units: 5 }])
    await book.markSkus(nord, [skuOf('A')])
    expect(await book.claim(nord, 1)).toMatchObject([{ settingsKept: true, before: { units: 7, revision: 'r-1' } }])
  })

  test('what is about to be raised counts as shown from that moment on, and a look afterwards tells the truth', async () => {
    await book.remember(nord, [seen(1, 7)])
    await book.announce(nord, [
      { skuId: 1, units: 9 },
      { skuId: 2, units: 4 },
    ])
    const shown = async () => (await kept()).map(({ shown_units }) => shown_units).sort()
    expect(await shown()).toEqual([4, 9])
    await book.announce(nord, [{ skuId: 1, units: 8 }])
    expect(await shown()).toEqual([4, 9])
    await book.remember(nord, [seen(1, 7)])
    expect(await shown()).toEqual([4, 7])
  })

  const claimed = async () => {
    await book.markSkus(nord, [skuOf('A')])
    const marks = await book.claim(nord, 1)
    await book.settle(nord, marks.map(done))
    return marks[0]
  }

  test('a quarantine stays while it is not tried again, and ends with the next good look', async () => {
    await book.remember(nord, [{ ...seen(1, 7), refused: { units: 5, reason: 'too much' } }])
    const refused = (await claimed())?.refused
    expect(refused).toMatchObject({ units: 5, at: expect.any(Number) })
    await book.remember(nord, [{ ...seen(1, 6), refused: 'as before' }])
    expect((await claimed())?.refused).toEqual(refused)
    expect(await kept()).toMatchObject([{ quarantined: 'too much', seen_units: 6 }])
    await book.markProducts(nord, ['p-1'])
    expect((await claimed())?.refused).toEqual({ units: 5 })
    await book.remember(nord, [seen(1, 7)])
    expect(await claimed()).not.toHaveProperty('refused')
    expect(await kept()).toMatchObject([{ quarantined: null }])
  })

  test('what is remembered about others’ writes is read with the mark, and what was found is in the ledger', async () => {
    await book.remember(nord, [seen(1, 7)])
    await book.markProducts(nord, ['p-1'], ['p-1'])
    const toldAt = (await claimed())?.guard?.toldAt
    expect(toldAt).toBeTypeOf('number')
    const at = instantOf(1_700_000_000_123)
    const sighting = { oldUnits: 7, newUnits: 99, at, since: instantOf(at - 500) }
    const guard = { restoredAt: [at], sighting, left: { units: 99, leastUnits: 7 }, fightingSince: at }
    const found = { ...sighting, proof: 'webhook' as const, policy: 'warn' as const, configuration: 3 }
    await book.keepGuards(nord, [{ skuId: 1, sku: skuOf('A'), toldAt, guard, found }])
    expect((await claimed())?.guard).toEqual(guard)
    const { rows } = await fresh.database.pool.query(
      `select kind, actor, cause, body from ledger_entry where stream = 'shop:nord'`,
    )
    expect(rows).toMatchObject([
      { kind: 'foreign-write', actor: 'unknown', cause: 'webhook', body: { sku: 'A', oldUnits: 7, newUnits: 99 } },
    ])
    // A webhook that came meanwhile is not lost.
    await book.markProducts(nord, ['p-1'], ['p-1'])
    await book.keepGuards(nord, [{ skuId: 1, sku: skuOf('A'), toldAt: undefined, guard: undefined }])
    expect((await claimed())?.guard).toMatchObject({ toldAt: expect.any(Number), restoredAt: [] })
  })

  test('what a shop last showed is known by SKU, shop by shop', async () => {
    await book.remember(nord, [seen(1, 7), { ...seen(2, 0), shownUnits: 4 }])
    expect([...(await book.lastShown(nord))].toSorted()).toEqual([
      ['A', 7],
      ['B', 4],
    ])
    expect((await book.lastShown(till)).size).toBe(0)
  })
})

test('L6: own units are those of open order calls, and what orders took or gave back in the last moments', async () => {
  const { rows } = await fresh.database.pool.query<{ id: number }>(`select id from sku where sku = 'C'`)
  const id = rows[0]?.id ?? 0
  await lane.submit(orderCall('own', [['C', 3]]), origin)
  expect((await book.own(nord, [id], 5_000)).get(id)).toEqual({
    takenUnits: 3,
    returnedUnits: 0,
    recentOrderAt: undefined,
  })
  await lane.submit(order('own', [{ sku: 'C', units: 3, lineKey: 'own-C' }]), origin)
  const recent = (await book.own(nord, [id], 5_000)).get(id)
  expect(recent).toMatchObject({ takenUnits: 3, returnedUnits: 0 })
  expect(recent?.recentOrderAt).toBeTypeOf('number')
  expect((await book.own(nord, [id], 0)).get(id)).toBeUndefined()
  expect((await book.own(till, [id], 5_000)).size).toBe(0)
  const smaller = order('own', [{ sku: 'C', units: 1, lineKey: 'own-C' }])
  await lane.submit(smaller, origin)
  expect((await book.own(nord, [id], 5_000)).get(id)).toMatchObject({ takenUnits: 1, returnedUnits: 2 })
  await lane.submit({ ...smaller, order: { ...smaller.order, state: 'cancelled' } }, origin)
  expect((await book.own(nord, [id], 5_000)).get(id)).toMatchObject({
    takenUnits: 0,
    returnedUnits: 3,
    recentOrderAt: expect.any(Number),
  })
  expect((await book.own(nord, [id], 0)).get(id)).toBeUndefined()
  expect((await book.own(till, [id], 5_000)).size).toBe(0)
})

test('H37: what a shop showed before a silence counts until its orders are read, whatever a look finds meanwhile', async () => {
  const { pool } = fresh.database
  const shops = shopBookOn(fresh.database)
  const [row] = (await pool.query<{ id: number }>(`select id from sku where sku = 'A'`)).rows
  const counted = async () =>
    [...((await loadStates(pool, [skuOf('A')]))[0]?.unread.values() ?? [])].map(({ units }) => units)
  await shops.registered(nord)
  await shops.connected(nord)
  await book.remember(nord, [seen(row?.id ?? 0, 10)])
  await shops.silence(nord, await shops.now())
  await book.remember(nord, [seen(row?.id ?? 0, 2)])
  expect(await counted()).toEqual([10])
  await shops.returned(nord)
  await shops.moveWatermark(nord, { known: [], shopClock: undefined }, undefined)
  await shops.readDone(nord, await shops.now())
  expect(await counted()).toEqual([])
  await book.remember(nord, [seen(row?.id ?? 0, 2)])
  await shops.silence(nord, await shops.now())
  expect(await counted()).toEqual([2])
})
