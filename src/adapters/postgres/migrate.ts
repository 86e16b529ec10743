/** Brings a schema up to date. Migrations go forward, are never edited once released, and run in one transaction each. */
import { readdir, readFile } from 'node:fs/promises'
import type { Pool, PoolClient } from 'pg'

const FOLDER = new URL('./migrations/', import.meta.url)
/** Serialises processes that start together; any number that nobody else uses will do. */
const MIGRATION_LOCK = 4_600_001

/** A schema name that needs no quoting anywhere. */
export const SCHEMA_PATTERN = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * Creates the schema where it is missing and runs what has not run yet.
 *
 * @throws what PostgreSQL throws; the failed migration leaves no trace
 */
export async function migrate(pool: Pool, schema: string): Promise<void> {
  if (!SCHEMA_PATTERN.test(schema)) throw new Error(`HOLDFAST_SCHEMA: "${schema}" is no plain lower-case name`)
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    await client.query(`create schema if not exists ${schema}`)
    await client.query(`set search_path to ${schema}`)
    await client.query(
      'create table if not exists migration (name text primary key, ran_at timestamptz not null default clock_timestamp())',
    )
    const ran = new Set(
      (await client.query<{ name: string }>('select name from migration')).rows.map(({ name }) => name),
    )
    for (const name of (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()) {
      if (!ran.has(name)) await run(client, name)
    }
  } finally {
    await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined)
    client.release(true)
  }
}

async function run(client: PoolClient, name: string): Promise<void> {
  const sql = await readFile(new URL(name, FOLDER), 'utf8')
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query('insert into migration (name) values ($1)', [name])
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    throw new Error(`Migration ${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
