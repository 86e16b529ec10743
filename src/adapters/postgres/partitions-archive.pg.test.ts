import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decideAt } from '../../../test/past.ts'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderCall, orderWord, sealAll } from '../../../test/postgres-world.ts'
import { imageOf } from '../../core/checkpoint.ts'
import type { Command } from '../../core/decide.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { canonicalJson } from '../../core/ledger.ts'
import { applyConfiguration } from './configuration-store.ts'
import { stateAtMoment } from './history.ts'
import { takeSnapshots } from './history-snapshots.ts'
import { appendEntries, appendEntry } from './ledger.ts'
import { exportLedger, exportMonth } from './ledger-export.ts'
import { checkLedgerFile } from './ledger-file.ts'
import { loadStates } from './load.ts'
import { createArchivist, ledgerMonths } from './partitions-archive.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase
const files = new Map<string, string>()
const archive = (month: string, sha256 = hashOf(month)) =>
  createArchivist(fresh.database).archive(month, sha256, 'token:anna')
const hashOf = (month: string): string =>
  createHash('sha256')
    .update(files.get(month) ?? '')
    .digest('hex')

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}
async function* pieces(text: string) {
  yield text
}
const fileProof = (text: string) => checkLedgerFile(pieces(text))

const month = (name: string, sku: string, sequence: number): readonly Command[] => [
  figure(sku, 100, sequence),
  ...Array.from({ length: 4 }, (_, n) => orderCall(`${sku}-${name}-${n}`, [[sku, 1]])),
  order(`${sku}-${name}`, [{ sku, units: 2, lineKey: `${sku}-${name}-0-${sku}` }]),
  orderWord('shipped', `${sku}-${name}`, sku, 1, sequence + 1),
  figure(sku, 90, sequence + 2),
]

const now = async (sku: string): Promise<string> => {
  const [state] = await loadStates(fresh.database.pool, [skuOf(sku)])
  return state ? canonicalJson({ ...imageOf(state), version: 0 }) : 'unknown'
}
const past = async (sku: string, moment: string) =>
  await stateAtMoment(fresh.database.pool, skuOf(sku), instantOf(Date.parse(moment)))

beforeAll(async () => {
  fresh = await freshDatabase()
  const { database } = fresh
  await decideAt(database, '2026-01-10T12:00:00Z', [...month('jan', 'OLD', 1), ...month('jan', 'QUIET', 1)])
  await database.transaction((client) =>
    appendEntries(client, [
      {
        stream: 'shop:nord',
        version: 1,
        at: '2026-01-11T00:00:00.000Z',
        kind: 'told',
        actor: 'test',
        cause: 'test',
        configuration: 0,
        body: {},
      },
    ]),
  )
  await decideAt(database, '2026-02-10T12:00:00Z', [...month('feb', 'OLD', 10), ...month('feb', 'NEW', 1)])
  await decideAt(database, '2026-03-10T12:00:00Z', month('mar', 'OLD', 20))
  await sealAll(database)
  for (const each of ['2026-01', '2026-02', '2026-03']) files.set(each, await textOf(exportMonth(database.pool, each)))
})
afterAll(() => fresh.drop())

describe('a month is not archived', () => {
  test('that the ledger does not hold, that has nothing in it, that is not over, or that is not the oldest', async () => {
    const present = new Date().toISOString().slice(0, 7)
    await fresh.database.pool.query(`select ledger_partition('2025-12-01')`)
    expect(await archive('2001-01')).toEqual({ state: 'unknown' })
    expect(await archive('2025-12')).toEqual({ state: 'not-ready', why: '2025-12 has no entries.' })
    expect(await archive(present)).toMatchObject({
      state: 'not-ready',
      why: expect.stringContaining('is not over yet'),
    })
    expect(await archive('2026-02')).toEqual({
      state: 'not-ready',
      why: '2026-01 is older and still here: archive it first.',
    })
  })

  test('that the caller does not have as it is', async () => {
    expect(await archive('2026-01', 'f'.repeat(64))).toMatchObject({
      state: 'differs',
      why: expect.stringContaining(hashOf('2026-01')),
    })
  })

  test('that was changed behind our back', async () => {
    const client = await fresh.database.pool.connect()
    try {
      await client.query('set session_replication_role = replica')
      await client.query(`update ledger_entry set actor = 'nobody' where stream = 'shop:nord'`)
      files.set('forged', await textOf(exportMonth(fresh.database.pool, '2026-01')))
      expect(await archive('2026-01', hashOf('forged'))).toMatchObject({
        state: 'not-ready',
        why: expect.stringMatching(/shop:nord v1: its content does not match its hash.*archive nothing before/),
      })
      await client.query(`update ledger_entry set actor = 'test' where stream = 'shop:nord'`)
    } finally {
      client.release(true)
    }
  })

  test('nothing was removed by any of this', async () => {
    expect(await verify(fresh.database)).toMatchObject({ problems: [], archivedEntries: 0 })
    expect((await ledgerMonths(fresh.database.pool)).kept.map(({ month: each }) => each)).toEqual([
      '2026-01',
      '2026-02',
      '2026-03',
    ])
  })
})

