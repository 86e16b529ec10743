/**
 * A Holdfast that pulls when the test says so: a database of its own, the real lane, inbox and pulling round, and no clock between
 * them. So a step is: somebody did something in Tryton; pull; look.
 */
import assert from 'node:assert/strict'
import { applyConfiguration } from '../../src/adapters/postgres/configuration-store.ts'
import { inboxOn } from '../../src/adapters/postgres/inbox-store.ts'
import { createLane } from '../../src/adapters/postgres/lane.ts'
import { loadStates } from '../../src/adapters/postgres/load.ts'
import { pullBookOn } from '../../src/adapters/postgres/pull-store.ts'
import { disputedSkus } from '../../src/adapters/postgres/queries.ts'
import { doorOf } from '../../src/adapters/wms/door.ts'
import { sourceConfigOf } from '../../src/adapters/wms/source-config.ts'
import { trytonSystem } from '../../src/adapters/wms/tryton/tryton.ts'
import { configurationOf } from '../../src/app/configuration-file.ts'
import { pullRound } from '../../src/app/pull.ts'
import { applyPending } from '../../src/app/receive.ts'
import type { Command } from '../../src/core/decide.ts'
import { instantOf, shopOf, skuOf, sourceOf, warehouseOf } from '../../src/core/ids.ts'
import { freeOf, remaindersOf } from '../../src/core/inbound.ts'
import { availabilityOf } from '../../src/core/sellable.ts'
import type { InboundLine, SkuState } from '../../src/core/stock.ts'
import { freshDatabase } from '../postgres.ts'
import { trytonDocument } from './pulled-document.ts'
import type { TrytonEnvironment } from './real-tryton.ts'

export const ERP = sourceOf('erp')
export const TILL = shopOf('till')
export const AHEAD = shopOf('ahead')

export type PulledHouse = Awaited<ReturnType<typeof openPulledHouse>>

export async function openPulledHouse(place: TrytonEnvironment) {
  const fresh = await freshDatabase()
  const { database } = fresh
  const document = trytonDocument(place)
  await applyConfiguration(database, document, 'test')
  const rules = configurationOf(document, 1)
  const bugs: unknown[] = []
  const lane = createLane({
    database,
    configuration: () => rules,
    onChanged: () => undefined,
    onByMargin: () => undefined,
    onBug: (cause) => bugs.push(cause),
  })
  const configured = sourceConfigOf('erp', document, () => undefined)
  assert('source' in configured)
  const door = doorOf(configured.source)
  const book = pullBookOn(database, () => 1)
  const incidents: { readonly code: string; readonly cause: string }[] = []
  const connect = (to: Partial<TrytonEnvironment> = {}) => {
    const { url, database: name, user, password } = { ...place, ...to }
    return trytonSystem({ url, database: name, user, password, warehouses: { main: 'WH' } })
  }
  let system = connect()
  const receivePorts = {
    inbox: inboxOn(database),
    lane,
    doors: () => door,
    newId: () => 'never',
    onTrouble: (cause: unknown) => bugs.push(cause),
    wake: () => undefined,
  }
  const apply = async (): Promise<void> => {
    while ((await applyPending(receivePorts)) + (await applyPending(receivePorts, 'bulk')) > 0)
      assert.deepEqual(bugs, [])
  }
  const stateOf = async (sku: string): Promise<SkuState> => {
    const [state] = await loadStates(database.pool, [skuOf(sku)])
    assert(state, `Nobody has said a word about ${sku}`)
    return state
  }
  const submit = <C extends Command>(command: C) => lane.submit(command, { actor: 'test', cause: 'test' })

  return {
    database,
    book,
    incidents,
    bugs,
    /** Asks Tryton in another way from now on: through another address, or with another password. */
    reconnect(to: Partial<TrytonEnvironment>): void {
      system = connect(to)
    },
    /** One round, and what it says applied. */
    async pull(): Promise<void> {
      for (let more = true; more; ) {
        more = await pullRound(
          {
            book,
            system,
            readMessage: door.readMessage,
            holdsLease: async () => true,
            isStopping: () => false,
            wake: () => undefined,
            onIncident: async ({ code, cause }) => incidents.push({ code, cause }),
            onSettled: async () => undefined,
          },
          ERP,
        )
        await apply()
      }
    },
    stateOf,
    /** What may still be promised; negative when more is counted than there is. */
    async available(sku: string): Promise<number> {
      return availabilityOf(await stateOf(sku), rules, TILL, instantOf(Date.now())).availableUnits
    },
    /** Units on hand and on their way that may be promised, of one moment, while others write. */
    async countedNow(sku: string): Promise<{ readonly available: number; readonly toCome: number }> {
      const client = await database.pool.connect()
      try {
        await client.query('begin isolation level repeatable read read only')
        const [state] = await loadStates(client, [skuOf(sku)])
        assert(state)
        const now = instantOf(Date.now())
        const lines = remaindersOf(state, rules, warehouseOf('main'), now)
        const toCome = lines.reduce((sum, line) => sum + freeOf(line), 0)
        return { available: availabilityOf(state, rules, TILL, now).availableUnits, toCome }
      } finally {
        await client.query('rollback')
        client.release()
      }
    },
    async sellable(sku: string): Promise<number> {
      return availabilityOf(await stateOf(sku), rules, TILL, instantOf(Date.now())).sellableUnits
    },
    /** What the shop that sells ahead may promise. */
    async ahead(sku: string): Promise<number> {
      return availabilityOf(await stateOf(sku), rules, AHEAD, instantOf(Date.now())).sellableUnits
    },
    async inbound(sku: string): Promise<readonly InboundLine[]> {
      return [...(await stateOf(sku)).inbound.values()]
    },
    /** The figure in force, as the warehouse said it. */
    async figure(sku: string): Promise<number | undefined> {
      return [...(await stateOf(sku)).shelves.values()][0]?.figure.units
    },
    /** An order of the shop, as a fact. */
    order: (order: string, sku: string, units: number, state: 'open' | 'cancelled' = 'open', shop = TILL) =>
      submit({
        kind: 'order',
        shop,
        order: { orderId: order, orderNumber: order, state, lines: [{ lineId: `${order}-1`, sku: skuOf(sku), units }] },
      }),
    /** A basket of a channel, held for an hour. */
    hold: (key: string, sku: string, units: number) =>
      submit({
        kind: 'hold',
        shop: TILL,
        reservation: key,
        via: 'api',
        mode: 'all',
        lines: [{ sku: skuOf(sku), units }],
        until: instantOf(Date.now() + 3_600_000),
      }),
    /** `holdfast trust main`. */
    async trust(): Promise<void> {
      const skus = await disputedSkus(database.pool, 'main', 1_000)
      for (const sku of skus) await submit({ kind: 'trust', sku: skuOf(sku), warehouse: warehouseOf('main') })
      await book.trust('main', 'test')
    },
    async messages(): Promise<number> {
      const { rows } = await database.pool.query<{ n: number }>('select count(*)::int as n from inbox')
      return rows[0]?.n ?? 0
    },
    async close(): Promise<void> {
      await lane.stop()
      await fresh.drop()
    },
  }
}
