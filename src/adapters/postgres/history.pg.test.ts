import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideAt } from '../../../test/past.ts'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderCall, orderWord, rules, sealAll } from '../../../test/postgres-world.ts'
import { imageOf } from '../../core/checkpoint.ts'
import type { Command } from '../../core/decide.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { canonicalJson } from '../../core/ledger.ts'
import { configurationAt, type Past, stateAtMoment, statesAt } from './history.ts'
import { SNAPSHOT_EVERY, takeSnapshots } from './history-snapshots.ts'
import { loadStates } from './load.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase
beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())

const at = (text: string) => instantOf(Date.parse(text))
const past = (sku: string, moment: string): Promise<Past> => stateAtMoment(fresh.database.pool, skuOf(sku), at(moment))
const known = async (sku: string, moment: string) => {
  const told = await past(sku, moment)
  if (told.kind !== 'known') throw new Error(`It is ${told.kind}`)
  return told
}
/** A state in one text: what counts and what is live. */
const textOf = (state: Parameters<typeof imageOf>[0]): string =>
  canonicalJson({ ...imageOf(state), counts: [...state.shelfCounts], shops: [...state.shopCounts] })

/** A day of trade in one SKU: a figure, then order calls that become orders or are replaced by the next figure. */
const day = (sku: string, nth: number): readonly Command[] => [
  figure(sku, 500, nth * 10),
  ...Array.from({ length: 6 }, (_, n) => orderCall(`${sku}-${nth}-${n}`, [[sku, 1]])),
  order(`${sku}-o-${nth}`, [{ sku, units: 1, lineKey: `${sku}-${nth}-0-${sku}` }]),
  orderWord('shipped', `${sku}-o-${nth}`, sku, 1, nth * 10 + 5),
]

describe('a moment of the past', () => {
  const moments: { moment: string; text: string; version: number }[] = []

  beforeAll(async () => {
    for (let nth = 1; nth <= 60; nth += 1) {
      const moment = new Date(Date.UTC(2026, 0, nth, 12)).toISOString()
      await decideAt(fresh.database, moment, day('OLD', nth))
      const [state] = await loadStates(fresh.database.pool, [skuOf('OLD')])
      if (state) moments.push({ moment, text: textOf(state), version: state.version })
    }
  })

  test('is what the present was then, with and without snapshots, to the last value', async () => {
    expect(moments.at(-1)?.version).toBeGreaterThan(2 * SNAPSHOT_EVERY)
    const told = async () =>
      await Promise.all(moments.map(async ({ moment }) => textOf((await known('OLD', moment)).state)))
    expect(await told()).toEqual(moments.map(({ text }) => text))
    await sealAll(fresh.database)
    const { more } = await takeSnapshots(fresh.database)
    expect(more).toBe(false)
    const { rows } = await fresh.database.pool.query(`select version from ledger_snapshot where stream = 'sku:OLD'`)
    expect(rows.length).toBeGreaterThanOrEqual(1)
    expect(await told()).toEqual(moments.map(({ text }) => text))
    expect(await verify(fresh.database)).toMatchObject({ problems: [], snapshots: rows.length })
  })

  test('states at versions are asked for together', async () => {
    const { pool } = fresh.database
    const [middle] = moments.slice(30)
    const states = await statesAt(pool, [
      { sku: skuOf('OLD'), version: middle?.version ?? 0 },
      { sku: skuOf('NEVER'), version: 0 },
    ])
    expect(states.get(skuOf('OLD'))?.version).toBe(middle?.version)
    expect(textOf(states.get(skuOf('OLD')) ?? (await known('OLD', '2026-01-01T12:00:00Z')).state)).toBe(middle?.text)
  })

  test('between two entries it is the earlier one; the moment of an entry is in it', async () => {
    const [first, second] = moments
    expect((await known('OLD', '2026-01-02T11:59:59.999Z')).state.version).toBe(first?.version)
    expect(await known('OLD', '2026-01-02T12:00:00Z')).toMatchObject({
      at: at('2026-01-02T12:00:00Z'),
      state: { version: second?.version },
    })
  })

  test('before the first entry it says since when; of a SKU that nobody knows it says that', async () => {
    expect(await past('OLD', '2026-01-01T11:59:59.999Z')).toEqual({
      kind: 'not-yet',
      firstAt: at('2026-01-01T12:00:00Z'),
    })
    expect(await past('NEVER', '2026-01-05T00:00:00Z')).toEqual({ kind: 'unknown' })
  })

  test('a clock that was set back ends the fold where time went on', async () => {
    await decideAt(fresh.database, '2026-05-01T10:00:00Z', [figure('BACK', 1, 1)])
    await decideAt(fresh.database, '2026-05-01T12:00:00Z', [figure('BACK', 2, 2)])
    await decideAt(fresh.database, '2026-05-01T11:00:00Z', [figure('BACK', 3, 3)])
    expect((await known('BACK', '2026-05-01T11:30:00Z')).state.version).toBe(1)
    expect((await known('BACK', '2026-05-01T12:00:00Z')).state.version).toBe(3)
  })
})

