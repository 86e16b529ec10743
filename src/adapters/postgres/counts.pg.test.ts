import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { instantOf, shopOf, skuOf, warehouseOf } from '../../core/ids.ts'
import { emptyState, type Figure, type SkuState } from '../../core/stock.ts'
import { assertCounts, countsOf, fillCounts } from './counts.ts'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())

const FOLDER = new URL('./migrations/', import.meta.url)

test('counters that lay in three tables are the same in the row of their SKU', async () => {
  const database = openDatabase({ url: fresh.url, schema: 'older' })
  await database.pool.query('create schema older')
  await database.pool.query('create table migration (name text primary key, ran_at timestamptz default now())')
  for (const name of (await readdir(FOLDER)).filter((each) => each < '0006').sort()) {
    await database.pool.query(await readFile(new URL(name, FOLDER), 'utf8'))
    await database.pool.query('insert into migration (name) values ($1)', [name])
  }
  await database.pool.query(
    `insert into sku (sku, sent_as) values ('SOLD', 'SOLD'), ('QUIET', 'QUIET'), ('NEW', 'NEW')`,
  )
  await database.pool.query(
    `insert into figure (sku_id, warehouse, units, semantics, epoch, received_at, message_id, disputed, pegged_units, contained_units)
     values (1, 'main', 9, 'net', 0, now(), 'm', false, 3, 2), (1, 'south', 9, 'net', 0, now(), 'm', false, 0, 0),
            (1, 'east', 9, 'net', 0, now(), 'm', false, 0, 1), (2, 'main', 9, 'net', 0, now(), 'm', false, 0, 0)`,
  )
  await database.pool.query(
    `insert into sku_shop values (1, 'nord', 5, 1, 0), (1, 'sued', 0, 0, 0), (2, 'nord', 0, 0, 0), (3, 'nord', 0, 0, 7)`,
  )
  await migrate(database.pool, 'older')
  const { rows } = await database.pool.query('select sku, counts from sku order by id')
  expect(rows).toEqual([
    { sku: 'SOLD', counts: { shelves: { main: [3, 2], east: [0, 1] }, shops: { nord: [5, 1, 0] } } },
    { sku: 'QUIET', counts: { shelves: {}, shops: {} } },
    { sku: 'NEW', counts: { shelves: {}, shops: { nord: [0, 0, 7] } } },
  ])
  await database.close()
})

/** A state with one counter of each kind. */
function stateWith({
  pegged = 0,
  contained = 0,
  open = 0,
  shortage = 0,
  untracked = 0,
  inbound = 0,
  charged = 0,
}): SkuState {
  const state = emptyState(skuOf('S'))
  const warehouse = warehouseOf('main')
  const stamp = { epoch: 0 }
  const figure: Figure = { units: 9, semantics: 'net', stamp, receivedAt: instantOf(0), messageId: 'm' }
  const shelf = { warehouse, figure, rises: [], disputed: false, chargedUnits: charged, movements: [], steps: [] }
  state.shelves.set(warehouse, shelf)
  state.shelfCounts.set(warehouse, { pegged, contained })
  state.shopCounts.set(shopOf('nord'), { open, shortage, untracked, inbound })
  state.lineCounts.set('PO-1\u001f1', { pegged: inbound })
  return state
}

test('what is kept of counters is what they were, and nothing where all are zero', () => {
  const kept = countsOf(stateWith({ pegged: 4, open: 5, shortage: 1, inbound: 2 }))
  expect(kept).toEqual({
    shelves: { main: [4, 0] },
    shops: { nord: [5, 1, 0, 2] },
    lines: { 'PO-1\u001f1': [2] },
  })
  const state = emptyState(skuOf('S'))
  fillCounts(state, kept)
  expect(countsOf(state)).toEqual(kept)
  expect(countsOf(stateWith({}))).toEqual({ shelves: {}, shops: {} })
})

describe('a counter that cannot be is refused before it is written', () => {
  test.for([
    [{ pegged: -1 }, 'sku_counts'],
    [{ contained: 0.5 }, 'sku_counts'],
    [{ open: 2_147_483_648 }, 'sku_counts'],
    [{ shortage: -1 }, 'sku_counts'],
    [{ untracked: Number.NaN }, 'sku_counts'],
    [{ charged: 3, contained: 2 }, 'figure_charged'],
    [{ charged: -1 }, 'figure_charged'],
  ] as const)('%o', ([counters, constraint]) => {
    expect(() => assertCounts(stateWith(counters))).toThrow(constraint)
  })
  test('and one that can be is not', () =>
    expect(() => assertCounts(stateWith({ charged: 2, contained: 2 }))).not.toThrow())
})
