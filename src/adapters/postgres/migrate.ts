/** Brings a schema up to date. Migrations go forward, are never edited once released, and run in one transaction each. */
import { readdir, readFile } from 'node:fs/promises'
import type { Pool, PoolClient } from 'pg'

const FOLDER = new URL('./migrations/', import.meta.url)
/** Serialises processes that start together; any number that nobody else uses will do. */
const MIGRATION_LOCK = 4_600_001

/** A schema name that needs no quoting anywhere. */
export const SCHEMA_PATTERN = /^[a-z_][a-z0-9_]{0,62}$/

/** The schema was made by a newer Holdfast: this one does not know what its tables mean. */
export class SchemaTooNew extends Error {
  readonly code = 'SCHEMA_TOO_NEW'
  constructor(schema: string, names: readonly string[]) {
    super(
      `SCHEMA_TOO_NEW: the schema "${schema}" was brought up to date by a newer Holdfast (${names.join(', ')}). ` +
        'Start that version or a newer one; there is no way back but a backup from before it.',
    )
    this.name = 'SchemaTooNew'
  }
}

/**
 * Creates the schema where it is missing and runs what has not run yet. Processes that start together wait for each other.
 *
 * @throws SchemaTooNew; or what PostgreSQL throws: the failed migration leaves no trace
 */
export async function migrate(pool: Pool, schema: string): Promise<void> {
  if (!SCHEMA_PATTERN.test(schema)) throw new Error(`HOLDFAST_SCHEMA: "${schema}" is no plain lower-case name`)
  const client = await pool.connect()
  try {
    // A migration, or the wait for one, may take longer than any statement of the running service.
    await client.query('set statement_timeout = 0')
    await patiently(client, `select pg_advisory_lock(${MIGRATION_LOCK})`)
    // Asked first: "if not exists" wants the right to create schemas even where there is nothing to create.
    const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema])
    if (rowCount === 0) await client.query(`create schema ${schema}`)
    await client.query(`set search_path to ${schema}`)
    await client.query(
      'create table if not exists migration (name text primary key, ran_at timestamptz not null default clock_timestamp())',
    )
    const ran = new Set(
      (await client.query<{ name: string }>('select name from migration')).rows.map(({ name }) => name),
    )
    const known = (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()
    const unknown = [...ran].filter((name) => !known.includes(name)).sort()
    if (unknown.length > 0) throw new SchemaTooNew(schema, unknown)
    for (const name of known) if (!ran.has(name)) await run(client, name)
    await client.query(MAKE_PARTITIONS)
  } finally {
    // Ending the session gives the lock back and forgets its settings.
    client.release(true)
  }
}

/** The newest migration that this version knows: the version of the tables that it understands. */
export async function newestMigration(): Promise<string> {
  return (
    (await readdir(FOLDER))
      .filter((file) => file.endsWith('.sql'))
      .sort()
      .at(-1) ?? ''
  )
}

/**
 * The newest migration that the schema has seen. Whoever reads it inside a transaction, before anything else, keeps every migration
 * waiting until its commit: {@link run} takes the table for itself first.
 */
export const LATEST_MIGRATION = 'select max(name) as latest from migration'

/** This month and the two after it. */
const MAKE_PARTITIONS = `
select ledger_partition((clock_timestamp() at time zone 'UTC' + make_interval(months => n))::date)
from generate_series(0, 2) as n`

/** Waits as long as it takes, whatever the pool thinks of slow answers. */
const patiently = (client: PoolClient, text: string) => {
  const query = { text, query_timeout: LONGEST_TIMEOUT_MS }
  return client.query(query)
}

/** The longest that a timer of Node can be: 24 days. */
const LONGEST_TIMEOUT_MS = 2_147_483_647

async function run(client: PoolClient, name: string): Promise<void> {
  const sql = await readFile(new URL(name, FOLDER), 'utf8')
  await client.query('begin')
  try {
    // First of all, with nothing else locked: transactions that know the older tables end before, those that come wait and see.
    await patiently(client, 'lock table migration in access exclusive mode')
    await patiently(client, sql)
    await client.query('insert into migration (name) values ($1)', [name])
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    throw new Error(`Migration ${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
