import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { appendEntries, appendEntry, hashOf } from './ledger.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
  await fresh.database.transaction((client) => appendEntry(client, entry('shop:first')))
})
afterAll(() => fresh.drop())

const entry = (stream: string, body: unknown = { what: 'happened' }) => ({
  stream,
  kind: 'told',
  actor: 'test',
  cause: 'test',
  configuration: 1,
  body,
})

async function partitions(): Promise<readonly string[]> {
  const { rows } = await fresh.database.pool.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'ledger_entry'::regclass order by name`,
  )
  return rows.map(({ name }) => name)
}

describe('the ledger is append-only', () => {
  test.for([
    `update ledger_entry set actor = 'nobody'`,
    'delete from ledger_entry',
    'truncate ledger_entry',
    `merge into ledger_entry using (select 1) as one on true when matched then update set actor = 'nobody'`,
    `insert into seal (no, last_txid, last_seq, month, entries, block, hash) values (1, '1', 1, '2026-01-01', 1, '\\x00', '\\x00') on conflict (no) do update set hash = '\\x01'`,
  ])('%s is refused', async (statement) => {
    const { pool } = fresh.database
    await pool.query(
      `insert into seal (no, last_txid, last_seq, month, entries, block, hash) values (1, '1', 1, '2026-01-01', 1, '\\x00', '\\x00') on conflict do nothing`,
    )
    await expect(pool.query(statement)).rejects.toMatchObject({
      code: '23001',
      message: expect.stringContaining('append-only'),
    })
  })

  test('so is the same on each of its partitions', async () => {
    const names = await partitions()
    expect(names.length).toBeGreaterThanOrEqual(4)
    for (const name of names) {
      await expect(fresh.database.pool.query(`truncate ${name}`)).rejects.toThrow(/append-only/)
    }
    const { rows } = await fresh.database.pool.query<{ name: string }>(
      'select tableoid::regclass::text as name from ledger_entry',
    )
    const [filled] = rows
    await expect(fresh.database.pool.query(`delete from ${filled?.name}`)).rejects.toThrow(/append-only/)
    await expect(fresh.database.pool.query(`update ${filled?.name} set at = at`)).rejects.toThrow(/append-only/)
  })

  test('seals too', async () => {
    for (const statement of ['delete from seal', `update seal set hash = '\\x02'`, 'truncate seal']) {
      await expect(fresh.database.pool.query(statement)).rejects.toThrow(/append-only/)
    }
  })
})

describe('entries', () => {
  test('many writers of one stream number it without a gap', async () => {
    const versions = await Promise.all(
      Array.from({ length: 30 }, () => fresh.database.transaction((client) => appendEntry(client, entry('shop:busy')))),
    )
    expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
  })

  test('an entry that is rolled back leaves no gap', async () => {
    const append = () => fresh.database.transaction((client) => appendEntry(client, entry('shop:gap')))
    await append()
    const failing = fresh.database.transaction(async (client) => {
      await appendEntry(client, entry('shop:gap'))
      throw new Error('after it')
    })
    await expect(failing).rejects.toThrow('after it')
    expect(await append()).toBe(2)
  })

  test('what is read back hashes to what was written, whatever the text and numbers in it', async () => {
    const body = {
      z: 1,
      a: [{ text: 'ä ñ 漢 🙂 "\\ \u2028', none: null }],
      large: 2 ** 53,
      small: -0.25,
      deep: { b: {}, a: [] },
    }
    await fresh.database.transaction((client) => appendEntry(client, entry('shop:text', body)))
    const { rows } = await fresh.database.pool.query(
      `select stream, version, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, kind, actor, cause, configuration, body, hash
       from ledger_entry
       where stream = 'shop:text'`,
    )
    const { hash, ...read } = rows[0]
    expect(read.body).toEqual(body)
    expect(hashOf(read).equals(hash)).toBe(true)
  })

  test('two entries of one stream with the same version and moment are refused', async () => {
    const same = { ...entry('shop:same'), version: 1, at: new Date().toISOString() }
    const twice = fresh.database.transaction((client) => appendEntries(client, [same, same]))
    await expect(twice).rejects.toMatchObject({ code: '23505' })
  })

  test('an entry lies in the partition of its month, and one that no month was made for is kept all the same', async () => {
    const { pool } = fresh.database
    await fresh.database.transaction((client) =>
      appendEntries(client, [{ ...entry('shop:far'), version: 1, at: '2077-05-05T00:00:00.000Z' }]),
    )
    const placeOf = async (stream: string) =>
      (
        await pool.query<{ place: string }>(
          'select tableoid::regclass::text as place from ledger_entry where stream = $1 limit 1',
          [stream],
        )
      ).rows[0]?.place
    expect(await placeOf('shop:far')).toBe('ledger_entry_other')
    expect(await placeOf('shop:first')).toMatch(/^ledger_entry_20\d\d_\d\d$/)
    // Its month cannot be made any more, and that is no error; another month can.
    await pool.query(
      `select ledger_partition('2077-05-01'), ledger_partition('2077-06-15'), ledger_partition('2077-06-01')`,
    )
    const names = await partitions()
    expect(names).toContain('ledger_entry_2077_06')
    expect(names).not.toContain('ledger_entry_2077_05')
  })
})
