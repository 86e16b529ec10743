/** A small world for tests of the lane: one warehouse, a shop that is read, a channel that speaks to us, and their commands. */

import type { Database } from '../src/adapters/postgres/database.ts'
import { sealBlock } from '../src/adapters/postgres/seal.ts'
import type { Configuration } from '../src/core/configuration.ts'
import type { WordCommand } from '../src/core/decide.ts'
import type { HoldCommand } from '../src/core/hold.ts'
import { instantOf, type ShopId, shopOf, skuOf, sourceOf, warehouseOf } from '../src/core/ids.ts'
import type { OrderCommand } from '../src/core/order.ts'
import type { OrderLineWord, Word } from '../src/core/word.ts'
import { rulesWith, shopWith } from './core/rules.ts'

export const nord = shopOf('nord')
export const till = shopOf('till')
export const main = warehouseOf('main')
export const wms = sourceOf('wms')
export const origin = { actor: 'test', cause: 'test' }

/** Net figures, no safety stock, no quota. */
export const rules: Configuration = {
  ...rulesWith(),
  shops: new Map([
    [nord, shopWith()],
    [till, shopWith({ shop: till, kind: 'channel' })],
  ]),
}

export type Lines = readonly (readonly [sku: string, units: number])[]

/** A hold of an order call; each line gets the key `reservation-SKU`. */
export const orderCall = (reservation: string, lines: Lines, shop = nord): HoldCommand => ({
  kind: 'hold',
  shop,
  reservation,
  via: 'gateway',
  mode: 'all',
  lines: lines.map(([sku, units]) => ({ sku: skuOf(sku), units, lineKey: `${reservation}-${sku}` })),
})

/** A hold of a channel under a key of its own; it ends in an hour. */
export const apiHold = (reservation: string, lines: Lines, mode: 'all' | 'partial' = 'all'): HoldCommand => ({
  kind: 'hold',
  shop: till,
  reservation,
  via: 'api',
  mode,
  lines: lines.map(([sku, units]) => ({ sku: skuOf(sku), units })),
  until: instantOf(Date.now() + 3_600_000),
})

type OrderLine = { readonly sku: string; readonly units: number; readonly lineKey?: string }

export const order = (
  orderId: string,
  lines: readonly OrderLine[],
  more: { readonly shop?: ShopId; readonly reservation?: string; readonly state?: 'open' | 'cancelled' } = {},
): OrderCommand => ({
  kind: 'order',
  shop: more.shop ?? nord,
  ...(more.reservation === undefined ? {} : { reservation: more.reservation }),
  order: {
    orderId,
    orderNumber: `N-${orderId}`,
    state: more.state ?? 'open',
    lines: lines.map(({ sku, units, lineKey }, index) => ({
      lineId: `${orderId}-${index}`,
      sku: skuOf(sku),
      units,
      ...(lineKey === undefined ? {} : { lineKey }),
    })),
  },
})

let messages = 0

export const say = (sku: string, word: Word): WordCommand => {
  messages += 1
  return {
    kind: 'word',
    source: wms,
    sku: skuOf(sku),
    messageId: `m-${messages}`,
    receivedAt: instantOf(Date.now()),
    answersOurPull: false,
    word,
  }
}

/** The warehouse says how many units it has, without those that it has allocated. */
export const figure = (sku: string, net: number, sequence: number): WordCommand =>
  say(sku, { kind: 'figure', sku: skuOf(sku), warehouse: main, net, stamp: { epoch: 0, sequence } })

/** The warehouse says something about units of an order; orders of {@link order} are called `N-…`. */
export const orderWord = (
  says: OrderLineWord['says'],
  orderId: string,
  sku: string,
  units: number,
  sequence: number,
): WordCommand =>
  say(sku, {
    kind: 'order-line',
    says,
    order: `N-${orderId}`,
    sku: skuOf(sku),
    units,
    warehouse: main,
    stamp: { epoch: 0, sequence },
  })

/** Seals until nothing is left: a transaction of another test on the same server may hold the sealer back for a moment. */
export async function sealAll(database: Database): Promise<void> {
  const unsealed = async (): Promise<number> => {
    const { rows } = await database.pool.query<{ left: number }>(
      `select count(*) as left
       from ledger_entry
       where not exists (select from seal)
          or (ledger_entry.txid, seq) > (select last_txid, last_seq from seal order by no desc limit 1)`,
    )
    return rows[0]?.left ?? 0
  }
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt; ) {
    await sealBlock(database)
    if ((await unsealed()) === 0) return
  }
  throw new Error('The ledger could not be sealed')
}

/**
 * Waits until every entry may be read in the feed: a transaction of another test on the same server may be older than the last of
 * them, and until it has ended nothing behind it is certain.
 */
export async function untilFeedIsCertain(database: Database): Promise<void> {
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt; ) {
    const { rows } = await database.pool.query(
      'select from ledger_entry where txid >= pg_snapshot_xmin(pg_current_snapshot()) limit 1',
    )
    if (rows.length === 0) return
  }
  throw new Error('The feed did not become certain')
}

/** Waits until so many statements of a database wait for a lock: the signal that two commands have met. */
export async function untilWaiting(database: Database, sessions = 1): Promise<void> {
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt; ) {
    const { rows } = await database.pool.query<{ waiting: number }>(
      `select count(*) as waiting
       from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`,
    )
    if ((rows[0]?.waiting ?? 0) >= sessions) return
  }
  throw new Error('Nobody came to wait for a lock')
}
