import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { apiHold, figure, nord, order, orderCall, origin, rules, say, wms } from '../../../test/postgres-world.ts'
import type { ShopBook, ShopStatus } from '../../app/shop-ports.ts'
import { type Instant, instantOf, after as later, skuOf, warehouseOf } from '../../core/ids.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { shopBookOn } from './shop-store.ts'

let fresh: FreshDatabase
let lane: PostgresLane
let book: ShopBook

beforeAll(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules })
  book = shopBookOn(fresh.database)
})
afterAll(async () => {
  await lane.stop()
  await fresh.drop()
})
beforeEach(async () => {
  await fresh.database.pool.query('truncate shop, watermark, process')
})

const empty = { known: [], shopClock: undefined }
const status = async (): Promise<ShopStatus | undefined> => (await book.all()).find(({ shop }) => shop === nord)
const connect = async (): Promise<void> => {
  await book.registered(nord)
  await book.connected(nord)
}

describe('the watermark', () => {
  test('never goes back, whichever pass ends last', async () => {
    await connect()
    const at = await book.now()
    await book.moveWatermark(nord, empty, at)
    await book.moveWatermark(nord, empty, later(at, -5_000))
    expect((await status())?.watermark).toBe(at)
    await book.moveWatermark(nord, empty, later(at, 5_000))
    expect((await status())?.watermark).toBe(later(at, 5_000))
  })

  test('a trail without a moment leaves it where it is, and what was kept comes back', async () => {
    await connect()
    const at = await book.now()
    await book.moveWatermark(nord, empty, at)
    const trail = { known: [{ at, number: 10_001 }], shopClock: instantOf(at + 7) }
    await book.moveWatermark(nord, trail, undefined)
    expect(await book.trail(nord)).toMatchObject(trail)
    expect((await status())?.watermark).toBe(at)
  })
})

describe('connecting', () => {
  test('a shop is published only after its baseline, and the ledger tells when that was', async () => {
    await lane.submit(figure('BASE', 5, 1), origin)
    await book.registered(nord)
    expect(await status()).toMatchObject({ state: 'registered', baselineAt: undefined })
    await fresh.database.pool.query('truncate dirty')
    await book.connected(nord)
    expect(await status()).toMatchObject({ state: 'connected' })
    expect((await status())?.baselineAt).toBeTypeOf('number')
    const { rows: marks } = await fresh.database.pool.query(
      `select sku from dirty join sku on sku.id = sku_id where shop = 'nord' and sku = 'BASE'`,
    )
    expect(marks).toHaveLength(1)
    const { rows: told } = await fresh.database.pool.query(
      `select kind, actor, cause from ledger_entry where stream = 'shop:nord' order by version desc limit 1`,
    )
    expect(told).toEqual([{ kind: 'baseline', actor: 'shop:nord', cause: 'connected' }])
  })
})

describe('silence', () => {
  test('begins once, at its earliest beginning; and only for a shop that is connected', async () => {
    await book.registered(nord)
    const at = await book.now()
    await book.silence(nord, at)
    expect((await status())?.silentFrom).toBeUndefined()
    await book.connected(nord)
    await book.silence(nord, at)
    await book.silence(nord, later(at, 9_000))
    expect(await status()).toMatchObject({ silentFrom: at, returnedAt: undefined, readSinceReturn: false })
    await book.silence(nord, later(at, -9_000))
    expect((await status())?.silentFrom).toBe(later(at, -9_000))
  })

  test('ends in two stages: a complete read that began after the return, then a watermark that has passed it', async () => {
    await connect()
    await book.silence(nord, await book.now())
    const before = await book.now()
    await book.returned(nord)
    const returnedAt = (await status())?.returnedAt ?? instantOf(0)

    await book.moveWatermark(nord, empty, later(before, -60_000))
    await book.readDone(nord, later(returnedAt, -1))
    expect(await status()).toMatchObject({ readSinceReturn: false, returnedAt })

    await book.readDone(nord, later(returnedAt, 1))
    expect(await status()).toMatchObject({ readSinceReturn: true, returnedAt })

    await book.moveWatermark(nord, empty, later(returnedAt, 1))
    await book.readDone(nord, later(returnedAt, 60_000))
    expect(await status()).toMatchObject({ readSinceReturn: true, returnedAt: undefined, silentFrom: undefined })
  })

  test('a new silence during the return begins it anew', async () => {
    await connect()
    await book.silence(nord, await book.now())
    await book.returned(nord)
    await book.silence(nord, await book.now())
    expect(await status()).toMatchObject({ returnedAt: undefined, readSinceReturn: false })
  })

  test('a read alone ends nothing while the shop has not come back', async () => {
    await connect()
    await book.silence(nord, await book.now())
    await book.moveWatermark(nord, empty, later(await book.now(), 60_000))
    await book.readDone(nord, later(await book.now(), 60_000))
    expect((await status())?.silentFrom).toBeTypeOf('number')
  })

  test('a shop that cannot call counts as back after a while, and not before', async () => {
    await connect()
    await book.silence(nord, await book.now())
    await book.assumeReturned(60_000)
    expect((await status())?.returnedAt).toBeUndefined()
    await book.assumeReturned(0)
    expect((await status())?.returnedAt).toBeTypeOf('number')
  })
})

