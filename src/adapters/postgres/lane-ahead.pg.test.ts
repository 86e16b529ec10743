import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { apiHold, figure, nord, orderCall, origin, rules, untilWaiting } from '../../../test/postgres-world.ts'
import type { Command } from '../../core/decide.ts'
import type { HoldAnswer } from '../../core/hold.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { availabilityOf } from '../../core/sellable.ts'
import { openDatabase } from './database.ts'
import { createLane, type PostgresLane } from './lane.ts'
import { loadStates } from './load.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase
let lane: PostgresLane
const bugs: unknown[] = []

beforeAll(async () => {
  fresh = await freshDatabase()
  lane = createLane({ database: fresh.database, configuration: () => rules, onBug: (cause) => bugs.push(cause) })
})
afterAll(async () => {
  await lane.stop()
  expect((await verify(fresh.database)).problems).toEqual([])
  await fresh.drop()
})

const isGranted = (answer: HoldAnswer): boolean => answer.granted
const hold = (name: string, sku: string, units = 1) => lane.submit(orderCall(name, [[sku, units]]), origin, 'checkout')

async function sellable(sku: string): Promise<number | undefined> {
  const [state] = await loadStates(fresh.database.pool, [skuOf(sku)])
  return state && availabilityOf(state, rules, nord, instantOf(Date.now())).sellableUnits
}

/** Statements so far that the lane sends only when it decides ahead. */
async function decidedAhead(): Promise<number> {
  const { rows } = await fresh.database.pool.query<{ writers: number }>(
    'select count(distinct writer)::int as writers from sku',
  )
  return rows[0]?.writers ?? 0
}

/** Runs the work while another session has the row of a SKU locked; the work gets what lets it go. */
async function whileLocked<T>(sku: string, work: (release: () => Promise<unknown>) => Promise<T>): Promise<T> {
  const other = new pg.Client({ connectionString: fresh.url })
  await other.connect()
  try {
    await other.query('begin')
    await other.query('select from holdfast.sku where sku = $1 for update', [sku])
    return await work(() => other.query('commit'))
  } finally {
    await other.end()
  }
}

/** Another process, with a memory of its own. */
async function asOtherProcess<T>(work: (other: PostgresLane) => Promise<T>): Promise<T> {
  const database = openDatabase({ url: fresh.url, schema: 'holdfast' })
  const other = createLane({ database, configuration: () => rules })
  try {
    return await work(other)
  } finally {
    await other.stop()
    await database.close()
  }
}

