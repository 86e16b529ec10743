import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { sealAll } from '../../../test/postgres-world.ts'
import { instantOf, skuOf } from '../../core/ids.ts'
import { appendEntries } from './ledger.ts'
import { type LedgerFilter, ledgerSearch, placeOfRow, searchQuery } from './ledger-search.ts'
import type { LedgerRow } from './queries.ts'

let fresh: FreshDatabase

const MONTHS = ['2026-01', '2026-02', '2026-03'] as const
const SKUS = 40
const PER_MONTH = 4_000

beforeAll(async () => {
  fresh = await freshDatabase()
  const { pool } = fresh.database
  let n = 0
  for (const month of MONTHS) {
    await pool.query('select ledger_partition($1::date)', [`${month}-01`])
    const entries = Array.from({ length: PER_MONTH }, (_, index) => {
      n += 1
      return {
        stream: `sku:S${n % SKUS}`,
        version: Math.ceil(n / SKUS),
        at: new Date(Date.parse(`${month}-02T00:00:00Z`) + index * 60_000).toISOString(),
        kind: n % 50 === 0 ? 'trust' : 'hold',
        actor: n % 100 === 7 ? 'token:anna' : 'shop:nord',
        cause: n % 400 === 9 ? `message:${'x'.repeat(150)}${n % 800}` : `request:${n}`,
        configuration: 1,
        body: { changes: [] },
      }
    })
    await fresh.database.transaction((client) => appendEntries(client, entries))
  }
  await pool.query('vacuum analyze ledger_entry')
  await sealAll(fresh.database)
})
afterAll(() => fresh.drop())

const at = (text: string) => instantOf(Date.parse(text))

async function all(filter: LedgerFilter, limit = 37): Promise<readonly LedgerRow[]> {
  const found: LedgerRow[] = []
  for (let page = 0; page < 1_000; page += 1) {
    const last = found.at(-1)
    const rows = await ledgerSearch(fresh.database.pool, filter, { after: last && placeOfRow(filter, last), limit })
    found.push(...rows)
    if (rows.length < limit) return found
  }
  throw new Error('The pages do not end')
}

const CASES: readonly (readonly [string, LedgerFilter, number])[] = [
  ['an actor', { actor: 'token:anna' }, 120],
  ['a kind', { kind: 'trust' }, 240],
  ['a cause, and not another that begins with the same hundred letters', { cause: `message:${'x'.repeat(150)}9` }, 15],
  ['a time', { from: at('2026-02-02T00:00:00Z'), to: at('2026-02-02T01:00:00Z') }, 60],
  ['an actor in a time', { actor: 'token:anna', from: at('2026-03-01T00:00:00Z') }, 40],
  ['an actor and a kind that never meet', { actor: 'token:anna', kind: 'trust' }, 0],
  ['a SKU', { sku: skuOf('S5') }, 300],
  ['a SKU in a time', { sku: skuOf('S5'), to: at('2026-02-01T00:00:00Z') }, 100],
  ['nobody', { actor: 'nobody' }, 0],
  ['everything', {}, 12_000],
]

test.each(CASES)('%s is found page by page, each entry once and in order', async (_, filter, count) => {
  const limit = count > 1_000 ? 500 : 37
  const rows = await all(filter, limit)
  expect(rows).toHaveLength(count)
  expect(new Set(rows.map(({ seq }) => seq)).size).toBe(count)
  for (const row of rows) {
    if (filter.actor !== undefined) expect(row.actor).toBe(filter.actor)
    if (filter.kind !== undefined) expect(row.kind).toBe(filter.kind)
    if (filter.cause !== undefined) expect(row.cause).toBe(filter.cause)
    if (filter.from !== undefined) expect(row.at).toBeGreaterThanOrEqual(filter.from)
    if (filter.to !== undefined) expect(row.at).toBeLessThan(filter.to)
  }
  expect(rows.map((row) => row.at)).toEqual(rows.map((row) => row.at).toSorted((a, b) => a - b))
})

describe('the plan', () => {
  const planOf = async (filter: LedgerFilter, deep = false): Promise<string> => {
    const [row] = deep
      ? (await ledgerSearch(fresh.database.pool, filter, { after: undefined, limit: 5 })).slice(-1)
      : []
    const { text, values } = searchQuery(filter, row && placeOfRow(filter, row), 100)
    const { rows } = await fresh.database.pool.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values)
    return rows.map((line) => line['QUERY PLAN']).join('\n')
  }

  test.each([
    ['an actor', { actor: 'token:anna' }, /actor_at_seq_idx/],
    ['a kind', { kind: 'trust' }, /kind_at_seq_idx/],
    ['a cause', { cause: 'request:77' }, /left_at_seq_idx/],
    ['a time', { from: at('2026-02-20T00:00:00Z'), to: at('2026-02-20T01:00:00Z') }, /_at_seq_idx/],
    ['a SKU', { sku: skuOf('S5') }, /stream_version_at_key/],
    ['everything', {}, /txid_seq_idx/],
  ] as const)('of %s uses its index, on the first page and behind it', async (_, filter, index) => {
    for (const plan of [await planOf(filter), await planOf(filter, true)]) {
      expect(plan).toMatch(index)
      expect(plan).not.toMatch(/Seq Scan on ledger_entry_2026_0/)
      // Months come one after another or are merged: nothing is read whole to be sorted, but for a handful of rows.
      if (!('cause' in filter)) expect(plan).not.toMatch(/\bSort\b(?! Key)/)
    }
  })

  test('looks into no month outside from and to', async () => {
    const plan = await planOf({ actor: 'token:anna', from: at('2026-02-01T00:00:00Z'), to: at('2026-03-01T00:00:00Z') })
    expect(plan).toContain('ledger_entry_2026_02')
    expect(plan).not.toMatch(/ledger_entry_2026_0[13]/)
  })
})