describe('heartbeats', () => {
  const age = (seconds: number) =>
    fresh.database.pool.query('update process set heartbeat_at = heartbeat_at - make_interval(secs => $1)', [seconds])

  test('a beat after a pause of all processes tells since when nobody lived', async () => {
    const me = randomUUID()
    expect(await book.heartbeat(me)).toBeUndefined()
    expect(await book.heartbeat(me)).toBeUndefined()
    await age(60)
    const last = await book.lastHeartbeat()
    expect(await book.heartbeat(me)).toBe(last)
    expect(await book.heartbeat(me)).toBeUndefined()
  })

  test('a pause of one process is no silence while another one lives', async () => {
    const [me, other] = [randomUUID(), randomUUID()]
    await book.heartbeat(me)
    await age(60)
    await book.heartbeat(other)
    expect(await book.heartbeat(me)).toBeUndefined()
  })
})

describe('what is due', () => {
  const settleAll = async (watermark: Instant | undefined, sku: string) =>
    await lane.submit(
      { kind: 'expire', shop: nord, sku: skuOf(sku), ...(watermark === undefined ? {} : { watermark }) },
      origin,
    )

  test('holds of a shop once its watermark has passed their call; those with a moment of their own once it has come', async () => {
    await connect()
    await lane.submit(figure('DUE', 9, 1), origin)
    await lane.submit(orderCall('due', [['DUE', 1]]), origin)
    await lane.submit({ ...apiHold('past', [['DUE', 1]]), until: instantOf(Date.now() - 1_000) }, origin)
    await lane.submit(apiHold('future', [['DUE', 1]]), origin)
    expect(await book.dueHolds(10)).toEqual([{ shop: 'till', sku: 'DUE', watermark: undefined }])
    const at = later(await book.now(), 1_000)
    await book.moveWatermark(nord, empty, at)
    expect((await book.dueHolds(10)).toSorted((a, b) => (a.shop < b.shop ? -1 : 1))).toEqual([
      { shop: 'nord', sku: 'DUE', watermark: at },
      { shop: 'till', sku: 'DUE', watermark: undefined },
    ])
    expect(await settleAll(at, 'DUE')).toEqual({ expiredUnits: 1 })
    expect(await book.dueHolds(10)).toEqual([{ shop: 'till', sku: 'DUE', watermark: undefined }])
  })

  test('a rise of a source without any order, once it has stood', async () => {
    const unordered = (net: number, receivedAt: Instant) => ({
      ...say('RISE', { kind: 'figure', sku: skuOf('RISE'), warehouse: warehouseOf('main'), net, stamp: { epoch: 0 } }),
      source: wms,
      receivedAt,
    })
    const now = await book.now()
    await lane.submit(unordered(5, later(now, -300_000)), origin)
    await lane.submit(unordered(9, now), origin)
    expect(await book.dueRises(10)).toEqual([])
    await fresh.database.pool.query(`update figure set rise_due_at = rise_due_at - interval '2 minutes'`)
    expect(await book.dueRises(10)).toEqual(['RISE'])
  })

  test('open orders come round in order, page by page, each once', async () => {
    await lane.submit(figure('OPEN', 99, 1), origin)
    const ids = Array.from({ length: 7 }, (_, n) => `open-${n}`)
    await Promise.all(
      ids.map((id) =>
        lane.submit(
          order(id, [
            { sku: 'OPEN', units: 1 },
            { sku: 'OPEN', units: 1 },
          ]),
          origin,
        ),
      ),
    )
    await lane.submit(order('open-3', [], { state: 'cancelled' }), origin)
    const first = await book.openOrderIds(nord, '', 4)
    const rest = await book.openOrderIds(nord, first.at(-1) ?? '', 4)
    expect([...first, ...rest].filter((id) => id.startsWith('open-'))).toEqual(ids.filter((id) => id !== 'open-3'))
  })
})