describe('deciding ahead', () => {
  test('a batch is decided on what the one before it will leave, while that one still waits: not one unit too many', async () => {
    await lane.submit(figure('AHEAD', 5, 1), origin)
    await whileLocked('AHEAD', async (release) => {
      const first = [1, 2, 3].map((n) => hold(`ahead-a${n}`, 'AHEAD'))
      await untilWaiting(fresh.database, 1)
      const second = [1, 2, 3].map((n) => hold(`ahead-b${n}`, 'AHEAD'))
      // Both have been decided and sent by the time that the queue is empty; neither can have been written.
      while (lane.waiting() > 0) await new Promise(setImmediate)
      await release()
      expect((await Promise.all(first)).filter(isGranted)).toHaveLength(3)
      expect((await Promise.all(second)).filter(isGranted)).toHaveLength(2)
    })
    expect(await sellable('AHEAD')).toBe(0)
    expect(await decidedAhead()).toBeGreaterThan(0)
  })

  test('nobody is answered before his own commit', async () => {
    await lane.submit(figure('EARLY', 5, 1), origin)
    let answered = 0
    await whileLocked('EARLY', async (release) => {
      const asked = [hold('early-1', 'EARLY'), hold('early-2', 'EARLY', 9)].map((each) =>
        each.finally(() => {
          answered += 1
        }),
      )
      await untilWaiting(fresh.database, 1)
      // A yes and a no alike: what the no was decided on could still turn out otherwise.
      expect(answered).toBe(0)
      await release()
      expect((await Promise.all(asked)).map(isGranted)).toEqual([true, false])
    })
  })

  test('what another process has sold meanwhile is not sold again, though we remember it as free', async () => {
    await lane.submit(figure('STALE', 3, 1), origin)
    await hold('stale-0', 'STALE')
    await asOtherProcess(async (other) => {
      expect(isGranted(await other.submit(orderCall('stale-other', [['STALE', 2]]), origin))).toBe(true)
    })
    expect(isGranted(await hold('stale-1', 'STALE'))).toBe(false)
    expect(await sellable('STALE')).toBe(0)
  })

  test('what another process has given back is seen before a no is said', async () => {
    await lane.submit(figure('BACK', 2, 1), origin)
    await asOtherProcess(async (other) => {
      await other.submit(apiHold('back', [['BACK', 2]]), origin)
      expect(isGranted(await hold('back-1', 'BACK'))).toBe(false)
      await other.submit({ kind: 'release', shop: apiHold('back', []).shop, reservation: 'back' }, origin)
    })
    expect(isGranted(await hold('back-2', 'BACK', 2))).toBe(true)
  })

  test('a row that came to the same version by another history is not taken for the remembered one', async () => {
    await lane.submit(figure('HISTORY', 10, 1), origin)
    await hold('history-1', 'HISTORY')
    // As after a fail-over to a standby that lacked our last commit, and went on by itself.
    await fresh.database.pool.query(
      `update sku set writer = 7, counts = '{"shelves": {"main": [9, 0]}, "shops": {"nord": [9, 0, 0]}}' where sku = 'HISTORY'`,
    )
    expect(isGranted(await hold('history-2', 'HISTORY', 2))).toBe(false)
    await fresh.database.pool.query(
      `update sku set counts = '{"shelves": {"main": [1, 0]}, "shops": {"nord": [1, 0, 0]}}' where sku = 'HISTORY'`,
    )
  })

  test('a line key that an attempt has already is found, whether that attempt is written or still under way', async () => {
    await lane.submit(figure('TWICE', 9, 1), origin)
    const call = (name: string): Command => ({
      ...orderCall(name, []),
      lines: [{ sku: skuOf('TWICE'), units: 1, lineKey: 'twice' }],
    })
    await whileLocked('TWICE', async (release) => {
      const first = lane.submit(call('twice-1'), origin, 'checkout')
      await untilWaiting(fresh.database, 1)
      const second = lane.submit(call('twice-2'), origin, 'checkout')
      while (lane.waiting() > 0) await new Promise(setImmediate)
      await release()
      expect(await first).toMatchObject({ granted: true })
      expect(await second).toMatchObject({ granted: false, refusal: { kind: 'ORDER_BEING_PLACED' } })
    })
    expect(await lane.submit(call('twice-3'), origin, 'checkout')).toMatchObject({
      refusal: { kind: 'ORDER_BEING_PLACED' },
    })
    expect(await sellable('TWICE')).toBe(8)
  })

  test('a batch that fails takes down what was decided on top of it, and all but the culprit are decided again', async () => {
    await lane.submit(figure('FALL', 6, 1), origin)
    await hold('fall-0', 'FALL')
    bugs.length = 0
    // Its name is taken, which only the table knows.
    const culprit = orderCall('fall-0', [])
    await whileLocked('FALL', async (release) => {
      const first = [
        hold('fall-1', 'FALL'),
        lane.submit({ ...culprit, lines: [{ sku: skuOf('FALL'), units: 1, lineKey: 'other' }] }, origin, 'checkout'),
      ]
      await untilWaiting(fresh.database, 1)
      const second = [hold('fall-2', 'FALL'), hold('fall-3', 'FALL')]
      while (lane.waiting() > 0) await new Promise(setImmediate)
      await release()
      const settled = await Promise.allSettled([...first, ...second])
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    })
    expect(bugs).toHaveLength(1)
    expect(await sellable('FALL')).toBe(2)
  })

  test('while a shop is unread it is decided in the ordinary way: nobody stands on what was remembered before', async () => {
    await lane.submit(figure('UNREAD', 5, 1), origin)
    await hold('unread-0', 'UNREAD')
    const { pool } = fresh.database
    await pool.query(
      `insert into shop (name, zone, state, silent_from, silence_noticed_at, read_since_return)
       values ('till', 'Europe/Berlin', 'connected', now(), now(), false)`,
    )
    await pool.query(
      `insert into publication (shop, sku_id, shown_units) select 'till', id, 4 from sku where sku = 'UNREAD'`,
    )
    // Five were there, one is held, and the four that the other shop last showed count as sold (L2).
    expect(isGranted(await hold('unread-1', 'UNREAD'))).toBe(false)
    await pool.query('delete from publication')
    await pool.query('delete from shop')
    expect(isGranted(await hold('unread-2', 'UNREAD'))).toBe(true)
  })

  test('a connection that ends while it waits is an unknown outcome, and the next call is answered', async () => {
    await lane.submit(figure('CUT', 5, 1), origin)
    await whileLocked('CUT', async (release) => {
      const cut = expect(hold('cut', 'CUT')).rejects.toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        retry: 'later',
        message: expect.stringContaining('unknown until you ask again'),
      })
      await untilWaiting(fresh.database)
      await fresh.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      )
      await cut
      await release()
    })
    expect(isGranted(await hold('cut-again', 'CUT'))).toBe(true)
    expect(await sellable('CUT')).toBe(4)
  })
})

test('on a hot SKU two processes that both remember it sell exactly what there is', async () => {
  await lane.submit(figure('BOTH', 200, 1), origin)
  await asOtherProcess(async (other) => {
    const answers = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        // In waves, so that many batches of both are under way in turn.
        for (let turn = 0; turn < n % 40; turn += 1) await new Promise(setImmediate)
        return (n % 2 === 0 ? lane : other).submit(orderCall(`both-${n}`, [['BOTH', 1]]), origin, 'checkout')
      }),
    )
    expect(answers.filter(isGranted)).toHaveLength(200)
  })
  expect(await sellable('BOTH')).toBe(0)
})
