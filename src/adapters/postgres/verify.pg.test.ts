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
const TABLES = ['ledger_entry', 'seal', 'demand', 'figure', 'inbound_line', 'sku', 'configuration'] as const

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
      `update ledger_entry set body = jsonb_set(body::jsonb, '{changes,0,demand,units}', '7') where ${entryOfOne(3)}`,
    )
    expect(problems).toEqual([
      'Entry sku:ONE v3: its content does not match its hash',
      expect.stringMatching(
        /^demand \(sku ONE, no 2\), units: stored 1, told by the ledger 7; changed last by sku:ONE v3 \(hold, /,
      ),
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
    expect(problems.some((problem) => /^Seal \d+: its block is not what it was$/.test(problem))).toBe(true)
  })

  test('a removed entry is found: by its seal and by its stream', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where ${entryOfOne(3)}`)
    expect(problems.some((problem) => /^Seal \d+: covers \d+ entries, found \d+$/.test(problem))).toBe(true)
    expect(problems).toContain('sku:ONE: version 4 follows 2')
  })

  test('a removed last entry that no seal covers yet is found by the tables', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where seq = (select max(seq) from ledger_entry)`)
    expect(problems).toEqual([expect.stringMatching(/^sku \(sku TWO\), version: stored 8, told by the ledger 7; /)])
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
    expect(problems[0]).toMatch(/^Seal \d+: its block is not what it was$/)
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

  test('a seal that says another month, or another block, is found', async () => {
    expect(await problemsAfter(`update seal set month = '2001-01-01' where no = 1`)).toContainEqual(
      expect.stringMatching(/is not of the month of its seal 1$/),
    )
    expect(await problemsAfter(`update seal set block = sha256(block) where no = 1`)).toEqual([
      'Seal 1: the chain is broken here',
      'Seal 1: its block is not what it was',
    ])
  })

  test('progress is told part by part, with per cent and speed', async () => {
    const told: string[] = []
    await verify(fresh.database, (text) => told.push(text))
    expect(told.some((text) => /^Entries: (\d+) of \1 \(100 %\), \d+\/s$/.test(text))).toBe(true)
    expect(told.some((text) => /^Entries folded: /.test(text))).toBe(true)
  })

  test('a removed seal is found', async () => {
    const problems = await problemsAfter('delete from seal where no = 1')
    expect(problems).toContain('Seal 1: is gone, 2 follows')
    expect(problems).toContain('Seal 2: the chain is broken here')
  })

  test('a removed last seal is found, though what it covered only looks as if it were not sealed yet', async () => {
    const problems = await problemsAfter('delete from seal where no = (select max(no) from seal)')
    expect(problems).toEqual([expect.stringMatching(/^Seal (\d+): was the newest, and the chain ends at \d+$/)])
  })

  test('removed entries at the end of a sealed ledger are found', async () => {
    const problems = await problemsAfter(
      'delete from ledger_entry where seq >= (select last_seq from seal order by no desc limit 1)',
    )
    expect(
      problems.some((problem) =>
        /^Seal \d+: (entries that it covers are gone|covers \d+ entries, found \d+)$/.test(problem),
      ),
    ).toBe(true)
  })

  test('a gap in a stream that is no SKU’s is found', async () => {
    const problems = await problemsAfter(`delete from ledger_entry where stream = 'configuration' and version = 1`)
    expect(problems).toContain('configuration: has 1 entries but counts from 2 to 2')
  })
})

