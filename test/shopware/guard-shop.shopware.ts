import { readFileSync, writeFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STEPS } from '../../src/core/order-states.ts'
import { eventually } from './eventually.ts'
import { openRealShop } from './real-shop.ts'
import { hasRealShop } from './shop-environment.ts'
import { newId } from './shop-products.ts'
import { openStory, promised, SHOP, SHOWN_WITHIN_MS, type StoryWorld } from './story-world.ts'

const productRows = Compile(
  Type.Object({
    data: Type.Array(
      Type.Object({
        isCloseout: Type.Union([Type.Boolean(), Type.Null()]),
        customFields: Type.Optional(Type.Unknown()),
      }),
    ),
  }),
)
const hookRows = Compile(
  Type.Object({ data: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), active: Type.Boolean() })) }),
)

/** The guard in a real shop: others' writes, refused numbers, webhooks that were switched off, and leaving it in order. */
describe.skipIf(!hasRealShop(process.env))('the guard in a real shop', () => {
  let world: StoryWorld
  beforeAll(async () => {
    world = await openStory()
    await world.configure()
    await world.install()
  })
  afterAll(async () => {
    await world?.end()
  })

  const recorded = async (sku: string): Promise<readonly { cause: string; body: Record<string, unknown> }[]> => {
    const { rows } = await world.holdfast.database.pool.query(
      `select cause, body from ledger_entry where kind = 'foreign-write' and body ->> 'sku' = $1 order by version`,
      [sku],
    )
    return rows
  }
  const incident = async (code: string, sku?: string) =>
    (await world.incidents()).find((each) => each.code === code && (sku === undefined || each.sku === sku))
  const productOf = async (sku: string) => {
    const filter = [{ type: 'equals', field: 'productNumber', value: sku }]
    const { data } = await world.shop.admin.search('product', { filter }, productRows)
    return data[0]
  }

  test('the page cache is cleared by the app itself', async () => {
    const cleared = async () =>
      (await world.holdfast.database.pool.query('select from shop where pages_cleared_at > registered_at')).rowCount
    await eventually(cleared, (shops) => shops === 1, 'the pages are cleared')
  })

  test('a stock that somebody writes in the administration is put right and recorded with both numbers', async () => {
    const sku = await world.stocked('foreign', 10)
    // So that the webhook, and not a look of our own, is what tells it.
    await world.settled(sku)
    await world.shop.setStock(sku, 99)
    promised('a foreign write, put right after', await world.shows(sku, 10), SHOWN_WITHIN_MS)
    const [entry] = await eventually(
      () => recorded(sku),
      (entries) => entries.length === 1,
      'it is recorded',
    )
    expect(entry).toMatchObject({ cause: 'webhook', body: { oldUnits: 10, newUnits: 99, who: 'unknown' } })
    const told = await eventually(
      () => incident('FOREIGN_WRITE', sku),
      (found) => found !== undefined,
      'it is told',
    )
    expect(told).toMatchObject({ shop: SHOP })
  })

  test('what orders do to the stock is nobody else’s write: placed, imported, edited, cancelled twice', async () => {
    const sku = await world.stocked('own', 10)
    await world.ordered(sku, 2)
    const { lines, orderId } = await world.ordered(sku, 3)
    await world.shop.editLine(lines[0]?.lineId ?? '', 1)
    await world.sees(sku, { sellable: 7 })
    await world.shop.transition('order', orderId, 'cancel')
    await world.shop.transition('order', orderId, 'cancel')
    await world.sees(sku, { sellable: 8 })
    await world.shows(sku, 8)
    const sighted = async () =>
      (await world.holdfast.database.pool.query('select from foreign_write where seen_at is not null')).rowCount
    await eventually(sighted, (rows) => rows === 0, 'every sighting is judged')
    expect(await recorded(sku)).toEqual([])
  })

  test('a number that the shop refuses is told with its reason, and written once its product is mended', async () => {
    const { sql } = world.shop.commands
    if (sql === undefined) throw new Error('SHOPWARE_VARIABLE_MISSING: SHOPWARE_SQL.')
    const [bad, good] = [await world.stocked('refused', 10), await world.stocked('neighbour', 10)]
    // The shop's database refuses one product as it does a value out of range.
    await sql(
      `CREATE TRIGGER guard_refuses BEFORE UPDATE ON product FOR EACH ROW SET NEW.stock = IF(NEW.product_number = '${bad}' AND NEW.stock = 4, 99999999999, NEW.stock)`,
    )
    try {
      for (const sku of [bad, good]) await world.net.say({ type: 'stock.level.reported', sku, net: 4 })
      await world.shows(good, 4)
      const told = await eventually(
        () => incident('PUBLICATION_REFUSED', bad),
        (found) => found !== undefined,
        'the refusal is told',
      )
      expect(told?.cause).toContain('4 units')
      expect(await world.shop.stockOf(bad)).toBe(10)
    } finally {
      await sql('DROP TRIGGER guard_refuses')
    }
    const { productId } = await world.shop.productOf(bad)
    await world.shop.admin.write(
      { method: 'PATCH', path: `/api/product/${productId}`, body: { name: 'mended' } },
      'the mended product',
    )
    promised('a refused number, written after its product was saved in', await world.shows(bad, 4), SHOWN_WITHIN_MS)
    await eventually(
      () => incident('PUBLICATION_REFUSED', bad),
      (found) => found?.closedAt !== undefined,
      'the incident is over',
    )
  })

  test('a webhook that was switched off is switched on, and what it did not tell is found', async () => {
    const sku = await world.stocked('untold', 10)
    const filter = [{ type: 'equals', field: 'name', value: 'productWritten' }]
    const hook = async () => (await world.shop.admin.search('webhook', { filter }, hookRows)).data[0]
    await world.holdfast.stop()
    await world.shop.admin.write(
      { method: 'PATCH', path: `/api/webhook/${(await hook())?.id}`, body: { active: false } },
      'the webhook that is off',
    )
    await world.shop.setStock(sku, 55)
    await world.holdfast.start()
    await eventually(hook, (row) => row?.active === true, 'it is on again')
    await world.shows(sku, 10)
    const told = await eventually(
      () => incident('WEBHOOK_SWITCHED_OFF'),
      (found) => found !== undefined,
      'it is told',
    )
    expect(told).toMatchObject({ shop: SHOP })
    await eventually(
      () => recorded(sku),
      (entries) => entries.length === 1,
      'the foreign write is recorded',
    )
  })

  const envFile = process.env.SHOPWARE_ENV_FILE ?? ''
  test.skipIf(envFile === '')('a changed APP_URL, which lets every checkout fail unasked, is told', async () => {
    const before = readFileSync(envFile, 'utf8')
    try {
      writeFileSync(envFile, before.replace(/^APP_URL=.*$/m, 'APP_URL=http://moved.example'))
      await world.holdfast.stop()
      await world.holdfast.start()
      const told = await eventually(
        () => incident('APP_URL_CHANGED'),
        (found) => found !== undefined,
        'it is told',
      )
      expect(told?.cause).toContain('http://moved.example')
    } finally {
      writeFileSync(envFile, before)
    }
  })

  test('leaving gives products and variants their own close-out back', async () => {
    const { shop, net } = world
    const parent = shop.sku('parent')
    const open = shop.sku('open')
    const variant = shop.sku('variant')
    const { productId: parentId } = await shop.createProduct({ sku: parent, stock: 0, closeOut: false })
    await shop.createProduct({ sku: open, stock: 0, closeOut: false })
    await shop.admin.write(
      {
        method: 'POST',
        path: '/api/product',
        body: { id: newId(), parentId, productNumber: variant, stock: 0 },
      },
      'the variant',
    )
    for (const sku of [open, variant]) await net.say({ type: 'stock.level.reported', sku, net: 6 })
    for (const sku of [open, variant]) {
      await world.shows(sku, 6)
      expect((await productOf(sku))?.isCloseout).toBe(true)
    }
    const release = async () => (await world.request('POST', `/v1/shops/${SHOP}/release`)).body
    await eventually(release, (answer) => JSON.stringify(answer).includes('"gone"'), 'the shop is released')
    expect((await productOf(open))?.isCloseout).toBe(false)
    // A variant takes its parent's again; the search tells its own.
    expect((await productOf(variant))?.isCloseout ?? null).toBeNull()
    expect(JSON.stringify((await productOf(open))?.customFields ?? null)).not.toMatch(/holdfast_revision":"/)
    expect((await world.verify()).problems).toEqual([])
    expect(await world.bugs()).toBe(0)
  })
})

