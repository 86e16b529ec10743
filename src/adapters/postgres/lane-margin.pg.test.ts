import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, origin, rules, wms } from '../../../test/postgres-world.ts'
import type { Configuration } from '../../core/configuration.ts'
import { createLane } from './lane.ts'

let fresh: FreshDatabase
beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(async () => fresh.drop())

/** A source that says nothing of orders, but knows them at once. */
const wordless: Configuration = {
  ...rules,
  sources: new Map([[wms, { source: wms, semantics: 'net', allocatesOnAcknowledge: false, knowsOrdersWithinMs: 0 }]]),
}

test('units that are contained by a margin alone are counted: it is the weakest proof', async () => {
  const told: number[] = []
  const lane = createLane({
    database: fresh.database,
    configuration: () => wordless,
    onByMargin: (units) => void told.push(units),
  })
  await lane.submit(figure('LAMP', 10, 1), origin)
  await lane.submit(order('1', [{ sku: 'LAMP', units: 3 }]), origin)
  // The figure reached us a minute after the order: it is without its units.
  const later = figure('LAMP', 7, 2)
  await lane.submit({ ...later, receivedAt: (later.receivedAt + 60_000) as typeof later.receivedAt }, origin)
  await lane.stop()
  expect(told).toEqual([3])
})
