import { afterEach, expect, test } from 'vitest'
import { connector } from './connector.ts'
import { startFakeApp } from './fake-app.ts'
import { serve } from './loopback.ts'
import { startSimulatedShop } from './shopware.ts'
import { play, type Scene } from './story.ts'
import { startSimulatedWarehouse } from './warehouse.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

test('the story is played to its end: orders, an abandoned attempt, a refusal and goods for whoever waits', async () => {
  const door = await serve(() => ({ status: 202 }))
  const app = await startFakeApp()
  const [first, second] = await Promise.all(
    ['nord', 'sued'].map((name) => startSimulatedShop({ name, products: [{ sku: 'LAMP', stock: 3 }] })),
  )
  if (first === undefined || second === undefined) throw new Error('two shops were started')
  stops.push(door.stop, app.stop, first.stop, second.stop)
  for (const shop of [first, second]) expect(await shop.install(app.manifest)).toEqual({ installed: true })
  const warehouse = startSimulatedWarehouse({
    name: 'wms',
    warehouses: ['MAIN'],
    semantics: 'net',
    ordered: 'sequence',
    dialect: 'canonical',
    deliver: { url: door.url, auth: { kind: 'bearer', token: 't'.repeat(16) } },
  })
  const scenes: Scene[] = []
  let looks = 0
  const stage = {
    warehouse,
    first,
    second,
    connector: connector([first, second], warehouse),
    sku: 'LAMP',
    // Rises with every look, as if the abandoned unit came back at once.
    stock: async () => ({ available: looks++ }),
    // Who holds the last unit empties the shelf that the shop shows.
    market: { hold: async () => second.adminSetStock('LAMP', 0), place: async () => undefined },
    deadLetters: async () => 1,
    pause: () => Promise.resolve(),
  }
  for await (const scene of play(stage)) scenes.push(scene)
  expect(scenes.filter(({ who }) => who === 'Holdfast')).toMatchObject([{ tone: 'good' }])
  expect(scenes.at(-1)).toMatchObject({ who: 'wms', tone: 'good' })
  expect(scenes.filter(({ tone }) => tone === 'refused')).toHaveLength(1)
  expect(first.orders()).toHaveLength(1)
  expect(app.heard.gateway.length).toBeGreaterThan(first.orders().length + second.orders().length)
  expect(warehouse.truth('LAMP')).toBe(8)
})
