import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, orderCall, origin, rules } from '../../../test/postgres-world.ts'
import { openDatabase } from './database.ts'
import { createLane } from './lane.ts'
import { migrate } from './migrate.ts'
import { sealBlock } from './seal.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())
afterEach(async () => {
  await fresh.database.pool.query('drop schema if exists other cascade')
})

const other = () => openDatabase({ url: fresh.url, schema: 'other' })
const tablesIn = async (schema: string): Promise<number> =>
  (
    await fresh.database.pool.query<{ tables: number }>(
      'select count(*) as tables from information_schema.tables where table_schema = $1',
      [schema],
    )
  ).rows[0]?.tables ?? 0

describe('migrating', () => {
  test('makes the schema it is told, and nothing outside it', async () => {
    const before = await tablesIn('public')
    const database = other()
    await migrate(database.pool, 'other')
    expect(await tablesIn('other')).toBe(await tablesIn('holdfast'))
    expect(await tablesIn('public')).toBe(before)
    await database.close()
  })

  test('a schema that is not called holdfast works like any other, beside one that is', async () => {
    const database = other()
    await migrate(database.pool, 'other')
    const lane = createLane({ database, configuration: () => rules })
    await lane.submit(figure('S', 3, 1), origin)
    expect(await lane.submit(orderCall('c', [['S', 2]]), origin)).toMatchObject({ granted: true })
    await lane.stop()
    await sealBlock(database)
    expect(await verify(database)).toMatchObject({ entries: 2, skus: 1, problems: [] })
    expect(await verify(fresh.database)).toMatchObject({ entries: 0, skus: 0, problems: [] })
    await database.close()
  })

  test('again does nothing', async () => {
    const database = other()
    await migrate(database.pool, 'other')
    const ran = () => database.pool.query('select name, ran_at from migration')
    const before = (await ran()).rows
    await migrate(database.pool, 'other')
    expect((await ran()).rows).toEqual(before)
    expect(before.map(({ name }) => name)).toEqual([
      '0001-the-whole-house.sql',
      '0002-the-guard.sql',
      '0003-lean-hot-path.sql',
      '0004-unpaid-orders.sql',
      '0005-narrow-hot-path.sql',
      '0006-counters-in-the-row.sql',
      '0007-buyers.sql',
      '0008-pulled-sources.sql',
      '0009-promises.sql',
      '0010-resync.sql',
      '0011-the-newest-seal.sql',
      '0012-who-wrote-last.sql',
      '0013-shown-before-a-silence.sql',
      '0014-invitations.sql',
    ])
    await database.close()
  })

  test('two processes at once: one does it, the other waits for it', async () => {
    const databases = [other(), other(), other()]
    await Promise.all(databases.map(({ pool }) => migrate(pool, 'other')))
    expect(await tablesIn('other')).toBe(await tablesIn('holdfast'))
    await Promise.all(databases.map((database) => database.close()))
  })

  test('waits longer for another one than any statement of the service may take', async () => {
    const database = openDatabase({ url: fresh.url, schema: 'other' })
    const timeouts: string[] = []
    const pool = new Proxy(database.pool, {
      get(target, name) {
        if (name !== 'connect') return Reflect.get(target, name)
        return async () => {
          const client = await target.connect()
          const query = client.query.bind(client)
          client.query = (async (...args: [string]) => {
            const answer = await query(...args)
            const { rows } = await query<{ statement_timeout: string }>('show statement_timeout')
            timeouts.push(rows[0]?.statement_timeout ?? '')
            return answer
          }) as unknown as typeof client.query
          return client
        }
      },
    })
    await migrate(pool, 'other')
    expect(new Set(timeouts)).toEqual(new Set(['0']))
    await database.close()
  })

  test('a schema of a newer Holdfast is refused by its name, and stays as it is', async () => {
    const database = other()
    await migrate(database.pool, 'other')
    await database.pool.query(`insert into migration (name) values ('0099-from-the-future.sql')`)
    await expect(migrate(database.pool, 'other')).rejects.toMatchObject({
      code: 'SCHEMA_TOO_NEW',
      message: expect.stringContaining('0099-from-the-future.sql'),
    })
    await database.close()
  })

  test.for(['Holdfast', 'a b', 'a;drop', '', '1a', 'x'.repeat(64)])('refuses the name "%s"', async (name) => {
    await expect(migrate(fresh.database.pool, name)).rejects.toThrow('HOLDFAST_SCHEMA')
  })

  test('a role that may make no schema can use one that was made for it', async () => {
    const role = `maker_${process.pid}`
    await fresh.database.pool.query(`create role ${role} login password 'secret'`)
    await fresh.database.pool.query(`create schema other authorization ${role}`)
    const url = new URL(fresh.url)
    url.username = role
    url.password = 'secret'
    const database = openDatabase({ url: url.toString(), schema: 'other' })
    try {
      await migrate(database.pool, 'other')
      expect(await tablesIn('other')).toBeGreaterThan(20)
    } finally {
      await database.close()
      await fresh.database.pool.query(`drop owned by ${role} cascade`)
      await fresh.database.pool.query(`drop role ${role}`)
    }
  })

  test('partitions of the ledger are made for this month and the next two, at every start', async () => {
    const database = other()
    await migrate(database.pool, 'other')
    const names = async () =>
      (
        await database.pool.query<{ name: string }>(
          `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
           where inhparent = 'ledger_entry'::regclass order by 1`,
        )
      ).rows.map(({ name }) => name)
    const made = await names()
    expect(made).toHaveLength(4)
    await database.pool.query(`drop table ${made[1]}`)
    await migrate(database.pool, 'other')
    expect(await names()).toEqual(made)
    await database.close()
  })
})

test('a migration that fails leaves no trace and says which one it was', async () => {
  const client = new pg.Client({ connectionString: fresh.url })
  await client.connect()
  // Something that the first migration will stumble over.
  await client.query('create schema other; create table other.seal (no bigint)')
  await client.end()
  const database = other()
  await expect(migrate(database.pool, 'other')).rejects.toThrow('Migration 0001-the-whole-house.sql failed')
  expect(await tablesIn('other')).toBe(2)
  await database.close()
})
