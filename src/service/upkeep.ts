/** What the house does for itself, again and again: seal the ledger, remember the past, sweep, notice new rules. */
import { markAhead, skusThatWait } from '../adapters/postgres/ahead.ts'
import type { Database } from '../adapters/postgres/database.ts'
import { type SnapshotRound, takeSnapshots } from '../adapters/postgres/history-snapshots.ts'
import { tellLongOpen } from '../adapters/postgres/long-open.ts'
import { LATEST_MIGRATION } from '../adapters/postgres/migrate.ts'
import { sealBlock } from '../adapters/postgres/seal.ts'
import { sweep } from '../adapters/postgres/sweep.ts'
import type { Lane } from '../app/lane.ts'
import { startLoop } from '../app/loop.ts'
import type { RulesInForce } from './rules.ts'
import type { Telling } from './telling.ts'

const SEAL_EVERY_MS = 2_000
const REMEMBER_EVERY_MS = 5_000
/** Every process notices a change of the rules within this time. */
const RULES_EVERY_MS = 1_000
const SWEEP_EVERY_MS = 60 * 60_000
/** Lines become overdue, and come into the window, at midnights of their zones, which lie at whole and half hours. */
const AHEAD_EVERY_MS = 30 * 60_000

export type UpkeepPorts = {
  readonly database: Database
  readonly lane: Lane
  readonly inForce: RulesInForce
  /** Commands that wait for the lane, for whoever watches. */
  readonly waiting: () => number
  readonly telling: Telling
  /** The newest migration that this version knows. */
  readonly migration: string
  /** Told, once, that a newer version has changed the tables: this process is of no use any more. */
  readonly onOutdated: () => void
}

export function startUpkeep(ports: UpkeepPorts): { stop(): Promise<void> } {
  const { database, lane, inForce, waiting, telling, migration, onOutdated } = ports
  const every = (name: string, everyMs: number, round: () => Promise<boolean>) =>
    startLoop({ name, everyMs, round, onTrouble: telling.trouble })
  let isOutdated = false
  const lookAtTables = async (): Promise<void> => {
    const { rows } = await database.pool.query<{ latest: string }>(LATEST_MIGRATION)
    const latest = rows[0]?.latest ?? ''
    if (isOutdated || latest <= migration) return
    isOutdated = true
    telling.log.error(
      { latest },
      'TABLES_NEWER: a newer Holdfast has changed the tables. This process decides nothing more, and ends.',
    )
    onOutdated()
  }
  let snapshots: SnapshotRound | undefined
  const loops = [
    every('sweep', SWEEP_EVERY_MS, async () => {
      await tellLongOpen(database.pool)
      return await sweep(database.pool)
    }),
    every('ahead', AHEAD_EVERY_MS, async () => {
      const { promises, shops } = inForce.rules()
      if (!promises) return false
      const origin = { actor: 'time', cause: 'a day has passed' }
      const waiting = await skusThatWait(database)
      await Promise.all(waiting.map((sku) => lane.submit({ kind: 'settle', sku }, origin, 'bulk')))
      await markAhead(
        database,
        [...shops.values()].flatMap(({ shop, kind }) => (kind === 'shopware' ? [shop] : [])),
      )
      return false
    }),
    every('seal', SEAL_EVERY_MS, async () => (await sealBlock(database)) > 0),
    every('remember', REMEMBER_EVERY_MS, async () => {
      snapshots = await takeSnapshots(database, snapshots?.place)
      return snapshots.more
    }),
    every('configuration', RULES_EVERY_MS, async () => {
      telling.metrics.waiting.set(waiting())
      await lookAtTables()
      await inForce.refresh()
      return false
    }),
  ]
  return {
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()))
    },
  }
}
