import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLane } from '../../src/adapters/postgres/lane.ts'
import { newestMigration } from '../../src/adapters/postgres/migrate.ts'
import { type FreshDatabase, freshDatabase } from '../postgres.ts'
import { apiHold, figure, origin, rules, untilWaiting } from '../postgres-world.ts'
import { configure, hold } from './load.ts'
import { runHoldfast } from './running-holdfast.ts'

// What a process does when a newer version brings the tables up to date under it.

let fresh: FreshDatabase
let home: string
beforeAll(async () => {
  fresh = await freshDatabase()
  home = mkdtempSync(join(tmpdir(), 'holdfast-newer-'))
})
afterAll(async () => {
  await fresh.drop()
  rmSync(home, { recursive: true, force: true })
})

const FUTURE = `insert into migration (name) values ('9999-of-a-newer-version.sql')`
const forget = () => fresh.database.pool.query(`delete from migration where name like '9999%'`)

describe('a lane on tables that a newer version changes', () => {
  test('waits for the migration, holding nothing, and then decides nothing', async () => {
    const { pool } = fresh.database
    const migration = await newestMigration()
    const lane = createLane({ database: fresh.database, configuration: () => rules, migration })
    await lane.submit(figure('NEWER', 5, 1), origin)
    const migrating = await pool.connect()
    await migrating.query('begin')
    await migrating.query('lock table migration in access exclusive mode')
    const held = lane.submit(apiHold('newer', [['NEWER', 1]]), origin)
    const told = expect(held).rejects.toMatchObject({ code: 'TABLES_NEWER' })
    await untilWaiting(fresh.database)
    // What a migration does to the tables would wait for ever if the lane had a lock of theirs.
    await migrating.query('alter table sku add column of_the_future integer')
    await migrating.query(FUTURE)
    await migrating.query('commit')
    migrating.release()
    await told
    await pool.query('alter table sku drop column of_the_future')
    await forget()
    expect(await lane.submit(apiHold('newer', [['NEWER', 1]]), origin)).toMatchObject({ granted: true })
    await lane.stop()
  })
})

test('a running process decides nothing more, ends by itself, and cannot be started again', async () => {
  const holdfast = await runHoldfast(home, { env: { DATABASE_URL: fresh.url } })
  await configure(holdfast)
  expect(await hold(holdfast, 'before', 'CRASH-1', 1)).toMatchObject({ outcome: 'granted' })
  const ended = once(holdfast.process, 'exit')
  await fresh.database.pool.query(FUTURE)
  const after = await hold(holdfast, 'after', 'CRASH-1', 1)
  // It may be gone by then; what it must not do is decide.
  expect([undefined, 503]).toContain(after.answer?.code)
  if (after.answer) expect(after.answer.body).toMatchObject({ code: 'TABLES_NEWER' })
  expect(await ended).toEqual([1, null])
  expect(holdfast.said()).toContain('TABLES_NEWER')
  await expect(runHoldfast(home, { env: { DATABASE_URL: fresh.url } })).rejects.toThrow('SCHEMA_TOO_NEW')
  const { rows } = await fresh.database.pool.query(`select from demand where reservation = 'api:till:after'`)
  expect(rows).toEqual([])
})
