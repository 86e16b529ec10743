import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { startOf } from '../../src/adapters/postgres/home-lock.ts'
import { verify } from '../../src/adapters/postgres/verify.ts'
import { configure, firstAccepted, hold, type Logged, place, startLoad, tell } from './load.ts'
import { databaseOf, postmasterOf, type RunningHoldfast, runHoldfast } from './running-holdfast.ts'

// What was answered with a yes is there after anything: a 202, a 200, a 201. What was not answered happened once or not at all.

/** Answers before the blow, and after it. */
const UNDER_LOAD = 150

let home: string
let holdfast: RunningHoldfast

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'holdfast crash '))
  holdfast = await runHoldfast(home)
  await configure(holdfast)
})
afterAll(async () => {
  await holdfast?.stop()
  rmSync(home, { recursive: true, force: true })
})

/** Kills the database server, and waits until it is gone: until then it may still answer. */
async function killServer(signal: 'SIGQUIT' | 'SIGKILL'): Promise<number> {
  const pid = postmasterOf(home)?.pid ?? 0
  process.kill(pid, signal)
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt; ) {
    if (startOf(pid) === undefined) return pid
    await new Promise((wake) => setTimeout(wake, 5))
  }
  throw new Error('The server did not end')
}

/** Looks into the database of the home, as it is now. */
async function lookInto<T>(look: (database: Database) => Promise<T>): Promise<T> {
  const database = databaseOf(home)
  try {
    return await look(database)
  } finally {
    await database.close()
  }
}

/** Holds every answer against what is there. */
async function account(log: readonly Logged[]): Promise<void> {
  await lookInto(async ({ pool }) => {
    const count = async (query: string): Promise<ReadonlyMap<string, number>> =>
      new Map((await pool.query<{ name: string; n: number }>(query)).rows.map(({ name, n }) => [name, n]))
    const messages = await count(
      `select message_id as name, count(*) as n
       from (select message_id from inbox union all select message_id from dead_letter) as kept
       group by message_id`,
    )
    const held = await count(
      `select substr(reservation, length('api:till:') + 1) as name, sum(units) as n from demand
       where reservation is not null group by reservation`,
    )
    const ordered = await count(
      `select order_number as name, sum(units) as n from demand where order_number is not null group by order_number`,
    )
    const wrong = log.flatMap((entry) => {
      const [found, whole] =
        entry.what === 'message'
          ? [messages.get(entry.id) ?? 0, 1]
          : entry.what === 'hold'
            ? [held.get(entry.key) ?? 0, entry.units]
            : [ordered.get(entry.order) ?? 0, entry.units]
      const right = found === whole || (entry.outcome === 'unknown' && found === 0)
      return right ? [] : [{ ...entry, found }]
    })
    expect(wrong).toEqual([])
  })
}

const answeredIn = (log: readonly Logged[]): number => log.filter(({ outcome }) => outcome !== 'unknown').length

/** Every figure of a SKU is in force or in the inbox; every balance is the fold of the ledger. */
async function verified(): Promise<void> {
  await lookInto(async (database) => {
    const verdict = await verify(database)
    expect(verdict.problems).toEqual([])
    expect(verdict.entries).toBeGreaterThan(0)
  })
}

describe('what was acknowledged is durable', () => {
  test('a message, a hold and an order survive an immediate stop of PostgreSQL right after their answer', async () => {
    const log: Logged[] = []
    for (const act of [
      () => tell(holdfast, 'durable', 'DURABLE', 7, 1),
      () => hold(holdfast, 'durable', 'CRASH-1', 2),
      () => place(holdfast, 'durable', 2),
    ]) {
      const entry = await act()
      // No checkpoint, no goodbye: what is not in PostgreSQL's log on the disk is gone.
      await killServer('SIGQUIT')
      expect(entry, JSON.stringify(entry)).not.toMatchObject({ outcome: 'unknown' })
      log.push(entry)
      await firstAccepted(holdfast, `durable-${entry.what}-back`)
    }
    await account(log)
    await verified()
  })
})

describe('a blow under load', () => {
  test('kill -9 of PostgreSQL: Holdfast lives on and answers again by itself; nothing is lost, nothing is there twice', async () => {
    const load = startLoad(holdfast, 'postgres')
    await load.untilAnswered(UNDER_LOAD)
    const pid = await killServer('SIGKILL')
    const since = performance.now()
    const waited = await firstAccepted(holdfast, 'postgres-back')
    await load.untilAnswered(UNDER_LOAD)
    const log = await load.stop()
    console.info(
      `PostgreSQL was killed under load: the next message was accepted after ${Math.round(waited)} ms; ` +
        `${answeredIn(log)} answers before and after, ${log.length - answeredIn(log)} without one ` +
        `(${Math.round(performance.now() - since)} ms in all).`,
    )
    expect(holdfast.process.exitCode).toBeNull()
    expect(postmasterOf(home)?.pid).not.toBe(pid)
    await account(log)
    await verified()
  })

  test('kill -9 of Holdfast: the next start takes over; nothing is lost, nothing is there twice', async () => {
    const load = startLoad(holdfast, 'holdfast')
    await load.untilAnswered(UNDER_LOAD)
    await holdfast.kill()
    const log = await load.stop()
    const since = performance.now()
    holdfast = await runHoldfast(home)
    await firstAccepted(holdfast, 'holdfast-back')
    console.info(
      `Holdfast was killed under load: its next start accepted a message after ${Math.round(performance.now() - since)} ms; ` +
        `${answeredIn(log)} answers before, ${log.length - answeredIn(log)} without one.`,
    )
    await account(log)
    await verified()
  })

  test('what lay in the inbox at the kill is applied after it, without waiting for the claims of the dead', async () => {
    const ids = Array.from({ length: 300 }, (_, n) => `rest-${n}`)
    const told: Logged[] = []
    // In slices: a source has a bound of deliveries that are under way.
    for (let from = 0; from < ids.length; from += 30) {
      const slice = ids.slice(from, from + 30)
      told.push(...(await Promise.all(slice.map((id, n) => tell(holdfast, id, `REST-${from + n}`, n, 1)))))
    }
    expect(told.filter(({ outcome }) => outcome === 'unknown')).toEqual([])
    await holdfast.kill()
    holdfast = await runHoldfast(home)
    await account(told)
    const pending = () =>
      lookInto(async ({ pool }) =>
        Number((await pool.query(`select count(*) as n from inbox where state = 'pending'`)).rows[0].n),
      )
    const since = performance.now()
    while ((await pending()) > 0 && performance.now() - since < 20_000)
      await firstAccepted(holdfast, `rest-${performance.now()}`)
    expect(await pending()).toBe(0)
    await lookInto(async ({ pool }) => {
      const { rows } = await pool.query(
        `select count(*) as n from figure join sku on sku.id = sku_id where sku like 'REST-%'`,
      )
      expect(rows).toEqual([{ n: 300 }])
    })
    await verified()
  })

  test('SIGTERM ends it in order: what was answered is there, and the database server ends after it', async () => {
    const load = startLoad(holdfast, 'term')
    await load.untilAnswered(UNDER_LOAD)
    const server = postmasterOf(home)
    expect(await holdfast.stop('SIGTERM')).toBe(0)
    const log = await load.stop()
    expect(() => process.kill(server?.pid ?? 0, 0)).toThrow('ESRCH')
    expect(postmasterOf(home)).toBeUndefined()
    holdfast = await runHoldfast(home)
    await account(log)
    await verified()
  })
})
