/** One connected Shopware, as the readers and the publisher see it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Shop, StockWrite, WriteOutcome } from '../../app/ports.ts'
import { instantOf, type Sku } from '../../core/ids.ts'
import { Failure } from '../../errors.ts'
import { oneAtATime } from '../one-at-a-time.ts'
import type { TokenStore } from './access-token.ts'
import { shopActs } from './acts.ts'
import { adminApi } from './admin-api.ts'
import { shopCare } from './care.ts'
import { type HttpCall, httpCaller } from './http-call.ts'
import { changedSince, highestOrderNumber, MAX_ORDER_IDS, numberAbove, readOrders, stillOpen } from './orders.ts'
import { MAX_SHOWN, readShown, type ShopwareProduct } from './products.ts'
import { MAX_WRITE_ROWS, writeStock } from './stock-write.ts'

/** What it takes to connect. */
export type ShopConnection = {
  /** The shop's normalised URL, as its registration has it. */
  readonly url: string
  readonly apiKey: string
  readonly secretKey: string
  readonly tokens: TokenStore
  /** Whether the shop may have a private address. Ignored where `call` is given. */
  readonly allowPrivate?: boolean
  /** Makes the HTTP calls; our own bounded caller if absent. */
  readonly call?: HttpCall
  /** The clock that tokens end by, in ms. */
  readonly now?: () => number
  /** Waits so many ms between tries after a deadlock. */
  readonly pause?: (ms: number) => Promise<void>
}

/** A Shopware shop tells a little more about a product than the port asks. */
export interface ShopwareShop extends Shop {
  shown(skus: readonly Sku[]): Promise<readonly ShopwareProduct[]>
}

/** Connects a shop. Nothing is sent before the first call. */
export function connectShop(connection: ShopConnection): ShopwareShop {
  const { url } = connection
  const call = connection.call ?? httpCaller({ allowPrivate: connection.allowPrivate ?? false })
  const pause = connection.pause ?? ((ms) => delay(ms))
  const api = adminApi({
    url,
    apiKey: connection.apiKey,
    secretKey: connection.secretKey,
    tokens: connection.tokens,
    call,
    ...(connection.now === undefined ? {} : { now: connection.now }),
  })
  const inTurn = oneAtATime()

  return {
    highestNumber: () => highestOrderNumber(api),
    ordersAfter: (number) => readOrders(api, url, { filter: [numberAbove(number)] }),
    ordersChangedSince: (since, page) => readOrders(api, url, { filter: [changedSince(since)], page }),
    openOrdersAfter: (number) => readOrders(api, url, { filter: [numberAbove(number), stillOpen] }),
    async ordersById(orderIds) {
      bounded('order ids', orderIds.length, MAX_ORDER_IDS)
      // Shopware reads an empty list of ids as "all".
      return orderIds.length === 0 ? [] : (await readOrders(api, url, { ids: orderIds })).orders
    },
    async shown(skus) {
      bounded('SKUs', skus.length, MAX_SHOWN)
      return readShown(api, url, skus)
    },
    async write(rows: readonly StockWrite[]): Promise<readonly WriteOutcome[]> {
      bounded('rows', rows.length, MAX_WRITE_ROWS)
      // One request in flight: parallel ones meet deadlocks even in the same order of rows.
      return inTurn(() => writeStock(api, url, rows, pause))
    },
    acts: shopActs(api, url),
    care: shopCare({ api, url, pause, inTurn }),
    async clock() {
      const answer = await api.send({ method: 'GET', path: '/api/_info/version' })
      const moment = Date.parse(answer.headers.date ?? '')
      if (!Number.isNaN(moment)) return instantOf(moment)
      throw new Failure('SHOP_ANSWER_UNREADABLE', `${url} answers without a Date header.`, { retry: 'later' })
    },
  }
}

function bounded(what: string, given: number, most: number): void {
  if (given > most) throw new RangeError(`${given} ${what} in one call; at most ${most}`)
}