describe('archiving months, oldest first', () => {
  test('takes their entries out; seals, states and the rest of the ledger stay, and all is proved', async () => {
    const { database } = fresh
    const before = {
      old: await now('OLD'),
      quiet: await now('QUIET'),
      march: await past('OLD', '2026-03-20T00:00:00Z'),
    }
    const seals = (await database.pool.query('select no, hash from seal order by no')).rows
    expect(await archive('2026-01')).toEqual({
      state: 'archived',
      archived: { month: '2026-01', entries: 17, seals: expect.any(Number), sha256: hashOf('2026-01') },
    })
    const verdict = await verify(database)
    expect(verdict).toMatchObject({ problems: [], archivedEntries: 17 })
    expect(await now('OLD')).toBe(before.old)
    expect(await now('QUIET')).toBe(before.quiet)
    const march = await past('OLD', '2026-03-20T00:00:00Z')
    expect(march).toEqual(before.march)
    expect((await database.pool.query('select no, hash from seal order by no limit $1', [seals.length])).rows).toEqual(
      seals,
    )
    const { rows } = await database.pool.query(
      `select count(*) as old from ledger_entry where at < '2026-02-01T00:00:00Z'`,
    )
    expect(rows).toEqual([{ old: 0 }])
  })

  test('the checkpoints are entries like others, sealed before the month goes', async () => {
    const { rows } = await fresh.database.pool.query<{ stream: string; actor: string; cause: string }>(
      `select stream, actor, cause
       from ledger_entry
       where kind = 'checkpoint'
         and (txid, seq) <= (select last_txid, last_seq from seal order by no desc limit 1)
       order by stream`,
    )
    expect(rows).toEqual(
      ['shop:nord', 'sku:OLD', 'sku:QUIET'].map((stream) => ({
        stream,
        actor: 'token:anna',
        cause: 'archive:2026-01',
      })),
    )
  })

  test('one that is stopped in the middle says so, and leaves everything as it was', async () => {
    const stopped = createArchivist(fresh.database)
    const asked = stopped.archive('2026-02', hashOf('2026-02'), 'token:anna')
    await stopped.stop()
    expect(await asked).toEqual({ state: 'working', what: 'Holdfast is stopping; ask again when it runs' })
    expect(await verify(fresh.database)).toMatchObject({ problems: [], archivedEntries: 17 })
  })

  test('a failure is told to whoever asks', async () => {
    const broken = { ...fresh.database, pool: { query: () => Promise.reject(new Error('it broke')) } }
    const failing = createArchivist(broken as unknown as typeof fresh.database)
    await expect(failing.archive('2026-02', hashOf('2026-02'), 'token:anna')).rejects.toThrow('it broke')
    await failing.stop()
  })

  test('asked again it says the same; of another file it says that it was another', async () => {
    expect(await archive('2026-01')).toMatchObject({ state: 'archived', archived: { sha256: hashOf('2026-01') } })
    expect(await archive('2026-01', 'e'.repeat(64))).toMatchObject({ state: 'differs' })
  })

  test('the past before the cut is said to be archived, behind it everything is known', async () => {
    expect(await past('OLD', '2026-01-20T00:00:00Z')).toEqual({
      kind: 'archived',
      keptFrom: Date.parse('2026-02-01T00:00:00Z'),
    })
    expect(await past('QUIET', '2026-02-20T00:00:00Z')).toMatchObject({ kind: 'known', state: { version: 8 } })
    expect(await past('NEW', '2026-01-20T00:00:00Z')).toMatchObject({ kind: 'not-yet' })
  })

  test('streams go on, and further months follow', async () => {
    const { database } = fresh
    await database.transaction((client) =>
      appendEntry(client, {
        stream: 'shop:nord',
        kind: 'told',
        actor: 'test',
        cause: 'test',
        configuration: 0,
        body: {},
      }),
    )
    const present = `${new Date().toISOString().slice(0, 8)}01T00:00:00.000Z`
    await decideAt(database, present, month('now', 'OLD', 30))
    await sealAll(database)
    for (let round = await takeSnapshots(database); round.more; ) round = await takeSnapshots(database, round.place)
    const before = await now('OLD')
    expect(await archive('2026-02')).toMatchObject({ state: 'archived' })
    // Who asks again and again waits for one and the same job.
    const hasty = createArchivist(database, 1)
    const steps = new Set<string>()
    for (let asked = 0; asked < 10_000 && !steps.has('archived'); asked += 1)
      steps.add((await hasty.archive('2026-03', hashOf('2026-03'), 'token:anna')).state)
    expect([...steps]).toEqual(['working', 'archived'])
    await hasty.stop()
    expect(await verify(database)).toMatchObject({ problems: [] })
    expect(await now('OLD')).toBe(before)
    expect((await ledgerMonths(database.pool)).archived.map(({ month: each }) => each)).toEqual([
      '2026-01',
      '2026-02',
      '2026-03',
    ])
    await applyConfiguration(database, { sources: {}, warehouses: {}, shops: {} }, 'anna')
    expect((await verify(database)).problems).toEqual([])
  })

  test('the whole ledger still proves itself, with the seals of the months that are gone', async () => {
    const proof = await fileProof(await textOf(exportLedger(fresh.database, {}, 'ndjson')))
    expect(proof.problems).toEqual([])
    expect(proof.seals).toBeGreaterThan(3)
  })

  test('a checkpoint that was forged, a balance, or an ended demand of archived months is found', async () => {
    const client = await fresh.database.pool.connect()
    const problemsAfter = async (change: string, back: string) => {
      await client.query(change)
      const { problems } = await verify(fresh.database)
      await client.query(back)
      return problems
    }
    try {
      await client.query('set session_replication_role = replica')
      expect(
        await problemsAfter(
          `update demand set order_number = 'x' || order_number
           where ended is not null and order_number is not null and sku_id = (select id from sku where sku = 'QUIET')`,
          `update demand set order_number = substr(order_number, 2) where order_number like 'x%'`,
        ),
      ).toEqual([expect.stringMatching(/^demand \(sku QUIET\): those that ended before version 8 are not what/)])
      expect(
        await problemsAfter(
          `update figure set units = units + 1 where sku_id = (select id from sku where sku = 'QUIET')`,
          `update figure set units = units - 1 where sku_id = (select id from sku where sku = 'QUIET')`,
        ),
      ).toEqual([expect.stringMatching(/^figure \(sku QUIET, warehouse main\), units: /)])
      const problems = await problemsAfter(
        `update ledger_entry set body = jsonb_set(body::jsonb, '{checkpoint,state,nextDemand}', '99') where stream = 'sku:QUIET'`,
        `update ledger_entry set body = jsonb_set(body::jsonb, '{checkpoint,state,nextDemand}', '6') where stream = 'sku:QUIET'`,
      )
      expect(problems[0]).toMatch(/^Entry sku:QUIET v9: its content does not match its hash$/)
    } finally {
      client.release(true)
    }
    expect((await verify(fresh.database)).problems).toEqual([])
  })

  test('a month that went without being archived is found by its seals', async () => {
    const client = await fresh.database.pool.connect()
    try {
      await client.query('begin')
      await client.query('set session_replication_role = replica')
      await client.query(`delete from ledger_entry where stream = 'ledger' and body ->> 'month' = '2026-02'`)
      await client.query('commit')
    } finally {
      client.release(true)
    }
    const { problems } = await verify(fresh.database)
    expect(problems).toContainEqual(expect.stringMatching(/^Seal \d+: entries that it covers are gone$/))
  })
})

