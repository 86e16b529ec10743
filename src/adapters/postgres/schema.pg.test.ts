import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { dumpSchema } from '../../../test/schema-dump.ts'

let fresh: FreshDatabase

beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(() => fresh.drop())

test('schema.sql is what the migrations make', async () => {
  await expect(await dumpSchema(fresh.database.pool)).toMatchFileSnapshot('./schema.sql')
})

describe('the database defends the rules too', () => {
  const insert = (table: string, columns: Record<string, string>) =>
    fresh.database.pool.query(
      `insert into ${table} (${Object.keys(columns).join(', ')}) values (${Object.values(columns).join(', ')})`,
    )
  const demand = {
    sku_id: '1',
    no: '1',
    shop: `'nord'`,
    units: '1',
    phase: `'held'`,
    supply: `'on-hand'`,
    warehouse: `'main'`,
    contained: 'false',
    promised_at: 'now()',
  }

  beforeAll(async () => {
    await fresh.database.pool.query(`insert into sku (sku, sent_as) values ('S', 'S')`)
  })

  test.for<[string, Record<string, string>]>([
    ['demand_units', { units: '0' }],
    ['demand_phase', { phase: `'sold'` }],
    ['demand_supply', { supply: `'hope'`, warehouse: 'null' }],
    ['demand_pegged_somewhere', { warehouse: 'null' }],
    ['demand_pegged_somewhere', { supply: `'shortage'` }],
    ['demand_inbound_named', { supply: `'inbound'` }],
    ['demand_placed_has_order', { phase: `'placed'` }],
    ['demand_contained_on_hand', { supply: `'inbound'`, contained: 'true', purchase_order: `'1'`, line: `'1'` }],
    ['demand_end', { ended: `'forgotten'` }],
  ])('%s: %o', async ([constraint, change]) => {
    await expect(insert('demand', { ...demand, ...change })).rejects.toMatchObject({ constraint })
  })

  test.for<[string, string, string]>([
    ['figure_charged', 'figure', 'charged_units'],
    ['figure_on_hand', 'figure', 'on_hand'],
    ['figure_blocked', 'figure', 'blocked'],
    ['figure_allocated', 'figure', 'allocated'],
    ['inbound_line_ordered', 'inbound_line', 'ordered'],
    ['inbound_line_received', 'inbound_line', 'received'],
    ['inbound_line_rejected', 'inbound_line', 'rejected'],
  ])('%s: no %s has %s below nothing', async ([constraint, table, column]) => {
    const rows = {
      figure: {
        warehouse: `'main'`,
        units: '1',
        semantics: `'net'`,
        epoch: '0',
        received_at: 'now()',
        message_id: `'m'`,
        disputed: 'false',
      },
      inbound_line: {
        purchase_order: `'1'`,
        line: `'1'`,
        warehouse: `'main'`,
        ordered: '1',
        received: '0',
        confirmed: 'true',
        cancelled: 'false',
        epoch: '0',
        received_at: 'now()',
      },
    }
    const row = rows[table as keyof typeof rows]
    await expect(insert(table, { sku_id: '1', ...row, [column]: '-1' })).rejects.toMatchObject({ constraint })
  })

  test.for([
    '{"shelves": {"main": [-1, 0]}, "shops": {}}',
    '{"shelves": {"main": [0, 2147483648]}, "shops": {}}',
    '{"shelves": {}, "shops": {"nord": [1, 0, -1]}}',
  ])('sku_counts: %s', async (counts) => {
    await expect(insert('sku', { sku: `'T'`, sent_as: `'T'`, counts: `'${counts}'` })).rejects.toMatchObject({
      constraint: 'sku_counts',
    })
  })

  test('units are whole numbers that PostgreSQL’s integer holds', async () => {
    await expect(insert('demand', { ...demand, units: '2147483648' })).rejects.toMatchObject({ code: '22003' })
  })
})

test('never stored: no column is named after a person, an address, a price or a cart', async () => {
  const { rows } = await fresh.database.pool.query<{ column: string }>(
    `select table_name || '.' || column_name as column
     from information_schema.columns
     where table_schema = 'holdfast'
       and column_name ~ '(price|amount|total|customer|e_?mail|address|phone|first_name|last_name|cart|payment)'`,
  )
  expect(rows).toEqual([])
})
