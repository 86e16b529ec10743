/**
 * Transactions that are known whole before they begin: begin, every statement and commit go out in one piece, and the next one
 * behind them without waiting. Those about the same SKU share a connection, so they happen in the order in which they were sent:
 * the second may build on what the first will have written, as long as it asks, inside itself, whether the first was kept.
 */
import type pg from 'pg'
import type { Sku } from '../../core/ids.ts'
import { type Leave, unreachable } from './database.ts'
import { isOutage } from './outage.ts'

/** Connections side by side: as many as the lane has workers. */
const WAYS = 2
/** How long a SKU that others write too is decided in the ordinary way. */
const GIVEN_UP_MS = 250
/** SKUs that may be given up at once; beyond it the oldest gets another chance. */
const MAX_GIVEN_UP = 1_000

/** Sends what makes up the transaction, and hands back the promise of the one answer that is wanted of it. */
type Send<T> = (client: pg.ClientBase, leave: Leave) => Promise<T>

export type Ways = {
  /**
   * Sends a transaction about some SKUs, behind those about the same ones that are under way. It fails or is kept as one; nothing
   * is sent after its commit, so a failure needs no rollback.
   *
   * @throws what the first statement that failed threw, or the sender; Failure DATABASE_UNREACHABLE when PostgreSQL went away
   */
  send<T>(skus: readonly Sku[], send: Send<T>): Promise<T>
  /** What these SKUs were believed to be did not stand: somebody else writes them too. */
  giveUp(skus: readonly Sku[]): void
  isGivenUp(sku: Sku): boolean
}

/** @param passedMs a clock that only ever goes forward; Node's own if absent */
export function openWays(pool: pg.Pool, passedMs: () => number = () => performance.now()): Ways {
  const ways = Array.from({ length: WAYS }, () => ({ skus: new Map<Sku, number>(), send: openAtOnce(pool) }))
  const givenUp = new Map<Sku, number>()

  const wayFor = (skus: readonly Sku[]) => {
    const [first] = ways
    if (!first) throw new Error('There is no way')
    const same = ways.find(({ skus: underWay }) => skus.some((sku) => underWay.has(sku)))
    return same ?? ways.find(({ skus: underWay }) => underWay.size === 0) ?? first
  }

  return {
    async send(skus, send) {
      const way = wayFor(skus)
      for (const sku of skus) way.skus.set(sku, (way.skus.get(sku) ?? 0) + 1)
      try {
        return await way.send(send)
      } finally {
        for (const sku of skus) {
          const left = (way.skus.get(sku) ?? 1) - 1
          if (left > 0) way.skus.set(sku, left)
          else way.skus.delete(sku)
        }
      }
    },
    giveUp(skus) {
      for (const sku of skus) givenUp.set(sku, passedMs() + GIVEN_UP_MS)
      for (const oldest of givenUp.keys()) {
        if (givenUp.size <= MAX_GIVEN_UP) return
        givenUp.delete(oldest)
      }
    },
    isGivenUp(sku) {
      const until = givenUp.get(sku)
      if (until === undefined) return false
      if (passedMs() < until) return true
      givenUp.delete(sku)
      return false
    },
  }
}

type Shared = { readonly client: Promise<pg.PoolClient>; underWay: number; broken: boolean }

/** One connection of the pool for as long as something is under way on it. */
function openAtOnce(pool: pg.Pool) {
  let shared: Shared | undefined
  return async <T>(send: Send<T>): Promise<T> => {
    shared ??= { client: pool.connect(), underWay: 0, broken: false }
    const own = shared
    own.underWay += 1
    let sent = false
    try {
      const client = await own.client
      sent = true
      return await sendWhole(client, send)
    } catch (cause) {
      if (!isOutage(cause)) throw cause
      own.broken = true
      if (shared === own) shared = undefined
      throw unreachable(cause, sent)
    } finally {
      own.underWay -= 1
      if (own.underWay === 0) {
        if (shared === own) shared = undefined
        await own.client.then(
          (client) => client.release(own.broken),
          () => undefined,
        )
      }
    }
  }
}

async function sendWhole<T>(client: pg.PoolClient, send: Send<T>): Promise<T> {
  const sent: Promise<unknown>[] = []
  const leave: Leave = (each) => {
    each.catch(() => undefined)
    sent.push(each)
  }
  leave(client.query('begin'))
  let wanted: Promise<T>
  try {
    wanted = send(client, leave)
  } catch (cause) {
    // Whoever shares the connection must not find this transaction open.
    leave(client.query('rollback'))
    await Promise.allSettled(sent)
    throw cause
  }
  const [committed, ...others] = await Promise.allSettled([client.query('commit'), ...sent])
  for (const each of others) if (each.status === 'rejected') throw each.reason
  if (committed.status === 'rejected') throw committed.reason
  const { command } = committed.value
  if (command !== 'COMMIT') throw new Error(`The transaction was rolled back at its commit (${command})`)
  return await wanted
}