/** The table of states, held against what a shop itself says it can do. */
describe.skipIf(!hasRealShop(process.env))('the states of a real shop', () => {
  test('its transitions are those of the table', async () => {
    const shop = await openRealShop(process.env)
    const named = { technicalName: Type.String() }
    const rows = Compile(
      Type.Object({
        data: Type.Array(
          Type.Object({
            actionName: Type.String(),
            stateMachine: Type.Object(named),
            fromStateMachineState: Type.Object(named),
            toStateMachineState: Type.Object(named),
          }),
        ),
      }),
    )
    const associations = { stateMachine: {}, fromStateMachineState: {}, toStateMachineState: {} }
    const { data } = await shop.admin.search('state-machine-transition', { limit: 500, associations }, rows)
    shop.close()
    const machines = ['order', 'order_transaction', 'order_delivery']
    const own = data
      .map((row) => [
        row.stateMachine.technicalName.replace('.state', ''),
        row.actionName,
        row.fromStateMachineState.technicalName,
        row.toStateMachineState.technicalName,
      ])
      .filter(([machine = '']) => machines.includes(machine))
    const ours = STEPS.filter(({ isUnlisted }) => !isUnlisted).flatMap(({ machine, action, from, to }) =>
      from.map((state) => [machine, action, state, to]),
    )
    expect(ours.map(String).sort()).toEqual(own.map(String).sort())
  })
})
