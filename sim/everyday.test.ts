import { expect, test } from 'vitest'
import { connector } from './connector.ts'
import { goOn } from './everyday.ts'
import { serve } from './loopback.ts'
import { seededRandom } from './random.ts'
import { startSimulatedShop } from './shopware.ts'
import type { Scene } from './story.ts'
import { startSimulatedWarehouse } from './warehouse.ts'

test('everyday life sells, sends, refills and never ends by itself', async () => {
  const door = await serve(() => ({ status: 202 }))
  const skus = ['LAMP', 'MUG']
  const products = skus.map((sku) => ({ sku, stock: 40 }))
  const shops = [
    await startSimulatedShop({ name: 'nord', products }),
    await startSimulatedShop({ name: 'sued', products }),
  ]
  const warehouse = startSimulatedWarehouse({
    name: 'wms',
    warehouses: ['MAIN'],
    semantics: 'net',
    ordered: 'sequence',
    dialect: 'canonical',
    deliver: { url: door.url, auth: { kind: 'bearer', token: 't'.repeat(16) } },
  })
  const scenes: Scene[] = []
  const everyday = {
    warehouse,
    shops,
    connector: connector(shops, warehouse),
    skus,
    random: seededRandom(3),
    stock: async () => ({ available: 1 }),
    pause: () => Promise.resolve(),
  }
  for await (const scene of goOn(everyday)) if (scenes.push(scene) === 60) break
  await warehouse.stop()
  for (const shop of shops) await shop.stop()
  await door.stop()
  const told = scenes.map(({ what }) => what).join('\n')
  for (const part of ['arrive', 'parcels leave', ': order 1', 'is cancelled']) expect(told).toContain(part)
  expect(shops.flatMap((shop) => shop.orders()).some(({ state }) => state === 'completed')).toBe(true)
  for (const sku of skus) expect(warehouse.truth(sku)).toBeGreaterThanOrEqual(0)
})
