import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { sealAll } from '../../../test/postgres-world.ts'
import { openDatabase } from './database.ts'
import { appendEntries, appendEntry } from './ledger.ts'
import { sealBlock } from './seal.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())

const entry = (stream: string) => ({
  stream,
  kind: 'told',
  actor: 'test',
  cause: 'test',
  configuration: 1,
  body: {},
})
const append = (stream: string) => fresh.database.transaction((client) => appendEntry(client, entry(stream)))

type Seal = { readonly no: number; readonly entries: number }
const seals = async () => (await fresh.database.pool.query<Seal>('select no, entries from seal order by no')).rows

test('nothing to seal is no seal', async () => {
  expect(await sealBlock(fresh.database)).toBe(0)
  expect(await seals()).toEqual([])
})

test('blocks follow each other without a gap and cover every entry once', async () => {
  for (const stream of ['shop:a', 'shop:b', 'shop:a']) {
    await append(stream)
    await sealAll(fresh.database)
  }
  expect(await seals()).toEqual([
    { no: 1, entries: 1 },
    { no: 2, entries: 1 },
    { no: 3, entries: 1 },
  ])
  expect((await verify(fresh.database)).problems).toEqual([])
})

test('many entries become several blocks', async () => {
  const many = Array.from({ length: 5_100 }, (_, n) => ({
    ...entry('shop:many'),
    version: n + 1,
    at: new Date().toISOString(),
  }))
  await fresh.database.transaction((client) => appendEntries(client, many))
  await sealAll(fresh.database)
  expect((await seals()).slice(3).map(({ entries }) => entries)).toEqual([5_000, 100])
  expect((await verify(fresh.database)).problems).toEqual([])
})

test('nothing is sealed over seals that were removed, and a person is told', async () => {
  const { pool } = fresh.database
  await append('shop:a')
  await sealAll(fresh.database)
  await expect(pool.query('update seal_head set no = 1')).rejects.toThrow('only moves forward')
  await expect(pool.query('delete from seal_head')).rejects.toThrow('append-only')
  const kept = await pool.query('select * from seal order by no desc limit 1')
  await pool.query('alter table seal disable trigger user')
  await pool.query('delete from seal where no = $1', [kept.rows[0].no])
  await append('shop:a')
  await expect(sealBlock(fresh.database)).rejects.toThrow('is not the newest any more')
  expect((await pool.query('select code from incident where closed_at is null')).rows).toEqual([
    { code: 'SEALS_REMOVED' },
  ])
  const columns = Object.keys(kept.rows[0])
  await pool.query(
    `insert into seal (${columns.join(', ')}) values (${columns.map((_, n) => `$${n + 1}`).join(', ')})`,
    Object.values(kept.rows[0]).map((value) => (typeof value === 'number' && value > 1e12 ? new Date(value) : value)),
  )
  await pool.query('alter table seal enable trigger user')
  await sealAll(fresh.database)
  expect((await verify(fresh.database)).problems).toEqual([])
})

test('sealers of several processes never seal an entry twice', async () => {
  const other = openDatabase({ url: fresh.url, schema: 'holdfast' })
  try {
    await Promise.all(Array.from({ length: 20 }, (_, n) => append(`shop:crowd-${n}`)))
    await Promise.all(Array.from({ length: 8 }, (_, n) => sealBlock(n % 2 === 0 ? fresh.database : other)))
    await sealAll(fresh.database)
    expect((await verify(fresh.database)).problems).toEqual([])
  } finally {
    await other.close()
  }
})

test('an entry that commits late under a lower transaction id is waited for, not skipped', async () => {
  const { pool } = fresh.database
  const late = await pool.connect()
  try {
    await late.query('begin')
    await appendEntry(late, entry('shop:late'))
    await append('shop:early')
    expect(await sealBlock(fresh.database)).toBe(0)
    await late.query('commit')
  } finally {
    late.release()
  }
  await sealAll(fresh.database)
  const { rows } = await pool.query<{ stream: string }>(
    `select stream from ledger_entry where stream in ('shop:late', 'shop:early') order by txid, seq`,
  )
  expect(rows.map(({ stream }) => stream)).toEqual(['shop:late', 'shop:early'])
  expect((await verify(fresh.database)).problems).toEqual([])
})

test('sealing makes next month’s partition ahead of time', async () => {
  const { pool } = fresh.database
  const next = `format('ledger_entry_%s', to_char(clock_timestamp() at time zone 'UTC' + interval '1 month', 'YYYY_MM'))`
  const { rows } = await pool.query<{ name: string }>(`select ${next} as name`)
  await pool.query(`drop table ${rows[0]?.name}`)
  await sealBlock(fresh.database)
  const { rows: found } = await pool.query(`select to_regclass($1) is not null as made`, [rows[0]?.name])
  expect(found).toEqual([{ made: true }])
})