describe('the tables', () => {
  test('a changed balance is found and named', async () => {
    const problems = await problemsAfter(
      `update sku set counts = jsonb_set(counts, '{shelves,main,0}', '3') where id = 1`,
    )
    expect(problems).toEqual([
      expect.stringMatching(/^sku \(sku ONE\), pegged_units of main: stored 3, told by the ledger 4; /),
    ])
  })

  test('a changed figure is found', async () => {
    expect(await problemsAfter('update figure set units = units + 1 where sku_id = 2')).toEqual([
      expect.stringMatching(
        /^figure \(sku TWO, warehouse main\), units: stored 9, told by the ledger 8; changed last by /,
      ),
    ])
  })

  test('a changed, a removed and an invented demand are found', async () => {
    expect(await problemsAfter('update demand set units = units + 1 where sku_id = 1 and no = 2')).toEqual([
      expect.stringMatching(
        /^demand \(sku ONE, no 2\), units: stored 2, told by the ledger 1; changed last by sku:ONE v3 /,
      ),
    ])
    expect(await problemsAfter('delete from demand where sku_id = 1 and no = 3')).toEqual([
      expect.stringMatching(/^demand \(sku ONE, no 3\): stored "no row", told by the ledger "a row"; /),
    ])
    expect(
      await problemsAfter(
        `insert into demand (sku_id, no, shop, units, phase, supply, contained, promised_at)
         values (1, 99, 'nord', 1, 'held', 'untracked', false, now())`,
      ),
    ).toEqual([expect.stringMatching(/^demand \(sku ONE, no 99\): stored "a row", told by the ledger "no row"$/)])
  })

  test('an ended demand that nobody told of is found, beyond the last number and below it', async () => {
    const invent = (no: number) =>
      `insert into demand (sku_id, no, shop, units, phase, supply, contained, promised_at, ended)
       values (2, ${no}, 'nord', 1, 'held', 'untracked', false, now(), 'released')`
    expect(await problemsAfter(invent(77))).toEqual([
      expect.stringMatching(/^demand \(sku TWO, no 77\): stored "a row", told by the ledger "no row"$/),
    ])
    expect(await problemsAfter(invent(0))).toEqual(['demand (sku TWO): 2 ended ones are stored, the ledger tells of 1'])
  })

  test.for([
    [`update demand set promised_at = promised_at + interval '1 ms' where sku_id = 1 and no = 2`, 'promised_at'],
    [`update demand set line_key = 'other' where sku_id = 1 and no = 2`, 'line_key'],
    [`update figure set rise_due_at = now() where sku_id = 1`, 'rise_due_at'],
    [`update figure set message_id = 'other' where sku_id = 1`, 'message_id'],
    [`update figure set steps = '[]' where sku_id = 1`, 'steps'],
  ])('every column counts: %s', async ([statement, column]) => {
    const problems = await problemsAfter(statement ?? '')
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(`, ${column}: stored `)
  })

  test('the first difference is told in parts too', async () => {
    await owner.query('update demand set units = 8 where sku_id = 1 and no = 2')
    const { first } = await verify(fresh.database)
    await problemsAfter()
    expect(first).toEqual({
      table: 'demand',
      key: { sku: 'ONE', no: 2 },
      column: 'units',
      stored: 8,
      told: 1,
      lastChangedBy: { stream: 'sku:ONE', version: 3, at: expect.stringMatching(/Z$/), kind: 'hold' },
    })
  })

  test('an end that was taken back is found', async () => {
    expect(await problemsAfter('update demand set ended = null where sku_id = 2 and no = 1')).toEqual([
      expect.stringMatching(/^demand \(sku TWO, no 1\), ended: stored null, told by the ledger "released"; /),
    ])
  })

  test('changed counters of a shop are found', async () => {
    expect(await problemsAfter(`update sku set counts = counts #- '{shops,nord}' where id = 2`)).toEqual([
      expect.stringMatching(/^sku \(sku TWO\), open_units of nord: stored 0, told by the ledger 4; /),
    ])
  })

  test('the first difference of a SKU is named, not all of them', async () => {
    const problems = await problemsAfter(
      'update demand set units = units + 1 where sku_id = 1',
      'update figure set units = 0 where sku_id = 1',
    )
    expect(problems).toEqual([expect.stringMatching(/^demand \(sku ONE, no 1\), units: /)])
  })

  test('a SKU whose rows are gone is found', async () => {
    const problems = await problemsAfter(
      'delete from demand where sku_id = 2',
      'delete from figure where sku_id = 2',
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
