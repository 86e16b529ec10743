import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderWord, origin, rules } from '../../../test/postgres-world.ts'
import { createLane } from './lane.ts'
import { LONGEST_OPEN_DAYS, tellLongOpen } from './long-open.ts'

let fresh: FreshDatabase
beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(async () => fresh.drop())

const told = async (): Promise<unknown[]> =>
  (
    await fresh.database.pool.query(
      `select order_number as order, units, closed_at is null as open
       from incident
       where code = 'ORDER_LONG_OPEN'
       order by id`,
    )
  ).rows

test('H21, H27: an order that never leaves is told once, and its incident ends with it', async () => {
  const lane = createLane({ database: fresh.database, configuration: () => rules })
  await lane.submit(figure('LAMP', 10, 1), origin)
  await lane.submit(order('old', [{ sku: 'LAMP', units: 3 }]), origin)
  await lane.submit(order('young', [{ sku: 'LAMP', units: 1 }]), origin)
  await tellLongOpen(fresh.database.pool)
  expect(await told()).toEqual([])

  await fresh.database.pool.query(
    `update demand set placed_at = placed_at - make_interval(days => $1) where order_id = 'old'`,
    [LONGEST_OPEN_DAYS + 1],
  )
  await tellLongOpen(fresh.database.pool)
  await tellLongOpen(fresh.database.pool)
  const [first] = await told()
  expect(await told()).toHaveLength(1)
  expect(first).toMatchObject({ units: 3, open: true })

  await lane.stop()
  const again = createLane({ database: fresh.database, configuration: () => rules })
  await again.submit(orderWord('shipped', 'old', 'LAMP', 3, 2), origin)
  await again.stop()
  await tellLongOpen(fresh.database.pool)
  expect(await told()).toMatchObject([{ open: false }])
})
