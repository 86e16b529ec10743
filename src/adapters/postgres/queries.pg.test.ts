import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, orderCall, origin, rules, untilFeedIsCertain } from '../../../test/postgres-world.ts'
import { skuOf } from '../../core/ids.ts'
import { fileDelivery } from './inbox-store.ts'
import { createLane } from './lane.ts'
import { appendEntry } from './ledger.ts'
import { ledgerSearch } from './ledger-search.ts'
import { closeIncident, deadLetterById, deadLetterPage, incidentPage, type LedgerRow, openIncident } from './queries.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
  const lane = createLane({ database: fresh.database, configuration: () => rules })
  for (const sku of ['A', 'B']) {
    await lane.submit(figure(sku, 50, 1), origin)
    for (let n = 0; n < 7; n += 1) await lane.submit(orderCall(`${sku}-${n}`, [[sku, 1]]), origin)
  }
  await lane.stop()
  await untilFeedIsCertain(fresh.database)
})
afterAll(() => fresh.drop())

const placeOf = (row: LedgerRow | undefined) => row && { txid: row.txid, seq: row.seq }

/** Pages until an empty one, which must come. */
async function allPages<Row>(page: (last: Row | undefined) => Promise<readonly Row[]>): Promise<readonly Row[]> {
  const all: Row[] = []
  for (let n = 0; n < 100; n += 1) {
    const rows = await page(all.at(-1))
    if (rows.length === 0) return all
    all.push(...rows)
  }
  throw new Error('The pages do not end')
}

describe('the ledger', () => {
  test.for([1, 3, 500])('pages of %i hold each entry once, oldest first', async (limit) => {
    const all = await allPages((last: LedgerRow | undefined) =>
      ledgerSearch(fresh.database.pool, {}, { after: placeOf(last), limit }),
    )
    expect(all).toHaveLength(16)
    expect(new Set(all.map(({ stream, version }) => `${stream} ${version}`)).size).toBe(16)
  })

  test('whoever reads the feed misses no entry that is committed later than its number says', async () => {
    const { pool } = fresh.database
    const entry = (cause: string) => ({
      stream: 'configuration',
      kind: 'test',
      actor: 'test',
      cause,
      configuration: 1,
      body: {},
    })
    const all = await allPages((last: LedgerRow | undefined) =>
      ledgerSearch(pool, {}, { after: placeOf(last), limit: 500 }),
    )
    const place = placeOf(all.at(-1))
    const slow = await pool.connect()
    await slow.query('begin')
    await appendEntry(slow, { ...entry('slow'), stream: 'source:slow' })
    await fresh.database.transaction((client) => appendEntry(client, entry('quick')))
    expect(await ledgerSearch(pool, {}, { after: place, limit: 500 })).toEqual([])
    await slow.query('commit')
    slow.release()
    await untilFeedIsCertain(fresh.database)
    const causes = (await ledgerSearch(pool, {}, { after: place, limit: 500 })).map(({ cause }) => cause)
    expect(causes).toEqual(['slow', 'quick'])
  })

  test('of one SKU come by version, and of no other SKU', async () => {
    const all = await allPages((last: LedgerRow | undefined) =>
      ledgerSearch(fresh.database.pool, { sku: skuOf('B') }, { after: last && { version: last.version }, limit: 3 }),
    )
    expect(all.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(new Set(all.map(({ stream }) => stream))).toEqual(new Set(['sku:B']))
    expect(await ledgerSearch(fresh.database.pool, { sku: skuOf('NONE') }, { after: undefined, limit: 3 })).toEqual([])
  })
})

describe('incidents', () => {
  test('the same trouble is one incident, counted; after its end it is a new one', async () => {
    const { pool } = fresh.database
    const trouble = { code: 'SHOP_UNREAD', key: 'nord', cause: 'first' }
    await openIncident(pool, trouble)
    await openIncident(pool, { ...trouble, cause: 'second' })
    const page = { before: Number.MAX_SAFE_INTEGER, limit: 10, closedToo: false }
    expect(await incidentPage(pool, page)).toMatchObject([{ code: 'SHOP_UNREAD', seen: 2, cause: 'second' }])
    await closeIncident(pool, 'SHOP_UNREAD', 'nord')
    expect(await incidentPage(pool, page)).toEqual([])
    await openIncident(pool, trouble)
    expect(await incidentPage(pool, { ...page, closedToo: true })).toMatchObject([
      { seen: 1, closedAt: null },
      { seen: 2 },
    ])
  })

  test('come newest first, page by page', async () => {
    const { pool } = fresh.database
    for (let n = 0; n < 5; n += 1) await openIncident(pool, { code: 'PAGED', key: `${n}`, cause: 'c' })
    const all = await allPages((last: { id: number } | undefined) =>
      incidentPage(pool, { before: last?.id ?? Number.MAX_SAFE_INTEGER, limit: 2, closedToo: false }),
    )
    expect(all.filter(({ code }) => code === 'PAGED').map(({ key }) => key)).toEqual(['4', '3', '2', '1', '0'])
  })
})

describe('dead letters', () => {
  test('come oldest first, page by page', async () => {
    const { pool } = fresh.database
    await fileDelivery(
      fresh.database,
      'wms',
      [],
      Array.from({ length: 5 }, (_, n) => ({ messageId: `m-${n}`, raw: '{}', reason: 'why' })),
    )
    const all = await allPages((last: { id: number } | undefined) =>
      deadLetterPage(pool, { after: last?.id ?? 0, limit: 2 }),
    )
    expect(all.map(({ messageId }) => messageId)).toEqual(['m-0', 'm-1', 'm-2', 'm-3', 'm-4'])
    expect(await deadLetterById(pool, 999_999)).toBeUndefined()
  })
})
