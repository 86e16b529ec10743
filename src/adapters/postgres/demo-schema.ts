/** The schema in which a demo plays: beside the one that people configure, never in it, and made anew at each start. */
import type pg from 'pg'
import { SCHEMA_PATTERN } from './migrate.ts'
import { primaryOf } from './servers.ts'

/** When the demo plays: never, where nobody has configured anything yet, or whatever is configured. */
export type DemoWish = 'never' | 'when-empty' | 'always'

const SUFFIX = '_demo'
const MAX_NAME_CHARACTERS = 63

/** The demo's schema beside one. */
export const demoSchemaOf = (schema: string): string => schema.slice(0, MAX_NAME_CHARACTERS - SUFFIX.length) + SUFFIX

/**
 * Chooses the schema of a start. The demo's is dropped first, with what an earlier demo left: its shops have gone.
 *
 * @returns the schema, and whether it is the demo's
 */
export async function chooseSchema(
  url: string,
  schema: string,
  wish: DemoWish,
): Promise<{ readonly schema: string; readonly isDemo: boolean }> {
  if (wish === 'never' || !SCHEMA_PATTERN.test(schema)) return { schema, isDemo: false }
  const client = await primaryOf(url)
  try {
    if (wish === 'when-empty' && (await hasConfiguration(client, schema))) return { schema, isDemo: false }
    const name = demoSchemaOf(schema)
    await client.query(`drop schema if exists ${name} cascade`)
    return { schema: name, isDemo: true }
  } finally {
    await client.end()
  }
}

async function hasConfiguration(client: pg.Client, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    `${schema}.configuration`,
  ])
  if (!rows[0]?.there) return false
  const { rowCount } = await client.query(`select from ${schema}.configuration limit 1`)
  return rowCount === 1
}
