import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { figure, order, orderCall, orderWord, origin, rules, sealAll } from '../../../test/postgres-world.ts'
import { applyConfiguration } from './configuration-store.ts'
import { createLane } from './lane.ts'
import { verify } from './verify.ts'

let fresh: FreshDatabase
let owner: pg.Client

/** What an owner of the database can do: without the triggers that refuse it, and with a copy to put everything back. */
const TABLES = ['ledger_entry', 'seal', 'demand', 'figure', 'sku_shop', 'inbound_line', 'sku', 'configuration'] as const

const document = (zone: string) => ({
  sources: {},
  warehouses: {},
  shops: { nord: { kind: 'channel' as const, warehouses: [], zone } },
})

beforeAll(async () => {
  fresh = await freshDatabase()
  const lane = createLane({ database: fresh.database, configuration: () => rules })
  await applyConfiguration(fresh.database, document('Europe/Berlin'), 'anna')
  await applyConfiguration(fresh.database, document('Europe/Paris'), 'anna')
  for (const sku of ['ONE', 'TWO']) await lane.submit(figure(sku, 10, 1), origin)
  await sealAll(fresh.database)
  for (let n = 0; n < 5; n += 1) {
    await lane.submit(
      orderCall(`call-${n}`, [
        ['ONE', 1],
        ['TWO', 1],
      ]),
      origin,
    )
  }
  await lane.submit(order('first', [{ sku: 'ONE', units: 1, lineKey: 'call-0-ONE' }]), origin)
  await lane.submit(orderWord('allocated', 'first', 'ONE', 1, 2), origin)
  await lane.submit(figure('ONE', 9, 3), origin)
  await sealAll(fresh.database)
  await lane.submit(figure('TWO', 8, 4), origin)
  await lane.stop()
  owner = new pg.Client({ connectionString: fresh.url })
  await owner.connect()
  await owner.query(`set search_path = holdfast; set session_replication_role = replica`)
  for (const table of TABLES) await owner.query(`create table kept_${table} as select * from ${table}`)
})
afterAll(async () => {
  await owner.end()
  await fresh.drop()
})

/** What verify says after the owner did something; then everything is put back. */
async function problemsAfter(...statements: readonly string[]): Promise<readonly string[]> {
  for (const statement of statements) await owner.query(statement)
  try {
    return (await verify(fresh.database)).problems
  } finally {
    await owner.query('begin')
    for (const table of TABLES) {
      await owner.query(`delete from ${table}`)
      await owner.query(`insert into ${table} overriding system value select * from kept_${table}`)
    }
    await owner.query('commit')
  }
}

/** The entry with that version in the stream of ONE. */
const entryOfOne = (version: number) => `stream = 'sku:ONE' and version = ${version}`

test('an untouched database has no problems, and says what was looked at', async () => {
  expect(await verify(fresh.database)).toMatchObject({ skus: 2, unsealedEntries: 1, problems: [] })
  expect(await problemsAfter('select 1')).toEqual([])
})

