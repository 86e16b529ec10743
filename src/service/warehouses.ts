/** The side that faces the warehouses: their messages come in, wait in the inbox, and are applied one after another. */
import { randomUUID } from 'node:crypto'
import type { Database } from '../adapters/postgres/database.ts'
import { inboxOn, wakeParked } from '../adapters/postgres/inbox-store.ts'
import { pullBookOn } from '../adapters/postgres/pull-store.ts'
import { closeIncident, disputedSkus } from '../adapters/postgres/queries.ts'
import { deadLettersOn } from '../adapters/postgres/replay.ts'
import type { Lane } from '../app/lane.ts'
import { startLoop } from '../app/loop.ts'
import { applyPending, type ReceivePorts, receiveDelivery, replayDeadLetter } from '../app/receive.ts'
import { skuOf } from '../core/ids.ts'
import type { HttpWorld } from '../http/world.ts'
import type { RulesInForce } from './rules.ts'
import type { Telling } from './telling.ts'

const APPLY_EVERY_MS = 500
const BURY_EVERY_MS = 60_000
/** SKUs that are believed again at once. */
const TRUST_AT_ONCE = 1_000

export type WarehouseSide = Pick<HttpWorld, 'receive' | 'mayReceive' | 'replay' | 'trust' | 'onRecorded'> & {
  /** Begins to apply what waits in the inbox. */
  start(): void
  /** Something new waits in the inbox. */
  wake(): void
  stop(): Promise<void>
}

export type WarehousePorts = {
  readonly database: Database
  readonly lane: Lane
  readonly inForce: RulesInForce
  readonly telling: Telling
}

export function warehouseSide({ database, lane, inForce, telling }: WarehousePorts): WarehouseSide {
  const { pool } = database
  const { metrics, trouble, bug } = telling
  const loops: ReturnType<typeof startLoop>[] = []
  const ports: ReceivePorts = {
    inbox: inboxOn(database),
    lane,
    doors: inForce.door,
    newId: () => `made-${randomUUID()}`,
    onTrouble: (cause, messageId) => bug(cause, `message ${messageId}`),
    wake: () => {
      for (const loop of loops) loop.wake()
    },
  }
  const every = (name: string, everyMs: number, round: () => Promise<boolean>) =>
    startLoop({ name, everyMs, round, onTrouble: trouble })
  let burying: ReturnType<typeof startLoop> | undefined
  return {
    start() {
      loops.push(
        every('apply', APPLY_EVERY_MS, async () => (await applyPending(ports)) > 0),
        // Snapshots have a loop of their own: a change that comes behind them must not wait for them.
        every('apply-bulk', APPLY_EVERY_MS, async () => (await applyPending(ports, 'bulk')) > 0),
      )
      burying = every('bury', BURY_EVERY_MS, async () => {
        await ports.inbox.bury()
        return false
      })
    },
    wake: () => ports.wake(),
    async stop() {
      await Promise.all([...loops, burying].map((loop) => loop?.stop()))
    },
    async receive(source, delivery) {
      const result = await receiveDelivery(ports, source, delivery)
      if ('receipt' in result) {
        metrics.messages.inc({ source, outcome: 'accepted' }, result.receipt.accepted)
        metrics.messages.inc({ source, outcome: 'repeated' }, result.receipt.repeated)
        metrics.messages.inc({ source, outcome: 'dead-letter' }, result.receipt.deadLetters.length)
      }
      return result
    },
    mayReceive: (source, headers) => inForce.door(source)?.mayBeAuthentic(headers) ?? false,
    replay: (id) => replayDeadLetter(ports, deadLettersOn(database), id),
    async onRecorded(orderNumbers) {
      const { rowCount } = await wakeParked(pool, orderNumbers)
      if (rowCount) ports.wake()
    },
    async trust(warehouse, author) {
      const origin = { actor: author, cause: `trust:${warehouse}` }
      let trusted = 0
      for (;;) {
        const skus = await disputedSkus(pool, warehouse, TRUST_AT_ONCE)
        await Promise.all(skus.map((sku) => lane.submit({ kind: 'trust', sku: skuOf(sku), warehouse }, origin, 'bulk')))
        trusted += skus.length
        if (skus.length < TRUST_AT_ONCE) break
      }
      // After its figures have lost their places: the first one of the new epoch is compared with nothing.
      await pullBookOn(database, () => inForce.rules().version).trust(warehouse, author)
      await closeIncident(pool, 'RESTART_SUSPECTED', warehouse)
      return trusted
    },
  }
}
