import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { tcpProxyFor } from '../../../test/tcp-proxy.ts'
import { type Leases, openLeases } from './lease.ts'

let fresh: FreshDatabase
const opened: Leases[] = []

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(async () => {
  await Promise.all(opened.map((leases) => leases.close()))
  await fresh.drop()
})

/** The leases of another process. */
function process(url = fresh.url, schema = 'holdfast'): Leases {
  const leases = openLeases(url, schema)
  opened.push(leases)
  return leases
}

const endSessions = () =>
  fresh.database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'holdfast-leases'`,
  )
const sessions = async (): Promise<number> =>
  (
    await fresh.database.pool.query<{ open: number }>(
      `select count(*) as open from pg_stat_activity
       where datname = current_database() and application_name = 'holdfast-leases'`,
    )
  ).rows[0]?.open ?? 0

/** Asks until the answer is yes: a session that ended is noticed at its next use. */
async function eventually(asks: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = Date.now() + 15_000; Date.now() < giveUpAt; ) {
    if (await asks().catch(() => false)) return
    await new Promise(setImmediate)
  }
  throw new Error('It never came true')
}

describe('a lease', () => {
  test('is held by one process at a time, as long as it likes', async () => {
    const [a, b] = [process(), process()]
    expect(await a.holds('nord')).toBe(true)
    expect(await b.holds('nord')).toBe(false)
    expect(await a.holds('nord')).toBe(true)
    expect(await b.holds('sued')).toBe(true)
    await a.close()
    expect(await b.holds('nord')).toBe(true)
    await b.close()
  })

  test('of another schema on the same database is another one', async () => {
    const [a, b] = [process(), process(fresh.url, 'other')]
    expect([await a.holds('nord'), await b.holds('nord')]).toEqual([true, true])
    await Promise.all([a.close(), b.close()])
  })

  test('goes to one of the others when its session ends, and to one alone', async () => {
    const all = [process(), process(), process()]
    await all[0]?.holds('nord')
    await endSessions()
    await eventually(async () => (await Promise.all(all.map((each) => each.holds('nord')))).some(Boolean))
    const held = await Promise.all(all.map((each) => each.holds('nord')))
    expect(held.filter(Boolean)).toHaveLength(1)
    await Promise.all(all.map((each) => each.close()))
  })

  test('survives many broken sessions without leaving one behind that keeps it from everybody', async () => {
    const leases = process()
    for (let round = 0; round < 10; round += 1) {
      await eventually(() => leases.holds('nord'))
      await endSessions()
    }
    await eventually(() => leases.holds('nord'))
    expect(await sessions()).toBe(1)
    await leases.close()
    expect(await process().holds('nord')).toBe(true)
    await opened.at(-1)?.close()
  })

  test('is not believed in by whoever was cut off', async () => {
    const proxy = await tcpProxyFor(fresh.url)
    const cutOff = process(proxy.url)
    expect(await cutOff.holds('nord')).toBe(true)
    proxy.freeze()
    await expect(cutOff.holds('nord')).rejects.toThrow('timeout')
    await proxy.close()
    const other = process()
    await eventually(() => other.holds('nord'))
    await other.close()
  })
})

describe('the living', () => {
  test('the first is alone, and who comes while it finds out waits for it; later ones are not alone', async () => {
    const [a, b, c] = [process(), process(), process()]
    const told: string[] = []
    let letGo = (): void => undefined
    const found = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const first = a.enter(async () => {
      told.push('a is alone')
      await found
      told.push('a is done')
    })
    await eventually(async () => told.length === 1)
    const second = b.enter(async () => {
      told.push('b is alone')
    })
    letGo()
    await first
    await second
    await c.enter(async () => {
      told.push('c is alone')
    })
    expect(told).toEqual(['a is alone', 'a is done'])
    await Promise.all([a.close(), b.close(), c.close()])
    const d = process()
    await d.enter(async () => {
      told.push('d is alone')
    })
    expect(told.at(-1)).toBe('d is alone')
    await d.close()
  })

  test('a process whose session broke is alive again with its next question', async () => {
    const [a, b] = [process(), process()]
    await a.enter(async () => undefined)
    await endSessions()
    await eventually(() => a.holds('nord'))
    let alone = false
    await b.enter(async () => {
      alone = true
    })
    expect(alone).toBe(false)
  })
})