describe('the file of a month', () => {
  test('proves itself', async () => {
    expect(await fileProof(files.get('2026-01') ?? '')).toEqual({
      entries: 17,
      unsealedEntries: 0,
      seals: expect.any(Number),
      months: ['2026-01'],
      sha256: hashOf('2026-01'),
      problems: [],
    })
  })

  test('a file in pieces, cut anywhere, reads the same', async () => {
    const text = Buffer.from(files.get('2026-02') ?? '')
    async function* cut() {
      for (let from = 0; from < text.length; from += 97) yield text.subarray(from, from + 97)
    }
    expect(await checkLedgerFile(cut())).toEqual(await fileProof(files.get('2026-02') ?? ''))
  })

  test.each<[string, (lines: string[]) => string[], RegExp]>([
    [
      'a changed word',
      (lines) => lines.map((line) => line.replace('"actor":"test"', '"actor":"nobody"')),
      /content does/,
    ],
    ['a missing entry', (lines) => lines.slice(1), /covers \d+ entries, found \d+/],
    ['two that changed places', ([a = '', b = '', ...rest]) => [b, a, ...rest], /its block is not what it was/],
    ['a line of something else', (lines) => ['{"hello":1}', ...lines], /is no line of a ledger/],
    ['half a line', (lines) => [...lines.slice(0, -1), (lines.at(-1) ?? '').slice(0, 50)], /is no line of a ledger/],
    ['another chain', (lines) => lines.map((line) => line.replace(/"before":"../, '"before":"00')), /chain is broken/],
  ])('%s is found', async (_, forge, problem) => {
    const lines = (files.get('2026-01') ?? '').trimEnd().split('\n')
    const { problems } = await fileProof(forge(lines).join('\n'))
    expect(problems.some((each) => problem.test(each))).toBe(true)
  })
})
