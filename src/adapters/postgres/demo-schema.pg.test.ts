import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts'
import { chooseSchema, demoSchemaOf } from './demo-schema.ts'
import { migrate } from './migrate.ts'

let fresh: FreshDatabase
beforeAll(async () => {
  fresh = await freshDatabase()
})
afterAll(async () => fresh.drop())

const tables = async (schema: string): Promise<number> => {
  const { rows } = await fresh.database.pool.query<{ tables: number }>(
    'select count(*)::int as tables from pg_tables where schemaname = $1',
    [schema],
  )
  return rows[0]?.tables ?? 0
}

test('the demo plays in a schema of its own, made anew each time, until somebody configures something', async () => {
  expect(await chooseSchema(fresh.url, 'holdfast', 'never')).toEqual({ schema: 'holdfast', isDemo: false })
  expect(await chooseSchema(fresh.url, 'elsewhere', 'when-empty')).toEqual({ schema: 'elsewhere_demo', isDemo: true })
  const chosen = await chooseSchema(fresh.url, 'holdfast', 'when-empty')
  expect(chosen).toEqual({ schema: 'holdfast_demo', isDemo: true })
  await migrate(fresh.database.pool, chosen.schema)
  expect(await tables('holdfast_demo')).toBeGreaterThan(0)
  await chooseSchema(fresh.url, 'holdfast', 'when-empty')
  expect(await tables('holdfast_demo')).toBe(0)

  await fresh.database.pool.query(`insert into configuration (version, document, author) values (1, '{}', 'somebody')`)
  expect(await chooseSchema(fresh.url, 'holdfast', 'when-empty')).toEqual({ schema: 'holdfast', isDemo: false })
  expect(await chooseSchema(fresh.url, 'holdfast', 'always')).toEqual({ schema: 'holdfast_demo', isDemo: true })
  expect(await tables('holdfast')).toBeGreaterThan(0)
})

test('a long name stays a name', () => {
  expect(demoSchemaOf('x'.repeat(63))).toHaveLength(63)
})
