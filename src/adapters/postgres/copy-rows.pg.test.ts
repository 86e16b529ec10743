import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { copyLine, copyRows } from './copy-rows.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
  await fresh.database.pool.query(
    'create table kept (no int primary key, word text, yes boolean, bytes bytea, document json)',
  )
})
afterAll(() => fresh.drop())

const COLUMNS = 'no, word, yes, bytes, document'
const kept = async () => (await fresh.database.pool.query(`select ${COLUMNS} from kept order by no`)).rows

test('every value comes back as it was, whatever letters it has', async () => {
  const words = [
    '',
    'plain',
    'a\tb',
    'two\nlines\r\n',
    '\\',
    '\\N',
    '\\.',
    'C:\\new\\table',
    '"quoted", {braces}',
    'é😀',
    "it's",
  ]
  const rows = words.map((word, no) => [
    no,
    word,
    no % 2 === 0,
    Buffer.from([0, 9, 10, 92, 255]),
    JSON.stringify({ word }),
  ])
  await fresh.database.transaction((client) => copyRows(client, 'kept', COLUMNS, rows.map(copyLine)))
  expect(await kept()).toEqual(
    words.map((word, no) => ({
      no,
      word,
      yes: no % 2 === 0,
      bytes: Buffer.from([0, 9, 10, 92, 255]),
      document: { word },
    })),
  )
  await fresh.database.pool.query('delete from kept')
})

test('null is null, and not the text that stands for it', async () => {
  const rows = [copyLine([1, null, null, null, null]), copyLine([2, '\\N', false, null, null])]
  await fresh.database.transaction((client) => copyRows(client, 'kept', COLUMNS, rows))
  expect((await kept()).map(({ word }) => word)).toEqual([null, '\\N'])
  await fresh.database.pool.query('delete from kept')
})

test('rows that the table refuses are refused with its reason, all of them, and the connection goes on', async () => {
  const twice = [copyLine([1, 'a', true, null, null]), copyLine([1, 'b', true, null, null])]
  await fresh.database.transaction(async (client) => {
    await client.query('savepoint before')
    await expect(copyRows(client, 'kept', COLUMNS, twice)).rejects.toMatchObject({
      code: '23505',
      constraint: 'kept_pkey',
    })
    await client.query('rollback to before')
    await copyRows(client, 'kept', COLUMNS, [copyLine([2, 'c', true, null, null])])
  })
  expect((await kept()).map(({ word }) => word)).toEqual(['c'])
  await fresh.database.pool.query('delete from kept')
})

test('in a transaction that has failed already it fails too, and what it sent is read by nobody', async () => {
  const work = fresh.database.transaction(async (client, leave) => {
    leave(client.query('select 1 / 0'))
    leave(copyRows(client, 'kept', COLUMNS, [copyLine([3, 'd', true, null, null])]))
  })
  await expect(work).rejects.toMatchObject({ code: '22012' })
  expect(await kept()).toEqual([])
  await fresh.database.transaction((client) =>
    copyRows(client, 'kept', COLUMNS, [copyLine([4, 'e', true, null, null])]),
  )
  expect((await kept()).map(({ no }) => no)).toEqual([4])
})
