import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import {
  apiHold,
  figure,
  type Lines,
  nord,
  order,
  orderCall,
  orderWord,
  origin,
  rules,
  till,
  untilWaiting,
} from '../../../test/postgres-world.ts'
import { tcpProxyFor } from '../../../test/tcp-proxy.ts'
import type { Command } from '../../core/decide.ts'
import { isHeld } from '../../core/demand.ts'
import type { HoldAnswer } from '../../core/hold.ts'
import { instantOf, shopOf, skuOf } from '../../core/ids.ts'
import { availabilityOf } from '../../core/sellable.ts'
import { type Database, openDatabase } from './database.ts'
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
  // Whatever the tests did to it, the ledger and the tables still say the same.
  expect((await verify(fresh.database)).problems).toEqual([])
  await fresh.drop()
})

const isGranted = (answer: HoldAnswer): boolean => answer.granted

async function sellable(sku: string, shop = nord): Promise<number | undefined> {
  const [state] = await loadStates(fresh.database.pool, [skuOf(sku)])
  return state && availabilityOf(state, rules, shop, instantOf(Date.now())).sellableUnits
}

/** Units held under a reservation, by SKU. */
async function heldUnder(reservation: string, skus: readonly string[]): Promise<Record<string, number>> {
  const states = await loadStates(fresh.database.pool, skus.map(skuOf))
  const held: Record<string, number> = {}
  for (const { sku, demands } of states) {
    for (const demand of demands.values()) {
      if (isHeld(demand) && demand.reservation === reservation) held[sku] = (held[sku] ?? 0) + demand.units
    }
  }
  return held
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

/** Another process: a pool and a lane of its own. */
async function asOtherProcess<T>(work: (other: PostgresLane, database: Database) => Promise<T>, url = fresh.url) {
  const database = openDatabase({ url, schema: 'holdfast' })
  const other = createLane({ database, configuration: () => rules })
  try {
    return await work(other, database)
  } finally {
    await other.stop()
    await database.close()
  }
}

describe('L7: the lane', () => {
  test('gives 500 buyers of 100 units exactly 100', async () => {
    await lane.submit(figure('HOT', 100, 1), origin)
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => lane.submit(orderCall(`hot-${n}`, [['HOT', 1]]), origin, 'checkout')),
    )
    expect(answers.filter(isGranted)).toHaveLength(100)
    expect(await sellable('HOT')).toBe(0)
  })

  test('decides a basket whole: when one line lacks units, no line is held', async () => {
    await lane.submit(figure('LEFT', 5, 1), origin)
    await lane.submit(figure('RIGHT', 1, 1), origin)
    const basket = (left: number, right: number): Lines => [
      ['LEFT', left],
      ['RIGHT', right],
    ]
    expect(await lane.submit(orderCall('basket-1', basket(2, 2)), origin)).toMatchObject({
      granted: false,
      refusal: { kind: 'NOT_ENOUGH', lines: [{ sku: 'RIGHT', askedUnits: 2, sellableUnits: 1 }] },
    })
    expect(isGranted(await lane.submit(orderCall('basket-2', basket(5, 1)), origin))).toBe(true)
  })

  test('a command that breaks a constraint fails alone and its neighbours are answered', async () => {
    await lane.submit(figure('FINE', 10, 1), origin)
    bugs.length = 0
    const broken: Command = { ...orderCall('broken', []), lines: [{ sku: skuOf('FINE'), units: 0.5 }] }
    const answers = await Promise.allSettled([
      lane.submit(orderCall('good-1', [['FINE', 1]]), origin),
      lane.submit(broken, origin),
      lane.submit(orderCall('good-2', [['FINE', 1]]), origin),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(bugs).toHaveLength(1)
    expect(await sellable('FINE')).toBe(8)
  })

  test('a command that throws fails alone and leaves no trace', async () => {
    await lane.submit(figure('TRACE', 10, 1), origin)
    const throwing: Command = {
      ...orderCall('throwing', [['TRACE', 1]]),
      get mode(): 'all' {
        throw new Error('its timeout has ended')
      },
    }
    const answers = await Promise.allSettled([
      lane.submit(throwing, origin),
      lane.submit(orderCall('beside', [['TRACE', 1]]), origin),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await sellable('TRACE')).toBe(9)
  })

  test('a listener that throws does not have the batch decided a second time', async () => {
    await lane.submit(figure('HINT', 10, 1), origin)
    const told: unknown[] = []
    const hinting = createLane({
      database: fresh.database,
      configuration: () => rules,
      onChanged: () => {
        throw new Error('a listener fell over')
      },
      onBug: (cause) => told.push(cause),
    })
    expect(isGranted(await hinting.submit(orderCall('hint', [['HINT', 4]]), origin))).toBe(true)
    await hinting.stop()
    expect(await sellable('HINT')).toBe(6)
    expect(told).toHaveLength(1)
  })

  test('bulk does not keep a buyer waiting: a locked snapshot stops nobody else', async () => {
    await lane.submit(figure('FREE', 10, 1), origin)
    await lane.submit(figure('LOCKED', 10, 1), origin)
    await whileLocked('LOCKED', async (release) => {
      const snapshot = Array.from({ length: 300 }, (_, n) =>
        lane.submit(figure(n === 0 ? 'LOCKED' : `BULK-${n}`, 1, 2), origin, 'bulk'),
      )
      await untilWaiting(fresh.database)
      expect(isGranted(await lane.submit(orderCall('free', [['FREE', 1]]), origin, 'checkout'))).toBe(true)
      await release()
      await Promise.all(snapshot)
    })
  })

  test('an order takes the attempt with its line key, and its units are counted once', async () => {
    await lane.submit(figure('ONCE', 10, 1), origin)
    await lane.submit(orderCall('once-1', [['ONCE', 3]]), origin)
    const placed = order('o-1', [{ sku: 'ONCE', units: 3, lineKey: 'once-1-ONCE' }])
    expect(await lane.submit(placed, origin)).toEqual({ fromHoldsUnits: 3, unheldUnits: 0, shortageUnits: 0 })
    expect(await lane.submit(placed, origin)).toEqual({ fromHoldsUnits: 0, unheldUnits: 0, shortageUnits: 0 })
    expect(await sellable('ONCE')).toBe(7)
  })
})

describe('attempts and orders over several SKUs', () => {
  test('an order takes its whole attempt: what the order does not name is given back', async () => {
    await lane.submit(figure('KEPT', 5, 1), origin)
    await lane.submit(figure('DROPPED', 5, 1), origin)
    await lane.submit(
      orderCall('whole', [
        ['KEPT', 1],
        ['DROPPED', 2],
      ]),
      origin,
    )
    await lane.submit(order('whole', [{ sku: 'KEPT', units: 1, lineKey: 'whole-KEPT' }]), origin)
    expect([await sellable('KEPT'), await sellable('DROPPED')]).toEqual([4, 5])
  })

  test('the same in one batch with the call itself', async () => {
    await lane.submit(figure('KEPT-2', 5, 1), origin)
    await lane.submit(figure('DROPPED-2', 5, 1), origin)
    await Promise.all([
      lane.submit(
        orderCall('batched', [
          ['KEPT-2', 1],
          ['DROPPED-2', 2],
        ]),
        origin,
      ),
      lane.submit(order('batched', [{ sku: 'KEPT-2', units: 1, lineKey: 'batched-KEPT-2' }]), origin),
    ])
    expect([await sellable('KEPT-2'), await sellable('DROPPED-2')]).toEqual([4, 5])
  })

  test('two line keys of one SKU: an order with one of them gives back what the other held', async () => {
    await lane.submit(figure('TWICE', 9, 1), origin)
    const twoLines = [
      { sku: skuOf('TWICE'), units: 2, lineKey: 'twice-1' },
      { sku: skuOf('TWICE'), units: 3, lineKey: 'twice-2' },
    ]
    await lane.submit({ ...orderCall('twice', []), lines: twoLines }, origin)
    await lane.submit(order('twice', [{ sku: 'TWICE', units: 2, lineKey: 'twice-1' }]), origin)
    expect(await sellable('TWICE')).toBe(7)
  })

  test('an API key that comes back with another SKU gives back the first', async () => {
    await lane.submit(figure('FIRST', 5, 1), origin)
    await lane.submit(figure('SECOND', 5, 1), origin)
    await lane.submit(apiHold('replaced', [['FIRST', 2]]), origin)
    await lane.submit(apiHold('replaced', [['SECOND', 3]]), origin)
    expect(await heldUnder('replaced', ['FIRST', 'SECOND'])).toEqual({ SECOND: 3 })
  })

  test('the same key twice in one batch is no error: the later one counts', async () => {
    await lane.submit(figure('BOTH', 9, 1), origin)
    bugs.length = 0
    await Promise.all([
      lane.submit(apiHold('both', [['BOTH', 2]]), origin),
      lane.submit(apiHold('both', [['BOTH', 5]]), origin),
    ])
    expect(await heldUnder('both', ['BOTH'])).toEqual({ BOTH: 5 })
    expect(bugs).toEqual([])
  })

  test('one API key written by two processes at once with different SKUs holds one of them, not both', async () => {
    await lane.submit(figure('RACE-A', 5, 1), origin)
    await lane.submit(figure('RACE-B', 5, 1), origin)
    await asOtherProcess((other) =>
      whileLocked('RACE-A', async (release) => {
        const first = lane.submit(apiHold('raced', [['RACE-A', 1]]), origin)
        await untilWaiting(fresh.database, 1)
        const second = other.submit(apiHold('raced', [['RACE-B', 1]]), origin)
        await untilWaiting(fresh.database, 2)
        await release()
        expect([await first, await second].every(isGranted)).toBe(true)
        expect(await heldUnder('raced', ['RACE-A', 'RACE-B'])).toEqual({ 'RACE-B': 1 })
      }),
    )
  })

  test('one order told by two processes at once, before and after an edit, is as one of them says', async () => {
    await lane.submit(figure('EDIT-A', 5, 1), origin)
    await lane.submit(figure('EDIT-B', 5, 1), origin)
    await asOtherProcess((other) =>
      whileLocked('EDIT-A', async (release) => {
        const first = lane.submit(order('edited', [{ sku: 'EDIT-A', units: 1 }]), origin)
        await untilWaiting(fresh.database, 1)
        const second = other.submit(order('edited', [{ sku: 'EDIT-B', units: 1 }]), origin)
        await untilWaiting(fresh.database, 2)
        await release()
        await Promise.all([first, second])
        expect([await sellable('EDIT-A'), await sellable('EDIT-B')]).toEqual([5, 4])
      }),
    )
  })

  test('orders of two shops may have the same id', async () => {
    await lane.submit(figure('SAME-ID', 9, 1), origin)
    await lane.submit(order('1001', [{ sku: 'SAME-ID', units: 1 }], { shop: nord }), origin)
    await lane.submit(order('1001', [{ sku: 'SAME-ID', units: 2 }], { shop: till }), origin)
    await lane.submit(order('1001', [{ sku: 'SAME-ID', units: 1 }], { shop: nord, state: 'cancelled' }), origin)
    expect(await sellable('SAME-ID')).toBe(7)
  })
})

describe('several processes on one database', () => {
  test('never give the last unit twice', async () => {
    await lane.submit(figure('LAST', 30, 1), origin)
    await asOtherProcess(async (other) => {
      const answers = await Promise.all(
        Array.from({ length: 120 }, (_, n) =>
          (n % 2 === 0 ? lane : other).submit(orderCall(`last-${n}`, [['LAST', 1]]), origin),
        ),
      )
      expect(answers.filter(isGranted)).toHaveLength(30)
    })
  })

  test('baskets in opposite order over the same SKUs never wait for each other for ever', async () => {
    const skus = ['X-1', 'X-2', 'X-3', 'X-4', 'X-5']
    await Promise.all(skus.map((sku) => lane.submit(figure(sku, 100, 1), origin)))
    const { rows: before } = await fresh.database.pool.query<{ deadlocks: number }>(DEADLOCKS)
    await asOtherProcess(async (other) => {
      const answers = await Promise.all(
        Array.from({ length: 400 }, (_, n) => {
          const rotated = skus.map((_, at) => skus[(at + n) % skus.length] ?? '')
          const chosen = (n % 3 === 0 ? rotated.toReversed() : rotated).slice(0, 3)
          return (n % 2 === 0 ? lane : other).submit(
            orderCall(
              `cross-${n}`,
              chosen.map((sku) => [sku, 1] as const),
            ),
            origin,
          )
        }),
      )
      // 500 units of five SKUs make 166 baskets of three at most.
      const granted = answers.filter(isGranted).length
      const left = await Promise.all(skus.map((sku) => sellable(sku)))
      expect(left.every((units) => units !== undefined && units >= 0)).toBe(true)
      expect(left.reduce<number>((sum, units) => sum + (units ?? 0), 0)).toBe(500 - 3 * granted)
    })
    const { rows: after } = await fresh.database.pool.query<{ deadlocks: number }>(DEADLOCKS)
    expect(after).toEqual(before)
  })

  test('a word that both take from the inbox counts once', async () => {
    await lane.submit(figure('WORD', 10, 1), origin)
    await lane.submit(order('word', [{ sku: 'WORD', units: 4 }]), origin)
    const { rows } = await fresh.database.pool.query<{ id: number }>(
      `insert into inbox (source, message_id, content_hash, raw, words) values ('wms', 'both', '\\x00', '', 1) returning id`,
    )
    const receipt = { inboxId: rows[0]?.id ?? 0, word: 0 }
    const partly = orderWord('shipped', 'word', 'WORD', 1, 2)
    const verdicts = await asOtherProcess((other) =>
      Promise.all([lane, other, lane, other].map((each) => each.submit(partly, { ...origin, receipt }))),
    )
    expect(verdicts.map(({ verdict }) => verdict).sort()).toEqual(['applied', 'repeated', 'repeated', 'repeated'])
    const { rows: shipped } = await fresh.database.pool.query<{ units: number }>(
      `select sum(units)::int as units from demand where order_id = 'word' and phase = 'shipped'`,
    )
    expect(shipped).toEqual([{ units: 1 }])
  })
})

const DEADLOCKS = 'select deadlocks::int as deadlocks from pg_stat_database where datname = current_database()'

describe('trouble with the database', () => {
  test('a deadlock with a stranger is survived: the batch is done again', async () => {
    await Promise.all(['DEAD-A', 'DEAD-B'].map((sku) => lane.submit(figure(sku, 5, 1), origin)))
    const stranger = new pg.Client({ connectionString: fresh.url })
    await stranger.connect()
    try {
      // The stranger looks for deadlocks late, so that the lane is the one who is told.
      await stranger.query(`set deadlock_timeout = '20s'; set search_path = holdfast; begin`)
      await stranger.query(`select from sku where sku = 'DEAD-B' for update`)
      const basket = lane.submit(
        orderCall('dead', [
          ['DEAD-A', 1],
          ['DEAD-B', 1],
        ]),
        origin,
      )
      await untilWaiting(fresh.database)
      await stranger.query(`select from sku where sku = 'DEAD-A' for update`)
      await stranger.query('commit')
      expect(isGranted(await basket)).toBe(true)
    } finally {
      await stranger.end()
    }
    expect([await sellable('DEAD-A'), await sellable('DEAD-B')]).toEqual([4, 4])
  })

  test('a connection that ends in the middle is DATABASE_UNREACHABLE, nothing was changed, and the next command is answered', async () => {
    await lane.submit(figure('CUT', 5, 1), origin)
    await whileLocked('CUT', async (release) => {
      const cut = expect(lane.submit(apiHold('cut', [['CUT', 1]]), origin)).rejects.toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        retry: 'later',
        message: expect.stringContaining('nothing was changed'),
      })
      await untilWaiting(fresh.database)
      await fresh.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      )
      await cut
      await release()
    })
    expect(isGranted(await lane.submit(orderCall('after-cut', [['CUT', 1]]), origin))).toBe(true)
    expect(await sellable('CUT')).toBe(4)
  })

  test('a lost acknowledgement of the commit is an unknown outcome, and asking again does nothing twice', async () => {
    await lane.submit(figure('ACK', 10, 1), origin)
    const proxy = await tcpProxyFor(fresh.url)
    try {
      await asOtherProcess(async (other) => {
        const hold = apiHold('ack', [['ACK', 3]])
        proxy.loseNextCommitAnswer()
        await expect(other.submit(hold, origin)).rejects.toMatchObject({
          code: 'DATABASE_UNREACHABLE',
          message: expect.stringContaining('unknown'),
        })
        expect(await heldUnder('ack', ['ACK'])).toEqual({ ACK: 3 })
        expect(isGranted(await other.submit(hold, origin))).toBe(true)
        expect(await heldUnder('ack', ['ACK'])).toEqual({ ACK: 3 })

        const placed = order('ack', [{ sku: 'ACK', units: 3 }], { shop: till, reservation: 'ack' })
        proxy.loseNextCommitAnswer()
        await expect(other.submit(placed, origin)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
        expect(await other.submit(placed, origin)).toEqual({ fromHoldsUnits: 0, unheldUnits: 0, shortageUnits: 0 })
        expect(await sellable('ACK')).toBe(7)
      }, proxy.url)
    } finally {
      await proxy.close()
    }
  })

  test('a word whose commit was not acknowledged is repeated when it comes again', async () => {
    await lane.submit(figure('TICK', 10, 5), origin)
    await lane.submit(order('tick', [{ sku: 'TICK', units: 4 }]), origin)
    const { rows } = await fresh.database.pool.query<{ id: number }>(
      `insert into inbox (source, message_id, content_hash, raw, words) values ('wms', 'tick', '\\x00', '', 1) returning id`,
    )
    const receipt = { inboxId: rows[0]?.id ?? 0, word: 0 }
    const proxy = await tcpProxyFor(fresh.url)
    try {
      await asOtherProcess(async (other) => {
        proxy.loseNextCommitAnswer()
        const partly = orderWord('allocated', 'tick', 'TICK', 1, 2)
        await expect(other.submit(partly, { ...origin, receipt })).rejects.toMatchObject({
          code: 'DATABASE_UNREACHABLE',
        })
        expect(await other.submit(partly, { ...origin, receipt })).toEqual({ verdict: 'repeated' })
        expect(await sellable('TICK')).toBe(7)
      }, proxy.url)
    } finally {
      await proxy.close()
    }
  })

  test('a database that cannot be reached at all is DATABASE_UNREACHABLE', async () => {
    await asOtherProcess(async (other) => {
      await expect(other.submit(figure('AWAY', 1, 1), origin)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    }, 'postgres://nobody@127.0.0.1:1/none')
  })
})

test('a shop that is not configured sells nothing, and its orders are facts all the same', async () => {
  await lane.submit(figure('STRANGE', 5, 1), origin)
  const strange = shopOf('strange')
  expect(await lane.submit(orderCall('strange', [['STRANGE', 1]], strange), origin)).toMatchObject({ granted: true })
  await lane.submit(order('strange', [{ sku: 'STRANGE', units: 2 }], { shop: strange }), origin)
  expect(await sellable('STRANGE')).toBe(5)
})

test('a new SKU keeps the form that its warehouse sent beside the canonical one', async () => {
  await lane.submit(figure('SPELT', 5, 1), { ...origin, sentAs: ' SPELT\t' })
  await lane.submit(figure('SPELT', 6, 2), origin)
  await lane.submit(figure('PLAIN', 5, 1), origin)
  const { rows } = await fresh.database.pool.query(
    `select sku, sent_as from sku where sku in ('SPELT', 'PLAIN') order by sku`,
  )
  expect(rows).toEqual([
    { sku: 'PLAIN', sent_as: 'PLAIN' },
    { sku: 'SPELT', sent_as: ' SPELT\t' },
  ])
})