describe('snapshots', () => {
  test('one that was changed, and one of a version that nobody has, are found by verify', async () => {
    const { pool } = fresh.database
    await pool.query(`update ledger_snapshot set state = jsonb_set(state, '{nextDemand}', '1')`)
    await pool.query(
      `insert into ledger_snapshot (stream, version, at, txid, seq, live_demands, state)
       values ('sku:GHOST', 200, now(), '1', 1, 0, '{}')`,
    )
    const { problems } = await verify(fresh.database)
    expect(problems).toContainEqual(expect.stringMatching(/^ledger_snapshot \(sku:OLD, version \d+\): is not what/))
    await pool.query('delete from ledger_snapshot')
    await pool.query(
      `insert into ledger_snapshot (stream, version, at, txid, seq, live_demands, state)
       values ('sku:GHOST', 200, now(), '1', 1, 0, '{}')`,
    )
    expect((await verify(fresh.database)).problems).toEqual(['ledger_snapshot: 1 stand for versions that nobody has'])
    await pool.query('delete from ledger_snapshot')
    expect((await verify(fresh.database)).problems).toEqual([])
  })

  test('a state with many live demands is kept less often than its entries', async () => {
    const { pool } = fresh.database
    const crowd = (from: number) =>
      Array.from({ length: 450 }, (_, n) => orderCall(`crowd-${from + n}`, [['CROWD', 1]]))
    await decideAt(fresh.database, '2026-06-01T10:00:00Z', [figure('CROWD', 100_000, 1)])
    for (let from = 0; from < 1_800; from += 450) await decideAt(fresh.database, '2026-06-01T10:00:00Z', crowd(from))
    await sealAll(fresh.database)
    for (let place = await takeSnapshots(fresh.database); place.more; )
      place = await takeSnapshots(fresh.database, place.place)
    const { rows } = await pool.query<{ version: number; live: number }>(
      `select version, live_demands as live from ledger_snapshot where stream = 'sku:CROWD' order by version`,
    )
    expect(rows.map(({ version }) => version)).toEqual([200, 400, 800, 1_600])
    expect((await verify(fresh.database)).problems).toEqual([])
  })
})

test('the rules of a moment are those that were in force then', async () => {
  const { pool } = fresh.database
  const document = (zone: string) => JSON.stringify({ sources: {}, warehouses: {}, shops: { s: { zone } } })
  await pool.query(
    `insert into configuration (version, document, author, created_at)
     values (1, $1, 'a', '2026-02-01T00:00:00Z'), (2, $2, 'a', '2026-03-01T00:00:00.0004Z')`,
    [document('UTC'), document('Europe/Berlin')],
  )
  const versionAt = async (text: string) => (await configurationAt(pool, at(text))).version
  expect(await versionAt('2026-01-31T23:59:59.999Z')).toBe(0)
  expect(await versionAt('2026-02-01T00:00:00Z')).toBe(1)
  expect(await versionAt('2026-02-28T23:59:59.999Z')).toBe(1)
  expect(await versionAt('2026-03-01T00:00:00Z')).toBe(2)
  expect(rules.version).toBe(1)
})