describe('the ledger', () => {
  test('a changed body is found by its hash, and every balance that it made by the fold', async () => {
    const problems = await problemsAfter(
      `update ledger_entry set body = jsonb_set(body, '{changes,0,demand,units}', '7') where ${entryOfOne(3)}`,
    )
    expect(problems).toEqual([
      'Entry sku:ONE v3: its content does not match its hash',
      expect.stringMatching(/^ONE: demand 2 is .*"units":1.* in the tables but .*"units":7.* by the ledger$/),
    ])
  })

  test.for(['actor', 'cause', 'kind'])('a changed %s is found', async (column) => {
    const problems = await problemsAfter(`update ledger_entry set ${column} = 'nobody' where ${entryOfOne(3)}`)
    expect(problems).toEqual(['Entry sku:ONE v3: its content does not match its hash'])
  })

  test('a changed moment or configuration is found', async () => {
    const problems = await problemsAfter(
      `update ledger_entry set at = at + interval '1 ms' where ${entryOfOne(3)}`,
      `update ledger_entry set configuration = 2 where ${entryOfOne(4)}`,
    )
    expect(problems).toHaveLength(2)
  })

  test('a body that was changed together with its hash breaks the chain', async () => {
    const problems = await problemsAfter(
      // As if the owner had computed a hash that fits: the other entry's content and hash fit each other.
      `update ledger_entry set hash = other.hash, body = other.body
       from (select hash, body from ledger_entry where stream = 'sku:TWO' and version = 2) as other
       where ${entryOfOne(2)}`,
    )
    expect(problems.some((problem) => /^Seal \d+: the chain is broken here$/.test(problem))).toBe(true)
  })

  test('a removed entry is found: by its seal and by its stream', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where ${entryOfOne(3)}`)
    expect(problems.some((problem) => /^Seal \d+: covers \d+ entries, found \d+$/.test(problem))).toBe(true)
    expect(problems).toContain('sku:ONE: version 4 follows 2')
  })

  test('a removed last entry that no seal covers yet is found by the tables', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where seq = (select max(seq) from ledger_entry)`)
    expect(problems).toEqual([expect.stringMatching(/^TWO: version is 8 in the tables but 7 by the ledger$/)])
  })

  test('two entries that changed places are found', async () => {
    const problems = await problemsAfter(
      `with pair as (
         select min(seq) as low, max(seq) as high from ledger_entry where stream = 'sku:ONE' and version in (2, 3)
       ), places as (
         select seq, txid from ledger_entry, pair where seq in (low, high)
       ), moved as (
         delete from ledger_entry using pair where seq in (low, high) returning ledger_entry.*
       )
       insert into ledger_entry (seq, txid, at, stream, version, kind, actor, cause, configuration, body, hash)
       overriding system value
       select places.seq, places.txid, at, stream, version, kind, actor, cause, configuration, body, hash
       from moved
       join places on places.seq <> moved.seq`,
    )
    expect(problems[0]).toMatch(/^Seal \d+: the chain is broken here$/)
  })

  test('an entry that was slipped in is found', async () => {
    const problems = await problemsAfter(
      `insert into ledger_entry (seq, txid, at, stream, version, kind, actor, cause, configuration, body, hash)
       overriding system value
       select 0, txid, at, 'shop:slipped', 1, kind, actor, cause, configuration, body, hash
       from ledger_entry where ${entryOfOne(2)}`,
    )
    expect(problems.some((problem) => /^Seal \d+: covers/.test(problem))).toBe(true)
  })

  test('a removed seal is found', async () => {
    const problems = await problemsAfter('delete from seal where no = 1')
    expect(problems.some((problem) => /^Seal 2: covers \d+ entries, found \d+$/.test(problem))).toBe(true)
  })

  test('removed entries at the end of a sealed ledger are found', async () => {
    const problems = await problemsAfter(
      'delete from ledger_entry where seq >= (select last_seq from seal order by no desc limit 1)',
    )
    expect(problems.some((problem) => /^Seal \d+: entries that it covers are gone$/.test(problem))).toBe(true)
  })

  test('a gap in a stream that is no SKU’s is found', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where stream = 'configuration' and version = 1`)
    expect(problems).toContain('configuration: has 1 entries but counts to 2')
  })
})

describe('the tables', () => {
  test('a changed balance is found and named', async () => {
    const problems = await problemsAfter(`update figure set pegged_units = pegged_units - 1 where sku_id = 1`)
    expect(problems).toEqual([
      expect.stringMatching(/^ONE: counters of warehouse main is .* in the tables but .* by the ledger$/),
    ])
  })

  test('a changed figure is found', async () => {
    expect(await problemsAfter('update figure set units = units + 1 where sku_id = 2')).toEqual([
      expect.stringMatching(/^TWO: figure main is /),
    ])
  })

  test('a changed, a removed and an invented demand are found', async () => {
    expect(await problemsAfter('update demand set units = units + 1 where sku_id = 1 and no = 2')).toEqual([
      expect.stringMatching(/^ONE: demand 2 is /),
    ])
    expect(await problemsAfter('delete from demand where sku_id = 1 and no = 3')).toEqual([
      expect.stringMatching(/^ONE: demand 3 is null in the tables/),
    ])
    expect(
      await problemsAfter(
        `insert into demand (sku_id, no, shop, units, phase, supply, contained, promised_at)
         values (1, 99, 'nord', 1, 'held', 'untracked', false, now())`,
      ),
    ).toEqual([expect.stringMatching(/^ONE: demand 99 is .* but null by the ledger$/)])
  })

  test('an end that was taken back is found', async () => {
    expect(await problemsAfter('update demand set ended = null where sku_id = 2 and no = 1')).toEqual([
      expect.stringMatching(/^TWO: demand 1 is .* in the tables but .*"end":"released".* by the ledger$/),
    ])
  })

  test('changed counters of a shop are found', async () => {
    expect(await problemsAfter('update sku_shop set open_units = 0 where sku_id = 2')).toEqual([
      expect.stringMatching(/^TWO: counters of shop nord is /),
    ])
  })

  test('the first difference of a SKU is named, not all of them', async () => {
    const problems = await problemsAfter(
      'update demand set units = units + 1 where sku_id = 1',
      'update figure set units = 0, pegged_units = 0 where sku_id = 1',
    )
    expect(problems).toEqual([expect.stringMatching(/^ONE: demand 1 is /)])
  })

  test('a SKU whose rows are gone is found', async () => {
    const problems = await problemsAfter(
      'delete from demand where sku_id = 2',
      'delete from figure where sku_id = 2',
      'delete from sku_shop where sku_id = 2',
      'delete from sku where id = 2',
    )
    expect(problems).toEqual(['sku:TWO: has entries but the SKU has no row'])
  })

  test('an edited configuration is found', async () => {
    const problems = await problemsAfter(
      `update configuration set document = jsonb_set(document, '{shops,nord,zone}', '"UTC"') where version = 1`,
    )
    expect(problems).toEqual(['configuration: version 1 is not what the ledger tells of'])
  })
})
