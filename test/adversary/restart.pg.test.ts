import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLane, type PostgresLane } from '../../src/adapters/postgres/lane.ts'
import { disputedSkus } from '../../src/adapters/postgres/queries.ts'
import { skuOf } from '../../src/core/ids.ts'
import { type FreshDatabase, freshDatabase } from '../postgres.ts'
import { figure, main, order, orderWord, origin, rules, say } from '../postgres-world.ts'

let fresh: FreshDatabase
let lane: PostgresLane
beforeAll(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules })
})
afterAll(async () => {
  await lane.stop()
  await fresh.drop()
})

test('goods that left before a restart are found, and an operator’s word ends their waiting', async () => {
  await lane.submit(figure('LEFT', 10, 1), origin)
  await lane.submit(order('O1', [{ sku: 'LEFT', units: 2 }]), origin)
  const sku = skuOf('LEFT')
  await lane.submit(orderWord('allocated', 'O1', 'LEFT', 2, 2), origin)
  await lane.submit(orderWord('shipped', 'O1', 'LEFT', 2, 3), origin)
  expect(await disputedSkus(fresh.database.pool, main, 10)).toEqual([])
  const restarted = say('LEFT', { kind: 'figure', sku, warehouse: main, net: 8, stamp: { epoch: 1, sequence: 1 } })
  await lane.submit(restarted, origin)
  expect(await disputedSkus(fresh.database.pool, main, 10)).toEqual(['LEFT'])
  await lane.submit({ kind: 'trust', sku, warehouse: main }, origin)
  expect(await disputedSkus(fresh.database.pool, main, 10)).toEqual([])
})
