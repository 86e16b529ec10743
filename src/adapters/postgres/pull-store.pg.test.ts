import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { trytonDocument } from '../../../test/tryton/pulled-document.ts'
import { configurationOf } from '../../app/configuration-file.ts'
import { instantOf, shopOf, skuOf, sourceOf, warehouseOf } from '../../core/ids.ts'
import { applyConfiguration } from './configuration-store.ts'
import { createLane } from './lane.ts'
import { pullBookOn } from './pull-store.ts'

const ERP = sourceOf('erp')
const document = trytonDocument({ url: 'http://127.0.0.1:1', database: 'x', user: 'y' })
let fresh: FreshDatabase
let book: ReturnType<typeof pullBookOn>
let lane: ReturnType<typeof createLane>

beforeAll(async () => {
  fresh = await freshDatabase()
  await applyConfiguration(fresh.database, document, 'test')
  book = pullBookOn(fresh.database, () => 1)
  const rules = configurationOf(document, 1)
  lane = createLane({
    database: fresh.database,
    configuration: () => rules,
    onChanged: () => undefined,
    onByMargin: () => undefined,
    onBug: (cause) => {
      throw cause
    },
  })
})
afterAll(async () => {
  await lane.stop()
  await fresh.drop()
})
beforeEach(async () => {
  await fresh.database.pool.query('delete from pulled')
  await fresh.database.pool.query('delete from inbox')
  await fresh.database.pool.query(`update source set cursor = null, suspected_since = null, pull_turn = ''`)
})

const told = (...skus: readonly string[]) => skus.map((sku) => ({ sku, warehouse: 'main', hash: `hash of ${sku}` }))
const said = (messageId: string, ...skus: readonly string[]) => ({
  messages: [{ messageId, raw: '{}', words: 1 }],
  told: told(...skus),
  letters: [],
})

describe('the book of pulls', () => {
  test('gives each pull a higher number than all before', async () => {
    const first = await book.begin(ERP)
    const second = await book.begin(ERP)
    expect(second).toEqual({ epoch: first.epoch, number: first.number + 1 })
  })

  test('files what a pull says, and remembers it, together', async () => {
    expect(await book.isBusy(ERP)).toBe(false)
    expect(await book.tell(ERP, await book.begin(ERP), said('m-1', 'A', 'B'))).toBe(true)
    expect(await book.told(ERP, ['A', 'B', 'C'])).toEqual(told('A', 'B'))
    expect(await book.isBusy(ERP)).toBe(true)
    expect(await book.isBusy(sourceOf('another'))).toBe(false)
  })

  test('keeps nothing of a pull that a later one has overtaken', async () => {
    const old = await book.begin(ERP)
    await book.begin(ERP)
    expect(await book.tell(ERP, old, said('m-2', 'A'))).toBe(false)
    expect([await book.told(ERP, ['A']), await book.isBusy(ERP)]).toEqual([[], false])
  })

  test('gives SKUs in their turn', async () => {
    await book.tell(ERP, await book.begin(ERP), said('m-3', 'C', 'A', 'B'))
    expect(await book.inTurn(ERP, '', 2)).toEqual(['A', 'B'])
    expect(await book.inTurn(ERP, 'B', 2)).toEqual(['C'])
    expect(await book.inTurn(ERP, 'C', 2)).toEqual([])
  })

  test('knows how far it came, over restarts', async () => {
    expect(await book.place(ERP)).toEqual({ cursor: undefined, turn: '', isSuspected: false })
    await book.moveOn(ERP, { cursor: { look: 3 }, turn: 'B' })
    expect(await book.place(ERP)).toEqual({ cursor: { look: 3 }, turn: 'B', isSuspected: false })
  })

  test('names the orders that are counted, and which SKUs wait for one that was read since they were told', async () => {
    const sku = skuOf('WAITS')
    await book.tell(ERP, await book.begin(ERP), said('m-4', sku, 'QUIET'))
    await fresh.database.pool.query(`update pulled set asked_at = clock_timestamp() - interval '30 seconds'`)
    expect(await book.waiting(ERP)).toEqual([])
    await lane.submit(
      {
        kind: 'order',
        shop: shopOf('till'),
        order: { orderId: 'o', orderNumber: 'N-1', state: 'open', lines: [{ lineId: 'l', sku, units: 2 }] },
      },
      { actor: 'test', cause: 'test' },
    )
    expect(await book.waiting(ERP)).toEqual([sku])
    expect((await book.standing(ERP, [sku, 'QUIET'])).get(sku)).toEqual({ orders: ['N-1'], inbound: [] })
    await book.tell(ERP, await book.begin(ERP), said('m-5', sku))
    await fresh.database.pool.query(`update pulled set asked_at = asked_at + interval '1 minute'`)
    expect(await book.waiting(ERP)).toEqual([])
  })

  test('names the lines that are on their way, and none that is over', async () => {
    const sku = skuOf('COMES')
    const line = (name: string, ordered: number, received: number, cancelled = false) =>
      lane.submit(
        {
          kind: 'word',
          source: ERP,
          sku,
          messageId: `m-${name}`,
          receivedAt: instantOf(0),
          answersOurPull: false,
          word: {
            ...{ kind: 'inbound', purchaseOrder: 'P', line: name, sku, ordered, received, cancelled, confirmed: true },
            ...{ warehouse: warehouseOf('main'), stamp: { epoch: 0, sequence: 1 } },
          },
        },
        { actor: 'test', cause: 'test' },
      )
    await line('open', 5, 2)
    await line('come', 5, 5)
    await line('cancelled', 5, 0, true)
    expect((await book.standing(ERP, [sku])).get(sku)?.inbound).toEqual([
      { warehouse: 'main', purchaseOrder: 'P', line: 'open' },
    ])
  })

  test('forgets everything of a source that went back in time, and begins a new epoch when somebody trusts it', async () => {
    const { epoch } = await book.begin(ERP)
    await book.tell(ERP, await book.begin(ERP), said('m-6', 'A'))
    await book.moveOn(ERP, { cursor: 1, turn: 'A' })
    await book.suspect(ERP, 'a sale is gone')
    expect(await book.place(ERP)).toEqual({ cursor: undefined, turn: '', isSuspected: true })
    expect(await book.told(ERP, ['A'])).toEqual([])
    await book.trust('main', 'op')
    expect(await book.place(ERP)).toMatchObject({ isSuspected: false })
    expect((await book.begin(ERP)).epoch).toBe(epoch + 1)
    const { rows } = await fresh.database.pool.query(
      `select kind, actor from ledger_entry where stream = 'source:erp' order by version`,
    )
    expect(rows).toEqual([
      { kind: 'restart-suspected', actor: 'source:erp' },
      { kind: 'trusted-again', actor: 'op' },
    ])
  })

  test('trusts nobody who was not suspected', async () => {
    const { epoch } = await book.begin(ERP)
    await book.trust('main', 'op')
    expect((await book.begin(ERP)).epoch).toBe(epoch)
  })
})
